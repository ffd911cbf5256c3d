//! The writes of the hooks: live buffers, sums, peaks, events, failures. A few stores, no lock, no system call, no
//! `malloc`.

use std::sync::atomic::{AtomicU64, Ordering};

use ttmem_segment::entry::{
    BufferEntry, EventEntry, FailureEntry, Free, OwnBuffer, Tags, live_from_word, live_step,
};
use ttmem_segment::layout::{self, ALLOCATORS, Counter, FAILURES, KindWord, Plan, Section};
use ttmem_segment::owner::PeakOrigin;
use ttmem_segment::{AllocatorKind, BufferLayout, EventKind, Origin, Statistics};

use crate::ffi::{coarse_time, prefetch_for_write};
use crate::process::Process;
use crate::sole::Turn;

pub(crate) use self::programs::{Counts, Tensors};
pub(crate) use self::shape::Allocated;

/// Key of a slot whose buffer is freed.
const FREED: u64 = 1;

/// The number of events by which the ring's cache lines are prefetched.
const EVENTS_AHEAD: usize = 6;

/// Every how many events the time is asked for while much is recorded.
const EVENTS_PER_TIME: u64 = 32;

/// A buffer as the hooks see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BufferFacts {
    /// Address of the buffer object.
    pub(crate) key: u64,
    /// Device address.
    pub(crate) address: u64,
    /// Bytes per bank.
    pub(crate) bytes_per_bank: u64,
    /// Bytes that were asked for.
    pub(crate) requested: u64,
    /// Bytes of a page.
    pub(crate) page_bytes: u32,
    /// Bytes of the bytes per bank that fill up the last block.
    pub(crate) block_padding: u8,
    /// Kind.
    pub(crate) kind: AllocatorKind,
    /// Layout.
    pub(crate) layout: BufferLayout,
}

impl BufferFacts {
    /// The table's entry of the buffer.
    #[inline(always)]
    fn entry(&self, tags: Tags, sequence: u64, now: Circumstances) -> BufferEntry {
        BufferEntry {
            key: self.key,
            address: self.address,
            bytes_per_bank: self.bytes_per_bank,
            requested: self.requested,
            sequence,
            stack: now.stack,
            shape: 0,
            time: now.time,
            page_bytes: self.page_bytes,
            block_padding: self.block_padding,
            thread: now.thread,
            tags,
        }
    }

    /// An event of the buffer, still without its number and what it leads to.
    #[inline(always)]
    fn event(&self, kind: EventKind, tags: Tags, now: Circumstances) -> EventEntry {
        EventEntry {
            kind,
            sequence: 0,
            stack: now.stack,
            shape: 0,
            time: now.time,
            address: self.address,
            bytes_per_bank: self.bytes_per_bank,
            requested: self.requested,
            live_after: 0,
            page_bytes: self.page_bytes,
            block_padding: self.block_padding,
            thread: now.thread,
            tags,
        }
    }
}

/// Thread, op and time of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    /// Monotonic nanoseconds.
    pub(crate) time: u64,
    /// Thread.
    pub(crate) thread: u32,
    /// Index of the name of the current op.
    pub(crate) name: u16,
    /// The current work of TT-Metal.
    pub(crate) origin: Origin,
    /// Command queue; 255 if it is not known.
    pub(crate) queue: u8,
    /// Index of the stack; 0 if it is not known.
    pub(crate) stack: u16,
}

/// Writes into the segment of this process. Copies of it are on many threads at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recorder<'agent> {
    /// State of the process.
    pub(crate) process: &'agent Process,
    /// The segment.
    pub(crate) words: &'agent [AtomicU64],
}

impl Recorder<'_> {
    /// A buffer was allocated.
    ///
    /// The locked instructions come first: each would wait for all stores before it.
    #[inline(always)]
    pub(crate) fn allocated(
        &self,
        allocator: u8,
        facts: &BufferFacts,
        now: Circumstances,
    ) -> Allocated {
        let block = kind_block(allocator, facts.kind);
        let step = live_step(facts.bytes_per_bank);
        let (sequence, turn) = self.process.sole.begin(|| self.next_event());
        let live = self.add_live(block, step, turn);
        let claimed = self.claim(facts.key, turn);

        let tags = Tags {
            allocator,
            kind: facts.kind,
            origin: now.origin,
            layout: facts.layout,
            name: now.name,
        };
        match claimed {
            Some(first) => {
                let entry = facts.entry(tags, sequence, now);
                self.store(first, entry.to_words());
            }
            None => self.drop_buffer(block, step),
        }
        self.process.sole.end(turn);
        let (live_after, _) = live_from_word(live);
        let event = facts.event(EventKind::Allocate, tags, now);
        self.write_event(sequence, EventEntry { sequence, live_after, ..event }.to_words());
        self.raise_peak(block, live, sequence, now);
        if now.origin != Origin::Plain {
            self.add_origin(block, now.origin, facts.bytes_per_bank);
        }
        let slot = &self.process.allocators[usize::from(allocator) % ALLOCATORS];
        if facts.kind == AllocatorKind::L1 {
            slot.note_l1(facts.address);
        }
        slot.note_change();
        if self.process.live_traces.load(Ordering::Relaxed) != 0 {
            self.allocated_during_trace(facts.kind, facts.bytes_per_bank);
        }
        Allocated { entry: claimed.unwrap_or(0), sequence, address: facts.address }
    }

    /// Counts a buffer that the table has no room for.
    #[cold]
    fn drop_buffer(&self, block: usize, step: u64) {
        self.count(Counter::BuffersDropped);
        self.words[block + KindWord::Unlisted as usize].fetch_add(step, Ordering::Relaxed);
    }

    /// Records that a buffer is about to be freed. `facts` describes it, if the table does not. False if it was never
    /// seen.
    #[inline(always)]
    pub(crate) fn freed(
        &self,
        key: u64,
        now: Circumstances,
        facts: impl FnOnce() -> Option<(u8, BufferFacts)>,
    ) -> bool {
        let Some((first, buffer)) = self.find(key) else {
            return self.freed_unlisted(now, facts);
        };
        let (sequence, turn) = self.process.sole.begin(|| self.next_event());
        if !self.remove(first, key, turn) {
            self.count(Counter::UnknownFrees);
            return false;
        }
        self.subtract(&buffer, sequence, turn, now);
        true
    }

    /// Records that a buffer that is not in the table is about to be freed.
    #[cold]
    fn freed_unlisted(
        &self,
        now: Circumstances,
        facts: impl FnOnce() -> Option<(u8, BufferFacts)>,
    ) -> bool {
        let known = facts().filter(|(allocator, facts)| {
            let unlisted = kind_block(*allocator, facts.kind) + KindWord::Unlisted as usize;
            self.take_step(unlisted, live_step(facts.bytes_per_bank))
        });
        let Some((allocator, facts)) = known else {
            self.count(Counter::UnknownFrees);
            return false;
        };
        let (kind, layout) = (facts.kind, facts.layout);
        let tags = Tags { allocator, kind, origin: Origin::Plain, layout, name: 0 };
        let buffer = OwnBuffer(facts.entry(tags, 0, now).to_words());
        let (sequence, turn) = self.process.sole.begin(|| self.next_event());
        self.subtract(&buffer, sequence, turn, now);
        true
    }

    /// Completes a free, once the buffer is out of the table.
    #[inline(always)]
    fn subtract(&self, buffer: &OwnBuffer, sequence: u64, turn: Turn, now: Circumstances) {
        let tags = buffer.tags();
        let block = kind_block(tags.allocator, tags.kind);
        let step = live_step(buffer.bytes_per_bank());
        let live = self.add_live(block, step.wrapping_neg(), turn);
        self.process.sole.end(turn);
        if tags.origin != Origin::Plain {
            self.add_origin(block, tags.origin, buffer.bytes_per_bank().wrapping_neg());
        }
        let (live_after, _) = live_from_word(live);
        let Circumstances { time, thread, name, .. } = now;
        let free = Free { sequence, time, live_after, thread, name };
        self.write_event(sequence, buffer.freed(&free));
        let slot = &self.process.allocators[usize::from(tags.allocator) % ALLOCATORS];
        if tags.kind == AllocatorKind::L1 {
            slot.note_l1_free(buffer.address());
        }
        slot.note_change();
    }

    /// Records that all buffers of an allocator are gone. Returns how many were in the table.
    pub(crate) fn all_freed(&self, allocator: u8, pointer: u64, now: Circumstances) -> u64 {
        self.process.sole.join();
        let slots = self.process.buffers_mask.load(Ordering::Relaxed) + 1;
        let mut freed = 0;
        for first in
            (0..slots).map(|slot| Plan::FIRST_BUFFER_WORD + slot * Section::Buffers.entry_words())
        {
            let entry = BufferEntry::from_words(self.load(first));
            let Some(entry) = entry.filter(|entry| {
                entry.key >= BufferEntry::FIRST_KEY && entry.tags.allocator == allocator
            }) else {
                continue;
            };
            let claimed = self.words[first]
                .compare_exchange(entry.key, FREED, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok();
            if claimed {
                let block = kind_block(allocator, entry.tags.kind);
                let step = live_step(entry.bytes_per_bank);
                self.words[block + KindWord::Live as usize].fetch_sub(step, Ordering::AcqRel);
                self.add_origin(block, entry.tags.origin, entry.bytes_per_bank.wrapping_neg());
                freed += 1;
            }
        }
        for kind in AllocatorKind::ALL {
            let block = kind_block(allocator, kind);
            let unlisted =
                self.words[block + KindWord::Unlisted as usize].swap(0, Ordering::Relaxed);
            self.words[block + KindWord::Live as usize].fetch_sub(unlisted, Ordering::AcqRel);
        }
        let slot = &self.process.allocators[usize::from(allocator) % ALLOCATORS];
        slot.lowest_l1.store(0, Ordering::Relaxed);
        self.happened(EventKind::MassFree, allocator, pointer, now);
        freed
    }

    /// Records a failed allocation.
    pub(crate) fn failed(
        &self,
        allocator: u8,
        facts: &BufferFacts,
        (statistics, banks): (Statistics, u64),
        now: Circumstances,
    ) {
        let live = self.words[kind_block(allocator, facts.kind) + KindWord::Live as usize]
            .load(Ordering::Acquire);
        let (live_bytes, live_buffers) = live_from_word(live);
        let tags = Tags {
            allocator,
            kind: facts.kind,
            origin: now.origin,
            layout: facts.layout,
            name: now.name,
        };
        let event = self.event(EventKind::Failure, facts, live_bytes, tags, now);
        let sequence = self.words[Counter::Failures as usize].fetch_add(1, Ordering::AcqRel) + 1;
        let entry = FailureEntry {
            sequence,
            time: now.time,
            requested: facts.requested,
            bytes_per_bank: facts.bytes_per_bank,
            page_bytes: facts.page_bytes,
            thread: now.thread,
            tags,
            statistics,
            live_bytes,
            live_buffers,
            banks,
            event,
            stack: now.stack,
        };
        let index = usize::try_from(sequence - 1).unwrap_or(0) % FAILURES;
        let first = Plan::FIRST_FAILURE_WORD + index * Section::Failures.entry_words();
        self.store(first, entry.to_words());
    }

    /// Something happened that is not about one buffer.
    pub(crate) fn happened(
        &self,
        what: EventKind,
        allocator: u8,
        pointer: u64,
        now: Circumstances,
    ) {
        let facts = BufferFacts {
            key: 0,
            address: pointer,
            bytes_per_bank: 0,
            requested: 0,
            page_bytes: 0,
            block_padding: 0,
            kind: AllocatorKind::Dram,
            layout: BufferLayout::Unknown,
        };
        let tags = Tags {
            allocator,
            kind: facts.kind,
            origin: Origin::Plain,
            layout: facts.layout,
            name: now.name,
        };
        self.event(what, &facts, 0, tags, now);
    }

    fn event(
        &self,
        what: EventKind,
        facts: &BufferFacts,
        live_after: u64,
        tags: Tags,
        now: Circumstances,
    ) -> u64 {
        let sequence = self.next_event();
        let event = EventEntry { sequence, live_after, ..facts.event(what, tags, now) };
        self.write_event(sequence, event.to_words());
        sequence
    }

    /// The number of the next event, from 1.
    #[inline(always)]
    fn next_event(&self) -> u64 {
        let sequence = self.words[Counter::Events as usize].fetch_add(1, Ordering::AcqRel) + 1;
        if sequence.is_multiple_of(EVENTS_PER_TIME) {
            self.renew_time();
        }
        sequence
    }

    /// Events so far.
    pub(crate) fn events(&self) -> u64 {
        self.words[Counter::Events as usize].load(Ordering::Relaxed)
    }

    /// Renews the time that hooks share while much is recorded. The sleeping thread may end that meanwhile.
    #[cold]
    fn renew_time(&self) {
        let now = &self.process.now;
        let held = now.load(Ordering::Relaxed);
        if held != 0 {
            // If it fails, the thread or another hook was first.
            now.compare_exchange(held, coarse_time(), Ordering::Relaxed, Ordering::Relaxed).ok();
        }
    }

    #[inline(always)]
    fn write_event(&self, sequence: u64, event: [u64; Section::Events.entry_words()]) {
        let index = usize::try_from(sequence - 1).unwrap_or(0);
        self.store(self.event_place(index), event);
        // The ring is larger than the cache: the line of an event to come is on its way meanwhile.
        prefetch_for_write(&self.words[self.event_place(index + EVENTS_AHEAD)]);
    }

    /// First word of an event in the ring, by its number from 0.
    #[inline(always)]
    fn event_place(&self, index: usize) -> usize {
        let mask = self.process.events_mask.load(Ordering::Relaxed);
        self.process.events_first.load(Ordering::Relaxed)
            + (index & mask) * Section::Events.entry_words()
    }

    /// Adds to the bytes and the number of live buffers of a kind. Returns both afterwards.
    #[inline(always)]
    fn add_live(&self, block: usize, step: u64, turn: Turn) -> u64 {
        let word = &self.words[block + KindWord::Live as usize];
        match turn {
            Turn::Alone => {
                let live = word.load(Ordering::Relaxed).wrapping_add(step);
                word.store(live, Ordering::Release);
                live
            }
            Turn::Shared => word.fetch_add(step, Ordering::AcqRel).wrapping_add(step),
        }
    }

    /// Notes what led to a peak. If two threads make one at the same time, one of them may leave no note; the reader
    /// sees that note and peak differ.
    #[inline(always)]
    fn raise_peak(&self, block: usize, live: u64, event: u64, now: Circumstances) {
        let (bytes_per_bank, buffers) = live_from_word(live);
        let peak = &self.words[block + KindWord::Peak as usize];
        if bytes_per_bank <= peak.load(Ordering::Relaxed)
            || bytes_per_bank <= peak.fetch_max(bytes_per_bank, Ordering::AcqRel)
        {
            return;
        }
        let origin = PeakOrigin {
            bytes_per_bank,
            buffers,
            time: now.time,
            event,
            thread: now.thread,
            name: now.name,
        };
        self.store::<{ PeakOrigin::WORDS }>(
            block + KindWord::PeakOrigin as usize,
            origin.to_words(),
        );
    }

    #[inline]
    fn add_origin(&self, block: usize, origin: Origin, bytes: u64) {
        let word = match origin {
            Origin::Plain => return,
            Origin::Kernels => KindWord::Kernels,
            Origin::Trace => KindWord::Traces,
        };
        self.words[block + word as usize].fetch_add(bytes, Ordering::Relaxed);
    }

    /// Takes a step off a word of [`live_step`]s, unless it does not hold one.
    fn take_step(&self, word: usize, step: u64) -> bool {
        self.words[word]
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |held| {
                let enough = live_from_word(held).0 >= live_from_word(step).0 && held >= step;
                enough.then(|| held - step)
            })
            .is_ok()
    }

    /// Adds one to a counter of the header.
    #[inline]
    pub(crate) fn count(&self, counter: Counter) {
        self.words[counter as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Writes an entry, its first word last: a key or number there makes the entry visible.
    #[inline(always)]
    pub(crate) fn store<const COUNT: usize>(&self, first: usize, words: [u64; COUNT]) {
        let slots = &self.words[first..first + COUNT];
        for index in 1..COUNT {
            slots[index].store(words[index].to_le(), Ordering::Relaxed);
        }
        slots[0].store(words[0].to_le(), Ordering::Release);
    }

    /// Reads an entry, which may be half written.
    #[inline(always)]
    pub(crate) fn load<const COUNT: usize>(&self, first: usize) -> [u64; COUNT] {
        let slots = &self.words[first..first + COUNT];
        std::array::from_fn(|index| u64::from_le(slots[index].load(Ordering::Acquire)))
    }
}

/// First word of the block of a kind. An allocator that is none lands in some other's block, never outside.
#[inline]
pub(crate) fn kind_block(allocator: u8, kind: AllocatorKind) -> usize {
    Plan::FIRST_ALLOCATOR_WORD
        + (usize::from(allocator) % ALLOCATORS) * Section::Allocators.entry_words()
        + layout::kind_block(kind)
}

mod programs;
mod shape;
mod table;
#[cfg(test)]
mod tests;
