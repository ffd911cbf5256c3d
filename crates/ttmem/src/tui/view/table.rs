//! The process table, in the overview and in a view of its own.

use ratatui_core::layout::Rect;
use ttmem_model::order;
use ttmem_model::snapshot::{Process, ProcessState, Snapshot};
use ttmem_model::{Quality, Reading};

use super::row;
use crate::output::amount::duration;
use crate::output::naming;
use crate::output::text::width;
use crate::tui::app::{App, Target};
use crate::tui::choice::View;
use crate::tui::look::{Look, Role};
use crate::tui::number::cells;
use crate::tui::select::{Column, Row};
use crate::tui::widget::canvas::{Canvas, scroll};
use crate::tui::widget::figure;

/// Rows besides those of the processes: the heading and the legend.
pub(super) const FIXED_ROWS: u16 = 2;

const GAP: u16 = 1;

/// Returns the width of a column; the name takes the rest.
fn columns_of(column: Column) -> u16 {
    match column {
        Column::Pid | Column::Dram | Column::L1 | Column::Trace | Column::Reported => 7,
        Column::User => 8,
        // Its heading, and the sort sign.
        Column::L1Small => 9,
        Column::Chips | Column::Cpu | Column::Runtime => 6,
        Column::Host => 7,
        Column::Name => 12,
    }
}

/// The columns by importance; the last ones are dropped first.
const IMPORTANCE: [Column; 12] = [
    Column::Pid,
    Column::Name,
    Column::Dram,
    Column::L1,
    Column::Chips,
    Column::User,
    Column::Cpu,
    Column::Reported,
    Column::Trace,
    Column::L1Small,
    Column::Host,
    Column::Runtime,
];

/// Returns the columns that fit, with their start and end. The sort column is always included. A list of chips has the columns
/// that it needs, up to a third of what would be the name's.
fn columns(area: Rect, sorted: Column, chip_list: u16) -> Vec<(Column, u16, u16)> {
    let mut room = area.width.saturating_sub(2);
    let mut chosen = Vec::new();
    let by_importance = IMPORTANCE.into_iter().filter(|column| *column != sorted);
    for column in [Column::Pid, Column::Name, sorted].into_iter().chain(by_importance) {
        let needed = columns_of(column) + GAP;
        // The name gets a useful width before less important columns are added.
        let reserve = if chosen.len() > 6 { 8 } else { 0 };
        if !chosen.contains(&column) && needed + reserve <= room {
            room -= needed;
            chosen.push(column);
        }
    }
    let mut x = area.x + 1;
    let mut positions = Vec::new();
    for column in Column::ALL.into_iter().filter(|column| chosen.contains(column)) {
        let end = match column {
            Column::Name => area.right().saturating_sub(1),
            Column::Chips => {
                let least = columns_of(column);
                x + least + chip_list.saturating_sub(least).min(room / 3)
            }
            column => x + columns_of(column),
        };
        positions.push((column, x, end));
        x = end + GAP + u16::from(matches!(column, Column::User | Column::Runtime));
    }
    positions
}

fn is_right(column: Column) -> bool {
    column == Column::Pid || column.is_amount()
}

/// Draws a heading, as many processes as fit around the cursor, and the legend.
pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect, focused: bool) {
    if area.height == 0 {
        return;
    }
    let rows = app.rows();
    let list = |row: &Row<'_>| app.snapshot().map_or(0, |all| cells(width(&chips(all, row))));
    let columns = columns(area, app.order.column, rows.iter().map(list).max().unwrap_or(0));
    draw_heading(app, canvas, area, &columns);
    let has_legend = area.height > 4;
    let height = area.height - 1 - u16::from(has_legend);
    if rows.is_empty() {
        draw_none(app, canvas, Rect { y: area.y + 1, height, ..area });
    }
    let current = app.row_index();
    let first = scroll(rows.len(), usize::from(height), current);
    let visible = rows.iter().enumerate().skip(first).take(usize::from(height));
    for ((index, process), y) in visible.zip(area.y + 1..) {
        draw_row(app, canvas, process, &columns, y);
        canvas.hit(row(area, y), Target::Row(process.id()));
        if focused && index == current {
            canvas.sign(area.x, y, canvas.look.style(Role::Accent), canvas.glyphs().pointer);
            canvas.cursor(row(area, y));
        }
    }
    if rows.len() > usize::from(height) {
        let text = format!("{height} of {}", rows.len());
        canvas.right(area.x + 20, area.y, area.right() - 1, Role::Quiet, &text);
    }
    if has_legend {
        let y = (area.y + 1 + cells(rows.len()).max(1)).min(area.bottom() - 1);
        draw_legend(app, canvas, row(area, y));
    }
}

fn draw_heading(app: &App, canvas: &mut Canvas<'_>, area: Rect, columns: &[(Column, u16, u16)]) {
    for (column, x, end) in columns {
        let is_sorted = *column == app.order.column;
        let role = if is_sorted { Role::Accent } else { Role::Quiet };
        let sign = canvas.glyphs().sorted[usize::from(app.order.ascending)];
        let text = match is_sorted {
            true => format!("{}{sign}", column.label()),
            false => column.label().to_owned(),
        };
        if is_right(*column) {
            // If the label fills its column, the sign uses a column of the gap.
            canvas.right(x.saturating_sub(1), area.y, *end, role, &text);
        } else {
            canvas.text(*x, area.y, *end, role, &text);
        }
        let hit = Rect { x: *x, y: area.y, width: end.saturating_sub(*x), height: 1 };
        canvas.hit(hit, Target::Column(*column));
    }
}

fn draw_none(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let all = app.snapshot().map_or(0, |snapshot| snapshot.processes.len());
    let text = match all {
        0 => "No process holds a device or device memory.".to_owned(),
        count => {
            format!("None of {count} processes matches the selection or filter; Esc clears it.")
        }
    };
    if area.height > 0 {
        canvas.text(area.x + 2, area.y, area.right(), Role::Quiet, &text);
    }
}

fn draw_row(
    app: &App,
    canvas: &mut Canvas<'_>,
    process: &Row<'_>,
    columns: &[(Column, u16, u16)],
    y: u16,
) {
    for (column, x, end) in columns {
        let (role, text) = cell(app, process, *column);
        if is_right(*column) {
            canvas.right(*x, y, *end, role, &text);
        } else {
            canvas.text(*x, y, *end, role, &text);
        }
    }
}

/// Returns the text and style of a cell.
fn cell(app: &App, row: &Row<'_>, column: Column) -> (Role, String) {
    let Some(snapshot) = app.snapshot() else { return (Role::Plain, String::new()) };
    let (look, process) = (app.look, row.process);
    if row.chip.is_some() && !matches!(column, Column::Chips | Column::Name) {
        return row
            .figure(column)
            .map_or((Role::Plain, String::new()), |known| bytes(look, &known));
    }
    match column {
        Column::Pid if process.pid.0 == 0 => (Role::Quiet, look.glyphs().dash.to_owned()),
        Column::Pid => (Role::Plain, process.pid.to_string()),
        Column::User => (Role::Plain, process.user.clone().unwrap_or_default()),
        Column::Chips => (Role::Plain, chips(snapshot, row)),
        Column::Cpu => match row.cpu {
            Some(percent) => (Role::Plain, format!("{percent:.0}%")),
            None => (Role::Quiet, look.glyphs().dash.to_owned()),
        },
        Column::Runtime => match app.started(process) {
            Some(started) => (Role::Plain, duration(snapshot.time_us.micros_since(started))),
            None => (Role::Quiet, look.glyphs().dash.to_owned()),
        },
        Column::Name => name(app, row),
        column => {
            row.figure(column).map_or((Role::Plain, String::new()), |known| bytes(look, &known))
        }
    }
}

fn bytes(look: Look, figure: &Reading<u64>) -> (Role, String) {
    let role = match figure {
        Reading::Known { quality: Quality::Stale, .. } => Role::Stale,
        Reading::Known { value: 0, .. } | Reading::Missing(_) => Role::Quiet,
        Reading::Known { .. } => Role::Plain,
    };
    (role, figure::short(look, figure))
}

/// Formats the indexes of a row's chips, with runs joined, as in `0-3,8`.
fn chips(snapshot: &Snapshot, row: &Row<'_>) -> String {
    let on = |id| match row.chip {
        Some(chip) => chip.chip == id,
        None => row.process.chips.iter().any(|chip| chip.chip == id),
    };
    let mut numbers: Vec<u32> =
        snapshot.chips.iter().filter(|chip| on(chip.id)).map(|chip| chip.index).collect();
    order::sort(&mut numbers);
    naming::chip_list(&numbers)
}

fn name(app: &App, row: &Row<'_>) -> (Role, String) {
    let process: &Process = row.process;
    if row.chip.is_some() {
        return (Role::Frame, app.look.glyphs().branch.to_owned());
    }
    let mut parts = vec![naming::process(process).into_owned()];
    parts.extend(naming::process_state(process).map(str::to_owned));
    parts.extend(naming::container(process).map(std::borrow::Cow::into_owned));
    if app.view == View::Processes && process.command.len() > process.name.len() {
        parts.push(process.command.clone());
    }
    let role = match process.state {
        ProcessState::Live => Role::Plain,
        ProcessState::Stale => Role::Stale,
        ProcessState::OutsideNamespace => Role::Quiet,
    };
    (role, parts.join(&format!(" {} ", app.look.glyphs().dot)))
}

/// Draws the legend of the signs before numbers.
fn draw_legend(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let look = app.look;
    let rows = app.rows();
    let memory = [Column::Dram, Column::L1, Column::L1Small, Column::Trace, Column::Reported];
    let figures: Vec<Reading<u64>> =
        rows.iter().flat_map(|row| memory.map(|column| row.figure(column))).flatten().collect();
    let mut notes = Vec::new();
    for quality in [Quality::Approximate, Quality::HighWater, Quality::Inferred, Quality::Stale] {
        let has = |figure: &Reading<u64>| figure.quality() == Some(quality);
        if figures.iter().any(has) {
            notes.push(format!("{} {}", look.mark(quality), quality.as_str()));
        }
    }
    let mut blanks: Vec<_> = figures
        .iter()
        .filter_map(|figure| figure.missing().map(|missing| missing.reason))
        .collect();
    order::sort_by_key(&mut blanks, |reason| reason.as_str());
    blanks.dedup();
    notes
        .extend(blanks.iter().map(|reason| format!("{} {}", look.blank(*reason), reason.as_str())));
    let mut sources: Vec<String> = figures.iter().filter_map(source_of).collect();
    order::sort(&mut sources);
    sources.dedup();
    if !sources.is_empty() {
        notes.push(format!("source {}", sources.join(", ")));
    }
    if !notes.is_empty() {
        canvas.text(area.x + 2, area.y, area.right() - 1, Role::Quiet, &notes.join("   "));
    }
}

/// Formats the source of a value. Numbers without a sign are exact.
fn source_of(figure: &Reading<u64>) -> Option<String> {
    match figure {
        Reading::Known { source, quality: Quality::Exact, .. } => {
            Some(format!("{} exact", source.as_str()))
        }
        Reading::Known { source, .. } => Some(source.as_str().to_owned()),
        Reading::Missing(_) => None,
    }
}
