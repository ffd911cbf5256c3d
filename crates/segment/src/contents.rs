//! The contents of a segment as types, for readers.

use std::sync::Arc;

use super::hook::{Accessor, Hook};
use super::identity::Identity;
use super::owner::{Alignments, Chip, Statistics};
use super::programs::Programs;
use super::shape::Shape;
use super::stack::Stack;
use super::vocabulary::{
    AgentState, AllocatorKind, AllocatorRole, BufferLayout, EventKind, NameSource, Origin,
    StackState,
};

/// Everything that one process's agent recorded. Times are monotonic nanoseconds of its host; [`Header::real_time`]
/// converts them.
///
/// With the feature `serde` its state at one moment is stored: without events, failures, traces, refusals and stacks,
/// and with the newest dispatch alone. The segment itself keeps them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Segment {
    /// Owner of the segment, and the state of the agent.
    pub header: Header,
    /// Chips, in the order in which they were seen. Allocators refer to them by index.
    pub chips: Vec<Chip>,
    /// Allocators, destroyed ones too, by serial number. Buffers, events and failures refer to them by index.
    pub allocators: Vec<Allocator>,
    /// Live buffers, by sequence number of their allocation.
    pub buffers: Vec<Buffer>,
    /// The newest events, by sequence number.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub events: Vec<Event>,
    /// The newest failed allocations, by sequence number.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub failures: Vec<Failure>,
    /// Programs: what they place in L1, and when they were dispatched. Empty of an agent before segment version 1.2.
    pub programs: Programs,
    /// Losses: entries that did not fit or were inconsistent.
    pub losses: Losses,
}

impl Segment {
    /// The reason that programs were dispatched whose footprints are not recorded.
    #[must_use]
    pub fn unknown_programs(&self) -> &'static str {
        if !self.header.accessors.contains(Accessor::CircularBuffers) {
            "this release of TT-Metal does not export what programs place in L1; ttnn 0.72 and later do"
        } else if self.programs.losses.footprints_dropped > 0 {
            "a program was dispatched that the segment had no room for; TTMEM_SEGMENT_MB keeps more"
        } else {
            "a program was dispatched that TT-Metal placed without a call that the agent sees"
        }
    }
}

/// Owner of a segment, and the state of its agent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Header {
    /// Major and minor version of the format.
    pub version: (u16, u16),
    /// Process id in the owner's own namespace.
    pub pid: u32,
    /// Start time of the process in clock ticks since boot.
    pub start_ticks: u64,
    /// Nanoseconds since 1970 when the segment was made.
    pub real_time: u64,
    /// Monotonic nanoseconds at the same moment.
    pub monotonic_time: u64,
    /// GNU build id of TT-Metal's library, empty when it has none.
    pub build_id: Vec<u8>,
    /// TT-Metal's version, empty when unknown.
    pub tt_metal_version: String,
    /// The agent's version.
    pub agent_version: String,
    /// The namespace of the process number, the runs that the process is part of, and the process's label.
    pub identity: Identity,
    /// The state of the agent.
    pub state: AgentState,
    /// Hooks for which TT-Metal has a function.
    pub hooks_resolved: HookSet,
    /// Hooks that were called at least once.
    pub hooks_called: HookSet,
    /// State of the recording of stacks, with the reason if they are not recorded.
    pub stacks: StackState,
    /// Functions about programs that TT-Metal's library exports: a missing function is the reason that a value is
    /// missing.
    pub accessors: AccessorSet,
    /// Counts of events that need no entry.
    pub counts: Counts,
    /// Refreshes of the allocators' statistics so far.
    pub(crate) refreshes: u64,
    /// Monotonic nanoseconds of the newest refresh; 0 if there was none.
    pub refresh_time: u64,
    /// Duration of the newest refresh in nanoseconds.
    pub(crate) refresh_duration: u64,
    /// The code that the process gave to `_exit`, in state [`AgentState::Left`].
    #[cfg_attr(feature = "serde", serde(default))]
    pub exit_code: Option<i32>,
}

impl Header {
    /// A monotonic time of this segment as nanoseconds since 1970.
    #[must_use]
    pub fn to_real_time(&self, monotonic: u64) -> u64 {
        self.real_time.saturating_add(monotonic).saturating_sub(self.monotonic_time)
    }

    /// Nanoseconds since 1970 as a monotonic time of this segment.
    #[must_use]
    pub fn to_monotonic(&self, real_time: u64) -> u64 {
        self.monotonic_time.saturating_add(real_time).saturating_sub(self.real_time)
    }
}

/// Counts of events that need no entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Counts {
    /// Workloads handed to a command queue.
    pub workloads_enqueued: u64,
    /// Programs that ops handed over, cache hits included.
    pub programs_tracked: u64,
    /// Placements of a program's circular buffers.
    pub(crate) circular_buffer_placements: u64,
    /// Programs destroyed.
    pub(crate) programs_destroyed: u64,
    /// Loads of kernel binaries.
    pub binary_loads: u64,
    /// Traces written to the device.
    pub traces_written: u64,
}

/// A set of hooks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct HookSet(pub u64);

impl HookSet {
    /// True if the set contains the hook.
    #[must_use]
    pub fn contains(self, hook: Hook) -> bool {
        self.0 & hook.bit() != 0
    }

    /// Returns the hooks in the set.
    pub fn iter(self) -> impl Iterator<Item = Hook> {
        Hook::ALL.into_iter().filter(move |hook| self.contains(*hook))
    }
}

/// A set of functions that TT-Metal's library exports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AccessorSet(pub u64);

impl AccessorSet {
    /// Returns whether the function is in the set.
    #[must_use]
    pub fn contains(self, accessor: Accessor) -> bool {
        self.0 & accessor.bit() != 0
    }
}

/// An allocator. A buffer of it takes its bytes in every bank of every chip.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Allocator {
    /// Index by which buffers, events and failures refer to it.
    pub index: u8,
    /// Serial number, from 1.
    pub serial: u64,
    /// The role.
    pub role: AllocatorRole,
    /// The page alignment.
    pub(crate) alignments: Alignments,
    /// Indexes of its chips; empty when they were not found out.
    pub chips: Vec<usize>,
    /// Time at which the allocator was first seen.
    pub opened: u64,
    /// Time at which the allocator was destroyed; `None` while it lives.
    pub closed: Option<u64>,
    /// First address of L1 that TT-Metal hands out: everything below is reserved.
    pub l1_base: Option<u64>,
    /// Bytes of L1 per core.
    pub l1_size: Option<u64>,
    /// Worker cores per row and rows, in logical coordinates.
    pub grid: Option<(u32, u32)>,
    /// The four kinds, in the order of [`AllocatorKind::ALL`].
    pub kinds: [KindUse; 4],
}

impl Allocator {
    /// Returns the usage of one kind.
    #[must_use]
    pub fn kind(&self, kind: AllocatorKind) -> &KindUse {
        &self.kinds[kind as usize]
    }
}

/// One kind of an allocator. All bytes are bytes per bank: each bank has the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KindUse {
    /// Banks; 0 when the allocator has no such region.
    pub banks: u64,
    /// Bytes of the live buffers, kept by the hooks: true at every moment.
    pub live_bytes: u64,
    /// Number of the live buffers.
    pub live_buffers: u64,
    /// Bytes of kernel binaries among the live bytes.
    pub kernel_bytes: u64,
    /// Bytes of captured traces in plain DRAM among the live bytes.
    pub trace_bytes: u64,
    /// Bytes of the live buffers that the table had no room for.
    pub unlisted_bytes: u64,
    /// Number of those.
    pub unlisted_buffers: u64,
    /// The most live bytes there ever were. What the program resets is a peak of its own.
    pub peak_bytes: u64,
    /// The allocation that led there; `None` if two threads met, or the program reset its peak long ago.
    pub peak: Option<Peak>,
    /// The last statistics of TT-Metal's allocator.
    pub statistics: Option<Statistics>,
    /// TT-Metal's figure less the hooks' at that time: not 0 means that a hook missed something.
    pub residual: Option<i64>,
}

impl KindUse {
    /// Live bytes in all banks of one chip.
    #[must_use]
    pub fn live_total(&self) -> u64 {
        self.live_bytes.saturating_mul(self.banks)
    }

    /// Peak bytes in all banks of one chip.
    #[must_use]
    pub fn peak_total(&self) -> u64 {
        self.peak_bytes.saturating_mul(self.banks)
    }
}

/// The allocation that led to a peak.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Peak {
    /// Live buffers at the peak.
    pub buffers: u64,
    /// Time of the allocation.
    pub time: u64,
    /// Sequence number of the allocation's event.
    pub event: u64,
    /// Thread.
    pub thread: u32,
    /// The op that an allocation or a dispatch belongs to.
    pub op: Option<Op>,
}

/// The op that an allocation or a dispatch belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Op {
    /// Name of the op. Empty if the code has no name.
    pub name: Arc<str>,
    /// Origin of the name.
    pub source: NameSource,
}

/// A live buffer of an allocator.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Buffer {
    /// Index of its allocator in [`Segment::allocators`].
    pub allocator: u8,
    /// Kind.
    pub kind: AllocatorKind,
    /// The origin of the buffer.
    pub origin: Origin,
    /// The layout over banks.
    pub(crate) layout: BufferLayout,
    /// Device address, the same in every bank.
    pub address: u64,
    /// Bytes that it takes in every bank.
    pub bytes_per_bank: u64,
    /// Bytes that were asked for.
    pub requested: u64,
    /// Bytes of a page.
    pub page_bytes: u32,
    /// Bytes of `bytes_per_bank` that fill up the last block.
    pub(crate) block_padding: u8,
    /// Sequence number of the event of its allocation.
    pub sequence: u64,
    /// Time of the allocation.
    pub time: u64,
    /// Thread.
    pub thread: u32,
    /// The op that an allocation or a dispatch belongs to.
    pub op: Option<Op>,
    /// The calls that led to it, if they are known.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub stack: Option<Arc<Stack>>,
    /// The shape of its tensor, if it is known.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub shape: Option<Arc<Shape>>,
}

impl Buffer {
    /// Returns how it fills a bank.
    #[must_use]
    pub fn footprint(&self) -> Footprint {
        Footprint {
            kind: self.kind,
            layout: self.layout,
            bytes_per_bank: self.bytes_per_bank,
            block_padding: self.block_padding,
            requested: self.requested,
            page_bytes: self.page_bytes,
        }
    }
}

/// The size of a buffer in the banks of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// Kind.
    pub kind: AllocatorKind,
    /// The layout over banks.
    pub layout: BufferLayout,
    /// Bytes that it takes in every bank.
    pub bytes_per_bank: u64,
    /// Bytes of `bytes_per_bank` that fill up the last block.
    pub(crate) block_padding: u8,
    /// Bytes that were asked for.
    pub requested: u64,
    /// Bytes of a page.
    pub page_bytes: u32,
}

impl Footprint {
    /// Bytes of its pages in the fullest bank, as TT-Metal's list of buffers has them: without what aligns each page
    /// and fills up the block. Where the allocator does not tell how it aligns pages, the bytes per bank.
    #[must_use]
    pub fn size_per_bank(&self, allocator: &Allocator) -> u64 {
        self.pages_per_bank(allocator)
            .map_or(self.bytes_per_bank, |pages| pages.saturating_mul(u64::from(self.page_bytes)))
    }

    /// Pages in the fullest bank.
    fn pages_per_bank(&self, allocator: &Allocator) -> Option<u64> {
        let page = u64::from(self.page_bytes);
        if self.layout == BufferLayout::Interleaved {
            let pages = self.requested.checked_div(page)?;
            let banks = allocator.kind(self.kind).banks;
            return (banks > 0).then(|| pages.div_ceil(banks));
        }
        let aligned = page.checked_next_multiple_of(allocator.alignments.of(self.kind)?)?;
        let bytes = self.bytes_per_bank.checked_sub(u64::from(self.block_padding))?;
        bytes.checked_div(aligned)
    }
}

/// An event of an allocator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Sequence number, from 1.
    pub sequence: u64,
    /// The kind of event.
    pub kind: EventKind,
    /// Time of the event.
    pub time: u64,
    /// Thread.
    pub thread: u32,
    /// Index of the allocator, where it is about one.
    pub allocator: Option<u8>,
    /// The origin of the buffer.
    pub origin: Origin,
    /// Device address of the buffer; of devices and allocators the object's address in its process.
    pub address: u64,
    /// The size of the buffer in the banks of its kind.
    pub footprint: Footprint,
    /// Live bytes per bank of the allocator and kind after the event.
    pub live_after: u64,
    /// The op that an allocation or a dispatch belongs to.
    pub op: Option<Op>,
    /// The calls that led to the allocation that it is about, if they are known.
    pub stack: Option<Arc<Stack>>,
    /// The shape of the tensor that it is about, if it is known.
    pub shape: Option<Arc<Shape>>,
}

/// An allocation that TT-Metal refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Sequence number, from 1.
    pub(crate) sequence: u64,
    /// Time of the failure.
    pub time: u64,
    /// Thread.
    pub(crate) thread: u32,
    /// Index of the allocator.
    pub allocator: u8,
    /// Kind.
    pub kind: AllocatorKind,
    /// TT-Metal's purpose.
    pub(crate) origin: Origin,
    /// Bytes of all pages, each aligned.
    pub requested: u64,
    /// Bytes that each bank needed to store.
    pub bytes_per_bank: u64,
    /// Bytes of a page.
    pub(crate) page_bytes: u32,
    /// Banks that it was to be spread over; for a sharded buffer at most the number of its shards.
    pub banks: u64,
    /// The statistics of TT-Metal's allocator at that moment.
    pub statistics: Statistics,
    /// Bytes per bank of the live buffers at that moment.
    pub live_bytes: u64,
    /// Number of those.
    pub live_buffers: u64,
    /// Sequence number of the newest event at that moment: undo the later ones to find what lived.
    pub event: u64,
    /// The op that an allocation or a dispatch belongs to.
    pub op: Option<Op>,
    /// The calls that led to it, if they are known.
    pub stack: Option<Arc<Stack>>,
}

impl Failure {
    /// True if it would have fitted, were the free bytes one block.
    #[must_use]
    pub fn is_fragmentation(&self) -> bool {
        self.bytes_per_bank <= self.statistics.free
    }
}

/// Losses: entries that did not fit or were inconsistent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Losses {
    /// Buffers for which the table had no room. The sums contain them.
    pub buffers_dropped: u64,
    /// Frees of buffers allocated before the agent started.
    pub unknown_frees: u64,
    /// Names for which there was no room.
    pub(crate) names_dropped: u64,
    /// Allocations for whose stack there was no room.
    pub stacks_dropped: u64,
    /// Allocators for which there was no room: their buffers are in no sum.
    pub allocators_dropped: u64,
    /// Chips for which there was no room.
    pub(crate) chips_dropped: u64,
    /// Calls from a signal handler that were not recorded.
    pub reentrant_calls: u64,
    /// Defects of the agent.
    pub panics: u64,
    /// Events that the ring has overwritten.
    pub events_overwritten: u64,
    /// Failures that the ring has overwritten.
    pub failures_overwritten: u64,
    /// Entries that were being written when the file was read, or that were tampered with.
    pub torn: u64,
}

impl Losses {
    /// True if every buffer, event and failure is accounted for. Entries that the rings overwrote are
    /// not counted.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.buffers_dropped
            + self.unknown_frees
            + self.allocators_dropped
            + self.reentrant_calls
            + self.panics
            == 0
    }
}
