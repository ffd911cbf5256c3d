//! The shape of a tensor, which is known once its buffer is recorded.

use std::sync::atomic::Ordering;

use ttmem_segment::shape::{ShapedEntry, buffer_sequence, event_sequence, with_shape};

use super::Recorder;

/// Where an allocation is recorded. Zero is none.
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
    #[inline(always)]
    pub(crate) fn shaped(&self, of: Allocated, shape: u16) {
        if of.entry != 0 {
            self.reshape(of.entry, shape, |words| buffer_sequence(words) == of.sequence);
        }
        let first = self.event_place(usize::try_from(of.sequence - 1).unwrap_or(0));
        self.reshape(first, shape, |words| event_sequence(words) == of.sequence);
    }

    /// Changes the shape of an entry, if it is still the one that is meant.
    #[inline(always)]
    fn reshape(&self, first: usize, shape: u16, is_it: impl Fn(&ShapedEntry) -> bool) {
        let held = self.load(first);
        if is_it(&held)
            && let Some(words) = with_shape(held, shape)
        {
            for (index, word) in words {
                self.words[first + index].store(word.to_le(), Ordering::Relaxed);
            }
        }
    }
}
