//! Lists and maps of tokens, element by element as serde asks for them.

use serde::de::value::{BorrowedStrDeserializer, Error};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::dictionary::Dictionary;
use super::token::Decimal;

/// Visits a decimal: an integer if its digits after the point are zeros, as JSON has it.
pub(crate) fn visit_decimal<'de, V: Visitor<'de>>(
    mantissa: i64,
    digits: u8,
    visitor: V,
) -> Result<V::Value, Error> {
    match Decimal::new(mantissa, digits) {
        Decimal::Whole(value) => match u64::try_from(value) {
            Ok(value) => visitor.visit_u64(value),
            Err(_) => visitor.visit_i64(value),
        },
        Decimal::Fraction(value) => visitor.visit_f64(value),
    }
}

/// The elements of a list: reading the node reads the next one.
pub(crate) struct List<N> {
    pub(crate) node: N,
    /// Elements that are not read yet.
    pub(crate) left: usize,
}

impl<'de, N: Deserializer<'de, Error = Error> + Copy> SeqAccess<'de> for &mut List<N> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(self.node).map(Some)
    }
}

/// The entries of a map: its keys are a shape of the dictionary, and reading the node reads the next value.
pub(crate) struct Map<'de, N> {
    node: N,
    dictionary: &'de Dictionary,
    keys: std::slice::Iter<'de, u32>,
}

impl<'de, N> Map<'de, N> {
    pub(crate) fn new(node: N, dictionary: &'de Dictionary, shape: u32) -> Self {
        Self { node, dictionary, keys: dictionary.shape(shape).iter() }
    }
}

impl<'de, N: Deserializer<'de, Error = Error> + Copy> MapAccess<'de> for Map<'de, N> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some(key) = self.keys.next() else { return Ok(None) };
        seed.deserialize(BorrowedStrDeserializer::new(self.dictionary.string(*key))).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(self.node)
    }
}
