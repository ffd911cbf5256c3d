use ttmem_model::ChipId;

use super::*;
use crate::tui::track::{Subject, Track};

const SECOND: u64 = 1_000_000;
const LINE: Line = Line { subject: Subject::Chip(ChipId::Known(1)), track: Track::Dram };

/// A history of values at seconds after a start.
fn history(samples: &[(u64, f64)]) -> History {
    let mut history = History::default();
    for (second, number) in samples {
        history.keep(Moment(second * SECOND), SECOND, [(LINE, *number)]);
    }
    history
}

fn text(columns: &[Option<f32>]) -> String {
    columns.iter().map(|column| column.map_or(".".into(), |number| format!("{number}"))).collect()
}

#[test]
fn a_chart_has_its_numbers_where_their_times_are() {
    let history = history(&[(57, 1.0), (58, 2.0), (59, 3.0), (60, 4.0)]);
    let columns = history.columns(LINE, Window::Minute, Moment(60 * SECOND), 60);
    assert_eq!(text(&columns), format!("{}124", ".".repeat(57)));
}

#[test]
fn what_was_not_measured_is_a_gap() {
    let history = history(&[(51, 1.0), (52, 1.0), (58, 2.0), (59, 2.0), (60, 2.0)]);
    let columns = history.columns(LINE, Window::Minute, Moment(60 * SECOND), 60);
    assert_eq!(&text(&columns)[50..], ".11.....22");
}

#[test]
fn a_sample_that_is_a_little_late_leaves_no_gap() {
    let history = history(&[(56, 1.0), (58, 2.0), (59, 3.0), (60, 3.0)]);
    let columns = history.columns(LINE, Window::Minute, Moment(60 * SECOND), 60);
    assert_eq!(&text(&columns)[55..], ".1123");
}

#[test]
fn several_samples_in_one_column_show_the_one_that_hurts() {
    let free = Line { track: Track::L1LargestFree, ..LINE };
    let mut history = History::default();
    for (tenth, number) in [3.0, 9.0, 4.0, 5.0].into_iter().enumerate() {
        let at = Moment(100 * SECOND + tenth as u64 * 20_000);
        history.keep(at, 20_000, [(LINE, number), (free, number)]);
    }
    assert_eq!(history.worst(LINE, Window::Hour), Some(9.0));
    assert_eq!(history.worst(free, Window::Hour), Some(3.0));
    let columns = |line| history.columns(line, Window::Minute, Moment(101 * SECOND), 60);
    assert_eq!(columns(LINE)[59], Some(9.0));
    assert_eq!(columns(free)[59], Some(3.0));
}

#[test]
fn slow_samples_fill_the_time_for_which_they_stand() {
    let mut history = History::default();
    for minute in 0..4 {
        let at = Moment((1_000 + minute * 60) * SECOND);
        history.keep(at, 60 * SECOND, [(LINE, minute as f64)]);
    }
    let columns = history.columns(LINE, Window::FiveMinutes, Moment(1_200 * SECOND), 10);
    assert_eq!(text(&columns), "...0011223");
}

#[test]
fn a_line_that_ends_and_one_that_begins_do_not_run_into_each_other() {
    let other = Line { subject: Subject::Chip(ChipId::Known(2)), ..LINE };
    let mut history = History::default();
    for second in 0..1_000_u64 {
        let line = if second < 970 { LINE } else { other };
        history.keep(Moment(second * SECOND), SECOND, [(line, 7.0)]);
    }
    let columns = |line| text(&history.columns(line, Window::Minute, Moment(1_000 * SECOND), 60));
    assert_eq!(columns(LINE), format!("{}{}", "7".repeat(30), ".".repeat(30)));
    assert_eq!(columns(other), format!("{}{}", ".".repeat(30), "7".repeat(30)));
}

#[test]
fn an_hour_is_remembered_and_no_more() {
    let mut history = History::default();
    for second in 0..2 * 3_600_u64 {
        history.keep(Moment(second * SECOND), SECOND, [(LINE, second as f64)]);
    }
    let points: Vec<_> = history.points(LINE, Window::Hour).collect();
    assert_eq!(points.len(), POINTS);
    assert_eq!(points[0].0, Moment(3_600 * SECOND));
    assert_eq!(points[0].1, Some(3_614.0));
    let columns = history.columns(LINE, Window::Hour, Moment(7_199 * SECOND), 60);
    assert!(columns.iter().all(Option::is_some));
}

#[test]
fn lines_are_limited_and_those_that_are_over_are_forgotten() {
    let line = |id| Line { subject: Subject::Chip(ChipId::Known(id)), ..LINE };
    let mut history = History::default();
    let most = MOST_LINES as u64;
    history.keep(Moment(1), SECOND, (0..most + 3).map(|id| (line(id), 1.0)));
    assert_eq!((history.lines.len(), history.refused()), (MOST_LINES, 3));
    history.keep(Moment(3_601 * SECOND), SECOND, [(line(0), 1.0)]);
    assert_eq!(history.lines.len(), 1);
}

#[test]
fn a_clock_that_goes_back_changes_nothing() {
    let mut history = history(&[(60, 1.0)]);
    history.keep(Moment(59 * SECOND), SECOND, [(LINE, 9.0)]);
    history.keep(Moment(60 * SECOND), SECOND, [(LINE, 9.0)]);
    assert_eq!(history.worst(LINE, Window::Hour), Some(1.0));
}
