//! The grid of cores: the state of each, and the share of L1 used by its circular buffers.

use ratatui_core::layout::Rect;
use ttmem_model::l1::report::{ChipReport, CoreReport};
use ttmem_model::l1::{Coordinate, Grid};

use super::{sign, state};
use crate::output::l1::state::{CellState, absent};
use crate::tui::app::{App, Heat, Target};
use crate::tui::look::Role;
use crate::tui::number::cells;
use crate::tui::widget::canvas::{Canvas, scroll};

/// The width of the row numbers.
const NUMBERS: u16 = 4;

/// Returns the width of the grid.
pub(super) fn width(grid: Grid, room: u16) -> u16 {
    NUMBERS + u16::from(grid.columns) * step(grid, room)
}

/// Returns the width of a core: two signs, and a space where it fits.
fn step(grid: Grid, room: u16) -> u16 {
    if NUMBERS + u16::from(grid.columns) * 3 <= room { 3 } else { 2 }
}

/// Draws as many rows as fit around the cursor.
pub(super) fn draw(
    app: &App,
    canvas: &mut Canvas<'_>,
    area: Rect,
    (cores, grid): (&ChipReport, Grid),
) {
    let step = (area.width - NUMBERS) / u16::from(grid.columns.max(1));
    let column = |x: u8| area.x + NUMBERS + u16::from(x) * step;
    for x in (0..grid.columns).filter(|x| step > 2 || x % 2 == 0) {
        canvas.right(column(x), area.y, column(x) + 2, Role::Quiet, &x.to_string());
    }
    let shown = usize::from(area.height.saturating_sub(1));
    let first = scroll(usize::from(grid.rows), shown, usize::from(app.cores.cursor.1));
    let rows = (0..grid.rows).skip(first).take(shown);
    for (y, screen_y) in rows.zip(area.y + 1..) {
        canvas.right(area.x, screen_y, area.x + NUMBERS - 1, Role::Quiet, &y.to_string());
        for x in 0..grid.columns {
            let coordinate = Coordinate { x, y };
            let core = cores.at(coordinate);
            let cell = Rect { x: column(x), y: screen_y, width: 2, height: 1 };
            draw_core(app, canvas, cell, core);
            canvas.hit(cell, Target::Core(x, y));
            if app.cores.cursor == (x, y) {
                canvas.cursor(cell);
            }
        }
    }
}

fn draw_core(app: &App, canvas: &mut Canvas<'_>, cell: Rect, core: Option<&CoreReport>) {
    let Some(core) = core else {
        let style = canvas.look.style(Role::Frame);
        return canvas.sign(cell.x, cell.y, style, absent(canvas.look.charset));
    };
    let (sign, role) = sign(state(core), canvas);
    canvas.sign(cell.x, cell.y, canvas.look.style(role), sign);
    let share = match app.cores.heat {
        Heat::Bytes => used_share(core),
        Heat::Headroom => headroom_share(core),
    };
    let Some(share) = share.filter(|share| *share > 0.0) else { return };
    let steps = canvas.glyphs().heats;
    let step = crate::tui::number::whole(share * steps.len() as f64).min(steps.len() - 1);
    let style = canvas.look.style(Role::CircularBuffers);
    canvas.sign(cell.x + 1, cell.y, style, steps[step]);
}

/// Returns the share of a core's program and tensor memory that circular buffers take.
fn used_share(core: &CoreReport) -> Option<f64> {
    let used = core.circular_buffer_bytes.value()?;
    let whole = core.l1_bytes().checked_sub(core.unreserved?)?;
    Some(used as f64 / whole.max(1) as f64)
}

/// Returns the share that is left. Not known without the allocator's buffers.
fn headroom_share(core: &CoreReport) -> Option<f64> {
    let bytes = core.headroom().ok()?;
    Some(bytes.max(0) as f64 / core.l1_bytes().max(1) as f64)
}

/// Draws the legend, with the number of cores for each sign.
pub(super) fn draw_legend(canvas: &mut Canvas<'_>, area: Rect, cores: &ChipReport) {
    let mut notes: Vec<(&'static str, Role, String)> = Vec::new();
    for shown in CellState::ALL {
        let count = cores.cores.iter().filter(|core| state(core) == shown).count();
        let (sign, role) = sign(shown, canvas);
        if count > 0 {
            notes.push((sign, role, format!("{} {count}", shown.label())));
        }
    }
    if cores.other_cores > 0 {
        let text = format!("harvested {}", cores.other_cores);
        notes.push((absent(canvas.look.charset), Role::Frame, text));
    }
    let (mut x, mut y) = (area.x + 2, area.y + 1);
    for (sign, role, text) in notes {
        if x + cells(text.len()) + 2 > area.right() {
            (x, y) = (area.x + 2, y + 1);
        }
        if y >= area.bottom() {
            return;
        }
        canvas.text(x, y, area.right(), role, sign);
        x = canvas.text(x + 2, y, area.right(), Role::Quiet, &text) + 3;
    }
}
