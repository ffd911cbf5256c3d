//! The framed table of a few chips: one group of lines each.

use ttmem_model::snapshot::{Chip, Snapshot};

use super::breakdown::{self, LABEL_COLUMNS, MemoryLine, Sort};
use super::legend::Legend;
use super::{INNER_END, SIDES};
use crate::field::figure::Figure;
use crate::output::page::{Page, Role};
use crate::output::sheet::{Rule, Sheet};
use crate::output::{amount, bar, naming};

/// Board and bars; amounts; origin and telemetry.
const RULES: [usize; 4] = [0, 35, 63, 90];
/// Where the text of the first cell ends.
const FIRST_END: usize = 34;
/// Where the text of the second cell begins and ends.
const SECOND: (usize, usize) = (37, 62);
/// Where the text of the third cell begins.
const THIRD: usize = 65;
/// Where the names of memory lines begin.
const LABELS: usize = 7;
/// Where bars begin.
const BARS: usize = LABELS + LABEL_COLUMNS + 1;
/// Where used bytes end, and capacities.
const USED_END: usize = 46;
const CAPACITY_END: usize = 57;
/// Where temperature and power end.
const TEMPERATURE_END: usize = 70;
const POWER_END: usize = 80;
/// Where qualities begin.
const QUALITIES: usize = 76;

/// Says in the open frame that there is no chip, and closes it.
pub(super) fn draw_none(sheet: &mut Sheet<'_>) {
    sheet.rule(Rule::Thin, &SIDES, &SIDES);
    let mut line = sheet.start_row();
    line.push(Role::Plain, "No Tenstorrent chip found", INNER_END);
    line.rule_at(SIDES[1]);
    sheet.end(line);
    sheet.rule(Rule::Thin, &SIDES, &[]);
}

/// Draws the chips into the open frame and closes it.
pub(super) fn draw(sheet: &mut Sheet<'_>, snapshot: &Snapshot, legend: &mut Legend) {
    sheet.rule(Rule::Thin, &SIDES, &RULES);
    draw_heading(sheet);
    let board_columns = naming::board_columns(&snapshot.chips);
    let mut rule = Rule::Thick;
    for chip in &snapshot.chips {
        sheet.rule(rule, &RULES, &RULES);
        draw_chip(sheet, snapshot, chip, board_columns);
        for memory in breakdown::lines(&chip.memory) {
            draw_memory(sheet, &memory, legend);
        }
        rule = Rule::Thin;
    }
    sheet.rule(Rule::Thin, &RULES, &[]);
}

fn draw_heading(sheet: &mut Sheet<'_>) {
    let mut line = sheet.start_row();
    line.push(Role::Plain, "Chip Board", FIRST_END);
    line.push_right(Role::Plain, "Firmware", FIRST_END);
    line.rule_at(RULES[1]);
    line.pad_to(SECOND.0);
    line.push(Role::Plain, "Bus", SECOND.1);
    line.push_right(Role::Plain, "Owners", SECOND.1);
    line.rule_at(RULES[2]);
    line.push_right(Role::Plain, "Temp", TEMPERATURE_END);
    line.push_right(Role::Plain, "Power", POWER_END);
    line.push_right(Role::Plain, "AICLK", INNER_END);
    line.rule_at(RULES[3]);
    sheet.end(line);

    let mut line = sheet.start_row();
    line.pad_to(LABELS);
    line.push(Role::Plain, "Memory", FIRST_END);
    line.rule_at(RULES[1]);
    line.push_right(Role::Plain, "Used", USED_END);
    line.push_right(Role::Plain, "/ Capacity", CAPACITY_END);
    line.rule_at(RULES[2]);
    line.pad_to(THIRD);
    line.push(Role::Plain, "Source", QUALITIES - 1);
    line.pad_to(QUALITIES);
    line.push(Role::Plain, "Quality", INNER_END);
    line.rule_at(RULES[3]);
    sheet.end(line);
}

fn draw_chip(sheet: &mut Sheet<'_>, snapshot: &Snapshot, chip: &Chip, board_columns: usize) {
    let page = sheet.page();
    let mut line = sheet.start_row();
    line.push_right(Role::Strong, &chip.index.to_string(), LABELS - 1);
    line.pad_to(LABELS);
    let firmware = naming::firmware(chip).unwrap_or(page.glyphs().dash);
    line.push(Role::Strong, &naming::board(chip, board_columns), FIRST_END - 1);
    line.push_right(Role::Plain, firmware, FIRST_END);
    line.rule_at(RULES[1]);
    line.pad_to(SECOND.0);
    let place = naming::place(snapshot, chip);
    line.push(Role::Plain, place.as_deref().unwrap_or(page.glyphs().dash), SECOND.0 + 15);
    line.push_right(Role::Plain, &naming::owners_in_words(chip), SECOND.1);
    line.rule_at(RULES[2]);
    let (role, temperature) = naming::temperature(page, chip);
    line.push_right(role, &temperature, TEMPERATURE_END);
    let (role, power) = naming::power_of_limit(page, chip);
    line.push_right(role, &power, POWER_END);
    line.push_right(Role::Plain, &naming::clock(page, chip), INNER_END);
    line.rule_at(RULES[3]);
    sheet.end(line);
}

fn draw_memory(sheet: &mut Sheet<'_>, memory: &MemoryLine, legend: &mut Legend) {
    let page = sheet.page();
    let (used, capacity) = (memory.used, memory.capacity);
    let amounts = used.bytes().zip(capacity.bytes());
    let mut line = sheet.start_row();
    line.pad_to(LABELS + memory.sort.indent());
    let role = if memory.sort == Sort::NestedNotice { Role::Notice } else { Role::Plain };
    line.push(role, memory.label, BARS - 1);
    line.pad_to(BARS);
    if let Some((used, capacity)) = amounts {
        let (filled, track) = bar::bar(page, used, capacity, FIRST_END - BARS);
        line.push(fill_role(memory, used, capacity), &filled, FIRST_END);
        line.push(Role::Quiet, &track, FIRST_END);
    }
    line.rule_at(RULES[1]);
    line.push_right(Role::Plain, &legend.unmarked(page, used), USED_END);
    if let Some(capacity) = memory.own_capacity {
        let capacity = legend.unmarked(page, capacity);
        line.push_right(Role::Quiet, &format!("/ {capacity:>8}"), CAPACITY_END);
    }
    let percent = amounts.and_then(|(used, capacity)| amount::percent(used, capacity));
    line.push_right(Role::Plain, &percent.unwrap_or_default(), SECOND.1);
    line.rule_at(RULES[2]);
    line.pad_to(THIRD);
    match used {
        Figure::Known { source, quality, .. } => {
            line.push(Role::Quiet, source.as_str(), QUALITIES - 1);
            line.pad_to(QUALITIES);
            line.push(Role::Quiet, quality.as_str(), INNER_END);
        }
        Figure::Blank(reason) => line.push(reason_role(page, used), reason.as_str(), INNER_END),
    }
    line.rule_at(RULES[3]);
    sheet.end(line);
}

/// Returns the style of the filled part of a bar.
pub(super) fn fill_role(memory: &MemoryLine, used: u64, capacity: u64) -> Role {
    match memory.sort {
        Sort::Main => bar::role(used, capacity),
        Sort::Nested => Role::Quiet,
        Sort::NestedNotice => Role::Notice,
    }
}

/// Returns the style of a missing reason: one that the user can fix is a warning.
pub(super) fn reason_role(page: &Page, figure: Figure) -> Role {
    match figure {
        Figure::Blank(reason) if page.blank(reason) == "?" => Role::Notice,
        _ => Role::Quiet,
    }
}
