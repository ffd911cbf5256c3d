//! Rows of chips, with a row above the chips of each tray or board.

use std::ops::Range;

use ratatui_core::layout::Rect;
use ttmem_model::snapshot::Chip;

use ttmem_model::Reading;

use crate::field::cell::untold;
use crate::output::text::width;
use crate::tui::app::App;
use crate::tui::group::{Group, Groups};
use crate::tui::look::Role;
use crate::tui::number::cells;
use crate::tui::track::{Subject, Track, Unit};
use crate::tui::view::memory::MemorySpace;
use crate::tui::widget::canvas::Canvas;
use crate::tui::widget::figure::{charted, percent, pressure, short};

/// A row of the overview. Chips are positions among the visible ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Row {
    /// The name and the sums of a tray or board, and its chips.
    Group(Group, Range<usize>),
    /// Chips side by side.
    Chips(Range<usize>),
}

/// Returns the trays or boards of visible chips that are one after the other; empty if there are none.
pub(super) fn sections(app: &App, chips: &[&Chip]) -> Vec<(Group, Range<usize>)> {
    let Some(snapshot) = app.snapshot() else { return Vec::new() };
    let groups = Groups::of(snapshot);
    let mut sections: Vec<(Group, Range<usize>)> = Vec::new();
    for (index, chip) in chips.iter().enumerate() {
        let position = snapshot.chips.iter().position(|other| other.id == chip.id);
        let Some(group) = position.and_then(|position| groups.at(position)) else {
            return Vec::new();
        };
        match sections.last_mut() {
            Some((last, range)) if *last == group => range.end = index + 1,
            _ => sections.push((group, index..index + 1)),
        }
    }
    sections
}

/// Returns the rows of chips with at most `per_row` in each, without a row across two sections.
pub(super) fn rows(sections: &[(Group, Range<usize>)], chips: usize, per_row: usize) -> Vec<Row> {
    let per_row = per_row.max(1);
    let of = |range: Range<usize>| {
        let end = range.end;
        range.step_by(per_row).map(move |first| Row::Chips(first..(first + per_row).min(end)))
    };
    if sections.is_empty() {
        return of(0..chips).collect();
    }
    let of_section = |(group, range): &(Group, Range<usize>)| {
        std::iter::once(Row::Group(*group, range.clone())).chain(of(range.clone()))
    };
    sections.iter().flat_map(of_section).collect()
}

/// Returns the position of the row with a chip.
pub(super) fn row_of(rows: &[Row], chip: usize) -> usize {
    let has = |row: &Row| matches!(row, Row::Chips(range) if range.contains(&chip));
    rows.iter().position(has).unwrap_or(0)
}

/// Draws the name of a tray or board, its number of chips, and as many of its sums as fit.
pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect, group: Group, chips: &[&Chip]) {
    let end = area.right() - 1;
    let name = app.name_of(Subject::Group(group));
    let mut x = canvas.text(area.x + 1, area.y, end, Role::Strong, &name) + 2;
    let count = format!("{} {}", chips.len(), if chips.len() == 1 { "chip" } else { "chips" });
    for (role, text) in std::iter::once((Role::Quiet, count)).chain(sums(canvas, chips)) {
        if x + cells(width(&text)) > end {
            return;
        }
        x = canvas.text(x, area.y, end, role, &text) + 2;
    }
}

/// Returns memory and power of chips together, and the temperature of the hottest.
fn sums(canvas: &Canvas<'_>, chips: &[&Chip]) -> Vec<(Role, String)> {
    let look = canvas.look;
    let memory = |space: MemorySpace| {
        let sum = |of: &dyn Fn(&Chip) -> Reading<u64>| {
            chips.iter().map(|chip| of(chip)).reduce(Reading::checked_add)
        };
        let used = sum(&|chip| space.used(&chip.memory)).unwrap_or_else(untold);
        let capacity = sum(&|chip| space.capacity(&chip.memory)).unwrap_or_else(untold);
        let text =
            format!("{} {} {}", space.label(), short(look, &used), percent(&used, &capacity));
        let role = if used.value().is_some() { pressure(&used, &capacity) } else { Role::Quiet };
        (role, text.trim_end().to_owned())
    };
    let of = |track: Track, unit: Unit, note: &str| {
        let known = || chips.iter().filter_map(|chip| track.of_chip(chip));
        let number = Group::All.combine(track, known())?;
        let part = match known().count() {
            1 if chips.len() > 1 && track.adds_up() => " of 1 chip".to_owned(),
            known if known < chips.len() && track.adds_up() => format!(" of {known} chips"),
            _ => String::new(),
        };
        Some((Role::Plain, format!("{}{part}{note}", charted(look, unit, number))))
    };
    [MemorySpace::Dram, MemorySpace::L1]
        .map(memory)
        .into_iter()
        .chain(of(Track::Power, Unit::Watts, ""))
        .chain(of(Track::Temperature, Unit::Celsius, " at most"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_is_across_two_trays() {
        let tray = |tray| Group::Tray(Some(tray));
        let sections = [(tray(1), 0..3), (tray(2), 3..5)];
        let expected = [
            Row::Group(tray(1), 0..3),
            Row::Chips(0..2),
            Row::Chips(2..3),
            Row::Group(tray(2), 3..5),
            Row::Chips(3..5),
        ];
        let rows = rows(&sections, 5, 2);
        assert_eq!(rows, expected);
        assert_eq!((row_of(&rows, 2), row_of(&rows, 4)), (2, 4));
        assert_eq!(super::rows(&[], 3, 2), [Row::Chips(0..2), Row::Chips(2..3)]);
    }
}
