//! Allocations by stack: bytes at the peak and bytes that are still held, by the calls that led there.

use std::collections::BTreeMap;

use serde::Serialize;
use ttmem_merge::listing::{SegmentBuffer, stacks_missing};
use ttmem_merge::words::frames;
use ttmem_model::Kind;
use ttmem_model::order;
use ttmem_model::stack::{StackFrame, caller};
use ttmem_segment::{AllocatorKind, Origin, Stack};

use super::replay::Replay;
use super::{held, peaks};

/// The calls that allocated memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stacks {
    /// The reason that there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) missing: Option<String>,
    /// Bytes by kind and stack, the most at the peak first. Buffers whose stack is not known are one entry without frames.
    pub(crate) uses: Vec<StackUse>,
}

/// The memory of one kind that was allocated by the same calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct StackUse {
    /// The kind.
    pub(crate) kind: Kind,
    /// The calls, the innermost first.
    pub frames: Vec<StackFrame>,
    /// Bytes on the chip with the highest peak, at that moment; 0 of all stacks of a kind if its events are overwritten.
    pub(crate) peak_bytes: u64,
    /// Number of these buffers.
    pub(crate) peak_buffers: u64,
    /// Bytes of tensors on each chip that were held when the device was closed, or at the end.
    pub(crate) held_bytes: u64,
    /// Number of these buffers.
    pub(crate) held_buffers: u64,
}

/// Memory that one line of the user's code allocated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Caller {
    /// The call, in the innermost function that is not of `ttnn`.
    #[serde(flatten)]
    pub frame: StackFrame,
    /// Buffers.
    pub buffers: u64,
    /// Bytes on each chip.
    pub bytes: u64,
}

impl Stacks {
    /// The lines of the user's code by their bytes at the peak of a kind, the most first.
    #[must_use]
    pub fn callers_at_peak(&self, kind: Kind) -> Vec<Caller> {
        let of_kind = self.uses.iter().filter(|one| one.kind == kind && one.peak_bytes > 0);
        callers(of_kind.map(|one| (one.frames.as_slice(), one.peak_buffers, one.peak_bytes)))
    }
}

/// Sums up buffers and bytes by the line of the user's code.
pub(super) fn callers<'a>(
    parts: impl Iterator<Item = (&'a [StackFrame], u64, u64)>,
) -> Vec<Caller> {
    let mut sums: BTreeMap<&StackFrame, (u64, u64)> = BTreeMap::new();
    for (frames, buffers, bytes) in parts {
        let Some(frame) = caller(frames) else { continue };
        let sum = sums.entry(frame).or_default();
        *sum = (sum.0.saturating_add(buffers), sum.1.saturating_add(bytes));
    }
    let mut callers: Vec<Caller> = sums
        .into_iter()
        .map(|(frame, (buffers, bytes))| Caller { frame: frame.clone(), buffers, bytes })
        .collect();
    order::sort_by_key(&mut callers, |caller| std::cmp::Reverse(caller.bytes));
    callers
}

/// The calls that allocated the memory of the peaks, and that which is still held.
pub(super) fn stacks(replay: &Replay<'_>) -> Stacks {
    let mut sums: BTreeMap<(Kind, Vec<StackFrame>), StackUse> = BTreeMap::new();
    let mut entry = |kind: AllocatorKind, stack: Option<&Stack>, add: &dyn Fn(&mut StackUse)| {
        let (kind, frames) = (Kind::from(kind), frames(stack));
        let one = sums.entry((kind, frames.clone())).or_insert(StackUse {
            kind,
            frames,
            peak_bytes: 0,
            peak_buffers: 0,
            held_bytes: 0,
            held_buffers: 0,
        });
        add(one);
    };
    let bytes = |its: &SegmentBuffer<'_>| {
        its.footprint.bytes_per_bank.saturating_mul(replay.banks(its.allocator, its.footprint.kind))
    };
    for kind in AllocatorKind::ALL {
        for its in peaks::buffers_at_highest(replay, kind).unwrap_or_default() {
            entry(kind, its.stack, &|one| {
                one.peak_bytes = one.peak_bytes.saturating_add(bytes(&its));
                one.peak_buffers += 1;
            });
        }
    }
    for (_, _, its) in held::held_buffers(replay) {
        if its.origin == Origin::Plain {
            entry(its.footprint.kind, its.stack, &|one| {
                one.held_bytes = one.held_bytes.saturating_add(bytes(&its));
                one.held_buffers += 1;
            });
        }
    }
    let mut uses: Vec<StackUse> = sums.into_values().collect();
    order::sort_by_key(&mut uses, |one| {
        (one.kind, std::cmp::Reverse(one.peak_bytes), std::cmp::Reverse(one.held_bytes))
    });
    let missing = stacks_missing(replay.segment);
    if missing.is_some() {
        uses.clear();
    }
    Stacks { missing, uses }
}

#[cfg(test)]
mod tests {
    use ttmem_fake::segment::{NewBuffer, Segment as Fake};
    use ttmem_segment::Reader;

    use super::super::ProcessReport;
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn bytes_at_the_peak_and_held_bytes_are_those_of_the_calls() {
        let library = ("__call__", "/venv/lib/python3.10/site-packages/ttnn/decorators.py", 600);
        let forward =
            [library, ("forward", "/home/user/model.py", 42), ("<module>", "/home/user/run.py", 7)];
        let load = [("load", "/home/user/model.py", 9), ("<module>", "/home/user/run.py", 3)];
        let tensor = |mib| NewBuffer::new(AllocatorKind::Dram, mib * MIB, "Matmul");
        let fake = Fake::wormhole(7, 70, 9)
            .calls(&load)
            .allocate(tensor(1))
            .calls(&forward)
            .allocate(tensor(2))
            .allocate(tensor(4))
            .free_newest(AllocatorKind::Dram)
            .calls(&[])
            .allocate(tensor(1));
        let report = ProcessReport::of(&Reader::parse(&fake.image()).unwrap(), false);
        let stacks = report.stacks.unwrap();
        assert_eq!(stacks.missing, None);
        let uses: Vec<_> = stacks
            .uses
            .iter()
            .map(|one| (one.frames.len(), one.peak_bytes / MIB, one.held_bytes / MIB))
            .collect();
        assert_eq!(uses, [(3, 72, 24), (2, 12, 12), (0, 0, 12)]);
        let callers: Vec<_> = stacks
            .callers_at_peak(Kind::Dram)
            .iter()
            .map(|caller| (caller.frame.to_string(), caller.buffers, caller.bytes / MIB))
            .collect();
        let wanted = [
            ("model.py:42 in forward".to_owned(), 2, 72),
            ("model.py:9 in load".to_owned(), 1, 12),
        ];
        assert_eq!(callers, wanted);
        assert_eq!(report.peaks[0].stack.len(), 3);
        assert_eq!(report.held[0].callers[0].frame.line, Some(42));
        // An agent that records none says why.
        let without = Fake::wormhole(7, 70, 9).allocate(tensor(1));
        let report = ProcessReport::of(&Reader::parse(&without.image()).unwrap(), false);
        let stacks = report.stacks.unwrap();
        assert_eq!(stacks.missing.as_deref(), Some("the agent does not record stacks"));
        assert!(stacks.uses.is_empty());
    }
}
