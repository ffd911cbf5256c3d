//! Chips and allocators, with their identity and statistics, as types and as words.

use super::entry::{checksum, high, low, pair};
use super::layout::CHIP_WORDS;
use super::vocabulary::{AllocatorKind, AllocatorRole};

/// A set of 128 bits as two words.
#[must_use]
pub fn halves(set: u128) -> [u64; 2] {
    [set, set >> 64].map(|half| u64::try_from(half & u128::from(u64::MAX)).unwrap_or(0))
}

/// The statistics of TT-Metal's own allocator for one kind, in bytes per bank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Statistics {
    /// Bytes that can be handed out.
    pub total: u64,
    /// Bytes that are handed out.
    pub allocated: u64,
    /// Bytes that are not handed out.
    pub free: u64,
    /// The largest free block.
    pub largest_free: u64,
    /// Monotonic time in nanoseconds at which TT-Metal returned them.
    pub time: u64,
}

impl Statistics {
    /// Words, checksum included.
    pub const WORDS: usize = 8;

    /// Encodes the statistics as words, with the bytes per bank that the agent counted at the same moment.
    #[must_use]
    pub fn to_words(&self, live_bytes: u64) -> [u64; Self::WORDS] {
        let mut words =
            [self.total, self.allocated, self.free, self.largest_free, self.time, live_bytes, 0, 0];
        words[7] = u64::from(checksum(&words[..7]));
        words
    }

    /// Decodes the statistics from their words, with the bytes per bank that the agent counted; `None` if the checksum
    /// does not match.
    #[must_use]
    pub fn from_words(words: [u64; Self::WORDS]) -> Option<(Self, u64)> {
        (u64::from(checksum(&words[..7])) == words[7]).then(|| {
            let [total, allocated, free, largest_free, time, live_bytes, ..] = words;
            (Self { total, allocated, free, largest_free, time }, live_bytes)
        })
    }
}

/// The allocation that led to a peak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeakOrigin {
    /// The peak that it led to, in bytes per bank.
    pub bytes_per_bank: u64,
    /// Live buffers at the peak.
    pub buffers: u64,
    /// Monotonic time in nanoseconds, to a few milliseconds.
    pub time: u64,
    /// Sequence number of its event.
    pub event: u64,
    /// Thread.
    pub thread: u32,
    /// Index of the name of the current op.
    pub name: u16,
}

impl PeakOrigin {
    /// Words, checksum included.
    pub const WORDS: usize = 8;

    /// Returns the entry as words of the file.
    #[must_use]
    #[inline]
    pub fn to_words(&self) -> [u64; Self::WORDS] {
        let mut words = [
            self.bytes_per_bank,
            self.buffers,
            self.time,
            self.event,
            pair(u32::from(self.name), self.thread),
            0,
            0,
            0,
        ];
        words[7] = u64::from(checksum(&words[..7]));
        words
    }

    /// Decodes the entry from its words; `None` if the checksum does not match.
    #[must_use]
    pub fn from_words(words: [u64; Self::WORDS]) -> Option<Self> {
        (u64::from(checksum(&words[..7])) == words[7]).then(|| Self {
            bytes_per_bank: words[0],
            buffers: words[1],
            time: words[2],
            event: words[3],
            thread: high(words[4]),
            name: (words[4] & 0xffff) as u16,
        })
    }
}

/// A chip, by TT-Metal's number and its unique id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Chip {
    /// The number that TT-Metal gives it in this process.
    pub device: u32,
    /// Unique id of the chip; `None` if TT-Metal did not report it.
    pub unique_id: Option<u64>,
}

impl Chip {
    /// Returns the entry as words of the file.
    #[must_use]
    pub fn to_words(&self) -> [u64; CHIP_WORDS] {
        let mut words = [
            pair(1, self.device),
            self.unique_id.unwrap_or(0),
            u64::from(self.unique_id.is_some()),
            0,
        ];
        words[3] = u64::from(checksum(&words[..3]));
        words
    }

    /// Decodes the entry from its words; `None` if the checksum does not match.
    #[must_use]
    pub fn from_words(words: [u64; CHIP_WORDS]) -> Option<Self> {
        (u64::from(checksum(&words[..3])) == words[3] && low(words[0]) == 1).then(|| Self {
            device: high(words[0]),
            unique_id: (words[2] & 1 == 1).then_some(words[1]),
        })
    }
}

/// TT-Metal's alignment of the pages of a buffer, in bytes; 0 if it is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Alignments {
    /// Alignment in DRAM. Every block is a multiple of it too, also in L1.
    pub dram: u16,
    /// Alignment in L1.
    pub l1: u16,
}

impl Alignments {
    /// Returns the alignment for the pages of a kind, if it is known.
    #[must_use]
    pub fn of(self, kind: AllocatorKind) -> Option<u64> {
        let bytes = match kind {
            AllocatorKind::Dram | AllocatorKind::Trace => self.dram,
            AllocatorKind::L1 | AllocatorKind::L1Small => self.l1,
        };
        (bytes > 0).then_some(u64::from(bytes))
    }
}

/// The first words of an allocator's entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocatorHead {
    /// Serial number, from 1.
    pub serial: u64,
    /// Address of the allocator in its process.
    pub pointer: u64,
    /// The role.
    pub role: AllocatorRole,
    /// The page alignment.
    pub alignments: Alignments,
    /// Set of chips by index.
    pub chips: u128,
    /// Monotonic time in nanoseconds when it was first seen.
    pub opened: u64,
    /// Time at which the allocator was destroyed; 0 while it lives.
    pub closed: u64,
}

impl AllocatorHead {
    /// Words, checksum included.
    pub const WORDS: usize = 8;

    /// Returns the entry as words of the file.
    #[must_use]
    pub fn to_words(&self) -> [u64; Self::WORDS] {
        let [chips_low, chips_high] = halves(self.chips);
        let mut words = [
            self.serial,
            self.pointer,
            self.role as u64
                | u64::from(self.alignments.dram) << 16
                | u64::from(self.alignments.l1) << 32,
            chips_low,
            chips_high,
            self.opened,
            self.closed,
            0,
        ];
        words[7] = u64::from(checksum(&words[..7]));
        words
    }

    /// Decodes the entry from its words; `None` if the checksum does not match.
    #[must_use]
    pub fn from_words(words: [u64; Self::WORDS]) -> Option<Self> {
        (u64::from(checksum(&words[..7])) == words[7]).then(|| Self {
            serial: words[0],
            pointer: words[1],
            role: AllocatorRole::from_number((words[2] & 0xff) as u8),
            alignments: Alignments {
                dram: (words[2] >> 16 & 0xffff) as u16,
                l1: (words[2] >> 32 & 0xffff) as u16,
            },
            chips: u128::from(words[3]) | u128::from(words[4]) << 64,
            opened: words[5],
            closed: words[6],
        })
    }
}
