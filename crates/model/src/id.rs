//! Identities and times: chips, processes, moments.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A chip's 64-bit ASIC id: the same in every process and after every boot. Written `0x` and 16 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChipId(pub u64);

impl fmt::Display for ChipId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "0x{:016x}", self.0)
    }
}

impl Serialize for ChipId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ChipId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.strip_prefix("0x")
            .and_then(|digits| u64::from_str_radix(digits, 16).ok())
            .map(Self)
            .ok_or_else(|| D::Error::custom(format!("`{text}` is not a chip id like 0x1f")))
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for ChipId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ChipId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A chip's 64-bit ASIC id.", "type": "string", "pattern": "^0x[0-9a-f]{16}$"
        })
    }
}

/// A process number as the namespace of this `ttmem` (or of the captured host) counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
        let json = serde_json::to_string(&ChipId(0x2_6190_302b)).unwrap();
        assert_eq!(json, r#""0x000000026190302b""#);
        assert_eq!(serde_json::from_str::<ChipId>(&json).unwrap(), ChipId(0x2_6190_302b));
        assert_eq!(serde_json::from_str::<ChipId>(r#""0x0""#).unwrap(), ChipId(0));
        assert!(serde_json::from_str::<ChipId>(r#""12""#).is_err());
    }
}
