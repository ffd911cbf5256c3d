//! Anything serializable becomes tokens: one pass, no tree, no text.
//!
//! The moment before guesses the moment after: a string, a shape or a unit that is at the same position as before is
//! recognized by one comparison, without a look into the dictionary. That is what makes ten snapshots of a Galaxy in a
//! second cheap.

use serde::Serialize;
use serde::ser::{
    Impossible, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::dictionary::Dictionary;
use super::error::FlattenError;
use super::token::{MAX_TOKENS, Token, Value};

/// The names of a struct's fields in its tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Names {
    /// Names are kept, as in JSON.
    #[default]
    Kept,
    /// Empty: a reader goes by the order of the fields.
    LeftOut,
}

/// Writes `value` as tokens into `tokens`, which is emptied first. `before` are the tokens of the moment before.
pub(crate) fn flatten<T: Serialize + ?Sized>(
    value: &T,
    names: Names,
    dictionary: &mut Dictionary,
    before: &[Token],
    tokens: &mut Vec<Token>,
) -> Result<(), FlattenError> {
    tokens.clear();
    let mut keys = Vec::new();
    value.serialize(Flattener { names, dictionary, before, tokens, keys: &mut keys })
}

/// Appends tokens.
struct Flattener<'a> {
    names: Names,
    dictionary: &'a mut Dictionary,
    before: &'a [Token],
    tokens: &'a mut Vec<Token>,
    /// The keys of the maps that are open, the innermost last.
    keys: &'a mut Vec<u32>,
}

impl Flattener<'_> {
    fn again(&mut self) -> Flattener<'_> {
        Flattener {
            names: self.names,
            dictionary: self.dictionary,
            before: self.before,
            tokens: self.tokens,
            keys: self.keys,
        }
    }

    /// The previous value at this position.
    fn guess(&self) -> Option<Token> {
        self.before.get(self.tokens.len()).copied()
    }

    fn push(&mut self, token: Token) -> Result<(), FlattenError> {
        if self.tokens.len() >= MAX_TOKENS {
            return Err(FlattenError(format!("it has more than {MAX_TOKENS} values")));
        }
        self.tokens.push(token);
        Ok(())
    }

    fn push_string(&mut self, string: &str) -> Result<(), FlattenError> {
        let guess = match self.guess().map(Token::value) {
            Some(Value::String(number)) => Some(number),
            _ => None,
        };
        let number = self.dictionary.string_number(string, guess);
        self.push(Token::string(number))
    }
}

impl<'a> Flattener<'a> {
    fn open(mut self, container: Container) -> Result<Compound<'a>, FlattenError> {
        let guess = match self.guess().map(Token::value) {
            Some(Value::Map(shape)) => Some(shape),
            _ => None,
        };
        let header = self.tokens.len();
        self.push(Token::NULL)?;
        let first_key = self.keys.len();
        Ok(Compound { flattener: self, container, header, first_key, elements: 0, guess })
    }

    /// A map of one entry, as enums with content are written: the key is the variant.
    fn open_variant(
        mut self,
        variant: &str,
        inside: Container,
    ) -> Result<Compound<'a>, FlattenError> {
        self.push_variant(variant)?;
        self.open(inside)
    }

    fn push_variant(&mut self, variant: &str) -> Result<(), FlattenError> {
        let guess = match self.guess().map(Token::value) {
            Some(Value::Map(shape)) => Some(shape),
            _ => None,
        };
        let known = guess.and_then(|shape| self.dictionary.shape(shape).first().copied());
        let key = self.dictionary.string_number(variant, known);
        let shape = self.dictionary.shape_number(&[key], guess);
        self.push(Token::map(shape))
    }
}

/// The type of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Container {
    List,
    Map,
}

/// A container that is being filled.
struct Compound<'a> {
    flattener: Flattener<'a>,
    container: Container,
    /// The index of its own token.
    header: usize,
    /// Index of the first key.
    first_key: usize,
    elements: u32,
    /// The previous shape at this position.
    guess: Option<u32>,
}

impl Compound<'_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), FlattenError> {
        self.elements = self.elements.saturating_add(1);
        value.serialize(self.flattener.again())
    }

    fn key(&mut self, key: &str) {
        let position = self.flattener.keys.len() - self.first_key;
        let dictionary = &mut *self.flattener.dictionary;
        let guess = self.guess.and_then(|shape| dictionary.shape(shape).get(position).copied());
        let number = dictionary.string_number(key, guess);
        self.flattener.keys.push(number);
    }

    fn close(self) -> Result<(), FlattenError> {
        let Self { flattener, container, header, first_key, elements, guess } = self;
        let token = match container {
            Container::List => Token::list(elements),
            Container::Map => {
                let keys = flattener.keys.get(first_key..).unwrap_or(&[]);
                Token::map(flattener.dictionary.shape_number(keys, guess))
            }
        };
        flattener.keys.truncate(first_key);
        if let Some(own) = flattener.tokens.get_mut(header) {
            *own = token;
        }
        Ok(())
    }
}

macro_rules! containers {
    ($($method:ident($($argument:ty),*) -> $container:ident;)+) => {$(
        fn $method(self, $(_: $argument),*) -> Result<Compound<'a>, FlattenError> {
            self.open(Container::$container)
        }
    )+};
}

impl<'a> Serializer for Flattener<'a> {
    type Ok = ();
    type Error = FlattenError;
    type SerializeSeq = Compound<'a>;
    type SerializeTuple = Compound<'a>;
    type SerializeTupleStruct = Compound<'a>;
    type SerializeTupleVariant = Compound<'a>;
    type SerializeMap = Compound<'a>;
    type SerializeStruct = Compound<'a>;
    type SerializeStructVariant = Compound<'a>;

    fn serialize_bool(mut self, value: bool) -> Result<(), FlattenError> {
        self.push(Token::bool(value))
    }
    fn serialize_i8(self, value: i8) -> Result<(), FlattenError> {
        self.serialize_i64(value.into())
    }
    fn serialize_i16(self, value: i16) -> Result<(), FlattenError> {
        self.serialize_i64(value.into())
    }
    fn serialize_i32(self, value: i32) -> Result<(), FlattenError> {
        self.serialize_i64(value.into())
    }
    fn serialize_i64(mut self, value: i64) -> Result<(), FlattenError> {
        let token = Token::signed(value).whole(self.guess());
        self.push(token)
    }
    fn serialize_u8(self, value: u8) -> Result<(), FlattenError> {
        self.serialize_u64(value.into())
    }
    fn serialize_u16(self, value: u16) -> Result<(), FlattenError> {
        self.serialize_u64(value.into())
    }
    fn serialize_u32(self, value: u32) -> Result<(), FlattenError> {
        self.serialize_u64(value.into())
    }
    fn serialize_u64(mut self, value: u64) -> Result<(), FlattenError> {
        let token = Token::unsigned(value).whole(self.guess());
        self.push(token)
    }
    fn serialize_f32(mut self, value: f32) -> Result<(), FlattenError> {
        self.push(Token::single(value))
    }
    fn serialize_f64(mut self, value: f64) -> Result<(), FlattenError> {
        let token = Token::float(value, self.guess());
        self.push(token)
    }
    fn serialize_char(mut self, value: char) -> Result<(), FlattenError> {
        self.push_string(value.encode_utf8(&mut [0; 4]))
    }
    fn serialize_str(mut self, value: &str) -> Result<(), FlattenError> {
        self.push_string(value)
    }
    fn serialize_bytes(self, value: &[u8]) -> Result<(), FlattenError> {
        self.collect_seq(value)
    }
    fn serialize_none(mut self) -> Result<(), FlattenError> {
        self.push(Token::NULL)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), FlattenError> {
        value.serialize(self)
    }
    fn serialize_unit(mut self) -> Result<(), FlattenError> {
        self.push(Token::NULL)
    }
    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), FlattenError> {
        self.serialize_unit()
    }
    fn serialize_unit_variant(
        mut self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), FlattenError> {
        self.push_string(variant)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), FlattenError> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), FlattenError> {
        self.push_variant(variant)?;
        value.serialize(self)
    }
    containers! {
        serialize_seq(Option<usize>) -> List;
        serialize_tuple(usize) -> List;
        serialize_tuple_struct(&'static str, usize) -> List;
        serialize_map(Option<usize>) -> Map;
        serialize_struct(&'static str, usize) -> Map;
    }
    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Compound<'a>, FlattenError> {
        self.open_variant(variant, Container::List)
    }
    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Compound<'a>, FlattenError> {
        self.open_variant(variant, Container::Map)
    }
}

macro_rules! list {
    ($($container:ident::$method:ident),+) => {$(
        impl $container for Compound<'_> {
            type Ok = ();
            type Error = FlattenError;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), FlattenError> {
                self.element(value)
            }
            fn end(self) -> Result<(), FlattenError> {
                self.close()
            }
        }
    )+};
}
list!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

macro_rules! map {
    ($($container:ident),+) => {$(
        impl $container for Compound<'_> {
            type Ok = ();
            type Error = FlattenError;
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), FlattenError> {
                let is_named = self.flattener.names == Names::Kept;
                self.key(if is_named { key } else { "" });
                self.element(value)
            }
            fn end(self) -> Result<(), FlattenError> {
                self.close()
            }
        }
    )+};
}
map!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for Compound<'_> {
    type Ok = ();
    type Error = FlattenError;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), FlattenError> {
        key.serialize(Key(self))
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), FlattenError> {
        self.element(value)
    }
    fn end(self) -> Result<(), FlattenError> {
        self.close()
    }
}

/// Takes the key of a map: a string, or a number, which JSON writes as a string.
struct Key<'a, 'b>(&'a mut Compound<'b>);

impl Key<'_, '_> {
    fn number(self, number: impl std::fmt::Display) {
        self.0.key(&number.to_string());
    }

    fn refuse<T>() -> Result<T, FlattenError> {
        Err(FlattenError("a key that is no string".to_owned()))
    }
}

macro_rules! number_keys {
    ($($method:ident: $type:ty),+) => {$(
        fn $method(self, value: $type) -> Result<(), FlattenError> {
            self.number(value);
            Ok(())
        }
    )+};
}

macro_rules! refused_keys {
    ($($method:ident($($argument:ty),*) -> $result:ty;)+) => {$(
        fn $method(self, $(_: $argument),*) -> Result<$result, FlattenError> {
            Self::refuse()
        }
    )+};
}

type Nothing = Impossible<(), FlattenError>;

impl Serializer for Key<'_, '_> {
    type Ok = ();
    type Error = FlattenError;
    type SerializeSeq = Nothing;
    type SerializeTuple = Nothing;
    type SerializeTupleStruct = Nothing;
    type SerializeTupleVariant = Nothing;
    type SerializeMap = Nothing;
    type SerializeStruct = Nothing;
    type SerializeStructVariant = Nothing;

    number_keys!(
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_i64: i64, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32,
        serialize_u64: u64, serialize_char: char
    );
    refused_keys! {
        serialize_f32(f32) -> ();
        serialize_f64(f64) -> ();
        serialize_bytes(&[u8]) -> ();
        serialize_none() -> ();
        serialize_unit() -> ();
        serialize_unit_struct(&'static str) -> ();
        serialize_seq(Option<usize>) -> Nothing;
        serialize_tuple(usize) -> Nothing;
        serialize_tuple_struct(&'static str, usize) -> Nothing;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Nothing;
        serialize_map(Option<usize>) -> Nothing;
        serialize_struct(&'static str, usize) -> Nothing;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Nothing;
    }

    fn serialize_str(self, value: &str) -> Result<(), FlattenError> {
        self.0.key(value);
        Ok(())
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), FlattenError> {
        value.serialize(self)
    }
    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), FlattenError> {
        self.serialize_str(variant)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), FlattenError> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Result<(), FlattenError> {
        Self::refuse()
    }
}
