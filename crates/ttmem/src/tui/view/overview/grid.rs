//! Several chips per row, for many chips on few rows.

use ratatui_core::layout::Rect;
use ttmem_model::snapshot::Chip;

use crate::tui::app::{App, Focus, Target};
use crate::tui::look::Role;
use crate::tui::number::cells;
use crate::tui::view::memory::{self, MemorySpace};
use crate::tui::widget::canvas::{Canvas, scroll};
use crate::tui::widget::figure;

/// The width of a chip with the gap behind it: index, temperature, two bars.
const LEAST_COLUMNS: u16 = 19;

/// Returns the rows that a number of chips takes.
pub(super) fn rows(width: u16, chips: u16) -> u16 {
    chips.div_ceil(per_row(width))
}

fn per_row(width: u16) -> u16 {
    ((width - 1) / LEAST_COLUMNS).max(1)
}

/// Draws a heading and as many chips as fit around the cursor.
pub(super) fn draw(
    app: &App,
    canvas: &mut Canvas<'_>,
    area: Rect,
    chips: &[&Chip],
    current: usize,
) {
    let per_row = usize::from(per_row(area.width));
    let columns = (area.width - 1) / cells(per_row);
    let shown = usize::from(area.height.saturating_sub(1));
    let first = scroll(chips.len().div_ceil(per_row), shown, current / per_row);
    let heading = "  #  TEMP  DRAM  L1";
    canvas.text(area.x + 1, area.y, area.right(), Role::Quiet, heading);
    if chips.len() > shown * per_row {
        let text = format!("{} of {}", shown * per_row, chips.len());
        canvas.right(area.x + 20, area.y, area.right() - 1, Role::Quiet, &text);
    }
    let visible = chips.iter().enumerate().skip(first * per_row).take(shown * per_row);
    for (index, chip) in visible {
        let cell = Rect {
            x: area.x + 1 + cells(index % per_row) * columns,
            y: area.y + 1 + cells(index / per_row - first),
            width: columns - 1,
            height: 1,
        };
        draw_chip(app, canvas, cell, chip);
        canvas.hit(cell, Target::Chip(chip.id));
        if index == current && app.focus == Focus::Chips {
            canvas.cursor(cell);
        }
    }
}

fn draw_chip(app: &App, canvas: &mut Canvas<'_>, cell: Rect, chip: &Chip) {
    let look = canvas.look;
    canvas.text(cell.x, cell.y, cell.right(), Role::Strong, &super::number(look, chip));
    let (role, temperature) = figure::temperature(look, chip);
    let temperature = temperature.trim_end_matches('C');
    canvas.right(cell.x + 3, cell.y, cell.x + 7, role, temperature);
    let room = cell.width.saturating_sub(8);
    let dram = room.div_ceil(2);
    memory::draw_bar(app, canvas, chip, MemorySpace::Dram, (cell.x + 8, cell.y, dram));
    let l1 = (cell.x + 9 + dram, cell.y, room.saturating_sub(dram + 1));
    memory::draw_bar(app, canvas, chip, MemorySpace::L1, l1);
}
