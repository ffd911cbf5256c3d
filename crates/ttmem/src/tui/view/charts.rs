//! View 2: values over time, of chips or of processes.

mod kinds;
mod panel;
mod small;

use ratatui_core::layout::Rect;

use crate::output::text::width;
use crate::tui::app::App;
use crate::tui::choice::{Arrange, Panel, Scale};
use crate::tui::look::{LINES, Look, Role};
use crate::tui::number::cells;
use crate::tui::track::{Subject, Track, Worst};
use crate::tui::widget::canvas::Canvas;

/// The minimum size of a readable chart.
const LEAST_COLUMNS: u16 = 34;
const LEAST_ROWS: u16 = 6;
/// The number of rows below which a chart is flat.
const GOOD_ROWS: u16 = 10;

/// A chart: its area, track and subjects.
struct Chart<'a> {
    area: Rect,
    panel: Panel,
    subjects: &'a [Subject],
    /// All subjects whose values share the scale.
    beside: &'a [Subject],
    /// The index of the selected subject.
    current: usize,
    /// The index of the first among all subjects, which determines the colours.
    first: usize,
    title: String,
}

/// Draws the view.
pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let subjects = app.subjects();
    let head = Rect { height: 1, ..area };
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    if subjects.is_empty() {
        let noun = if app.charts.of_processes { "process" } else { "chip" };
        let text = format!("No {noun} to chart{}.", super::hidden(app));
        canvas.text(area.x + 2, area.y + 1, area.right(), Role::Quiet, &text);
        return;
    }
    let panels = app.charts.picked();
    match app.arrange() {
        Arrange::Apart | Arrange::Trays | Arrange::Boards if subjects.len() > 1 => {
            if subjects.len() > usize::from(area.width / LEAST_COLUMNS) {
                return small::draw(app, canvas, (head, body), &subjects, &panels);
            }
            let (group, shown) = draw_apart(app, canvas, body, &subjects, &panels);
            let x =
                draw_notes(app, canvas, head, (group.len(), subjects.len()), (shown, panels.len()));
            draw_names(app, canvas, Rect { width: x - head.x, ..head }, &subjects, group);
        }
        _ => {
            let group = group(subjects.len(), usize::from(LINES), app.subject_index());
            let shown = draw_together(app, canvas, body, &subjects, group.clone(), &panels);
            let x =
                draw_notes(app, canvas, head, (group.len(), subjects.len()), (shown, panels.len()));
            draw_names(app, canvas, Rect { width: x - head.x, ..head }, &subjects, group);
        }
    }
}

/// Returns the page of subjects with the cursor.
fn group(count: usize, size: usize, index: usize) -> std::ops::Range<usize> {
    let size = size.max(1);
    let first = index / size * size;
    first..(first + size).min(count)
}

/// Draws the right side of the heading: parts that are shown, arrangement, time window and scale. Returns where it begins.
fn draw_notes(
    app: &App,
    canvas: &mut Canvas<'_>,
    area: Rect,
    (shown_subjects, subjects): (usize, usize),
    (shown, picked): (usize, usize),
) -> u16 {
    let scale = match app.charts.scale {
        Scale::Limit => "scale to the limit",
        Scale::Auto => "scale to the values",
    };
    let window = format!("last {} min", app.charts.window.minutes());
    let arrange = app.arrange();
    let way = (arrange != Arrange::Together).then(|| arrange.label().to_owned());
    let noun = if app.charts.of_processes { "processes" } else { "chips" };
    let part = |shown: usize, all: usize, noun: &str| {
        (shown < all).then(|| format!("{shown} of {all} {noun}"))
    };
    let of_subjects = part(shown_subjects, subjects, noun);
    let of_metrics = part(shown, picked, "metrics");
    let hidden = of_subjects.into_iter().chain(of_metrics);
    let parts = hidden.chain(way).chain([window, scale.to_owned()]);
    let text = joined(parts, usize::from(area.width.saturating_sub(2)));
    canvas.right(area.x, area.y, area.right() - 1, Role::Quiet, &text);
    (area.right() - 1).saturating_sub(cells(width(&text)) + 2)
}

/// Draws the names and colours of the subjects.
fn draw_names(
    app: &App,
    canvas: &mut Canvas<'_>,
    area: Rect,
    subjects: &[Subject],
    group: std::ops::Range<usize>,
) {
    let end = area.right();
    let mut x = area.x + 1;
    for (index, subject) in subjects.iter().enumerate().take(group.end).skip(group.start) {
        let name = app.name_of(*subject);
        if x + cells(width(&name)) + 4 > end {
            canvas.text(x, area.y, end, Role::Quiet, canvas.glyphs().ellipsis);
            break;
        }
        if app.arrange() == Arrange::Together && subjects.len() > 1 {
            let sign = match letter(app.look, index - group.start, group.len()) {
                Some(letter) => format!(" {letter}"),
                None => canvas.glyphs().lines[0].repeat(2),
            };
            canvas.text(x, area.y, end, colour(index), &sign);
            x += 3;
        }
        let role = if index == app.subject_index() { Role::Strong } else { Role::Plain };
        x = canvas.text(x, area.y, end, role, &name) + 2;
    }
}

/// Returns the title of a chart: what it shows, and of chips taken together how they are.
fn title(app: &App, subjects: &[Subject], panel: Panel) -> String {
    let label = panel.label();
    let (&[Subject::Group(group)], Some(snapshot)) = (subjects, app.snapshot()) else {
        return label.to_owned();
    };
    let track = panel.track();
    if !group.adds_up(track) {
        let worst = match track.worst() {
            Worst::Highest => "highest",
            Worst::Lowest => "lowest",
        };
        return format!("{label}, {worst}");
    }
    let all = group.chips(snapshot).count();
    let known = group.chips(snapshot).filter(|chip| track.of_chip(chip).is_some()).count();
    match known < all && known > 0 {
        true => format!("{label}, {known} of {all} chips"),
        false => label.to_owned(),
    }
}

/// Joins as many parts as fit whole.
fn joined(parts: impl Iterator<Item = String>, columns: usize) -> String {
    parts.fold(String::new(), |text, part| {
        let longer = if text.is_empty() { part } else { format!("{text}, {part}") };
        if width(&longer) <= columns { longer } else { text }
    })
}

/// Returns the colour of a subject.
fn colour(index: usize) -> Role {
    Role::Line(u8::try_from(index % usize::from(LINES)).unwrap_or(0))
}

/// Returns the letter of a curve where there are no colours.
fn letter(look: Look, index: usize, count: usize) -> Option<char> {
    let letter = char::from(b'a' + u8::try_from(index).ok()?.min(25));
    (look.is_mono() && count > 1).then_some(letter)
}

/// Returns the columns and rows of charts in an area.
fn grid(area: Rect, charts: usize) -> (u16, u16) {
    let most_columns = (area.width / LEAST_COLUMNS).clamp(1, 3);
    let most_rows = (area.height / LEAST_ROWS).max(1);
    let charts = cells(charts.max(1));
    for columns in 1..=most_columns {
        let rows = charts.div_ceil(columns);
        // Two charts side by side compare better than two wide, flat ones.
        let can_divide = columns < most_columns && charts > columns;
        let is_wide = area.width / columns > 110 && can_divide;
        let is_flat = area.height / rows < GOOD_ROWS && can_divide;
        if rows <= most_rows && !is_wide && !is_flat {
            return (columns, rows);
        }
    }
    (most_columns, most_rows)
}

/// Draws one chart per metric with all subjects in it. Returns the number of metrics that fit.
fn draw_together(
    app: &App,
    canvas: &mut Canvas<'_>,
    area: Rect,
    subjects: &[Subject],
    group: std::ops::Range<usize>,
    panels: &[Panel],
) -> usize {
    let (columns, rows) = grid(area, panels.len());
    let current = app.subject_index();
    let shown = usize::from(columns * rows).min(panels.len());
    for (index, panel) in panels.iter().enumerate().take(shown) {
        let index = cells(index);
        let chart = Chart {
            area: tile(area, (columns, rows), (index % columns, index / columns)),
            panel: *panel,
            subjects: &subjects[group.clone()],
            beside: &subjects[group.clone()],
            current: current.saturating_sub(group.start),
            first: group.start,
            title: title(app, subjects, *panel),
        };
        panel::draw(app, canvas, &chart);
    }
    shown
}

/// Draws a column of charts for each subject. Returns the number of subjects and metrics that fit.
fn draw_apart(
    app: &App,
    canvas: &mut Canvas<'_>,
    area: Rect,
    subjects: &[Subject],
    panels: &[Panel],
) -> (std::ops::Range<usize>, usize) {
    let columns = (area.width / LEAST_COLUMNS).max(1).min(cells(subjects.len()));
    let rows = (area.height / LEAST_ROWS).max(1).min(cells(panels.len()));
    let group = group(subjects.len(), usize::from(columns), app.subject_index());
    for (column, index) in group.clone().enumerate() {
        for (row, panel) in panels.iter().enumerate().take(usize::from(rows)) {
            let name = app.name_of(subjects[index]);
            let title = title(app, &subjects[index..=index], *panel);
            let chart = Chart {
                area: tile(area, (columns, rows), (cells(column), cells(row))),
                panel: *panel,
                subjects: &subjects[index..=index],
                beside: subjects,
                current: 0,
                first: index,
                title: format!("{name} {title}"),
            };
            panel::draw(app, canvas, &chart);
        }
    }
    (group, usize::from(rows))
}

/// Returns one of the tiles of an area.
fn tile(area: Rect, (columns, rows): (u16, u16), (column, row): (u16, u16)) -> Rect {
    let x = |column: u16| {
        area.x + cells(usize::from(area.width) * usize::from(column) / usize::from(columns))
    };
    let y =
        |row: u16| area.y + cells(usize::from(area.height) * usize::from(row) / usize::from(rows));
    Rect { x: x(column), y: y(row), width: x(column + 1) - x(column), height: y(row + 1) - y(row) }
}

/// Draws the charts at the bottom of the overview: DRAM and L1 of the selected item.
pub(super) fn draw_strip(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let subject = match app.focus {
        crate::tui::app::Focus::Chips => {
            app.chips().get(app.chip_index()).map(|chip| Subject::Chip(chip.id))
        }
        crate::tui::app::Focus::Processes => {
            app.rows().get(app.row_index()).map(|row| Subject::Process(row.id().process))
        }
    };
    let Some(subject) = subject else { return };
    let columns: u16 = if area.width >= 2 * LEAST_COLUMNS { 2 } else { 1 };
    let panels = [Panel::Track(Track::Dram), Panel::L1ByKind];
    let name = app.name_of(subject);
    for (index, panel) in panels.into_iter().enumerate().take(usize::from(columns)) {
        let minutes = app.charts.window.minutes();
        let chart = Chart {
            area: tile(area, (columns, 1), (cells(index), 0)),
            panel,
            subjects: &[subject],
            beside: &[subject],
            current: 0,
            first: 0,
            title: format!("{name} {}, last {minutes} min", panel.label()),
        };
        panel::draw(app, canvas, &chart);
    }
}
