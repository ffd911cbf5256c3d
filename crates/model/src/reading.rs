//! A number with its origin, or a missing value with its reason.

use std::borrow::Cow;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The source of a fact. The names are part of the JSON contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum SourceName {
    /// The kernel driver's files in sysfs, hwmon and procfs.
    Kmd,
    /// The shared memory region that stock TT-Metal writes.
    Upstream,
    /// The segment that `libttmem_agent.so` writes inside the owner.
    Agent,
    /// A core's own L1, read over the NOC.
    L1,
    /// The files that TT-Metal's Inspector writes.
    Inspector,
    /// A `ttmem serve` on this machine, which read the other sources.
    Server,
}

impl SourceName {
    /// Every source, in the order in which outputs list them.
    pub const ALL: [Self; 6] =
        [Self::Kmd, Self::Upstream, Self::Agent, Self::L1, Self::Inspector, Self::Server];

    /// Returns the name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kmd => "kmd",
            Self::Upstream => "upstream",
            Self::Agent => "agent",
            Self::L1 => "l1",
            Self::Inspector => "inspector",
            Self::Server => "server",
        }
    }
}

/// The quality of a reading, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Quality {
    /// Equal to what the device or the allocator holds.
    Exact,
    /// Requested bytes, not reservations: rounding and other threads are not in it.
    Approximate,
    /// The most there ever was, not what there is.
    HighWater,
    /// Derived from other readings; the detail of the chip gives the formula.
    Inferred,
    /// True once; its writer is gone.
    Stale,
}

impl Quality {
    /// Returns the name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Approximate => "approximate",
            Self::HighWater => "high-water",
            Self::Inferred => "inferred",
            Self::Stale => "stale",
        }
    }
}

/// The reason that there is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum MissingReason {
    /// No source on this host has the value.
    NoSource,
    /// The source is there, and the permission is not.
    Denied,
    /// The hardware, firmware or driver does not publish the value.
    Unsupported,
    /// The value could be read and was not requested.
    NotRead,
    /// The read failed, or the result is impossible.
    Failed,
}

impl MissingReason {
    /// Every reason.
    pub const ALL: [Self; 5] =
        [Self::NoSource, Self::Denied, Self::Unsupported, Self::NotRead, Self::Failed];

    /// Returns the name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoSource => "no-source",
            Self::Denied => "denied",
            Self::Unsupported => "unsupported",
            Self::NotRead => "not-read",
            Self::Failed => "failed",
        }
    }
}

/// The reason that a value is missing, and one line for the user.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Missing {
    /// The class of the reason.
    pub reason: MissingReason,
    /// One line, lower case, no full stop. Most reasons are constant: such a text takes no memory of its own.
    pub detail: Cow<'static, str>,
}

impl Missing {
    /// Creates a missing value with its reason.
    #[must_use]
    pub fn new(reason: MissingReason, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, detail: detail.into() }
    }

    /// Creates the reason for a value that no source on this host has.
    #[must_use]
    pub fn no_source(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(MissingReason::NoSource, detail)
    }

    /// Creates the reason for a value that the hardware, firmware or driver does not publish.
    #[must_use]
    pub fn unsupported(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(MissingReason::Unsupported, detail)
    }

    /// Creates the reason for a value that could be read and was not requested.
    #[must_use]
    pub fn not_read(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(MissingReason::NotRead, detail)
    }

    /// Creates the reason for a read that failed, or whose result is impossible.
    #[must_use]
    pub fn failed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(MissingReason::Failed, detail)
    }

    /// The source is there, and the permission is not.
    #[must_use]
    pub fn denied(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(MissingReason::Denied, detail)
    }
}

/// A number with its source, quality and age, or the reason that it is missing. Never 0 for unknown.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading<T> {
    /// The number is known.
    Known {
        /// The number, in the unit its field names.
        value: T,
        /// The source of the number.
        source: SourceName,
        /// The quality.
        quality: Quality,
        /// Microseconds between the read and the snapshot.
        age_us: u64,
    },
    /// The number is not known.
    Missing(Missing),
}

impl<T> Reading<T> {
    /// Creates a reading without age.
    pub fn new(value: T, source: SourceName, quality: Quality) -> Self {
        Self::Known { value, source, quality, age_us: 0 }
    }

    /// A fresh and exact number.
    pub fn exact(value: T, source: SourceName) -> Self {
        Self::new(value, source, Quality::Exact)
    }

    /// A number that a source delivered, or the reason why it could not.
    pub fn from_field(field: Result<T, Missing>, source: SourceName, quality: Quality) -> Self {
        match field {
            Ok(value) => Self::new(value, source, quality),
            Err(missing) => Self::Missing(missing),
        }
    }

    /// The number, if it is known.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Known { value, .. } => Some(value),
            Self::Missing(_) => None,
        }
    }

    /// The reason, if the number is not known.
    pub fn missing(&self) -> Option<&Missing> {
        match self {
            Self::Known { .. } => None,
            Self::Missing(missing) => Some(missing),
        }
    }

    /// Returns the source of the number, if it is known.
    pub fn source(&self) -> Option<SourceName> {
        match self {
            Self::Known { source, .. } => Some(*source),
            Self::Missing(_) => None,
        }
    }

    /// The quality, if it is known.
    pub fn quality(&self) -> Option<Quality> {
        match self {
            Self::Known { quality, .. } => Some(*quality),
            Self::Missing(_) => None,
        }
    }

    /// Returns the reading with another age.
    #[must_use]
    pub fn aged(mut self, microseconds: u64) -> Self {
        if let Self::Known { age_us, .. } = &mut self {
            *age_us = microseconds;
        }
        self
    }

    /// Returns the reading with its number changed. A missing value stays missing.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Reading<U> {
        match self {
            Self::Known { value, source, quality, age_us } => {
                Reading::Known { value: change(value), source, quality, age_us }
            }
            Self::Missing(missing) => Reading::Missing(missing),
        }
    }
}

/// The reason for a sum above the range of 64 bits.
const OVERFLOW: &str = "the sum is above 2^64";

impl Reading<u64> {
    /// Adds two readings. The sum has the source and quality of the worse part and the age of the older one.
    ///
    /// A missing part, or a sum above 2^64, makes the sum missing.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Self {
        self.combine(other, OVERFLOW, u64::checked_add)
    }

    /// Subtracts a reading, with source, quality and age as in [`Self::checked_add`].
    ///
    /// A missing part, or a difference below 0, makes the difference missing.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Self {
        self.combine(other, "the part is larger than the whole", u64::checked_sub)
    }

    /// Adds all parts as [`Self::checked_add`] does; `none` is the sum of no parts.
    #[must_use]
    pub fn sum(parts: impl IntoIterator<Item = Self>, none: Self) -> Self {
        parts.into_iter().reduce(Self::checked_add).unwrap_or(none)
    }

    fn combine(
        self,
        other: Self,
        out_of_range: &'static str,
        calculate: impl FnOnce(u64, u64) -> Option<u64>,
    ) -> Self {
        match (self, other) {
            (Self::Missing(missing), _) | (_, Self::Missing(missing)) => missing.into(),
            (
                Self::Known { value: left, source, quality, age_us },
                Self::Known {
                    value: right,
                    source: other_source,
                    quality: other_quality,
                    age_us: other_age_us,
                },
            ) => match calculate(left, right) {
                Some(value) => Self::Known {
                    value,
                    // The order of qualities is from best to worst; of equals the first part names the source.
                    source: if other_quality > quality { other_source } else { source },
                    quality: quality.max(other_quality),
                    age_us: age_us.max(other_age_us),
                },
                None => Missing::failed(out_of_range).into(),
            },
        }
    }
}

/// Adds values of one source.
///
/// # Errors
/// The reason of the first missing value, or [`MissingReason::Failed`] if the sum is above 2^64.
pub fn checked_sum(values: impl IntoIterator<Item = Result<u64, Missing>>) -> Result<u64, Missing> {
    values.into_iter().try_fold(0_u64, |sum, value| {
        sum.checked_add(value?).ok_or_else(|| Missing::failed(OVERFLOW))
    })
}

impl<T> From<Missing> for Reading<T> {
    fn from(missing: Missing) -> Self {
        Self::Missing(missing)
    }
}

#[derive(Serialize)]
struct KnownJson<'a, T> {
    value: &'a T,
    source: SourceName,
    quality: Quality,
    age_us: u64,
}

#[derive(Serialize)]
struct MissingJson<'a> {
    missing: MissingReason,
    detail: &'a str,
}

impl<T: Serialize> Serialize for Reading<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known { value, source, quality, age_us } => {
                KnownJson { value, source: *source, quality: *quality, age_us: *age_us }
                    .serialize(serializer)
            }
            Self::Missing(Missing { reason, detail }) => {
                MissingJson { missing: *reason, detail }.serialize(serializer)
            }
        }
    }
}

/// All fields of both shapes, known and missing. An `untagged` enum would hide which field is wrong.
#[derive(Deserialize)]
struct ReadingJson<T> {
    value: Option<T>,
    source: Option<SourceName>,
    quality: Option<Quality>,
    age_us: Option<u64>,
    missing: Option<MissingReason>,
    detail: Option<Cow<'static, str>>,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Reading<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = ReadingJson::deserialize(deserializer)?;
        match (json.value, json.missing) {
            (Some(value), None) => Ok(Self::Known {
                value,
                source: json.source.ok_or_else(|| D::Error::missing_field("source"))?,
                quality: json.quality.ok_or_else(|| D::Error::missing_field("quality"))?,
                age_us: json.age_us.ok_or_else(|| D::Error::missing_field("age_us"))?,
            }),
            (None, Some(reason)) => Ok(Self::Missing(Missing {
                reason,
                detail: json.detail.ok_or_else(|| D::Error::missing_field("detail"))?,
            })),
            (Some(_), Some(_)) => Err(D::Error::custom("a reading has both `value` and `missing`")),
            (None, None) => Err(D::Error::custom("a reading has neither `value` nor `missing`")),
        }
    }
}

#[cfg(test)]
impl<T: schemars::JsonSchema> schemars::JsonSchema for Reading<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Reading_of_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let value = generator.subschema_for::<T>();
        let source = generator.subschema_for::<SourceName>();
        let quality = generator.subschema_for::<Quality>();
        let missing = generator.subschema_for::<MissingReason>();
        schemars::json_schema!({
            "description": "A number with its source, quality and age in microseconds, or the reason that it is missing.",
            "oneOf": [
                {
                    "type": "object",
                    "required": ["value", "source", "quality", "age_us"],
                    "properties": {
                        "value": value,
                        "source": source,
                        "quality": quality,
                        "age_us": { "type": "integer", "minimum": 0 }
                    }
                },
                {
                    "type": "object",
                    "required": ["missing", "detail"],
                    "properties": { "missing": missing, "detail": { "type": "string" } }
                }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_number_prints_its_source_and_quality() {
        let reading = Reading::new(7_u64, SourceName::Upstream, Quality::Approximate).aged(3);
        let json = serde_json::to_string(&reading).unwrap();
        assert_eq!(json, r#"{"value":7,"source":"upstream","quality":"approximate","age_us":3}"#);
        assert_eq!(serde_json::from_str::<Reading<u64>>(&json).unwrap(), reading);
    }

    #[test]
    fn a_blank_prints_its_reason() {
        let reading: Reading<u64> = Missing::denied("mode 0600").into();
        let json = serde_json::to_string(&reading).unwrap();
        assert_eq!(json, r#"{"missing":"denied","detail":"mode 0600"}"#);
        assert_eq!(serde_json::from_str::<Reading<u64>>(&json).unwrap(), reading);
    }

    #[test]
    fn a_sum_is_as_good_as_its_worse_part_and_as_old_as_its_older_one() {
        let exact = Reading::exact(3, SourceName::Agent).aged(5);
        let stale = Reading::new(4, SourceName::Upstream, Quality::Stale).aged(2);
        let of = |value| Reading::new(value, SourceName::Upstream, Quality::Stale).aged(5);
        assert_eq!(exact.clone().checked_add(stale.clone()), of(7));
        assert_eq!(stale.clone().checked_add(exact.clone()), of(7));
        assert_eq!(stale.clone().checked_sub(exact.clone()), of(1));
        assert_eq!(Reading::sum([exact.clone(), stale, exact], Missing::denied("").into()), of(10));
    }

    #[test]
    fn a_missing_part_or_a_result_out_of_range_is_missing() {
        let one = || Reading::exact(1, SourceName::Agent);
        let most = Reading::exact(u64::MAX, SourceName::Agent);
        let denied: Reading<u64> = Missing::denied("mode 0600").into();
        assert_eq!(one().checked_add(denied.clone()), denied);
        assert_eq!(denied.clone().checked_sub(one()), denied);
        let reason = |reading: Reading<u64>| reading.missing().map(|missing| missing.reason);
        assert_eq!(reason(most.clone().checked_add(one())), Some(MissingReason::Failed));
        assert_eq!(reason(one().checked_sub(most)), Some(MissingReason::Failed));
        assert_eq!(Reading::sum([], denied.clone()), denied);
        assert_eq!(checked_sum([Ok(1), Ok(2)]), Ok(3));
        assert_eq!(checked_sum([Ok(u64::MAX), Ok(1)]), Err(Missing::failed(OVERFLOW)));
    }

    #[test]
    fn half_a_reading_is_refused_by_the_name_of_what_lacks() {
        let error = |json| serde_json::from_str::<Reading<u64>>(json).unwrap_err().to_string();
        assert!(error(r#"{"value":1,"source":"kmd"}"#).contains("quality"));
        assert!(error("{}").contains("neither"));
        assert!(error(r#"{"value":1,"missing":"denied","detail":""}"#).contains("both"));
    }
}
