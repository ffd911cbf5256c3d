//! The framed table of many chips: one line each, under a line for each run of like chips.

use ttmem_model::snapshot::{Chip, Snapshot};

use super::breakdown::{self, MemoryLine};
use super::chips::{fill_role, reason_role};
use super::legend::Legend;
use super::{INNER_END, SIDES};
use crate::field::figure::Figure;
use crate::output::line::Line;
use crate::output::page::Role;
use crate::output::sheet::{Rule, Sheet};
use crate::output::{amount, bar, naming};

/// Identity; telemetry; DRAM; L1.
const RULES: [usize; 5] = [0, 25, 40, 65, 90];
/// Where the number of a chip ends, its place begins, and the number of its owners ends.
const CHIP_END: usize = 6;
const PLACE: usize = 7;
const OWNERS_END: usize = 24;
/// Where temperature and power end.
const TEMPERATURE_END: usize = 32;
const POWER_END: usize = 39;
/// Where the two memories begin.
const MEMORIES: [usize; 2] = [42, 67];

/// Draws the chips into the open frame and closes it.
pub(super) fn draw(sheet: &mut Sheet<'_>, snapshot: &Snapshot, legend: &mut Legend) {
    sheet.rule(Rule::Thin, &SIDES, &RULES);
    draw_heading(sheet);
    let mut rule = Rule::Thick;
    for chips in snapshot.chips.chunk_by(|one, next| likeness(one) == likeness(next)) {
        sheet.rule(rule, &RULES, &SIDES);
        draw_likeness(sheet, chips);
        sheet.rule(Rule::Thin, &SIDES, &RULES);
        for chip in chips {
            draw_chip(sheet, snapshot, chip, legend);
        }
        rule = Rule::Thin;
    }
    sheet.rule(Rule::Thin, &RULES, &[]);
    legend.hint_at_one_chip();
}

/// Returns the common properties of chips in a run, in words.
pub(super) fn likeness(chip: &Chip) -> Vec<String> {
    let mut parts = vec![naming::board(chip, 0)];
    let [dram, l1] = memories(chip);
    if let Some(bytes) = dram.capacity.bytes() {
        parts.push(format!("DRAM {}", amount::size(bytes)));
    }
    if let Some(bytes) = l1.capacity.bytes() {
        parts.push(format!("L1 {}", amount::size(bytes)));
    }
    if let Some(version) = naming::firmware(chip) {
        parts.push(format!("Firmware {version}"));
    }
    parts
}

/// DRAM, and what the allocator has handed out of L1.
pub(super) fn memories(chip: &Chip) -> [MemoryLine; 2] {
    let mut lines = breakdown::lines(&chip.memory).into_iter();
    let blank = MemoryLine::blank();
    let dram = lines.find(|line| line.label == breakdown::DRAM).unwrap_or(blank);
    let l1 = lines.find(|line| line.label == breakdown::L1_ALLOCATED).unwrap_or(blank);
    [dram, l1]
}

fn draw_heading(sheet: &mut Sheet<'_>) {
    let mut line = sheet.start_row();
    line.push(Role::Plain, "Chip", CHIP_END);
    line.pad_to(PLACE);
    line.push(Role::Plain, "Bus", OWNERS_END);
    line.push_right(Role::Plain, "Owners", OWNERS_END);
    line.rule_at(RULES[1]);
    line.push_right(Role::Plain, "Temp", TEMPERATURE_END);
    line.push_right(Role::Plain, "Power", POWER_END);
    line.rule_at(RULES[2]);
    line.pad_to(MEMORIES[0]);
    line.push(Role::Plain, "DRAM used", RULES[3]);
    line.rule_at(RULES[3]);
    line.pad_to(MEMORIES[1]);
    line.push(Role::Plain, "L1 allocated", RULES[4]);
    line.rule_at(RULES[4]);
    sheet.end(line);
}

fn draw_likeness(sheet: &mut Sheet<'_>, chips: &[Chip]) {
    let mut line = sheet.start_row();
    if let Some((board, rest)) = chips.first().map(likeness).as_deref().and_then(<[_]>::split_first)
    {
        line.push(Role::Strong, board, INNER_END);
        let count = match chips.len() {
            1 => "1 chip".to_owned(),
            count => format!("{count} chips"),
        };
        for part in std::iter::once(&count).chain(rest) {
            line.pad_to((line.columns() + 3).min(INNER_END));
            line.push(Role::Plain, part, INNER_END);
        }
    }
    line.rule_at(SIDES[1]);
    sheet.end(line);
}

fn draw_chip(sheet: &mut Sheet<'_>, snapshot: &Snapshot, chip: &Chip, legend: &mut Legend) {
    let page = sheet.page();
    let mut line = sheet.start_row();
    line.push_right(Role::Strong, &chip.index.to_string(), CHIP_END);
    line.pad_to(PLACE);
    let place = naming::place(snapshot, chip);
    line.push(Role::Plain, place.as_deref().unwrap_or(page.glyphs().dash), OWNERS_END - 4);
    line.push_right(Role::Plain, &naming::owners(chip), OWNERS_END);
    line.rule_at(RULES[1]);
    let (role, temperature) = naming::temperature(page, chip);
    line.push_right(role, &temperature, TEMPERATURE_END);
    let (role, power) = naming::power(page, chip);
    line.push_right(role, &power, POWER_END);
    line.rule_at(RULES[2]);
    for ((memory, start), end) in memories(chip).iter().zip(MEMORIES).zip([RULES[3], RULES[4]]) {
        line.pad_to(start);
        draw_memory(&mut line, memory, BAR_COLUMNS, legend);
        line.rule_at(end);
    }
    sheet.end(line);
}

/// The length of a bar.
const BAR_COLUMNS: usize = 10;
/// An amount and a share behind a bar, with the spaces before them.
pub(super) const AMOUNT_COLUMNS: usize = 7;
pub(super) const SHARE_COLUMNS: usize = 5;

/// A bar, an amount and a share of what there is, or the reason why not.
pub(super) fn draw_memory(
    line: &mut Line<'_>,
    memory: &MemoryLine,
    bar_columns: usize,
    legend: &mut Legend,
) {
    let page = line.page();
    let start = line.columns();
    let amount_end = start + bar_columns + AMOUNT_COLUMNS;
    let text = legend.short(page, memory.used);
    match (memory.used, memory.used.bytes().zip(memory.capacity.bytes())) {
        (Figure::Blank(reason), _) => {
            line.push(Role::Plain, &text, amount_end);
            line.pad_to(line.columns() + 1);
            let role = reason_role(page, memory.used);
            line.push(role, reason.as_str(), amount_end + SHARE_COLUMNS);
        }
        (_, None) => line.push_right(Role::Plain, &text, amount_end),
        (_, Some((used, capacity))) => {
            let (filled, track) = bar::bar(page, used, capacity, bar_columns);
            line.push(fill_role(memory, used, capacity), &filled, amount_end);
            line.push(Role::Quiet, &track, amount_end);
            line.push_right(Role::Plain, &text, amount_end);
            let percent = amount::percent(used, capacity).unwrap_or_default();
            line.push_right(Role::Plain, &percent, amount_end + SHARE_COLUMNS);
        }
    }
    line.pad_to(amount_end + SHARE_COLUMNS);
}
