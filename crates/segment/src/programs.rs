//! Programs as a reader gets them.

use std::sync::Arc;

use crate::order;

use super::contents::{Buffer, Op};
use super::program::CoreRange;
use super::stack::Stack;
use super::vocabulary::{CoreType, DispatchKind, PartKind, RefusalKind};

/// The content that a program places in L1 of its cores. A program that runs with tensors at other addresses has
/// another one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ProgramFootprint {
    /// Index by which dispatches, traces and refusals refer to it.
    pub index: u32,
    /// TT-Metal's number of the program; 0 where it does not say.
    pub program: u64,
    /// The op that dispatched it first.
    pub op: Option<Op>,
    /// Indexes of the chips that it runs on; empty when they were not found out.
    pub chips: Vec<usize>,
    /// Time at which the footprint was recorded.
    pub(crate) recorded: u64,
    /// Time at which the program was destroyed. What it placed stays in L1 until another program runs on those cores.
    pub destroyed: Option<u64>,
    /// Circular buffers, dataflow buffers and scratchpads.
    pub placements: Vec<Placement>,
    /// Kernels.
    pub kernels: Vec<Kernel>,
    /// Bytes that the program takes in the kernel configuration ring of a worker core. `None` if TT-Metal's library
    /// does not export [`super::Accessor::ConfigSize`].
    pub config_bytes: Option<u32>,
    /// Bytes of semaphores per core. `None` if TT-Metal's library does not export [`super::Accessor::SemaphoreSize`].
    pub semaphore_bytes: Option<u32>,
    /// Dispatches so far, replays of traces included.
    pub dispatches: u64,
    /// Sequence number of the newest dispatch; 0 if it was never dispatched.
    pub last_dispatch: u64,
    /// Time of the newest dispatch.
    pub last_time: u64,
    /// Lowest address of an L1 buffer during a dispatch; `None` if no L1 buffer was live then.
    pub lowest_l1: Option<u64>,
    /// Sequence number of the newest event at that dispatch: what lived then can be found from there.
    pub(crate) lowest_l1_event: u64,
    /// The most L1 bytes per bank that were allocated during a dispatch.
    pub l1_bytes: u64,
    /// Entries that were being written when the file was read: some of it is missing.
    pub is_torn: bool,
}

/// TT-Metal's number of worker cores among the programmable core types (`HalProgrammableCoreType::TENSIX`, 0.66 to 0.81.1).
const WORKER_CORES: u8 = 0;

impl ProgramFootprint {
    /// The rectangles of worker cores that it runs on or places something on. They may overlap.
    pub fn core_ranges(&self) -> impl Iterator<Item = CoreRange> {
        let placements = self.placements.iter().map(|placement| placement.cores);
        placements.chain(self.worker_kernels().map(|kernel| kernel.cores))
    }

    /// The kernels on worker cores. An Ethernet core may have the coordinates of a worker core.
    fn worker_kernels(&self) -> impl Iterator<Item = &Kernel> {
        self.kernels.iter().filter(|kernel| kernel.core_type == WORKER_CORES)
    }

    /// Returns whether it runs on a worker core or places something there.
    #[must_use]
    pub fn is_on(&self, core: (u16, u16)) -> bool {
        self.core_ranges().any(|range| range.contains(core))
    }

    /// The placements on a core, by address.
    #[must_use]
    pub fn placements_on(&self, core: (u16, u16)) -> Vec<&Placement> {
        let is_there = |placement: &&Placement| placement.cores.contains(core);
        let mut placements: Vec<_> = self.placements.iter().filter(is_there).collect();
        placements.sort_by_key(|placement| (placement.address, placement.bytes));
        placements
    }

    /// The circular buffers and dataflow buffers on a core, by address: the placements without scratchpads. They are what
    /// L1 itself lists.
    pub fn circular_buffers_on(&self, core: (u16, u16)) -> impl Iterator<Item = &Placement> {
        let placements = self.placements_on(core).into_iter();
        placements.filter(|placement| placement.kind != PartKind::Scratchpad)
    }

    /// Text of all kernels on a worker core. `None` if TT-Metal does not say how long one of them is.
    #[must_use]
    pub fn kernel_text_on(&self, core: (u16, u16)) -> Option<u64> {
        let kernels = self.worker_kernels().filter(|kernel| kernel.cores.contains(core));
        kernels.map(|kernel| kernel.text_bytes).sum()
    }

    /// Returns the highest end on a core of the placements that are not backed by a tensor, as TT-Metal compares it
    /// with L1 buffers.
    #[must_use]
    pub fn end_on(&self, core: (u16, u16)) -> Option<u64> {
        let own = self.placements.iter().filter(|it| !it.is_backed && it.cores.contains(core));
        own.map(Placement::end).max()
    }
}

/// Something that a program places in L1 of a rectangle of cores.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Placement {
    /// The kind.
    pub kind: PartKind,
    /// Address in L1.
    pub address: u64,
    /// Bytes.
    pub bytes: u64,
    /// True if it is the memory of a tensor or a global circular buffer.
    pub is_backed: bool,
    /// Cores.
    pub cores: CoreRange,
}

impl Placement {
    /// Address of the first byte after it.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.address.saturating_add(self.bytes)
    }
}

/// A kernel on a rectangle of cores.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Kernel {
    /// Name of the kernel. `None` if TT-Metal's library does not export [`super::Accessor::KernelName`].
    pub name: Option<Arc<str>>,
    /// TT-Metal's number of the programmable core type: 0 worker cores, 1 active Ethernet, 2 idle Ethernet.
    pub core_type: u8,
    /// Bytes of text in all its processors, with the initial values of variables. `None` if TT-Metal's library does not export
    /// [`super::Accessor::KernelText`].
    pub text_bytes: Option<u64>,
    /// Cores.
    pub cores: CoreRange,
}

/// A program that was handed to a command queue, or a replay of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Dispatch {
    /// Sequence number, from 1. A replay of a trace takes one more for each of its footprints, which have no entry
    /// here.
    pub sequence: u64,
    /// The dispatched program or trace.
    pub kind: DispatchKind,
    /// Time of the dispatch.
    pub time: u64,
    /// Thread.
    pub thread: u32,
    /// Index of the footprint in [`Programs::footprints`]; `None` of a replay, or if it is not recorded.
    pub footprint: Option<u32>,
    /// Serial number of the trace, of a replay.
    pub trace: Option<u32>,
    /// Command queue, where it is known.
    pub queue: Option<u8>,
    /// The current op or label.
    pub op: Option<Op>,
    /// Sequence number of the newest event: what lived then can be found from there.
    pub event: u64,
    /// L1 bytes per bank that were allocated.
    pub l1_bytes: u64,
    /// Lowest address of an L1 buffer; `None` if there was none or it is not known.
    pub lowest_l1: Option<u64>,
}

/// A captured trace of a mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Serial number, from 1.
    pub serial: u64,
    /// TT-Metal's number of the trace.
    pub id: u32,
    /// Command queue, where it is known.
    pub queue: Option<u8>,
    /// Indexes of the chips that it runs on.
    pub chips: Vec<usize>,
    /// Time at which the capture began.
    pub(crate) begun: u64,
    /// Time at which the capture ended; `None` while it continues.
    pub ended: Option<u64>,
    /// Time at which the trace was released; `None` while it lives.
    pub released: Option<u64>,
    /// Bytes of its buffer in each DRAM bank; 0 if none was seen.
    pub bytes_per_bank: u64,
    /// Bytes of its buffer as requested; 0 if none was seen.
    pub bytes: u64,
    /// The footprints that it runs, and how often each, in the order of their last dispatch.
    pub footprints: Vec<(u32, u32)>,
    /// Dispatches captured.
    pub dispatches: u64,
    /// Replays so far.
    pub replays: u64,
    /// Sequence number of the newest replay; 0 if there was none.
    pub last_replay: u64,
}

/// A program that TT-Metal refused to run, or a trace that it refused to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Sequence number, from 1.
    pub(crate) sequence: u64,
    /// Time of the refusal.
    pub time: u64,
    /// Thread.
    pub(crate) thread: u32,
    /// The reason.
    pub kind: RefusalKind,
    /// The part of the program that ends too high.
    pub part: PartKind,
    /// The current op.
    pub op: Option<Op>,
    /// Index in [`Programs::footprints`] of the footprint that it would have had; `None` if that is not recorded.
    pub footprint: Option<u32>,
    /// TT-Metal's number of the program; 0 where it does not say.
    pub program: u64,
    /// Cores on which it did not fit.
    pub cores: CoreRange,
    /// Indexes of the chips.
    pub chips: Vec<usize>,
    /// End address of the program's placements on these cores; for a trace, or a program too large for the ring, the
    /// bytes needed. `None` if not known.
    pub end: Option<u64>,
    /// Highest end that would have fitted: the lowest L1 buffer, the end of L1, or the bytes set aside. `None` if not
    /// known.
    pub limit: Option<u64>,
    /// The buffer at the limit. It may be freed by now.
    pub buffer: Option<Buffer>,
    /// Sequence number of the newest event at that moment.
    pub event: u64,
    /// The calls that led to it, if they are known.
    pub stack: Option<Arc<Stack>>,
    /// The cores whose ring it is too large for.
    pub(crate) ring: Option<CoreType>,
}

impl Refusal {
    /// Returns the type of the cores that it did not fit on; `None` if it is not known, and for a trace. TT-Metal places
    /// circular buffers on worker cores alone.
    #[must_use]
    pub fn core_type(&self) -> Option<CoreType> {
        match self.kind {
            RefusalKind::Clash | RefusalKind::BeyondL1 => Some(CoreType::Worker),
            RefusalKind::ConfigTooLarge => self.ring,
            RefusalKind::TraceTooLarge | RefusalKind::Other => None,
        }
    }
}

/// Everything that a segment contains about programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Programs {
    /// Footprints, by index. An index without an entry was torn.
    pub footprints: Vec<ProgramFootprint>,
    /// The newest dispatches, by sequence number.
    #[cfg_attr(feature = "serde", serde(serialize_with = "newest"))]
    pub dispatches: Vec<Dispatch>,
    /// Dispatches ever: the sequence number of the newest.
    pub dispatched: u64,
    /// The newest traces, by serial number.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub traces: Vec<Trace>,
    /// The newest refusals, by sequence number.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub refusals: Vec<Refusal>,
    /// Bytes per bank and number of the buffers allocated in DRAM while a captured trace was live.
    pub dram_during_traces: (u64, u64),
    /// Bytes per bank and number of the buffers allocated in L1 while a captured trace was live.
    pub l1_during_traces: (u64, u64),
    /// The most bytes that TT-Metal counted for all live traces of a mesh at a time: a `trace_region_size` of this many
    /// bytes would have sufficed.
    pub trace_bytes_peak: u64,
    /// `trace_region_size` of the newest device that was opened.
    pub trace_region_size: u64,
    /// Newest dispatch of each chip when the last mesh over it was closed. Programs dispatched up to that one are not
    /// resident any more.
    pub cleared: Vec<u64>,
    /// Entries that did not fit.
    pub losses: ProgramLosses,
}

/// Stores the newest dispatch alone.
#[cfg(feature = "serde")]
fn newest<S: serde::Serializer>(dispatches: &[Dispatch], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(dispatches.last())
}

/// Entries that did not fit in the tables of programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ProgramLosses {
    /// Footprints that did not fit.
    pub footprints_dropped: u64,
    /// Captured dispatches that did not fit.
    pub(crate) trace_parts_dropped: u64,
    /// Dispatches of programs whose footprint is not recorded.
    pub unknown_dispatches: u64,
    /// Sequence number of the newest of those.
    pub last_unknown_dispatch: u64,
    /// Dispatches that the ring has overwritten.
    pub(crate) dispatches_overwritten: u64,
    /// Refusals that the ring has overwritten.
    pub(crate) refusals_overwritten: u64,
}

/// The content of L1 of a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resident<'segment> {
    /// No program was dispatched there since the device was opened.
    Nothing,
    /// The placements of this program.
    Footprint(&'segment ProgramFootprint),
    /// Programs were dispatched whose footprints are not recorded.
    Unknown,
}

impl Programs {
    /// The footprint with an index.
    #[must_use]
    pub fn footprint(&self, index: u32) -> Option<&ProgramFootprint> {
        let found = self.footprints.binary_search_by_key(&index, |footprint| footprint.index);
        found.ok().and_then(|position| self.footprints.get(position))
    }

    /// The content of L1 of a core of a chip: the placements of the program that was dispatched there last.
    #[must_use]
    pub fn resident(&self, chip: usize, core: (u16, u16)) -> Resident<'_> {
        let cleared = self.cleared.get(chip).copied().unwrap_or(0);
        let newest = self
            .footprints
            .iter()
            .filter(|footprint| footprint.last_dispatch > cleared)
            .filter(|footprint| footprint.chips.is_empty() || footprint.chips.contains(&chip))
            .filter(|footprint| footprint.is_on(core))
            .max_by_key(|footprint| footprint.last_dispatch);
        let unknown = self.losses.last_unknown_dispatch;
        match newest {
            _ if unknown > cleared.max(newest.map_or(0, |newest| newest.last_dispatch)) => {
                Resident::Unknown
            }
            Some(newest) if newest.chips.is_empty() || newest.is_torn => Resident::Unknown,
            Some(newest) => Resident::Footprint(newest),
            None => Resident::Nothing,
        }
    }

    /// Footprints of which something may still be in L1 of a chip, the newest dispatch first.
    #[must_use]
    pub fn newest_first(&self, chip: usize) -> Vec<&ProgramFootprint> {
        let cleared = self.cleared.get(chip).copied().unwrap_or(0);
        let mut footprints: Vec<_> = self
            .footprints
            .iter()
            .filter(|footprint| {
                footprint.last_dispatch > cleared && footprint.chips.contains(&chip)
            })
            .collect();
        order::sort_by_number(&mut footprints, |footprint| u64::MAX - footprint.last_dispatch);
        footprints
    }
}
