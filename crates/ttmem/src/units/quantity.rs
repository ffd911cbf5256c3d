//! Sizes and time spans: `100MB`, `64MiB`, `10m`, `7d`.

use std::str::FromStr;
use std::time::Duration;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

/// A span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

/// Splits `1.5GiB` into the number and the unit.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let unit = text.find(|character: char| character.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    (number.trim(), unit)
}

impl FromStr for Size {
    type Err = &'static str;

    /// Parses a size. `K`, `M`, `G` and `T` are powers of 1024, as in the tables; `KB`, `MB`, `GB` and `TB` are powers of 1000.
    fn from_str(text: &str) -> Result<Self, &'static str> {
        const SYNTAX: &str = "write bytes, or a number with a unit, such as 100MB or 64MiB";
        let (number, unit) = split(text);
        let unit: u64 = match unit {
            "" | "B" => 1,
            "K" | "KiB" => 1 << 10,
            "M" | "MiB" => 1 << 20,
            "G" | "GiB" => 1 << 30,
            "T" | "TiB" => 1 << 40,
            "k" | "kB" | "KB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "TB" => 1_000_000_000_000,
            _ => return Err(SYNTAX),
        };
        let bytes = times(number, unit).ok_or(SYNTAX)?;
        u64::try_from(bytes)
            .ok()
            .filter(|bytes| *bytes <= i64::MAX.unsigned_abs())
            .map(Self)
            .ok_or("that is too large")
    }
}

/// Multiplies a decimal number by a unit, without the rounding of floating-point numbers.
fn times(number: &str, unit: u64) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let digits = u32::try_from(fraction.len()).ok().filter(|digits| *digits < 18)?;
    let value = |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse::<u64>().ok() };
    let part = u128::from(value(fraction)?) * u128::from(unit) / 10_u128.pow(digits);
    Some(u128::from(value(whole)?) * u128::from(unit) + part)
}

impl FromStr for Span {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        const SYNTAX: &str = "write seconds, or a number with a unit, such as 90s, 10m, 1h or 7d";
        let (number, unit) = split(text);
        let number: f64 = number.parse().map_err(|_error| SYNTAX)?;
        let seconds = match unit {
            "ms" => 0.001,
            "" | "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return Err(SYNTAX),
        };
        let span = Duration::try_from_secs_f64(number * seconds).map_err(|_error| SYNTAX)?;
        if span.is_zero() { Err("a time span must be longer than 0") } else { Ok(Self(span)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_sizes_and_spans() {
        let size = |text: &str| text.parse().map(|Size(bytes)| bytes);
        assert_eq!(size("100MB"), Ok(100_000_000));
        assert_eq!(size("1.5 GiB"), Ok(1_610_612_736));
        assert_eq!(size("17"), Ok(17));
        assert_eq!(size("0"), Ok(0));
        assert_eq!(size(".5K"), Ok(512));
        assert_eq!(size("2 G"), Ok(2 << 30));
        let wrong = ["", "MB", "-1", "+1", "1XB", "1e30", "NaN", "1.2.3", ".", "99999999999GiB"];
        assert!(wrong.iter().all(|text| size(text).is_err()));
        let span = |text: &str| text.parse().map(|Span(span)| span.as_secs());
        assert_eq!(span("10m"), Ok(600));
        assert_eq!(span("7d"), Ok(604_800));
        assert!(["", "0", "-5s", "5 years", "1e40h"].iter().all(|text| span(text).is_err()));
    }
}
