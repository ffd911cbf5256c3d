//! Three rows per chip: identity, DRAM, L1.

use ratatui_core::layout::Rect;
use ttmem_model::snapshot::Chip;

use super::{location, number, owners};
use crate::output::text::width;
use crate::tui::app::{App, Focus, Target};
use crate::tui::look::Role;
use crate::tui::number::cells;
use crate::tui::view::memory::{self, MemorySpace};
use crate::tui::widget::canvas::Canvas;
use crate::tui::widget::figure;

/// Rows per chip.
pub(super) const ROWS: u16 = 3;
/// Screens narrower than this show one row per chip.
pub(super) const LEAST_COLUMNS: u16 = 110;

/// Columns of the longest location that is not cut, `0001:01:00.0`.
const MOST_LOCATION: u16 = 12;
/// Columns of a temperature, and of what is before it.
const TEMPERATURE: u16 = 6;

/// The columns of a card.
struct Columns {
    bar: u16,
    location: u16,
    bar_end: u16,
    amount_end: u16,
    share_end: u16,
    notes: u16,
    origin: u16,
    end: u16,
}

impl Columns {
    fn new(area: Rect, chips: &[&Chip]) -> Self {
        let bar = area.x + 10;
        let widest = |text: fn(&Chip) -> String| {
            chips.iter().map(|chip| cells(width(&text(chip)))).max().unwrap_or(0)
        };
        let location = bar - 5 + widest(name) + 2;
        let before_temperature = location + widest(super::location).min(MOST_LOCATION);
        let bar_end = bar + (area.width / 5).clamp(24, 60);
        let bar_end = bar_end.max(before_temperature + TEMPERATURE);
        let amount_end = bar_end + 20;
        let share_end = amount_end + 6;
        let end = area.right() - 1;
        let (notes, origin) = (share_end + 2, end - 21);
        Self { bar, location, bar_end, amount_end, share_end, notes, origin, end }
    }
}

/// Draws as many chips as fit.
pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect, chips: &[&Chip]) {
    let columns = Columns::new(area, chips);
    for (card, chip) in chips.iter().enumerate().take(usize::from(area.height / ROWS)) {
        let y = area.y + cells(card) * ROWS;
        let card = Rect { y, height: ROWS, ..area };
        draw_identity(app, canvas, y, &columns, chip);
        draw_memory(app, canvas, y + 1, &columns, chip, MemorySpace::Dram);
        draw_memory(app, canvas, y + 2, &columns, chip, MemorySpace::L1);
        canvas.hit(card, Target::Chip(chip.id));
        let is_current = app.chips().get(app.chip_index()).map(|chip| chip.id) == Some(chip.id);
        if is_current {
            draw_pointer(app, canvas, card);
        }
    }
}

/// Marks the selected chip: its first row, or only a sign if the processes have the focus.
fn draw_pointer(app: &App, canvas: &mut Canvas<'_>, card: Rect) {
    let style = canvas.look.style(Role::Accent);
    canvas.sign(card.x, card.y, style, canvas.glyphs().pointer);
    if app.focus == Focus::Chips {
        canvas.cursor(Rect { height: 1, ..card });
    }
}

fn draw_identity(app: &App, canvas: &mut Canvas<'_>, y: u16, columns: &Columns, chip: &Chip) {
    let Some(snapshot) = app.snapshot() else { return };
    let look = canvas.look;
    let x = columns.bar - 9;
    canvas.text(x, y, columns.end, Role::Strong, &number(look, chip));
    let (role, temperature) = figure::temperature(look, chip);
    let end = columns.bar_end - 1 - cells(width(&temperature));
    canvas.text(x + 4, y, end, Role::Strong, &name(chip));
    canvas.text(columns.location, y, end, Role::Quiet, &location(chip));
    canvas.right(columns.bar_end - 9, y, columns.bar_end, role, &temperature);
    let (role, power) = figure::power(look, chip);
    canvas.right(columns.bar_end, y, columns.bar_end + 12, role, &power);
    let clock = figure::clock(look, chip);
    let role = if clock.contains("MHz") { Role::Plain } else { Role::Quiet };
    canvas.right(columns.bar_end + 12, y, columns.share_end, role, &clock);
    let (role, owners) = owners(look, snapshot, chip);
    canvas.text(columns.notes, y, columns.end, role, &owners);
}

/// Returns the board and, unless it names it, the architecture.
fn name(chip: &Chip) -> String {
    let board = chip.board.as_deref().unwrap_or("unknown board");
    let arch = chip.arch.map_or("", |arch| arch.as_str());
    if board.contains(arch) { board.to_owned() } else { format!("{board} {arch}") }
}

fn draw_memory(
    app: &App,
    canvas: &mut Canvas<'_>,
    y: u16,
    columns: &Columns,
    chip: &Chip,
    space: MemorySpace,
) {
    let (look, memory) = (canvas.look, &chip.memory);
    canvas.text(columns.bar - 5, y, columns.bar, Role::Quiet, space.label());
    let bar = (columns.bar, y, columns.bar_end - columns.bar);
    memory::draw_bar(app, canvas, chip, space, bar);
    let (used, capacity) = (space.used(memory), space.capacity(memory));
    let role = figure::pressure(&used, &capacity);
    let amount = figure::of_whole(look, &used, &capacity);
    canvas.right(columns.bar_end, y, columns.amount_end, role, &amount);
    let share = figure::percent(&used, &capacity);
    canvas.right(columns.amount_end, y, columns.share_end, role, &share);
    let origin = space.origin(memory);
    let has_origin = columns.origin > columns.notes + 20;
    let end = if has_origin { columns.origin - 1 } else { columns.end };
    draw_notes(canvas, y, (columns.notes, end), memory::notes(look, memory, space));
    match (origin, space.missing(memory)) {
        (Some((source, quality)), _) if has_origin => {
            let text = format!("{} {}", source.as_str(), quality.as_str());
            canvas.right(columns.origin, y, columns.end, Role::Quiet, &text);
        }
        (None, Some(missing)) => {
            let text = format!("{}: {}", missing.reason.as_str(), missing.detail);
            canvas.text(columns.notes, y, columns.end, Role::Quiet, &text);
        }
        _ => {}
    }
}

/// Joins notes side by side, as many as fit whole.
fn draw_notes(
    canvas: &mut Canvas<'_>,
    y: u16,
    (mut x, end): (u16, u16),
    notes: Vec<(Role, String)>,
) {
    let glyphs = canvas.glyphs();
    for (role, text) in notes {
        if x + cells(width(&text)) + 2 > end {
            break;
        }
        // The same cell as in the bar; a kind that is not in the bar has none.
        let block = glyphs.fill(role).map(|_kind| glyphs.steps[glyphs.steps.len() / 2]);
        let swatch = canvas.fill(role).or(block).unwrap_or(glyphs.dot);
        canvas.text(x, y, end, role, swatch);
        x = canvas.text(x + 2, y, end, Role::Plain, &text) + 2;
    }
}
