//! The table of buffers.

use ratatui_core::layout::Rect;
use ttmem_model::buffers::LiveBuffer;

use super::super::row;
use super::bank::role_of;
use crate::output::buffers::rows::{Column, have_several_threads};
use crate::output::buffers::{SortKey, op_in_words};
use crate::tui::app::{App, Target};
use crate::tui::look::Role;
use crate::tui::number::cells;
use crate::tui::widget::canvas::{Canvas, scroll};

/// The width of a pid.
const PID: u16 = 7;
/// The minimum width of an op's name beside less important columns; half of that on a small screen.
const OP: u16 = 18;
/// Screens narrower than this are small.
const SMALL: u16 = 60;

/// The columns of a row.
struct Layout {
    pid: Option<(u16, u16)>,
    columns: Vec<(Column, u16, u16)>,
    op: u16,
}

/// Columns, from the most to the least important.
const IMPORTANCE: [Column; 8] = [
    Column::Kind,
    Column::Total,
    Column::Address,
    Column::Age,
    Column::PerBank,
    Column::Banks,
    Column::Layout,
    Column::Thread,
];

/// Draws a heading and as many buffers as fit around the cursor.
pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    if area.height < 2 {
        return;
    }
    let layout = layout(app, area);
    draw_heading(app, canvas, area, &layout);
    let count = app.buffers.shown().len();
    let height = usize::from(area.height - 1);
    let current = app.buffers.index();
    let first = scroll(count, height, current);
    let last = (first + height).min(count);
    for (of_row, y) in (first..last).zip(area.y + 1..) {
        let Some(buffer) = app.buffers.at(of_row) else { continue };
        draw_row(canvas, area, &layout, buffer, y);
        canvas.hit(row(area, y), Target::Buffer(of_row));
        if of_row == current {
            canvas.sign(area.x, y, canvas.look.style(Role::Accent), canvas.glyphs().pointer);
            canvas.cursor(row(area, y));
        }
    }
    if count > height {
        let text = format!("{}-{last} of {count}", first + 1);
        canvas.right(layout.op + 4, area.y, area.right() - 1, Role::Quiet, &text);
    }
}

/// Returns the columns that fit.
fn layout(app: &App, area: Rect) -> Layout {
    let several_processes = app.buffers.list().is_some_and(|list| list.processes.len() > 1);
    let several_threads = have_several_threads(app.buffers.shown());
    let op = if area.width < SMALL { OP / 2 } else { OP };
    let mut room = area.width.saturating_sub(2 + op);
    if several_processes {
        room = room.saturating_sub(PID + 1);
    }
    let mut chosen = Vec::new();
    for column in IMPORTANCE {
        let needed = cells(column.columns() + column.gap());
        let tells = column != Column::Thread || several_threads;
        if tells && needed <= room {
            room -= needed;
            chosen.push(column);
        }
    }
    // Bytes per bank mean nothing without the number of banks.
    if !chosen.contains(&Column::Banks) {
        chosen.retain(|column| *column != Column::PerBank);
    }
    let mut x = area.x + 1;
    let pid = several_processes.then(|| {
        let pid = (x, x + PID);
        x += PID + 2;
        pid
    });
    let mut columns = Vec::new();
    for (column, _) in Column::ALL.into_iter().filter(|(column, _)| chosen.contains(column)) {
        let start = x + cells(column.gap());
        x = start + cells(column.columns());
        columns.push((column, start, x));
    }
    Layout { pid, columns, op: x + 2 }
}

/// Returns the sort key of a column.
fn key_of(column: Column) -> Option<SortKey> {
    match column {
        Column::Total | Column::PerBank => Some(SortKey::Size),
        Column::Age => Some(SortKey::Age),
        Column::Address => Some(SortKey::Address),
        Column::Kind | Column::Banks | Column::Layout | Column::Thread => None,
    }
}

/// True if a key sorts the smallest first.
fn ascends(key: SortKey) -> bool {
    matches!(key, SortKey::Op | SortKey::Address)
}

fn draw_heading(app: &App, canvas: &mut Canvas<'_>, area: Rect, layout: &Layout) {
    let y = area.y;
    let sorted = app.buffers.key;
    let sign = canvas.glyphs().sorted[usize::from(ascends(sorted) != app.buffers.reversed)];
    let heading = |name: &str, is_sorted: bool| match is_sorted {
        true => (Role::Accent, format!("{name}{sign}")),
        false => (Role::Quiet, name.to_owned()),
    };
    if let Some((x, end)) = layout.pid {
        canvas.right(x, y, end, Role::Quiet, "PID");
    }
    for (column, x, end) in &layout.columns {
        let key = key_of(*column);
        let is_sorted = key == Some(sorted) && *column != Column::PerBank;
        let (role, text) = heading(&column.heading().to_uppercase(), is_sorted);
        if column.is_text() {
            canvas.text(*x, y, *end, role, &text);
        } else {
            canvas.right(x.saturating_sub(1), y, *end, role, &text);
        }
        if let Some(key) = key {
            let hit = Rect { x: *x, y, width: end - x, height: 1 };
            canvas.hit(hit, Target::BufferColumn(key));
        }
    }
    let (role, text) = heading("OP", sorted == SortKey::Op);
    let end = canvas.text(layout.op, y, area.right(), role, &text);
    let hit = Rect { x: layout.op, y, width: end.saturating_sub(layout.op), height: 1 };
    canvas.hit(hit, Target::BufferColumn(SortKey::Op));
}

fn draw_row(canvas: &mut Canvas<'_>, area: Rect, layout: &Layout, buffer: &LiveBuffer, y: u16) {
    if let Some((x, end)) = layout.pid {
        canvas.right(x, y, end, Role::Plain, &buffer.pid.to_string());
    }
    for (column, x, end) in &layout.columns {
        let role = if *column == Column::Kind { role_of(buffer.kind) } else { Role::Plain };
        let text = column.text(buffer);
        if column.is_text() {
            canvas.text(*x, y, *end, role, &text);
        } else {
            canvas.right(*x, y, *end, role, &text);
        }
    }
    let op = op_in_words(canvas.glyphs().dash, buffer.op.as_deref(), &buffer.origin);
    canvas.text(layout.op, y, area.right(), Role::Plain, &op);
}
