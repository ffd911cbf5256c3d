//! Buffers, events and failures as types, and as the words that writer and reader exchange.
//!
//! Each entry ends in a checksum over its other words. A reader that copies the file while it is being written may get
//! half of an entry's old words and half of the new: the checksum tells, without a lock.

use super::layout::{BUFFER_WORDS, EVENT_WORDS, FAILURE_WORDS, LIVE_BYTES_BITS, LIVE_BYTES_MASK};
use super::owner::Statistics;
use super::vocabulary::{AllocatorKind, BufferLayout, EventKind, Origin};

/// Factors of [`checksum`], odd, one for each word. Any will do; these are the fractions of the golden ratio's powers.
const FACTORS: [u64; 32] = factors();

const fn factors() -> [u64; 32] {
    let mut factors = [0; 32];
    let mut state: u64 = 0;
    let mut index = 0;
    while index < factors.len() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        factors[index] = (mixed ^ (mixed >> 31)) | 1;
        index += 1;
    }
    factors
}

/// A sum of products, folded to 32 bits. The products do not wait for each other, which makes it cheap in a hook; and
/// an allocation's event has most of its words in common with its buffer, at the same places, so that they are computed
/// once. Never zero for words that are all zero. Takes at most 32 words.
#[must_use]
#[inline]
pub(crate) fn checksum(words: &[u64]) -> u32 {
    fold(sum(words))
}

/// The sum of products of a [`checksum`].
#[inline]
fn sum(words: &[u64]) -> u64 {
    words.iter().zip(FACTORS).fold(0x7474_6d65_6d31_0001_u64, |sum, (word, factor)| {
        sum.wrapping_add(word.wrapping_mul(factor))
    })
}

/// The 32 bits of a sum.
#[inline]
fn fold(sum: u64) -> u32 {
    low(sum ^ (sum >> 32))
}

/// Checks the checksum of words, and returns it for the words with another one at an index. `None` if it is of other words.
#[must_use]
#[inline]
pub(super) fn changed_checksum(
    words: &[u64],
    expected: u32,
    index: usize,
    new: u64,
) -> Option<u32> {
    let sum = sum(words);
    let change = new.wrapping_sub(words[index]).wrapping_mul(FACTORS[index]);
    (fold(sum) == expected).then(|| fold(sum.wrapping_add(change)))
}

/// The low 32 bits.
#[must_use]
#[inline]
pub fn low(word: u64) -> u32 {
    (word & 0xffff_ffff) as u32
}

/// The high 32 bits.
#[must_use]
#[inline]
pub fn high(word: u64) -> u32 {
    (word >> 32) as u32
}

/// Two halves as one word.
#[must_use]
#[inline]
pub fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

/// The properties and allocator of a buffer in 32 bits: allocator (8), kind (2), origin (3), layout (3), name (16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tags {
    /// Index of the allocator's entry; 255 for none.
    pub allocator: u8,
    /// The region of the allocator that it is in.
    pub kind: AllocatorKind,
    /// The origin of the buffer.
    pub origin: Origin,
    /// The layout over banks.
    pub layout: BufferLayout,
    /// Index of the name of the current op; 0 for none.
    pub name: u16,
}

impl Tags {
    /// [`Tags::allocator`] where no allocator is meant.
    pub const NO_ALLOCATOR: u8 = 255;

    #[inline]
    pub(super) fn to_bits(self) -> u32 {
        u32::from(self.allocator)
            | (self.kind as u32) << 8
            | (self.origin as u32) << 10
            | (self.layout as u32) << 13
            | u32::from(self.name) << 16
    }

    #[inline]
    pub(super) fn from_bits(bits: u32) -> Self {
        let [allocator, packed, name_low, name_high] = bits.to_le_bytes();
        Self {
            allocator,
            kind: AllocatorKind::from_bits(packed & 3),
            origin: Origin::from_bits((packed >> 2) & 7),
            layout: BufferLayout::from_bits(packed >> 5),
            name: u16::from_le_bytes([name_low, name_high]),
        }
    }
}

/// The entry of a live buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferEntry {
    /// The buffer object's address in its process, the key of the table.
    pub key: u64,
    /// Device address, the same in every bank.
    pub address: u64,
    /// Bytes that it takes in every bank.
    pub bytes_per_bank: u64,
    /// Bytes that were asked for.
    pub requested: u64,
    /// Sequence number of the event of its allocation, below 2^40.
    pub sequence: u64,
    /// Index of the stack of its allocation; 0 if it is not known.
    pub stack: u16,
    /// Index of the shape of its tensor; 0 if it is not known.
    pub shape: u16,
    /// Monotonic time of its allocation in nanoseconds, to a few milliseconds.
    pub time: u64,
    /// Bytes of a page.
    pub page_bytes: u32,
    /// Bytes of `bytes_per_bank` that fill up the last block.
    pub block_padding: u8,
    /// Thread that allocated it.
    pub thread: u32,
    /// Allocator, kind, origin, layout and op.
    pub tags: Tags,
}

impl BufferEntry {
    /// Smaller keys are no buffers: the slot was never used (0) or its buffer is freed (1).
    pub const FIRST_KEY: u64 = 2;

    /// Returns the entry as words of the file.
    #[must_use]
    #[inline]
    pub fn to_words(&self) -> [u64; BUFFER_WORDS] {
        with_checksum([
            self.key,
            shaped(self.address, self.shape),
            self.bytes_per_bank,
            self.requested,
            numbered(self.sequence, self.stack),
            self.time,
            pair(self.page_bytes, padded_thread(self.block_padding, self.thread)),
            u64::from(self.tags.to_bits()),
        ])
    }

    /// Decodes the entry from its words; `None` if the checksum does not match.
    #[must_use]
    pub fn from_words(mut words: [u64; BUFFER_WORDS]) -> Option<Self> {
        let expected = high(words[7]);
        words[7] = u64::from(low(words[7]));
        (checksum(&words) == expected).then(|| Self {
            key: words[0],
            address: words[1] & ADDRESS_MASK,
            shape: shape_index(words[1]),
            bytes_per_bank: words[2],
            requested: words[3],
            sequence: words[4] & SEQUENCE_MASK,
            stack: stack_index(words[4]),
            time: words[5],
            page_bytes: low(words[6]),
            block_padding: block_padding(high(words[6])),
            thread: high(words[6]) & THREAD_MASK,
            tags: Tags::from_bits(low(words[7])),
        })
    }
}

/// The words of a [`BufferEntry`] as its writer has written them: not checked, and not taken apart where a free does
/// not need it.
#[derive(Clone, Copy, Debug)]
pub struct OwnBuffer(pub [u64; BUFFER_WORDS]);

impl OwnBuffer {
    /// Returns the device address.
    #[must_use]
    #[inline]
    pub fn address(&self) -> u64 {
        self.0[1] & ADDRESS_MASK
    }

    /// Bytes that it takes in every bank.
    #[must_use]
    #[inline]
    pub fn bytes_per_bank(&self) -> u64 {
        self.0[2]
    }

    /// Returns the properties and the allocator.
    #[must_use]
    #[inline]
    pub fn tags(&self) -> Tags {
        Tags::from_bits(low(self.0[7]))
    }

    /// Returns the words of the [`EventEntry`] of its free, by another thread and op perhaps. The stack is that of the
    /// allocation.
    #[must_use]
    #[inline]
    pub fn freed(&self, free: &Free) -> [u64; EVENT_WORDS] {
        let [_, address, bytes_per_bank, requested, numbered, _, page, tags] = self.0;
        with_checksum([
            numbered & STACK_MASK | (free.sequence & SEQUENCE_MASK) << 8 | EventKind::Free as u64,
            address,
            bytes_per_bank,
            requested,
            free.live_after,
            free.time,
            pair(low(page), padded_thread(block_padding(high(page)), free.thread)),
            tags & 0xffff | u64::from(free.name) << 16,
        ])
    }
}

/// Bits that hold a sequence number: a year of 30,000 events a second. Above them, and above the kind of an event, is the
/// index of a stack.
const SEQUENCE_BITS: u32 = 40;
pub(super) const SEQUENCE_MASK: u64 = (1 << SEQUENCE_BITS) - 1;
const STACK_SHIFT: u32 = 48;
const STACK_MASK: u64 = (u16::MAX as u64) << STACK_SHIFT;

#[inline]
fn numbered(sequence: u64, stack: u16) -> u64 {
    u64::from(stack) << STACK_SHIFT | sequence & SEQUENCE_MASK
}

#[inline]
fn stack_index(word: u64) -> u16 {
    (word >> STACK_SHIFT) as u16
}

/// Bits that hold an address, of a device or in the process. Above them is the index of a shape.
const ADDRESS_BITS: u32 = 48;
const ADDRESS_MASK: u64 = (1 << ADDRESS_BITS) - 1;

#[inline]
pub(super) fn shaped(address: u64, shape: u16) -> u64 {
    u64::from(shape) << ADDRESS_BITS | address & ADDRESS_MASK
}

#[inline]
fn shape_index(word: u64) -> u16 {
    (word >> ADDRESS_BITS) as u16
}

/// The fields of a free event that the buffer does not have.
#[derive(Clone, Copy, Debug)]
pub struct Free {
    /// Number of the event, from 1.
    pub sequence: u64,
    /// Monotonic time in nanoseconds.
    pub time: u64,
    /// Bytes per bank of all live buffers of the allocator and kind, after it.
    pub live_after: u64,
    /// Thread that frees.
    pub thread: u32,
    /// Index of the name of the op that frees; 0 for none.
    pub name: u16,
}

/// Bits that hold a thread's number, of which Linux has four million. Above them is a buffer's block padding.
const THREAD_BITS: u32 = 24;
const THREAD_MASK: u32 = (1 << THREAD_BITS) - 1;

#[inline]
fn padded_thread(block_padding: u8, thread: u32) -> u32 {
    u32::from(block_padding) << THREAD_BITS | thread & THREAD_MASK
}

#[inline]
fn block_padding(padded_thread: u32) -> u8 {
    (padded_thread >> THREAD_BITS) as u8
}

/// Words of which the last one has room for the checksum of all in its upper half.
#[inline]
pub(super) fn with_checksum(mut words: [u64; EVENT_WORDS]) -> [u64; EVENT_WORDS] {
    words[7] = pair(low(words[7]), checksum(&words));
    words
}

/// The entry of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventEntry {
    /// The kind of event.
    pub kind: EventKind,
    /// Sequence number, from 1, below 2^40. Gaps are events that were overwritten or torn.
    pub sequence: u64,
    /// Index of the stack of the allocation that it is about; 0 if it is not known.
    pub stack: u16,
    /// Index of the shape of the tensor that it is about; 0 if it is not known.
    pub shape: u16,
    /// Monotonic time in nanoseconds, to a few milliseconds.
    pub time: u64,
    /// Device address of the buffer; of devices and allocators the object's address in its process.
    pub address: u64,
    /// Bytes per bank of the buffer.
    pub bytes_per_bank: u64,
    /// Bytes that were asked for.
    pub requested: u64,
    /// Bytes per bank of all live buffers of the allocator and kind, after the event.
    pub live_after: u64,
    /// Bytes of a page.
    pub page_bytes: u32,
    /// Bytes of `bytes_per_bank` that fill up the last block.
    pub block_padding: u8,
    /// Thread.
    pub thread: u32,
    /// Allocator, kind, origin, layout and op.
    pub tags: Tags,
}

impl EventEntry {
    /// Returns the entry as words of the file.
    #[must_use]
    #[inline]
    pub fn to_words(&self) -> [u64; EVENT_WORDS] {
        with_checksum([
            u64::from(self.stack) << STACK_SHIFT
                | (self.sequence & SEQUENCE_MASK) << 8
                | self.kind as u64,
            shaped(self.address, self.shape),
            self.bytes_per_bank,
            self.requested,
            self.live_after,
            self.time,
            pair(self.page_bytes, padded_thread(self.block_padding, self.thread)),
            u64::from(self.tags.to_bits()),
        ])
    }

    /// Decodes the entry from its words; `None` if the checksum does not match, or if a later version added its
    /// kind.
    #[must_use]
    pub fn from_words(mut words: [u64; EVENT_WORDS]) -> Option<Self> {
        let expected = high(words[7]);
        words[7] = u64::from(low(words[7]));
        if checksum(&words) != expected {
            return None;
        }
        Some(Self {
            kind: EventKind::from_number((words[0] & 0xff) as u8)?,
            sequence: words[0] >> 8 & SEQUENCE_MASK,
            stack: stack_index(words[0]),
            shape: shape_index(words[1]),
            address: words[1] & ADDRESS_MASK,
            bytes_per_bank: words[2],
            requested: words[3],
            live_after: words[4],
            time: words[5],
            page_bytes: low(words[6]),
            block_padding: block_padding(high(words[6])),
            thread: high(words[6]) & THREAD_MASK,
            tags: Tags::from_bits(low(words[7])),
        })
    }
}

/// An allocation that TT-Metal refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureEntry {
    /// Sequence number, from 1.
    pub sequence: u64,
    /// Monotonic time in nanoseconds, to a few milliseconds.
    pub time: u64,
    /// Bytes of all pages, each aligned.
    pub requested: u64,
    /// Bytes that each bank needed to store.
    pub bytes_per_bank: u64,
    /// Bytes of a page.
    pub page_bytes: u32,
    /// Thread.
    pub thread: u32,
    /// Allocator, kind, origin, layout and op.
    pub tags: Tags,
    /// The statistics of TT-Metal's allocator at that moment.
    pub statistics: Statistics,
    /// Bytes per bank of the live buffers that the agent knew of at that moment.
    pub live_bytes: u64,
    /// Number of those.
    pub live_buffers: u64,
    /// Banks that it was to be spread over: of a sharded buffer as many as it has shards, at most.
    pub banks: u64,
    /// Sequence number of the newest event at that moment: what lived can be found from there.
    pub event: u64,
    /// Index of the stack of the request; 0 if it is not known.
    pub stack: u16,
}

impl FailureEntry {
    /// Returns the entry as words of the file.
    #[must_use]
    pub fn to_words(&self) -> [u64; FAILURE_WORDS] {
        let mut words = [
            self.sequence,
            self.time,
            self.requested,
            self.bytes_per_bank,
            pair(self.page_bytes, self.thread),
            u64::from(self.tags.to_bits()),
            self.statistics.total,
            self.statistics.allocated,
            self.statistics.free,
            self.statistics.largest_free,
            self.live_bytes,
            self.live_buffers,
            self.banks,
            self.event,
            numbered(0, self.stack),
            0,
        ];
        words[15] = u64::from(checksum(&words[..15]));
        words
    }

    /// Decodes the entry from its words; `None` if the checksum does not match.
    #[must_use]
    pub(crate) fn from_words(words: [u64; FAILURE_WORDS]) -> Option<Self> {
        (u64::from(checksum(&words[..15])) == words[15]).then(|| Self {
            sequence: words[0],
            time: words[1],
            requested: words[2],
            bytes_per_bank: words[3],
            page_bytes: low(words[4]),
            thread: high(words[4]),
            tags: Tags::from_bits(low(words[5])),
            statistics: Statistics {
                total: words[6],
                allocated: words[7],
                free: words[8],
                largest_free: words[9],
                time: words[1],
            },
            live_bytes: words[10],
            live_buffers: words[11],
            banks: words[12],
            event: words[13],
            stack: stack_index(words[14]),
        })
    }
}

/// Bytes and number of live buffers, from the one word that holds both.
#[must_use]
#[inline]
pub fn live_from_word(word: u64) -> (u64, u64) {
    (word & LIVE_BYTES_MASK, word >> LIVE_BYTES_BITS)
}

/// The increment of the word of live buffers for one buffer.
#[must_use]
#[inline]
pub fn live_step(bytes_per_bank: u64) -> u64 {
    live_word(bytes_per_bank, 1)
}

/// Packs the bytes per bank and the number of the live buffers into one word.
#[must_use]
#[inline]
pub fn live_word(bytes_per_bank: u64, buffers: u64) -> u64 {
    buffers << LIVE_BYTES_BITS | (bytes_per_bank & LIVE_BYTES_MASK)
}
