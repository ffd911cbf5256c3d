//! The table of ops.

use ratatui_core::layout::Rect;
use ttmem_analysis::run_report::{OpL1, ProcessOps};

use super::super::row;
use crate::tui::app::{App, Target};
use crate::tui::look::Role;
use crate::tui::op::OpColumn;
use crate::tui::widget::bar::{Bar, Part, Rest};
use crate::tui::widget::canvas::{Canvas, scroll};

/// The width of a pid.
const PID: u16 = 7;
/// The width of a bar of the peak.
const BAR: u16 = 12;
/// The minimum width for such bars.
const BAR_COLUMNS: u16 = 118;
/// The gap between columns.
const GAP: u16 = 1;
/// Headroom below this share of a core, in hundredths, is marked.
const LITTLE_PERCENT: i128 = 5;

/// Columns, from the most to the least important.
const IMPORTANCE: [OpColumn; 8] = [
    OpColumn::Peak,
    OpColumn::Headroom,
    OpColumn::Dispatches,
    OpColumn::CircularBuffers,
    OpColumn::Tensors,
    OpColumn::Cores,
    OpColumn::KernelText,
    OpColumn::Aliasing,
];

/// The columns of a row.
struct Layout {
    pid: Option<(u16, u16)>,
    columns: Vec<(OpColumn, u16, u16)>,
    /// The start of the bar.
    bar: Option<u16>,
}

/// Draws a heading and as many ops as fit around the cursor.
pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    if area.height < 2 {
        return;
    }
    let layout = layout(app, area);
    draw_heading(app, canvas, area, &layout);
    let count = app.ops.shown().len();
    let height = usize::from(area.height - 1);
    let current = app.ops.index();
    let first = scroll(count, height, current);
    let visible = app.ops.shown().enumerate().skip(first).take(height);
    for ((index, (process, op)), y) in visible.zip(area.y + 1..) {
        draw_row(app, canvas, &layout, (process, op), y);
        canvas.hit(row(area, y), Target::Op(index));
        if index == current {
            canvas.sign(area.x, y, canvas.look.style(Role::Accent), canvas.glyphs().pointer);
            canvas.cursor(row(area, y));
        }
    }
    if count > height {
        let last = (first + height).min(count);
        let text = format!("{}-{last} of {count}", first + 1);
        let start = layout.columns.last().map_or(area.x, |(_, x, _)| *x);
        canvas.right(start + 4, area.y, area.right() - 1, Role::Quiet, &text);
    }
}

/// Returns the columns that fit. The column of the order is always among them.
fn layout(app: &App, area: Rect) -> Layout {
    let has_several = app.ops.processes().len() > 1;
    let has_bar = area.width >= BAR_COLUMNS;
    let mut room = area.width.saturating_sub(2 + OpColumn::Op.columns());
    room = room.saturating_sub(if has_several { PID + GAP } else { 0 });
    room = room.saturating_sub(if has_bar { BAR + GAP } else { 0 });
    let mut chosen = vec![OpColumn::Op];
    let sorted = Some(app.ops.key).filter(|key| *key != OpColumn::Op);
    let others = IMPORTANCE.into_iter().filter(|column| Some(*column) != sorted);
    for column in sorted.into_iter().chain(others) {
        let needed = column.columns() + GAP;
        if needed <= room {
            room -= needed;
            chosen.push(column);
        }
    }
    let mut x = area.x + 1;
    let pid = has_several.then(|| {
        let pid = (x, x + PID);
        x += PID + GAP;
        pid
    });
    let (mut columns, mut bar) = (Vec::new(), None);
    for column in OpColumn::ALL.into_iter().filter(|column| chosen.contains(column)) {
        if column == OpColumn::Op {
            columns.push((column, x + 2, area.right().saturating_sub(1)));
            break;
        }
        let start = x + GAP;
        x = start + column.columns();
        columns.push((column, start, x));
        if column == OpColumn::Peak && has_bar {
            bar = Some(x + GAP);
            x += BAR + GAP;
        }
    }
    Layout { pid, columns, bar }
}

fn draw_heading(app: &App, canvas: &mut Canvas<'_>, area: Rect, layout: &Layout) {
    let y = area.y;
    let key = app.ops.key;
    let sign = canvas.glyphs().sorted[usize::from(key.ascends() != app.ops.reversed)];
    if let Some((x, end)) = layout.pid {
        canvas.right(x, y, end, Role::Quiet, "PID");
    }
    for (column, x, end) in &layout.columns {
        let (role, text) = match *column == key {
            true => (Role::Accent, format!("{}{sign}", column.heading())),
            false => (Role::Quiet, column.heading().to_owned()),
        };
        match column {
            OpColumn::Op => drop(canvas.text(*x, y, *end, role, &text)),
            _ => canvas.right(x.saturating_sub(1), y, *end, role, &text),
        }
        let hit = Rect { x: *x, y, width: end.saturating_sub(*x), height: 1 };
        canvas.hit(hit, Target::OpColumn(*column));
    }
}

fn draw_row(
    app: &App,
    canvas: &mut Canvas<'_>,
    layout: &Layout,
    (process, op): (&ProcessOps, &OpL1),
    y: u16,
) {
    if let Some((x, end)) = layout.pid {
        canvas.right(x, y, end, Role::Plain, &process.owner.pid.to_string());
    }
    for (column, x, end) in &layout.columns {
        let text = column.text(op);
        let role = role_of(*column, process, op);
        let text = text.unwrap_or_else(|| app.look.glyphs().dash.to_owned());
        match column {
            OpColumn::Op => drop(canvas.text(*x, y, *end, role, &text)),
            _ => canvas.right(*x, y, *end, role, &text),
        }
    }
    let whole = process.core_size.filter(|size| *size > 0);
    if let (Some(x), Some(size), Some(peak)) = (layout.bar, whole, op.peak) {
        let tensors = op.tensors.min(peak);
        let rest = peak - tensors;
        let placed = op.circular_buffers.min(rest);
        let part = |bytes: u64, role| Part { amount: bytes as f64, role };
        let parts = [
            part(rest - placed, Role::Reserved),
            part(placed, Role::CircularBuffers),
            part(tensors, Role::L1),
        ];
        let bar = Bar { parts: &parts, whole: size as f64, rest: Rest::Free, peak: None };
        bar.draw(canvas, x, y, BAR);
    }
}

/// Returns the role of a cell: nothing is quiet, little headroom is marked.
fn role_of(column: OpColumn, process: &ProcessOps, op: &OpL1) -> Role {
    let number = column.number(op);
    match (column, number) {
        (OpColumn::Op, _) if op.op.is_none() => Role::Quiet,
        (OpColumn::Op, _) => Role::Plain,
        (_, None | Some(0)) if column != OpColumn::Headroom => Role::Quiet,
        (OpColumn::Headroom, Some(bytes)) if bytes < 0 => Role::Alarm,
        (OpColumn::Headroom, Some(bytes)) => {
            let size = process.core_size.map(i128::from);
            let is_little = size.is_some_and(|size| bytes * 100 < size * LITTLE_PERCENT);
            if is_little { Role::Notice } else { Role::Plain }
        }
        (_, None) => Role::Quiet,
        _ => Role::Plain,
    }
}
