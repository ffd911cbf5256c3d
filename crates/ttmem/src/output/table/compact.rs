//! The table with one line per chip: equal chips below a line with their common properties, or with their boards in a
//! column where there are few of each. Narrow pages have fewer columns, and missing values that are equal for all chips
//! are printed once.

use ttmem_model::snapshot::{Chip, Snapshot};

use super::breakdown::{self, DRAM, L1_ALLOCATED};
use super::chips::{fill_role, reason_role};
use super::columns::{self, Cell, Column, Layout, SHARE, gap, is_framed};
use super::legend::Legend;
use ttmem_model::Reading;

use crate::output::line::Line;
use crate::output::page::{Page, Role};
use crate::output::sheet::{Rule, Sheet};
use crate::output::{amount, bar, naming};

/// Chips of a run that get a line of their own for what they have in common.
const LEAST_RUN: usize = 4;

/// Draws the chips, in a frame where the page is wide enough.
pub(super) fn draw(sheet: &mut Sheet<'_>, snapshot: &Snapshot, legend: &mut Legend) {
    let page = sheet.page();
    let runs = runs(&snapshot.chips);
    let is_grouped = snapshot.chips.len() >= LEAST_RUN * runs.len();
    let layout = columns::lay_out(snapshot, page, legend, is_grouped);
    let rules = rules(&layout, page);
    let sides = [0, page.width - 1];
    rule(sheet, Rule::Thin, &sides, &rules);
    draw_heading(sheet, &layout);
    let mut index = 0;
    let mut between = Rule::Thick;
    for run in runs {
        if is_grouped {
            rule(sheet, between, &rules, &sides);
            draw_common(sheet, run);
            rule(sheet, Rule::Thin, &sides, &rules);
        } else if between == Rule::Thick {
            rule(sheet, between, &rules, &rules);
        }
        between = Rule::Thin;
        let mut tray = run.first().and_then(Chip::tray).map(|at| at.tray);
        for chip in run {
            let own = chip.tray().map(|at| at.tray);
            if own != tray {
                rule(sheet, Rule::Thin, &rules, &rules);
                tray = own;
            }
            draw_chip(sheet, &layout, index);
            index += 1;
        }
    }
    rule(sheet, Rule::Thin, &rules, &[]);
    legend.missing_everywhere(&layout.missing);
    legend.hint_at_one_chip();
}

/// Draws a rule of the frame, if there is one.
fn rule(sheet: &mut Sheet<'_>, rule: Rule, above: &[usize], below: &[usize]) {
    if is_framed(sheet.page()) {
        sheet.rule(rule, above, below);
    }
}

/// Returns where the vertical rules are.
fn rules(layout: &Layout, page: &Page) -> Vec<usize> {
    let mut rules = vec![0];
    let mut x = 2;
    for (index, column) in layout.columns.iter().enumerate() {
        let gap = gap(&layout.columns, index, page);
        if gap == columns::FRAMED_GAP {
            rules.push(x + 1);
        }
        x += gap + width_of(layout, column);
    }
    rules.push(page.width - 1);
    rules
}

fn width_of(layout: &Layout, column: &Column) -> usize {
    column.width + if column.has_bar() { layout.bar } else { 0 }
}

/// Draws the cells of one line.
fn draw_cells<'p>(
    sheet: &mut Sheet<'p>,
    layout: &Layout,
    mut cell: impl FnMut(&mut Line<'p>, &Column, usize),
) {
    let page = sheet.page();
    let mut line = if is_framed(page) { sheet.start_row() } else { sheet.start() };
    for (index, column) in layout.columns.iter().enumerate() {
        let gap = gap(&layout.columns, index, page);
        let start = line.columns() + gap;
        if gap == columns::FRAMED_GAP {
            line.rule_at(start - 2);
        }
        line.pad_to(start);
        let end = start + width_of(layout, column);
        cell(&mut line, column, end);
        line.pad_to(end);
    }
    if is_framed(page) {
        line.rule_at(page.width - 1);
    }
    sheet.end(line);
}

fn draw_heading(sheet: &mut Sheet<'_>, layout: &Layout) {
    let role = if is_framed(sheet.page()) { Role::Plain } else { Role::Quiet };
    draw_cells(sheet, layout, |line, column, end| {
        if column.is_right {
            line.push_right(role, &column.heading, end);
        } else {
            line.push(role, &column.heading, end);
        }
    });
}

fn draw_chip(sheet: &mut Sheet<'_>, layout: &Layout, index: usize) {
    draw_cells(sheet, layout, |line, column, end| match &column.cells[index] {
        Cell::Text(role, text) if column.is_right => line.push_right(*role, text, end),
        Cell::Text(role, text) => line.push(*role, text, end),
        Cell::Memory(memory, text, share) => {
            let page = line.page();
            let bar_end = line.columns() + layout.bar;
            match (&memory.used, memory.used.value().copied().zip(memory.capacity.value().copied()))
            {
                (Reading::Missing(_), _) => {
                    line.push(reason_role(page, &memory.used), text, end);
                    return;
                }
                (_, Some((used, capacity))) if layout.bar > 0 => {
                    let (filled, track) = bar::bar(page, used, capacity, layout.bar - 1);
                    line.push(fill_role(memory, used, capacity), &filled, bar_end);
                    line.push(Role::Quiet, &track, bar_end);
                }
                _ => {}
            }
            line.push_right(Role::Plain, text, end - SHARE);
            line.push_right(Role::Plain, share, end);
        }
    });
}

/// Returns the runs of neighbours with the same board and the same memory.
fn runs(chips: &[Chip]) -> Vec<&[Chip]> {
    let is_alike = |one: &Chip, next: &Chip| {
        let firmware = (naming::firmware(one), naming::firmware(next));
        let differs = matches!(firmware, (Some(one), Some(next)) if one != next);
        likeness(one) == likeness(next) && !differs
    };
    chips.chunk_by(is_alike).collect()
}

/// Returns the board and the memory of a chip, in words.
fn likeness(chip: &Chip) -> Vec<String> {
    let mut parts = vec![naming::board(chip, 0)];
    for (name, line) in [("DRAM", DRAM), ("L1", L1_ALLOCATED)] {
        let capacity = breakdown::line(chip, line).capacity.value().copied();
        parts.extend(capacity.map(|bytes| format!("{name} {}", amount::size(bytes))));
    }
    parts
}

/// Draws what the chips of a run have in common.
fn draw_common(sheet: &mut Sheet<'_>, chips: &[Chip]) {
    let framed = is_framed(sheet.page());
    let end = if framed { sheet.page().width - 2 } else { sheet.page().width };
    let mut line = if framed { sheet.start_row() } else { sheet.start() };
    let count = match chips.len() {
        1 => "1 chip".to_owned(),
        count => format!("{count} chips"),
    };
    let common = chips.first().map(likeness).unwrap_or_default();
    let firmware =
        chips.iter().find_map(naming::firmware).map(|version| format!("Firmware {version}"));
    for (index, part) in common.iter().enumerate() {
        let role = if index == 0 { Role::Strong } else { Role::Plain };
        line.pad_to(if index == 0 { line.columns() } else { (line.columns() + 3).min(end) });
        line.push(role, part, end);
        if index == 0 {
            line.pad_to((line.columns() + 3).min(end));
            line.push(Role::Plain, &count, end);
        }
    }
    if let Some(part) = firmware {
        line.pad_to((line.columns() + 3).min(end));
        line.push(Role::Plain, &part, end);
    }
    if framed {
        line.rule_at(sheet.page().width - 1);
    }
    sheet.end(line);
}
