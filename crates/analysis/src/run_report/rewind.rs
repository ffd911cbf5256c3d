//! A segment as it was at an earlier moment, for many moments of one segment.
//!
//! The lifetimes are computed once, in one pass over the events; a moment is then a walk over lifetimes. If the events
//! do not cover a moment, the answer is the reason: an incomplete list is not returned.

use std::collections::BTreeMap;
use std::fmt;

use ttmem_model::Timestamp;
use ttmem_model::buffers::Block;
use ttmem_model::order;
use ttmem_model::order::Gather as _;
use ttmem_recording::civil::Civil;
use ttmem_segment::{
    AgentState, Allocator, AllocatorKind, Event, EventKind, KindUse, Segment, Statistics,
};

use super::replay::Replay;
use ttmem_merge::bank::{self, Bank};
use ttmem_merge::listing::{Figures, KindUsage, Open, Provenance, SegmentBuffer, SegmentView};

/// The knowledge of a moment.
#[derive(Debug)]
pub(super) enum Then<'a> {
    /// The agent began later.
    NotYet,
    /// The live buffers, all of them known.
    Known(SegmentView<'a>),
    /// The moment is not covered by the events.
    Unknown(Gap),
}

/// The reason that the events do not tell of a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    /// The events of the moment are overwritten; the first that is left has this time.
    Overwritten(Timestamp),
    /// Buffers that live at the moment were allocated by events that are overwritten, and went all at once at this
    /// time.
    Hidden(Timestamp),
    /// Buffers that live at the moment were allocated by events that are overwritten, and the table has no room for
    /// them.
    Unlisted,
    /// Events of around the moment could not be read.
    Torn,
    /// The agent switched itself off after this time.
    SwitchedOff(Timestamp),
    /// The entry of an allocator that was open at the moment was reused since.
    Reused,
}

impl fmt::Display for Gap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overwritten(first) => write!(
                formatter,
                "the events of its agent before {} are overwritten; a larger TTMEM_SEGMENT_MB keeps more",
                Clock(*first)
            ),
            Self::Hidden(end) => write!(
                formatter,
                "what it freed all at once at {} was allocated by events that are overwritten; a larger \
                 TTMEM_SEGMENT_MB keeps more",
                Clock(*end)
            ),
            Self::Unlisted => formatter.write_str(
                "its agent's table had no room for some, and the events of those are overwritten; a larger \
                 TTMEM_SEGMENT_MB keeps more",
            ),
            Self::Torn => formatter.write_str("events of its agent around this moment cannot be read"),
            Self::SwitchedOff(last) => write!(
                formatter,
                "its agent found a defect in itself and switched itself off after {}",
                Clock(*last)
            ),
            Self::Reused => formatter.write_str(
                "the agent's entry of a device that was open at this moment was reused for another device",
            ),
        }
    }
}

/// The time of day.
pub(super) struct Clock(pub(super) Timestamp);

impl fmt::Display for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { second_of_day: second, microsecond, .. } = Civil::of(self.0);
        let (hour, minute) = (second / 3600, second / 60 % 60);
        let (second, millisecond) = (second % 60, microsecond / 1000);
        write!(formatter, "{hour:02}:{minute:02}:{second:02}.{millisecond:03} UTC")
    }
}

/// A segment, and when each of its buffers live.
#[derive(Debug)]
pub(super) struct Rewind {
    /// The segment, without the events before and after the longest run without a gap.
    segment: Segment,
    /// The monotonic time of the last event that could be read at all.
    last: u64,
    /// The monotonic time of each event, or of a later one before it: threads write theirs as they come.
    times: Vec<u64>,
    lives: Vec<Life>,
    /// Number of events after which an allocator's entry belongs to its present allocator, for entries that were
    /// reused.
    entered: BTreeMap<u8, usize>,
    /// Number of events up to which the list may miss buffers of an allocator, with the reason.
    doubts: Vec<(usize, Gap)>,
    /// Address ranges that allocators hand out, where they can be derived.
    extents: BTreeMap<(u8, AllocatorKind), Extent>,
}

/// Life of a buffer: it is live after at least `from` and at most `to` events.
#[derive(Clone, Copy, Debug)]
struct Life {
    from: usize,
    to: usize,
    provenance: Provenance,
}

impl Life {
    /// Returns the sort key: order of allocation, as in the table. A buffer of which only the free is known comes
    /// first, since it was allocated early.
    fn order(&self) -> (usize, bool, usize) {
        let (Provenance::Table(position)
        | Provenance::Allocated(position)
        | Provenance::Freed(position)) = self.provenance;
        (self.from, matches!(self.provenance, Provenance::Table(_)), position)
    }

    fn is_at(&self, count: usize) -> bool {
        (self.from..=self.to).contains(&count)
    }
}

/// The first address that an allocator hands out, and the one after the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Extent {
    start: u64,
    end: u64,
}

impl Extent {
    /// The largest block that is free between buffers in the order of their addresses; `None` if they overlap.
    fn largest_between(self, blocks: &[Block]) -> Option<u64> {
        let (mut next, mut largest) = (self.start, 0);
        for block in blocks {
            largest = largest.max(block.address.checked_sub(next)?);
            next = block.address.checked_add(block.bytes)?;
        }
        Some(largest.max(self.end.checked_sub(next)?))
    }
}

impl Rewind {
    pub(super) fn new(mut segment: Segment) -> Self {
        let last = segment.events.iter().map(|event| event.time).max();
        keep_longest_run(&mut segment.events);
        let mut latest = 0;
        let time = |event: &Event| {
            latest = latest.max(event.time);
            latest
        };
        let times = segment.events.iter().map(time).collect();
        let lives = Replay::new(&segment).lives();
        let life = |life: super::replay::Life<'_>| Life {
            from: match life.live.provenance {
                Provenance::Allocated(position) => position + 1,
                Provenance::Table(_) | Provenance::Freed(_) => 0,
            },
            to: life.end.unwrap_or(usize::MAX),
            provenance: life.live.provenance,
        };
        let mut lives: Vec<Life> = lives.into_iter().map(life).collect();
        order::sort_by_key(&mut lives, Life::order);
        let events = segment.events.iter().enumerate();
        let entered = events
            .filter(|(_, event)| event.kind == EventKind::AllocatorSeen)
            .filter_map(|(position, event)| Some((event.allocator?, position + 1)))
            .collect();
        let mut rewind = Self {
            last: last.unwrap_or(segment.header.monotonic_time),
            segment,
            times,
            lives,
            entered,
            doubts: Vec::new(),
            extents: BTreeMap::new(),
        };
        rewind.doubts = rewind.find_doubts();
        rewind.extents = rewind.find_extents();
        rewind
    }

    /// The segment itself, whose events may be fewer than they were.
    pub(super) fn segment(&self) -> &Segment {
        &self.segment
    }

    /// True if the last event is over at a time of the segment.
    pub(super) fn is_over(&self, time: Timestamp) -> bool {
        self.monotonic(time) >= self.last
    }

    /// Returns the knowledge of a moment, by the segment's own time.
    pub(super) fn at(&self, time: Timestamp) -> Then<'_> {
        let header = &self.segment.header;
        let moment = self.monotonic(time);
        if time.0 < header.real_time / 1000 {
            return Then::NotYet;
        }
        let is_after_all = moment >= self.last;
        if is_after_all && header.state == AgentState::Off {
            return Then::Unknown(Gap::SwitchedOff(self.real(self.last)));
        }
        let ends_early = self.times.last().is_some_and(|last| *last < self.last);
        if is_after_all && ends_early {
            // The table is newer than the events that can be read.
            return Then::Known(SegmentView::now(&self.segment, time));
        }
        if ends_early && self.times.last().is_some_and(|last| moment >= *last) {
            return Then::Unknown(Gap::Torn);
        }
        let count = self.times.partition_point(|time| *time <= moment);
        if count == 0 && !self.is_complete() {
            return Then::Unknown(match self.times.first() {
                Some(first) => Gap::Overwritten(self.real(*first)),
                None => Gap::Torn,
            });
        }
        if let Some((_, gap)) = self.doubts.iter().find(|(until, _)| count < *until) {
            return Then::Unknown(*gap);
        }
        let at = self.lives.iter().filter(|life| life.is_at(count));
        let live: Vec<SegmentBuffer<'_>> =
            at.filter_map(|life| SegmentBuffer::at(&self.segment, life.provenance)).collect();
        let is_before_its_allocator = |live: &SegmentBuffer<'_>| {
            self.entered.get(&live.allocator).is_some_and(|entered| count < *entered)
        };
        if live.iter().any(is_before_its_allocator) {
            return Then::Unknown(Gap::Reused);
        }
        Then::Known(self.holding(time, live))
    }

    fn is_complete(&self) -> bool {
        match self.segment.events.first() {
            Some(first) => first.sequence == 1,
            None => self.segment.buffers.is_empty(),
        }
    }

    /// The last nanosecond of a microsecond, as the segment's clock counts.
    pub(super) fn monotonic(&self, time: Timestamp) -> u64 {
        self.segment.header.to_monotonic(time.0.saturating_mul(1000).saturating_add(999))
    }

    pub(super) fn real(&self, monotonic: u64) -> Timestamp {
        Timestamp(self.segment.header.to_real_time(monotonic) / 1000)
    }

    fn holding<'a>(&'a self, time: Timestamp, live: Vec<SegmentBuffer<'a>>) -> SegmentView<'a> {
        let moment = self.monotonic(time);
        let open = self.segment.allocators.iter().filter(|allocator| {
            allocator.opened <= moment && allocator.closed.is_none_or(|closed| closed > moment)
        });
        let open = open.map(|allocator| Open {
            allocator,
            kinds: AllocatorKind::ALL.map(|kind| self.held(allocator, kind, &live)),
        });
        SegmentView { segment: &self.segment, open: open.collect(), live, time }
    }

    /// Returns an allocator's use of a kind while these buffers live. Events cover every buffer, whether the table had
    /// room for it or not.
    fn held(
        &self,
        allocator: &Allocator,
        kind: AllocatorKind,
        live: &[SegmentBuffer<'_>],
    ) -> KindUsage {
        let own = live.iter().filter(|its| is_of(its, allocator.index, kind));
        let block = |its: &SegmentBuffer<'_>| Block {
            address: its.address,
            bytes: its.footprint.bytes_per_bank,
        };
        let mut blocks: Vec<Block> = own.map(block).collect();
        order::sort(&mut blocks);
        let extent = self.extents.get(&(allocator.index, kind)).copied();
        let live_bytes = blocks.iter().fold(0, |sum: u64, block| sum.saturating_add(block.bytes));
        KindUsage {
            live_bytes,
            live_buffers: blocks.len() as u64,
            unlisted_buffers: 0,
            figures: figures(allocator.kind(kind), live_bytes, extent, &blocks),
        }
    }

    /// Finds where the remaining events do not account for all live buffers: up to how many events, and the reason.
    fn find_doubts(&self) -> Vec<(usize, Gap)> {
        if self.is_complete() {
            return Vec::new();
        }
        let of_kind = |allocator: &Allocator| {
            let kinds = AllocatorKind::ALL.into_iter();
            kinds.filter_map(|kind| self.find_doubt(allocator, kind)).collect::<Vec<_>>()
        };
        self.segment.allocators.iter().flat_map(of_kind).collect()
    }

    /// Returns the use of one kind of an allocator. Allocations after everything was freed at once are known.
    fn find_doubt(&self, allocator: &Allocator, kind: AllocatorKind) -> Option<(usize, Gap)> {
        let held = allocator.kind(kind);
        if held.peak_bytes == 0 || self.entered.contains_key(&allocator.index) {
            return None;
        }
        let events = &self.segment.events;
        let is_own = |event: &Event| event.allocator == Some(allocator.index);
        let drops = |event: &Event| {
            matches!(event.kind, EventKind::MassFree | EventKind::AllocatorDestroyed)
        };
        let dropped = events.iter().position(|event| is_own(event) && drops(event));
        let until = dropped.unwrap_or(events.len());
        let changes = |event: &&Event| {
            is_own(event)
                && event.footprint.kind == kind
                && matches!(event.kind, EventKind::Allocate | EventKind::Free)
        };
        let before = self.lives.iter().filter(|life| life.from == 0);
        let before = before.filter_map(|life| SegmentBuffer::at(&self.segment, life.provenance));
        let mut sum = before
            .filter(|live| is_of(live, allocator.index, kind))
            .fold(0, |sum: u64, live| sum.saturating_add(live.footprint.bytes_per_bank));
        let (mut agree, mut differ) = (0_u64, 0_u64);
        for event in events[..until].iter().filter(changes) {
            sum = match event.kind {
                EventKind::Allocate => sum.saturating_add(event.footprint.bytes_per_bank),
                _ => sum.saturating_sub(event.footprint.bytes_per_bank),
            };
            // Two threads may note their sums in another order than their events.
            *(if sum == event.live_after { &mut agree } else { &mut differ }) += 1;
        }
        let is_known = match (agree + differ, dropped) {
            (0, None) => sum == held.live_bytes,
            // Nothing tells whether there was one.
            (0, Some(_)) => false,
            _ => agree > differ,
        };
        let gap = match dropped.and_then(|position| events.get(position)) {
            Some(event) => Gap::Hidden(self.real(event.time)),
            None => Gap::Unlisted,
        };
        (!is_known).then_some((dropped.map_or(usize::MAX, |position| position + 1), gap))
    }

    fn find_extents(&self) -> BTreeMap<(u8, AllocatorKind), Extent> {
        let mut ends: BTreeMap<(u8, AllocatorKind), Extent> = BTreeMap::new();
        for life in &self.lives {
            let Some(live) = SegmentBuffer::at(&self.segment, life.provenance) else { continue };
            let own = Extent {
                start: live.address,
                end: live.address.saturating_add(live.footprint.bytes_per_bank),
            };
            let known = ends.entry((live.allocator, live.footprint.kind)).or_insert(own);
            known.start = known.start.min(own.start);
            known.end = known.end.max(own.end);
        }
        let extent = |((index, kind), ends): (&(u8, AllocatorKind), &Extent)| {
            let allocator = Replay::new(&self.segment).allocator(*index)?;
            let provenance = allocator.kind(*kind).statistics?;
            let first =
                || self.is_complete().then(|| by_ends(*kind, *ends, provenance.total)).flatten();
            let found = [self.extent_by_statistics(*index, *kind, provenance), first()];
            let is_wide = |it: &Extent| it.start <= ends.start && ends.end <= it.end;
            let extent = found.into_iter().flatten().find(is_wide)?;
            Some(((*index, *kind), extent))
        };
        ends.iter().filter_map(extent).gather()
    }

    /// Derives the range from TT-Metal's figures and the buffers, at the moment of the figures, as the live view does.
    fn extent_by_statistics(
        &self,
        index: u8,
        kind: AllocatorKind,
        provenance: Statistics,
    ) -> Option<Extent> {
        let count = self.times.partition_point(|time| *time <= provenance.time);
        let at = self.lives.iter().filter(|life| life.is_at(count));
        let live = at.filter_map(|life| SegmentBuffer::at(&self.segment, life.provenance));
        let own = live.filter(|live| is_of(live, index, kind));
        let blocks = own
            .map(|live| Block { address: live.address, bytes: live.footprint.bytes_per_bank })
            .collect();
        let Statistics { total: allocatable, free, largest_free, .. } = provenance;
        let map = bank::map(kind.into(), Bank { allocatable, free, largest_free }, blocks)?;
        Some(Extent { start: map.start, end: map.end })
    }
}

/// The first buffer in an empty bank is at its closed end: below in DRAM, above in L1.
fn by_ends(kind: AllocatorKind, ends: Extent, total: u64) -> Option<Extent> {
    Some(match kind {
        AllocatorKind::L1 | AllocatorKind::L1Small => {
            Extent { start: ends.end.checked_sub(total)?, ..ends }
        }
        AllocatorKind::Dram | AllocatorKind::Trace => {
            Extent { end: ends.start.checked_add(total)?, ..ends }
        }
    })
}

/// TT-Metal's figures as they must have been: it counts what the agent counts, as far as the two agreed.
fn figures(
    provenance: &KindUse,
    live_bytes: u64,
    extent: Option<Extent>,
    blocks: &[Block],
) -> Option<Figures> {
    let allocatable = provenance.statistics.filter(|_| provenance.residual == Some(0))?.total;
    let free = allocatable.checked_sub(live_bytes)?;
    let largest_free = match blocks {
        [] => Some(allocatable),
        blocks => extent.and_then(|extent| extent.largest_between(blocks)),
    };
    Some(Figures { allocatable, free, largest_free })
}

fn is_of(live: &SegmentBuffer<'_>, allocator: u8, kind: AllocatorKind) -> bool {
    live.allocator == allocator && live.footprint.kind == kind
}

/// Leaves the longest run of events of which none is missing.
fn keep_longest_run(events: &mut Vec<Event>) {
    let (mut best, mut start) = (0..0, 0);
    for position in 1..=events.len() {
        let follows =
            |event: &Event| event.sequence == events[position - 1].sequence.wrapping_add(1);
        if !events.get(position).is_some_and(follows) {
            if position - start > best.len() {
                best = start..position;
            }
            start = position;
        }
    }
    events.truncate(best.end);
    events.drain(..best.start);
}

#[cfg(test)]
mod tests;
