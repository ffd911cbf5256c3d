//! Brings a copy of a segment to one moment.
//!
//! A copy is taken from its beginning to its end while hooks write: the sums are older than the list of buffers, and
//! that is older than the events. The events contain the changes in between, so that the list and the sums can be
//! carried on to the last of them.

use std::collections::HashMap;

use crate::order;

use super::contents::{Allocator, Buffer, Event, Footprint, KindUse, Segment};
use super::vocabulary::{AllocatorKind, EventKind, Origin};

/// Two buffers of an allocator and kind never have the same address at the same time.
type BufferKey = (u8, AllocatorKind, u64);

/// Carries buffers and sums on to the newest event, if the copy has events that are newer than its beginning, when
/// `written` had been written. Returns how many events of that time are not in the copy; they may be in a next one.
pub(super) fn settle(segment: &mut Segment, written: u64) -> u64 {
    let Some(newest) = segment.events.last().map(|event| event.sequence) else { return 0 };
    if newest <= written {
        return 0;
    }
    let later = segment.events.partition_point(|event| event.sequence <= written);
    let missing = (newest - written).saturating_sub((segment.events.len() - later) as u64);
    let mut kinds = segment.allocators.iter().flat_map(|allocator| &allocator.kinds);
    // Unlisted buffers cannot be identified.
    if kinds.all(|kind| kind.unlisted_buffers == 0) {
        carry_on(segment);
    }
    missing
}

/// Applies the last event of each key where it is newer than the list.
fn carry_on(segment: &mut Segment) {
    let mut live: HashMap<BufferKey, Buffer> = HashMap::new();
    // By allocator the number of the event that emptied it last.
    let mut emptied: HashMap<u8, u64> = HashMap::new();
    // In the order of their numbers: a slot may have been copied before and after it was reused.
    for buffer in segment.buffers.drain(..) {
        live.insert((buffer.allocator, buffer.kind, buffer.address), buffer);
    }
    for event in &segment.events {
        let Some(allocator) = event.allocator else { continue };
        let key = (allocator, event.footprint.kind, event.address);
        let is_older = |buffer: &Buffer| buffer.sequence < event.sequence;
        match event.kind {
            EventKind::Allocate if live.get(&key).is_none_or(is_older) => {
                live.insert(key, Buffer::of(allocator, event));
            }
            EventKind::Free if live.get(&key).is_some_and(is_older) => {
                live.remove(&key);
            }
            EventKind::MassFree | EventKind::AllocatorDestroyed => {
                emptied.insert(allocator, event.sequence);
            }
            _ => {}
        }
    }
    let is_left =
        |buffer: &Buffer| emptied.get(&buffer.allocator).is_none_or(|end| *end < buffer.sequence);
    segment.buffers.extend(live.into_values().filter(is_left));
    order::sort_by_number(&mut segment.buffers, |buffer| buffer.sequence);
    add_up(&mut segment.allocators, &segment.buffers);
}

/// Calculates the sums of a list in which nothing is missing.
fn add_up(allocators: &mut [Allocator], buffers: &[Buffer]) {
    for held in allocators.iter_mut().flat_map(|allocator| &mut allocator.kinds) {
        (held.live_bytes, held.live_buffers) = (0, 0);
        (held.kernel_bytes, held.trace_bytes) = (0, 0);
    }
    for buffer in buffers {
        let own = allocators.iter_mut().find(|allocator| allocator.index == buffer.allocator);
        if let Some(allocator) = own {
            allocator.kinds[buffer.kind as usize].add(buffer);
        }
    }
    for held in allocators.iter_mut().flat_map(|allocator| &mut allocator.kinds) {
        if held.live_bytes > held.peak_bytes {
            (held.peak_bytes, held.peak) = (held.live_bytes, None);
        }
    }
}

impl Buffer {
    /// The buffer that an event allocated.
    fn of(allocator: u8, event: &Event) -> Self {
        let Footprint { kind, layout, bytes_per_bank, block_padding, requested, page_bytes } =
            event.footprint;
        Self {
            allocator,
            kind,
            origin: event.origin,
            layout,
            address: event.address,
            bytes_per_bank,
            requested,
            page_bytes,
            block_padding,
            sequence: event.sequence,
            time: event.time,
            thread: event.thread,
            op: event.op.clone(),
            stack: event.stack.clone(),
            shape: event.shape.clone(),
        }
    }
}

impl KindUse {
    fn add(&mut self, buffer: &Buffer) {
        let add = |sum: &mut u64| *sum = sum.saturating_add(buffer.bytes_per_bank);
        add(&mut self.live_bytes);
        self.live_buffers += 1;
        match buffer.origin {
            Origin::Plain => {}
            Origin::Kernels => add(&mut self.kernel_bytes),
            Origin::Trace => add(&mut self.trace_bytes),
        }
    }
}
