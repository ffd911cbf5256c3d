//! Captured traces: the bytes that they need, and what was allocated while one was live.

use serde::Serialize;

use super::super::ReportChip;
use super::super::replay::Replay;
use super::chips;

/// The captured traces of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Traces {
    /// The newest traces, in the order of their capture.
    pub traces: Vec<TraceReport>,
    /// `trace_region_size` of the newest device that was opened: bytes set aside.
    pub region_size: u64,
    /// A `trace_region_size` of this many bytes would have been enough for all traces that were live at a time.
    pub needed: u64,
    /// Bytes per bank of buffers that were allocated in DRAM while a captured trace was live. TT-Metal warns that a
    /// replay may overwrite them.
    pub dram_allocated: u64,
    /// The number of these buffers.
    pub dram_buffers: u64,
    /// Bytes per bank of buffers that were allocated in L1 while a captured trace was live.
    pub l1_allocated: u64,
    /// The number of these buffers.
    pub l1_buffers: u64,
}

/// A captured trace: its bytes, dispatches and replays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TraceReport {
    /// TT-Metal's number of the trace.
    pub id: u32,
    /// The chips.
    pub(crate) chips: Vec<ReportChip>,
    /// Bytes of its buffer on a chip as requested; `None` if no buffer was seen.
    pub bytes: Option<u64>,
    /// Dispatches captured.
    pub dispatches: u64,
    /// Replays.
    pub replays: u64,
    /// True if it was released.
    pub is_released: bool,
}

/// The traces; `None` if none was captured.
pub(super) fn traces(replay: &Replay<'_>) -> Option<Traces> {
    let programs = &replay.segment.programs;
    if programs.traces.is_empty() {
        return None;
    }
    let traces = programs.traces.iter().map(|trace| TraceReport {
        id: trace.id,
        chips: chips(replay.segment, &trace.chips),
        bytes: (trace.bytes > 0).then_some(trace.bytes),
        dispatches: trace.dispatches,
        replays: trace.replays,
        is_released: trace.released.is_some(),
    });
    let ((dram_allocated, dram_buffers), (l1_allocated, l1_buffers)) =
        (programs.dram_during_traces, programs.l1_during_traces);
    Some(Traces {
        traces: traces.collect(),
        region_size: programs.trace_region_size,
        needed: programs.trace_bytes_peak,
        dram_allocated,
        dram_buffers,
        l1_allocated,
        l1_buffers,
    })
}
