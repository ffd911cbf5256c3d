//! One chart: title with values, scale, curves or stacked kinds, time axis.

use ratatui_core::layout::Rect;
use ttmem_model::snapshot::Chip;

use super::{Chart, colour, kinds};
use crate::output::text::width;
use crate::tui::app::{App, Target};
use crate::tui::choice::{Panel, Scale};
use crate::tui::look::Role;
use crate::tui::number::{cells, narrow};
use crate::tui::track::{Line, Subject, Track, Unit};
use crate::tui::widget::canvas::Canvas;
use crate::tui::widget::figure::charted;
use crate::tui::widget::plot::{self, Curve, DOTS, Range};

/// The width of the scale.
const SCALE: u16 = 8;

/// Draws a chart.
pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, chart: &Chart<'_>) {
    let area = chart.area;
    if area.height < 3 || area.width < SCALE + 6 {
        return;
    }
    let plot = Rect {
        x: area.x + SCALE + 1,
        y: area.y + 1,
        width: area.width - SCALE - 3,
        height: area.height - 2,
    };
    match chart.panel {
        Panel::L1ByKind => kinds::draw(app, canvas, chart, plot),
        Panel::Track(track) => draw_track(app, canvas, chart, plot, track),
    }
    draw_axis(app, canvas, plot);
    draw_cursor(app, canvas, plot);
    for column in 0..plot.width {
        let from_right = usize::from(plot.width - 1 - column);
        canvas.hit(Rect { x: plot.x + column, width: 1, ..plot }, Target::Instant(from_right));
    }
}

fn draw_track(app: &App, canvas: &mut Canvas<'_>, chart: &Chart<'_>, plot: Rect, track: Track) {
    let curve = |index: usize, subject: &Subject| Curve {
        numbers: numbers(app, *subject, track, usize::from(plot.width) * DOTS.0),
        role: role(chart, track, index),
        letter: super::letter(canvas.look, index, chart.subjects.len()),
    };
    let curves = |subjects: &[Subject]| -> Vec<Curve> {
        subjects.iter().enumerate().map(|(index, subject)| curve(index, subject)).collect()
    };
    let range = range(app, chart.beside, track, &curves(chart.beside));
    let mut curves = curves(chart.subjects);
    draw_edge(canvas, plot);
    let values: Vec<(Role, String)> = curves
        .iter()
        .zip(chart.subjects)
        .map(|(curve, subject)| {
            let (text, chip) = value(app, canvas, *subject, track, (&curve.numbers, DOTS.0));
            let text = chip.map_or(text.clone(), |index| format!("{text} chip {index}"));
            let letter = curve.letter.map(|letter| format!("{letter} ")).unwrap_or_default();
            (curve.role, letter + &text)
        })
        .collect();
    draw_title(app, canvas, chart, &values);
    if curves.iter().all(|curve| curve.numbers.iter().all(Option::is_none)) {
        return draw_reason(app, canvas, chart, plot, track);
    }
    draw_scale(canvas, plot, track.unit(), range);
    // The selected line is drawn on top.
    if chart.current < curves.len() {
        let current = curves.remove(chart.current);
        curves.push(current);
    }
    plot::draw(canvas, plot, range, &curves);
}

/// Returns the colour of a line: of the track for a single subject.
fn role(chart: &Chart<'_>, track: Track, index: usize) -> Role {
    if chart.subjects.len() > 1 { colour(chart.first + index) } else { role_of(track) }
}

/// Returns the colour of a track.
pub(super) fn role_of(track: Track) -> Role {
    match track {
        Track::Dram | Track::DramLargestFree => Role::Dram,
        Track::L1 | Track::L1LargestFree => Role::L1,
        Track::L1Small => Role::L1Small,
        Track::Trace => Role::Trace,
        Track::CircularBuffers | Track::CircularBuffersAlone | Track::Reported => {
            Role::CircularBuffers
        }
        Track::Kernels => Role::Kernels,
        Track::Reserved => Role::Reserved,
        Track::Temperature => Role::Line(1),
        Track::Power => Role::Line(5),
        _ => Role::Accent,
    }
}

/// Returns the values of a subject in columns.
pub(super) fn numbers(
    app: &App,
    subject: Subject,
    track: Track,
    columns: usize,
) -> Vec<Option<f32>> {
    app.columns(Line { subject, track }, columns)
}

/// Formats the value at the time cursor or the newest one. Returns also the number of its chip, in a group.
pub(super) fn value(
    app: &App,
    canvas: &Canvas<'_>,
    subject: Subject,
    track: Track,
    (numbers, per_column): (&[Option<f32>], usize),
) -> (String, Option<u32>) {
    let Some(number) = number(app, subject, track, (numbers, per_column)) else {
        return (canvas.glyphs().dash.to_owned(), None);
    };
    let chip = worst_chip(app, subject, track, number, (numbers.len(), per_column));
    (charted(canvas.look, track.unit(), number), chip)
}

/// Returns the number of the chip that has the value of a group.
fn worst_chip(
    app: &App,
    subject: Subject,
    track: Track,
    worst: f64,
    (columns, per_column): (usize, usize),
) -> Option<u32> {
    let Subject::Group(group) = subject else { return None };
    if group.adds_up(track) {
        return None;
    }
    let of = |chip: &Chip| {
        let subject = Subject::Chip(chip.id);
        let numbers = match app.charts.cursor {
            Some(_) => numbers(app, subject, track, columns),
            None => Vec::new(),
        };
        number(app, subject, track, (&numbers, per_column)).map(narrow)
    };
    group.chips(app.snapshot()?).find(|chip| of(chip) == Some(narrow(worst))).map(|chip| chip.index)
}

/// Returns the value at the time cursor; without a cursor, the newest one.
pub(super) fn number(
    app: &App,
    subject: Subject,
    track: Track,
    (numbers, per_column): (&[Option<f32>], usize),
) -> Option<f64> {
    let Some(column) = app.charts.cursor else { return app.number(subject, track) };
    let from_right = column.saturating_mul(per_column);
    let end = numbers.len().saturating_sub(from_right);
    let column = numbers.get(end.saturating_sub(per_column)..end)?;
    column.iter().rev().find_map(|number| *number).map(f64::from)
}

/// Returns the scale of the values of some subjects.
pub(super) fn range(app: &App, subjects: &[Subject], track: Track, curves: &[Curve]) -> Range {
    let all = || curves.iter().flat_map(|curve| &curve.numbers).flatten().copied();
    let highest = all().reduce(f32::max).map(f64::from);
    let lowest = all().reduce(f32::min).map(f64::from);
    let range = match (app.charts.scale, track) {
        (Scale::Auto, _) => Range::around(lowest, highest),
        // A small part of a large memory would not be visible.
        (Scale::Limit, Track::L1Small | Track::Trace) => Range::up_to(None, highest, track.unit()),
        (Scale::Limit, _) => Range::up_to(ceiling(app, subjects, track), highest, track.unit()),
    };
    range.down_to(lowest)
}

/// Returns the highest of the limits of the subjects.
pub(super) fn ceiling(app: &App, subjects: &[Subject], track: Track) -> Option<f64> {
    subjects.iter().filter_map(|subject| app.ceiling(*subject, track)).reduce(f64::max)
}

/// Returns the width for values beside a chart's title and some rule.
pub(super) fn title_room(chart: &Chart<'_>) -> usize {
    usize::from(chart.area.width).saturating_sub(width(&chart.title) + 7)
}

/// Draws the title on the left, values on the right, and a rule between them.
pub(super) fn draw_title(
    app: &App,
    canvas: &mut Canvas<'_>,
    chart: &Chart<'_>,
    values: &[(Role, String)],
) {
    let area = chart.area;
    let end = area.right() - 2;
    canvas.rule(Rect { x: area.x + 1, width: area.width - 3, height: 1, ..area });
    let x = canvas.text(area.x + 1, area.y, end, Role::Strong, &format!("{} ", chart.title));
    let (shown, is_cut) = fitting(values, title_room(chart), width(canvas.glyphs().ellipsis) + 1);
    let taken: usize = values[..shown].iter().map(|(_, text)| width(text) + 1).sum();
    let ellipsis = if is_cut { format!(" {}", canvas.glyphs().ellipsis) } else { String::new() };
    let start = end - cells(taken + width(&ellipsis));
    let mut behind = start;
    for (role, text) in &values[..shown] {
        behind = canvas.text(behind, area.y, end, *role, &format!(" {text}"));
    }
    canvas.text(behind, area.y, end, Role::Quiet, &ellipsis);
    if let (Some(column), false) = (app.charts.cursor, values.is_empty()) {
        let columns = usize::from(chart.area.width - SCALE - 3);
        let micros = app.charts.window.micros() * column as u64 / columns.max(1) as u64;
        let text = format!(" {} s ago", micros / 1_000_000);
        let columns = cells(width(&text));
        if start.saturating_sub(columns) > x + 2 {
            canvas.text(start - columns, area.y, start, Role::Quiet, &text);
        }
    }
}

/// Returns how many of the values fit, first to last, and true if a sign for the others follows.
pub(super) fn fitting(values: &[(Role, String)], room: usize, ellipsis: usize) -> (usize, bool) {
    let columns =
        |count: usize| -> usize { values[..count].iter().map(|(_, text)| width(text) + 1).sum() };
    if columns(values.len()) <= room {
        return (values.len(), false);
    }
    let fits = |count: &usize| columns(*count) + ellipsis <= room;
    match (1..values.len()).rev().find(fits) {
        Some(count) => (count, true),
        None => (0, false),
    }
}

pub(super) fn draw_edge(canvas: &mut Canvas<'_>, plot: Rect) {
    let vertical = canvas.glyphs().lines[1];
    let style = canvas.look.style(Role::Frame);
    for y in plot.top()..plot.bottom() {
        canvas.sign(plot.x - 1, y, style, vertical);
    }
}

pub(super) fn draw_scale(canvas: &mut Canvas<'_>, plot: Rect, unit: Unit, range: Range) {
    let (left, right) = (plot.x - 1 - SCALE, plot.x - 2);
    let mut label = |y: u16, number: f64| {
        let text = charted(canvas.look, unit, number);
        canvas.right(left, y, right + 1, Role::Quiet, &text);
    };
    label(plot.top(), range.high);
    if plot.height > 4 {
        label(plot.top() + plot.height / 2, (range.high + range.low) / 2.0);
    }
    label(plot.bottom() - 1, range.low);
}

fn draw_axis(app: &App, canvas: &mut Canvas<'_>, plot: Rect) {
    let y = plot.bottom();
    let [line, _, corner] = canvas.glyphs().lines;
    let style = canvas.look.style(Role::Frame);
    canvas.sign(plot.x - 1, y, style, corner);
    for x in plot.left()..plot.right() {
        canvas.sign(x, y, style, line);
    }
    let seconds = app.charts.window.micros() / 1_000_000;
    let text = |seconds: u64| match seconds {
        0..120 => format!("-{seconds}s"),
        _ if !seconds.is_multiple_of(60) => format!("-{}m{}", seconds / 60, seconds % 60),
        _ => format!("-{}m", seconds / 60),
    };
    canvas.text(plot.x, y, plot.right(), Role::Quiet, &text(seconds));
    if plot.width >= 40 {
        let middle = text(seconds / 2);
        canvas.text(plot.x + plot.width / 2 - 2, y, plot.right(), Role::Quiet, &middle);
    }
    let now = if app.frozen || app.replay.is_some() { "then" } else { "now" };
    canvas.right(plot.x, y, plot.right(), Role::Quiet, now);
}

pub(super) fn draw_cursor(app: &App, canvas: &mut Canvas<'_>, plot: Rect) {
    let Some(column) = app.charts.cursor else { return };
    let from_right = cells(column).min(plot.width - 1);
    let x = plot.right() - 1 - from_right;
    let style = canvas.look.style(Role::Strong);
    let sign = canvas.glyphs().cursor;
    for y in plot.top()..plot.bottom() {
        canvas.sign_if_empty(x, y, style, sign);
    }
}

/// Draws the reason for an empty chart.
pub(super) fn draw_reason(
    app: &App,
    canvas: &mut Canvas<'_>,
    chart: &Chart<'_>,
    plot: Rect,
    track: Track,
) {
    let chip = match (chart.subjects.get(chart.current), app.snapshot()) {
        (Some(Subject::Chip(id)), Some(snapshot)) => {
            snapshot.chips.iter().find(|chip| chip.id == *id)
        }
        (Some(Subject::Group(group)), Some(snapshot)) => group.chips(snapshot).next(),
        _ => None,
    };
    let text = match chip.and_then(|chip| track.missing_of_chip(chip)) {
        Some((reason, "")) => reason.as_str().to_owned(),
        Some((reason, detail)) => format!("{}: {detail}", reason.as_str()),
        None => "no samples in this window".to_owned(),
    };
    let lines = crate::output::text::wrap(&text, usize::from(plot.width - 2));
    let y = plot.y + plot.height.saturating_sub(cells(lines.len())) / 2;
    for (line, y) in lines.iter().zip(y..plot.bottom()) {
        canvas.text(plot.x + 1, y, plot.right(), Role::Quiet, line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_values_stay_where_not_all_fit() {
        let values = ["1.00G", "2.00G", "3.00G"].map(|text| (Role::Plain, text.to_owned()));
        assert_eq!(fitting(&values, 18, 2), (3, false));
        assert_eq!(fitting(&values, 17, 2), (2, true));
        assert_eq!(fitting(&values, 13, 2), (1, true));
        assert_eq!(fitting(&values, 4, 2), (0, false));
        assert_eq!(fitting(&[], 0, 2), (0, false));
    }
}
