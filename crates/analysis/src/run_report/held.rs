//! The memory still held when a device was closed, and the largest buffers.

use std::collections::BTreeMap;

use ttmem_model::Kind;
use ttmem_model::order;
use ttmem_model::stack::StackFrame;
use ttmem_segment::{AllocatorKind, EventKind};

use super::peaks;
use super::replay::{LiveSet, Replay, name};
use super::stacks::callers;
use super::{HeldGroup, LargeBuffer, Largest, Moment, ReportChip};
use ttmem_merge::listing::SegmentBuffer;
use ttmem_merge::words::{frames, origin_name, tensor};

/// Number of the largest buffers that are listed.
const LARGEST: usize = 10;

/// The origin of buffers of which only the sum is known.
const UNLISTED: &str = "unlisted";

/// The kinds of which the largest buffers are listed.
const LISTED: [AllocatorKind; 2] = [AllocatorKind::Dram, AllocatorKind::L1];

/// A buffer that was still held, when, and on which chips.
pub(super) type HeldBuffer<'a> = (Moment, Vec<ReportChip>, SegmentBuffer<'a>);

/// Buffers that were still held, by op: first what lay in a device that was closed, then what was there at the end.
pub(super) fn held(replay: &Replay<'_>) -> Vec<HeldGroup> {
    let mut groups = grouped(replay, &held_buffers(replay));
    groups.extend(unlisted(replay));
    groups
}

/// Buffers that were still held, one by one.
pub(super) fn held_buffers<'a>(replay: &Replay<'a>) -> Vec<HeldBuffer<'a>> {
    let mut held = Vec::new();
    let mut living = replay.before();
    let entered = replay.entered();
    let chips = |allocator: u8, position: usize| match entered.get(&allocator) {
        Some(entered) if position < *entered => replay.only_chip(),
        _ => replay.chips(allocator),
    };
    for (position, event) in replay.segment.events.iter().enumerate() {
        if matches!(event.kind, EventKind::MassFree | EventKind::AllocatorDestroyed) {
            let dropped = living.iter().filter(|live| Some(live.allocator) == event.allocator);
            held.extend(
                dropped.map(|live| (Moment::Closed, chips(live.allocator, position), *live)),
            );
        }
        living.apply(position, event);
    }
    let end = replay.at_the_end();
    held.extend(end.iter().map(|live| (Moment::End, replay.chips(live.allocator), *live)));
    held
}

/// The unlisted buffers that are still held.
fn unlisted<'a>(replay: &'a Replay<'_>) -> impl Iterator<Item = HeldGroup> + 'a {
    let open = replay.segment.allocators.iter().filter(|allocator| allocator.closed.is_none());
    open.flat_map(|allocator| AllocatorKind::ALL.map(|kind| (allocator, kind))).filter_map(
        |(allocator, kind)| {
            let held = allocator.kind(kind);
            (held.unlisted_buffers > 0).then(|| HeldGroup {
                chips: replay.chips(allocator.index),
                moment: Moment::End,
                origin: UNLISTED,
                kind: kind.into(),
                op: None,
                buffers: held.unlisted_buffers,
                bytes: held.unlisted_bytes.saturating_mul(held.banks),
                callers: Vec::new(),
            })
        },
    )
}

/// The calls that allocated buffers, and the bytes of each.
type Calls = Vec<(Vec<StackFrame>, u64)>;

/// The memory held on the same chips, however often these were opened and closed.
fn grouped(replay: &Replay<'_>, held: &[HeldBuffer<'_>]) -> Vec<HeldGroup> {
    let mut groups: BTreeMap<_, (HeldGroup, Calls)> = BTreeMap::new();
    for (moment, chips, live) in held {
        let (origin, op) = (origin_name(live.origin), name(live.op));
        let kind = Kind::from(live.footprint.kind);
        let key = (*moment, chips.clone(), origin, kind, op.clone());
        let (group, stacks) = groups.entry(key).or_insert_with(|| {
            let group = HeldGroup {
                chips: chips.clone(),
                moment: *moment,
                origin,
                kind,
                op,
                buffers: 0,
                bytes: 0,
                callers: Vec::new(),
            };
            (group, Vec::new())
        });
        let banks = replay.banks(live.allocator, live.footprint.kind);
        let bytes = live.footprint.bytes_per_bank.saturating_mul(banks);
        group.buffers += 1;
        group.bytes = group.bytes.saturating_add(bytes);
        stacks.push((frames(live.stack), bytes));
    }
    let with_callers = |(group, stacks): (HeldGroup, Calls)| {
        let parts = stacks.iter().map(|(frames, bytes)| (frames.as_slice(), 1, *bytes));
        HeldGroup { callers: callers(parts), ..group }
    };
    let mut groups: Vec<HeldGroup> = groups.into_values().map(with_callers).collect();
    // Tensors that were never freed come before TT-Metal's own memory.
    order::sort_by_key(&mut groups, |group| {
        (group.moment, group.origin != "tensor", std::cmp::Reverse(group.bytes))
    });
    groups
}

/// The largest buffers of DRAM and of L1: at the peak if the events still tell, else at the end.
pub(super) fn largest(replay: &Replay<'_>) -> Vec<Largest> {
    LISTED.into_iter().filter_map(|kind| of_kind(replay, kind)).collect()
}

fn of_kind<'a>(replay: &Replay<'a>, kind: AllocatorKind) -> Option<Largest> {
    let highest = peaks::highest(replay, kind)?;
    let own = |living: LiveSet<'a>| -> Vec<SegmentBuffer<'a>> {
        let is_own = |its: &&SegmentBuffer<'_>| {
            its.footprint.kind == kind && highest.allocators.contains(&its.allocator)
        };
        living.iter().filter(is_own).copied().collect()
    };
    let bytes = |its: &SegmentBuffer<'_>| {
        its.footprint.bytes_per_bank.saturating_mul(replay.banks(its.allocator, its.footprint.kind))
    };
    let at_peak =
        peaks::buffers_at(replay, kind, &highest).and_then(|there| Some((there, highest.event?.1)));
    let (mut all, moment) = match at_peak {
        Some((there, time)) => (there, Some(time)),
        None => (own(replay.at_the_end()), None),
    };
    order::sort_by_key(&mut all, |its| (std::cmp::Reverse(bytes(its)), its.address));
    let buffer = |its: &SegmentBuffer<'_>| LargeBuffer {
        address: its.address,
        bytes_per_bank: its.footprint.bytes_per_bank,
        bytes: bytes(its),
        requested: its.footprint.requested,
        origin: origin_name(its.origin),
        op: name(its.op),
        stack: frames(its.stack),
        tensor: tensor(its.shape),
        age_us: moment.zip(its.allocated).map(|(now, (then, _))| now.saturating_sub(then) / 1000),
    };
    (!all.is_empty()).then(|| Largest {
        kind: kind.into(),
        at_peak: moment.is_some(),
        of: all.len() as u64,
        buffers: all.iter().take(LARGEST).map(buffer).collect(),
    })
}
