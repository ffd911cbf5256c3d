//! A run of moments that can be read by itself: the first one whole, the others as changes.

use std::sync::Arc;

use serde::Serialize;

use super::bytes::{Reader, put_bytes, put_varint, unzigzag, zigzag};
use super::error::{Damage, FlattenError};
use super::event::Event;
use super::facts::{BlockFacts, Part};
use super::moment::Moment;
use super::rows::{MAX_ROWS, ReadRows, Rows};
use ttmem_model::Timestamp;
use ttmem_model::facts::Facts;

/// The most moments of a block: its facts have one row more.
pub(crate) const MAX_MOMENTS: usize = MAX_ROWS - 1;

/// A block that is being recorded. Its content is one row of bytes:
///
/// - the times: how many, the first, and how the steps between them differ;
/// - the moments, as [`Rows`];
/// - the events: how many, and each as kind, time and length-prefixed bytes;
/// - the facts, if there are any, as [`BlockFacts`].
///
/// What a later minor version adds comes after them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Block {
    times: Vec<Timestamp>,
    rows: Rows,
    events: Vec<Event>,
    facts: Option<BlockFacts>,
}

impl Block {
    /// Adds a moment.
    pub(crate) fn push<T: Serialize + ?Sized>(
        &mut self,
        time: Timestamp,
        value: &T,
    ) -> Result<(), FlattenError> {
        self.rows.push(value)?;
        self.times.push(time);
        Ok(())
    }

    /// Adds the facts of the newest moment, if they are known. `previous` are those of the moment before.
    pub(crate) fn push_facts(&mut self, previous: Option<&Facts>, facts: Option<&Facts>) {
        let (Some(began), Some(number)) = (self.times.first(), self.times.len().checked_sub(1))
        else {
            return;
        };
        if facts.is_some() || self.facts.as_ref().is_some_and(BlockFacts::is_used) {
            let began = *began;
            let own = self.facts.get_or_insert_with(|| BlockFacts::begin(previous, began));
            own.push(number, facts);
        }
    }

    /// Adds an event.
    pub(crate) fn push_event(&mut self, event: Event) {
        self.events.push(event);
    }

    pub(crate) fn times(&self) -> &[Timestamp] {
        &self.times
    }

    pub(crate) fn event_count(&self) -> usize {
        self.events.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.times.is_empty() && self.events.is_empty()
    }

    /// About how many bytes it will take before compression.
    pub(crate) fn weight(&self) -> usize {
        let events: usize = self.events.iter().map(Event::bytes_len).sum();
        self.rows.weight() + events + self.facts.as_ref().map_or(0, BlockFacts::weight)
    }

    /// Returns the content of the block. The moments of the next block are independent of this one; its facts continue
    /// them, unless `facts_every` blocks have.
    pub(crate) fn finish(&mut self, facts_every: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.weight());
        put_times(&self.times, &mut out);
        self.rows.put(&mut out);
        self.rows.restart();
        put_varint(&mut out, self.events.len() as u64);
        for event in self.events.drain(..) {
            put_varint(&mut out, event.kind.code());
            put_varint(&mut out, event.time.0);
            put_bytes(&mut out, &event.payload());
        }
        let has_moments = !self.times.is_empty();
        self.times.clear();
        self.facts = match self.facts.take() {
            Some(facts) if facts.is_used() => facts.put(facts_every, &mut out),
            // A block of events alone is between the two.
            waiting if !has_moments => waiting,
            _ => None,
        };
        out
    }
}

fn put_times(times: &[Timestamp], out: &mut Vec<u8>) {
    put_varint(out, times.len() as u64);
    let mut last = 0_u64;
    let mut last_step = 0_i64;
    for time in times {
        let step = time.0.wrapping_sub(last).cast_signed();
        put_varint(out, zigzag(step.wrapping_sub(last_step)));
        (last, last_step) = (time.0, step);
    }
}

fn read_times(reader: &mut Reader<'_>) -> Result<Vec<Timestamp>, Damage> {
    let count = reader.count(1)?;
    if count > MAX_ROWS {
        return Err(Damage::Impossible("more moments than a block may have"));
    }
    let mut last = 0_u64;
    let mut step = 0_i64;
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        step = step.wrapping_add(unzigzag(reader.varint()?));
        last = last.wrapping_add(step.cast_unsigned());
        times.push(Timestamp(last));
    }
    Ok(times)
}

/// A block that was read: its content decompressed, nothing of it decoded but the first moment.
#[derive(Debug)]
pub(crate) struct ReadBlock {
    pub(crate) times: Vec<Timestamp>,
    rows: ReadRows,
    pub(crate) events: Vec<Event>,
    pub(crate) facts: Option<Part>,
}

impl ReadBlock {
    /// Reads what [`Block::finish`] gave. Facts that cannot be read are left out: the moments do not need them.
    pub(crate) fn read(content: Vec<u8>) -> Result<Self, Damage> {
        let mut reader = Reader::new(&content);
        let times = read_times(&mut reader)?;
        let from = reader.position();
        let (rows, behind) = ReadRows::read(content, from, None)?;
        let mut reader = Reader::new(rows.content().get(behind..).unwrap_or_default());
        let events = read_events(&mut reader)?;
        let facts = Part::read(&mut reader);
        Ok(Self { times, rows, events, facts })
    }

    /// Returns one moment of the block.
    pub(crate) fn moment(&self, number: usize) -> Result<Moment, Damage> {
        let time = *self.times.get(number).ok_or(Damage::Impossible("no such moment"))?;
        Ok(Moment::new(time, self.rows.row(number)?, Arc::clone(&self.rows.dictionary)))
    }
}

fn read_events(reader: &mut Reader<'_>) -> Result<Vec<Event>, Damage> {
    let count = reader.count(3)?;
    let mut events = Vec::new();
    for _ in 0..count {
        let (kind, time) = (reader.varint()?, Timestamp(reader.varint()?));
        events.push(Event::read(kind, time, reader.bytes()?));
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(values: &[serde_json::Value]) -> Vec<String> {
        let mut block = Block::default();
        for (time, value) in (7..).zip(values) {
            block.push(Timestamp(time), value).unwrap();
        }
        let read = ReadBlock::read(block.finish(1)).unwrap();
        assert_eq!(read.times.len(), values.len());
        let print = |number| serde_json::to_string(&read.moment(number).unwrap()).unwrap();
        (0..values.len()).map(print).collect()
    }

    #[test]
    fn moments_of_changing_structure_come_back() {
        let row =
            |pid: u64, value: serde_json::Value| serde_json::json!({ "pid": pid, "x": value });
        let values = [
            serde_json::json!({ "time": 1, "rows": [row(1, 5.into()), row(3, 0.5.into())] }),
            serde_json::json!({ "time": 2, "rows": [row(1, 9.into()), row(3, 0.75.into())] }),
            serde_json::json!({ "time": 3, "rows": [row(1, 9.into()), row(2, "a".into()), row(3, 1.into())] }),
            serde_json::json!({ "time": 4, "rows": [row(2, "b".into()), row(3, serde_json::Value::Null)] }),
            serde_json::json!({ "time": 5, "rows": [] }),
            serde_json::json!([1, [2, [3]], {}]),
            serde_json::json!("alone"),
            serde_json::json!("alone"),
        ];
        let printed: Vec<String> = values.iter().map(ToString::to_string).collect();
        assert_eq!(moments(&values), printed);
    }

    #[test]
    fn a_block_of_events_alone_has_no_moment() {
        let mut block = Block::default();
        block.push_event(Event::read(77, Timestamp(5), b"\x00bytes"));
        let read = ReadBlock::read(block.finish(1)).unwrap();
        assert_eq!(read.events.len(), 1);
        assert!(read.moment(0).is_err());
    }

    #[test]
    fn a_cut_block_is_refused_wherever_it_is_cut() {
        let mut block = Block::default();
        for time in 0..3_u64 {
            block.push(Timestamp(time), &serde_json::json!({ "a": [time, "x"] })).unwrap();
        }
        let content = block.finish(1);
        for cut in 0..content.len() {
            assert!(ReadBlock::read(content[..cut].to_vec()).is_err(), "{cut}");
        }
    }
}
