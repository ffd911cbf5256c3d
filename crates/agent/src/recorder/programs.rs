//! Records of programs: footprints, dispatches, traces, refusals.

use std::sync::atomic::{AtomicU64, Ordering};

use ttmem_segment::entry::{high, live_from_word, live_step, low, pair};
use ttmem_segment::layout::{
    CHIPS_CLEARED, Counter, FootprintWord, KindWord, REFUSALS, Section, TRACES, TraceWord,
};
use ttmem_segment::program::{
    DispatchEntry, FOOTPRINT_FIXED_WORDS, FootprintEntry, NO_FOOTPRINT, PartEntry, RefusalEntry,
    TRACE_FIXED_WORDS, TraceEntry, from_trace_part, trace_part,
};
use ttmem_segment::{AllocatorKind, DispatchKind};

use super::{Circumstances, Recorder, kind_block};
use crate::ffi::prefetch_for_write;
use crate::process::UNKNOWN_ADDRESS;
use crate::sole::Turn;

/// Counters of dispatches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Workloads.
    pub(crate) workloads: u64,
    /// Programs that ops announced.
    pub(crate) announced: u64,
    /// Loads of kernel binaries.
    pub(crate) loads: u64,
}

/// The content of L1 beside programs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tensors {
    /// Lowest address of a buffer; 0 for none or if it is not known.
    pub(crate) lowest: u32,
    /// Bytes per bank.
    pub(crate) bytes: u32,
}

/// Adds to a word that other threads may add to, unless there is only one.
#[inline(always)]
fn add(word: &AtomicU64, more: u64, turn: Turn) {
    match turn {
        Turn::Alone => {
            word.store(word.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
        }
        Turn::Shared => {
            word.fetch_add(more, Ordering::Relaxed);
        }
    }
}

/// First word of an entry in the ring of dispatches that a thread is writing: of no entry, for sequence numbers are smaller.
const BEING_WRITTEN: u64 = u64::MAX;

impl Recorder<'_> {
    /// Looks for a footprint with this key; records it with its parts if there is none. `None` if there is no room. The
    /// caller holds the lock of the programs.
    pub(crate) fn footprint(&self, new: &FootprintEntry, parts: &[PartEntry]) -> Option<u32> {
        let (first, entries) = self.process.table(Section::Footprints);
        let used = self.counter(Counter::Footprints).min(entries);
        let is_it = |index: &usize| {
            let word = &self.words[first + index * Section::Footprints.entry_words()];
            u64::from_le(word.load(Ordering::Relaxed)) == new.key
        };
        if let Some(index) = (0..used).find(is_it) {
            let destroyed = first
                + index * Section::Footprints.entry_words()
                + FootprintWord::Destroyed as usize;
            self.words[destroyed].store(0, Ordering::Relaxed);
            return u32::try_from(index).ok();
        }
        let (first_part, part_entries) = self.process.table(Section::Parts);
        let used_parts = self.counter(Counter::Parts);
        if used >= entries || used_parts + parts.len() > part_entries {
            self.count(Counter::FootprintsDropped);
            return None;
        }
        let index = u32::try_from(used).ok()?;
        for (number, part) in parts.iter().enumerate() {
            let part = PartEntry { footprint: index, ..*part };
            let position = first_part + (used_parts + number) * Section::Parts.entry_words();
            self.store(position, part.to_words());
        }
        self.words[Counter::Parts as usize]
            .store((used_parts + parts.len()) as u64, Ordering::Release);
        let entry = FootprintEntry {
            first_part: u32::try_from(used_parts).ok()?,
            parts: u32::try_from(parts.len()).ok()?,
            ..*new
        };
        let position = first + used * Section::Footprints.entry_words();
        self.store::<FOOTPRINT_FIXED_WORDS>(position, entry.to_words());
        self.words[Counter::Footprints as usize].store(used as u64 + 1, Ordering::Release);
        Some(index)
    }

    fn counter(&self, counter: Counter) -> usize {
        usize::try_from(self.words[counter as usize].load(Ordering::Acquire)).unwrap_or(usize::MAX)
    }

    /// The number of the next dispatch, from 1; `more` numbers after it are taken too.
    #[inline(always)]
    fn next_dispatch(&self, more: u64) -> u64 {
        self.words[Counter::Dispatches as usize].fetch_add(1 + more, Ordering::AcqRel) + 1
    }

    /// Records that a program was handed to a command queue. `counts` is counted with it.
    #[inline(always)]
    pub(crate) fn dispatched(
        &self,
        index: u32,
        counts: Counts,
        tensors: Tensors,
        now: Circumstances,
    ) {
        let (sequence, turn) = self.process.dispatching.begin(|| self.next_dispatch(0));
        self.use_footprint((index, 1, turn), sequence, tensors, now);
        self.add_counts(counts, turn);
        self.process.dispatching.end(turn);
        self.write_dispatch(DispatchKind::Program, sequence, index, tensors, now);
    }

    /// Counts workloads and announced programs whose dispatch is not counted with them.
    #[cold]
    pub(crate) fn count_workloads(&self, counts: Counts) {
        self.process.dispatching.join();
        self.add_counts(counts, Turn::Shared);
    }

    #[inline(always)]
    fn add_counts(&self, counts: Counts, turn: Turn) {
        if counts != Counts::default() {
            add(&self.words[Counter::WorkloadsEnqueued as usize], counts.workloads, turn);
            add(&self.words[Counter::ProgramsTracked as usize], counts.announced, turn);
            add(&self.words[Counter::BinaryLoads as usize], counts.loads, turn);
        }
    }

    /// Records that a program without a recorded footprint was handed to a command queue.
    #[cold]
    pub(crate) fn dispatched_unknown(&self, tensors: Tensors, now: Circumstances) {
        let sequence = self.next_dispatch(0);
        self.count(Counter::UnknownDispatches);
        self.words[Counter::LastUnknownDispatch as usize].fetch_max(sequence, Ordering::AcqRel);
        self.write_dispatch(DispatchKind::Program, sequence, NO_FOOTPRINT, tensors, now);
    }

    /// Records that a trace captured a program.
    #[cold]
    pub(crate) fn captured(&self, index: Option<u32>, tensors: Tensors, now: Circumstances) {
        let sequence = self.next_dispatch(0);
        let index = index.unwrap_or(NO_FOOTPRINT);
        self.write_dispatch(DispatchKind::Captured, sequence, index, tensors, now);
    }

    /// Notes dispatches in the entry of a footprint: its index, how many, and by which instructions.
    #[inline(always)]
    fn use_footprint(
        &self,
        (index, dispatches, turn): (u32, u64, Turn),
        sequence: u64,
        tensors: Tensors,
        now: Circumstances,
    ) {
        let first = self.process.footprints_first.load(Ordering::Relaxed);
        let words = &self.words[first + index as usize * Section::Footprints.entry_words()..]
            [..Section::Footprints.entry_words()];
        add(&words[FootprintWord::Dispatches as usize], dispatches, turn);
        words[FootprintWord::LastTime as usize].store(now.time, Ordering::Relaxed);
        let held = words[FootprintWord::L1 as usize].load(Ordering::Relaxed);
        let is_lower = tensors.lowest != 0 && (low(held) == 0 || tensors.lowest < low(held));
        if is_lower || tensors.bytes > high(held) {
            let lowest = if is_lower { tensors.lowest } else { low(held) };
            if is_lower {
                words[FootprintWord::LowestEvent as usize].store(self.events(), Ordering::Relaxed);
            }
            let word = pair(lowest, tensors.bytes.max(high(held)));
            words[FootprintWord::L1 as usize].store(word, Ordering::Relaxed);
        }
        words[FootprintWord::LastDispatch as usize].store(sequence, Ordering::Release);
    }

    #[inline(always)]
    fn write_dispatch(
        &self,
        kind: DispatchKind,
        sequence: u64,
        footprint: u32,
        tensors: Tensors,
        now: Circumstances,
    ) {
        let entry = DispatchEntry {
            sequence,
            kind,
            time: now.time,
            footprint,
            thread: now.thread,
            event: self.events(),
            name: now.name,
            queue: now.queue,
            l1_bytes: tensors.bytes,
            lowest_l1: tensors.lowest,
        };
        let first = self.dispatch_word(sequence);
        let held = self.words[first].load(Ordering::Relaxed);
        // A thread that others overtake by a whole ring while it writes must not mix its entry with a newer one.
        let is_free = held != BEING_WRITTEN
            && self.words[first]
                .compare_exchange(held, BEING_WRITTEN, Ordering::Acquire, Ordering::Relaxed)
                .is_ok();
        if is_free {
            self.store(first, entry.to_words());
        }
        prefetch_for_write(&self.words[self.dispatch_word(sequence + 1)]);
    }

    /// First word of the entry of a dispatch in the ring.
    #[inline(always)]
    fn dispatch_word(&self, sequence: u64) -> usize {
        let first = self.process.dispatches_first.load(Ordering::Relaxed);
        let mask = self.process.dispatches_mask.load(Ordering::Relaxed);
        first
            + (usize::try_from(sequence - 1).unwrap_or(0) & mask)
                * Section::Dispatches.entry_words()
    }

    /// The content of L1 beside programs, by the allocator of a mesh. `ask` returns the lowest address on demand.
    #[inline(always)]
    pub(crate) fn tensors(&self, allocator: u8, ask: impl FnOnce(u64) -> Option<u64>) -> Tensors {
        let Some(slot) = self.process.known_allocators().get(usize::from(allocator)) else {
            return Tensors::default();
        };
        let live = self.words[kind_block(allocator, AllocatorKind::L1) + KindWord::Live as usize]
            .load(Ordering::Relaxed);
        let mut lowest = slot.lowest_l1.load(Ordering::Relaxed);
        if lowest == UNKNOWN_ADDRESS {
            let asked = ask(slot.pointer.load(Ordering::Acquire));
            if let Some(known) = asked {
                slot.lowest_l1.store(known, Ordering::Relaxed);
            }
            lowest = asked.unwrap_or(0);
        }
        let (bytes, _) = live_from_word(live);
        let narrow = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
        Tensors { lowest: narrow(lowest), bytes: narrow(bytes) }
    }

    /// Enters a trace whose capture begins. Returns its serial number.
    pub(crate) fn begin_trace(&self, new: &TraceEntry) -> u64 {
        let serial = self.words[Counter::Traces as usize].fetch_add(1, Ordering::AcqRel) + 1;
        let first = self.trace_word(serial);
        self.store(first, [0; Section::Traces.entry_words()]);
        let entry = TraceEntry { serial, ..*new };
        self.store::<TRACE_FIXED_WORDS>(first, entry.to_words());
        serial
    }

    /// Ends the capture of a trace that runs these footprints, each so often.
    pub(crate) fn end_trace(&self, serial: u64, list: &[(u32, u32)], bytes: [u64; 2], time: u64) {
        let first = self.trace_word(serial);
        let (parts_first, entries) = self.process.table(Section::TraceParts);
        let used = self.counter(Counter::TraceParts).min(entries);
        let fits = list.len().min(entries - used);
        for (number, (footprint, dispatches)) in list[..fits].iter().enumerate() {
            let word = trace_part(*footprint, *dispatches);
            self.words[parts_first + used + number].store(word.to_le(), Ordering::Relaxed);
        }
        if fits < list.len() {
            let lost = (list.len() - fits) as u64;
            self.words[Counter::TracePartsDropped as usize].fetch_add(lost, Ordering::Relaxed);
        }
        let narrow = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let dispatches = list.iter().map(|(_, dispatches)| u64::from(*dispatches)).sum();
        let [bytes_per_bank, bytes] = bytes;
        for (word, value) in [
            (TraceWord::BytesPerBank, bytes_per_bank),
            (TraceWord::Bytes, bytes),
            (TraceWord::Parts, pair(narrow(used), narrow(fits))),
            (TraceWord::Dispatches, dispatches),
            (TraceWord::Ended, time.max(1)),
        ] {
            self.words[first + word as usize].store(value, Ordering::Relaxed);
        }
        self.words[Counter::TraceParts as usize].store((used + fits) as u64, Ordering::Release);
    }

    /// Records a replay of a trace: all its programs were dispatched.
    pub(crate) fn replayed(&self, serial: u64, tensors: Tensors, now: Circumstances) {
        self.process.dispatching.join();
        let first = self.trace_word(serial);
        let parts = self.words[first + TraceWord::Parts as usize].load(Ordering::Acquire);
        let total = self.words[first + TraceWord::Dispatches as usize].load(Ordering::Relaxed);
        let (parts_first, entries) = self.process.table(Section::TraceParts);
        let (_, footprints) = self.process.table(Section::Footprints);
        let begin = (low(parts) as usize).min(entries);
        let count = (high(parts) as usize).min(entries - begin);
        let sequence = self.next_dispatch(count as u64);
        let mut known = 0;
        for (number, word) in self.words[parts_first + begin..][..count].iter().enumerate() {
            let (index, dispatches) = from_trace_part(u64::from_le(word.load(Ordering::Relaxed)));
            if (index as usize) < footprints {
                known += u64::from(dispatches);
                let sequence = sequence + 1 + number as u64;
                let dispatches = (index, u64::from(dispatches), Turn::Shared);
                self.use_footprint(dispatches, sequence, tensors, now);
            }
        }
        if known < total {
            self.words[Counter::UnknownDispatches as usize]
                .fetch_add(total - known, Ordering::Relaxed);
            let last = sequence + count as u64;
            self.words[Counter::LastUnknownDispatch as usize].fetch_max(last, Ordering::AcqRel);
        }
        self.words[first + TraceWord::Replays as usize].fetch_add(1, Ordering::Relaxed);
        self.words[first + TraceWord::LastReplay as usize].store(sequence, Ordering::Relaxed);
        let trace = u32::try_from(serial).unwrap_or(0);
        self.write_dispatch(DispatchKind::Replay, sequence, trace, tensors, now);
    }

    /// Records that a trace was released.
    pub(crate) fn released(&self, serial: u64, time: u64) {
        let word = self.trace_word(serial) + TraceWord::Released as usize;
        self.words[word].store(time.max(1), Ordering::Relaxed);
    }

    fn trace_word(&self, serial: u64) -> usize {
        let (first, _) = self.process.table(Section::Traces);
        first + usize::try_from(serial - 1).unwrap_or(0) % TRACES * Section::Traces.entry_words()
    }

    /// Records that a buffer was allocated while a captured trace was live.
    #[cold]
    pub(crate) fn allocated_during_trace(&self, kind: AllocatorKind, bytes_per_bank: u64) {
        let counter = match kind {
            AllocatorKind::Dram => Counter::DramDuringTraces,
            AllocatorKind::L1 => Counter::L1DuringTraces,
            AllocatorKind::L1Small | AllocatorKind::Trace => return,
        };
        self.words[counter as usize].fetch_add(live_step(bytes_per_bank), Ordering::Relaxed);
    }

    /// TT-Metal refused a program or a trace.
    pub(crate) fn refused(&self, new: &RefusalEntry) {
        let sequence = self.words[Counter::Refusals as usize].fetch_add(1, Ordering::AcqRel) + 1;
        let (first, _) = self.process.table(Section::Refusals);
        let position = usize::try_from(sequence - 1).unwrap_or(0) % REFUSALS;
        let entry = RefusalEntry { sequence, ..*new };
        self.store(first + position * Section::Refusals.entry_words(), entry.to_words());
    }

    /// Records that a program is destroyed. What it placed stays in L1.
    pub(crate) fn footprint_destroyed(&self, index: u32, time: u64) {
        let (first, entries) = self.process.table(Section::Footprints);
        if (index as usize) < entries {
            let word = first
                + index as usize * Section::Footprints.entry_words()
                + FootprintWord::Destroyed as usize;
            self.words[word].store(time.max(1), Ordering::Relaxed);
        }
    }

    /// Records that the chips of a set were closed: no program is resident on them any more.
    pub(crate) fn chips_cleared(&self, chips: u128) {
        let newest = self.words[Counter::Dispatches as usize].load(Ordering::Acquire);
        for chip in (0..128).filter(|chip| chips >> chip & 1 == 1) {
            self.words[CHIPS_CLEARED + chip].store(newest, Ordering::Relaxed);
        }
    }
}
