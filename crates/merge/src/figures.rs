//! The figures of a bank as they are now.
//!
//! TT-Metal is asked for its statistics a moment after the last change. What the hooks counted since is newer: where the two
//! agreed, the free bytes follow from it, and the largest free block from the addresses of the buffers.

use ttmem_model::buffers::Block;
use ttmem_model::order;
use ttmem_model::reading::Missing;
use ttmem_segment::{
    Allocator, AllocatorKind, AllocatorRole, EventKind, KindUse, Segment, Statistics,
};

use crate::listing::Figures;

/// The figures of one kind of an allocator: of the present where the buffers tell it, else as TT-Metal gave them. The
/// second is true if they are current. `None` if it gave none.
pub(crate) fn present(
    segment: &Segment,
    allocator: &Allocator,
    kind: AllocatorKind,
) -> Option<(Figures, bool)> {
    let held = allocator.kind(kind);
    let statistics = held.statistics?;
    let reported = Figures {
        allocatable: statistics.total,
        free: statistics.free,
        largest_free: Some(statistics.largest_free),
    };
    let is_settled = is_settled(held) && !has_changed(segment, allocator, kind, statistics.time);
    if is_settled || held.residual != Some(0) {
        return Some((reported, is_settled));
    }
    let Some(free) = statistics.total.checked_sub(held.live_bytes) else {
        return Some((reported, false));
    };
    let largest_free = largest(segment, allocator, kind, statistics);
    Some((Figures { free, largest_free, ..reported }, true))
}

/// The reason that an allocator has no statistics.
pub(crate) fn not_asked(segment: &Segment, allocator: &Allocator) -> Missing {
    match segment.header.refresh_time > allocator.opened {
        true => Missing::unsupported("TT-Metal's allocator gave the agent no statistics"),
        false => Missing::not_read(
            "the agent asks TT-Metal's allocator within a tenth of a second after its first change",
        ),
    }
}

/// The free bytes of a bank and those of its largest free block; both current, or both as TT-Metal gave them. The
/// second is true if they are current.
pub(crate) fn free(
    segment: &Segment,
    allocator: &Allocator,
    kind: AllocatorKind,
) -> Option<((u64, u64), bool)> {
    let statistics = allocator.kind(kind).statistics?;
    let now = present(segment, allocator, kind).filter(|(_, is_present)| *is_present);
    let now = now.and_then(|(figures, _)| Some((figures.free, figures.largest_free?)));
    Some(match now {
        Some(free) => (free, true),
        None => ((statistics.free, statistics.largest_free), false),
    })
}

/// True if nothing changed since TT-Metal was asked.
pub(crate) fn is_settled(held: &KindUse) -> bool {
    let (Some(statistics), Some(residual)) = (held.statistics, held.residual) else { return false };
    i128::from(statistics.allocated) - i128::from(residual) == i128::from(held.live_bytes)
}

/// True if a buffer came or went since TT-Metal was asked: the sum may be what it was, and the free blocks others.
fn has_changed(segment: &Segment, allocator: &Allocator, kind: AllocatorKind, since: u64) -> bool {
    segment.events.iter().any(|event| {
        event.time > since
            && event.allocator == Some(allocator.index)
            && event.footprint.kind == kind
            && matches!(event.kind, EventKind::Allocate | EventKind::Free)
    })
}

/// The largest free block between the buffers; `None` if some of them are not listed, or the ends of the bank are not known.
fn largest(
    segment: &Segment,
    allocator: &Allocator,
    kind: AllocatorKind,
    statistics: Statistics,
) -> Option<u64> {
    let held = allocator.kind(kind);
    if holds_single_cores(segment, allocator, kind) {
        return None;
    }
    if held.live_buffers == 0 {
        return Some(statistics.total);
    }
    let own = segment
        .buffers
        .iter()
        .filter(|buffer| buffer.allocator == allocator.index && buffer.kind == kind);
    let mut blocks: Vec<Block> =
        own.map(|buffer| Block { address: buffer.address, bytes: buffer.bytes_per_bank }).collect();
    order::sort(&mut blocks);
    let listed = blocks.iter().try_fold(0_u64, |sum, block| sum.checked_add(block.bytes))?;
    if listed != held.live_bytes || blocks.len() as u64 != held.live_buffers {
        return None;
    }
    let start = start(segment, allocator, kind, &blocks)?;
    largest_between(start, start.checked_add(statistics.total)?, &blocks)
}

/// True if single cores of the allocator's chips hold buffers of their own, which its free blocks do not have.
fn holds_single_cores(segment: &Segment, allocator: &Allocator, kind: AllocatorKind) -> bool {
    let shares_chip = |other: &Allocator| other.chips.iter().any(|it| allocator.chips.contains(it));
    segment.allocators.iter().any(|other| {
        other.role == AllocatorRole::PerCore
            && other.kind(kind).live_buffers > 0
            && shares_chip(other)
    })
}

/// The first address of a bank.
fn start(
    segment: &Segment,
    allocator: &Allocator,
    kind: AllocatorKind,
    blocks: &[Block],
) -> Option<u64> {
    let total = |kind| allocator.kind(kind).statistics.map(|statistics| statistics.total);
    match kind {
        AllocatorKind::L1 => allocator.l1_base,
        // It is at the top of L1.
        AllocatorKind::L1Small => allocator.l1_base?.checked_add(total(AllocatorKind::L1)?),
        // They are handed out from the bottom: the first buffer was at the start.
        AllocatorKind::Dram | AllocatorKind::Trace => {
            let has_all = segment.events.first().is_some_and(|first| first.sequence == 1);
            let is_own = |event: &&ttmem_segment::Event| {
                event.kind == EventKind::Allocate
                    && event.allocator == Some(allocator.index)
                    && event.footprint.kind == kind
            };
            let earlier = segment.events.iter().filter(is_own).map(|event| event.address);
            has_all.then_some(())?;
            earlier.chain(blocks.first().map(|block| block.address)).min()
        }
    }
}

/// The largest block that is free between buffers in the order of their addresses; `None` if they overlap.
fn largest_between(start: u64, end: u64, blocks: &[Block]) -> Option<u64> {
    let (mut next, mut largest) = (start, 0);
    for block in blocks {
        largest = largest.max(block.address.checked_sub(next)?);
        next = block.address.checked_add(block.bytes)?;
    }
    Some(largest.max(end.checked_sub(next)?))
}
