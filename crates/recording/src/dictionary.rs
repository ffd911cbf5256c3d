//! The strings of a block and the shapes of its maps, each written once.

use std::collections::HashMap;
use std::sync::Arc;

use super::bytes::{Reader, put_bytes, put_varint};
use super::error::Damage;

/// Strings and shapes at most: each takes more memory than the byte that it may be written in.
const MAX_ENTRIES: usize = 1 << 18;

/// Strings and shapes by number. A shape is the list of a map's keys, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dictionary {
    strings: Vec<Arc<str>>,
    shapes: Vec<Arc<[u32]>>,
    string_numbers: HashMap<Arc<str>, u32>,
    shape_numbers: HashMap<Arc<[u32]>, u32>,
    bytes: usize,
}

impl Dictionary {
    /// The string of a number; empty for one that is not there.
    pub(crate) fn string(&self, number: u32) -> &str {
        self.strings.get(number as usize).map_or("", |string| string)
    }

    /// The keys of a shape; none for one that is not there.
    pub(crate) fn shape(&self, number: u32) -> &[u32] {
        self.shapes.get(number as usize).map_or(&[], |shape| shape)
    }

    /// Returns the number of strings and shapes.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.strings.len(), self.shapes.len())
    }

    /// About how many bytes it takes when written.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number of a string, a new one if need be. `guess` is tried first.
    pub(crate) fn string_number(&mut self, string: &str, guess: Option<u32>) -> u32 {
        if let Some(guess) = guess
            && self.strings.get(guess as usize).is_some_and(|known| &**known == string)
        {
            return guess;
        }
        if let Some(number) = self.string_numbers.get(string) {
            return *number;
        }
        let string: Arc<str> = string.into();
        self.add_string(string)
    }

    /// The number of a shape, a new one if need be. `guess` is tried first.
    pub(crate) fn shape_number(&mut self, keys: &[u32], guess: Option<u32>) -> u32 {
        if let Some(guess) = guess
            && self.shapes.get(guess as usize).is_some_and(|known| &**known == keys)
        {
            return guess;
        }
        if let Some(number) = self.shape_numbers.get(keys) {
            return *number;
        }
        self.add_shape(keys.into())
    }

    fn add_string(&mut self, string: Arc<str>) -> u32 {
        let number = u32::try_from(self.strings.len()).unwrap_or(u32::MAX);
        self.bytes += string.len() + 2;
        self.strings.push(Arc::clone(&string));
        self.string_numbers.insert(string, number);
        number
    }

    fn add_shape(&mut self, shape: Arc<[u32]>) -> u32 {
        let number = u32::try_from(self.shapes.len()).unwrap_or(u32::MAX);
        self.bytes += 2 * shape.len() + 2;
        self.shapes.push(Arc::clone(&shape));
        self.shape_numbers.insert(shape, number);
        number
    }

    /// Appends what was added after the first `strings` strings and `shapes` shapes.
    pub(crate) fn put_since(&self, (strings, shapes): (usize, usize), out: &mut Vec<u8>) {
        let new = self.strings.get(strings..).unwrap_or(&[]);
        put_varint(out, new.len() as u64);
        for string in new {
            put_bytes(out, string.as_bytes());
        }
        let new = self.shapes.get(shapes..).unwrap_or(&[]);
        put_varint(out, new.len() as u64);
        for shape in new {
            put_varint(out, shape.len() as u64);
            for key in shape.iter() {
                put_varint(out, u64::from(*key));
            }
        }
    }

    /// Adds what [`Dictionary::put_since`] wrote.
    pub(crate) fn read_more(&mut self, reader: &mut Reader<'_>) -> Result<(), Damage> {
        for _ in 0..reader.count(1)?.min(MAX_ENTRIES + 1) {
            let string = std::str::from_utf8(reader.bytes()?)
                .map_err(|_error| Damage::Impossible("a string that is not UTF-8"))?;
            self.add_string(string.into());
        }
        for _ in 0..reader.count(1)?.min(MAX_ENTRIES + 1) {
            let keys = reader.count(1)?;
            let limit = self.strings.len();
            let shape: Result<Arc<[u32]>, Damage> =
                (0..keys).map(|_| reader.index(limit)).collect();
            self.add_shape(shape?);
        }
        if self.strings.len() + self.shapes.len() > MAX_ENTRIES {
            return Err(Damage::Impossible("more strings and shapes than a dictionary has"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_and_a_shape_have_one_number_each() {
        let mut dictionary = Dictionary::default();
        let value = dictionary.string_number("value", None);
        let source = dictionary.string_number("source", Some(value));
        assert_eq!(dictionary.string_number("value", Some(source)), value);
        let shape = dictionary.shape_number(&[value, source], None);
        assert_eq!(dictionary.shape_number(&[value, source], Some(7)), shape);
        assert_ne!(dictionary.shape_number(&[source, value], Some(shape)), shape);
        assert_eq!(dictionary.string(99), "");

        let mut bytes = Vec::new();
        dictionary.put_since((0, 0), &mut bytes);
        let mut read = Dictionary::default();
        read.read_more(&mut Reader::new(&bytes)).unwrap();
        assert_eq!((read.string(source), read.shape(shape)), ("source", &[value, source][..]));
    }

    #[test]
    fn a_shape_of_keys_that_are_not_there_is_refused() {
        let mut dictionary = Dictionary::default();
        assert!(dictionary.read_more(&mut Reader::new(&[1, 1, b'a', 1, 1, 1])).is_err());
        assert!(dictionary.read_more(&mut Reader::new(&[1, 1, 0xff, 0])).is_err());
        let mut many = Vec::new();
        put_varint(&mut many, 300_000);
        many.resize(many.len() + 300_001, 0);
        assert!(dictionary.read_more(&mut Reader::new(&many)).is_err());
    }
}
