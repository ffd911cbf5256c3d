//! What was still held when a device was closed, and the largest buffers.

use std::collections::BTreeMap;

use ttmem_model::Kind;
use ttmem_model::segment::{BufferKind, EventKind};

use super::replay::{Living, Replay, name};
use super::{HeldGroup, LargeBuffer, Largest, Moment, ReportChip};
use crate::listing::Lived;
use crate::words::origin_name;

/// As many of the largest buffers are listed.
const LARGEST: usize = 10;

/// The origin of buffers of which no more is known than their sum.
const UNLISTED: &str = "unlisted";

/// The kinds of which the largest buffers are listed.
const LISTED: [BufferKind; 2] = [BufferKind::Dram, BufferKind::L1];

/// Buffers that were still held, by op: first what lay in a device that was closed, then what was there at the end.
pub(super) fn held(replay: &Replay<'_>) -> Vec<HeldGroup> {
    let mut held = Vec::new();
    let mut living = replay.before();
    let entered = replay.entered();
    let chips = |index: u8, place: usize| match entered.get(&index) {
        Some(entered) if place < *entered => replay.only_chip(),
        _ => replay.chips(index),
    };
    for (place, event) in replay.segment.events.iter().enumerate() {
        if matches!(event.kind, EventKind::MassFree | EventKind::AllocatorDestroyed) {
            let dropped = living.iter().filter(|lived| Some(lived.allocator) == event.allocator);
            held.extend(dropped.map(|its| (Moment::Closed, chips(its.allocator, place), *its)));
        }
        living.apply(place, event);
    }
    let end = replay.at_the_end();
    held.extend(end.iter().map(|its| (Moment::End, replay.chips(its.allocator), *its)));
    let mut groups = grouped(replay, &held);
    groups.extend(unlisted(replay));
    groups
}

/// What is still held of buffers that the agent had no room to list.
fn unlisted<'a>(replay: &'a Replay<'_>) -> impl Iterator<Item = HeldGroup> + 'a {
    let open = replay.segment.allocators.iter().filter(|allocator| allocator.closed.is_none());
    open.flat_map(|allocator| BufferKind::ALL.map(|kind| (allocator, kind))).filter_map(
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
            })
        },
    )
}

/// What was held on the same chips, however often these were opened and closed.
fn grouped(replay: &Replay<'_>, held: &[(Moment, Vec<ReportChip>, Lived<'_>)]) -> Vec<HeldGroup> {
    let mut groups: BTreeMap<_, HeldGroup> = BTreeMap::new();
    for (moment, chips, lived) in held {
        let (origin, op) = (origin_name(lived.origin), name(lived.op));
        let kind = Kind::from(lived.kind);
        let key = (*moment, chips.clone(), origin, kind, op.clone());
        let group = groups.entry(key).or_insert_with(|| HeldGroup {
            chips: chips.clone(),
            moment: *moment,
            origin,
            kind,
            op,
            buffers: 0,
            bytes: 0,
        });
        let banks = replay.banks(lived.allocator, lived.kind);
        group.buffers += 1;
        group.bytes = group.bytes.saturating_add(lived.bytes_per_bank.saturating_mul(banks));
    }
    let mut groups: Vec<HeldGroup> = groups.into_values().collect();
    // Tensors that nobody freed come before what TT-Metal keeps for itself.
    groups.sort_by_key(|group| {
        (group.moment, group.origin != "tensor", std::cmp::Reverse(group.bytes))
    });
    groups
}

/// The largest buffers of DRAM and of L1: at the peak if the events still tell, else at the end.
pub(super) fn largest(replay: &Replay<'_>) -> Vec<Largest> {
    LISTED.into_iter().filter_map(|kind| of_kind(replay, kind)).collect()
}

fn of_kind(replay: &Replay<'_>, kind: BufferKind) -> Option<Largest> {
    let highest = replay
        .segment
        .allocators
        .iter()
        .max_by_key(|allocator| allocator.kind(kind).peak_total())?;
    let held = highest.kind(kind);
    if held.peak_bytes == 0 {
        return None;
    }
    let at_peak = held.peak.as_ref().and_then(|peak| {
        let living = replay.after(peak.event)?;
        // The peak's note and the events tell the same, or the note is of another moment.
        let here = living.iter().filter(|lived| is_of(lived, highest.index, kind));
        let sum = here.fold(0, |sum: u64, lived| sum.saturating_add(lived.bytes_per_bank));
        (sum == held.peak_bytes).then_some((living, peak.time))
    });
    let (living, moment, at_peak) = match at_peak {
        Some((living, time)) => (living, Some(time), true),
        None => (replay.at_the_end(), None, false),
    };
    let (of, buffers) = ten_largest(replay, &living, (highest.index, kind), moment);
    (of > 0).then_some(Largest { kind: kind.into(), at_peak, of, buffers })
}

fn is_of(lived: &Lived<'_>, allocator: u8, kind: BufferKind) -> bool {
    lived.allocator == allocator && lived.kind == kind
}

fn ten_largest(
    replay: &Replay<'_>,
    living: &Living<'_>,
    (allocator, kind): (u8, BufferKind),
    moment: Option<u64>,
) -> (u64, Vec<LargeBuffer>) {
    let mut all: Vec<&Lived<'_>> =
        living.iter().filter(|lived| is_of(lived, allocator, kind)).collect();
    all.sort_by_key(|lived| (std::cmp::Reverse(lived.bytes_per_bank), lived.address));
    let banks = replay.banks(allocator, kind);
    let buffer = |lived: &&Lived<'_>| LargeBuffer {
        address: lived.address,
        bytes_per_bank: lived.bytes_per_bank,
        bytes: lived.bytes_per_bank.saturating_mul(banks),
        requested: lived.requested,
        origin: origin_name(lived.origin),
        op: name(lived.op),
        age_us: moment.zip(lived.allocated).map(|(now, (then, _))| now.saturating_sub(then) / 1000),
    };
    (all.len() as u64, all.iter().take(LARGEST).map(buffer).collect())
}
