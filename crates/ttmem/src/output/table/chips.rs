//! The framed table of a few chips: one group of lines each.

use ttmem_model::snapshot::{Chip, Snapshot};

use super::breakdown::{self, LABEL_COLUMNS, MemoryLine, Sort};
use super::legend::Legend;
use super::sides;
use ttmem_model::{Missing, Reading};

use crate::output::page::{FULL_WIDTH, Page, Role};
use crate::output::sheet::{Rule, Sheet};
use crate::output::text::width;
use crate::output::{amount, bar, naming};

/// The columns of a frame: board and bars; amounts; origin and telemetry.
struct Frame {
    /// Columns of the vertical rules.
    rules: [usize; 4],
    /// Columns that the page has more than the reference layout, in the first cell.
    wider: usize,
}

impl Frame {
    fn of(page: &Page) -> Self {
        /// Longer bars show nothing more; the rest is for the words beside the numbers.
        const MOST_WIDER: usize = 32;
        let spare = page.width - FULL_WIDTH;
        let wider = spare.min(MOST_WIDER);
        Self { rules: [0, 35 + wider, 63 + wider, page.width - 1], wider }
    }

    /// Returns a column of the reference layout after the first cell.
    fn at(&self, column: usize) -> usize {
        column + self.wider
    }

    /// Returns where the text of the last cell ends.
    fn end(&self) -> usize {
        self.rules[3] - 1
    }
}

/// Column at which the text of the first cell ends.
const FIRST_END: usize = 34;
/// Columns at which the text of the second cell begins and ends.
const SECOND: (usize, usize) = (37, 62);
/// Column at which the text of the third cell begins.
const THIRD: usize = 65;
/// Column at which the names of memory lines begin.
const LABELS: usize = 7;
/// Column at which bars begin.
const BARS: usize = LABELS + LABEL_COLUMNS + 1;
/// Columns at which used bytes and capacities end.
const USED_END: usize = 46;
const CAPACITY_END: usize = 57;
/// Columns at which temperature, power and the clock end.
const TEMPERATURE_END: usize = 70;
const POWER_END: usize = 80;
const CLOCK_END: usize = FULL_WIDTH - 2;
/// Column at which qualities begin.
const QUALITIES: usize = 76;

/// Writes into the open frame that there is no chip, and closes it.
pub(super) fn draw_none(sheet: &mut Sheet<'_>) {
    let sides = sides(sheet.page());
    sheet.rule(Rule::Thin, &sides, &sides);
    let mut line = sheet.start_row();
    line.push(Role::Plain, "No Tenstorrent chip found", sides[1] - 1);
    line.rule_at(sides[1]);
    sheet.end(line);
    sheet.rule(Rule::Thin, &sides, &[]);
}

/// Draws the chips into the open frame and closes it.
pub(super) fn draw(sheet: &mut Sheet<'_>, snapshot: &Snapshot, legend: &mut Legend) {
    let frame = Frame::of(sheet.page());
    sheet.rule(Rule::Thin, &sides(sheet.page()), &frame.rules);
    draw_heading(sheet, &frame);
    let board_columns = naming::board_columns(&snapshot.chips);
    let mut rule = Rule::Thick;
    let missing = breakdown::missing_everywhere(&snapshot.chips);
    for chip in &snapshot.chips {
        sheet.rule(rule, &frame.rules, &frame.rules);
        draw_chip(sheet, &frame, snapshot, chip, board_columns);
        for memory in breakdown::lines(chip) {
            if !missing.iter().any(|(label, _)| *label == memory.label) {
                draw_memory(sheet, &frame, &memory, legend);
            }
        }
        rule = Rule::Thin;
    }
    sheet.rule(Rule::Thin, &frame.rules, &[]);
    legend.missing_everywhere(&missing);
}

fn draw_heading(sheet: &mut Sheet<'_>, frame: &Frame) {
    let mut line = sheet.start_row();
    line.push(Role::Plain, "Chip Board", frame.at(FIRST_END));
    line.push_right(Role::Plain, "Firmware", frame.at(FIRST_END));
    line.rule_at(frame.rules[1]);
    line.pad_to(frame.at(SECOND.0));
    line.push(Role::Plain, "Bus", frame.at(SECOND.1));
    line.push_right(Role::Plain, "Owners", frame.at(SECOND.1));
    line.rule_at(frame.rules[2]);
    line.push_right(Role::Plain, "Temp", frame.at(TEMPERATURE_END));
    line.push_right(Role::Plain, "Power", frame.at(POWER_END));
    line.push_right(Role::Plain, "AICLK", frame.at(CLOCK_END));
    line.rule_at(frame.rules[3]);
    sheet.end(line);

    let mut line = sheet.start_row();
    line.pad_to(LABELS);
    line.push(Role::Plain, "Memory", frame.at(FIRST_END));
    line.rule_at(frame.rules[1]);
    line.push_right(Role::Plain, "Used", frame.at(USED_END));
    line.push_right(Role::Plain, "/ Capacity", frame.at(CAPACITY_END));
    line.rule_at(frame.rules[2]);
    line.pad_to(frame.at(THIRD));
    line.push(Role::Plain, "Source", frame.at(QUALITIES) - 1);
    line.pad_to(frame.at(QUALITIES));
    line.push(Role::Plain, "Quality", frame.end());
    line.rule_at(frame.rules[3]);
    sheet.end(line);
}

fn draw_chip(
    sheet: &mut Sheet<'_>,
    frame: &Frame,
    snapshot: &Snapshot,
    chip: &Chip,
    board_columns: usize,
) {
    /// Columns of the longest version that is not cut.
    const MOST_VERSION: usize = 12;
    let page = sheet.page();
    let mut line = sheet.start_row();
    line.push_right(Role::Strong, &chip.index.to_string(), LABELS - 1);
    line.pad_to(LABELS);
    let firmware = naming::firmware(chip).unwrap_or(page.glyphs().dash);
    let board_end = frame.at(FIRST_END) - width(firmware).min(MOST_VERSION) - 1;
    line.push(Role::Strong, &naming::board(chip, board_columns), board_end);
    line.push_right(Role::Plain, firmware, frame.at(FIRST_END));
    line.rule_at(frame.rules[1]);
    line.pad_to(frame.at(SECOND.0));
    let location = naming::location(snapshot, chip);
    line.push(
        Role::Plain,
        location.as_deref().unwrap_or(page.glyphs().dash),
        frame.at(SECOND.0) + 15,
    );
    line.push_right(Role::Plain, &naming::owners_in_words(chip), frame.at(SECOND.1));
    line.rule_at(frame.rules[2]);
    let (role, temperature) = naming::temperature(page, chip);
    line.push_right(role, &temperature, frame.at(TEMPERATURE_END));
    let (role, power) = naming::power_of_limit(page, chip);
    line.push_right(role, &power, frame.at(POWER_END));
    line.push_right(Role::Plain, &naming::clock(page, chip), frame.at(CLOCK_END));
    line.rule_at(frame.rules[3]);
    sheet.end(line);
}

fn draw_memory(sheet: &mut Sheet<'_>, frame: &Frame, memory: &MemoryLine, legend: &mut Legend) {
    let page = sheet.page();
    let (used, capacity) = (&memory.used, &memory.capacity);
    let amounts = used.value().copied().zip(capacity.value().copied());
    let mut line = sheet.start_row();
    line.pad_to(LABELS + memory.sort.indent());
    let role = if memory.sort == Sort::NestedNotice { Role::Notice } else { Role::Plain };
    line.push(role, &memory.label, BARS - 1);
    line.pad_to(BARS);
    if let Some((used, capacity)) = amounts {
        let (filled, track) = bar::bar(page, used, capacity, frame.at(FIRST_END) - BARS);
        line.push(fill_role(memory, used, capacity), &filled, frame.at(FIRST_END));
        line.push(Role::Quiet, &track, frame.at(FIRST_END));
    }
    line.rule_at(frame.rules[1]);
    line.push_right(Role::Plain, &legend.unmarked(page, used), frame.at(USED_END));
    if let Some(capacity) = &memory.own_capacity {
        let capacity = legend.unmarked(page, capacity);
        line.push_right(Role::Quiet, &format!("/ {capacity:>8}"), frame.at(CAPACITY_END));
    }
    let percent = amounts.and_then(|(used, capacity)| amount::percent(used, capacity));
    line.push_right(Role::Plain, &percent.unwrap_or_default(), frame.at(SECOND.1));
    line.rule_at(frame.rules[2]);
    line.pad_to(frame.at(THIRD));
    match used {
        Reading::Known { source, quality, .. } => {
            line.push(Role::Quiet, source.as_str(), frame.at(QUALITIES) - 1);
            line.pad_to(frame.at(QUALITIES));
            line.push(Role::Quiet, quality.as_str(), frame.end());
        }
        Reading::Missing(Missing { reason, .. }) => {
            line.push(reason_role(page, used), reason.as_str(), frame.end())
        }
    }
    line.rule_at(frame.rules[3]);
    sheet.end(line);
}

/// Returns the style of the filled part of a bar.
pub(super) fn fill_role(memory: &MemoryLine, used: u64, capacity: u64) -> Role {
    match memory.sort {
        Sort::Main => bar::role(used, capacity),
        Sort::Kind | Sort::Nested => Role::Quiet,
        Sort::NestedNotice => Role::Notice,
    }
}

/// Returns the style of a missing reason: one that the user can fix is a warning.
pub(super) fn reason_role(page: &Page, figure: &Reading<u64>) -> Role {
    match figure {
        Reading::Missing(Missing { reason, .. }) if page.blank(*reason) == "?" => Role::Notice,
        _ => Role::Quiet,
    }
}
