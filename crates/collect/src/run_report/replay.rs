//! Which buffers lived at which moment, from the events.
//!
//! The ring of events may have lost its beginning. What lived before the first event that is left shows all the same: it
//! is in the table still, or an event tells of its end.

use std::collections::BTreeMap;

use ttmem_model::segment::{Allocator, Buffer, BufferKind, Event, EventKind, Op, Origin, Segment};

use super::ReportChip;

/// A segment, with what is found by index.
#[derive(Debug)]
pub(super) struct Replay<'a> {
    pub(super) segment: &'a Segment,
}

/// A buffer at some moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lived<'a> {
    pub(super) allocator: u8,
    pub(super) kind: BufferKind,
    pub(super) origin: Origin,
    pub(super) address: u64,
    pub(super) bytes_per_bank: u64,
    pub(super) requested: u64,
    /// When it was allocated, if that is known.
    pub(super) time: Option<u64>,
    pub(super) op: Option<&'a Op>,
}

/// Two buffers of an allocator and kind never have the same address.
type Key = (u8, BufferKind, u64);

/// The buffers that live, while events go by.
#[derive(Clone, Debug, Default)]
pub(super) struct Living<'a>(BTreeMap<Key, Lived<'a>>);

impl<'a> Replay<'a> {
    pub(super) fn new(segment: &'a Segment) -> Self {
        Self { segment }
    }

    /// True if every event from the first on is there.
    pub(super) fn is_complete(&self) -> bool {
        let events = &self.segment.events;
        self.segment.losses.events_overwritten == 0
            && (1..).zip(events).all(|(number, event)| event.sequence == number)
    }

    /// The allocator with an index. Of an entry that was used anew the old one is not known any more.
    pub(super) fn allocator(&self, index: u8) -> Option<&'a Allocator> {
        self.segment.allocators.iter().find(|allocator| allocator.index == index)
    }

    /// Banks of the kind, 0 if the allocator is not known.
    pub(super) fn banks(&self, index: u8, kind: BufferKind) -> u64 {
        self.allocator(index).map_or(0, |allocator| allocator.kind(kind).banks)
    }

    /// The chips of an allocator, by number.
    pub(super) fn chips(&self, index: u8) -> Vec<ReportChip> {
        let indexes = self.allocator(index).map(|allocator| allocator.chips.as_slice());
        let chip = |index: &usize| {
            let chip = self.segment.chips.get(*index)?;
            Some(ReportChip { device: chip.device, unique_id: chip.unique_id })
        };
        let mut chips: Vec<ReportChip> =
            indexes.unwrap_or_default().iter().filter_map(chip).collect();
        chips.sort_unstable();
        chips
    }

    /// What lived before the first event that is left.
    pub(super) fn before(&self) -> Living<'a> {
        let mut living = Living::default();
        let Some(first) = self.segment.events.first().map(|event| event.sequence) else {
            return self.at_the_end();
        };
        for buffer in self.segment.buffers.iter().filter(|buffer| buffer.sequence < first) {
            living.put(of_table(buffer));
        }
        let mut allocated = std::collections::BTreeSet::new();
        for event in &self.segment.events {
            let Some(key) = key(event) else { continue };
            match event.kind {
                EventKind::Allocate => {
                    allocated.insert(key);
                }
                EventKind::Free if !allocated.remove(&key) => living.put(of_end(event, key)),
                _ => {}
            }
        }
        living
    }

    /// What lives according to the table.
    pub(super) fn at_the_end(&self) -> Living<'a> {
        let mut living = Living::default();
        for buffer in &self.segment.buffers {
            living.put(of_table(buffer));
        }
        living
    }

    /// What lived right after an event; `None` if that event is not there any more.
    pub(super) fn after(&self, sequence: u64) -> Option<Living<'a>> {
        let events = &self.segment.events;
        events.binary_search_by_key(&sequence, |event| event.sequence).ok()?;
        let mut living = self.before();
        for event in events.iter().take_while(|event| event.sequence <= sequence) {
            living.apply(event);
        }
        Some(living)
    }

    /// Microseconds from the first use of TT-Metal to a monotonic time.
    pub(super) fn after_us(&self, time: u64) -> u64 {
        time.saturating_sub(self.segment.header.monotonic_time) / 1000
    }
}

impl<'a> Living<'a> {
    fn put(&mut self, lived: Lived<'a>) {
        self.0.insert((lived.allocator, lived.kind, lived.address), lived);
    }

    /// The buffers that an event is the end of. An address that is handed out anew was free.
    pub(super) fn ended_by(&self, event: &Event) -> Vec<Lived<'a>> {
        match (event.kind, key(event)) {
            (EventKind::Allocate | EventKind::Free, Some(key)) => {
                self.0.get(&key).copied().into_iter().collect()
            }
            (EventKind::MassFree | EventKind::AllocatorDestroyed, _) => {
                let of_allocator = |lived: &&Lived<'a>| Some(lived.allocator) == event.allocator;
                self.iter().filter(of_allocator).copied().collect()
            }
            _ => Vec::new(),
        }
    }

    /// Lets an event happen.
    pub(super) fn apply(&mut self, event: &'a Event) {
        match (event.kind, key(event)) {
            (EventKind::Allocate, Some(key)) => self.put(Lived {
                time: Some(event.time),
                op: event.op.as_ref(),
                ..of_end(event, key)
            }),
            (EventKind::Free, Some(key)) => {
                self.0.remove(&key);
            }
            (EventKind::MassFree | EventKind::AllocatorDestroyed, _) => {
                self.0.retain(|(allocator, ..), _| Some(*allocator) != event.allocator);
            }
            _ => {}
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Lived<'a>> {
        self.0.values()
    }
}

fn key(event: &Event) -> Option<Key> {
    Some((event.allocator?, event.buffer_kind, event.address))
}

fn of_table(buffer: &Buffer) -> Lived<'_> {
    Lived {
        allocator: buffer.allocator,
        kind: buffer.kind,
        origin: buffer.origin,
        address: buffer.address,
        bytes_per_bank: buffer.bytes_per_bank,
        requested: buffer.requested,
        time: Some(buffer.time),
        op: buffer.op.as_ref(),
    }
}

/// A buffer of which only the end is known. The event's op is the one that freed it.
fn of_end(event: &Event, (allocator, kind, address): Key) -> Lived<'_> {
    Lived {
        allocator,
        kind,
        origin: event.origin,
        address,
        bytes_per_bank: event.bytes_per_bank,
        requested: event.requested,
        time: None,
        op: None,
    }
}

/// The name of an op; none if the code has none.
pub(super) fn name(op: Option<&Op>) -> Option<String> {
    op.map(|op| op.name.to_string()).filter(|name| !name.is_empty())
}
