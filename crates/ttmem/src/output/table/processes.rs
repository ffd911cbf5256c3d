//! The processes: the rows, whatever the layout, and the framed table of them.

use ttmem_model::snapshot::{Process, ProcessState, Snapshot};

use super::legend::Legend;
use super::{INNER_END, MOST_DETAILED_CHIPS, SIDES};
use crate::field::figure::Figure;
use crate::field::process::readings;
use crate::output::line::Line;
use crate::output::naming;
use crate::output::page::Role;
use crate::output::sheet::{Rule, Sheet};
use crate::output::text::width;

/// The text if there is no process.
pub(super) const NONE: &str = "No process holds device memory or a device";

/// The memory of a process on one chip, or on all of its chips together.
pub(super) struct ProcessRow<'a> {
    /// The process.
    pub(super) process: &'a Process,
    /// The numbers of the chips, ascending.
    pub(super) chips: Vec<u32>,
    /// DRAM, L1, L1_SMALL, traces, reported circular buffers.
    pub(super) figures: [Figure; 5],
}

/// A row for each process on each chip, or for each process where there are many chips; by chip, then by number.
pub(super) fn rows(snapshot: &Snapshot) -> Vec<ProcessRow<'_>> {
    let mut rows = Vec::new();
    for process in &snapshot.processes {
        let mut on_chips = on_chips(snapshot, process);
        on_chips.sort_by_key(|row| row.chips.first().copied());
        if snapshot.chips.len() > MOST_DETAILED_CHIPS {
            on_chips = on_chips.into_iter().reduce(together).into_iter().collect();
        }
        if on_chips.is_empty() {
            let figures = [Figure::UNTOLD; 5];
            on_chips.push(ProcessRow { process, chips: Vec::new(), figures });
        }
        rows.append(&mut on_chips);
    }
    rows.sort_by_key(|row| (row.chips.is_empty(), row.chips.first().copied(), row.process.pid));
    rows
}

/// One row for each chip on which the process holds memory, and for each that it has open.
fn on_chips<'a>(snapshot: &Snapshot, process: &'a Process) -> Vec<ProcessRow<'a>> {
    let mut rows = Vec::new();
    for chip in &snapshot.chips {
        let held = process.chips.iter().find(|on_chip| on_chip.chip == chip.id);
        let is_owner =
            process.state == ProcessState::Live && chip.owners.pids.contains(&process.pid);
        let figures = match held {
            Some(on_chip) => readings(on_chip).map(Figure::from),
            None if is_owner => [Figure::UNTOLD; 5],
            None => continue,
        };
        rows.push(ProcessRow { process, chips: vec![chip.index], figures });
    }
    rows
}

fn together<'a>(mut sum: ProcessRow<'a>, row: ProcessRow<'a>) -> ProcessRow<'a> {
    sum.chips.extend(row.chips);
    for (total, figure) in sum.figures.iter_mut().zip(row.figures) {
        *total = total.plus(figure);
    }
    sum
}

/// Chip numbers with runs drawn together, such as `0-3,7`.
pub(in crate::output) fn chip_list(chips: &[u32]) -> String {
    let runs = chips.chunk_by(|one, next| one + 1 == *next).map(|run| match run {
        [first, .., last] => format!("{first}-{last}"),
        run => run.iter().map(ToString::to_string).collect(),
    });
    runs.collect::<Vec<_>>().join(",")
}

/// Where the columns end; names begin after the last.
const CHIP_END: usize = 6;
const PID_END: usize = 14;
const USER: (usize, usize) = (16, 24);
const FIGURE_ENDS: [usize; 5] = [31, 38, 47, 54, 63];
const FIGURE_NAMES: [&str; 5] = ["DRAM", "L1", "L1_SMALL", "Trace", "CBs"];
const NAME: usize = 65;

/// Draws the framed table.
pub(super) fn draw(sheet: &mut Sheet<'_>, snapshot: &Snapshot, legend: &mut Legend) {
    sheet.skip();
    sheet.rule(Rule::Thin, &[], &SIDES);
    let rows = rows(snapshot);
    if rows.is_empty() {
        let mut line = sheet.start_row();
        line.push(Role::Quiet, NONE, INNER_END);
        line.rule_at(SIDES[1]);
        sheet.end(line);
    } else {
        draw_heading(sheet);
        sheet.rule(Rule::Thick, &SIDES, &SIDES);
        for row in &rows {
            draw_row(sheet, row, legend);
        }
    }
    sheet.rule(Rule::Thin, &SIDES, &[]);
}

fn draw_heading(sheet: &mut Sheet<'_>) {
    let mut line = sheet.start_row();
    line.push(Role::Strong, "Processes", FIGURE_ENDS[0]);
    line.push_right(Role::Plain, "Reported", FIGURE_ENDS[4]);
    line.rule_at(SIDES[1]);
    sheet.end(line);
    let mut line = sheet.start_row();
    line.push(Role::Plain, "Chip", CHIP_END);
    line.push_right(Role::Plain, "PID", PID_END);
    line.pad_to(USER.0);
    line.push(Role::Plain, "User", USER.1);
    for (name, end) in FIGURE_NAMES.iter().zip(FIGURE_ENDS) {
        line.push_right(Role::Plain, name, end);
    }
    line.pad_to(NAME);
    line.push(Role::Plain, "Name", INNER_END);
    line.rule_at(SIDES[1]);
    sheet.end(line);
}

fn draw_row(sheet: &mut Sheet<'_>, row: &ProcessRow<'_>, legend: &mut Legend) {
    let page = sheet.page();
    let dash = page.glyphs().dash;
    let mut line = sheet.start_row();
    let chips = chip_list(&row.chips);
    line.push_right(Role::Plain, if chips.is_empty() { dash } else { &chips }, CHIP_END);
    line.push_right(Role::Plain, &naming::pid(page, row.process), PID_END);
    line.pad_to(USER.0);
    line.push(Role::Plain, row.process.user.as_deref().unwrap_or(dash), USER.1);
    for (figure, end) in row.figures.iter().zip(FIGURE_ENDS) {
        let role = if figure.is_some_bytes() { Role::Plain } else { Role::Quiet };
        line.push_right(role, &legend.short(page, *figure), end);
    }
    line.pad_to(NAME);
    push_name(&mut line, row.process, INNER_END);
    line.rule_at(SIDES[1]);
    sheet.end(line);
}

/// The name of a process, and behind it what is special about the process. A long name makes room for that.
pub(super) fn push_name(line: &mut Line<'_>, process: &Process, end: usize) {
    /// A name is not cut below this for what is behind it.
    const LEAST_NAME: usize = 8;
    /// Less of a tag says nothing.
    const LEAST_TAG: usize = 4;
    let dot = line.page().glyphs().dot;
    let state = naming::process_state(process);
    let container = naming::container(process);
    let tags: Vec<(Role, &str)> = state
        .map(|state| (Role::Notice, state))
        .into_iter()
        .chain(container.as_deref().map(|container| (Role::Quiet, container)))
        .collect();
    let tag_columns: usize = tags.iter().map(|(_, tag)| 3 + width(tag)).sum();
    let start = line.columns();
    let room = end.saturating_sub(start);
    if !(process.name.trim().is_empty() && state.is_some()) {
        let name_room = room.saturating_sub(tag_columns).max(LEAST_NAME.min(room));
        line.push(Role::Plain, naming::process(process), start + name_room);
    }
    for (role, tag) in tags {
        let separator = if line.columns() > start { format!(" {dot} ") } else { String::new() };
        if line.columns() + width(&separator) + LEAST_TAG > end {
            break;
        }
        line.push(Role::Quiet, &separator, end);
        line.push(role, tag, end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_chips_are_drawn_together() {
        assert_eq!(chip_list(&[]), "");
        assert_eq!(chip_list(&[3]), "3");
        assert_eq!(chip_list(&[0, 1, 2, 3, 7, 9, 10]), "0-3,7,9-10");
    }
}
