//! The telemetry of many chips: a row for each, the hottest first, and as many readings as fit.

use ratatui_core::layout::Rect;
use ttmem_model::MissingReason;
use ttmem_model::snapshot::Chip;

use super::{Cell, Line, draw_missing, missing};
use crate::output::text::width;
use crate::tui::app::{App, Target};
use crate::tui::look::Role;
use crate::tui::number::cells;
use crate::tui::widget::canvas::{Canvas, scroll};

/// Columns of the number and the board of a chip.
const NAME: u16 = 14;
const GAP: u16 = 2;

/// A reading, and the columns that it takes.
struct Column<'a> {
    line: &'a Line,
    heading: String,
    cells: Vec<Cell>,
    width: u16,
}

/// Draws the rows, what no chip has, and what the selected chip does not have.
pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect, lines: &[Line]) {
    let chips = app.telemetry_chips();
    let cursor = chips.iter().position(|chip| Some(chip.id) == app.cursors.chip).unwrap_or(0);
    let columns: Vec<Column<'_>> = lines.iter().map(|line| column(app, line, &chips)).collect();
    let (absent, present): (Vec<_>, Vec<_>) =
        columns.into_iter().partition(|column| reason_of_all(&column.cells).is_some());
    let left = app.cursors.telemetry.min(present.len().saturating_sub(1));
    let notes = cells(absent.len().min(1)) + 1;
    let height = area.height.saturating_sub(1 + notes);
    let shown = usize::from(height).min(chips.len());
    let first = scroll(chips.len(), shown, cursor);
    let fitting = draw_heading(app, canvas, area, &present[left..]);
    for ((index, chip), y) in chips.iter().enumerate().skip(first).take(shown).zip(area.y + 1..) {
        draw_name(canvas, area, y, chip);
        let mut x = area.x + NAME;
        for column in present.iter().skip(left).take(fitting) {
            let end = x + column.width;
            match &column.cells[index] {
                Cell::Text(role, text) => canvas.right(x, y, end, *role, text),
                Cell::Blank(missing) => {
                    canvas.right(x, y, end, Role::Quiet, canvas.look.blank(missing.reason));
                }
            }
            x = end + GAP;
        }
        canvas.hit(crate::tui::view::row(area, y), Target::Chip(chip.id));
        if index == cursor {
            canvas.sign(area.x, y, canvas.look.style(Role::Accent), canvas.glyphs().pointer);
            canvas.cursor(crate::tui::view::row(area, y));
        }
    }
    draw_corner(canvas, area, (shown, chips.len()), present.len() - left - fitting);
    let mut y = area.y + 1 + cells(shown);
    if let Some(text) = in_words(&absent) {
        canvas.text(area.x + 1, y, area.right() - 1, Role::Quiet, &text);
        y += 1;
    }
    let rest = Rect { y: y + 1, height: area.bottom().saturating_sub(y + 1), ..area };
    if let Some(chip) = chips.get(cursor) {
        let of_chip = present.iter().map(|column| column.line);
        draw_missing(canvas, rest, chip, &missing(app.look, chip, of_chip));
    }
}

fn column<'a>(app: &App, line: &'a Line, chips: &[&Chip]) -> Column<'a> {
    let all: Vec<Cell> = chips.iter().map(|chip| (line.cell)(app.look, chip)).collect();
    let heading = heading(&line.label);
    let widest = all.iter().map(|cell| match cell {
        Cell::Text(_, text) => width(text),
        Cell::Blank(_) => 1,
    });
    // A sign of the order has a column of its own.
    let widest = widest.max().unwrap_or(0).max(width(&heading) + 1);
    Column { line, heading, cells: all, width: cells(widest) }
}

/// Returns the label in few columns.
fn heading(label: &str) -> String {
    match label {
        "temperature" => "TEMP".to_owned(),
        "thermal trips" => "TRIPS".to_owned(),
        "PCIe host to device" => "PCIE IN".to_owned(),
        "PCIe device to host" => "PCIE OUT".to_owned(),
        "PCIe speed" => "SPEED".to_owned(),
        "PCIe lanes" => "LANES".to_owned(),
        "NUMA node" => "NUMA".to_owned(),
        "worker cores" => "CORES".to_owned(),
        label => label.replace("firmware ", "fw ").to_uppercase(),
    }
}

/// Returns the reason for which no chip has a reading.
fn reason_of_all(all: &[Cell]) -> Option<MissingReason> {
    let mut reasons = all.iter().map(|cell| match cell {
        Cell::Blank(missing) => Some(missing.reason),
        Cell::Text(..) => None,
    });
    let first = reasons.next()??;
    reasons.all(|reason| reason == Some(first)).then_some(first)
}

/// Returns the readings that no chip has, with the reason of the first of them.
fn in_words(absent: &[Column<'_>]) -> Option<String> {
    let reason = reason_of_all(&absent.first()?.cells)?;
    let same = |column: &&Column<'_>| reason_of_all(&column.cells) == Some(reason);
    let names: Vec<&str> = absent.iter().filter(same).map(|it| it.line.label.as_str()).collect();
    let others = absent.len() - names.len();
    let more = if others > 0 { format!(" (and {others} more)") } else { String::new() };
    Some(format!("{} on every chip: {}{more}", reason.as_str(), names.join(", ")))
}

/// Draws the headings of the readings that fit. Returns their number.
fn draw_heading(app: &App, canvas: &mut Canvas<'_>, area: Rect, columns: &[Column<'_>]) -> usize {
    let sorted = app.chip_order.key.metric().map(|metric| metric.as_str());
    let sign = canvas.glyphs().sorted[usize::from(app.chip_order.reversed)];
    let role = if sorted.is_none() { Role::Accent } else { Role::Quiet };
    let number = if sorted.is_none() { format!("  #{sign}") } else { "  #".to_owned() };
    canvas.text(area.x + 1, area.y, area.x + NAME, role, &number);
    let mut x = area.x + NAME;
    for (index, column) in columns.iter().enumerate() {
        let end = x + column.width;
        if end >= area.right() {
            return index;
        }
        if sorted == Some(column.line.name.as_str()) {
            canvas.right(x, area.y, end, Role::Accent, &format!("{}{sign}", column.heading));
        } else {
            canvas.right(x, area.y, end, Role::Quiet, &column.heading);
        }
        x = end + GAP;
    }
    columns.len()
}

fn draw_name(canvas: &mut Canvas<'_>, area: Rect, y: u16, chip: &Chip) {
    let number = match chip.tray() {
        Some(at) => format!("{:>3} {}:{}", chip.index, at.tray, at.position),
        None => format!("{:>3} {}", chip.index, chip.board.as_deref().unwrap_or("?")),
    };
    canvas.text(area.x + 1, y, area.x + NAME - 1, Role::Strong, &number);
}

/// Draws the number of chips and columns that do not fit.
fn draw_corner(canvas: &mut Canvas<'_>, area: Rect, (shown, all): (usize, usize), columns: usize) {
    let chips = (shown < all).then(|| format!("{shown} of {all} chips"));
    let noun = if columns == 1 { "reading" } else { "readings" };
    let readings = (columns > 0).then(|| match canvas.look.charset {
        crate::output::page::Charset::Unicode => format!("→ {columns} more {noun}"),
        crate::output::page::Charset::Ascii => format!("> {columns} more {noun}"),
    });
    let text: Vec<String> = chips.into_iter().chain(readings).collect();
    if !text.is_empty() {
        let y = area.bottom() - 1;
        canvas.right(area.x + 1, y, area.right() - 1, Role::Quiet, &text.join(", "));
    }
}
