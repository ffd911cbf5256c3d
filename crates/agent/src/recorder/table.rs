//! The table of live buffers: where a buffer's entry is, who may take a slot.

use std::sync::atomic::Ordering;

use ttmem_segment::entry::{BufferEntry, OwnBuffer};
use ttmem_segment::layout::{BUFFER_PROBES, BUFFER_WORDS, Plan, counter};

use super::{FREED, Recorder};
use crate::ffi::prefetch_for_write;
use crate::sole::Turn;

impl Recorder<'_> {
    /// Fetches the lines that a change to a buffer will write, all at once. Each locked instruction waits for its own.
    /// `block` is a guess: the block of the buffer before.
    #[inline(always)]
    pub(crate) fn expect_change(&self, key: u64, block: usize) {
        if let Some(first) = self.probes(key).next() {
            prefetch_for_write(&self.words[first]);
        }
        prefetch_for_write(&self.words[counter::EVENTS]);
        prefetch_for_write(&self.words[block]);
    }

    /// Takes the first slot that is free, from the one that the key asks for. Returns its first word.
    #[inline(always)]
    pub(super) fn claim(&self, key: u64, turn: Turn) -> Option<usize> {
        self.probes(key).find(|first| {
            let slot = &self.words[*first];
            let held = slot.load(Ordering::Relaxed);
            held < BufferEntry::FIRST_KEY
                && (turn == Turn::Alone
                    || slot
                        .compare_exchange(held, key, Ordering::AcqRel, Ordering::Relaxed)
                        .is_ok())
        })
    }

    /// Finds a buffer in the table: the first word of its slot, and what is there.
    #[inline(always)]
    pub(super) fn find(&self, key: u64) -> Option<(usize, OwnBuffer)> {
        for first in self.probes(key) {
            let held = self.words[first].load(Ordering::Acquire);
            if held == key {
                return Some((first, OwnBuffer(self.load(first))));
            }
            if held == 0 {
                return None;
            }
        }
        None
    }

    /// Takes a buffer out of the table. Of two threads that try, one succeeds.
    #[inline(always)]
    pub(super) fn remove(&self, first: usize, key: u64, turn: Turn) -> bool {
        let slot = &self.words[first];
        match turn {
            Turn::Alone => {
                slot.store(FREED, Ordering::Release);
                true
            }
            Turn::Shared => {
                slot.compare_exchange(key, FREED, Ordering::AcqRel, Ordering::Relaxed).is_ok()
            }
        }
    }

    /// First words of the slots in which a key may be.
    #[inline(always)]
    fn probes(&self, key: u64) -> impl Iterator<Item = usize> + use<> {
        const FIRST: usize = Plan::FIRST_BUFFER_WORD;
        let mask = self.process.buffers_mask.load(Ordering::Relaxed);
        let start = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize;
        (0..BUFFER_PROBES)
            .map(move |probe| FIRST + (start.wrapping_add(probe) & mask) * BUFFER_WORDS)
    }
}
