//! Sizes and spans as they are typed: `100MB`, `64MiB`, `10m`, `7d`.

use std::str::FromStr;
use std::time::Duration;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

/// A span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

/// Splits `1.5GiB` into the number and the unit.
fn split(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let unit = text.find(|character: char| character.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    let number: f64 = number.trim().parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some((number, unit))
}

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        const SYNTAX: &str = "write bytes, or a number with a unit, such as 100MB or 64MiB";
        let (number, unit) = split(text).ok_or(SYNTAX)?;
        let bytes = match unit {
            "" | "B" => 1.0,
            "kB" | "KB" | "k" => 1e3,
            "MB" | "M" => 1e6,
            "GB" | "G" => 1e9,
            "TB" | "T" => 1e12,
            "KiB" => 1024.0,
            "MiB" => 1_048_576.0,
            "GiB" => 1_073_741_824.0,
            "TiB" => 1_099_511_627_776.0,
            _ => return Err(SYNTAX),
        } * number;
        if bytes >= 9e18 {
            return Err("that is more than there can be");
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 2^63"
        )]
        Ok(Self(bytes as u64))
    }
}

impl FromStr for Span {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        const SYNTAX: &str = "write seconds, or a number with a unit, such as 90s, 10m, 1h or 7d";
        let (number, unit) = split(text).ok_or(SYNTAX)?;
        let seconds = match unit {
            "ms" => 0.001,
            "" | "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return Err(SYNTAX),
        };
        let span = Duration::try_from_secs_f64(number * seconds).map_err(|_error| SYNTAX)?;
        if span.is_zero() { Err("a span is longer than nothing") } else { Ok(Self(span)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_spans_are_understood() {
        let size = |text: &str| text.parse().map(|Size(bytes)| bytes);
        assert_eq!(size("100MB"), Ok(100_000_000));
        assert_eq!(size("1.5 GiB"), Ok(1_610_612_736));
        assert_eq!(size("17"), Ok(17));
        assert!(["", "MB", "-1", "1XB", "1e30", "NaN"].iter().all(|text| size(text).is_err()));
        let span = |text: &str| text.parse().map(|Span(span)| span.as_secs());
        assert_eq!(span("10m"), Ok(600));
        assert_eq!(span("7d"), Ok(604_800));
        assert!(["", "0", "-5s", "5 years", "1e40h"].iter().all(|text| span(text).is_err()));
    }
}
