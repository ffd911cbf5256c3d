//! Finds the buffers that live at each moment, from the events.
//!
//! The ring of events may have lost its beginning. Buffers that live before the first remaining event are known all the
//! same: they are still in the table, or an event records their end.

use std::collections::{BTreeMap, BTreeSet};

use ttmem_model::order;
use ttmem_model::order::Gather as _;

use ttmem_segment::{Allocator, AllocatorKind, Event, EventKind, Op, Segment};

use super::ReportChip;
use ttmem_merge::listing::SegmentBuffer;

/// A segment, with what is found by index.
#[derive(Debug)]
pub(super) struct Replay<'a> {
    pub(super) segment: &'a Segment,
}

/// Two buffers of an allocator and kind never have the same address.
type Key = (u8, AllocatorKind, u64);

/// The buffers that live, while events go by.
#[derive(Clone, Debug, Default)]
pub(super) struct LiveSet<'a>(BTreeMap<Key, SegmentBuffer<'a>>);

/// A buffer, and the event that was its end.
pub(super) struct Life<'a> {
    pub(super) live: SegmentBuffer<'a>,
    /// The position of that event among the events; `None` if it is still live.
    pub(super) end: Option<usize>,
}

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

    /// The allocator with an index. The previous allocator of a reused entry is not known any more.
    pub(super) fn allocator(&self, index: u8) -> Option<&'a Allocator> {
        self.segment.allocators.iter().find(|allocator| allocator.index == index)
    }

    /// The position among the events from which on an index is that of its present allocator.
    pub(super) fn entered(&self) -> BTreeMap<u8, usize> {
        let events = self.segment.events.iter().enumerate();
        events
            .filter(|(_, event)| event.kind == EventKind::AllocatorSeen)
            .filter_map(|(position, event)| Some((event.allocator?, position)))
            .gather()
    }

    /// Banks of the kind, 0 if the allocator is not known.
    pub(super) fn banks(&self, index: u8, kind: AllocatorKind) -> u64 {
        self.allocator(index).map_or(0, |allocator| allocator.kind(kind).banks)
    }

    /// The chips of an allocator, by number.
    pub(super) fn chips(&self, index: u8) -> Vec<ReportChip> {
        let indexes = self.allocator(index).map(|allocator| allocator.chips.as_slice());
        let chip = |index: &usize| {
            let chip = self.segment.chips.get(*index)?;
            Some(ReportChip { device: chip.device, unique_id: chip.unique_id, index: None })
        };
        let mut chips: Vec<ReportChip> =
            indexes.unwrap_or_default().iter().filter_map(chip).collect();
        order::sort(&mut chips);
        chips
    }

    /// The chip, if the process has opened no other.
    pub(super) fn only_chip(&self) -> Vec<ReportChip> {
        match self.segment.chips.as_slice() {
            [chip] => {
                vec![ReportChip { device: chip.device, unique_id: chip.unique_id, index: None }]
            }
            _ => Vec::new(),
        }
    }

    /// The live buffers before the first remaining event.
    pub(super) fn before(&self) -> LiveSet<'a> {
        let mut living = LiveSet::default();
        let Some(first) = self.segment.events.first().map(|event| event.sequence) else {
            return self.at_the_end();
        };
        let in_table = self.segment.buffers.iter().enumerate();
        for (position, buffer) in in_table.filter(|(_, buffer)| buffer.sequence < first) {
            living.put(SegmentBuffer::of_table(position, buffer));
        }
        let mut allocated = BTreeSet::new();
        for (position, event) in self.segment.events.iter().enumerate() {
            let Some(key) = key(event) else { continue };
            match event.kind {
                EventKind::Allocate => {
                    allocated.insert(key);
                }
                EventKind::Free if !allocated.remove(&key) => {
                    SegmentBuffer::of_end(position, event)
                        .into_iter()
                        .for_each(|live| living.put(live));
                }
                _ => {}
            }
        }
        living
    }

    /// The live buffers in the table.
    pub(super) fn at_the_end(&self) -> LiveSet<'a> {
        let mut living = LiveSet::default();
        for (position, buffer) in self.segment.buffers.iter().enumerate() {
            living.put(SegmentBuffer::of_table(position, buffer));
        }
        living
    }

    /// The event with a number; `None` if it is not there any more.
    pub(super) fn event(&self, sequence: u64) -> Option<&'a Event> {
        let events = &self.segment.events;
        let position = events.binary_search_by_key(&sequence, |event| event.sequence).ok()?;
        events.get(position)
    }

    /// The live buffers right after an event; `None` if that event is not there any more.
    pub(super) fn after(&self, sequence: u64) -> Option<LiveSet<'a>> {
        let events = &self.segment.events;
        let last = events.binary_search_by_key(&sequence, |event| event.sequence).ok()?;
        let mut living = self.before();
        for (position, event) in events.iter().enumerate().take(last + 1) {
            living.apply(position, event);
        }
        Some(living)
    }

    /// Every buffer in the events or the table, in the order of their ends.
    pub(super) fn lives(&self) -> Vec<Life<'a>> {
        let mut living = self.before();
        let mut lives = Vec::new();
        for (position, event) in self.segment.events.iter().enumerate() {
            for live in living.ended_by(event) {
                lives.push(Life { live, end: Some(position) });
            }
            living.apply(position, event);
        }
        lives.extend(living.iter().map(|live| Life { live: *live, end: None }));
        lives
    }

    /// Microseconds from the first use of TT-Metal to a monotonic time.
    pub(super) fn after_us(&self, time: u64) -> u64 {
        time.saturating_sub(self.segment.header.monotonic_time) / 1000
    }
}

impl<'a> LiveSet<'a> {
    pub(super) fn put(&mut self, live: SegmentBuffer<'a>) {
        self.0.insert((live.allocator, live.footprint.kind, live.address), live);
    }

    /// The buffers that an event ends. An address that is reused was free.
    pub(super) fn ended_by(&self, event: &Event) -> Vec<SegmentBuffer<'a>> {
        match (event.kind, key(event)) {
            (EventKind::Allocate | EventKind::Free, Some(key)) => {
                self.0.get(&key).copied().into_iter().collect()
            }
            (EventKind::MassFree | EventKind::AllocatorDestroyed, _) => {
                let of_allocator =
                    |live: &&SegmentBuffer<'a>| Some(live.allocator) == event.allocator;
                self.iter().filter(of_allocator).copied().collect()
            }
            _ => Vec::new(),
        }
    }

    /// Lets an event happen.
    pub(super) fn apply(&mut self, position: usize, event: &'a Event) {
        match (event.kind, key(event)) {
            (EventKind::Allocate, Some(_)) => {
                let live = SegmentBuffer::of_allocation(position, event);
                live.into_iter().for_each(|live| self.put(live));
            }
            (EventKind::Free, Some(key)) => {
                self.0.remove(&key);
            }
            (EventKind::MassFree | EventKind::AllocatorDestroyed, _) => {
                self.0.retain(|(allocator, ..), _| Some(*allocator) != event.allocator);
            }
            _ => {}
        }
    }

    /// The buffers of an allocator that share bytes with a buffer of another one.
    pub(super) fn sharing(
        &self,
        allocator: u8,
        with: &SegmentBuffer<'_>,
    ) -> impl Iterator<Item = &SegmentBuffer<'a>> {
        let (kind, start) = (with.footprint.kind, with.address);
        let end = start.saturating_add(with.footprint.bytes_per_bank);
        // Those of one allocator are apart, so that the first one below ends the search.
        let below = self.0.range((allocator, kind, 0)..(allocator, kind, end)).rev();
        below.map(|(_, live)| live).take_while(move |live| {
            live.address.saturating_add(live.footprint.bytes_per_bank) > start
        })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &SegmentBuffer<'a>> {
        self.0.values()
    }
}

fn key(event: &Event) -> Option<Key> {
    Some((event.allocator?, event.footprint.kind, event.address))
}

/// The name of an op; none if the code has none.
pub(super) fn name(op: Option<&Op>) -> Option<String> {
    op.map(|op| op.name.to_string()).filter(|name| !name.is_empty())
}
