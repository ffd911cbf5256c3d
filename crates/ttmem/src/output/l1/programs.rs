//! The table of programs on a chip, each with its kernels.

use super::L1Sort;
use super::panel::{Panel, Row};
use super::program::{self, Program, ProgramKernel};
use super::totals::{marked, written};
use super::view::ChipView;
use crate::output::amount;
use crate::output::page::{Page, Role};

/// Columns at which the columns of a page end. Operations and processors begin after the number.
struct Columns {
    number: usize,
    operation: usize,
    state: Option<usize>,
    cores: usize,
    buffers: usize,
    each: usize,
    text: usize,
}

impl Columns {
    fn of(width: usize) -> Self {
        // What there is beside the numbers goes to the operation.
        let state = (width >= 80).then_some(11);
        let numbers = if width >= 50 { [6, 10, 11, 10] } else { [6, 10, 0, 0] };
        let [cores, buffers, each, text] = numbers;
        let operation = width - cores - buffers - each - text - state.unwrap_or(0);
        let state_end = operation + state.unwrap_or(0);
        Self {
            number: 7,
            operation,
            state: state.map(|_| operation + 1),
            cores: state_end + cores,
            buffers: state_end + cores + buffers,
            each: state_end + cores + buffers + each,
            text: width,
        }
    }

    fn has_all(&self) -> bool {
        self.each > self.buffers
    }
}

/// The programs with their kernels; nothing where there is no program.
pub(super) fn panel(view: &ChipView<'_>, page: &Page, width: usize, sort: L1Sort) -> Panel {
    let programs = program::all(view, sort);
    if programs.is_empty() {
        return Panel::new();
    }
    let columns = Columns::of(width);
    let mut rows = vec![heading(&columns)];
    for program in &programs {
        rows.push(row(program, page, &columns));
        rows.extend(program.kernels.iter().map(|kernel| kernel_row(kernel, page, &columns)));
    }
    rows
}

fn heading(columns: &Columns) -> Row {
    let mut row = Row::default().to(columns.number, Role::Quiet, "Program").from(
        columns.number + 2,
        columns.operation,
        Role::Quiet,
        "Operation",
    );
    if let Some(state) = columns.state {
        row = row.from(state, columns.cores - 6, Role::Quiet, "State");
    }
    row = row.to(columns.cores, Role::Quiet, "Cores").to(columns.buffers, Role::Quiet, "CBs");
    if columns.has_all() {
        row = row.to(columns.each, Role::Quiet, "a core").to(columns.text, Role::Quiet, "Kernels");
    }
    row
}

fn row(program: &Program, page: &Page, columns: &Columns) -> Row {
    let glyphs = page.glyphs();
    let id = program.id.map_or(glyphs.dash.to_owned(), |id| id.to_string());
    let operation = program.operation.as_deref().unwrap_or(glyphs.dash);
    let mut row = Row::default().to(columns.number, Role::Strong, &id).from(
        columns.number + 2,
        columns.operation,
        Role::Strong,
        operation,
    );
    if let Some(start) = columns.state {
        let state = match program.running {
            _ if program.is_recorded => "resident".to_owned(),
            0 => "finished".to_owned(),
            all if all == program.cores => "running".to_owned(),
            some => format!("{some} running"),
        };
        row = row.from(start, columns.cores - 5, Role::Plain, &state);
    }
    row = row.to(columns.cores, Role::Plain, &program.cores.to_string()).to(
        columns.buffers,
        Role::Plain,
        &marked(page, program.buffers.clone(), program.may_be_of_the_next),
    );
    if columns.has_all() {
        row = row.to(columns.each, Role::Plain, &each(program, page)).to(
            columns.text,
            Role::Plain,
            &written(page, program.text.clone()),
        );
    }
    row
}

/// Bytes of circular buffers on a core, or on the core that has most.
fn each(program: &Program, page: &Page) -> String {
    match program.buffers.value() {
        None | Some(0) => String::new(),
        Some(_) if program.is_even => amount::size(program.most_buffers),
        Some(_) => format!("{}{}", page.glyphs().at_most, amount::size(program.most_buffers)),
    }
}

fn kernel_row(kernel: &ProgramKernel, page: &Page, columns: &Columns) -> Row {
    let start = columns.number + 2;
    let name = kernel.name.as_deref().unwrap_or(page.glyphs().dash);
    let times = format!("{}{}", kernel.cores, page.glyphs().times);
    Row::default()
        .from(start, start + 6, Role::Quiet, &kernel.processors)
        .to(start + 12, Role::Quiet, &kernel.id.map(|id| id.to_string()).unwrap_or_default())
        .to(start + 18, Role::Quiet, &times)
        .from(start + 20, columns.text, Role::Plain, name)
}
