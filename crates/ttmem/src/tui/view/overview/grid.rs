//! Several chips per row, for many chips on few rows.

use ratatui_core::layout::Rect;
use ttmem_model::Metric;
use ttmem_model::snapshot::Chip;

use super::groups::{self, Row};
use crate::output::text::width;
use crate::tui::app::{App, Focus, Target};
use crate::tui::look::Role;
use crate::tui::number::cells;
use crate::tui::view;
use crate::tui::view::memory::{self, MemorySpace};
use crate::tui::widget::canvas::{Canvas, scroll};
use crate::tui::widget::figure;

/// The least width of a chip with the gap after it: index, temperature, two bars.
const LEAST_COLUMNS: u16 = 19;
/// Width from which bars have their shares beside them; from [`WITH_POWER`] on there is power, too.
const WITH_SHARES: u16 = 24;
const WITH_POWER: u16 = 34;
/// Width from which owners are named.
const WITH_OWNERS: u16 = 52;

/// Width from which chips of a Galaxy have their tray and position.
const WITH_TRAY: u16 = 38;

/// Returns the most chips in a row whose bars have their shares beside them.
pub(super) fn most_with_shares(width: u16) -> u16 {
    (width - 1) / (WITH_SHARES + 1)
}

/// Returns the number of chips in a row: as few as fit in `most` rows.
pub(super) fn per_row(width: u16, chips: u16, most: u16) -> u16 {
    let densest = ((width - 1) / LEAST_COLUMNS).max(1);
    chips.div_ceil(most.max(1)).clamp(1, densest)
}

/// Draws a heading and as many chips as fit around the cursor.
pub(super) fn draw(
    app: &App,
    canvas: &mut Canvas<'_>,
    area: Rect,
    (rows, per_row): (&[Row], u16),
    chips: &[&Chip],
) {
    let columns = (area.width - 1) / per_row;
    let trays = chips.iter().any(|chip| chip.tray().is_some());
    let shown = usize::from(area.height.saturating_sub(1));
    let current = app.chip_index();
    let first = scroll(rows.len(), shown, groups::row_of(rows, current));
    // The number of chips out of view takes the place of the last heading.
    let is_cut = rows.len() > shown && per_row > 1;
    for cell in 0..per_row.min(cells(chips.len())) - u16::from(is_cut) {
        let x = area.x + 1 + cell * columns;
        draw_heading(canvas, &Parts::of(x, columns - 1, trays), area.y);
    }
    if rows.len() > shown {
        let text = format!("{} of {}", shown * usize::from(per_row), chips.len());
        canvas.right(area.x + 20, area.y, area.right() - 1, Role::Quiet, &text);
    }
    for (y, row) in (area.y + 1..area.bottom()).zip(&rows[first..]) {
        let range = match row {
            Row::Group(group, range) => {
                groups::draw(app, canvas, view::row(area, y), *group, &chips[range.clone()]);
                continue;
            }
            Row::Chips(range) => range.clone(),
        };
        for (column, index) in range.enumerate() {
            let x = area.x + 1 + cells(column) * columns;
            let cell = Rect { x, y, width: columns - 1, height: 1 };
            draw_chip(app, canvas, &Parts::of(x, columns - 1, trays), cell, chips[index]);
            canvas.hit(cell, Target::Chip(chips[index].id));
            if index == current && app.focus == Focus::Chips {
                canvas.cursor(cell);
            }
        }
    }
}

/// The columns of a chip: where the tray begins, where temperature and power end, and where each memory begins and ends.
struct Parts {
    tray: Option<u16>,
    temperature: u16,
    power: Option<u16>,
    memories: [(u16, u16); 2],
    /// Columns of a share after a bar.
    share: u16,
    owners: Option<u16>,
    end: u16,
}

impl Parts {
    /// Divides a cell; `trays` if any chip has a tray.
    fn of(x: u16, width: u16, trays: bool) -> Self {
        let tray = (trays && width >= WITH_TRAY).then_some(x + 4);
        let temperature = x + if tray.is_some() { 12 } else { 7 };
        let power = (width >= WITH_POWER).then_some(temperature + 6);
        let start = power.unwrap_or(temperature) + 1;
        let owners = (width >= WITH_OWNERS).then(|| start + (width - (start - x)) * 2 / 3);
        let room = owners.map_or(x + width, |owners| owners - 1).saturating_sub(start);
        let first = room.div_ceil(2);
        Self {
            tray,
            temperature,
            power,
            memories: [(start, start + first), (start + first + 1, start + room)],
            share: if width >= WITH_SHARES { 5 } else { 0 },
            owners,
            end: x + width,
        }
    }
}

fn draw_heading(canvas: &mut Canvas<'_>, parts: &Parts, y: u16) {
    canvas.right(parts.temperature.saturating_sub(4), y, parts.temperature, Role::Quiet, "TEMP");
    if let Some(power) = parts.power {
        canvas.right(parts.temperature, y, power, Role::Quiet, "POWER");
    }
    for ((start, end), space) in
        parts.memories.into_iter().zip([MemorySpace::Dram, MemorySpace::L1])
    {
        canvas.text(start, y, end, Role::Quiet, space.label());
    }
    if let Some(owners) = parts.owners {
        canvas.text(owners, y, parts.end, Role::Quiet, "OWNERS");
    }
}

fn draw_chip(app: &App, canvas: &mut Canvas<'_>, parts: &Parts, cell: Rect, chip: &Chip) {
    let look = canvas.look;
    canvas.text(cell.x, cell.y, cell.right(), Role::Strong, &super::number(look, chip));
    if let (Some(x), Some(at)) = (parts.tray, chip.tray()) {
        let text = format!("{}:{}", at.tray, at.position);
        canvas.text(x, cell.y, cell.right(), Role::Quiet, &text);
    }
    let (role, temperature) = figure::temperature(look, chip);
    let temperature = temperature.trim_end_matches('C');
    canvas.right(parts.temperature.saturating_sub(4), cell.y, parts.temperature, role, temperature);
    if let Some(end) = parts.power {
        let known = chip.telemetry.get(&Metric::Power).is_some_and(|power| power.value().is_some());
        let text = figure::rounded(look, chip, Metric::Power) + if known { " W" } else { "" };
        let role = figure::limit(chip, Metric::Power, Metric::PowerLimit);
        canvas.right(parts.temperature, cell.y, end, role, &text);
    }
    for ((start, end), space) in
        parts.memories.into_iter().zip([MemorySpace::Dram, MemorySpace::L1])
    {
        let text = memory::amount_in(look, &chip.memory, space, parts.share);
        // An amount in place of a share needs more columns than that.
        let share = match parts.share {
            0 => 0,
            share => share.max(cells(width(&text)) + 1).min(end - start),
        };
        let bar = end.saturating_sub(start + share);
        memory::draw_bar(app, canvas, chip, space, (start, cell.y, bar));
        if share > 0 {
            let used = space.used(&chip.memory);
            let role = figure::pressure(&used, &space.capacity(&chip.memory));
            let role = if used.value().is_none() { Role::Quiet } else { role };
            canvas.right(start + bar, cell.y, end, role, &text);
        }
    }
    if let (Some(start), Some(snapshot)) = (parts.owners, app.snapshot()) {
        let (role, text) = super::owners(look, snapshot, chip);
        canvas.text(start, cell.y, cell.right(), role, &text);
    }
}
