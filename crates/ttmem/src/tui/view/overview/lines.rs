//! One row per chip.

use ratatui_core::layout::Rect;
use ttmem_model::snapshot::Chip;

use super::groups::{self, Row};
use super::{location, number, owners};
use crate::output::text::width;
use crate::tui::app::{App, Focus, Target};
use crate::tui::look::Role;
use crate::tui::number::cells;
use crate::tui::view::memory::{self, MemorySpace};
use crate::tui::view::row;
use crate::tui::widget::canvas::Canvas;
use crate::tui::widget::figure;

/// A column: its heading, width and alignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Number,
    Tray,
    Board,
    Location,
    Temperature,
    Power,
    Clock,
    Memory(MemorySpace),
    Owners,
}

impl Column {
    fn heading(self) -> &'static str {
        match self {
            Self::Number => "  #",
            Self::Tray => "TRAY",
            Self::Board => "BOARD",
            Self::Location => "LOCATION",
            Self::Temperature => "TEMP",
            Self::Power => "POWER",
            Self::Clock => "AICLK",
            Self::Memory(space) => space.label(),
            Self::Owners => "OWNERS",
        }
    }

    /// Returns the width; 0 for columns that share the remaining width.
    fn columns(self) -> u16 {
        match self {
            Self::Number => 3,
            Self::Tray => 4,
            Self::Board => 8,
            Self::Location => 9,
            Self::Temperature => 5,
            Self::Power => 8,
            Self::Clock => 8,
            Self::Memory(_) | Self::Owners => 0,
        }
    }

    fn is_right(self) -> bool {
        matches!(self, Self::Temperature | Self::Power | Self::Clock)
    }
}

const GAP: u16 = 2;

/// Returns the columns that fit a width, with their start and end.
fn columns(area: Rect, board: u16, trays: bool) -> Vec<(Column, u16, u16)> {
    use Column::{Board, Clock, Location, Memory, Number, Owners, Power, Temperature, Tray};
    let (dram, l1) = (Memory(MemorySpace::Dram), Memory(MemorySpace::L1));
    let chosen: &[Column] = match area.width {
        0..60 => &[Number, Temperature, dram, l1],
        60..76 => &[Number, Board, Temperature, dram, l1],
        76..100 => &[Number, Board, Temperature, Power, dram, l1],
        100..130 => &[Number, Board, Temperature, Power, dram, l1, Owners],
        _ => &[Number, Board, Location, Temperature, Power, Clock, dram, l1, Owners],
    };
    let tray = trays && area.width >= 76;
    let chosen: Vec<Column> = chosen[..1]
        .iter()
        .copied()
        .chain(tray.then_some(Tray))
        .chain(chosen[1..].iter().copied())
        .collect();
    let own = |column: Column| if column == Board { board } else { column.columns() };
    let fixed: u16 = chosen.iter().map(|column| own(*column) + GAP).sum();
    let shared = chosen.iter().filter(|column| column.columns() == 0).count();
    let share = area.width.saturating_sub(fixed + 1) / cells(shared.max(1));
    let mut x = area.x + 1;
    let mut positions = Vec::new();
    for column in chosen {
        let end = x + if column.columns() == 0 { share } else { own(column) };
        positions.push((column, x, end.min(area.right())));
        x = end + GAP;
    }
    positions
}

/// Returns the width of the board names: of the longest, if that leaves enough for the bars.
fn board_columns(area: Rect, chips: &[&Chip]) -> u16 {
    let most = if area.width >= 120 { 16 } else { 8 };
    let names = chips.iter().filter_map(|chip| chip.board.as_deref());
    cells(names.map(width).max().unwrap_or(0)).clamp(6, most)
}

/// Draws a heading and as many rows as fit.
pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect, rows: &[Row], chips: &[&Chip]) {
    let trays = chips.iter().any(|chip| chip.tray().is_some());
    let columns = columns(area, board_columns(area, chips), trays);
    for (column, x, end) in &columns {
        if column.is_right() {
            canvas.right(*x, area.y, *end, Role::Quiet, column.heading());
        } else {
            canvas.text(*x, area.y, *end, Role::Quiet, column.heading());
        }
    }
    let current = app.chips().get(app.chip_index()).map(|chip| chip.id);
    for (y, position) in (area.y + 1..area.bottom()).zip(rows) {
        let chip = match position {
            Row::Chips(range) => chips[range.start],
            Row::Group(group, range) => {
                groups::draw(app, canvas, row(area, y), *group, &chips[range.clone()]);
                continue;
            }
        };
        for (column, x, end) in &columns {
            draw_cell(app, canvas, chip, *column, (*x, y, *end));
        }
        canvas.hit(row(area, y), Target::Chip(chip.id));
        if current == Some(chip.id) {
            let style = canvas.look.style(Role::Accent);
            canvas.sign(area.x, y, style, canvas.glyphs().pointer);
            if app.focus == Focus::Chips {
                canvas.cursor(row(area, y));
            }
        }
    }
}

fn draw_cell(
    app: &App,
    canvas: &mut Canvas<'_>,
    chip: &Chip,
    column: Column,
    (x, y, end): (u16, u16, u16),
) {
    let look = canvas.look;
    match column {
        Column::Number => {
            canvas.text(x, y, end, Role::Strong, &number(look, chip));
        }
        Column::Tray => {
            let text = chip.tray().map(|at| format!("{}:{}", at.tray, at.position));
            let text = text.unwrap_or_else(|| canvas.glyphs().dash.to_owned());
            canvas.text(x, y, end, Role::Quiet, &text);
        }
        Column::Board => {
            let board = chip.board.as_deref().unwrap_or("?");
            canvas.text(x, y, end, Role::Plain, board);
        }
        Column::Location => {
            canvas.text(x, y, end, Role::Quiet, &location(chip));
        }
        Column::Temperature => {
            let (role, text) = figure::temperature(look, chip);
            canvas.right(x, y, end, role, &text);
        }
        Column::Power => {
            let (role, text) = figure::power(look, chip);
            canvas.right(x, y, end, role, &text);
        }
        Column::Clock => {
            let text = figure::clock(look, chip);
            let role = if text.contains("MHz") { Role::Plain } else { Role::Quiet };
            canvas.right(x, y, end, role, &text);
        }
        Column::Memory(space) => draw_memory(app, canvas, chip, space, (x, y, end)),
        Column::Owners => {
            if let Some(snapshot) = app.snapshot() {
                let (role, text) = owners(look, snapshot, chip);
                canvas.text(x, y, end, role, &text);
            }
        }
    }
}

/// Draws a bar, followed by bytes and share as far as they fit.
fn draw_memory(
    app: &App,
    canvas: &mut Canvas<'_>,
    chip: &Chip,
    space: MemorySpace,
    (x, y, end): (u16, u16, u16),
) {
    let columns = end.saturating_sub(x);
    let text_columns = if columns >= 20 { 13 } else { 6 };
    let bar = columns.saturating_sub(text_columns);
    memory::draw_bar(app, canvas, chip, space, (x, y, bar));
    let (used, capacity) = (space.used(&chip.memory), space.capacity(&chip.memory));
    let text = memory::amount_in(canvas.look, &chip.memory, space, text_columns);
    let role =
        if used.value().is_none() { Role::Quiet } else { figure::pressure(&used, &capacity) };
    canvas.right(x + bar, y, end, role, &text);
}
