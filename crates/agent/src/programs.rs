//! Programs of this process: what each places in L1, which footprint of the segment it has, what was dispatched.
//!
//! A program has a slot here, found by its address. The slot knows the footprint of the newest dispatch, so that a
//! repeated dispatch is a few stores. Whatever changes what the program places marks the slot; the next dispatch then
//! asks TT-Metal and looks for, or records, the footprint that fits.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use ttmem_segment::CoreRange;

use crate::ffi::Boxed;

/// Programs known at a time, a power of two.
pub(crate) const PROGRAMS: usize = 8192;
/// The farthest that a program's slot is from the one that its address asks for.
const PROBES: usize = 64;
/// Footprints of a program that are found again without asking TT-Metal for more than addresses.
const RECENT: usize = 8;

/// A slot that was used by a program that is destroyed.
const GONE: u64 = 1;

/// A program. Zero is a free slot.
#[derive(Debug, Default)]
pub(crate) struct ProgramSlot {
    /// Address of the program; 0 for a free slot, 1 for one whose program is destroyed.
    pub(crate) program: AtomicU64,
    /// Device or mesh that the footprint is for.
    pub(crate) device: AtomicU64,
    /// Index of its footprint plus 1; 0 if it has none.
    pub(crate) footprint: AtomicU32,
    /// Did its placements change since the footprint was found?
    pub(crate) changed: AtomicU8,
    /// Are its circular buffers placed? Before, TT-Metal must not be asked where they are.
    pub(crate) is_placed: AtomicU8,
    /// Is any of its circular buffers the memory of a tensor, so that addresses change without notice?
    pub(crate) has_backed: AtomicU8,
    /// Index of the allocator of its L1 buffers; 255 for none.
    pub(crate) allocator: AtomicU8,
    /// Hash of the addresses of its circular buffers, where `has_backed`.
    pub(crate) addresses: AtomicU64,
    /// The placements recorded by the hooks. Only used under the lock of the programs.
    draft: Boxed<Draft>,
}

/// The placements of a program, recorded by the hooks.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    /// Address and bytes of the circular buffers that TT-Metal placed itself.
    pub(crate) own: Vec<(u32, u32)>,
    /// Dataflow buffers that TT-Metal placed itself: cores, address, bytes.
    pub(crate) dataflow: Vec<(CoreRange, u32, u32)>,
    /// Dataflow buffers that are the memory of a tensor.
    pub(crate) borrowed: Vec<Borrowed>,
    /// Does it place something whose address TT-Metal does not export? Then its footprint is not known.
    pub(crate) is_unknown: bool,
    /// Footprints by the hash of addresses that led to them, plus 1.
    recent: [(u64, u32); RECENT],
    next_recent: usize,
}

/// A dataflow buffer that is the memory of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Borrowed {
    /// Address of the dataflow buffer object.
    pub(crate) object: u64,
    /// Address in L1.
    pub(crate) address: u32,
    /// Bytes of the tensor in each bank.
    pub(crate) bytes: u32,
}

impl Draft {
    /// The footprint that the same addresses led to before.
    pub(crate) fn recent(&self, hash: u64) -> Option<u32> {
        let found = self.recent.iter().find(|(held, index)| *held == hash && *index != 0);
        found.map(|(_, index)| *index - 1)
    }

    /// Remembers the footprint that addresses led to.
    pub(crate) fn remember(&mut self, hash: u64, footprint: u32) {
        self.recent[self.next_recent % RECENT] = (hash, footprint + 1);
        self.next_recent += 1;
    }

    /// Forgets all footprints: what TT-Metal placed itself has changed.
    pub(crate) fn forget_recent(&mut self) {
        self.recent = Default::default();
    }
}

/// The slots of programs.
#[derive(Debug)]
pub(crate) struct ProgramTable {
    slots: [ProgramSlot; PROGRAMS],
}

impl ProgramTable {
    /// The slot of a program.
    #[inline]
    pub(crate) fn find(&self, program: u64) -> Option<&ProgramSlot> {
        for slot in self.probes(program) {
            let held = slot.program.load(Ordering::Acquire);
            if held == program {
                return Some(slot);
            }
            if held == 0 {
                return None;
            }
        }
        None
    }

    /// The slot of a program, a new one if it has none. `None` if there is no room. The caller holds the lock.
    pub(crate) fn find_or_add(&self, program: u64) -> Option<&ProgramSlot> {
        if let Some(slot) = self.find(program) {
            return Some(slot);
        }
        let slot =
            self.probes(program).find(|slot| slot.program.load(Ordering::Acquire) <= GONE)?;
        slot.footprint.store(0, Ordering::Relaxed);
        slot.changed.store(1, Ordering::Relaxed);
        slot.is_placed.store(0, Ordering::Relaxed);
        slot.has_backed.store(0, Ordering::Relaxed);
        slot.allocator.store(u8::MAX, Ordering::Relaxed);
        slot.program.store(program, Ordering::Release);
        Some(slot)
    }

    /// Gives up the slot of a program that is being destroyed. The caller holds the lock.
    pub(crate) fn remove(&self, program: u64) -> Option<u32> {
        let slot = self.find(program)?;
        slot.program.store(GONE, Ordering::Release);
        drop(slot.draft.take());
        slot.footprint.swap(0, Ordering::Relaxed).checked_sub(1)
    }

    #[inline]
    fn probes(&self, program: u64) -> impl Iterator<Item = &ProgramSlot> {
        let start = (program.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize;
        (0..PROBES).map(move |probe| &self.slots[start.wrapping_add(probe) % PROGRAMS])
    }
}

impl ProgramSlot {
    /// The recorded placements of the program, empty at first.
    pub(crate) fn with_draft<T>(&self, change: impl FnOnce(&mut Draft) -> T) -> T {
        let mut draft = self.draft.take().unwrap_or_default();
        let result = change(&mut draft);
        self.draft.put(draft);
        result
    }
}

/// Mixes words into a hash, the order of words included.
#[inline]
pub(crate) fn mix(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95)
}

/// Covers a set of cores with rectangles: rows of cores that follow each other, then rows that are equal.
pub(crate) fn rectangles(is_in: impl Fn(u16, u16) -> bool, side: u16) -> Vec<CoreRange> {
    let mut done: Vec<CoreRange> = Vec::new();
    for y in 0..side {
        let mut x = 0;
        while x < side {
            if !is_in(x, y) {
                x += 1;
                continue;
            }
            let start = x;
            while x < side && is_in(x, y) {
                x += 1;
            }
            let end = x - 1;
            let above = done
                .iter_mut()
                .find(|range| (range.start.0, range.end.0) == (start, end) && range.end.1 + 1 == y);
            match above {
                Some(above) => above.end.1 = y,
                None => done.push(CoreRange { start: (start, y), end: (end, y) }),
            }
        }
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_set_of_cores_is_covered_exactly() {
        let mut state = 1_u64;
        for _ in 0..200 {
            state = mix(state, 99);
            let rows: [u64; 16] =
                std::array::from_fn(|row| mix(state, row as u64) & mix(state, 77));
            let is_in = |x: u16, y: u16| rows[usize::from(y)] >> x & 1 == 1;
            let ranges = rectangles(is_in, 16);
            for (x, y) in (0..16).flat_map(|y| (0..16).map(move |x| (x, y))) {
                let covers = ranges.iter().filter(|range| range.contains((x, y))).count();
                assert_eq!(covers, usize::from(is_in(x, y)));
            }
        }
        let whole = rectangles(|x, y| x < 8 && y < 9, 16);
        assert_eq!(whole, [CoreRange { start: (0, 0), end: (7, 8) }]);
    }

    #[test]
    fn drafts_and_slots_come_and_go() {
        let process = crate::ffi::new_process().unwrap();
        let table = &process.programs;
        let slot = table.find_or_add(0x1000).unwrap();
        slot.with_draft(|draft| draft.own.push((1, 2)));
        slot.with_draft(|draft| {
            assert_eq!(draft.own, [(1, 2)]);
            for hash in 0..20 {
                draft.remember(hash, 7);
            }
            assert_eq!((draft.recent(3), draft.recent(19)), (None, Some(7)));
        });
        slot.footprint.store(4, Ordering::Relaxed);
        assert_eq!(table.remove(0x1000), Some(3));
        assert!(table.find(0x1000).is_none());
        let again = table.find_or_add(0x1000).unwrap();
        assert_eq!(again.footprint.load(Ordering::Relaxed), 0);
        again.with_draft(|draft| assert!(draft.own.is_empty()));
    }
}
