//! Tokens as a typed value, without a tree of text and numbers in between: four fifths of the time that such a tree takes.

use std::cell::Cell;

use serde::de::value::{BorrowedStrDeserializer, Error};
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;

use super::access::{List, Map, visit_decimal};
use super::dictionary::Dictionary;
use super::token::{Token, Value};

/// The value that tokens stand for. They must be one whole value and not too deep.
pub(crate) fn read<T: DeserializeOwned>(
    tokens: &[Token],
    dictionary: &Dictionary,
) -> Result<T, Error> {
    T::deserialize(Node { tokens, dictionary, position: &Cell::new(0) })
}

/// The value that begins at a position; reading it moves the position past it.
#[derive(Clone, Copy)]
struct Node<'de, 'a> {
    tokens: &'de [Token],
    dictionary: &'de Dictionary,
    position: &'a Cell<usize>,
}

impl<'de> Node<'de, '_> {
    fn peek(&self) -> Result<Value, Error> {
        let token = self.tokens.get(self.position.get());
        token.map(|token| token.value()).ok_or_else(|| Error::custom("a value is missing"))
    }

    fn pass(&self) {
        self.position.set(self.position.get() + 1);
    }

    fn string(&self, number: u32) -> &'de str {
        self.dictionary.string(number)
    }
}

/// True if the value is missing. A float that is not finite is missing too, as in JSON, which cannot express it.
fn is_nothing(value: Value) -> bool {
    match value {
        Value::Null => true,
        Value::Float(value) => !value.is_finite(),
        Value::Single(value) => !value.is_finite(),
        _ => false,
    }
}

fn visit_float<'de, V: Visitor<'de>>(value: f64, visitor: V) -> Result<V::Value, Error> {
    if value.is_finite() { visitor.visit_f64(value) } else { visitor.visit_unit() }
}

impl<'de> Deserializer<'de> for Node<'de, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let value = self.peek()?;
        self.pass();
        match value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Unsigned(value) => visitor.visit_u64(value),
            Value::Negative(value) => visitor.visit_i64(value),
            Value::Float(value) => visit_float(value, visitor),
            Value::Single(value) => visit_float(f64::from(value), visitor),
            Value::Decimal(mantissa, digits) => visit_decimal(mantissa, digits, visitor),
            Value::String(number) => visitor.visit_borrowed_str(self.string(number)),
            Value::List(elements) => {
                visitor.visit_seq(&mut List { node: self, left: elements as usize })
            }
            Value::Map(shape) => visitor.visit_map(Map::new(self, self.dictionary, shape)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if is_nothing(self.peek()?) {
            self.pass();
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Value::String(number) = self.peek()? else {
            return Err(Error::custom("a name is needed"));
        };
        self.pass();
        visitor.visit_enum(BorrowedStrDeserializer::new(self.string(number)))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};

    use super::super::flatten::{Names, flatten};
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Name {
        First,
        NotRead,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Whole(u64);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Row {
        name: Name,
        whole: Whole,
        text: Option<String>,
        numbers: Vec<f64>,
        by_name: BTreeMap<String, i64>,
        pair: (u8, bool),
    }

    fn row() -> Row {
        Row {
            name: Name::NotRead,
            whole: Whole(u64::MAX),
            text: None,
            numbers: vec![0.25, 3.0, -1e300],
            by_name: [("a".to_owned(), -7), ("b".to_owned(), 7)].into(),
            pair: (1, true),
        }
    }

    fn tokens<T: Serialize>(value: &T) -> (Vec<Token>, Dictionary) {
        let (mut dictionary, mut tokens) = (Dictionary::default(), Vec::new());
        flatten(value, Names::Kept, &mut dictionary, &[], &mut tokens).unwrap();
        (tokens, dictionary)
    }

    #[test]
    fn what_was_taken_apart_comes_back() {
        let (flat, dictionary) = tokens(&row());
        assert_eq!(read::<Row>(&flat, &dictionary), Ok(row()));
        let value: serde_json::Value = read(&flat, &dictionary).unwrap();
        assert_eq!(value, serde_json::to_value(row()).unwrap());
    }

    #[test]
    fn what_is_not_known_is_passed_over_and_what_lacks_is_refused() {
        let mut value = serde_json::to_value(row()).unwrap();
        value["new"] = serde_json::json!({ "deep": [1, { "deeper": null }] });
        let (flat, dictionary) = tokens(&value);
        assert_eq!(read::<Row>(&flat, &dictionary), Ok(row()));
        value["whole"] = serde_json::json!(null);
        let (flat, dictionary) = tokens(&value);
        assert!(read::<Row>(&flat, &dictionary).is_err());
        for cut in 0..flat.len() {
            assert!(read::<Row>(&flat[..cut], &dictionary).is_err(), "{cut}");
        }
    }

    #[test]
    fn what_is_no_number_is_nothing() {
        let (flat, dictionary) = tokens(&[f64::NAN, f64::INFINITY]);
        assert_eq!(read::<Vec<Option<f64>>>(&flat, &dictionary), Ok(vec![None, None]));
    }
}
