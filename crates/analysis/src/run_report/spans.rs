//! When which op was running, as far as its allocations tell.

use std::collections::BTreeMap;

use ttmem_segment::{Event, Segment};

use super::replay::name;

/// Between two events of an op no more time may pass, or it was called again.
const SAME_CALL_NS: u64 = 10_000_000;

/// An op running on a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpSpan {
    /// The thread.
    pub thread: u32,
    /// Its name.
    pub op: String,
    /// Microseconds since 1970 at its first allocation or free.
    pub from_us: u64,
    /// The time of its last allocation.
    pub to_us: u64,
    /// Allocations and frees in it.
    pub events: u64,
}

/// The ops of a segment by their beginning: of each thread, what the same op did without a pause.
#[must_use]
pub fn op_spans(segment: &Segment) -> Vec<OpSpan> {
    let mut open: BTreeMap<u32, (OpSpan, u64)> = BTreeMap::new();
    let mut done = Vec::new();
    for event in &segment.events {
        let span = span(segment, event);
        match open.get_mut(&event.thread) {
            Some((known, last))
                if span.as_ref().is_some_and(|span| span.op == known.op)
                    && event.time.saturating_sub(*last) <= SAME_CALL_NS =>
            {
                known.to_us = segment.header.to_real_time(event.time) / 1000;
                known.events += 1;
                *last = event.time;
            }
            _ => {
                done.extend(open.remove(&event.thread).map(|(span, _)| span));
                if let Some(span) = span {
                    open.insert(event.thread, (span, event.time));
                }
            }
        }
    }
    done.extend(open.into_values().map(|(span, _)| span));
    done.sort_by_key(|span| span.from_us);
    done
}

fn span(segment: &Segment, event: &Event) -> Option<OpSpan> {
    let time = segment.header.to_real_time(event.time) / 1000;
    let op = name(event.op.as_ref())?;
    Some(OpSpan { thread: event.thread, op, from_us: time, to_us: time, events: 1 })
}

#[cfg(test)]
mod tests {
    use ttmem_segment::{BufferKind, Reader};

    use super::*;
    use ttmem_fake::segment::{NewBuffer, Segment as Fake};

    #[test]
    fn a_pause_or_another_op_ends_a_span() {
        let allocate = |fake: Fake, op| fake.allocate(NewBuffer::new(BufferKind::L1, 64, op));
        let fake = allocate(allocate(Fake::wormhole(7, 70, 5), "Add"), "Add");
        let fake = allocate(allocate(fake, "Matmul").wait(500), "Matmul");
        let spans = op_spans(&Reader::parse(&fake.image()).unwrap());
        let told: Vec<_> = spans.iter().map(|span| (span.op.as_str(), span.events)).collect();
        assert_eq!(told, [("Add", 2), ("Matmul", 1), ("Matmul", 1)]);
        assert!(spans.iter().all(|span| span.from_us <= span.to_us));
    }
}
