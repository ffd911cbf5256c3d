//! Several chips per row, for many chips on few rows.

use ratatui_core::layout::Rect;
use ttmem_model::Metric;
use ttmem_model::snapshot::Chip;

use crate::tui::app::{App, Focus, Target};
use crate::tui::look::Role;
use crate::tui::number::cells;
use crate::tui::view::memory::{self, MemorySpace};
use crate::tui::widget::canvas::{Canvas, scroll};
use crate::tui::widget::figure;

/// The least width of a chip with the gap behind it: index, temperature, two bars.
const LEAST_COLUMNS: u16 = 19;
/// From this width on bars have their shares beside them, and from [`WITH_POWER`] on there is power, too.
const WITH_SHARES: u16 = 24;
const WITH_POWER: u16 = 34;
/// From this width on owners are named.
const WITH_OWNERS: u16 = 52;

/// Returns the rows that a number of chips takes: as few chips per row as fit in `most` rows.
pub(super) fn rows(width: u16, chips: u16, most: u16) -> u16 {
    chips.div_ceil(per_row(width, chips, most))
}

fn per_row(width: u16, chips: u16, most: u16) -> u16 {
    let densest = ((width - 1) / LEAST_COLUMNS).max(1);
    chips.div_ceil(most.max(1)).clamp(1, densest)
}

/// Draws a heading and as many chips as fit around the cursor.
pub(super) fn draw(
    app: &App,
    canvas: &mut Canvas<'_>,
    area: Rect,
    chips: &[&Chip],
    current: usize,
) {
    let most = area.height.saturating_sub(1);
    let per_row = usize::from(per_row(area.width, cells(chips.len()), most));
    let columns = (area.width - 1) / cells(per_row);
    let shown = usize::from(area.height.saturating_sub(1));
    let first = scroll(chips.len().div_ceil(per_row), shown, current / per_row);
    // The number of chips out of view takes the place of the last heading.
    let is_cut = chips.len() > shown * per_row && per_row > 1;
    for cell in 0..cells(per_row.min(chips.len()) - usize::from(is_cut)) {
        draw_heading(canvas, area.x + 1 + cell * columns, area.y, columns - 1);
    }
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

/// The columns of a chip: where temperature and power end, and where each memory begins and ends.
struct Parts {
    temperature: u16,
    power: Option<u16>,
    memories: [(u16, u16); 2],
    /// Columns of a share behind a bar.
    share: u16,
    owners: Option<u16>,
}

impl Parts {
    fn of(x: u16, width: u16) -> Self {
        let temperature = x + 7;
        let power = (width >= WITH_POWER).then_some(temperature + 6);
        let start = power.unwrap_or(temperature) + 1;
        let owners = (width >= WITH_OWNERS).then(|| start + (width - (start - x)) * 2 / 3);
        let room = owners.map_or(x + width, |owners| owners - 1).saturating_sub(start);
        let first = room.div_ceil(2);
        Self {
            temperature,
            power,
            memories: [(start, start + first), (start + first + 1, start + room)],
            share: if width >= WITH_SHARES { 5 } else { 0 },
            owners,
        }
    }
}

fn draw_heading(canvas: &mut Canvas<'_>, x: u16, y: u16, width: u16) {
    let parts = Parts::of(x, width);
    canvas.right(x + 3, y, parts.temperature, Role::Quiet, "TEMP");
    if let Some(power) = parts.power {
        canvas.right(parts.temperature, y, power, Role::Quiet, "POWER");
    }
    for ((start, end), space) in
        parts.memories.into_iter().zip([MemorySpace::Dram, MemorySpace::L1])
    {
        canvas.text(start, y, end, Role::Quiet, space.label());
    }
    if let Some(owners) = parts.owners {
        canvas.text(owners, y, x + width, Role::Quiet, "OWNERS");
    }
}

fn draw_chip(app: &App, canvas: &mut Canvas<'_>, cell: Rect, chip: &Chip) {
    let look = canvas.look;
    let parts = Parts::of(cell.x, cell.width);
    canvas.text(cell.x, cell.y, cell.right(), Role::Strong, &super::number(look, chip));
    let (role, temperature) = figure::temperature(look, chip);
    let temperature = temperature.trim_end_matches('C');
    canvas.right(cell.x + 3, cell.y, parts.temperature, role, temperature);
    if let Some(end) = parts.power {
        let known = chip.telemetry.get(&Metric::Power).is_some_and(|power| power.value().is_some());
        let text = figure::rounded(look, chip, Metric::Power) + if known { " W" } else { "" };
        let role = figure::limit(chip, Metric::Power, Metric::PowerLimit);
        canvas.right(parts.temperature, cell.y, end, role, &text);
    }
    for ((start, end), space) in
        parts.memories.into_iter().zip([MemorySpace::Dram, MemorySpace::L1])
    {
        let bar = end.saturating_sub(start + parts.share);
        memory::draw_bar(app, canvas, chip, space, (start, cell.y, bar));
        if parts.share > 0 {
            let used = space.used(&chip.memory);
            let text = memory::amount_in(look, &chip.memory, space, parts.share);
            let role = figure::pressure(used, space.capacity(&chip.memory));
            let role = if used.bytes().is_none() { Role::Quiet } else { role };
            canvas.right(start + bar, cell.y, end, role, &text);
        }
    }
    if let (Some(start), Some(snapshot)) = (parts.owners, app.snapshot()) {
        let (role, text) = super::owners(look, snapshot, chip);
        canvas.text(start, cell.y, cell.right(), role, &text);
    }
}
