//! View 1: the chips with their memory, and the processes below them.

mod cards;
mod grid;
mod groups;
mod lines;

use std::ops::Range;

use ratatui_core::layout::Rect;
use ttmem_model::snapshot::{Chip, Snapshot, SourceStatus};
use ttmem_model::{MissingReason, Reading};

use super::table;
use crate::tui::app::{App, Focus};
use crate::tui::group::Group;
use crate::tui::look::{Look, Role};
use crate::tui::widget::canvas::{Canvas, scroll};

/// The minimum height of the process table: a heading and two processes.
const LEAST_PROCESS_ROWS: u16 = 3;

/// The layout of the chips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// Three rows per chip, with all of its memory.
    Cards,
    /// One row per chip.
    Lines,
    /// Several chips per row.
    Grid {
        /// Chips in a row.
        per_row: u16,
    },
}

/// Draws the view.
pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let chips = app.chips();
    if chips.is_empty() {
        return draw_none(app, canvas, area);
    }
    let sections = groups::sections(app, &chips);
    let (layout, height, grouped) = lay_out(area, (chips.len(), &sections), app.rows().len());
    let sections = if grouped { sections } else { Vec::new() };
    let top = Rect { height, ..area };
    let current = app.chip_index();
    match layout {
        Layout::Cards => {
            let shown = usize::from(height / cards::ROWS);
            let first = scroll(chips.len(), shown, current);
            cards::draw(app, canvas, top, &chips[first..]);
        }
        Layout::Lines => {
            let rows = groups::rows(&sections, chips.len(), 1);
            let shown = usize::from(height.saturating_sub(1));
            let first = scroll(rows.len(), shown, groups::row_of(&rows, current));
            lines::draw(app, canvas, top, &rows[first..], &chips);
            draw_more(canvas, top, chips.len(), shown);
        }
        Layout::Grid { per_row } => {
            let rows = groups::rows(&sections, chips.len(), usize::from(per_row));
            grid::draw(app, canvas, top, (&rows, per_row), &chips);
        }
    }
    let rest = Rect { y: area.y + height, height: area.height - height, ..area };
    draw_below(app, canvas, rest);
}

/// Returns the layout of the chips, its height, and true if it has rows of trays or boards.
fn lay_out(
    area: Rect,
    (chips, sections): (usize, &[(Group, Range<usize>)]),
    processes: usize,
) -> (Layout, u16, bool) {
    let height = |per_row: u16| {
        let rows = groups::rows(sections, chips, usize::from(per_row)).len();
        u16::try_from(rows + 1).unwrap_or(u16::MAX)
    };
    let grouped = !sections.is_empty();
    let chips = u16::try_from(chips).unwrap_or(u16::MAX);
    let processes = u16::try_from(processes).unwrap_or(u16::MAX);
    let below = processes.saturating_add(1).clamp(LEAST_PROCESS_ROWS, area.height / 3 + 1);
    let least = processes.saturating_add(1).min(LEAST_PROCESS_ROWS);
    let room = area.height.saturating_sub(below + 1);
    if area.width >= cards::LEAST_COLUMNS && chips.saturating_mul(cards::ROWS) <= room {
        (Layout::Cards, chips * cards::ROWS, false)
    } else if grouped && height(1) <= room {
        (Layout::Lines, height(1), true)
    } else if chips < area.height.saturating_sub(least + 1) {
        (Layout::Lines, chips + 1, false)
    } else {
        let most = area.height.saturating_sub(least + 1).max(2);
        let per_row = grid::per_row(area.width, chips, most - 1);
        let with_groups = (per_row..=grid::most_with_shares(area.width))
            .find(|per_row| grouped && height(*per_row) <= room);
        let rows = chips.div_ceil(per_row).saturating_add(1).min(most);
        match with_groups {
            Some(per_row) => (Layout::Grid { per_row }, height(per_row), true),
            None => (Layout::Grid { per_row }, rows, false),
        }
    }
}

/// Returns the number of chips that are out of view.
fn draw_more(canvas: &mut Canvas<'_>, area: Rect, count: usize, shown: usize) {
    if count > shown {
        let text = format!("{shown} of {count}");
        canvas.right(area.x, area.y, area.right() - 1, Role::Quiet, &text);
    }
}

/// Draws the processes, and charts of the selected chip where there is room.
fn draw_below(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    const LEAST_CHART_ROWS: u16 = 7;
    const MOST_CHART_ROWS: u16 = 24;
    if area.height == 0 {
        return;
    }
    let area = Rect { y: area.y + 1, height: area.height - 1, ..area };
    let rows = u16::try_from(app.rows().len()).unwrap_or(u16::MAX);
    let wanted = rows.saturating_add(table::FIXED_ROWS).min(area.height);
    let rest = area.height - wanted;
    let height = if rest > LEAST_CHART_ROWS { wanted } else { area.height };
    let focused = app.focus == Focus::Processes;
    table::draw(app, canvas, Rect { height, ..area }, focused);
    if rest > LEAST_CHART_ROWS {
        let height = (rest - 1).min(MOST_CHART_ROWS);
        let charts = Rect { y: area.bottom() - height, height, ..area };
        super::charts::draw_strip(app, canvas, charts);
    }
}

/// Draws the reasons for having no chip, source by source.
fn draw_none(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let Some(snapshot) = app.snapshot() else { return };
    let end = area.right() - 1;
    let mut y = area.y + 1;
    let is_replay = app.replay.is_some();
    let text = match snapshot.chips.is_empty() {
        true if is_replay => "No chips at this time.",
        true => "No chips.",
        false => "No chips match the selection; Esc clears it.",
    };
    canvas.text(area.x + 2, y, end, Role::Strong, text);
    y += 2;
    for source in snapshot.sources.iter().filter(|source| !source.detail.is_empty()) {
        let line =
            format!("{:9} {:9} {}", source.name.as_str(), source.status.as_str(), source.detail);
        let role = match source.status {
            SourceStatus::Failed => Role::Alarm,
            SourceStatus::Denied => Role::Notice,
            SourceStatus::Ok | SourceStatus::Absent | SourceStatus::NotRead => Role::Quiet,
        };
        canvas.text(area.x + 2, y, end, role, &line);
        y += 1;
    }
    if snapshot.chips.is_empty() {
        // Without a driver, a chip is known only while a process has its memory region.
        let hint = match is_replay {
            true => "n goes to the next event.",
            false => "ttmem top --demo shows an example.",
        };
        canvas.text(area.x + 2, y + 1, end, Role::Quiet, hint);
    }
}

/// Formats the index of a chip, with a branch before a remote chip.
fn number(look: Look, chip: &Chip) -> String {
    if chip.gateway.is_some() {
        format!("{}{:>2}", look.glyphs().branch, chip.index)
    } else {
        format!("{:>3}", chip.index)
    }
}

/// Formats the location of a chip: its PCIe address without a zero domain, or its gateway.
fn location(chip: &Chip) -> String {
    match (&chip.bdf, &chip.region) {
        (Some(bdf), _) => bdf.strip_prefix("0000:").unwrap_or(bdf).to_owned(),
        (None, _) if chip.remote => "remote".to_owned(),
        (None, Some(region)) => format!("region {}", region.id),
        (None, None) => String::new(),
    }
}

/// Returns the owners by name, as many as fit.
pub(in crate::tui) fn owners(look: Look, snapshot: &Snapshot, chip: &Chip) -> (Role, String) {
    let name = |pid: &ttmem_model::Pid| {
        let found = snapshot.processes.iter().find(|process| process.pid == *pid);
        found.map_or_else(|| pid.to_string(), |process| format!("{} {pid}", process.name))
    };
    let names: Vec<String> = chip.owners.pids.iter().map(name).collect();
    let outside = match &chip.owners.outside_namespace {
        Reading::Known { value: 0, .. } => None,
        Reading::Known { value, .. } => Some(format!("{value} files outside namespace")),
        Reading::Missing(missing) if missing.reason == MissingReason::Denied => {
            Some("others not shown".to_owned())
        }
        Reading::Missing(_) => None,
    };
    let unreadable = chip.owners.outside_namespace.value().is_none() && !chip.remote;
    match (names.is_empty(), outside) {
        (true, None) if unreadable => (Role::Quiet, "?".to_owned()),
        (true, None) if chip.bdf.is_none() => (Role::Quiet, look.glyphs().dash.to_owned()),
        (true, None) => (Role::Quiet, "no owner".to_owned()),
        (_, outside) => {
            (Role::Plain, names.into_iter().chain(outside).collect::<Vec<_>>().join(", "))
        }
    }
}
