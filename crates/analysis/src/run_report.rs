//! The use of device memory by a process from its first allocation to its end: peaks, memory held when it closed its
//! devices, failed allocations, the largest buffers. All of it follows from the segment of its agent.

mod failures;
mod held;
mod host_memory;
mod ops;
mod overlaps;
mod past;
mod peaks;
mod programs;
mod ranks;
mod recorded;
mod recording;
mod replay;
mod rewind;
mod saved;
mod spans;
mod stacks;
mod timeline;
mod uncounted;

use serde::{Deserialize, Serialize};
use ttmem_model::buffers::Tensor;
use ttmem_model::order;
use ttmem_model::stack::StackFrame;
use ttmem_model::{Kind, Timestamp};
use ttmem_segment::{AgentState, Segment};

use crate::explain::Explanation;
pub use host_memory::{HostMemory, HostPeak, KillCause, LockedLimit};
pub use ops::{OpUse, op_uses};
pub use overlaps::{Overlap, OverlappingBuffer};
pub use past::past_buffers;
pub use programs::{
    DispatchL1, DispatchUse, L1Peak, OpL1, ProcessOps, Programs, Refused, Traces, dispatch_uses,
    l1_by_op, op_l1,
};
pub use ranks::{Imbalance, Member, Rank, RankFailure, Ranks};
pub use recorded::RecordedBuffers;
pub use recording::{RecordedSegment, RecordingReport, recorded_segments};
use replay::Replay;
pub use saved::saved_ranks;
pub use spans::{OpSpan, live_after, op_spans};
pub use stacks::{Caller, Stacks};
pub use timeline::{Buffers, Timeline};
pub use uncounted::{RegionPeak, Uncounted};

/// The name of the format.
pub(crate) const SCHEMA: &str = "ttmem/run";
/// The version of the format: a newer minor adds fields, a newer major breaks readers.
///
/// - 1.0: the first.
/// - 1.1: `recordings`, and of a process `name` and, for pictures, `timeline`.
/// - 1.2: of a process `programs`.
/// - 1.3: `uncounted` and `host_memory`; of a chip `index`; of L1 peaks and ops `scratchpads`; of L1 peaks `capacity`; of
///   programs `unknown_reason`; of a recording `damaged_snapshots` and `damaged_parts`.
/// - 1.4: `stack` of peaks, failures, refused programs and largest buffers; `callers` of held groups; of a process `stacks`.
/// - 1.5: `command`, `rank`, `job`, `exit_code`, `signal` and `overlaps` of a process; the ends `left` and `ended`.
/// - 1.6: `tensor` of the largest buffers; `ranks`, and `host` of a process; `tray`, `temperature_c` and `power_w` of a chip
///   in a series.
/// - 1.7: `region` of processes that were not counted; `tray_position` and `serial` of a chip in a series.
/// - 1.8: `id` of a chip in a series is `null` if it is not known; `chip_index` of an event.
/// - 1.9: `host` of a process of `ttmem run`, too; `core_type` of a refused program; `aliasing` of
///   the peak of L1.
pub(crate) const VERSION: &str = "1.9";

/// The report of the processes of one command.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// Always `ttmem/run`.
    pub schema: &'static str,
    /// `major.minor` of the format.
    pub version: &'static str,
    /// The command with its arguments; empty if it is not known.
    pub command: String,
    /// The exit code as a shell reports it: 128 and the signal's number for a signal. `None` if it is not known.
    pub exit_code: Option<i32>,
    /// Duration of the run in microseconds. `None` if it is not known.
    pub duration_us: Option<u64>,
    /// Memory of the host during the run. `None` if it was not observed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_memory: Option<HostMemory>,
    /// The processes that used TT-Metal, in the order in which they began.
    pub processes: Vec<ProcessReport>,
    /// The ranks of a job side by side. `None` unless there are two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ranks: Option<Ranks>,
    /// The processes that used TT-Metal where the agent did not see it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub uncounted: Vec<Uncounted>,
    /// Recordings that the report is made from, if any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recordings: Vec<RecordingReport>,
}

/// The report of one process.
#[derive(Clone, Debug, Serialize)]
pub struct ProcessReport {
    /// Process id in the process's own namespace.
    pub pid: u32,
    /// Short name, if it is known.
    pub name: Option<String>,
    /// Command line, arguments separated by spaces, if the agent recorded it: the first 512 bytes.
    pub command: Option<String>,
    /// The host that it ran on, of a recording or of `ttmem run`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Rank in its job, or worker of pytest-xdist, if the agent found one.
    pub rank: Option<String>,
    /// The number of its job, if the agent found one.
    pub job: Option<String>,
    /// Clock ticks between boot and its start.
    pub start_time: u64,
    /// Time at which it first used TT-Metal.
    pub since: Timestamp,
    /// The version of TT-Metal, if the library contains it.
    pub tt_metal: Option<String>,
    /// The version of its agent.
    pub agent: String,
    /// `running`, `exited`, `left` (by `_exit`), `ended` (it is not known how, with every device closed), `killed` (by a signal,
    /// or it is not known how, with a device open) or `off` (the agent switched itself off).
    pub end: End,
    /// The code that it gave to `_exit`, or that it ended with as a child of `ttmem run`. `None` if it is not known.
    pub exit_code: Option<i32>,
    /// The signal that ended it, if it was a child of `ttmem run`. `None` if it is not known.
    pub signal: Option<i32>,
    /// True if every allocation and free was seen.
    pub complete: bool,
    /// The most bytes at a time, by kind and chip.
    pub peaks: Vec<Peak>,
    /// The memory still held when an allocator was closed, or at the end, by op.
    pub held: Vec<HeldGroup>,
    /// Allocations that TT-Metal refused.
    pub failures: Vec<FailureReport>,
    /// Addresses that two of its allocators handed out at the same time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overlaps: Vec<Overlap>,
    /// The largest buffers, by kind.
    pub largest: Vec<Largest>,
    /// Programs and their use of L1; `None` if the agent recorded none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub programs: Option<Programs>,
    /// The calls of Python that allocated memory; `None` of a process without a segment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stacks: Option<Stacks>,
    /// The losses of the record.
    pub losses: Losses,
    /// Addresses of every buffer over time, if they were requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Timeline>,
}

/// The way in which a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// Still running.
    Running,
    /// Exited normally.
    Exited,
    /// Ended by `_exit`, which runs no exit handler.
    Left,
    /// Ended in an unknown way, with all its devices closed.
    Ended,
    /// Ended by a signal, or in an unknown way with a device open.
    Killed,
    /// Unknown: the agent switched itself off before.
    Off,
}

/// A chip as the process knew it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ReportChip {
    /// The number that TT-Metal gave it in the process.
    pub device: u32,
    /// Unique id of the chip, if TT-Metal reported it.
    pub(crate) unique_id: Option<u64>,
    /// Index on the host, as in every other output of ttmem. `None` if the chip is not known there.
    pub index: Option<u32>,
}

/// The most bytes of one kind at a time, the same on each of some chips.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Peak {
    /// The chips.
    pub chips: Vec<ReportChip>,
    /// The kind.
    pub kind: Kind,
    /// Bytes on each chip, in all banks.
    pub bytes: u64,
    /// Bytes in every bank.
    pub bytes_per_bank: u64,
    /// Banks of a chip.
    pub banks: u64,
    /// Bytes that the allocator could hand out on each chip, if TT-Metal reported them.
    pub allocatable: Option<u64>,
    /// Live buffers then, if that is known.
    pub buffers: Option<u64>,
    /// The op of the allocation that led to the peak.
    pub op: Option<String>,
    /// The calls of Python that led there, the innermost first; empty if they are not known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stack: Vec<StackFrame>,
    /// Microseconds from the first use of TT-Metal to the peak.
    pub after_us: Option<u64>,
    /// True if it may have been less: two allocators had their peaks at different moments.
    pub at_most: bool,
}

/// Buffers of one op that were still held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldGroup {
    /// The chips, each of which had all of them; none where that is forgotten, after more than a hundred were opened.
    pub chips: Vec<ReportChip>,
    /// `closed` if the allocator was closed over them, `end` if the process ended so.
    pub moment: Moment,
    /// `tensor`, `kernels` (the program cache), `trace`, or `unlisted` for those that the agent had no room to list.
    pub origin: &'static str,
    /// The kind.
    pub kind: Kind,
    /// The op that allocated them.
    pub op: Option<String>,
    /// The number of buffers.
    pub buffers: u64,
    /// Bytes on each chip.
    pub bytes: u64,
    /// The lines of the user's code that allocated them, by bytes; empty if they are not known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub callers: Vec<Caller>,
}

/// The moment at which a buffer was still held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Moment {
    /// The device was closed.
    Closed,
    /// The process ended, or the report was made while it ran.
    End,
}

/// An allocation that TT-Metal refused.
#[derive(Clone, Debug, Serialize)]
pub struct FailureReport {
    /// The chips.
    pub chips: Vec<ReportChip>,
    /// The kind.
    pub(crate) kind: Kind,
    /// The current op.
    pub op: Option<String>,
    /// The calls of Python that led there, the innermost first; empty if they are not known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stack: Vec<StackFrame>,
    /// Microseconds from the first use of TT-Metal.
    pub after_us: u64,
    /// The number of equal failures.
    pub count: u64,
    /// Live buffers of the kind then.
    pub live_buffers: u64,
    /// The explanation, with the missing bytes and the remedy.
    pub explanation: Explanation,
}

/// The largest buffers of one kind at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Largest {
    /// The kind.
    pub kind: Kind,
    /// True for the moment of the peak, false for the end.
    pub at_peak: bool,
    /// The number of buffers.
    pub of: u64,
    /// The ten largest, the largest first.
    pub buffers: Vec<LargeBuffer>,
}

/// One of the largest buffers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LargeBuffer {
    /// Address in every bank.
    pub address: u64,
    /// Bytes in every bank.
    pub bytes_per_bank: u64,
    /// Bytes on each chip.
    pub bytes: u64,
    /// Bytes that were asked for.
    pub(crate) requested: u64,
    /// `tensor`, `kernels` or `trace`.
    pub origin: &'static str,
    /// The op that allocated it.
    pub op: Option<String>,
    /// The calls of Python that led there, the innermost first; empty if they are not known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stack: Vec<StackFrame>,
    /// Microseconds from its allocation to that moment, where the allocation is known.
    pub age_us: Option<u64>,
    /// The tensor in it, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tensor: Option<Tensor>,
}

/// The losses of the record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Losses {
    /// Events recorded in all.
    pub events: u64,
    /// Events that newer ones have overwritten. Sums and peaks contain them.
    pub events_overwritten: u64,
    /// Refused allocations that newer ones have overwritten.
    pub failures_overwritten: u64,
    /// Buffers that the table had no room for. Sums and peaks contain them.
    pub buffers_unlisted: u64,
    /// Frees of buffers that were never seen.
    pub unknown_frees: u64,
    /// Calls and allocators that are in no sum.
    pub uncounted: u64,
    /// Defects of the agent.
    pub panics: u64,
}

impl ProcessReport {
    /// Adds how the process ended, as its parent saw it: the exit code, or the signal.
    pub fn set_status(&mut self, exit_code: Option<i32>, signal: Option<i32>) {
        self.exit_code = exit_code.or(self.exit_code);
        self.signal = signal;
        if signal.is_some() && self.end != End::Off {
            self.end = End::Killed;
        }
    }

    /// Gives every chip its index on the host: that of the chip with its unique id.
    #[must_use]
    pub fn with_indexes(mut self, index_of: &dyn Fn(u64) -> Option<u32>) -> Self {
        let peaks = self.peaks.iter_mut().map(|peak| &mut peak.chips);
        let held = self.held.iter_mut().map(|group| &mut group.chips);
        let failures = self.failures.iter_mut().map(|failure| &mut failure.chips);
        let overlaps = self.overlaps.iter_mut().map(|overlap| &mut overlap.chips);
        let programs = self.programs.iter_mut().flat_map(Programs::chips);
        for chip in peaks.chain(held).chain(failures).chain(overlaps).chain(programs).flatten() {
            chip.index = chip.unique_id.and_then(index_of);
        }
        self
    }

    /// Reads a segment. `is_running` is true if its process still runs.
    #[must_use]
    pub fn of(segment: &Segment, is_running: bool) -> Self {
        let header = &segment.header;
        let replay = Replay::new(segment);
        let peaks = peaks::peaks(&replay);
        let version = &header.tt_metal_version;
        let label = &header.identity.label;
        let known = |text: &String| (!text.is_empty()).then(|| text.clone());
        let is_open = segment.allocators.iter().any(|allocator| allocator.closed.is_none());
        Self {
            pid: header.pid,
            name: known(&label.name),
            command: known(&label.command),
            host: None,
            rank: known(&label.rank),
            job: known(&label.job),
            start_time: header.start_ticks,
            since: Timestamp(header.real_time / 1000),
            tt_metal: (!version.is_empty()).then(|| version.clone()),
            agent: header.agent_version.clone(),
            end: match header.state {
                AgentState::Off => End::Off,
                AgentState::Exited => End::Exited,
                AgentState::Left => End::Left,
                AgentState::Recording if is_running => End::Running,
                AgentState::Recording if is_open => End::Killed,
                AgentState::Recording => End::Ended,
            },
            exit_code: header.exit_code,
            signal: None,
            complete: segment.losses.is_complete() && header.state != AgentState::Off,
            held: held::held(&replay),
            failures: failures::failures(&replay),
            overlaps: overlaps::overlaps(&replay),
            largest: held::largest(&replay),
            programs: programs::programs(&replay),
            stacks: Some(stacks::stacks(&replay)),
            losses: losses(segment),
            timeline: None,
            peaks,
        }
    }

    /// Reads a segment, and keeps the address of every buffer.
    #[must_use]
    pub fn with_timeline(self, segment: &Segment) -> Self {
        Self { timeline: Some(Timeline::of(segment)), ..self }
    }

    /// The highest peak of a kind on any chip.
    #[must_use]
    pub fn highest(&self, kind: Kind) -> Option<&Peak> {
        self.peaks.iter().filter(|peak| peak.kind == kind).max_by_key(|peak| peak.bytes)
    }
}

impl RunReport {
    /// A report of processes.
    #[must_use]
    pub fn new(mut processes: Vec<ProcessReport>) -> Self {
        order::sort_by_key(&mut processes, |process| (process.since, process.pid));
        Self {
            schema: SCHEMA,
            version: VERSION,
            command: String::new(),
            exit_code: None,
            duration_us: None,
            host_memory: None,
            ranks: Ranks::of(processes.iter().filter_map(Member::of)),
            processes,
            uncounted: Vec::new(),
            recordings: Vec::new(),
        }
    }
}

fn losses(segment: &Segment) -> Losses {
    let losses = &segment.losses;
    Losses {
        events: segment.events.last().map_or(0, |event| event.sequence),
        events_overwritten: losses.events_overwritten,
        failures_overwritten: losses.failures_overwritten,
        buffers_unlisted: losses.buffers_dropped,
        unknown_frees: losses.unknown_frees,
        uncounted: losses.reentrant_calls.saturating_add(losses.allocators_dropped),
        panics: losses.panics,
    }
}

#[cfg(test)]
mod tests;
