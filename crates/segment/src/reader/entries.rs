//! Buffers, events and failures.

use super::super::contents::{Buffer, Event, Failure, Footprint, Losses};
use super::super::entry::{BufferEntry, EventEntry, FailureEntry, Tags};
use super::super::layout::{Counter, Section};
use super::View;
use crate::order;

impl View<'_> {
    pub(super) fn buffers(&self, losses: &mut Losses) -> Vec<Buffer> {
        let table = self.tables[Section::Buffers as usize];
        let mut buffers = Vec::new();
        for index in 0..table.entries {
            let first = table.entry(index);
            if self.word(first) < BufferEntry::FIRST_KEY {
                continue;
            }
            match BufferEntry::from_words(self.words(first)) {
                Some(entry) => buffers.push(self.buffer(&entry)),
                None => losses.torn += 1,
            }
        }
        order::sort_by_number(&mut buffers, |buffer| buffer.sequence);
        buffers
    }

    fn buffer(&self, entry: &BufferEntry) -> Buffer {
        let Tags { allocator, kind, origin, layout, name } = entry.tags;
        Buffer {
            allocator,
            kind,
            origin,
            layout,
            address: entry.address,
            bytes_per_bank: entry.bytes_per_bank,
            requested: entry.requested,
            page_bytes: entry.page_bytes,
            block_padding: entry.block_padding,
            sequence: entry.sequence,
            time: entry.time,
            thread: entry.thread,
            op: self.op(name),
            stack: self.stack(entry.stack),
            shape: self.shape(entry.shape),
        }
    }

    /// The events whose numbers fit their positions in the ring.
    pub(super) fn events(&self, losses: &mut Losses) -> Vec<Event> {
        let table = self.tables[Section::Events as usize];
        let written = self.counter(Counter::Events);
        let mut events = Vec::new();
        for index in 0..table.entries {
            let words = self.words(table.entry(index));
            if words == [0; 8] {
                continue;
            }
            let entry = EventEntry::from_words(words).filter(|entry| {
                ring_index(entry.sequence, table.entries) == Some(index)
                    && entry.sequence <= written.saturating_add(table.entries as u64)
            });
            match entry {
                Some(entry) => events.push(self.event(&entry)),
                None => losses.torn += 1,
            }
        }
        events.sort_unstable_by_key(|event| event.sequence);
        events
    }

    fn event(&self, entry: &EventEntry) -> Event {
        let Tags { allocator, kind, origin, layout, name } = entry.tags;
        Event {
            sequence: entry.sequence,
            kind: entry.kind,
            time: entry.time,
            thread: entry.thread,
            allocator: (allocator != Tags::NO_ALLOCATOR).then_some(allocator),
            origin,
            address: entry.address,
            footprint: Footprint {
                kind,
                layout,
                bytes_per_bank: entry.bytes_per_bank,
                block_padding: entry.block_padding,
                requested: entry.requested,
                page_bytes: entry.page_bytes,
            },
            live_after: entry.live_after,
            op: self.op(name),
            stack: self.stack(entry.stack),
            shape: self.shape(entry.shape),
        }
    }

    pub(super) fn failures(&self, losses: &mut Losses) -> Vec<Failure> {
        let table = self.tables[Section::Failures as usize];
        let mut failures = Vec::new();
        for index in 0..table.entries {
            let words = self.words(table.entry(index));
            if words == [0; 16] {
                continue;
            }
            let entry = FailureEntry::from_words(words)
                .filter(|entry| ring_index(entry.sequence, table.entries) == Some(index));
            match entry {
                Some(entry) => failures.push(self.failure(&entry)),
                None => losses.torn += 1,
            }
        }
        order::sort_by_number(&mut failures, |failure| failure.sequence);
        failures
    }

    fn failure(&self, entry: &FailureEntry) -> Failure {
        let Tags { allocator, kind, origin, layout: _, name } = entry.tags;
        Failure {
            sequence: entry.sequence,
            time: entry.time,
            thread: entry.thread,
            allocator,
            kind,
            origin,
            requested: entry.requested,
            bytes_per_bank: entry.bytes_per_bank,
            page_bytes: entry.page_bytes,
            banks: entry.banks,
            statistics: entry.statistics,
            live_bytes: entry.live_bytes,
            live_buffers: entry.live_buffers,
            event: entry.event,
            op: self.op(name),
            stack: self.stack(entry.stack),
        }
    }
}

/// The index in a ring of the entry with a number from 1.
pub(super) fn ring_index(sequence: u64, entries: usize) -> Option<usize> {
    let index = sequence.checked_sub(1)?.checked_rem(entries as u64)?;
    usize::try_from(index).ok()
}
