//! Programs as the words that writer and reader exchange: footprints, their parts, dispatches, traces, refusals.

use super::entry::{Tags, checksum, high, low, pair};
use super::layout::{
    DISPATCH_WORDS, FOOTPRINT_WORDS, FootprintWord, PART_WORDS, REFUSAL_WORDS, TRACE_WORDS,
    TraceWord,
};
use super::owner::halves;
use super::vocabulary::{CoreType, DispatchKind, PartKind, RefusalKind};

/// Index of a footprint where none is meant.
pub const NO_FOOTPRINT: u32 = u32::MAX;

/// Cores of a rectangle in logical coordinates, both corners included. `CoreRange` of TT-Metal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CoreRange {
    /// Column and row of the first core.
    pub start: (u16, u16),
    /// Column and row of the last core.
    pub end: (u16, u16),
}

impl CoreRange {
    /// Returns whether a core is in the rectangle.
    #[must_use]
    pub fn contains(self, (x, y): (u16, u16)) -> bool {
        (self.start.0..=self.end.0).contains(&x) && (self.start.1..=self.end.1).contains(&y)
    }

    /// Returns whether two rectangles share a core.
    #[must_use]
    pub fn intersects(self, other: Self) -> bool {
        self.start.0 <= other.end.0
            && other.start.0 <= self.end.0
            && self.start.1 <= other.end.1
            && other.start.1 <= self.end.1
    }

    /// Number of cores; 0 if the corners are in the wrong order.
    #[must_use]
    pub fn len(self) -> u32 {
        let side = |first: u16, last: u16| {
            u32::from(last).checked_sub(u32::from(first)).map_or(0, |difference| difference + 1)
        };
        side(self.start.0, self.end.0).saturating_mul(side(self.start.1, self.end.1))
    }

    /// Returns whether it has no core.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Returns the cores, row by row.
    pub fn cores(self) -> impl Iterator<Item = (u16, u16)> {
        (self.start.1..=self.end.1)
            .flat_map(move |y| (self.start.0..=self.end.0).map(move |x| (x, y)))
    }

    /// One word: the corners, 16 bits a coordinate.
    #[must_use]
    pub(crate) fn to_word(self) -> u64 {
        let corner = |(x, y): (u16, u16)| u32::from(x) | u32::from(y) << 16;
        pair(corner(self.start), corner(self.end))
    }

    /// Decodes the range from one word.
    #[must_use]
    pub(crate) fn from_word(word: u64) -> Self {
        let corner = |half: u32| ((half & 0xffff) as u16, (half >> 16) as u16);
        Self { start: corner(low(word)), end: corner(high(word)) }
    }
}

/// The content that a program places in L1 of its cores, the part that never changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FootprintEntry {
    /// Hash of the program, its chips and its placements; never 0. Equal footprints of one program are one entry.
    pub key: u64,
    /// TT-Metal's number of the program, `Program::get_id`; 0 where it does not say.
    pub program: u64,
    /// Set of chips by index.
    pub chips: u128,
    /// Monotonic nanoseconds when it was recorded.
    pub time: u64,
    /// First of its parts.
    pub first_part: u32,
    /// Number of its parts.
    pub parts: u32,
    /// Index of the op's name; 0 for none.
    pub name: u16,
    /// Thread that dispatched it first.
    pub thread: u32,
    /// Bytes in the kernel configuration ring of a worker core, where TT-Metal publishes them.
    pub config_bytes: Option<u32>,
    /// Bytes of semaphores per core, where TT-Metal publishes them.
    pub semaphore_bytes: Option<u32>,
    /// Address of the program in its process.
    pub pointer: u64,
}

/// Words of a footprint's entry that never change, checksum included.
pub const FOOTPRINT_FIXED_WORDS: usize = FootprintWord::Dispatches as usize;

impl FootprintEntry {
    /// Returns the entry as words of the file. The words that change follow them.
    #[must_use]
    pub fn to_words(&self) -> [u64; FOOTPRINT_FIXED_WORDS] {
        let [chips_low, chips_high] = halves(self.chips);
        let known =
            u32::from(self.config_bytes.is_some()) | u32::from(self.semaphore_bytes.is_some()) << 1;
        let mut words = [0; FOOTPRINT_FIXED_WORDS];
        words[..10].copy_from_slice(&[
            self.key,
            self.program,
            chips_low,
            chips_high,
            self.time,
            pair(self.first_part, self.parts),
            pair(u32::from(self.name), self.thread),
            pair(self.config_bytes.unwrap_or(0), self.semaphore_bytes.unwrap_or(0)),
            u64::from(known),
            self.pointer,
        ]);
        words[15] = u64::from(checksum(&words[..15]));
        words
    }

    /// Decodes the entry from its words; `None` if the checksum does not match.
    #[must_use]
    pub fn from_words(words: [u64; FOOTPRINT_FIXED_WORDS]) -> Option<Self> {
        let known = |bit: u32, value: u32| (words[8] >> bit & 1 == 1).then_some(value);
        (u64::from(checksum(&words[..15])) == words[15]).then(|| Self {
            key: words[0],
            program: words[1],
            chips: u128::from(words[2]) | u128::from(words[3]) << 64,
            time: words[4],
            first_part: low(words[5]),
            parts: high(words[5]),
            name: (words[6] & 0xffff) as u16,
            thread: high(words[6]),
            config_bytes: known(0, low(words[7])),
            semaphore_bytes: known(1, high(words[7])),
            pointer: words[9],
        })
    }
}

const _: () = assert!((FootprintWord::Destroyed as usize) < FOOTPRINT_WORDS, "it is in the entry");

/// One thing on one rectangle of a program's cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartEntry {
    /// The kind.
    pub kind: PartKind,
    /// True if it is the memory of a tensor or a global circular buffer.
    pub is_backed: bool,
    /// True if `bytes` is known.
    pub has_bytes: bool,
    /// Processor class of a kernel: TT-Metal's number of the core type.
    pub core_type: u8,
    /// Index of a kernel's name; 0 for none.
    pub name: u16,
    /// Address in L1; of a kernel 0.
    pub address: u32,
    /// Bytes; of a kernel its text in all its processors.
    pub bytes: u32,
    /// Cores.
    pub cores: CoreRange,
    /// Index of its footprint.
    pub footprint: u32,
}

impl PartEntry {
    /// Returns the entry as words of the file.
    #[must_use]
    pub fn to_words(&self) -> [u64; PART_WORDS] {
        let flags = u32::from(self.is_backed) | u32::from(self.has_bytes) << 1;
        let head = self.kind as u32 | flags << 8 | u32::from(self.core_type) << 16;
        let mut words = [
            pair(head, u32::from(self.name)),
            pair(self.address, self.bytes),
            self.cores.to_word(),
            u64::from(self.footprint),
        ];
        words[3] = pair(self.footprint, checksum(&words));
        words
    }

    /// Decodes the entry from its words; `None` if the checksum does not match, or if a later version added its
    /// kind.
    #[must_use]
    pub fn from_words(mut words: [u64; PART_WORDS]) -> Option<Self> {
        let expected = high(words[3]);
        words[3] = u64::from(low(words[3]));
        if checksum(&words) != expected {
            return None;
        }
        let [kind, flags, core_type, _] = low(words[0]).to_le_bytes();
        Some(Self {
            kind: PartKind::from_number(kind)?,
            is_backed: flags & 1 == 1,
            has_bytes: flags & 2 == 2,
            core_type,
            name: (words[0] >> 32 & 0xffff) as u16,
            address: low(words[1]),
            bytes: high(words[1]),
            cores: CoreRange::from_word(words[2]),
            footprint: low(words[3]),
        })
    }
}

/// A program that was handed to a command queue, or a replay of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DispatchEntry {
    /// Sequence number, from 1. A replay of a trace takes one more for each of its footprints, which have no entry.
    pub sequence: u64,
    /// The dispatched program or trace.
    pub kind: DispatchKind,
    /// Monotonic time in nanoseconds, to a few milliseconds.
    pub time: u64,
    /// Index of the footprint, [`NO_FOOTPRINT`] if it is not recorded; of a replay the serial number of the trace.
    pub footprint: u32,
    /// Thread.
    pub thread: u32,
    /// Sequence number of the newest event: what lived then can be found from there.
    pub event: u64,
    /// Index of the name of the current op or label; 0 for none.
    pub name: u16,
    /// Command queue, 255 if it is not known.
    pub queue: u8,
    /// L1 bytes per bank that were allocated.
    pub l1_bytes: u32,
    /// Lowest address of an L1 buffer; 0 if there was none or it is not known.
    pub lowest_l1: u32,
}

impl DispatchEntry {
    /// Returns the entry as words of the file.
    #[must_use]
    #[inline]
    pub fn to_words(&self) -> [u64; DISPATCH_WORDS] {
        let mut words = [
            self.sequence << 8 | self.kind as u64,
            self.time,
            pair(self.footprint, self.thread),
            self.event,
            u64::from(self.name) | u64::from(self.queue) << 16,
            pair(self.l1_bytes, self.lowest_l1),
            0,
            0,
        ];
        words[7] = u64::from(checksum(&words[..7]));
        words
    }

    /// Decodes the entry from its words; `None` if the checksum does not match, or if a later version added its
    /// kind.
    #[must_use]
    pub fn from_words(words: [u64; DISPATCH_WORDS]) -> Option<Self> {
        if u64::from(checksum(&words[..7])) != words[7] {
            return None;
        }
        let [name_low, name_high, queue, ..] = words[4].to_le_bytes();
        Some(Self {
            sequence: words[0] >> 8,
            kind: DispatchKind::from_number((words[0] & 0xff) as u8)?,
            time: words[1],
            footprint: low(words[2]),
            thread: high(words[2]),
            event: words[3],
            name: u16::from_le_bytes([name_low, name_high]),
            queue,
            l1_bytes: low(words[5]),
            lowest_l1: high(words[5]),
        })
    }
}

/// A trace, the part that never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceEntry {
    /// Serial number, from 1.
    pub serial: u64,
    /// TT-Metal's number of the trace.
    pub id: u32,
    /// Command queue, 255 if it is not known.
    pub queue: u8,
    /// Set of chips by index.
    pub chips: u128,
    /// Monotonic nanoseconds when the capture began.
    pub begun: u64,
}

/// Words of a trace's entry that never change, checksum included.
pub const TRACE_FIXED_WORDS: usize = TraceWord::Ended as usize;

impl TraceEntry {
    /// Returns the entry as words of the file. The words that change follow them.
    #[must_use]
    pub fn to_words(&self) -> [u64; TRACE_FIXED_WORDS] {
        let [chips_low, chips_high] = halves(self.chips);
        let id = pair(self.id, u32::from(self.queue));
        let mut words = [self.serial, id, chips_low, chips_high, self.begun, 0];
        words[5] = u64::from(checksum(&words[..5]));
        words
    }

    /// Decodes the entry from its words; `None` if the checksum does not match.
    #[must_use]
    pub(crate) fn from_words(words: [u64; TRACE_FIXED_WORDS]) -> Option<Self> {
        (u64::from(checksum(&words[..5])) == words[5]).then(|| Self {
            serial: words[0],
            id: low(words[1]),
            queue: (words[1] >> 32 & 0xff) as u8,
            chips: u128::from(words[2]) | u128::from(words[3]) << 64,
            begun: words[4],
        })
    }
}

const _: () = assert!((TraceWord::Dispatches as usize) < TRACE_WORDS, "it is in the entry");

/// One element of a trace's list: a footprint and how often the trace runs it.
#[must_use]
pub fn trace_part(footprint: u32, dispatches: u32) -> u64 {
    pair(footprint, dispatches)
}

/// Footprint and number of dispatches of an element of a trace's list.
#[must_use]
pub fn from_trace_part(word: u64) -> (u32, u32) {
    (low(word), high(word))
}

/// A program that TT-Metal refused to run, or a trace that it refused to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusalEntry {
    /// Sequence number, from 1.
    pub sequence: u64,
    /// Monotonic time in nanoseconds, to a few milliseconds.
    pub time: u64,
    /// The reason.
    pub kind: RefusalKind,
    /// The part of the program that ends too high.
    pub part: PartKind,
    /// Index of the name of the current op; 0 for none.
    pub name: u16,
    /// Thread.
    pub thread: u32,
    /// Index of the footprint that it would have had, [`NO_FOOTPRINT`] if that is not recorded.
    pub footprint: u32,
    /// TT-Metal's number of the program; 0 where it does not say.
    pub program: u64,
    /// Cores on which the program did not fit.
    pub cores: CoreRange,
    /// End address of the program's placements on these cores; for a trace, or a program too large for the ring, the
    /// bytes needed. 0 if not known.
    pub end: u64,
    /// Highest end that would have fitted: the lowest L1 buffer, the end of L1, or the bytes set aside.
    pub limit: u64,
    /// The buffer at the limit; all 0 if there is none: address, bytes per bank, bytes requested, sequence number of
    /// its allocation, time of its allocation.
    pub buffer: [u64; 5],
    /// The rest of that buffer.
    pub tags: Option<Tags>,
    /// Sequence number of the newest event at that moment.
    pub event: u64,
    /// Set of chips by index.
    pub chips: u128,
    /// Index of the stack of the refused program, and of the allocation of that buffer; 0 where it is not known.
    pub stacks: [u16; 2],
    /// The cores whose ring a program is too large for.
    pub ring: Option<CoreType>,
}

impl RefusalEntry {
    /// Returns the entry as words of the file.
    #[must_use]
    pub fn to_words(&self) -> [u64; REFUSAL_WORDS] {
        let [chips_low, chips_high] = halves(self.chips);
        let tags = self.tags.map_or(0, |tags| u64::from(tags.to_bits()) | 1 << 32);
        let mut words = [0; REFUSAL_WORDS];
        words[..11].copy_from_slice(&[
            self.sequence,
            self.time,
            self.kind as u64 | (self.part as u64) << 8 | u64::from(self.name) << 16,
            pair(self.footprint, self.thread),
            self.program,
            self.cores.to_word(),
            self.end,
            self.limit,
            self.event,
            chips_low,
            chips_high,
        ]);
        words[11..16].copy_from_slice(&self.buffer);
        words[16] = tags;
        words[17] = u64::from(self.stacks[0]) | u64::from(self.stacks[1]) << 16;
        words[18] = self.ring.map_or(0, |ring| ring as u64 + 1);
        words[23] = u64::from(checksum(&words[..23]));
        words
    }

    /// Decodes the entry from its words; `None` if the checksum does not match, or if a later version added its
    /// kind.
    #[must_use]
    pub(crate) fn from_words(words: [u64; REFUSAL_WORDS]) -> Option<Self> {
        if u64::from(checksum(&words[..23])) != words[23] {
            return None;
        }
        let [kind, part, name_low, name_high, ..] = words[2].to_le_bytes();
        let [own, own_high, other, other_high, ..] = words[17].to_le_bytes();
        let has_buffer = words[16] >> 32 & 1 == 1;
        Some(Self {
            sequence: words[0],
            time: words[1],
            kind: RefusalKind::from_number(kind)?,
            part: PartKind::from_number(part)?,
            name: u16::from_le_bytes([name_low, name_high]),
            footprint: low(words[3]),
            thread: high(words[3]),
            program: words[4],
            cores: CoreRange::from_word(words[5]),
            end: words[6],
            limit: words[7],
            event: words[8],
            chips: u128::from(words[9]) | u128::from(words[10]) << 64,
            buffer: [words[11], words[12], words[13], words[14], words[15]],
            tags: has_buffer.then(|| Tags::from_bits(low(words[16]))),
            stacks: [[own, own_high], [other, other_high]].map(u16::from_le_bytes),
            ring: words[18].checked_sub(1).and_then(CoreType::from_number),
        })
    }
}
