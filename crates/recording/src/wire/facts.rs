//! The facts of states as they go over a wire: all of them once, then changes.
//!
//! Facts that are too large for a frame are left out, as in a recording. The state does not need them.

use crate::Damage;
use crate::parts::{Names, Reader, put_varint};
use crate::wire::{LiveReader, LiveWriter, MAX_FRAME_BYTES};
use ttmem_model::Timestamp;
use ttmem_model::facts::{FACTS_VERSION, Facts};

/// Makes the contents of `Facts` and `FactsChange` frames.
#[derive(Debug)]
pub struct FactsWriter(LiveWriter);

impl Default for FactsWriter {
    fn default() -> Self {
        Self(LiveWriter::new(Names::LeftOut))
    }
}

impl FactsWriter {
    /// Takes the facts of the next state. Returns the changes; `None` if readers need all of them.
    pub fn push(&mut self, facts: &Facts) -> Option<Vec<u8>> {
        let Ok(change) = self.0.push(facts.time, facts) else {
            *self = Self::default();
            return None;
        };
        change.filter(|change| fits(change))
    }

    /// Returns all facts of the newest state; `None` if they are too large.
    #[must_use]
    pub fn full(&self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        put_varint(&mut out, FACTS_VERSION);
        out.extend(self.0.full());
        (self.0.is_begun() && fits(&out)).then_some(out)
    }
}

fn fits(content: &[u8]) -> bool {
    content.len() <= MAX_FRAME_BYTES
}

/// Reads the contents of `Facts` and `FactsChange` frames.
#[derive(Debug, Default)]
pub struct FactsReader(LiveReader);

impl FactsReader {
    /// Takes all facts of a state. Facts of another version are left out.
    ///
    /// # Errors
    /// If they are damaged.
    pub fn full(&mut self, content: &[u8]) -> Result<(), Damage> {
        let mut reader = Reader::new(content);
        if reader.varint()? != FACTS_VERSION {
            *self = Self::default();
            return Ok(());
        }
        self.0.full(content.get(reader.position()..).unwrap_or_default())
    }

    /// Applies changes to the newest facts. Without facts, changes are left out.
    ///
    /// # Errors
    /// If they do not fit the facts before. Those are lost then.
    pub fn change(&mut self, content: &[u8]) -> Result<(), Damage> {
        if self.0.is_begun() { self.0.change(content) } else { Ok(()) }
    }

    /// Returns the facts of the state of this time; `None` if there are none.
    ///
    /// # Errors
    /// If they are damaged.
    pub fn facts(&self, time: Timestamp) -> Result<Option<Facts>, Damage> {
        self.0.unnamed(time)
    }
}

#[cfg(test)]
mod tests {
    use ttmem_model::facts::{Bounded, Excess};

    use super::*;

    fn facts(time: u64) -> Facts {
        let excess = |count| Excess {
            what: Bounded::Regions,
            user: (count % 2 == 0).then(|| format!("user {}", count % 5)),
            directory: "/dev/shm".to_owned(),
            count,
            read: 1,
        };
        let excess = (0..time % 4).map(|row| excess(usize::try_from(row + time).unwrap_or(0)));
        Facts { time: Timestamp(time), excess: excess.collect(), ..Facts::default() }
    }

    #[test]
    fn changes_lead_to_the_facts_of_the_newest_state() {
        let (mut writer, mut reader) = (FactsWriter::default(), FactsReader::default());
        assert_eq!((writer.full(), reader.facts(Timestamp(0)).unwrap()), (None, None));
        for time in 0..12 {
            match writer.push(&facts(time)) {
                Some(change) => reader.change(&change).unwrap(),
                None => reader.full(&writer.full().unwrap()).unwrap(),
            }
            assert_eq!(reader.facts(Timestamp(time)).unwrap(), Some(facts(time)));
            assert_eq!(reader.facts(Timestamp(time + 1)).unwrap(), None, "of another state");
        }
    }

    #[test]
    fn facts_of_another_version_are_left_out() {
        let mut writer = FactsWriter::default();
        writer.push(&facts(1));
        let mut full = writer.full().unwrap();
        let mut reader = FactsReader::default();
        reader.full(&full).unwrap();
        full[0] += 1;
        reader.full(&full).unwrap();
        reader.change(&writer.push(&facts(2)).unwrap()).unwrap();
        assert_eq!(reader.facts(Timestamp(2)), Ok(None));
    }

    #[test]
    fn facts_that_are_too_large_are_left_out_and_the_next_ones_are_not() {
        let mut writer = FactsWriter::default();
        let many = |count| {
            let one = facts(3).excess.remove(0);
            Facts { excess: vec![one; count], ..facts(7) }
        };
        assert_eq!(writer.push(&many(300_000)), None);
        assert_eq!(writer.full(), None);
        assert_eq!(writer.push(&many(3)), None, "readers have nothing that it could change");
        let mut reader = FactsReader::default();
        reader.full(&writer.full().unwrap()).unwrap();
        assert_eq!(reader.facts(Timestamp(7)).unwrap(), Some(many(3)));
    }

    #[test]
    fn changed_bytes_do_no_harm() {
        let mut writer = FactsWriter::default();
        writer.push(&facts(2));
        let full = writer.full().unwrap();
        let change = writer.push(&facts(3)).unwrap();
        let mut state = 1_u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(state >> 33).unwrap_or(0) % below
        };
        let mut found = 0;
        for _ in 0..20_000 {
            let (mut full, mut change) = (full.clone(), change.clone());
            for bytes in [&mut full, &mut change] {
                let index = random(bytes.len());
                bytes[index] = u8::try_from(random(256)).unwrap_or(0);
                bytes.truncate(bytes.len() - random(2) * random(4).min(bytes.len()));
            }
            let mut reader = FactsReader::default();
            let was_read = reader.full(&full).and_then(|()| reader.change(&change));
            let facts = reader.facts(Timestamp(3));
            found += usize::from(was_read.is_ok() && matches!(facts, Ok(Some(_))));
        }
        assert!(found > 100, "some changes are of values: {found}");
    }
}
