//! A byte count in calculations: what of a reading decides about sums, differences and how they are shown.

use ttmem_model::reading::Missing;
use ttmem_model::{MissingReason, Quality, Reading, SourceName};

use super::cell::{Cell, Number, Origin};

/// A number of bytes with its origin, or a missing reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    /// The number is known.
    Known {
        /// The number.
        bytes: u64,
        /// Source of the number.
        source: SourceName,
        /// The quality.
        quality: Quality,
    },
    /// The number is not known.
    Blank(MissingReason),
}

impl Figure {
    /// A number that no source has.
    pub(crate) const UNTOLD: Self = Self::Blank(MissingReason::NoSource);

    /// The number, if it is known.
    #[must_use]
    pub(crate) fn bytes(self) -> Option<u64> {
        match self {
            Self::Known { bytes, .. } => Some(bytes),
            Self::Blank(_) => None,
        }
    }

    /// True if the number is known and not 0.
    #[must_use]
    pub(crate) fn is_some_bytes(self) -> bool {
        self.bytes().is_some_and(|bytes| bytes > 0)
    }

    /// Adds. The sum has the worse quality of the two, and is missing if either is.
    #[must_use]
    pub(crate) fn plus(self, other: Self) -> Self {
        self.combine(other, Reading::checked_add)
    }

    /// Subtracts `other`. The difference has the worse quality of the two, and is missing if either is.
    #[must_use]
    pub(crate) fn minus(self, other: Self) -> Self {
        self.combine(other, Reading::checked_sub)
    }

    fn combine(
        self,
        other: Self,
        calculate: impl FnOnce(Reading<u64>, Reading<u64>) -> Reading<u64>,
    ) -> Self {
        (&calculate(self.into(), other.into())).into()
    }
}

impl From<Figure> for Reading<u64> {
    fn from(figure: Figure) -> Self {
        match figure {
            Figure::Known { bytes, source, quality } => Self::new(bytes, source, quality),
            Figure::Blank(reason) => Missing::new(reason, "").into(),
        }
    }
}

impl From<&Reading<u64>> for Figure {
    fn from(reading: &Reading<u64>) -> Self {
        match reading {
            Reading::Known { value, source, quality, .. } => {
                Self::Known { bytes: *value, source: *source, quality: *quality }
            }
            Reading::Missing(missing) => Self::Blank(missing.reason),
        }
    }
}

impl From<Cell<'_>> for Figure {
    /// A text is no number of bytes.
    fn from(cell: Cell<'_>) -> Self {
        match cell {
            Cell::Number(Number::Whole(bytes), Some(Origin { source, quality, .. })) => {
                Self::Known { bytes, source, quality }
            }
            Cell::Blank(reason, _) => Self::Blank(reason),
            Cell::Number(..) | Cell::Text(_) | Cell::None(_) => Self::UNTOLD,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn known(bytes: u64, source: SourceName, quality: Quality) -> Figure {
        Figure::Known { bytes, source, quality }
    }

    #[test]
    fn a_sum_is_as_good_as_its_worse_part() {
        let exact = known(3, SourceName::Agent, Quality::Exact);
        let stale = known(4, SourceName::Upstream, Quality::Stale);
        assert_eq!(exact.plus(stale), known(7, SourceName::Upstream, Quality::Stale));
        assert_eq!(stale.plus(exact), known(7, SourceName::Upstream, Quality::Stale));
        assert_eq!(stale.minus(exact), known(1, SourceName::Upstream, Quality::Stale));
        assert_eq!(exact.minus(stale), Figure::Blank(MissingReason::Failed));
    }

    #[test]
    fn a_blank_part_makes_a_blank_sum() {
        let exact = known(3, SourceName::Agent, Quality::Exact);
        let blank = Figure::Blank(MissingReason::Denied);
        assert_eq!(exact.plus(blank), blank);
        assert_eq!(blank.plus(exact), blank);
        assert!(!blank.is_some_bytes());
    }
}
