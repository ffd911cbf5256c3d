//! Every dispatch that a segment lists, with the use of L1 by its program.

use std::collections::BTreeMap;

use ttmem_model::order::Gather as _;
use ttmem_segment::{DispatchKind, Segment};

use super::super::ReportChip;
use super::super::replay::name;
use super::{Measured, allocator, chips, measure};

/// A dispatch: the program, its op, and when it started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DispatchUse {
    /// Microseconds since 1970.
    pub at_us: u64,
    /// The thread that dispatched it.
    pub thread: u32,
    /// Command queue, where it is known.
    pub queue: Option<u8>,
    /// The op, or the trace that was replayed.
    pub op: String,
    /// The chips; none where they are not known.
    pub chips: Vec<ReportChip>,
    /// The use of L1 by the program; `None` of a replay, and of a program that is not recorded.
    pub l1: Option<DispatchL1>,
}

/// The use of L1 by a dispatched program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DispatchL1 {
    /// TT-Metal's number of the program; 0 where it does not say.
    pub program: u64,
    /// Cores of the program.
    pub cores: u64,
    /// Bytes of circular buffers on the core with the most, without those that are the memory of a tensor.
    pub circular_buffers: u64,
    /// Bytes of kernel text on the core with the most; `None` if this release of TT-Metal does not publish them.
    pub kernel_text: Option<u64>,
    /// Bytes of L1 tensors in every bank.
    pub tensors: u64,
    /// Bytes between the highest circular buffer and the lowest L1 buffer, or the end of L1.
    pub headroom: Option<i64>,
}

/// The dispatches that a segment lists: programs and replays, without those that a trace captured, which did not run.
#[must_use]
pub fn dispatch_uses(segment: &Segment) -> Vec<DispatchUse> {
    let measured: Vec<Measured<'_>> =
        segment.programs.footprints.iter().map(|footprint| measure(segment, footprint)).collect();
    let by_index: BTreeMap<u32, &Measured<'_>> =
        measured.iter().map(|one| (one.footprint.index, one)).gather();
    let dispatches = segment.programs.dispatches.iter();
    let ran = dispatches.filter(|dispatch| dispatch.kind != DispatchKind::Captured);
    ran.map(|dispatch| {
        let one = dispatch.footprint.and_then(|index| by_index.get(&index));
        let own = one.and_then(|one| name(one.footprint.op.as_ref()));
        let op = match dispatch.trace {
            Some(serial) => format!("replay of trace {}", trace_id(segment, serial)),
            None => name(dispatch.op.as_ref()).or(own).unwrap_or_else(|| "unknown op".to_owned()),
        };
        DispatchUse {
            at_us: segment.header.to_real_time(dispatch.time) / 1000,
            thread: dispatch.thread,
            queue: dispatch.queue,
            op,
            chips: one.map(|one| chips(segment, &one.footprint.chips)).unwrap_or_default(),
            l1: one.map(|one| DispatchL1 {
                program: one.footprint.program,
                cores: one.cores,
                circular_buffers: one.circular_buffers,
                kernel_text: one.kernel_text,
                tensors: dispatch.l1_bytes,
                headroom: headroom(segment, one, dispatch.lowest_l1),
            }),
        }
    })
    .collect()
}

/// TT-Metal's number of the trace with a serial number.
fn trace_id(segment: &Segment, serial: u32) -> u32 {
    let mut traces = segment.programs.traces.iter();
    let found = traces.find(|trace| trace.serial == u64::from(serial));
    found.map_or(serial, |trace| trace.id)
}

/// The headroom of a program at one dispatch.
fn headroom(segment: &Segment, one: &Measured<'_>, lowest: Option<u64>) -> Option<i64> {
    let size = allocator(segment, one.footprint).and_then(|allocator| allocator.l1_size);
    let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    Some(signed(lowest.or(size)?).saturating_sub(signed(one.end?)))
}
