//! Timeline of buffers: what a plot of address and time needs.
//!
//! Buffers are columns of numbers, since there may be many. For a buffer from before the first remaining event only the
//! end is known; a live buffer has no end.

use std::collections::BTreeMap;

use serde::Serialize;
use ttmem_model::order;
use ttmem_model::{ChipId, Kind, Timestamp};
use ttmem_segment::{Allocator, AllocatorKind, Event, EventKind, Op, Segment};

use super::replay::{Life, Replay, name};
use ttmem_merge::words::origin_name;

/// Buffers that are drawn at most; the largest stay, by bytes and time together.
const MAX_BUFFERS: usize = 50_000;
/// Steps of a level that are drawn at most.
const MAX_STEPS: usize = 2000;

/// The buffers of a run over time, for a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// The first moment with a known event.
    pub from_us: Timestamp,
    /// The last moment with a known event.
    pub to_us: Timestamp,
    /// Names of ops, to which numbers refer.
    pub ops: Vec<String>,
    /// Each kind of memory of each allocator that was used.
    pub pools: Vec<Pool>,
    /// The buffers.
    pub buffers: Buffers,
    /// The number of buffers.
    pub(crate) of: u64,
    /// True if events of the beginning are overwritten.
    pub(crate) is_cut: bool,
}

/// One kind of memory of one allocator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pool {
    /// The role.
    pub(crate) role: &'static str,
    /// Numbers of its chips, as the process counts.
    pub devices: Vec<u32>,
    /// Ids of its chips, where TT-Metal reported them.
    pub(crate) chips: Vec<ChipId>,
    /// The kind.
    pub kind: Kind,
    /// Banks of a chip.
    pub(crate) banks: u64,
    /// Bytes that one bank can hand out, if TT-Metal reported them.
    pub bank_bytes: Option<u64>,
    /// Bytes on each chip at the moments at which they changed.
    pub steps: Steps,
}

/// A level over time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Steps {
    /// Time of each step, in microseconds since 1970.
    pub at_us: Vec<u64>,
    /// Bytes in all banks of a chip from then on.
    pub bytes: Vec<u64>,
    /// The current op.
    pub op: Vec<Option<usize>>,
}

/// The buffers of a timeline, one vector for each property.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Buffers {
    /// The pool.
    pub pool: Vec<usize>,
    /// The address in every bank.
    pub address: Vec<u64>,
    /// Bytes in every bank.
    pub bytes: Vec<u64>,
    /// Time of allocation, if it is known, in microseconds since 1970.
    pub start_us: Vec<Option<u64>>,
    /// Time of the free, in microseconds since 1970; `None` if it was not freed.
    pub end_us: Vec<Option<u64>>,
    /// The op that allocated it.
    pub op: Vec<Option<usize>>,
    /// `tensor`, `kernels` or `trace`.
    pub origin: Vec<&'static str>,
}

impl Timeline {
    /// The timeline of the events of a segment.
    #[must_use]
    pub fn of(segment: &Segment) -> Self {
        let replay = Replay::new(segment);
        let mut names = Names::default();
        let lives = replay.lives();
        let of = lives.len() as u64;
        let mut pools = Vec::new();
        let mut pool_indexes = BTreeMap::new();
        for allocator in &segment.allocators {
            for kind in AllocatorKind::ALL {
                let was_used = allocator.kind(kind).peak_bytes > 0;
                if was_used {
                    pool_indexes.insert((allocator.index, kind), pools.len());
                    pools.push(pool(segment, allocator, kind, &mut names));
                }
            }
        }
        let end = segment.events.last().map_or(segment.header.monotonic_time, |event| event.time);
        let micros = |time: u64| segment.header.to_real_time(time) / 1000;
        let mut buffers = Buffers::default();
        let ended = |end: usize| Some(micros(segment.events.get(end)?.time));
        for Life { live, end } in largest(lives, end, segment) {
            let Some(pool) = pool_indexes.get(&(live.allocator, live.footprint.kind)) else {
                continue;
            };
            buffers.pool.push(*pool);
            buffers.address.push(live.address);
            buffers.bytes.push(live.footprint.bytes_per_bank);
            buffers.start_us.push(live.allocated.map(|(time, _)| micros(time)));
            buffers.end_us.push(end.and_then(ended));
            buffers.op.push(names.number(live.op));
            buffers.origin.push(origin_name(live.origin));
        }
        let first =
            segment.events.first().map_or(segment.header.monotonic_time, |event| event.time);
        Self {
            from_us: Timestamp(micros(first)),
            to_us: Timestamp(micros(end)),
            ops: names.0,
            pools,
            buffers,
            of,
            is_cut: segment.losses.events_overwritten > 0,
        }
    }
}

/// Names of ops, each once.
#[derive(Default)]
struct Names(Vec<String>);

impl Names {
    fn number(&mut self, op: Option<&Op>) -> Option<usize> {
        let name = name(op)?;
        let known = self.0.iter().position(|other| *other == name);
        Some(known.unwrap_or_else(|| {
            self.0.push(name);
            self.0.len() - 1
        }))
    }
}

fn largest<'a>(mut lives: Vec<Life<'a>>, last: u64, segment: &Segment) -> Vec<Life<'a>> {
    let begin = |life: &Life<'_>| life.live.allocated.map(|(time, _)| time);
    let weight = |life: &Life<'_>| {
        let end = life.end.and_then(|end| Some(segment.events.get(end)?.time));
        let span = end.unwrap_or(last).saturating_sub(begin(life).unwrap_or(0));
        u128::from(life.live.footprint.bytes_per_bank) * u128::from(span)
    };
    if lives.len() > MAX_BUFFERS {
        order::sort_by_key(&mut lives, |life| std::cmp::Reverse(weight(life)));
        lives.truncate(MAX_BUFFERS);
    }
    order::sort_by_key(&mut lives, begin);
    lives
}

fn pool(segment: &Segment, allocator: &Allocator, kind: AllocatorKind, names: &mut Names) -> Pool {
    let chips = || allocator.chips.iter().filter_map(|index| segment.chips.get(*index));
    let held = allocator.kind(kind);
    Pool {
        role: allocator.role.as_str(),
        devices: chips().map(|chip| chip.device).collect(),
        chips: chips().filter_map(|chip| chip.unique_id.map(ChipId::Known)).collect(),
        kind: kind.into(),
        banks: held.banks,
        bank_bytes: held.statistics.map(|statistics| statistics.total),
        steps: steps(segment, allocator, kind, names),
    }
}

fn steps(
    segment: &Segment,
    allocator: &Allocator,
    kind: AllocatorKind,
    names: &mut Names,
) -> Steps {
    let banks = allocator.kind(kind).banks;
    let level = |event: &Event| {
        if event.allocator != Some(allocator.index) {
            return None;
        }
        match event.kind {
            EventKind::Allocate | EventKind::Free if event.footprint.kind == kind => {
                Some(event.live_after.saturating_mul(banks))
            }
            EventKind::MassFree | EventKind::AllocatorDestroyed => Some(0),
            _ => None,
        }
    };
    let all: Vec<(&Event, u64)> =
        segment.events.iter().filter_map(|event| Some((event, level(event)?))).collect();
    let mut steps = Steps::default();
    for (event, bytes) in thinned(&all) {
        if steps.bytes.last() == Some(&bytes) {
            continue;
        }
        steps.at_us.push(segment.header.to_real_time(event.time) / 1000);
        steps.bytes.push(bytes);
        steps.op.push(names.number(event.op.as_ref()));
    }
    steps
}

/// Reduces the steps to [`MAX_STEPS`]: the highest and the last of each stretch.
fn thinned<'a>(all: &[(&'a Event, u64)]) -> Vec<(&'a Event, u64)> {
    if all.len() <= MAX_STEPS {
        return all.to_vec();
    }
    let chunk_length = all.len().div_ceil(MAX_STEPS / 2);
    let mut kept = Vec::new();
    for part in all.chunks(chunk_length) {
        let highest = part.iter().enumerate().max_by_key(|(_, (_, bytes))| *bytes);
        let Some((index, highest)) = highest else { continue };
        kept.push(*highest);
        if index + 1 < part.len() {
            kept.extend(part.last().copied());
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use ttmem_segment::Reader;

    use super::*;
    use ttmem_fake::segment::{NewBuffer, Segment as Fake};

    fn timeline(fake: &Fake) -> Timeline {
        Timeline::of(&Reader::parse(&fake.image()).unwrap())
    }

    fn fake() -> Fake {
        Fake::wormhole(7, 70, 5)
    }

    #[test]
    fn a_buffer_lasts_from_its_allocation_to_its_end() {
        let timeline = timeline(
            &fake()
                .allocate(NewBuffer::new(AllocatorKind::Dram, 64, "Matmul"))
                .wait(1000)
                .allocate(NewBuffer::new(AllocatorKind::L1, 32, "Softmax"))
                .wait(1000)
                .free_newest(AllocatorKind::L1)
                .wait(1000)
                .close(),
        );
        assert_eq!(timeline.ops, ["Matmul", "Softmax"]);
        assert_eq!((timeline.pools.len(), timeline.of), (2, 2));
        let span = |number: usize| {
            let end = timeline.buffers.end_us[number].unwrap();
            (end - timeline.buffers.start_us[number].unwrap()) / 1_000_000
        };
        assert_eq!([span(0), span(1)], [3, 1]);
        let dram = &timeline.pools[timeline.buffers.pool[0]];
        assert_eq!((dram.kind, dram.banks), (Kind::Dram, 12));
        assert_eq!(dram.steps.bytes, [64 * 12, 0], "closing the device ends it");
        assert_eq!(dram.chips, [ChipId::Known(5)]);
    }

    #[test]
    fn what_lives_has_no_end() {
        let timeline = timeline(&fake().allocate(NewBuffer::new(AllocatorKind::Dram, 64, "")));
        assert_eq!(timeline.buffers.end_us, [None]);
        assert_eq!((timeline.buffers.op[0], timeline.is_cut), (None, false));
    }

    #[test]
    fn many_steps_are_thinned_and_the_highest_stays() {
        let mut fake = fake();
        for round in 0..3000 {
            let bytes = if round == 2345 { 4096 } else { 64 };
            fake = fake
                .allocate(NewBuffer::new(AllocatorKind::L1, bytes, "Add"))
                .free_newest(AllocatorKind::L1);
        }
        let timeline = timeline(&fake);
        let steps = &timeline.pools[0].steps;
        assert!(steps.bytes.len() <= MAX_STEPS, "{}", steps.bytes.len());
        assert_eq!(steps.bytes.iter().max(), Some(&(4096 * 64)));
        assert_eq!((timeline.of, timeline.is_cut), (2048, true), "the ring holds no more events");
    }
}
