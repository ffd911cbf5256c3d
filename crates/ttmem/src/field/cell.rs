//! The value of a field for one chip or one process.

use std::borrow::Cow;
use std::fmt::Display;

use ttmem_model::metric::Quantity;
use ttmem_model::{ChipId, Missing, MissingReason, Quality, Reading, SourceName, Timestamp};

use crate::output::amount;

/// A value in the terms that every output needs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    /// A text. It may hold anything that a process was free to choose.
    Text(Cow<'a, str>),
    /// A number, with its origin where it was measured.
    Number(Number, Option<Origin>),
    /// A missing value with its reason and a line of detail.
    Blank(MissingReason, &'a str),
    /// An empty list or text that is known to be empty, in words for the screen. CSV leaves it empty.
    None(&'static str),
}

/// A whole or a measured number, or a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    /// A whole number.
    Whole(u64),
    /// A measured number.
    Measured(Quantity),
    /// A time: RFC 3339 where people read it, microseconds since 1970 in a metric.
    Time(Timestamp),
}

/// Origin of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Source of the number.
    pub(crate) source: SourceName,
    /// The quality.
    pub(crate) quality: Quality,
    /// Microseconds between the read and the snapshot.
    pub(crate) age_us: u64,
}

impl<'a> Cell<'a> {
    /// A text that is always there.
    pub(crate) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }

    /// The text of a value with a `Display` of its own.
    pub(crate) fn display(value: &impl Display) -> Self {
        Self::Text(Cow::Owned(value.to_string()))
    }

    /// The id of a chip, which may not be known.
    pub(crate) fn chip(id: &ChipId) -> Self {
        match id {
            ChipId::Known(_) => Self::display(id),
            ChipId::Unknown(_) => Self::Blank(MissingReason::NoSource, "nothing names the chip"),
        }
    }

    /// A text that a source may not have given, and the detail if it did not.
    pub(crate) fn optional(text: Option<&'a str>, detail: &'static str) -> Self {
        text.map_or(Self::Blank(MissingReason::NoSource, detail), Self::text)
    }

    /// A missing value with its reason; with another one where the snapshot has none.
    pub(crate) fn missing(why: Option<&'a Missing>, otherwise: &'static str) -> Self {
        why.map_or(Self::Blank(MissingReason::NoSource, otherwise), |why| {
            Self::Blank(why.reason, &why.detail)
        })
    }

    /// A number that is always there.
    pub(crate) fn count(count: usize) -> Self {
        Self::Number(Number::Whole(u64::try_from(count).unwrap_or(u64::MAX)), None)
    }

    /// A time that is always there.
    pub(crate) fn time(time: Timestamp) -> Self {
        Self::Number(Number::Time(time), None)
    }

    /// The sum or difference of two readings; `detail` is the reason if the result is out of range.
    pub(crate) fn calculated(
        one: &'a Reading<u64>,
        other: &'a Reading<u64>,
        calculate: impl FnOnce(Reading<u64>, Reading<u64>) -> Reading<u64>,
        detail: &'static str,
    ) -> Self {
        if let Some(missing) = one.missing().or(other.missing()) {
            return missing.into();
        }
        match calculate(one.clone(), other.clone()) {
            Reading::Known { value, source, quality, .. } => {
                Self::Number(Number::Whole(value), Some(Origin { source, quality, age_us: 0 }))
            }
            Reading::Missing(missing) => Self::Blank(missing.reason, detail),
        }
    }

    /// Returns the name of the source of a reading, or its missing reason.
    pub(crate) fn source_of<T>(reading: &'a Reading<T>) -> Self {
        match reading {
            Reading::Known { source, .. } => Self::text(source.as_str()),
            Reading::Missing(missing) => missing.into(),
        }
    }

    /// Returns the quality of a reading, or its missing reason.
    pub(crate) fn quality_of<T>(reading: &'a Reading<T>) -> Self {
        match reading {
            Reading::Known { quality, .. } => Self::text(quality.as_str()),
            Reading::Missing(missing) => missing.into(),
        }
    }
}

impl<'a> From<&'a Missing> for Cell<'a> {
    fn from(missing: &'a Missing) -> Self {
        Self::Blank(missing.reason, &missing.detail)
    }
}

impl<'a> From<&'a Reading<u64>> for Cell<'a> {
    fn from(reading: &'a Reading<u64>) -> Self {
        from_reading(reading, |value| Number::Whole(*value))
    }
}

impl<'a> From<&'a Reading<Quantity>> for Cell<'a> {
    fn from(reading: &'a Reading<Quantity>) -> Self {
        from_reading(reading, |value| Number::Measured(*value))
    }
}

impl From<Cell<'_>> for Reading<u64> {
    /// A text is no number.
    fn from(cell: Cell<'_>) -> Self {
        match cell {
            Cell::Number(Number::Whole(value), Some(Origin { source, quality, age_us })) => {
                Self::Known { value, source, quality, age_us }
            }
            Cell::Blank(reason, detail) => Missing::new(reason, detail.to_owned()).into(),
            Cell::Number(..) | Cell::Text(_) | Cell::None(_) => untold(),
        }
    }
}

/// Returns a number that nothing tells.
pub(crate) fn untold() -> Reading<u64> {
    Missing::no_source("").into()
}

/// Returns whether a number is known and not 0.
pub(crate) fn is_above_zero(reading: &Reading<u64>) -> bool {
    reading.value().is_some_and(|value| *value > 0)
}

fn from_reading<T>(reading: &Reading<T>, number: impl FnOnce(&T) -> Number) -> Cell<'_> {
    match reading {
        Reading::Known { value, source, quality, age_us } => Cell::Number(
            number(value),
            Some(Origin { source: *source, quality: *quality, age_us: *age_us }),
        ),
        Reading::Missing(missing) => missing.into(),
    }
}

impl Cell<'_> {
    /// Returns the number as a share of a total; missing if either is, or if the total is 0.
    pub(crate) fn share_of(self, total: &Reading<u64>) -> Self {
        match (self, total.value()) {
            (Self::Number(Number::Whole(part), origin), Some(total @ 1..)) => {
                let share = Quantity(part as f64 / *total as f64);
                Self::Number(Number::Measured(share), origin)
            }
            (blank @ Self::Blank(..), _) => blank,
            _ => Self::Blank(MissingReason::NoSource, "the capacity is not known"),
        }
    }

    /// Returns the number, or `None` for a text or a missing value.
    #[must_use]
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number, _) => Some(number.real()),
            Self::Text(_) | Self::Blank(..) | Self::None(_) => None,
        }
    }
}

impl Number {
    /// Returns the number as a real number; a time in microseconds.
    #[must_use]
    pub(crate) fn real(self) -> f64 {
        match self {
            Self::Whole(number) => number as f64,
            Self::Measured(quantity) => quantity.0,
            Self::Time(time) => time.0 as f64,
        }
    }

    /// The number in full, such as `1056768` or `0.85`.
    #[must_use]
    pub(crate) fn in_full(self) -> String {
        match self {
            Self::Whole(number) => number.to_string(),
            Self::Measured(quantity) => amount::quantity(quantity),
            Self::Time(time) => amount::rfc3339(time),
        }
    }
}
