//! A number of bytes, or the reason why it is not known.

use std::borrow::Cow;
use std::iter::Sum;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::reading::{Missing, MissingReason, checked_sum};

/// A number, or the reason that it is missing. In JSON a plain number, or `{"missing": …, "detail": …}`.
///
/// The L1 report has one source and one quality for every number in it, so it does without
/// [`Reading`](crate::Reading).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Count {
    /// The number.
    Known(u64),
    /// The reason that there is none.
    Missing(Missing),
}

impl Count {
    /// The number, if it is known.
    #[must_use]
    pub fn value(&self) -> Option<u64> {
        match self {
            Self::Known(value) => Some(*value),
            Self::Missing(_) => None,
        }
    }

    /// Converts to a field of a source.
    ///
    /// # Errors
    /// The reason, if the number is not known.
    pub fn into_result(self) -> Result<u64, Missing> {
        match self {
            Self::Known(value) => Ok(value),
            Self::Missing(missing) => Err(missing),
        }
    }
}

impl From<u64> for Count {
    fn from(value: u64) -> Self {
        Self::Known(value)
    }
}

impl From<Missing> for Count {
    fn from(missing: Missing) -> Self {
        Self::Missing(missing)
    }
}

/// Adds; a missing part makes the sum missing.
impl Sum for Count {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        checked_sum(counts.map(Self::into_result)).map_or_else(Self::Missing, Self::Known)
    }
}

#[derive(Serialize, Deserialize)]
struct Blank {
    missing: MissingReason,
    detail: Cow<'static, str>,
}

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(value) => serializer.serialize_u64(*value),
            Self::Missing(Missing { reason, detail }) => {
                Blank { missing: *reason, detail: detail.clone() }.serialize(serializer)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        if let Some(number) = value.as_u64() {
            return Ok(Self::Known(number));
        }
        let Blank { missing, detail } = Blank::deserialize(value).map_err(D::Error::custom)?;
        Ok(Self::Missing(Missing::new(missing, detail)))
    }
}

#[cfg(test)]
impl schemars::JsonSchema for Count {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Count".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let reason = generator.subschema_for::<MissingReason>();
        schemars::json_schema!({
            "description": "A number, or the reason that it is missing.",
            "oneOf": [
                { "type": "integer", "minimum": 0 },
                {
                    "type": "object",
                    "required": ["missing", "detail"],
                    "properties": { "missing": reason, "detail": { "type": "string" } }
                }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blank_in_a_sum_is_the_sum() {
        let blank = Missing::no_source("no agent");
        let counts = [Count::Known(1), Count::Missing(blank.clone()), Count::Known(2)];
        assert_eq!(counts.into_iter().sum::<Count>(), Count::Missing(blank));
        assert_eq!([Count::Known(1), Count::Known(2)].into_iter().sum::<Count>(), Count::Known(3));
    }

    #[test]
    fn both_shapes_are_read_back() {
        for count in [Count::Known(7), Count::Missing(Missing::not_read("not asked"))] {
            let json = serde_json::to_string(&count).unwrap();
            assert_eq!(serde_json::from_str::<Count>(&json).unwrap(), count);
        }
        assert!(serde_json::from_str::<Count>("-1").is_err());
    }
}
