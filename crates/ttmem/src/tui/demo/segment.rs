//! The agent segment of a host under load: transient activations, and a cache that fills up and starts over.

use ttmem_merge::bank::{Bank, map};
use ttmem_model::Kind;
use ttmem_model::buffers::Block;
use ttmem_model::facts::{RegionContent, SegmentFile};
use ttmem_model::order;
use ttmem_segment::{AllocatorKind, Buffer, Origin, Segment, Statistics};

/// The lifetime of the buffers of an op: a share of each period, each buffer offset from the previous one.
struct Rhythm {
    kind: AllocatorKind,
    op: &'static str,
    period: f64,
    share: f64,
    /// The offset of each buffer from the previous one, as a share of a period.
    stagger: f64,
}

const RHYTHMS: [Rhythm; 4] = [
    Rhythm { kind: AllocatorKind::L1, op: "Softmax", period: 7.0, share: 0.5, stagger: 0.0 },
    Rhythm { kind: AllocatorKind::L1, op: "LayerNorm", period: 13.0, share: 0.7, stagger: 0.0 },
    Rhythm { kind: AllocatorKind::Dram, op: "Matmul", period: 29.0, share: 0.6, stagger: 0.0 },
    Rhythm {
        kind: AllocatorKind::Dram,
        op: "ttnn::zeros",
        period: 75.0,
        share: 1.0,
        stagger: 0.125,
    },
];

impl Rhythm {
    fn is_of(&self, buffer: &Buffer) -> bool {
        let name = buffer.op.as_ref().map(|op| &*op.name);
        (buffer.kind, buffer.origin, name) == (self.kind, Origin::Plain, Some(self.op))
    }

    /// Returns the start of a buffer's life in seconds; `None` while it is not live.
    fn since(&self, index: usize, seconds: f64) -> Option<f64> {
        let begin = (seconds / self.period).floor() * self.period;
        let comes = begin + self.stagger * self.period * index as f64;
        let goes = begin + self.share * self.period;
        (comes..goes).contains(&seconds).then_some(comes)
    }
}

/// Returns the segment a number of seconds after it was created.
pub(super) fn work(segment: &mut Segment, seconds: f64) {
    let before = segment.buffers.clone();
    let begin = segment.header.refresh_time;
    dispatch(segment, seconds);
    let mut counts = [0_usize; RHYTHMS.len()];
    segment.buffers.retain_mut(|buffer| {
        let Some(number) = RHYTHMS.iter().position(|rhythm| rhythm.is_of(buffer)) else {
            return true;
        };
        let index = counts[number];
        counts[number] += 1;
        let since = RHYTHMS[number].since(index, seconds);
        if let Some(since) = since.filter(|since| *since > 0.0) {
            buffer.time = begin.saturating_add(crate::tui::number::bytes(since * 1e9));
        }
        since.is_some()
    });
    for allocator in &mut segment.allocators {
        for kind in AllocatorKind::ALL {
            let blocks = |buffers: &[Buffer]| -> Vec<Block> {
                let own = buffers
                    .iter()
                    .filter(|buffer| (buffer.allocator, buffer.kind) == (allocator.index, kind));
                own.map(|buffer| Block { address: buffer.address, bytes: buffer.bytes_per_bank })
                    .collect()
            };
            let (all, left) = (blocks(&before), blocks(&segment.buffers));
            let held = &mut allocator.kinds[kind as usize];
            let gone: u64 = all.iter().map(|block| block.bytes).sum::<u64>()
                - left.iter().map(|block| block.bytes).sum::<u64>();
            held.live_bytes = held.live_bytes.saturating_sub(gone);
            held.live_buffers = held.live_buffers.saturating_sub((all.len() - left.len()) as u64);
            if let Some(statistics) = &mut held.statistics {
                free(statistics, kind.into(), gone, all, left);
            }
        }
    }
}

/// Dispatches the programs of the segment in turn, several times a second.
fn dispatch(segment: &mut Segment, seconds: f64) {
    const PER_SECOND: f64 = 37.0;
    let rounds = crate::tui::number::bytes(seconds * PER_SECOND);
    let programs = &mut segment.programs;
    let count = programs.footprints.len() as u64;
    let turn = rounds.checked_rem(count).unwrap_or(0);
    for (index, footprint) in (0_u64..).zip(&mut programs.footprints) {
        footprint.dispatches = footprint.dispatches.saturating_add(rounds);
        let behind = (turn + count - index % count) % count;
        footprint.last_dispatch =
            programs.dispatched.saturating_add((rounds * count).saturating_sub(behind));
    }
    programs.dispatched = programs.dispatched.saturating_add(rounds * count);
}

/// TT-Metal's region lists the same processes, without alignment.
pub(super) fn repeat(content: &mut RegionContent, segments: &[SegmentFile]) {
    for slot in &mut content.slots {
        let Some(file) = segments.iter().find(|file| file.pid == slot.pid) else { continue };
        let allocator = file.content.as_ref().ok().and_then(|segment| segment.allocators.first());
        let Some(allocator) = allocator else { continue };
        let requested = |kind| allocator.kind(kind).live_total() / 256 * 255;
        slot.bytes.dram = requested(AllocatorKind::Dram);
        slot.bytes.l1 = requested(AllocatorKind::L1);
    }
    super::add_up(content);
}

/// Returns the statistics of the allocator once `gone` bytes of a bank are free again.
fn free(statistics: &mut Statistics, kind: Kind, gone: u64, all: Vec<Block>, mut left: Vec<Block>) {
    let bank = Bank {
        allocatable: statistics.total,
        free: statistics.free,
        largest_free: statistics.largest_free,
    };
    statistics.allocated = statistics.allocated.saturating_sub(gone);
    statistics.free = statistics.free.saturating_add(gone);
    let Some(whole) = map(kind, bank, all) else { return };
    order::sort(&mut left);
    let ends = left.iter().map(|block| block.address.saturating_add(block.bytes));
    let starts = left.iter().map(|block| block.address).chain([whole.end]);
    let gaps = [whole.start].into_iter().chain(ends).zip(starts);
    let largest = gaps.map(|(end, start)| start.saturating_sub(end)).max();
    statistics.largest_free = largest.unwrap_or(statistics.largest_free);
}
