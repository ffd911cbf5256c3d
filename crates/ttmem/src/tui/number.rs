//! Conversions between numbers on screen and in samples. None of them wraps.

/// Converts a count of cells or rows, saturating at the largest screen size.
#[must_use]
pub(crate) fn cells(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

/// Returns the whole part of a number that is not negative; 0 for NaN.
#[must_use]
pub(crate) fn whole(number: f64) -> usize {
    if number.is_nan() || number <= 0.0 {
        return 0;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive, and a cast of a large float saturates"
    )]
    let whole = number as usize;
    whole
}

/// Returns the nearest whole bytes of a number that is not negative.
#[must_use]
pub(crate) fn bytes(number: f64) -> u64 {
    u64::try_from(whole(number.round())).unwrap_or(u64::MAX)
}

/// Rounds a number to the precision of a chart.
#[must_use]
pub(crate) fn narrow(number: f64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "seven digits are enough for a chart")]
    let narrow = number as f32;
    narrow
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_wraps() {
        assert_eq!(cells(70_000), u16::MAX);
        assert_eq!(whole(-1.0), 0);
        assert_eq!(whole(f64::NAN), 0);
        assert_eq!(whole(f64::INFINITY), usize::MAX);
        assert_eq!(whole(2.9), 2);
        assert_eq!(bytes(2.5), 3);
    }
}
