//! The processes: the rows, whatever the layout, and the framed table of them.

use ttmem_model::snapshot::{Chip, Process, ProcessState, Snapshot};
use ttmem_model::{Reading, order};

use super::legend::Legend;
use super::sides;
use crate::field::cell::{is_above_zero, untold};
use crate::field::process::{self, MEMORY};
use crate::output::line::Line;
use crate::output::naming;
use crate::output::page::{Page, Role};
use crate::output::sheet::{Rule, Sheet};
use crate::output::text::{legible, width};

/// Returns the text if there is no process.
pub(super) fn none(snapshot: &Snapshot) -> &'static str {
    let is_unknown =
        |chip: &Chip| chip.bdf.is_some() && chip.owners.outside_namespace.value().is_none();
    match snapshot.chips.iter().any(is_unknown) {
        true => "No process is known to hold device memory or a device",
        false => "No process holds device memory or a device",
    }
}

/// The memory of a process on one chip, or on all of its chips together.
pub(super) struct ProcessRow<'a> {
    /// The process.
    pub(super) process: &'a Process,
    /// The numbers of the chips, ascending.
    pub(super) chips: Vec<u32>,
    /// DRAM, L1, L1_SMALL, traces, reported circular buffers.
    pub(super) figures: [Reading<u64>; 5],
}

/// A row for each process on each chip, or for each process on its chips together; by chip, then by number.
pub(super) fn rows(snapshot: &Snapshot, is_together: bool) -> Vec<ProcessRow<'_>> {
    let mut rows = Vec::new();
    for process in &snapshot.processes {
        let mut on_chips = on_chips(snapshot, process);
        order::sort_by_key(&mut on_chips, |row| row.chips.first().copied());
        if is_together {
            on_chips = on_chips.into_iter().reduce(together).into_iter().collect();
        }
        if on_chips.is_empty() {
            let figures = std::array::from_fn(|_| untold());
            on_chips.push(ProcessRow { process, chips: Vec::new(), figures });
        }
        rows.append(&mut on_chips);
    }
    order::sort_by_key(&mut rows, |row| {
        (row.chips.is_empty(), row.chips.first().copied(), row.process.pid)
    });
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
            Some(on_chip) => process::figures(snapshot, process, on_chip),
            None if is_owner => std::array::from_fn(|_| untold()),
            None => continue,
        };
        rows.push(ProcessRow { process, chips: vec![chip.index], figures });
    }
    rows
}

fn together<'a>(mut sum: ProcessRow<'a>, row: ProcessRow<'a>) -> ProcessRow<'a> {
    sum.chips.extend(row.chips);
    for (total, figure) in sum.figures.iter_mut().zip(row.figures) {
        *total = total.clone().checked_add(figure);
    }
    sum
}

/// Returns the headings of the figures.
pub(super) fn headings() -> [String; 5] {
    MEMORY.map(|name| {
        process::get(name).map(|field| field.heading().into_owned()).unwrap_or_default()
    })
}

/// The texts of a row before the name of the process.
const BEFORE: usize = USER + 1 + FIGURES;
/// Amounts of a process.
pub(super) const FIGURES: usize = 5;
/// The column of the user, which alone is not right-aligned.
const USER: usize = 2;
/// The longest text that is not cut where names need the room.
const MOST_TEXT: usize = 24;

/// Draws the framed table.
pub(super) fn draw(
    sheet: &mut Sheet<'_>,
    snapshot: &Snapshot,
    is_together: bool,
    legend: &mut Legend,
) {
    sheet.skip();
    let (page, sides) = (sheet.page(), sides(sheet.page()));
    sheet.rule(Rule::Thin, &[], &sides);
    let rows = rows(snapshot, is_together);
    if rows.is_empty() {
        let mut line = sheet.start_row();
        line.push(Role::Quiet, none(snapshot), sides[1] - 1);
        line.rule_at(sides[1]);
        sheet.end(line);
    } else {
        let shown = shown(&rows);
        let texts: Vec<_> = rows.iter().map(|row| texts(page, row, shown, legend)).collect();
        let columns = columns(page, shown, &texts);
        draw_heading(sheet, &columns);
        sheet.rule(Rule::Thick, &sides, &sides);
        for (row, texts) in rows.iter().zip(&texts) {
            draw_row(sheet, row, texts, &columns);
        }
        if is_together && rows.iter().any(|row| row.chips.len() > 1) {
            legend.processes_together();
        }
    }
    sheet.rule(Rule::Thin, &sides, &[]);
}

/// The figures that have a column: DRAM and L1, and of the others those that some process has.
pub(super) fn shown(rows: &[ProcessRow<'_>]) -> [bool; FIGURES] {
    std::array::from_fn(|figure| {
        figure < 2 || rows.iter().any(|row| is_above_zero(&row.figures[figure]))
    })
}

fn texts(
    page: &Page,
    row: &ProcessRow<'_>,
    shown: [bool; FIGURES],
    legend: &mut Legend,
) -> [String; BEFORE] {
    let dash = page.glyphs().dash;
    let chips = if row.chips.is_empty() { dash.to_owned() } else { naming::chip_list(&row.chips) };
    let user = row.process.user.as_deref().unwrap_or(dash);
    // A sign that is in no column has no place in the legend.
    let figure = |index: usize| match shown[index] {
        true => legend.long(page, &row.figures[index]),
        false => String::new(),
    };
    let [dram, l1, l1_small, trace, reported] = [0, 1, 2, 3, 4].map(figure);
    let user = legible(user, page.charset).into_owned();
    [chips, naming::pid(page, row.process), user, dram, l1, l1_small, trace, reported]
}

/// A column before the name.
struct Column {
    heading: String,
    /// Index of the column in the texts of a row.
    index: usize,
    start: usize,
    end: usize,
}

/// Returns the columns before the name, each as wide as its longest text. Amounts that no process has are left out; where
/// names need the room, columns are closer.
fn columns(page: &Page, shown: [bool; FIGURES], texts: &[[String; BEFORE]]) -> Vec<Column> {
    /// Columns that a name with its state needs, and a user.
    const LEAST_NAME: usize = 16;
    const LEAST_USER: usize = 8;
    let [dram, l1, l1_small, trace, reported] = headings();
    let before = ["Chip".to_owned(), "PID".to_owned(), "User".to_owned()];
    let all = before.into_iter().chain([dram, l1, l1_small, trace, reported]).enumerate();
    let is_shown = |index: usize| index <= USER || shown[index - USER - 1];
    let mut columns: Vec<(usize, String, usize)> = all
        .filter(|(index, _)| is_shown(*index))
        .map(|(index, heading)| {
            let widest = texts.iter().map(|row| width(&row[index])).max().unwrap_or(0);
            let columns = widest.min(MOST_TEXT).max(width(&heading));
            (index, heading, columns)
        })
        .collect();
    let taken: usize = columns.iter().map(|(_, _, columns)| columns + MOST_GAP).sum();
    let over = (taken + LEAST_NAME + 4).saturating_sub(page.width);
    let gap = if over > 0 { 1 } else { MOST_GAP };
    if let Some((_, _, user)) = columns.iter_mut().find(|(index, ..)| *index == USER) {
        *user = user.saturating_sub(over.saturating_sub(BEFORE)).max(LEAST_USER.min(*user));
    }
    let mut x = 2;
    let placed = columns.into_iter().map(|(index, heading, columns)| {
        let start = x;
        x += columns + gap;
        Column { heading, index, start, end: start + columns }
    });
    placed.collect()
}

/// Columns between two columns where there is room.
const MOST_GAP: usize = 2;

/// Draws one line: `text` gives the role and text of a column, `name` what follows.
fn draw_line<'p>(
    sheet: &mut Sheet<'p>,
    columns: &[Column],
    text: impl Fn(&Column) -> (Role, String),
    name: impl FnOnce(&mut Line<'p>, usize),
) {
    let end = sheet.page().width - 1;
    let mut line = sheet.start_row();
    for column in columns {
        line.pad_to(column.start);
        let (role, text) = text(column);
        if column.index == USER {
            line.push(role, &text, column.end);
        } else {
            line.push_right(role, &text, column.end);
        }
    }
    line.pad_to(columns.last().map_or(2, |column| column.end + MOST_GAP));
    name(&mut line, end - 1);
    line.rule_at(end);
    sheet.end(line);
}

fn draw_heading(sheet: &mut Sheet<'_>, columns: &[Column]) {
    let heading = |column: &Column| (Role::Plain, column.heading.clone());
    draw_line(sheet, columns, heading, |line, end| line.push(Role::Plain, "Process", end));
}

fn draw_row(
    sheet: &mut Sheet<'_>,
    row: &ProcessRow<'_>,
    texts: &[String; BEFORE],
    columns: &[Column],
) {
    let text = |column: &Column| {
        let figure = column.index.checked_sub(USER + 1).and_then(|index| row.figures.get(index));
        let is_quiet = figure.is_some_and(|figure| !is_above_zero(figure));
        (if is_quiet { Role::Quiet } else { Role::Plain }, texts[column.index].clone())
    };
    draw_line(sheet, columns, text, |line, end| push_name(line, row.process, end));
}

/// Appends the name of a process, and after it the tags of the process. A long name is cut to make room for them.
pub(super) fn push_name(line: &mut Line<'_>, process: &Process, end: usize) {
    /// Least characters of a name that is cut for the tags after it.
    const LEAST_NAME: usize = 8;
    /// Least characters of a tag that still identify it.
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
        let has_tags = room >= LEAST_NAME + 3 + LEAST_TAG;
        let name_room = match has_tags {
            true => room.saturating_sub(tag_columns).max(LEAST_NAME),
            false => room,
        };
        line.push(Role::Plain, &naming::process(process), start + name_room);
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
