//! The calls of ops, from the allocations and dispatches that they made.

use std::collections::BTreeMap;

use ttmem_model::order;

use ttmem_merge::listing::SegmentBuffer;
use ttmem_segment::{DispatchKind, EventKind, Op, Segment};

use super::replay::{Replay, name};

/// Two events of one call are at most this far apart, in nanoseconds.
const SAME_CALL_NS: u64 = 10_000_000;

/// One call of an op on a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpSpan {
    /// The thread.
    pub thread: u32,
    /// Name of the op.
    pub op: String,
    /// Microseconds since 1970 at its first event.
    pub from_us: u64,
    /// Microseconds since 1970 at the beginning of the thread's next op; of a thread's last op the time of its last event.
    pub to_us: u64,
    /// Allocations and frees in it.
    pub events: u64,
    /// Sequence number of the newest event at its end: [`live_after`] finds the buffers of that moment.
    pub last_event: u64,
    /// Indexes of the footprints that it dispatched.
    pub footprints: Vec<u32>,
}

/// An event of an allocator, or a dispatch.
struct Moment<'a> {
    thread: u32,
    time: u64,
    op: &'a Op,
    event: u64,
    /// The footprint of a dispatch, if it is recorded.
    dispatch: Option<Option<u32>>,
    allocates: bool,
}

/// Returns the calls of a segment by their beginning.
///
/// A call ends when its thread works for another op, pauses for 10 ms, or allocates or dispatches after a dispatch. Times of
/// a segment are coarse: calls of a thread that begin at the same recorded time share the time to the next one evenly.
#[must_use]
pub fn op_spans(segment: &Segment) -> Vec<OpSpan> {
    let mut threads: BTreeMap<u32, Vec<(OpSpan, u64)>> = BTreeMap::new();
    for moment in moments(segment) {
        let calls = threads.entry(moment.thread).or_default();
        let continues = calls.last().is_some_and(|(span, last)| {
            let begins_anew = moment.dispatch.is_some() || moment.allocates;
            span.op == moment.op.name.as_ref()
                && moment.time.saturating_sub(*last) <= SAME_CALL_NS
                && (span.footprints.is_empty() || !begins_anew)
        });
        if !continues {
            let from_us = segment.header.to_real_time(moment.time) / 1000;
            let span = OpSpan {
                thread: moment.thread,
                op: moment.op.name.to_string(),
                from_us,
                to_us: from_us,
                events: 0,
                last_event: moment.event,
                footprints: Vec::new(),
            };
            calls.push((span, moment.time));
        }
        let Some((span, last)) = calls.last_mut() else { continue };
        *last = moment.time;
        span.to_us = segment.header.to_real_time(moment.time) / 1000;
        span.last_event = moment.event;
        match moment.dispatch {
            Some(footprint) => span.footprints.extend(footprint),
            None => span.events += 1,
        }
    }
    let threads = threads.into_values().map(|calls| calls.into_iter().map(|(span, _)| span));
    let mut spans: Vec<OpSpan> =
        threads.flat_map(|calls| lengthened(calls.collect::<Vec<_>>())).collect();
    order::sort_by_key(&mut spans, |span| (span.from_us, span.last_event));
    spans
}

/// Events of allocators and dispatches, in the order in which they happened. What has no op is left out.
fn moments(segment: &Segment) -> Vec<Moment<'_>> {
    let events = segment.events.iter().filter_map(|event| {
        let op = event.op.as_ref().filter(|op| name(Some(op)).is_some())?;
        let allocates = event.kind == EventKind::Allocate;
        let (thread, time, event) = (event.thread, event.time, event.sequence);
        Some(Moment { thread, time, op, event, dispatch: None, allocates })
    });
    let dispatches = segment.programs.dispatches.iter().filter_map(|dispatch| {
        let op = dispatch.op.as_ref().filter(|op| name(Some(op)).is_some())?;
        let footprint = dispatch.footprint.filter(|_| dispatch.kind != DispatchKind::Replay);
        let (thread, time, event) = (dispatch.thread, dispatch.time, dispatch.event);
        Some(Moment { thread, time, op, event, dispatch: Some(footprint), allocates: false })
    });
    let mut moments: Vec<Moment<'_>> = events.chain(dispatches).collect();
    // Stable: a dispatch comes after the event that it names.
    order::sort_by_key(&mut moments, |moment| moment.event);
    moments
}

/// Makes each call of a thread last to the next one.
fn lengthened(mut calls: Vec<OpSpan>) -> Vec<OpSpan> {
    let mut first = 0;
    while first < calls.len() {
        let from = calls[first].from_us;
        let count = calls[first..].iter().take_while(|call| call.from_us <= from).count().max(1);
        let next = calls.get(first + count).map(|call| call.from_us);
        let share = next.map(|next| next.saturating_sub(from));
        for (index, call) in calls[first..first + count].iter_mut().enumerate() {
            let Some(share) = share else { continue };
            let at = |index: usize| from + share * index as u64 / count as u64;
            (call.from_us, call.to_us) = (at(index), at(index + 1));
        }
        first += count;
    }
    calls
}

/// Calls `visit` for each span, ordered by [`OpSpan::last_event`], with the buffers that were live right after it.
pub fn live_after<'a>(
    segment: &'a Segment,
    spans: &[OpSpan],
    mut visit: impl FnMut(usize, &mut dyn Iterator<Item = &SegmentBuffer<'a>>),
) {
    let replay = Replay::new(segment);
    let mut living = replay.before();
    let mut events = segment.events.iter().enumerate().peekable();
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order::sort_by_key(&mut order, |span| spans[*span].last_event);
    for span in order {
        let until = spans[span].last_event;
        while let Some((index, event)) = events.next_if(|(_, event)| event.sequence <= until) {
            living.apply(index, event);
        }
        visit(span, &mut living.iter());
    }
}

#[cfg(test)]
mod tests {
    use ttmem_segment::{AllocatorKind, Reader};

    use super::*;
    use ttmem_fake::segment::{NewBuffer, Segment as Fake};

    fn allocate(fake: Fake, op: &str) -> Fake {
        fake.allocate(NewBuffer::new(AllocatorKind::L1, 64, op))
    }

    #[test]
    fn a_pause_or_another_op_ends_a_call_and_the_next_begins_there() {
        let fake = allocate(allocate(Fake::wormhole(7, 70, 5), "Add"), "Add");
        let fake = allocate(allocate(fake, "Matmul").wait(500), "Matmul");
        let spans = op_spans(&Reader::parse(&fake.image()).unwrap());
        let calls: Vec<_> = spans.iter().map(|span| (span.op.as_str(), span.events)).collect();
        assert_eq!(calls, [("Add", 2), ("Matmul", 1), ("Matmul", 1)]);
        assert!(spans.windows(2).all(|pair| pair[0].to_us == pair[1].from_us));
        assert!(spans[1].to_us - spans[1].from_us >= 500_000);
    }

    #[test]
    fn calls_at_one_time_share_the_time_to_the_next() {
        let span = |from_us| OpSpan {
            thread: 1,
            op: "Add".to_owned(),
            from_us,
            to_us: from_us,
            events: 1,
            last_event: 1,
            footprints: Vec::new(),
        };
        let calls = lengthened(vec![span(100), span(100), span(104), span(110)]);
        let times: Vec<_> = calls.iter().map(|call| (call.from_us, call.to_us)).collect();
        assert_eq!(times, [(100, 102), (102, 104), (104, 110), (110, 110)]);
    }

    #[test]
    fn the_buffers_after_each_call_are_those_of_that_moment() {
        let fake = allocate(allocate(Fake::wormhole(7, 70, 5), "Add"), "Mul").free_newest_of("Add");
        let segment = Reader::parse(&allocate(fake, "Sub").image()).unwrap();
        let spans = op_spans(&segment);
        let mut live = vec![0; spans.len()];
        live_after(&segment, &spans, |span, buffers| live[span] = buffers.count());
        let last = spans.iter().position(|span| span.op == "Sub").unwrap();
        assert_eq!((live[0], live[last]), (1, 2));
    }
}
