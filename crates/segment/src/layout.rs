//! Layout of a segment: sections, entry sizes, words. Writer and reader share these numbers.
//!
//! A segment is an array of little-endian 64-bit words. The first page is the header: a part that never changes after
//! the magic was written, and a part of single counters. The sections follow in the order of [`Section`], each a table
//! of entries of one size. The header names every section's offset, entry size and number of entries, so that a later
//! minor version may add sections or lengthen entries: 1.2 did.

use super::vocabulary::AllocatorKind;

/// The first eight bytes of a segment, written last.
pub(crate) const MAGIC: [u8; 8] = *b"TTMEMSEG";
/// Readers refuse a later major version, and read every earlier one.
pub(crate) const MAJOR: u16 = 3;
/// Readers accept every minor version of their major version.
///
/// - 1.0: the first.
/// - 1.1: alignments of an allocator's pages; what fills up the blocks of buffers.
/// - 1.2: programs: footprints, dispatches, traces, refused programs; where an allocator's L1 begins and ends;
///   the identity of the process.
/// - 2.0: call stacks: the upper 16 bits of a sequence number in [`Section::Buffers`] and [`Section::Events`] are the index
///   of a stack.
/// - 2.1: what the process is called; [`Counter::ExitCode`].
/// - 3.0: shapes: the upper 16 bits of an address in [`Section::Buffers`] and [`Section::Events`] are the index of a shape.
pub(crate) const MINOR: u16 = 0;

/// Bytes of a word.
pub const WORD_BYTES: usize = 8;
/// Bytes of the header.
pub const HEADER_BYTES: usize = 4096;
/// Bytes of a segment unless the user asks for another size.
pub const DEFAULT_SEGMENT_BYTES: usize = 9 << 20;
/// Smallest size of a segment.
pub const MIN_SEGMENT_BYTES: usize = 1 << 20;
/// Largest size of a segment; readers take no more than this into memory.
pub const MAX_SEGMENT_BYTES: usize = 1 << 30;

/// Entries of [`Section::Chips`]. An allocator names its chips by a set of 128 bits.
pub const CHIPS: usize = 128;
/// Entries of [`Section::Allocators`]. Buffers and events name theirs by a byte, and 255 means none.
pub const ALLOCATORS: usize = 128;
/// Entries of [`Section::Names`]. Entry 0 stays empty: it means that no name is known.
pub const NAMES: usize = 2048;
/// Entries of [`Section::Failures`].
pub const FAILURES: usize = 512;

/// Entries of [`Section::Traces`].
pub const TRACES: usize = 64;
/// Entries of [`Section::Refusals`].
pub const REFUSALS: usize = 64;

/// Entries of [`Section::Footprints`] in the smallest segment.
const MIN_FOOTPRINTS: usize = 32;
/// Entries of [`Section::Stacks`] in the smallest segment.
const MIN_STACKS: usize = 32;

/// The most entries of [`Section::Functions`]: a frame names its function with 14 bits.
pub(crate) const MAX_FUNCTIONS: usize = 1 << 14;
/// Frames of a stack that are kept, from the innermost.
pub const STACK_FRAMES: usize = 32;

/// Words of an entry of [`Section::Chips`].
pub(crate) const CHIP_WORDS: usize = 4;
/// Words of an entry of [`Section::Allocators`].
pub(crate) const ALLOCATOR_WORDS: usize = 128;
/// Words of an entry of [`Section::Names`].
pub(crate) const NAME_WORDS: usize = 24;
/// Words of an entry of [`Section::Buffers`]: one cache line.
pub(crate) const BUFFER_WORDS: usize = 8;
/// Words of an entry of [`Section::Events`]: one cache line.
pub(crate) const EVENT_WORDS: usize = 8;
/// Words of an entry of [`Section::Failures`].
pub(crate) const FAILURE_WORDS: usize = 16;
/// Words of an entry of [`Section::Footprints`].
pub(crate) const FOOTPRINT_WORDS: usize = 24;
/// Words of an entry of [`Section::Parts`].
pub(crate) const PART_WORDS: usize = 4;
/// Words of an entry of [`Section::Dispatches`]: one cache line.
pub(crate) const DISPATCH_WORDS: usize = 8;
/// Words of an entry of [`Section::Traces`].
pub(crate) const TRACE_WORDS: usize = 16;
/// Words of an entry of [`Section::TraceParts`].
pub(crate) const TRACE_PART_WORDS: usize = 1;
/// Words of an entry of [`Section::Refusals`].
pub(crate) const REFUSAL_WORDS: usize = 24;
/// Words of an entry of [`Section::Functions`].
pub(crate) const FUNCTION_WORDS: usize = 32;
/// Words of an entry of [`Section::Stacks`].
pub(crate) const STACK_WORDS: usize = 24;
/// Words of an entry of [`Section::Shapes`]: one cache line.
pub(crate) const SHAPE_WORDS: usize = 8;

/// Largest distance of a buffer's entry from the slot that its key hashes to.
pub const BUFFER_PROBES: usize = 128;

/// Words of the header that never change once the magic is there.
pub(crate) mod fixed {
    /// [`super::MAGIC`].
    pub(crate) const MAGIC: usize = 0;
    /// Major version (16 bits), minor version (16 bits), header bytes (32 bits).
    pub(crate) const VERSION: usize = 1;
    /// Bytes of the file.
    pub(crate) const SEGMENT_BYTES: usize = 2;
    /// Process id in the owner's own namespace.
    pub(crate) const PID: usize = 3;
    /// Start time of the process in clock ticks since boot, field 22 of `/proc/<pid>/stat`.
    pub(crate) const START_TICKS: usize = 4;
    /// Nanoseconds since 1970 when the segment was made.
    pub(crate) const REAL_TIME: usize = 5;
    /// Nanoseconds of the monotonic clock at the same moment. All other times are of this clock.
    pub(crate) const MONOTONIC_TIME: usize = 6;
    /// Bytes of the build id.
    pub(crate) const BUILD_ID_BYTES: usize = 7;
    /// GNU build id of TT-Metal's library, four words.
    pub(crate) const BUILD_ID: usize = 8;
    /// TT-Metal's version as text, four words, filled up with zeros. Empty when unknown.
    pub(crate) const TT_METAL_VERSION: usize = 12;
    /// The agent's version as text, two words.
    pub(crate) const AGENT_VERSION: usize = 16;
    /// Two words for each section up to [`super::Section::Events`]: offset in bytes; entry bytes (32 bits) and entries
    /// (32 bits).
    pub(crate) const SECTIONS: usize = 18;
    /// Checksum of the words before, except the magic.
    pub(crate) const CHECKSUM: usize = 30;
    /// Two words for each section from [`super::Section::Footprints`], as in [`SECTIONS`] (since 1.2).
    pub(crate) const PROGRAM_SECTIONS: usize = 32;
    /// Checksum of the words of [`PROGRAM_SECTIONS`] (since 1.2).
    pub(crate) const PROGRAM_CHECKSUM: usize = 44;
    /// Two words for each section from [`super::Section::Functions`], as in [`SECTIONS`] (since 2.0).
    pub(crate) const STACK_SECTIONS: usize = 45;
    /// Checksum of the words of [`STACK_SECTIONS`] (since 2.0).
    pub(crate) const STACK_CHECKSUM: usize = 49;
    /// Two words for [`super::Section::Shapes`], as in [`SECTIONS`] (since 3.0).
    pub(crate) const SHAPE_SECTION: usize = 50;
    /// Checksum of the words of [`SHAPE_SECTION`] (since 3.0).
    pub(crate) const SHAPE_CHECKSUM: usize = 52;
    /// Words of the part of the header that never changes.
    pub(crate) const WORDS: usize = 53;
}

/// Words of the header that change, by their index. Each stands for itself; those that writers contend for have a cache
/// line of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// [`super::AgentState`] as a number.
    State = 64,
    /// Bit set of the hooks that TT-Metal's library has a function for, by [`super::Hook`].
    HooksResolved = 65,
    /// Bit set of the hooks that were called at least once.
    HooksCalled = 66,
    /// Bit set of the functions that TT-Metal's library exports, by [`super::Accessor`] (since 1.2).
    AccessorsResolved = 67,
    /// Events ever written: the sequence number of the newest.
    Events = 72,
    /// Failures ever written.
    Failures = 80,
    /// Buffers for which the table had no room. The sums contain them.
    BuffersDropped = 88,
    /// Frees of buffers that were never seen: allocated before the agent started.
    UnknownFrees = 89,
    /// Names for which there was no room.
    NamesDropped = 90,
    /// Allocators for which there was no room. Their buffers are in no sum.
    AllocatorsDropped = 91,
    /// Chips for which there was no room.
    ChipsDropped = 92,
    /// Calls that came while the agent was running on the same thread, from a signal handler, and were not recorded.
    ReentrantCalls = 93,
    /// Defects of the agent. After the first it is off.
    Panics = 94,
    /// Workloads handed to a command queue.
    WorkloadsEnqueued = 96,
    /// Programs that ops handed over, cache hits included.
    ProgramsTracked = 97,
    /// Placements of a program's circular buffers.
    CircularBufferPlacements = 98,
    /// Programs destroyed.
    ProgramsDestroyed = 99,
    /// Loads of kernel binaries.
    BinaryLoads = 100,
    /// Traces written to the device.
    TracesWritten = 101,
    /// Refreshes of the allocators' statistics.
    Refreshes = 104,
    /// Time of the newest refresh.
    RefreshTime = 105,
    /// Nanoseconds that the newest refresh took.
    RefreshDuration = 106,
    /// Entries of [`Section::Dispatches`] ever written: the sequence number of the newest dispatch.
    Dispatches = 112,
    /// Programs ever refused: the sequence number of the newest refusal.
    Refusals = 120,
    /// Entries of [`Section::Footprints`] in use.
    Footprints = 121,
    /// Entries of [`Section::Parts`] in use.
    Parts = 122,
    /// Entries of [`Section::Traces`] ever written: the serial number of the newest trace.
    Traces = 123,
    /// Entries of [`Section::TraceParts`] in use.
    TraceParts = 124,
    /// Footprints that did not fit in their table or whose parts did not.
    FootprintsDropped = 125,
    /// Dispatches captured in a trace whose list had no room for them.
    TracePartsDropped = 126,
    /// Dispatches of programs whose footprint is not recorded.
    UnknownDispatches = 127,
    /// Sequence number of the newest dispatch of a program whose footprint is not recorded.
    LastUnknownDispatch = 128,
    /// Buffers allocated in DRAM while a captured trace was live, as in [`KindWord::Live`].
    DramDuringTraces = 129,
    /// Buffers allocated in L1 while a captured trace was live, as in [`KindWord::Live`].
    L1DuringTraces = 130,
    /// The most bytes that TT-Metal counted for all live traces of a mesh at a time.
    TraceBytesPeak = 131,
    /// `trace_region_size` of the newest device that was opened.
    TraceRegionSize = 132,
    /// [`super::StackState`] as a number (since 2.0).
    StackState = 133,
    /// Allocations for whose stack or one of its functions there was no room (since 2.0).
    StacksDropped = 134,
    /// Code that the process passed to `_exit`, in state [`super::AgentState::Left`] (since 2.1).
    ExitCode = 135,
    /// Tensors for whose shape there was no room (since 3.0).
    ShapesDropped = 136,
}

/// One word per chip: sequence number of the newest dispatch when the last mesh over the chip was closed. Programs
/// dispatched up to that one are not resident any more.
pub const CHIPS_CLEARED: usize = 384;

/// The process's identity in the header, since 1.2. Never changes once the magic is there.
pub mod identity {
    /// First word in the header. The constants below count from here.
    pub const FIRST: usize = 256;
    /// Inode of the pid namespace; 0 if it is not known.
    pub(crate) const PID_NAMESPACE: usize = 0;
    /// Tokens of the runs that the process is part of, as text with commas, filled up with zeros.
    pub(crate) const RUNS: usize = 1;
    /// Words of the tokens.
    pub(crate) const RUNS_WORDS: usize = 16;
    /// Checksum of the words before.
    pub(crate) const CHECKSUM: usize = RUNS + RUNS_WORDS;
    /// Words of the identity.
    pub(crate) const WORDS: usize = CHECKSUM + 1;
}

/// Name, command, rank and job of the process in the header, since 2.1. They never change once the magic number is there.
/// Texts are filled up with zeros.
pub(crate) mod label {
    /// First word in the header. The constants below count from here.
    pub(crate) const FIRST: usize = 280;
    /// Short name of the process, two words.
    pub(crate) const NAME: usize = 0;
    /// Command line, 64 words.
    pub(crate) const COMMAND: usize = 2;
    /// Rank, four words.
    pub(crate) const RANK: usize = 66;
    /// Job, four words.
    pub(crate) const JOB: usize = 70;
    /// Checksum of the words before.
    pub(crate) const CHECKSUM: usize = 74;
    /// Words of the label.
    pub(crate) const WORDS: usize = CHECKSUM + 1;
}

const _: () = assert!(identity::FIRST + identity::WORDS <= label::FIRST);
const _: () = assert!(label::FIRST + label::WORDS <= CHIPS_CLEARED);

/// Words of an entry of [`Section::Allocators`], by their index. Words 0 to 7 are those of `AllocatorHead`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllocatorWord {
    /// Serial number, from 1. Zero: the entry is not used.
    Serial = 0,
    /// First address of L1 that TT-Metal hands out; everything below is reserved. 0 if not known (since 1.2).
    L1Base = 8,
    /// Bytes of L1 per core. 0 if not known (since 1.2).
    L1Size = 9,
    /// Worker cores per row (32 bits) and rows (32 bits) in logical coordinates. 0 if not known (since 1.2).
    Grid = 10,
}

/// First word of the blocks, one for each kind, in an entry of [`Section::Allocators`].
const KINDS: usize = 16;
/// Words of a block.
const KIND_WORDS: usize = 24;

/// First word of the block of a kind in an entry of [`Section::Allocators`].
#[must_use]
#[inline]
pub const fn kind_block(kind: AllocatorKind) -> usize {
    KINDS + kind as usize * KIND_WORDS
}

/// Words of the block of one kind in an allocator's entry, by their distance from its first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KindWord {
    /// Bytes per bank (low 40 bits) and number (high 24 bits) of the live buffers. One word, so that they agree.
    Live = 0,
    /// The largest bytes per bank, ever or since the last reset by the program.
    Peak = 1,
    /// Banks.
    Banks = 2,
    /// Bytes per bank of kernel binaries among the live bytes.
    Kernels = 3,
    /// Bytes per bank of traces in plain DRAM among the live bytes.
    Traces = 4,
    /// Bytes per bank and number, as [`KindWord::Live`], of the buffers that are in no table entry.
    Unlisted = 5,
    /// Bytes per bank and number, as [`KindWord::Live`], of the highest peak that the program reset.
    EarlierPeak = 6,
    /// Sequence number of the event that led to it; 0 if that is not known.
    EarlierEvent = 7,
    /// The allocation that led to the peak: see [`super::owner::PeakOrigin`]. Seven words and a checksum.
    PeakOrigin = 8,
    /// TT-Metal's statistics: see [`super::Statistics`]. Seven words and a checksum.
    Statistics = 16,
}

/// Words of an entry of [`Section::Footprints`] that change, by their index. Each stands for itself; the words before are
/// covered by a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FootprintWord {
    /// Dispatches so far, replays of traces included.
    Dispatches = 16,
    /// Sequence number of the newest dispatch.
    LastDispatch = 17,
    /// Monotonic nanoseconds of the newest dispatch.
    LastTime = 18,
    /// Lowest address of an L1 buffer during a dispatch (low 32 bits), and the most L1 bytes per bank that were
    /// allocated during one (high 32 bits). The address is 0 if no L1 buffer was live.
    L1 = 19,
    /// Sequence number of the newest event at the dispatch that set the lowest address.
    LowestEvent = 20,
    /// Monotonic nanoseconds when the program was destroyed; 0 while it lives.
    Destroyed = 21,
}

/// Words of an entry of [`Section::Traces`] that change, by their index. Each stands for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceWord {
    /// Monotonic nanoseconds when the capture ended; 0 while it continues.
    Ended = 6,
    /// Monotonic nanoseconds when the trace was released; 0 while it lives.
    Released = 7,
    /// Bytes per DRAM bank of its buffer.
    BytesPerBank = 8,
    /// Bytes of its buffer as requested.
    Bytes = 9,
    /// First entry of [`Section::TraceParts`] (32 bits) and number of entries (32 bits).
    Parts = 10,
    /// Replays so far.
    Replays = 11,
    /// Sequence number of the newest replay.
    LastReplay = 12,
    /// Dispatches captured.
    Dispatches = 13,
}

/// Bits of [`KindWord::Live`] that hold bytes.
pub(crate) const LIVE_BYTES_BITS: u32 = 40;
/// Mask of the bytes in [`KindWord::Live`].
pub(crate) const LIVE_BYTES_MASK: u64 = (1 << LIVE_BYTES_BITS) - 1;

/// Tables of a segment.
pub const SECTIONS: usize = 15;

/// The tables of a segment, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// Chips seen.
    Chips,
    /// Allocators seen, dead ones too.
    Allocators,
    /// Names of ops.
    Names,
    /// Failed allocations, a ring.
    Failures,
    /// Live buffers, a hash table with linear probing.
    Buffers,
    /// Events, a ring.
    Events,
    /// Footprints of programs (since 1.2).
    Footprints,
    /// Parts of footprints, each footprint's parts in one run (since 1.2).
    Parts,
    /// Dispatches of programs and replays of traces, a ring (since 1.2).
    Dispatches,
    /// Traces, a ring (since 1.2).
    Traces,
    /// The footprints that a trace runs, in the order of their last dispatch (since 1.2).
    TraceParts,
    /// Programs that TT-Metal refused, a ring (since 1.2).
    Refusals,
    /// Functions of stacks, a hash table (since 2.0). Entry 0 stays empty.
    Functions,
    /// Stacks of allocations, a hash table (since 2.0). Entry 0 stays empty: it means that the stack is not known.
    Stacks,
    /// Shapes of tensors, a hash table (since 3.0). Entry 0 stays empty: it means that the shape is not known.
    Shapes,
}

impl Section {
    /// All of them, in the order of the header.
    pub const ALL: [Self; SECTIONS] = [
        Self::Chips,
        Self::Allocators,
        Self::Names,
        Self::Failures,
        Self::Buffers,
        Self::Events,
        Self::Footprints,
        Self::Parts,
        Self::Dispatches,
        Self::Traces,
        Self::TraceParts,
        Self::Refusals,
        Self::Functions,
        Self::Stacks,
        Self::Shapes,
    ];

    /// First of the two words of the header with the position of the section.
    #[must_use]
    pub(crate) const fn header_word(self) -> usize {
        if self.is_of_shapes() {
            fixed::SHAPE_SECTION
        } else if self.is_of_stacks() {
            fixed::STACK_SECTIONS + 2 * (self as usize - Self::Functions as usize)
        } else if self.is_of_programs() {
            fixed::PROGRAM_SECTIONS + 2 * (self as usize - Self::Footprints as usize)
        } else {
            fixed::SECTIONS + 2 * self as usize
        }
    }

    /// True if the section is new in 1.2.
    #[must_use]
    pub(crate) const fn is_of_programs(self) -> bool {
        self as usize >= Self::Footprints as usize && (self as usize) < Self::Functions as usize
    }

    /// True if the section is new in 2.0.
    #[must_use]
    pub(crate) const fn is_of_stacks(self) -> bool {
        self as usize >= Self::Functions as usize && !self.is_of_shapes()
    }

    /// True if the section is new in 3.0.
    #[must_use]
    pub(crate) const fn is_of_shapes(self) -> bool {
        self as usize >= Self::Shapes as usize
    }

    /// Words of an entry.
    #[must_use]
    #[inline]
    pub const fn entry_words(self) -> usize {
        match self {
            Self::Chips => CHIP_WORDS,
            Self::Allocators => ALLOCATOR_WORDS,
            Self::Names => NAME_WORDS,
            Self::Failures => FAILURE_WORDS,
            Self::Buffers => BUFFER_WORDS,
            Self::Events => EVENT_WORDS,
            Self::Footprints => FOOTPRINT_WORDS,
            Self::Parts => PART_WORDS,
            Self::Dispatches => DISPATCH_WORDS,
            Self::Traces => TRACE_WORDS,
            Self::TraceParts => TRACE_PART_WORDS,
            Self::Refusals => REFUSAL_WORDS,
            Self::Functions => FUNCTION_WORDS,
            Self::Stacks => STACK_WORDS,
            Self::Shapes => SHAPE_WORDS,
        }
    }
}

mod plan;

pub use plan::Plan;
pub(crate) use plan::Table;
