//! One recorded snapshot: as exact JSON, and as a typed [`Snapshot`].

use std::sync::Arc;

use serde::ser::{Error as _, SerializeMap as _, SerializeSeq as _};
use serde::{Serialize, Serializer};

use super::dictionary::Dictionary;
use super::error::Damage;
use super::facts::ReadFacts;
use super::token::{Decimal, MAX_DEPTH, Token, Value};
use super::typed;
use ttmem_model::facts::Facts;
use ttmem_model::{Snapshot, Timestamp};

/// A snapshot as it was recorded.
///
/// It serializes to the very bytes that the snapshot serialized to, fields that this version does not know included.
#[derive(Clone, Debug)]
pub struct Moment {
    time: Timestamp,
    tokens: Vec<Token>,
    dictionary: Arc<Dictionary>,
    /// The facts of its block, and its number there.
    facts: Option<(Arc<ReadFacts>, usize)>,
}

/// The facts that a recorded snapshot was merged from.
#[derive(Clone, Debug, PartialEq)]
pub struct MomentFacts {
    /// The facts of its pass.
    pub facts: Facts,
    /// The facts of the recorded pass before, from which rates are taken.
    pub previous: Option<Facts>,
}

impl Moment {
    /// The tokens must be one whole value, as `check` says.
    pub(crate) fn new(time: Timestamp, tokens: Vec<Token>, dictionary: Arc<Dictionary>) -> Self {
        Self { time, tokens, dictionary, facts: None }
    }

    /// Adds the facts of its block, and its number there.
    pub(crate) fn with_facts(self, facts: Option<Arc<ReadFacts>>, number: usize) -> Self {
        Self { facts: facts.map(|facts| (facts, number)), ..self }
    }

    /// Returns the time of the snapshot.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// The snapshot as this version knows it. Fields of later versions are left out.
    ///
    /// # Errors
    /// If it is no snapshot: the recording is damaged, or of a version that this one cannot read.
    pub fn snapshot(&self) -> Result<Snapshot, Damage> {
        typed::read(&self.tokens, &self.dictionary)
            .map(Snapshot::without_false_ids)
            .map_err(|error| Damage::Snapshot(error.to_string()))
    }
}

impl Moment {
    /// The facts that the snapshot was merged from; `None` if they are not recorded, or of another version.
    ///
    /// # Errors
    /// If the recording is damaged.
    pub fn facts(&self) -> Result<Option<MomentFacts>, Damage> {
        let Some((facts, number)) = &self.facts else { return Ok(None) };
        let found = facts.of_moment(*number)?;
        Ok(found.map(|(facts, previous)| MomentFacts { facts, previous }))
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let walk = Walk { tokens: &self.tokens, dictionary: &self.dictionary };
        Node { walk, position: &std::cell::Cell::new(0) }.serialize(serializer)
    }
}

#[derive(Clone, Copy)]
struct Walk<'a> {
    tokens: &'a [Token],
    dictionary: &'a Dictionary,
}

/// The value that begins at a position; serializing it moves the position past it.
#[derive(Clone, Copy)]
struct Node<'a> {
    walk: Walk<'a>,
    position: &'a std::cell::Cell<usize>,
}

impl Serialize for Node<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let position = self.position.get();
        let token =
            self.walk.tokens.get(position).ok_or_else(|| S::Error::custom("a value is missing"))?;
        self.position.set(position + 1);
        match token.value() {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(value),
            Value::Unsigned(value) => serializer.serialize_u64(value),
            Value::Negative(value) => serializer.serialize_i64(value),
            Value::Float(value) => serializer.serialize_f64(value),
            Value::Single(value) => serializer.serialize_f32(value),
            Value::Decimal(mantissa, digits) => match Decimal::new(mantissa, digits) {
                Decimal::Whole(value) => serializer.serialize_i64(value),
                Decimal::Fraction(value) => serializer.serialize_f64(value),
            },
            Value::String(number) => serializer.serialize_str(self.walk.dictionary.string(number)),
            Value::List(elements) => {
                let mut list = serializer.serialize_seq(Some(elements as usize))?;
                for _ in 0..elements {
                    list.serialize_element(self)?;
                }
                list.end()
            }
            Value::Map(shape) => {
                let keys = self.walk.dictionary.shape(shape);
                let mut map = serializer.serialize_map(Some(keys.len()))?;
                for key in keys {
                    map.serialize_entry(self.walk.dictionary.string(*key), self)?;
                }
                map.end()
            }
        }
    }
}

/// Returns the number of elements of a container; 0 for a leaf.
pub(crate) fn elements(token: Token, dictionary: &Dictionary) -> usize {
    match token.value() {
        Value::List(elements) => elements as usize,
        Value::Map(shape) => dictionary.shape(shape).len(),
        _ => 0,
    }
}

/// Checks that tokens are one value and not too deep.
pub(crate) fn check(tokens: &[Token], dictionary: &Dictionary) -> Result<(), Damage> {
    let mut open: Vec<usize> = vec![1];
    for token in tokens {
        match open.last_mut() {
            Some(missing) => *missing -= 1,
            None => return Err(Damage::Impossible("values behind the last one")),
        }
        match elements(*token, dictionary) {
            0 => {}
            elements => open.push(elements),
        }
        if open.len() > MAX_DEPTH {
            return Err(Damage::Impossible("values too deep in one another"));
        }
        while open.last() == Some(&0) {
            open.pop();
        }
    }
    if open.is_empty() { Ok(()) } else { Err(Damage::Impossible("a value is missing")) }
}
