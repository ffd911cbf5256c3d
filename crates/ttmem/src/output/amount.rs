//! Amounts in words: bytes, shares, quantities and moments.

use ttmem_model::metric::Quantity;
use ttmem_model::{Bytes, Timestamp};

/// Bytes in at most eight columns, such as `4.21 GiB`.
#[must_use]
pub(crate) fn size(bytes: u64) -> String {
    Bytes(bytes).to_string()
}

/// Bytes in at most five columns, such as `4.21G`; the letters count in steps of 1024.
#[must_use]
pub(crate) fn short_size(bytes: u64) -> String {
    let size = size(bytes);
    match size.split_once(' ') {
        Some((number, "B")) => number.to_owned(),
        Some((number, unit)) => number.chars().chain(unit.chars().take(1)).collect(),
        None => size,
    }
}

/// Formats the share of a part in at most five columns. A part above zero is never `0%`, and one below all never
/// `100%`. `None` if the whole is nothing.
#[must_use]
pub(crate) fn percent(part: u64, whole: u64) -> Option<String> {
    let share = share_in_thousandths(part, whole)?;
    Some(match share {
        0 if part == 0 => "0%".to_owned(),
        0..10 => "<1%".to_owned(),
        990..1000 => "99%".to_owned(),
        1000 if part < whole => "99%".to_owned(),
        9995.. => ">999%".to_owned(),
        _ => format!("{}%", (share + 5) / 10),
    })
}

/// Returns the share of a part in thousandths, rounded down.
#[must_use]
pub(crate) fn share_in_thousandths(part: u64, whole: u64) -> Option<u64> {
    let share = (u128::from(part) * 1000).checked_div(u128::from(whole))?;
    Some(u64::try_from(share).unwrap_or(u64::MAX))
}

/// A measured number without needless digits, such as `45` or `0.85`.
#[must_use]
pub(crate) fn quantity(quantity: Quantity) -> String {
    let text = format!("{:.3}", quantity.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A measured number to the nearest whole.
#[must_use]
pub(crate) fn rounded(quantity: Quantity) -> String {
    format!("{:.0}", quantity.0)
}

/// A length of time in at most five columns, such as `350ms`, `12.5s`, `3m20s`, `5h02m`, `2d03h`, `12d`.
#[must_use]
pub(crate) fn duration(micros: u64) -> String {
    let tenths = micros / 100_000;
    let seconds = micros / 1_000_000;
    match seconds {
        0 if micros < 1_000 => format!("{micros}us"),
        0 => format!("{}ms", micros / 1_000),
        1..60 => format!("{}.{}s", seconds, tenths % 10),
        60..600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        600..3_600 => format!("{}m", seconds / 60),
        3_600..36_000 => format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
        36_000..172_800 => format!("{}h", seconds / 3_600),
        172_800..864_000 => format!("{}d{:02}h", seconds / 86_400, seconds / 3_600 % 24),
        _ if seconds / 86_400 < 10_000 => format!("{}d", seconds / 86_400),
        _ => "ages".to_owned(),
    }
}

/// A moment as `2026-03-21 12:34:56 UTC`.
#[must_use]
pub(crate) fn date_time(time: Timestamp) -> String {
    let Civil { year, month, day, hour, minute, second, .. } = Civil::of(time);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// A moment of a day as `12:34:56 UTC`.
#[must_use]
pub(crate) fn clock(time: Timestamp) -> String {
    let Civil { hour, minute, second, .. } = Civil::of(time);
    format!("{hour:02}:{minute:02}:{second:02} UTC")
}

/// A moment as RFC 3339 has it, such as `2026-03-21T12:34:56.000250Z`.
#[must_use]
pub(crate) fn rfc3339(time: Timestamp) -> String {
    let Civil { year, month, day, hour, minute, second, micros } = Civil::of(time);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// A moment in the Gregorian calendar, UTC.
struct Civil {
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
    micros: u64,
}

impl Civil {
    /// Counts in years that begin in March, so that the leap day is the last of its year.
    fn of(time: Timestamp) -> Self {
        const DAYS_FROM_MARCH_OF_YEAR_0_TO_1970: u64 = 719_468;
        const DAYS_IN_400_YEARS: u64 = 146_097;
        let seconds = time.0 / 1_000_000;
        let days = seconds / 86_400 + DAYS_FROM_MARCH_OF_YEAR_0_TO_1970;
        let era = days / DAYS_IN_400_YEARS;
        let day_of_era = days % DAYS_IN_400_YEARS;
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let months_since_march = (5 * day_of_year + 2) / 153;
        let month =
            if months_since_march < 10 { months_since_march + 3 } else { months_since_march - 9 };
        Self {
            year: era * 400 + year_of_era + u64::from(month <= 2),
            month,
            day: day_of_year - (153 * months_since_march + 2) / 5 + 1,
            hour: seconds / 3_600 % 24,
            minute: seconds / 60 % 60,
            second: seconds % 60,
            micros: time.0 % 1_000_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits_and_never_reach_1024() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (864 * 1024, "864 KiB"),
            (1023 * 1024 * 1024, "1023 MiB"),
            ((1 << 30) - 1, "1.00 GiB"),
            (10_485_760 - 1, "10.0 MiB"),
            (12 << 30, "12.0 GiB"),
            (u64::MAX, "16.0 EiB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text);
            assert!(size(bytes).len() <= 8 && short_size(bytes).len() <= 5, "{text}");
        }
        assert_eq!(short_size(512), "512");
        assert_eq!(short_size(4_521_984), "4.31M");
    }

    #[test]
    fn something_is_never_nothing_and_less_than_all_never_all() {
        let text = |part, whole| percent(part, whole).unwrap();
        assert_eq!(text(0, 10), "0%");
        assert_eq!(text(1, 1_000_000), "<1%");
        assert_eq!(text(999_999, 1_000_000), "99%");
        assert_eq!(text(10, 10), "100%");
        assert_eq!(text(125, 1000), "13%");
        assert_eq!(text(11, 10), "110%");
        assert_eq!(text(u64::MAX, 1), ">999%");
        assert_eq!(percent(1, 0), None);
    }

    #[test]
    fn lengths_of_time_take_five_columns() {
        let cases = [
            (0, "0us"),
            (999, "999us"),
            (999_999, "999ms"),
            (12_560_000, "12.5s"),
            (200_000_000, "3m20s"),
            (3_599_000_000, "59m"),
            (18_120_000_000, "5h02m"),
            (170_000_000_000, "47h"),
            (183_600_000_000, "2d03h"),
            (1_036_800_000_000, "12d"),
            (u64::MAX, "ages"),
        ];
        for (micros, text) in cases {
            assert_eq!(duration(micros), text);
            assert!(text.len() <= 5);
        }
    }

    #[test]
    fn moments_follow_the_calendar() {
        let time = |seconds: u64| date_time(Timestamp(seconds * 1_000_000));
        assert_eq!(time(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(time(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(time(4_107_542_399), "2100-02-28 23:59:59 UTC");
        assert_eq!(time(4_107_542_400), "2100-03-01 00:00:00 UTC");
        assert_eq!(rfc3339(Timestamp(1_774_096_496_000_250)), "2026-03-21T12:34:56.000250Z");
        assert!(!date_time(Timestamp(u64::MAX)).is_empty());
    }
}
