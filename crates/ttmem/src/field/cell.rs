//! The value of a field for one chip or one process.

use std::borrow::Cow;
use std::fmt::Display;

use ttmem_model::metric::Quantity;
use ttmem_model::{Missing, MissingReason, Quality, Reading, SourceName};

use crate::field::figure::Figure;
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

/// A whole or a measured number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    /// A whole number.
    Whole(u64),
    /// A measured number.
    Measured(Quantity),
}

/// Where a number comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Who said so.
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

    /// The text of something that knows how it is written.
    pub(crate) fn display(value: &impl Display) -> Self {
        Self::Text(Cow::Owned(value.to_string()))
    }

    /// A text that a source may not have given, and the detail if it did not.
    pub(crate) fn optional(text: Option<&'a str>, detail: &'static str) -> Self {
        text.map_or(Self::Blank(MissingReason::NoSource, detail), Self::text)
    }

    /// A number that is always there.
    pub(crate) fn count(count: usize) -> Self {
        Self::Number(Number::Whole(u64::try_from(count).unwrap_or(u64::MAX)), None)
    }

    /// A difference of two readings; `detail` says why it is missing if the part is larger than the whole.
    pub(crate) fn difference(
        whole: &'a Reading<u64>,
        part: &'a Reading<u64>,
        detail: &'static str,
    ) -> Self {
        if let Some(missing) = whole.missing().or(part.missing()) {
            return missing.into();
        }
        match Figure::from(whole).minus(part.into()) {
            Figure::Known { bytes, source, quality } => {
                Self::Number(Number::Whole(bytes), Some(Origin { source, quality, age_us: 0 }))
            }
            Figure::Blank(reason) => Self::Blank(reason, detail),
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
    /// Returns the number, or `None` for a text or a missing value.
    #[must_use]
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(Number::Whole(number), _) => Some(*number as f64),
            Self::Number(Number::Measured(quantity), _) => Some(quantity.0),
            Self::Text(_) | Self::Blank(..) | Self::None(_) => None,
        }
    }
}

impl Number {
    /// The number in full, such as `1056768` or `0.85`.
    #[must_use]
    pub(crate) fn in_full(self) -> String {
        match self {
            Self::Whole(number) => number.to_string(),
            Self::Measured(quantity) => amount::quantity(quantity),
        }
    }
}
