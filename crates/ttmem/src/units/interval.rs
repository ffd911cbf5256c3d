//! Sampling intervals: `5`, `0.5`, `250ms`, `2s`, `1m`.

use std::str::FromStr;
use std::time::Duration;

/// The time from one sample to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interval(Duration);

/// The shortest interval. With a shorter one, sampling itself would dominate the figures.
const LEAST: Duration = Duration::from_millis(100);
/// The longest interval. A longer one is taken for a mistake.
const MOST: Duration = Duration::from_secs(24 * 60 * 60);

impl Interval {
    /// The interval of `-l` without a value, and of `-c` without `-l`.
    pub(crate) const DEFAULT: Self = Self(Duration::from_secs(5));

    /// Returns the time from one sample to the next.
    #[must_use]
    pub(crate) fn duration(self) -> Duration {
        self.0
    }
}

/// An error from parsing an interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IntervalError {
    /// The text is not a number with a unit.
    Syntax,
    /// The interval is shorter than 100 ms or longer than a day.
    Range,
}

impl std::error::Error for IntervalError {}

impl std::fmt::Display for IntervalError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Syntax => "write seconds, or a number with a unit, such as 0.5, 250ms, 2s or 1m",
            Self::Range => "the time must be between 100ms and one day",
        })
    }
}

impl FromStr for Interval {
    type Err = IntervalError;

    fn from_str(text: &str) -> Result<Self, IntervalError> {
        let text = text.trim();
        let unit_start = text.find(|character: char| character.is_ascii_alphabetic());
        let (number, unit) = text.split_at(unit_start.unwrap_or(text.len()));
        let seconds_per_unit = match unit {
            "ms" => 0.001,
            "" | "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            _ => return Err(IntervalError::Syntax),
        };
        let number: f64 = number.trim().parse().map_err(|_error| IntervalError::Syntax)?;
        let duration = Duration::try_from_secs_f64(number * seconds_per_unit)
            .map_err(|_error| IntervalError::Range)?;
        if (LEAST..=MOST).contains(&duration) {
            Ok(Self(duration))
        } else {
            Err(IntervalError::Range)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_fractions_and_units() {
        let milliseconds = |text: &str| text.parse().map(|Interval(time)| time.as_millis());
        assert_eq!(milliseconds("5"), Ok(5000));
        assert_eq!(milliseconds("0.5"), Ok(500));
        assert_eq!(milliseconds("250ms"), Ok(250));
        assert_eq!(milliseconds("2 s"), Ok(2000));
        assert_eq!(milliseconds("1m"), Ok(60_000));
        assert_eq!(milliseconds("1.5h"), Ok(5_400_000));
    }

    #[test]
    fn rejects_invalid_intervals() {
        let refused = |text: &str| text.parse::<Interval>().unwrap_err();
        for text in ["", "ms", "s", "five", "5 years", "1e", "-"] {
            assert_eq!(refused(text), IntervalError::Syntax, "{text}");
        }
        for text in ["0", "99ms", "-1", "25h", "1000000000000000000000"] {
            assert_eq!(refused(text), IntervalError::Range, "{text}");
        }
    }
}
