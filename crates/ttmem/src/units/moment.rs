//! Moments of a recording: a date and time, a time of day, seconds since 1970, or an offset from the start or the end.

use ttmem_model::Timestamp;
use ttmem_recording::civil::Civil;

use super::Span;

/// The accepted forms of a moment, in one line.
pub(crate) const SYNTAX: &str = "write 2026-11-02T09:30:00, 09:30:00, seconds since 1970, +90s from the start, \
    -90s from the end, start or end; times are UTC";

/// Parses a moment in a recording that spans `first` to `last`.
#[must_use]
pub(crate) fn parse(text: &str, first: Timestamp, last: Timestamp) -> Option<Timestamp> {
    let text = text.trim();
    match text {
        "start" => return Some(first),
        "end" => return Some(last),
        _ => {}
    }
    let span = |text: &str| match text {
        "0" | "0s" => Some(0),
        text => {
            let Span(span) = text.parse().ok()?;
            u64::try_from(span.as_micros()).ok()
        }
    };
    if let Some(later) = text.strip_prefix('+') {
        return first.0.checked_add(span(later)?).map(Timestamp);
    }
    if let Some(earlier) = text.strip_prefix('-') {
        return Some(Timestamp(last.0.saturating_sub(span(earlier)?)));
    }
    if let Ok(number) = text.parse::<u64>() {
        return since_1970(number);
    }
    match text.split_once(['T', ' ']) {
        Some((date, time)) => date_and_time(date, time),
        None => time_of_day(text, first, last),
    }
}

/// Parses seconds since 1970, or microseconds if seconds would be after the year 5000.
fn since_1970(number: u64) -> Option<Timestamp> {
    const LAST_SECOND: u64 = 100_000_000_000;
    if number < LAST_SECOND {
        number.checked_mul(1_000_000).map(Timestamp)
    } else {
        Some(Timestamp(number))
    }
}

fn date_and_time(date: &str, time: &str) -> Option<Timestamp> {
    let mut parts = date.splitn(3, '-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let time = time.strip_suffix('Z').unwrap_or(time);
    let (second_of_day, microsecond) = clock(time)?;
    Civil { year, month, day, second_of_day, microsecond }.timestamp()
}

/// Parses a time of day: within the recording if possible, else on its first day.
fn time_of_day(time: &str, first: Timestamp, last: Timestamp) -> Option<Timestamp> {
    const DAY_US: u64 = 86_400_000_000;
    let (second_of_day, microsecond) = clock(time.strip_suffix('Z').unwrap_or(time))?;
    let midnight = first.0 - first.0 % DAY_US;
    let on_first_day = midnight.checked_add(second_of_day * 1_000_000 + microsecond)?;
    let next_day = on_first_day.checked_add(DAY_US)?;
    let is_next = on_first_day < first.0 && next_day <= last.0;
    Some(Timestamp(if is_next { next_day } else { on_first_day }))
}

/// `09:30`, `09:30:15` or `09:30:15.25`, as seconds and microseconds.
fn clock(text: &str) -> Option<(u64, u64)> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let mut numbers = whole.splitn(3, ':').map(|number| number.parse::<u64>().ok());
    let (hour, minute) = (numbers.next()??, numbers.next()??);
    let second = numbers.next().unwrap_or(Some(0))?;
    let is_time = hour < 24 && minute < 60 && second < 60;
    if !is_time || part.len() > 6 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let microsecond = format!("{part:0<6}").parse().ok()?;
    Some((hour * 3600 + minute * 60 + second, microsecond))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2 November 2026, 09:30 UTC.
    const FIRST: Timestamp = Timestamp(1_793_611_800_000_000);

    fn parsed(text: &str) -> Option<i64> {
        let last = Timestamp(FIRST.0 + 20 * 3_600_000_000);
        parse(text, FIRST, last).map(|time| (time.0.cast_signed() - FIRST.0.cast_signed()) / 1000)
    }

    #[test]
    fn parses_every_form() {
        assert_eq!(parsed("start"), Some(0));
        assert_eq!(parsed("end"), Some(72_000_000));
        assert_eq!(parsed("+1.5s"), Some(1500));
        assert_eq!((parsed("+0s"), parsed("-0")), (Some(0), Some(72_000_000)));
        assert_eq!(parsed("-1h"), Some(68_400_000));
        assert_eq!(parsed("1793611801"), Some(1000));
        assert_eq!(parsed("1793611801000000"), Some(1000));
        assert_eq!(parsed("2026-11-02T09:30:01.25Z"), Some(1250));
        assert_eq!(parsed("2026-11-02 09:31"), Some(60_000));
        assert_eq!(parsed("09:30:02"), Some(2000));
        assert_eq!(parsed("01:30"), Some(57_600_000), "after midnight is the day after");
    }

    #[test]
    fn rejects_invalid_moments() {
        for text in
            ["", "now", "25:00", "09:60", "2026-02-30T00:00", "+", "-x", "1.5", "09:30:00.1234567"]
        {
            assert_eq!(parsed(text), None, "{text}");
        }
    }
}
