//! Facts from tokens whose fields have no names: fields come in the order in which the type lists them.
//!
//! Fewer fields than the type has are an older version's, more are a newer one's: those that are missing take their
//! default, those that are not known are skipped.

use std::cell::Cell;

use serde::de::value::{BorrowedStrDeserializer, Error};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::access::{List, Map, visit_decimal};
use super::dictionary::Dictionary;
use super::error::Damage;
use super::moment::elements;
use super::token::{Token, Value};

/// The value that tokens stand for. They must be one whole value and not too deep.
pub(crate) fn read<T: DeserializeOwned>(
    tokens: &[Token],
    dictionary: &Dictionary,
) -> Result<T, Damage> {
    let value = T::deserialize(Node { tokens, dictionary, position: &Cell::new(0) });
    value.map_err(|error| Damage::Facts(error.to_string()))
}

/// The value that begins at a position; reading it moves the position past it.
#[derive(Clone, Copy)]
struct Node<'de, 'a> {
    tokens: &'de [Token],
    dictionary: &'de Dictionary,
    position: &'a Cell<usize>,
}

impl<'de> Node<'de, '_> {
    fn next(&self) -> Result<Token, Error> {
        let token = self.tokens.get(self.position.get()).copied();
        self.position.set(self.position.get() + 1);
        token.ok_or_else(|| Error::custom("a value is missing"))
    }

    /// Skips one value.
    fn skip(&self) -> Result<(), Error> {
        let mut missing = 1_usize;
        while missing > 0 {
            missing = missing - 1 + elements(self.next()?, self.dictionary);
        }
        Ok(())
    }

    fn list(&self) -> Result<usize, Error> {
        let token = self.next()?;
        if token.is_container() {
            return Ok(elements(token, self.dictionary));
        }
        Err(Error::custom("a list is needed"))
    }

    fn string(&self, number: u32) -> &'de str {
        self.dictionary.string(number)
    }
}

impl<'de> Deserializer<'de> for Node<'de, '_> {
    type Error = Error;

    /// A leaf.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.next()?.value() {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Unsigned(value) => visitor.visit_u64(value),
            Value::Negative(value) => visitor.visit_i64(value),
            Value::Float(value) => visitor.visit_f64(value),
            Value::Single(value) => visitor.visit_f64(f64::from(value)),
            Value::Decimal(mantissa, digits) => visit_decimal(mantissa, digits, visitor),
            Value::String(number) => visitor.visit_borrowed_str(self.string(number)),
            Value::List(_) | Value::Map(_) => Err(Error::custom("a leaf is needed")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.tokens.get(self.position.get()) == Some(&Token::NULL) {
            self.skip()?;
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

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let mut list = List { left: self.list()?, node: self };
        let value = visitor.visit_seq(&mut list)?;
        for _ in 0..list.left {
            self.skip()?;
        }
        Ok(value)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Value::Map(shape) = self.next()?.value() else {
            return Err(Error::custom("a map is needed"));
        };
        visitor.visit_map(Map::new(self, self.dictionary, shape))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.next()?.value() {
            Value::String(number) => {
                visitor.visit_enum(BorrowedStrDeserializer::new(self.string(number)))
            }
            Value::Map(shape) => match self.dictionary.shape(shape) {
                [variant] => visitor.visit_enum(Variant { node: self, name: *variant }),
                _ => Err(Error::custom("a variant is needed")),
            },
            _ => Err(Error::custom("a name is needed")),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct tuple_struct identifier ignored_any
    }
}

/// A variant with content.
struct Variant<'de, 'a> {
    node: Node<'de, 'a>,
    name: u32,
}

impl<'de> EnumAccess<'de> for Variant<'de, '_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let name = BorrowedStrDeserializer::<Error>::new(self.node.string(self.name));
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de, '_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        self.node.skip()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.node)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _length: usize, visitor: V) -> Result<V::Value, Error> {
        self.node.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.node.deserialize_seq(visitor)
    }
}
