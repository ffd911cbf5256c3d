//! The state of a host as it goes over a wire: whole once, then as changes.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::parts::{
    Change, Dictionary, Moment, Names, Reader, Token, apply, check, flatten, is_same, put_change,
    put_steps, put_varint, read_steps, read_tokens, read_unnamed, steps,
};
use crate::wire::MAX_FRAME_BYTES;
use crate::{Damage, FlattenError};
use ttmem_model::Timestamp;

/// Strings and shapes that are no longer used stay in the dictionary; when this number of bytes was added to it, it is
/// cleared.
const MAX_DICTIONARY_BYTES: usize = 256 << 10;
/// The upper bound of a reader: the bytes at which the dictionary is cleared, and those that one state can add.
const MAX_READ_BYTES: usize = MAX_DICTIONARY_BYTES + MAX_FRAME_BYTES;

/// Makes the contents of `Full` and `Change` frames.
#[derive(Debug, Default)]
pub struct LiveWriter {
    names: Names,
    dictionary: Dictionary,
    /// Bytes of the dictionary when it was last cleared and filled.
    begun_bytes: usize,
    time: Timestamp,
    last: Vec<Token>,
    next: Vec<Token>,
}

impl LiveWriter {
    /// A writer of states with or without the names of their fields.
    pub(super) fn new(names: Names) -> Self {
        Self { names, ..Self::default() }
    }

    /// True if there is a state.
    pub(super) fn is_begun(&self) -> bool {
        !self.last.is_empty()
    }

    /// Encodes the next state. Returns the changes, or `None` if readers need all of it: at the first state, and
    /// when the dictionary is cleared.
    ///
    /// # Errors
    /// If the state cannot be written as JSON.
    pub fn push<T: Serialize + ?Sized>(
        &mut self,
        time: Timestamp,
        state: &T,
    ) -> Result<Option<Vec<u8>>, FlattenError> {
        let known = self.dictionary.counts();
        let most_bytes = self.begun_bytes + MAX_DICTIONARY_BYTES;
        let mut is_new = self.last.is_empty() || self.dictionary.bytes() > most_bytes;
        if !is_new {
            self.flatten(state)?;
            is_new = self.dictionary.bytes() > MAX_READ_BYTES;
        }
        if is_new {
            self.dictionary = Dictionary::default();
            self.last.clear();
            self.flatten(state)?;
            self.begun_bytes = self.dictionary.bytes();
        }
        self.time = time;
        let change = (!is_new).then(|| self.change(known));
        std::mem::swap(&mut self.last, &mut self.next);
        Ok(change)
    }

    fn flatten<T: Serialize + ?Sized>(&mut self, state: &T) -> Result<(), FlattenError> {
        flatten(state, self.names, &mut self.dictionary, &self.last, &mut self.next)
    }

    fn change(&self, known: (usize, usize)) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, self.time.0);
        self.dictionary.put_since(known, &mut out);
        let carried = if is_same(&self.last, &self.next) {
            put_steps(&[], &mut out);
            None
        } else {
            let steps = steps(&self.last, &self.next, &self.dictionary);
            put_steps(&steps, &mut out);
            // The steps were found between the two, so that they lead from the one to the other.
            Some(apply(&self.last, &steps).unwrap_or_default())
        };
        let before = carried.as_deref().unwrap_or(&self.last);
        let mut next = 0;
        for (position, (old, new)) in before.iter().zip(&self.next).enumerate() {
            if old != new {
                put_varint(&mut out, (position - next) as u64);
                put_change(*old, *new, &mut out);
                next = position + 1;
            }
        }
        out
    }

    /// The whole state that was taken last.
    #[must_use]
    pub fn full(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, self.time.0);
        self.dictionary.put_since((0, 0), &mut out);
        put_varint(&mut out, self.last.len() as u64);
        self.last.iter().for_each(|token| token.put(&mut out));
        out
    }
}

/// Understands the contents of `Full` and `Change` frames.
#[derive(Debug, Default)]
pub struct LiveReader {
    dictionary: Arc<Dictionary>,
    time: Timestamp,
    tokens: Vec<Token>,
}

impl LiveReader {
    /// Takes the whole state.
    ///
    /// # Errors
    /// If it is not one.
    pub fn full(&mut self, content: &[u8]) -> Result<(), Damage> {
        let mut reader = Reader::new(content);
        let time = Timestamp(reader.varint()?);
        let mut dictionary = Dictionary::default();
        dictionary.read_more(&mut reader)?;
        let count = reader.count(1)?;
        let tokens = read_tokens(&mut reader, count, &dictionary)?;
        check(&tokens, &dictionary)?;
        *self = Self { dictionary: Arc::new(dictionary), time, tokens };
        Ok(())
    }

    /// Applies a change to the newest snapshot.
    ///
    /// # Errors
    /// If it does not fit the state before. The state is lost then.
    pub fn change(&mut self, content: &[u8]) -> Result<(), Damage> {
        let mut tokens = std::mem::take(&mut self.tokens);
        let mut reader = Reader::new(content);
        let time = Timestamp(reader.varint()?);
        let dictionary = Arc::make_mut(&mut self.dictionary);
        dictionary.read_more(&mut reader)?;
        if dictionary.bytes() > MAX_READ_BYTES {
            return Err(Damage::Impossible("a dictionary that only grows"));
        }
        let steps = read_steps(&mut reader, dictionary)?;
        if !steps.is_empty() {
            tokens = apply(&tokens, &steps)?;
        }
        let mut next = 0_usize;
        while reader.remaining() > 0 {
            let position = next.saturating_add(reader.index(u32::MAX as usize)? as usize);
            let mut change = Change::default();
            change.read_more(&mut reader, dictionary.counts())?;
            let token = tokens.get_mut(position).filter(|token| !token.is_container());
            let token = token.ok_or(Damage::Impossible("a change of a value that is not there"))?;
            *token = change.apply(*token)?;
            next = position.saturating_add(1);
        }
        check(&tokens, dictionary)?;
        (self.time, self.tokens) = (time, tokens);
        Ok(())
    }

    /// A typed value of a state whose fields have no names; `None` if the newest state has another time.
    ///
    /// # Errors
    /// If the state is no such value.
    pub(super) fn unnamed<T: DeserializeOwned>(
        &self,
        time: Timestamp,
    ) -> Result<Option<T>, Damage> {
        let is_there = !self.tokens.is_empty() && self.time == time;
        is_there.then(|| read_unnamed(&self.tokens, &self.dictionary)).transpose()
    }

    /// True if there is a state.
    pub(super) fn is_begun(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// The state; `None` before the first whole one.
    #[must_use]
    pub fn moment(&self) -> Option<Moment> {
        let is_there = !self.tokens.is_empty();
        is_there.then(|| Moment::new(self.time, self.tokens.clone(), Arc::clone(&self.dictionary)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_lead_to_the_same_state_wherever_one_begins() {
        let state = |time: u64| {
            let rows: Vec<_> = (0..time % 4).map(|row| serde_json::json!({ "pid": row })).collect();
            serde_json::json!({ "time": time, "rows": rows, "text": format!("{}", time % 3) })
        };
        let mut writer = LiveWriter::default();
        let mut readers: Vec<LiveReader> = Vec::new();
        for time in 0..12 {
            let change = writer.push(Timestamp(time), &state(time)).unwrap();
            assert_eq!(change.is_none(), time == 0);
            for reader in &mut readers {
                reader.change(change.as_ref().unwrap()).unwrap();
            }
            let mut new = LiveReader::default();
            assert!(new.moment().is_none());
            new.full(&writer.full()).unwrap();
            readers.push(new);
            for reader in &readers {
                let moment = reader.moment().unwrap();
                assert_eq!(moment.time(), Timestamp(time));
                assert_eq!(serde_json::to_string(&moment).unwrap(), state(time).to_string());
            }
        }
    }

    #[test]
    fn a_change_that_does_not_fit_is_refused() {
        let mut reader = LiveReader::default();
        assert!(reader.change(&[0, 0, 0, 0, 5, 2]).is_err());
        assert!(reader.full(&[]).is_err());
        assert!(reader.moment().is_none());
    }

    #[test]
    fn a_dictionary_that_only_grows_is_refused() {
        let mut reader = LiveReader::default();
        let mut writer = LiveWriter::default();
        writer.push(Timestamp(1), &[1]).unwrap();
        reader.full(&writer.full()).unwrap();
        // Changes that bring new strings and change nothing.
        let refused = (0..100).find_map(|number| {
            let mut strings = Dictionary::default();
            strings.string_number(&format!("{number}{}", "x".repeat(200_000)), None);
            let mut change = Vec::new();
            put_varint(&mut change, 1);
            strings.put_since((0, 0), &mut change);
            put_steps(&[], &mut change);
            reader.change(&change).err().map(|_damage| number)
        });
        assert!(refused.is_some_and(|number| number > 30), "{refused:?}");
    }
}
