//! The memory of each op: its peak, and its median.

use std::collections::BTreeMap;

use ttmem_model::Kind;
use ttmem_model::order;
use ttmem_segment::Segment;

use super::ReportChip;
use super::replay::{Replay, name};

/// The buffers of one op of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpUse {
    /// The kind.
    pub kind: Kind,
    /// The op that allocated them; `None` where that is not known.
    pub op: Option<String>,
    /// The most bytes at a time on any chip.
    pub peak: u64,
    /// Bytes on that chip most of the time: the median over the time from the first event to the last.
    pub steady: u64,
}

/// Bytes that came or, if negative, went, by time.
type Changes = Vec<(u64, i128)>;

/// Returns the memory of each op, by kind and name.
#[must_use]
pub fn op_uses(segment: &Segment) -> Vec<OpUse> {
    let replay = Replay::new(segment);
    let times = || segment.events.iter().map(|event| event.time);
    let (first, last) = (times().min().unwrap_or(0), times().max().unwrap_or(0));
    let mut changes: BTreeMap<(Kind, Option<String>), BTreeMap<ReportChip, Changes>> =
        BTreeMap::new();
    for life in replay.lives() {
        let live = life.live;
        let banks = replay.banks(live.allocator, live.footprint.kind);
        let bytes = i128::from(live.footprint.bytes_per_bank.saturating_mul(banks));
        let mut chips = replay.chips(live.allocator);
        if chips.is_empty() {
            chips.push(ReportChip { device: 0, unique_id: None, index: None });
        }
        let of_op = changes.entry((live.footprint.kind.into(), name(live.op))).or_default();
        for chip in chips {
            let of_chip = of_op.entry(chip).or_default();
            let begin = live.allocated.map_or(first, |(time, _)| time.max(first));
            of_chip.push((begin, bytes));
            let end = life.end.and_then(|end| segment.events.get(end));
            of_chip.extend(end.map(|end| (end.time, -bytes)));
        }
    }
    let highest = |chips: BTreeMap<ReportChip, Changes>| {
        let figures = chips.into_values().map(|changes| figures(changes, last));
        figures.max().unwrap_or_default()
    };
    let of_op = changes.into_iter().map(|((kind, op), chips)| {
        let (peak, steady) = highest(chips);
        OpUse { kind, op, peak, steady }
    });
    of_op.collect()
}

/// The most there was, and the median over time.
fn figures(mut changes: Changes, last: u64) -> (u64, u64) {
    // What is freed at a moment makes room for what is allocated at it.
    order::sort(&mut changes);
    let Some(first) = changes.first().map(|(time, _)| *time) else { return (0, 0) };
    let (mut level, mut peak, mut since) = (0_i128, 0_i128, first);
    let mut lasted: BTreeMap<i128, u64> = BTreeMap::new();
    for (time, change) in changes {
        *lasted.entry(level).or_default() += time.saturating_sub(since);
        since = time;
        level += change;
        peak = peak.max(level);
    }
    *lasted.entry(level).or_default() += last.saturating_sub(since);
    let half = lasted.values().sum::<u64>().div_ceil(2);
    let mut passed = 0;
    let median = lasted.iter().find(|(_, time)| {
        passed += **time;
        passed >= half
    });
    let bytes = |level: i128| u64::try_from(level.max(0)).unwrap_or(u64::MAX);
    (bytes(peak), bytes(median.map_or(level, |(level, _)| *level)))
}

#[cfg(test)]
mod tests {
    use ttmem_segment::{AllocatorKind, Reader};

    use super::*;
    use ttmem_fake::segment::{NewBuffer, Segment as Fake};

    #[test]
    fn an_op_has_a_peak_and_a_steady_state() {
        let dram = |bytes, op| NewBuffer::new(AllocatorKind::Dram, bytes, op);
        let fake = Fake::wormhole(7, 70, 5)
            .allocate(dram(1024, "Weights"))
            .allocate(dram(64, "Matmul"))
            .allocate(dram(64, "Matmul"))
            .wait(10)
            .free_newest_of("Matmul")
            .wait(5000)
            .free_newest_of("Matmul")
            .wait(100);
        let uses = op_uses(&Reader::parse(&fake.image()).unwrap());
        let told: Vec<_> =
            uses.iter().map(|one| (one.op.as_deref().unwrap(), one.peak, one.steady)).collect();
        assert_eq!(told, [("Matmul", 128 * 12, 64 * 12), ("Weights", 1024 * 12, 1024 * 12)]);
    }

    #[test]
    fn what_is_freed_makes_room_for_what_comes_at_the_same_moment() {
        assert_eq!(figures(vec![(0, 8), (5, 8), (5, -8)], 10), (8, 8));
        assert_eq!(figures(Vec::new(), 10), (0, 0));
        assert_eq!(
            figures(vec![(3, i128::from(u64::MAX)), (3, i128::from(u64::MAX))], 3).0,
            u64::MAX
        );
    }
}
