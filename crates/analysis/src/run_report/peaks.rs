//! The most bytes at a time on each chip.

use std::collections::BTreeMap;

use ttmem_merge::listing::SegmentBuffer;
use ttmem_merge::words::frames;
use ttmem_model::order;
use ttmem_model::stack::StackFrame;
use ttmem_segment::{Allocator, AllocatorKind, Event, EventKind};

use super::overlaps::Tracker;
use super::replay::{Replay, name};
use super::{Peak, ReportChip};

/// A peak of one chip, and what it consists of.
#[derive(Debug)]
pub(super) struct HighPoint {
    pub(super) peak: Peak,
    /// The allocators whose buffers add up, and to how much; those on the same bytes are all in it.
    pub(super) allocators: Vec<u8>,
    pub(super) bytes: u64,
    /// Number and time of the event that led there, if that is known.
    pub(super) event: Option<(u64, u64)>,
}

/// The highest peak of a kind on any chip.
pub(super) fn highest(replay: &Replay<'_>, kind: AllocatorKind) -> Option<HighPoint> {
    let chips = (0..replay.segment.chips.len()).rev();
    chips.filter_map(|chip| of_chip(replay, chip, kind)).max_by_key(|point| point.peak.bytes)
}

/// The buffers at the highest peak of a kind, if the events still tell.
pub(super) fn buffers_at_highest<'a>(
    replay: &Replay<'a>,
    kind: AllocatorKind,
) -> Option<Vec<SegmentBuffer<'a>>> {
    buffers_at(replay, kind, &highest(replay, kind)?)
}

/// The buffers at a peak, if the events still tell.
pub(super) fn buffers_at<'a>(
    replay: &Replay<'a>,
    kind: AllocatorKind,
    point: &HighPoint,
) -> Option<Vec<SegmentBuffer<'a>>> {
    let living = replay.after(point.event?.0)?;
    let is_own = |its: &&SegmentBuffer<'_>| {
        its.footprint.kind == kind && point.allocators.contains(&its.allocator)
    };
    let there: Vec<SegmentBuffer<'a>> = living.iter().filter(is_own).copied().collect();
    // The peak's note and the events agree, or the note belongs to another moment.
    let sum = there.iter().fold(0, |sum: u64, its| {
        let banks = replay.banks(its.allocator, its.footprint.kind);
        sum.saturating_add(its.footprint.bytes_per_bank.saturating_mul(banks))
    });
    (sum == point.bytes).then_some(there)
}

/// The peaks by kind; chips on which all is the same are one.
pub(super) fn peaks(replay: &Replay<'_>) -> Vec<Peak> {
    let mut peaks: Vec<Peak> = Vec::new();
    for kind in AllocatorKind::ALL {
        let of_kind = peaks.len();
        for chip in 0..replay.segment.chips.len() {
            let Some(HighPoint { peak, .. }) = of_chip(replay, chip, kind) else { continue };
            let is_same = |other: &&mut Peak| {
                (other.bytes, other.banks, &other.op) == (peak.bytes, peak.banks, &peak.op)
            };
            match peaks[of_kind..].iter_mut().find(is_same) {
                Some(same) => same.chips.extend(peak.chips),
                None => peaks.push(peak),
            }
        }
    }
    for peak in &mut peaks {
        order::sort(&mut peak.chips);
    }
    peaks
}

fn of_chip(replay: &Replay<'_>, chip: usize, kind: AllocatorKind) -> Option<HighPoint> {
    let is_on_chip = |allocator: &&Allocator| {
        let only = replay.segment.chips.len() == 1 && allocator.chips.is_empty();
        allocator.chips.contains(&chip) || only
    };
    let allocators = replay.segment.allocators.iter().filter(is_on_chip);
    let busy: Vec<&Allocator> =
        allocators.filter(|allocator| allocator.kind(kind).peak_bytes > 0).collect();
    let entry = replay.segment.chips.get(chip)?;
    let chips = vec![ReportChip { device: entry.device, unique_id: entry.unique_id, index: None }];
    match busy.as_slice() {
        [] => None,
        [only] => Some(of_allocator(replay, only, kind, chips)),
        several if replay.is_complete() => together(replay, several, (chip, kind), chips),
        several => Some(at_most(replay, several, kind, chips)),
    }
}

fn stack_of(event: Option<&Event>) -> Vec<StackFrame> {
    frames(event.and_then(|event| event.stack.as_deref()))
}

fn of_allocator(
    replay: &Replay<'_>,
    allocator: &Allocator,
    kind: AllocatorKind,
    chips: Vec<ReportChip>,
) -> HighPoint {
    let held = allocator.kind(kind);
    let noted = held.peak.as_ref();
    let allocatable = held.statistics.map(|statistics| statistics.total.saturating_mul(held.banks));
    let peak = Peak {
        chips,
        kind: kind.into(),
        bytes: held.peak_total(),
        bytes_per_bank: held.peak_bytes,
        banks: held.banks,
        allocatable,
        buffers: noted.map(|peak| peak.buffers),
        op: noted.and_then(|peak| name(peak.op.as_ref())),
        stack: noted.map(|peak| stack_of(replay.event(peak.event))).unwrap_or_default(),
        after_us: noted.map(|peak| replay.after_us(peak.time)),
        at_most: false,
    };
    // The entry may have got it from an allocator that was before.
    let index = noted.and_then(|peak| replay.event(peak.event)?.allocator);
    HighPoint {
        bytes: peak.bytes,
        peak,
        allocators: vec![index.unwrap_or(allocator.index)],
        event: noted.map(|peak| (peak.event, peak.time)),
    }
}

/// The most bytes of several allocators, and the event that led there.
struct Highest<'a> {
    /// Bytes in use: what more than one handed out counts once.
    used: u64,
    /// Bytes that the allocators handed out.
    sum: u64,
    event: &'a Event,
}

/// Several allocators of one chip, added up at every event. What more than one handed out counts once.
fn together(
    replay: &Replay<'_>,
    allocators: &[&Allocator],
    (chip, kind): (usize, AllocatorKind),
    chips: Vec<ReportChip>,
) -> Option<HighPoint> {
    let main = allocators.iter().max_by_key(|allocator| allocator.kind(kind).peak_total())?;
    let point = of_allocator(replay, main, kind, chips);
    // A higher one belongs to an allocator whose entry was reused since.
    let highest = added_up(replay, allocators, (chip, kind));
    let Some(Highest { used, sum, event }) = highest.filter(|it| it.used >= point.bytes) else {
        return Some(point);
    };
    let peak = Peak {
        bytes: used,
        bytes_per_bank: used / point.peak.banks.max(1),
        buffers: None,
        op: name(event.op.as_ref()),
        stack: stack_of(Some(event)),
        after_us: Some(replay.after_us(event.time)),
        ..point.peak
    };
    Some(HighPoint {
        peak,
        allocators: allocators.iter().map(|allocator| allocator.index).collect(),
        bytes: sum,
        event: Some((event.sequence, event.time)),
    })
}

/// Adds the live bytes of allocators up at every event. Returns the first moment of the most bytes in use.
fn added_up<'a>(
    replay: &Replay<'a>,
    allocators: &[&Allocator],
    (chip, kind): (usize, AllocatorKind),
) -> Option<Highest<'a>> {
    let mut tracker = Tracker::new(replay);
    let entered = replay.entered();
    let mut live: BTreeMap<u8, u64> = BTreeMap::new();
    let mut highest: Option<Highest<'a>> = None;
    let mut excess = 0;
    for (position, event) in replay.segment.events.iter().enumerate() {
        if let Some(tracker) = &mut tracker
            && tracker.step(position, event)
        {
            excess = tracker.excess(chip, kind);
        }
        let Some(index) = event.allocator else { continue };
        if entered.get(&index).is_some_and(|entered| position < *entered) {
            continue;
        }
        let Some(allocator) = allocators.iter().find(|allocator| allocator.index == index) else {
            continue;
        };
        match event.kind {
            EventKind::Allocate | EventKind::Free if event.footprint.kind == kind => {
                live.insert(index, event.live_after.saturating_mul(allocator.kind(kind).banks));
            }
            EventKind::MassFree | EventKind::AllocatorDestroyed => {
                live.remove(&index);
            }
            _ => {}
        }
        let sum = live.values().fold(0, |sum: u64, bytes| sum.saturating_add(*bytes));
        let used = sum.saturating_sub(excess);
        if used > highest.as_ref().map_or(0, |highest| highest.used) {
            highest = Some(Highest { used, sum, event });
        }
    }
    highest
}

/// Several allocators, and no telling how their peaks met: one after the other the highest counts, else their sum.
fn at_most(
    replay: &Replay<'_>,
    allocators: &[&Allocator],
    kind: AllocatorKind,
    chips: Vec<ReportChip>,
) -> HighPoint {
    let by_size = |allocator: &&&Allocator| allocator.kind(kind).peak_total();
    let main = allocators.iter().max_by_key(by_size).unwrap_or(&allocators[0]);
    let point = of_allocator(replay, main, kind, chips);
    let mut by_time: Vec<&&Allocator> = allocators.iter().collect();
    order::sort_by_key(&mut by_time, |allocator| allocator.opened);
    let follow = by_time.windows(2).all(|pair| match pair {
        [one, next] => one.closed.is_some_and(|closed| closed <= next.opened),
        _ => true,
    });
    if follow {
        return point;
    }
    let bytes = allocators
        .iter()
        .fold(0, |sum: u64, allocator| sum.saturating_add(allocator.kind(kind).peak_total()));
    let banks = point.peak.banks.max(1);
    let peak =
        Peak { bytes, bytes_per_bank: bytes / banks, buffers: None, at_most: true, ..point.peak };
    HighPoint { peak, ..point }
}
