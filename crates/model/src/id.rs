//! Identities and times: chips, processes, moments.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The identity of a chip in a snapshot: its 64-bit ASIC id, the same in every process and after every boot. Where
/// nothing names it, its index is in for the id.
///
/// In JSON an id is `0x` and 16 hex digits, or `null` with the chip's index beside it. In text the index of a chip
/// without an id is written as a decimal number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChipId {
    /// The ASIC id.
    Known(u64),
    /// The id is not known: the chip with this index.
    Unknown(u32),
}

impl ChipId {
    /// Returns the 64 bits of the id, if it is known.
    #[must_use]
    pub fn known(self) -> Option<u64> {
        match self {
            Self::Known(id) => Some(id),
            Self::Unknown(_) => None,
        }
    }

    /// Returns the index that is in for the id, if the id is not known.
    #[must_use]
    pub fn unknown(self) -> Option<u32> {
        match self {
            Self::Known(_) => None,
            Self::Unknown(index) => Some(index),
        }
    }

    /// Returns an id from JSON that has the index of the chip beside it.
    #[must_use]
    pub(crate) fn beside(self, index: u32) -> Self {
        self.known().map_or(Self::Unknown(index), Self::Known)
    }
}

impl fmt::Display for ChipId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(id) => write!(formatter, "0x{id:016x}"),
            Self::Unknown(index) => index.fmt(formatter),
        }
    }
}

impl Serialize for ChipId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(_) => serializer.collect_str(self),
            Self::Unknown(_) => serializer.serialize_none(),
        }
    }
}

impl<'de> Deserialize<'de> for ChipId {
    /// An id that is `null` gets its index from the type that has both: see `settled`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Some(text) = Option::<std::borrow::Cow<'de, str>>::deserialize(deserializer)? else {
            return Ok(Self::Unknown(u32::MAX));
        };
        text.strip_prefix("0x")
            .and_then(|digits| u64::from_str_radix(digits, 16).ok())
            .map(Self::Known)
            .ok_or_else(|| D::Error::custom(format!("`{text}` is not a chip id like 0x1f")))
    }
}

/// A part of JSON that names a chip by an id and an index.
pub(crate) trait NamesChip {
    /// Makes an id that was `null` that of the chip with the index.
    fn settle(&mut self);
}

/// Reads a list whose elements name chips.
pub(crate) fn settled<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: NamesChip + Deserialize<'de>,
    D: Deserializer<'de>,
{
    let mut list = Vec::<T>::deserialize(deserializer)?;
    list.iter_mut().for_each(T::settle);
    Ok(list)
}

#[cfg(test)]
impl schemars::JsonSchema for ChipId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ChipId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A chip's 64-bit ASIC id, or null if it is not known.",
            "type": ["string", "null"],
            "pattern": "^0x[0-9a-f]{16}$"
        })
    }
}

/// A process number as the namespace of this `ttmem` (or of the captured host) counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Pid(pub i32);

impl fmt::Display for Pid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A moment: microseconds since 1970, UTC.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Microseconds from an earlier moment to this one, 0 if it is not earlier.
    #[must_use]
    pub fn micros_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chip_id_is_written_in_full_and_read_back() {
        let json = serde_json::to_string(&ChipId::Known(0x2_6190_302b)).unwrap();
        assert_eq!(json, r#""0x000000026190302b""#);
        assert_eq!(serde_json::from_str::<ChipId>(&json).unwrap(), ChipId::Known(0x2_6190_302b));
        assert_eq!(serde_json::from_str::<ChipId>(r#""0x0""#).unwrap(), ChipId::Known(0));
        assert!(serde_json::from_str::<ChipId>(r#""12""#).is_err());
    }
}
