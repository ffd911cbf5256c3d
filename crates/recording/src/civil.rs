//! Moments as people write them, in UTC.

use std::fmt;

use ttmem_model::Timestamp;

const SECOND_US: u64 = 1_000_000;
const DAY_SECONDS: u64 = 86_400;

/// A moment as date and time, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// Year.
    pub year: u64,
    /// Month, from 1.
    pub month: u64,
    /// Day of the month, from 1.
    pub day: u64,
    /// Seconds since midnight.
    pub second_of_day: u64,
    /// Microseconds of the second.
    pub microsecond: u64,
}

impl Civil {
    /// The date and time of a moment.
    #[must_use]
    pub fn of(time: Timestamp) -> Self {
        let seconds = time.0 / SECOND_US;
        // Days from the 1st of March of the year 0, so that the leap day is the last of its year.
        let days = seconds / DAY_SECONDS + 719_468;
        let era = days / 146_097;
        let day_of_era = days % 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        Self {
            year: era * 400 + year_of_era + u64::from(month <= 2),
            month,
            day: day_of_year - (153 * shifted + 2) / 5 + 1,
            second_of_day: seconds % DAY_SECONDS,
            microsecond: time.0 % SECOND_US,
        }
    }

    /// The moment of a date and time. `None` before 1970 and for dates that are none.
    #[must_use]
    pub fn timestamp(self) -> Option<Timestamp> {
        let Self { year, month, day, second_of_day, microsecond } = self;
        let is_date = (1970..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && second_of_day < DAY_SECONDS
            && microsecond < SECOND_US;
        if !is_date {
            return None;
        }
        let year = if month <= 2 { year - 1 } else { year };
        let shifted = if month > 2 { month - 3 } else { month + 9 };
        let day_of_year = (153 * shifted + 2) / 5 + day - 1;
        let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year;
        let seconds = (days - 719_468) * DAY_SECONDS + second_of_day;
        let time = Timestamp(seconds * SECOND_US + microsecond);
        // The 31st of a month with 30 days is no date.
        (Self::of(time).day == day).then_some(time)
    }

    /// Returns the time in the form for file names: `20261102T093000Z`.
    #[must_use]
    pub fn compact(self) -> String {
        let (hour, minute, second) = self.clock();
        format!("{:04}{:02}{:02}T{hour:02}{minute:02}{second:02}Z", self.year, self.month, self.day)
    }

    fn clock(self) -> (u64, u64, u64) {
        let second = self.second_of_day;
        (second / 3600, second / 60 % 60, second % 60)
    }
}

impl fmt::Display for Civil {
    /// `2026-11-02T09:30:00.000000Z`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hour, minute, second) = self.clock();
        let Self { year, month, day, microsecond, .. } = self;
        write!(
            formatter,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{microsecond:06}Z"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_and_read_back() {
        let print = |time| Civil::of(Timestamp(time)).to_string();
        assert_eq!(print(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(print(1_793_611_800_000_007), "2026-11-02T09:30:00.000007Z");
        assert_eq!(print(951_782_400_000_000), "2000-02-29T00:00:00.000000Z");
        assert_eq!(Civil::of(Timestamp(1_793_611_800_000_000)).compact(), "20261102T093000Z");
        for day in 0..60_000_u64 {
            let time = Timestamp(day * 86_400_000_000 + 12_345_678);
            assert_eq!(Civil::of(time).timestamp(), Some(time));
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        let of = |year, month, day| {
            Civil { year, month, day, second_of_day: 0, microsecond: 0 }.timestamp()
        };
        assert_eq!([of(2026, 2, 29), of(2026, 13, 1), of(1969, 1, 1), of(2026, 4, 31)], [None; 4]);
        assert!(of(2028, 2, 29).is_some());
    }
}
