//! The shape of a tensor, which is known once its buffer is recorded.

use ttmem_segment::entry::{BufferEntry, EventEntry};

use super::Recorder;

/// Position of a recorded allocation in the segment. Zero is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allocated {
    /// First word of the buffer's entry; 0 if the table had no room.
    pub(super) entry: usize,
    /// Number of the event.
    pub(super) sequence: u64,
    /// Device address.
    pub(super) address: u64,
}

impl Allocated {
    /// No allocation.
    pub(crate) const NONE: Self = Self { entry: 0, sequence: 0, address: 0 };

    /// True if it is of a buffer at this address.
    pub(crate) fn is_at(self, address: u64) -> bool {
        self.sequence != 0 && self.address == address
    }
}

impl Recorder<'_> {
    /// Adds the shape of its tensor to a buffer and to the event of its allocation, if they are still there.
    pub(crate) fn shaped(&self, of: Allocated, shape: u16) {
        if of.entry != 0
            && let Some(entry) = BufferEntry::from_words(self.load(of.entry))
            && entry.sequence == of.sequence
        {
            self.store(of.entry, BufferEntry { shape, ..entry }.to_words());
        }
        let first = self.event_place(usize::try_from(of.sequence - 1).unwrap_or(0));
        if let Some(event) = EventEntry::from_words(self.load(first))
            && event.sequence == of.sequence
        {
            self.store(first, EventEntry { shape, ..event }.to_words());
        }
    }
}
