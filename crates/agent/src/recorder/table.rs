//! The table of live buffers: where a buffer's entry is, who may take a slot.

use std::sync::atomic::Ordering;

use ttmem_segment::entry::{BufferEntry, OwnBuffer};
use ttmem_segment::layout::{BUFFER_PROBES, Counter, Plan, Section};

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
        prefetch_for_write(&self.words[Counter::Events as usize]);
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

    /// Takes a buffer out of the table. If two threads try, one succeeds.
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
        let start = first_slot(key, mask);
        (0..BUFFER_PROBES).map(move |probe| {
            FIRST + (start.wrapping_add(probe) & mask) * Section::Buffers.entry_words()
        })
    }
}

/// Slots of a group, which is for buffer objects in this many kilobytes of the heap.
const GROUP_SLOTS: usize = 16;

/// The slot that a key asks for, in a table of `mask + 1` slots. Objects that are close to each other on the heap ask for
/// slots that are close to each other, and so need few entries of the processor's cache of page addresses; where a group
/// begins is spread evenly, and where in it an object comes first, by the bits of a product.
#[inline(always)]
fn first_slot(key: u64, mask: usize) -> usize {
    let product = (key >> 10).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let groups = (mask + 1) / GROUP_SLOTS;
    let group = ((product >> 32) as usize * groups) >> 32;
    let within = ((key >> 6) as usize).wrapping_add((product >> 20) as usize) % GROUP_SLOTS;
    group * GROUP_SLOTS + within
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Objects at any distance from each other fill nine tenths of the table without one that finds no slot.
    #[test]
    fn keys_of_a_heap_are_spread_evenly() {
        const MASK: usize = 32_767;
        for distance in [208, 256, 320, 512, 1024, 4096, 65_536] {
            let mut taken = vec![false; MASK + 1];
            for index in 0..30_000_u64 {
                let start = first_slot(0x55d5_c0d0_e2a0 + index * distance, MASK);
                let free = (0..BUFFER_PROBES).find(|probe| !taken[(start + probe) & MASK]);
                taken[(start + free.unwrap_or_else(|| panic!("{distance}"))) & MASK] = true;
            }
        }
    }
}
