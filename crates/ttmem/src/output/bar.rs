//! Bars: how full something is, in eighths of a column.

use super::page::{Page, Role};

/// Percent of use from which a memory deserves notice.
const NOTICE_PERCENT: u64 = 85;
/// Percent of use from which the next allocation may fail.
const ALARM_PERCENT: u64 = 95;

/// The filled part and the track of a bar over `columns` columns. Anything above nothing shows, and only all fills
/// the bar.
#[must_use]
pub(crate) fn bar(page: &Page, part: u64, whole: u64, columns: usize) -> (String, String) {
    let glyphs = page.glyphs();
    let steps = glyphs.steps.len();
    let filled = filled_steps(part, whole, columns * steps);
    let mut text = glyphs.steps[steps - 1].repeat(filled / steps);
    let mut used = filled / steps;
    if let Some(last) = (filled % steps).checked_sub(1) {
        text.push_str(glyphs.steps[last]);
        used += 1;
    }
    (text, glyphs.track.repeat(columns - used))
}

fn filled_steps(part: u64, whole: u64, steps: usize) -> usize {
    if part == 0 || steps == 0 {
        return 0;
    }
    if part >= whole {
        return steps;
    }
    let share = u128::from(part) * steps as u128 / u128::from(whole);
    usize::try_from(share).unwrap_or(steps).clamp(1, steps)
}

/// Returns the style of a bar this full.
#[must_use]
pub(crate) fn role(part: u64, whole: u64) -> Role {
    let percent = u128::from(part) * 100 / u128::from(whole.max(1));
    match u64::try_from(percent).unwrap_or(u64::MAX) {
        ALARM_PERCENT.. => Role::Alarm,
        NOTICE_PERCENT.. => Role::Notice,
        _ => Role::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::page::Charset;

    #[test]
    fn bars_count_in_eighths() {
        let page = Page::plain(40);
        let text = |part| {
            let (filled, track) = bar(&page, part, 80, 10);
            filled + &track
        };
        assert_eq!(text(0), "··········");
        assert_eq!(text(1), "▏·········");
        assert_eq!(text(36), "████▌·····");
        assert_eq!(text(79), "█████████▉");
        assert_eq!(text(80), "██████████");
        assert_eq!(text(99), "██████████");
    }

    #[test]
    fn ascii_bars_show_the_least_too() {
        let page = Page { charset: Charset::Ascii, ..Page::plain(40) };
        assert_eq!(bar(&page, 1, u64::MAX, 4), ("#".to_owned(), "---".to_owned()));
        assert_eq!(bar(&page, 3, 4, 4), ("###".to_owned(), "-".to_owned()));
    }

    #[test]
    fn nothing_of_nothing_is_empty() {
        assert_eq!(bar(&Page::plain(40), 0, 0, 2).0, "");
        assert_eq!(bar(&Page::plain(40), 1, 0, 2).0, "██");
    }
}
