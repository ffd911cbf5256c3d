//! Small charts of many subjects, all on one scale.

use std::ops::Range as Indices;

use ratatui_core::layout::Rect;

use super::{group, kinds, panel, tile};
use crate::output::text::width;
use crate::tui::app::{App, Target};
use crate::tui::choice::Panel;
use crate::tui::look::Role;
use crate::tui::number::cells;
use crate::tui::track::{Subject, Track, Unit};
use crate::tui::widget::canvas::Canvas;
use crate::tui::widget::figure::charted;
use crate::tui::widget::plot::{self, Curve, DOTS, Range};
use crate::tui::widget::stack;

/// The least size of a small chart: an edge, and a title with three rows below it.
const LEAST_COLUMNS: u16 = 10;
const LEAST_ROWS: u16 = 4;

/// Columns and rows of the charts of a metric, and the number of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Grid {
    columns: u16,
    rows: u16,
    metrics: u16,
}

impl Grid {
    /// Divides an area for as many metrics as fit with all subjects, else for one with as many subjects as fit.
    fn of(area: Rect, subjects: u16, metrics: u16) -> Self {
        let most_columns = (area.width / LEAST_COLUMNS).max(1);
        let most_rows = |metrics: u16| (area.height / metrics).saturating_sub(1) / LEAST_ROWS;
        for metrics in (1..=metrics).rev() {
            let rows = most_rows(metrics);
            if rows == 0 || subjects > rows * most_columns {
                continue;
            }
            // Full rows compare best.
            let least = subjects.div_ceil(rows);
            let gaps = |columns: &u16| (subjects.next_multiple_of(*columns) - subjects, *columns);
            let columns = (least..=most_columns.min(subjects)).min_by_key(gaps).unwrap_or(least);
            return Self { columns, rows: subjects.div_ceil(columns), metrics };
        }
        Self { columns: most_columns, rows: most_rows(1).max(1), metrics: 1 }
    }
}

/// Draws the heading, and below it a small chart of each subject for each metric, as many as fit.
pub(super) fn draw(
    app: &App,
    canvas: &mut Canvas<'_>,
    (head, area): (Rect, Rect),
    subjects: &[Subject],
    panels: &[Panel],
) {
    let grid = Grid::of(area, cells(subjects.len()), cells(panels.len()).max(1));
    let shown = usize::from(grid.columns) * usize::from(grid.rows);
    let group = group(subjects.len(), shown, app.subject_index());
    for (index, panel) in panels.iter().take(usize::from(grid.metrics)).enumerate() {
        let block = tile(area, (1, grid.metrics), (0, cells(index)));
        draw_block(app, canvas, (block, grid), subjects, group.clone(), *panel);
    }
    let parts = ((group.len(), subjects.len()), (usize::from(grid.metrics), panels.len()));
    let end = super::draw_notes(app, canvas, head, parts.0, parts.1);
    if let Some(subject) = subjects.get(app.subject_index()) {
        canvas.text(head.x + 1, head.y, end, Role::Strong, &app.name_of(*subject));
    }
}

/// Draws the charts of one metric below its name and scale.
fn draw_block(
    app: &App,
    canvas: &mut Canvas<'_>,
    (block, grid): (Rect, Grid),
    subjects: &[Subject],
    group: Indices<usize>,
    panel: Panel,
) {
    let columns = usize::from(block.width / grid.columns).saturating_sub(2);
    let range = range(app, subjects, panel, columns);
    let unit = panel.track().unit();
    let text = |number: f64| charted(canvas.look, unit, number);
    let scale = format!("each from {} to {}", text(range.low), text(range.high));
    let (y, end) = (block.y, block.right() - 1);
    canvas.rule(Rect { x: block.x + 1, width: block.width - 2, height: 1, ..block });
    let title = super::title(app, &subjects[..1], panel);
    canvas.text(block.x + 1, y, end, Role::Strong, &format!("{title} "));
    canvas.right(block.x + 1, y, end, Role::Quiet, &format!(" {scale}"));
    let charts = Rect { y: y + 1, height: block.height.saturating_sub(1), ..block };
    for (tile_index, index) in group.enumerate() {
        let at = (cells(tile_index) % grid.columns, cells(tile_index) / grid.columns);
        let cell = tile(charts, (grid.columns, grid.rows), at);
        let is_current = index == app.subject_index();
        draw_chart(app, canvas, (cell, range), subjects[index], panel, is_current);
    }
}

/// Returns the one scale of all charts of a metric.
fn range(app: &App, subjects: &[Subject], panel: Panel, columns: usize) -> Range {
    let Panel::Track(track) = panel else { return kinds::range(app, subjects, columns) };
    let curves: Vec<Curve> =
        subjects.iter().map(|subject| curve(app, *subject, track, columns)).collect();
    panel::range(app, subjects, track, &curves)
}

fn curve(app: &App, subject: Subject, track: Track, columns: usize) -> Curve {
    let numbers = panel::numbers(app, subject, track, columns * DOTS.0);
    Curve { numbers, role: panel::role_of(track), letter: None }
}

/// Draws one chart: an edge, a title with the value, and the values over time.
fn draw_chart(
    app: &App,
    canvas: &mut Canvas<'_>,
    (cell, range): (Rect, Range),
    subject: Subject,
    panel: Panel,
    is_current: bool,
) {
    let plot = Rect {
        x: cell.x + 1,
        y: cell.y + 1,
        width: cell.width.saturating_sub(2),
        height: cell.height.saturating_sub(1),
    };
    let columns = usize::from(plot.width);
    let (value, chip) = match panel {
        Panel::Track(track) => {
            let curve = curve(app, subject, track, columns);
            let (value, chip) = panel::value(app, canvas, subject, track, (&curve.numbers, DOTS.0));
            plot::draw(canvas, plot, range, &[curve]);
            (value, chip)
        }
        Panel::L1ByKind => {
            let (tracks, layers): (Vec<Track>, Vec<_>) =
                kinds::layers(app, subject, columns).into_iter().unzip();
            let of = |(track, layer): (&Track, &stack::Layer)| {
                panel::number(app, subject, *track, (&layer.numbers, 1))
            };
            let sum = tracks.iter().zip(&layers).filter_map(of).reduce(|sum, number| sum + number);
            stack::draw(canvas, plot, range, &layers);
            let text = sum.map(|sum| charted(canvas.look, Unit::Bytes, sum));
            (text.unwrap_or_else(|| canvas.glyphs().dash.to_owned()), None)
        }
    };
    let style = canvas.look.style(Role::Frame);
    let edge = canvas.glyphs().lines[1];
    for y in plot.top()..plot.bottom() {
        canvas.sign(cell.x, y, style, edge);
    }
    panel::draw_cursor(app, canvas, plot);
    draw_name(app, canvas, cell, (subject, is_current), (&value, chip));
    if let Subject::Chip(id) = subject {
        canvas.hit(cell, Target::Chip(id));
    }
}

/// Draws the name, and the value where there is room for it.
fn draw_name(
    app: &App,
    canvas: &mut Canvas<'_>,
    cell: Rect,
    (subject, is_current): (Subject, bool),
    (value, chip): (&str, Option<u32>),
) {
    let end = cell.right() - 1;
    let name = app.name_of(subject);
    let room = usize::from(end - cell.x);
    let short = name.rsplit(' ').next().unwrap_or(&name);
    let with_chip = chip.map(|index| format!("{value} chip {index}"));
    let value =
        with_chip.as_deref().filter(|text| width(&name) + 1 + width(text) <= room).unwrap_or(value);
    let fits = width(&name) + 1 + width(value) <= room;
    let name = if fits { &name } else { short };
    let role = if is_current { Role::Strong } else { Role::Plain };
    let after = canvas.text(cell.x, cell.y, end, role, name);
    if usize::from(end.saturating_sub(after)) > width(value) {
        canvas.right(after, cell.y, end, Role::Quiet, value);
    }
    if is_current {
        canvas.cursor(Rect { width: after - cell.x, height: 1, ..cell });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_subjects_come_before_all_metrics() {
        let grid = |width, height, subjects| {
            let grid = Grid::of(Rect::new(0, 0, width, height), subjects, 4);
            (grid.columns, grid.rows, grid.metrics)
        };
        assert_eq!(grid(80, 19, 32), (8, 4, 1));
        assert_eq!(grid(120, 35, 32), (8, 4, 2));
        assert_eq!(grid(200, 55, 32), (16, 2, 4));
        assert_eq!(grid(80, 20, 4), (4, 1, 4));
        assert_eq!(grid(40, 8, 32), (4, 1, 1), "a part of them");
        assert_eq!(grid(10, 3, 2), (1, 1, 1));
    }
}
