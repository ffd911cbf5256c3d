//! The cores of a chip, one a line.

use std::cmp::Reverse;

use ttmem_model::l1::report::CoreReport;
use ttmem_model::order;

use super::L1Sort;
use super::glyph;
use super::panel::{Panel, Row};
use super::program;
use super::totals::{buffers_written, written};
use super::view::ChipView;
use crate::output::page::{Page, Role};

/// The columns: the sign of the state, the NOC coordinate, the end of the program's number, the operation, the
/// ends of the amounts. What there is no room for is `None`.
struct Columns {
    state: usize,
    noc: Option<usize>,
    program: usize,
    operation: Option<usize>,
    buffers: usize,
    text: Option<usize>,
}

impl Columns {
    fn of(width: usize) -> Self {
        let state = 9;
        if width < 50 {
            return Self {
                state,
                noc: None,
                program: 28,
                operation: None,
                buffers: width,
                text: None,
            };
        }
        let noc = (width >= 70).then_some(state + 12);
        let program = state + 19 + if noc.is_some() { 7 } else { 0 };
        Self {
            state,
            noc,
            program,
            operation: Some(program + 2),
            buffers: width - 11,
            text: Some(width),
        }
    }
}

/// The cores, under a heading.
pub(super) fn panel(view: &ChipView<'_>, page: &Page, width: usize, sort: L1Sort) -> Panel {
    let mut cores: Vec<&CoreReport> = view.report.cores.iter().collect();
    order::sort_by_key(&mut cores, |core| core.logical.map(|position| (position.y, position.x)));
    match sort {
        L1Sort::Number => {}
        L1Sort::Cores => order::sort_by_key(&mut cores, |core| core.state),
        L1Sort::Cbs => {
            order::sort_by_key(&mut cores, |core| Reverse(core.circular_buffer_bytes.value()))
        }
        L1Sort::Text => {
            order::sort_by_key(&mut cores, |core| Reverse(core.kernel_text_bytes.value()))
        }
    }
    let columns = Columns::of(width);
    let rows = cores.iter().map(|core| row(view, core, page, &columns));
    std::iter::once(heading(&columns)).chain(rows).collect()
}

fn heading(columns: &Columns) -> Row {
    let mut row = Row::default().to(7, Role::Quiet, "Core").from(
        columns.state,
        columns.program - 7,
        Role::Quiet,
        "State",
    );
    if let Some(noc) = columns.noc {
        row = row.from(noc, columns.program - 7, Role::Quiet, "NOC");
    }
    row = row.to(columns.program, Role::Quiet, "Program");
    if let Some(operation) = columns.operation {
        row = row.from(operation, columns.buffers - 9, Role::Quiet, "Operation");
    }
    row = row.to(columns.buffers, Role::Quiet, "CBs");
    match columns.text {
        Some(text) => row.to(text, Role::Quiet, "Kernels"),
        None => row,
    }
}

fn row(view: &ChipView<'_>, core: &CoreReport, page: &Page, columns: &Columns) -> Row {
    let (sign, role) = glyph::state(page, view.state(core));
    let dash = page.glyphs().dash;
    let position =
        core.logical.map_or(dash.to_owned(), |position| format!("{},{}", position.x, position.y));
    let id = core.program.map_or(dash.to_owned(), |id| id.to_string());
    let state = columns.state;
    let mut row = Row::default()
        .to(7, Role::Strong, &position)
        .from(state, state + 1, role, sign)
        .from(state + 2, columns.program - 7, Role::Plain, core.state.as_str());
    if let Some((column, noc)) = columns.noc.zip(core.noc) {
        let text = format!("{},{}", noc.x, noc.y);
        row = row.from(column, columns.program - 7, Role::Quiet, &text);
    }
    row = row.to(columns.program, Role::Plain, &id);
    if let Some(operation) = columns.operation {
        let name = program::operation(core).unwrap_or_default();
        row = row.from(operation, columns.buffers - 9, Role::Plain, &name);
    }
    row = row.to(columns.buffers, Role::Plain, &buffers_written(page, std::iter::once(core)));
    match columns.text {
        Some(text) => row.to(text, Role::Plain, &written(page, core.kernel_text_bytes.clone())),
        None => row,
    }
}
