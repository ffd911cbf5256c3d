//! Programs of this process: what each places in L1, which footprint of the segment it has, what was dispatched.
//!
//! A program has a slot here, found by its address. The slot refers to the footprint of the newest dispatch, so that a
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
    /// 1 if the placements changed since the footprint was found.
    pub(crate) changed: AtomicU8,
    /// 1 if the circular buffers are placed. Before, TT-Metal must not be asked for their addresses.
    pub(crate) is_placed: AtomicU8,
    /// 1 if a circular buffer is the memory of a tensor, so that addresses change without notice.
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
    /// The ranges of cores that circular buffers are on, as TT-Metal has them and in its order: it names one when it refuses a
    /// program.
    pub(crate) ranges: Vec<CoreRange>,
    /// Memory that TT-Metal marked as that of dataflow buffers.
    pub(crate) dataflow: Vec<Mark>,
    /// Dataflow buffers that are the memory of a tensor.
    pub(crate) borrowed: Vec<Borrowed>,
    /// True if it places something whose address TT-Metal does not export: then its footprint
    /// is not known.
    pub(crate) is_unknown: bool,
    /// Footprints by the hash of addresses that led to them, plus 1.
    recent: [(u64, u32); RECENT],
    next_recent: usize,
}

/// Memory that TT-Metal marked as taken while it placed dataflow buffers: cores, address, bytes. It marks the memory of the
/// ranges that a buffer is on, and of other buffers' ranges that share cores with them.
pub(crate) type Mark = (CoreRange, u32, u32);

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

/// The placements of dataflow buffers by the marks. `buffers` are the cores of each that TT-Metal placed itself, in the order
/// of the program.
///
/// A buffer has one address and size: those of the first marks inside its cores that cover them, and that are not of an
/// earlier buffer on the same cores. One that no such marks are left for shares the memory of another. `None` if no marks
/// cover the cores of a buffer.
pub(crate) fn placed_marks(marks: &[Mark], buffers: &[Vec<CoreRange>]) -> Option<Vec<Mark>> {
    let holds = |ranges: &[CoreRange], core| ranges.iter().any(|range| range.contains(core));
    let mut found: Vec<(u32, u32)> = Vec::new();
    let mut placed = Vec::new();
    for cores in buffers {
        let inside = |mark: &&Mark| mark.0.cores().all(|core| holds(cores, core));
        let inside: Vec<Mark> = marks.iter().filter(inside).copied().collect();
        let shares = |other: &[CoreRange]| {
            cores.iter().flat_map(|range| range.cores()).any(|core| holds(other, core))
        };
        let is_taken = |memory: &(u32, u32)| {
            found.iter().zip(buffers).any(|(held, other)| held == memory && shares(other))
        };
        let of = |(address, bytes): (u32, u32)| {
            inside.iter().filter(move |mark| (mark.1, mark.2) == (address, bytes))
        };
        let covers = |memory: &(u32, u32)| {
            let mut own = cores.iter().flat_map(|range| range.cores());
            own.all(|core| of(*memory).any(|mark| mark.0.contains(core)))
        };
        let mut candidates = inside.iter().map(|mark| (mark.1, mark.2)).filter(covers);
        let free = candidates.clone().find(|memory| !is_taken(memory));
        let memory = free.or_else(|| candidates.next_back())?;
        found.push(memory);
        let own = cores.iter().map(|range| (*range, memory.0, memory.1));
        placed.extend(own.filter(|mark| !placed.contains(mark)).collect::<Vec<_>>());
    }
    Some(placed)
}

/// All elements of lists, each once, in an order that fits every list. Elements that no order fits are left out.
pub(crate) fn in_order(lists: &[&[u64]]) -> Vec<u64> {
    let mut ordered: Vec<u64> = Vec::new();
    loop {
        let rest = |list: &&[u64]| list.iter().position(|it| !ordered.contains(it));
        let heads = || lists.iter().filter_map(|list| Some(list[rest(list)?]));
        let is_first = |element: &u64| {
            lists
                .iter()
                .filter(|list| list.contains(element))
                .all(|list| rest(list).is_some_and(|first| list[first] == *element))
        };
        match heads().find(is_first) {
            Some(element) => ordered.push(element),
            None => return ordered,
        }
    }
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

    fn range(start: (u16, u16), end: (u16, u16)) -> CoreRange {
        CoreRange { start, end }
    }

    #[test]
    fn a_dataflow_buffer_is_where_its_marks_are_not_those_of_its_neighbours() {
        // Of a matmul of width-sharded tensors on a Blackhole, ttnn 0.81.1: three buffers on two cores, one on the other
        // fourteen, and one that is the memory of a tensor on all sixteen.
        let (senders, all) = (range((0, 0), (1, 0)), range((0, 0), (3, 3)));
        let (below, beside) = (range((0, 1), (3, 3)), range((2, 0), (3, 0)));
        let marks = [
            (senders, 111_744, 65_536),
            (all, 111_744, 65_536),
            (below, 111_744, 65_536),
            (beside, 111_744, 65_536),
            (senders, 177_280, 4096),
            (all, 177_280, 4096),
            (senders, 181_376, 32_768),
            (all, 181_376, 32_768),
        ];
        let buffers = [vec![senders], vec![below, beside], vec![senders], vec![senders]];
        let wanted = [marks[0], marks[2], marks[3], marks[4], marks[6]];
        assert_eq!(placed_marks(&marks, &buffers).as_deref(), Some(&wanted[..]));
        // One that shares the memory of another.
        let sharing: Vec<_> = buffers.iter().cloned().chain([vec![senders]]).collect();
        assert_eq!(placed_marks(&marks, &sharing).as_deref(), Some(&wanted[..]));
        // A buffer without marks.
        assert_eq!(placed_marks(&marks[..3], &buffers), None);
        assert_eq!(placed_marks(&marks, &[vec![range((0, 0), (7, 7))]]), None);
    }

    #[test]
    fn elements_are_in_the_order_of_all_lists() {
        let lists: [&[u64]; 3] = [&[2, 5], &[1, 2, 3, 5], &[4, 5]];
        assert_eq!(in_order(&lists), [1, 2, 3, 4, 5]);
        assert_eq!(in_order(&[&[1, 2], &[2, 1]]), [0_u64; 0]);
    }

    #[test]
    fn a_dataflow_buffer_inside_another_is_marked_twice() {
        let (inner, outer) = (range((0, 0), (1, 0)), range((0, 0), (3, 3)));
        // The first is placed in both ranges, and so is the second above it.
        let marks = [(inner, 100, 10), (outer, 100, 10), (inner, 110, 20), (outer, 110, 20)];
        let buffers = [vec![inner], vec![outer]];
        assert_eq!(placed_marks(&marks, &buffers), Some(vec![marks[0], marks[3]]));
        // In the other order, both are on the cores of the inner one.
        let buffers = [vec![outer], vec![inner]];
        assert_eq!(placed_marks(&marks, &buffers), Some(vec![marks[1], marks[2]]));
    }

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
