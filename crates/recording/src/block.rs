//! A run of moments that can be read by itself: the first one whole, the others as changes.

use std::sync::Arc;

use serde::Serialize;

use super::bytes::{Reader, put_bytes, put_varint, unzigzag, zigzag};
use super::dictionary::Dictionary;
use super::epoch::{Epoch, ReadEpoch};
use super::error::{Damage, FlattenError};
use super::event::Event;
use super::flatten::flatten;
use super::moment::{self, Moment};
use super::structure;
use super::token::Token;
use ttmem_model::Timestamp;

/// The most moments of a block.
pub(crate) const MAX_MOMENTS: usize = 1024;

/// A block that is being recorded. Its content is one row of bytes:
///
/// - the times: how many, the first, and how the steps between them differ;
/// - the dictionary;
/// - the first moment: how many tokens, and the tokens;
/// - the epochs: how many, and each;
/// - the events: how many, and each as kind, time and bytes behind their length.
///
/// What a later minor version adds comes behind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Block {
    dictionary: Dictionary,
    times: Vec<Timestamp>,
    /// The first moment, as it is written.
    first: Vec<u8>,
    /// The moment before, and the one that is being taken.
    last: Vec<Token>,
    next: Vec<Token>,
    /// The epochs that are over, as they are written.
    epochs: Vec<u8>,
    epoch_count: u64,
    epoch: Option<Epoch>,
    /// About how many bytes the changes will take.
    changes: usize,
    events: Vec<Event>,
}

impl Block {
    /// Adds a moment.
    pub(crate) fn push<T: Serialize + ?Sized>(
        &mut self,
        time: Timestamp,
        value: &T,
    ) -> Result<(), FlattenError> {
        flatten(value, &mut self.dictionary, &self.last, &mut self.next)?;
        self.times.push(time);
        match &mut self.epoch {
            None => {
                put_varint(&mut self.first, self.next.len() as u64);
                self.next.iter().for_each(|token| token.put(&mut self.first));
                self.epoch = Some(Epoch::new(Vec::new(), self.next.len()));
            }
            Some(epoch) if structure::is_same(&self.last, &self.next) => {
                self.changes += epoch.push(&self.last, &self.next);
            }
            Some(_) => self.begin_epoch(),
        }
        std::mem::swap(&mut self.last, &mut self.next);
        Ok(())
    }

    fn begin_epoch(&mut self) {
        let steps = structure::steps(&self.last, &self.next, &self.dictionary);
        // The steps were found between the two, so that they lead from the one to the other.
        let carried = structure::apply(&self.last, &steps).unwrap_or_default();
        self.end_epoch();
        let mut epoch = Epoch::new(steps, carried.len());
        self.changes += epoch.push(&carried, &self.next);
        self.epoch = Some(epoch);
    }

    fn end_epoch(&mut self) {
        if let Some(epoch) = self.epoch.take() {
            epoch.put(&mut self.epochs);
            self.epoch_count += 1;
        }
    }

    /// Adds an event.
    pub(crate) fn push_event(&mut self, event: Event) {
        self.changes += event.bytes_len();
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
        self.dictionary.bytes() + self.first.len() + self.epochs.len() + self.changes
    }

    /// Returns the content of the block. The next block is independent, but may guess from this one.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        self.end_epoch();
        let mut out = Vec::with_capacity(self.weight());
        put_times(&self.times, &mut out);
        self.dictionary.put_since((0, 0), &mut out);
        if self.first.is_empty() {
            put_varint(&mut out, 0);
        }
        out.extend_from_slice(&self.first);
        put_varint(&mut out, self.epoch_count);
        out.extend_from_slice(&self.epochs);
        put_varint(&mut out, self.events.len() as u64);
        for event in &self.events {
            put_varint(&mut out, event.kind.code());
            put_varint(&mut out, event.time.0);
            put_bytes(&mut out, &event.payload());
        }
        *self = Self {
            last: Vec::with_capacity(self.last.len()),
            next: Vec::with_capacity(self.next.len()),
            ..Self::default()
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
    if count > MAX_MOMENTS {
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
    content: Vec<u8>,
    pub(crate) times: Vec<Timestamp>,
    pub(crate) events: Vec<Event>,
    dictionary: Arc<Dictionary>,
    first: Vec<Token>,
    epochs: Vec<ReadEpoch>,
}

impl ReadBlock {
    /// Reads what [`Block::finish`] gave.
    pub(crate) fn read(content: Vec<u8>) -> Result<Self, Damage> {
        let mut reader = Reader::new(&content);
        let times = read_times(&mut reader)?;
        let mut dictionary = Dictionary::default();
        dictionary.read_more(&mut reader)?;
        let count = reader.count(1)?;
        let first = structure::read_tokens(&mut reader, count, &dictionary)?;
        let mut epochs = Vec::new();
        for _ in 0..reader.count(1)?.min(MAX_MOMENTS) {
            epochs.push(ReadEpoch::read(&mut reader, &dictionary)?);
        }
        let events = read_events(&mut reader)?;
        Ok(Self { content, times, events, dictionary: Arc::new(dictionary), first, epochs })
    }

    /// One of its moments.
    pub(crate) fn moment(&self, number: usize) -> Result<Moment, Damage> {
        let time = *self.times.get(number).ok_or(Damage::Impossible("no such moment"))?;
        let mut tokens = self.first.clone();
        // The first moment is no change, so that the first epoch has one change less than moments.
        let mut changes = number;
        for (index, epoch) in self.epochs.iter().enumerate() {
            if index > 0 {
                tokens = structure::apply(&tokens, &epoch.steps)?;
            }
            let own = changes.min(epoch.moments);
            epoch.advance(&self.content, &mut tokens, own, &self.dictionary)?;
            if changes <= epoch.moments {
                moment::check(&tokens, &self.dictionary)?;
                return Ok(Moment::new(time, tokens, Arc::clone(&self.dictionary)));
            }
            changes -= own;
        }
        Err(Damage::Impossible("fewer changes than moments"))
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
        let read = ReadBlock::read(block.finish()).unwrap();
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
        let read = ReadBlock::read(block.finish()).unwrap();
        assert_eq!(read.events.len(), 1);
        assert!(read.moment(0).is_err());
    }

    #[test]
    fn a_cut_block_is_refused_wherever_it_is_cut() {
        let mut block = Block::default();
        for time in 0..3_u64 {
            block.push(Timestamp(time), &serde_json::json!({ "a": [time, "x"] })).unwrap();
        }
        let content = block.finish();
        for cut in 0..content.len() {
            assert!(ReadBlock::read(content[..cut].to_vec()).is_err(), "{cut}");
        }
    }
}
