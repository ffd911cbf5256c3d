//! Buffers of two allocators on the same addresses of a chip: one overwrites the other.

use std::collections::BTreeMap;

use serde::Serialize;
use ttmem_merge::listing::SegmentBuffer;
use ttmem_merge::words::{allocator_in_words, frames};
use ttmem_model::Kind;
use ttmem_model::order::Gather as _;
use ttmem_model::stack::StackFrame;
use ttmem_segment::{Allocator, AllocatorKind, Event, EventKind};

use super::ReportChip;
use super::replay::{LiveSet, Replay, name};

/// Addresses that two allocators handed out at the same time, on each of some chips.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Overlap {
    /// The chips.
    pub chips: Vec<ReportChip>,
    /// The kind.
    pub kind: Kind,
    /// The most bytes of all banks of a chip at a time that were handed out more than once.
    pub bytes: u64,
    /// Microseconds from the first use of TT-Metal to that moment.
    pub after_us: u64,
    /// The first two buffers that shared bytes then.
    pub buffers: [OverlappingBuffer; 2],
}

/// One of two buffers that share bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OverlappingBuffer {
    /// Allocator of the buffer, such as `mesh allocator 1 (2 chips)`.
    pub allocator: String,
    /// Address in every bank.
    pub address: u64,
    /// Bytes in every bank.
    pub bytes_per_bank: u64,
    /// The op that allocated it.
    pub op: Option<String>,
    /// The calls of Python that led there, the innermost first; empty if they are not known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stack: Vec<StackFrame>,
}

/// The live buffers that share bytes, while events go by.
pub(super) struct Tracker<'a> {
    allocators: BTreeMap<u8, &'a Allocator>,
    entered: BTreeMap<u8, usize>,
    living: LiveSet<'a>,
    pairs: Vec<[SegmentBuffer<'a>; 2]>,
}

impl<'a> Tracker<'a> {
    /// A tracker before the first event; `None` if no two allocators can hand out the same bytes.
    pub(super) fn new(replay: &Replay<'a>) -> Option<Self> {
        // A sub-device's allocator has a range of its own inside that of its mesh, and a mesh knows what single cores hold.
        let allocators: BTreeMap<u8, &Allocator> = replay
            .segment
            .allocators
            .iter()
            .filter(|allocator| allocator.role.has_all_banks())
            .map(|allocator| (allocator.index, allocator))
            .gather();
        let share = |one: &&Allocator, other: &&Allocator| {
            one.index < other.index && shared_chips(one, other).next().is_some()
        };
        let may_overlap =
            allocators.values().any(|one| allocators.values().any(|other| share(one, other)));
        if !may_overlap {
            return None;
        }
        let mut tracker = Self {
            allocators,
            entered: replay.entered(),
            living: LiveSet::default(),
            pairs: Vec::new(),
        };
        for live in replay.before().iter() {
            tracker.pair(live);
            tracker.living.put(*live);
        }
        Some(tracker)
    }

    /// Lets an event happen. Returns true if other buffers share bytes than before.
    pub(super) fn step(&mut self, position: usize, event: &'a Event) -> bool {
        let before = self.pairs.len();
        for ended in self.living.ended_by(event) {
            let is_it = |live: &SegmentBuffer<'_>| {
                (live.allocator, live.footprint.kind, live.address)
                    == (ended.allocator, ended.footprint.kind, ended.address)
            };
            self.pairs.retain(|pair| !pair.iter().any(is_it));
        }
        let mut is_changed = self.pairs.len() != before;
        self.living.apply(position, event);
        let of_present_allocator =
            |index: u8| self.entered.get(&index).is_none_or(|entered| position >= *entered);
        if event.kind == EventKind::Allocate
            && event.allocator.is_some_and(of_present_allocator)
            && let Some(live) = SegmentBuffer::of_allocation(position, event)
        {
            let before = self.pairs.len();
            self.pair(&live);
            is_changed |= self.pairs.len() != before;
        }
        is_changed
    }

    /// Finds the buffers of other allocators that share bytes with a buffer.
    fn pair(&mut self, live: &SegmentBuffer<'a>) {
        let Some(own) = self.allocators.get(&live.allocator) else { return };
        for other in self.allocators.values().filter(|other| other.index != own.index) {
            if shared_chips(own, other).next().is_some() {
                let others = self.living.sharing(other.index, live);
                self.pairs.extend(others.map(|other| [*other, *live]));
            }
        }
    }

    /// The pairs of a kind that share bytes of a chip.
    fn on(
        &self,
        chip: usize,
        kind: AllocatorKind,
    ) -> impl Iterator<Item = &[SegmentBuffer<'a>; 2]> {
        let is_there = move |live: &SegmentBuffer<'_>| {
            live.footprint.kind == kind
                && self
                    .allocators
                    .get(&live.allocator)
                    .is_some_and(|allocator| allocator.chips.contains(&chip))
        };
        self.pairs.iter().filter(move |pair| pair.iter().all(is_there))
    }

    /// Bytes of all banks of a chip that are handed out more than once.
    pub(super) fn excess(&self, chip: usize, kind: AllocatorKind) -> u64 {
        let buffers: BTreeMap<_, _> = self
            .on(chip, kind)
            .flatten()
            .map(|live| ((live.address, live.allocator), live))
            .gather();
        let mut excess = 0_u64;
        let mut covered = 0;
        for live in buffers.values() {
            let end = live.address.saturating_add(live.footprint.bytes_per_bank);
            let shared = covered.min(end).saturating_sub(live.address);
            let banks = self
                .allocators
                .get(&live.allocator)
                .map_or(0, |allocator| allocator.kind(kind).banks);
            excess = excess.saturating_add(shared.saturating_mul(banks));
            covered = covered.max(end);
        }
        excess
    }

    fn buffer(&self, live: &SegmentBuffer<'_>) -> OverlappingBuffer {
        let allocator = self.allocators.get(&live.allocator);
        OverlappingBuffer {
            allocator: allocator.map(|own| allocator_in_words(own)).unwrap_or_default(),
            address: live.address,
            bytes_per_bank: live.footprint.bytes_per_bank,
            op: name(live.op),
            stack: frames(live.stack),
        }
    }
}

/// The chips on which two allocators hand out memory, by their number in the segment.
fn shared_chips(one: &Allocator, other: &Allocator) -> impl Iterator<Item = usize> {
    one.chips.iter().filter(|chip| other.chips.contains(chip)).copied()
}

/// The addresses that two allocators handed out at the same time; chips on which all is the same are one.
pub(super) fn overlaps(replay: &Replay<'_>) -> Vec<Overlap> {
    let Some(mut tracker) = Tracker::new(replay) else { return Vec::new() };
    let mut most: BTreeMap<(AllocatorKind, usize), Overlap> = BTreeMap::new();
    let events = replay.segment.events.iter().enumerate();
    for (position, event) in events {
        // What shares bytes before the first event is noted with it.
        if !tracker.step(position, event) && position > 0 {
            continue;
        }
        for kind in AllocatorKind::ALL {
            for (chip, entry) in replay.segment.chips.iter().enumerate() {
                let Some([one, other]) = tracker.on(chip, kind).min_by_key(|pair| pair[1].address)
                else {
                    continue;
                };
                let bytes = tracker.excess(chip, kind);
                if most.get(&(kind, chip)).is_some_and(|known| known.bytes >= bytes) {
                    continue;
                }
                let on =
                    ReportChip { device: entry.device, unique_id: entry.unique_id, index: None };
                let overlap = Overlap {
                    chips: vec![on],
                    kind: kind.into(),
                    bytes,
                    after_us: replay.after_us(event.time),
                    buffers: [tracker.buffer(one), tracker.buffer(other)],
                };
                most.insert((kind, chip), overlap);
            }
        }
    }
    together(most.into_values())
}

fn together(all: impl Iterator<Item = Overlap>) -> Vec<Overlap> {
    let mut overlaps: Vec<Overlap> = Vec::new();
    for one in all {
        let is_same = |other: &&mut Overlap| {
            (other.kind, other.after_us, &other.buffers) == (one.kind, one.after_us, &one.buffers)
        };
        match overlaps.iter_mut().find(is_same) {
            Some(same) => same.chips.extend(one.chips),
            None => overlaps.push(one),
        }
    }
    overlaps
}

#[cfg(test)]
mod tests {
    use ttmem_fake::segment::{NewBuffer, Segment as Fake, WORMHOLE};
    use ttmem_segment::{AllocatorRole, Reader};

    use super::super::ProcessReport;
    use super::*;

    const MIB: u64 = 1 << 20;

    fn dram(mib: u64, op: &str) -> NewBuffer<'_> {
        NewBuffer::new(AllocatorKind::Dram, mib * MIB, op)
    }

    fn report(fake: &Fake) -> ProcessReport {
        ProcessReport::of(&Reader::parse(&fake.image()).unwrap(), false)
    }

    #[test]
    fn the_most_that_two_allocators_handed_out_at_a_time_is_named_and_counted_once() {
        let fake = Fake::wormhole(7, 70, 5)
            .allocate(dram(4, "zeros"))
            .allocate(dram(1, "full"))
            .open(AllocatorRole::Mesh, &[0], WORMHOLE)
            .allocate(dram(3, "ones"))
            .free_newest(AllocatorKind::Dram)
            .allocate(dram(2, "arange"))
            .close();
        let report = report(&fake);
        let [overlap] = report.overlaps.as_slice() else { panic!("{:?}", report.overlaps) };
        assert_eq!((overlap.kind, overlap.bytes), (Kind::Dram, 36 * MIB));
        let [one, other] = &overlap.buffers;
        assert_eq!((one.op.as_deref(), other.op.as_deref()), (Some("zeros"), Some("ones")));
        assert_eq!((one.bytes_per_bank, other.bytes_per_bank), (4 * MIB, 3 * MIB));
        assert_eq!(one.address, other.address);
        assert_eq!(one.allocator, "mesh allocator 1 (1 chip)");
        assert_eq!(other.allocator, "mesh allocator 2 (1 chip)");
        assert_eq!(report.peaks[0].bytes, 60 * MIB, "ones lies on zeros");
    }

    #[test]
    fn three_buffers_on_one_address_are_two_too_many() {
        let fake = Fake::wormhole(7, 70, 5)
            .allocate(dram(4, "zeros"))
            .open(AllocatorRole::Mesh, &[0], WORMHOLE)
            .allocate(dram(4, "ones"))
            .open(AllocatorRole::Mesh, &[0], WORMHOLE)
            .allocate(dram(1, "full"));
        let report = report(&fake);
        assert_eq!(report.overlaps[0].bytes, 60 * MIB);
        assert_eq!(report.peaks[0].bytes, 48 * MIB);
    }

    #[test]
    fn allocators_one_after_the_other_and_sub_devices_share_nothing() {
        let after = Fake::wormhole(7, 70, 5)
            .allocate(dram(4, "zeros"))
            .close()
            .open(AllocatorRole::Mesh, &[0], WORMHOLE)
            .allocate(dram(4, "ones"));
        assert_eq!(report(&after).overlaps, []);
        let part = Fake::wormhole(7, 70, 5)
            .allocate(dram(4, "zeros"))
            .open(AllocatorRole::SubDevice, &[0], WORMHOLE)
            .allocate(dram(4, "ones"));
        assert_eq!(report(&part).overlaps, []);
    }
}
