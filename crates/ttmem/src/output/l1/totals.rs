//! The cores by what they do. It is the legend of the grid as well.

use ttmem_model::l1::Count;

use super::glyph;
use super::panel::{Panel, Row};
use super::view::{CellState, ChipView};
use crate::output::amount;
use crate::output::page::{Page, Role};

/// The most columns; more would tear the numbers from their names.
const MOST: usize = 52;
/// The narrowest with full headings.
const FULL: usize = 44;
/// Where the number of cores ends.
const CORES: usize = 16;

/// The cores by what they do, each core in one row.
pub(super) fn panel(view: &ChipView<'_>, page: &Page, columns: usize) -> Panel {
    let columns = columns.min(MOST);
    let buffers_end = CORES + (columns - CORES).div_ceil(2);
    let names = if columns >= FULL {
        ["Cores", "Circular buffers", "Kernel text"]
    } else {
        ["Cores", "CBs", "Kernels"]
    };
    let head = Row::default()
        .to(CORES, Role::Quiet, names[0])
        .to(buffers_end, Role::Quiet, names[1])
        .to(columns, Role::Quiet, names[2]);
    let seats =
        CellState::ALL.iter().filter_map(|state| row(view, page, *state, [buffers_end, columns]));
    let mut rows: Panel = std::iter::once(head).chain(seats).collect();
    if view.content.other_cores > 0 {
        rows.push(
            Row::default()
                .from(0, 2, Role::Quiet, glyph::absent(page))
                .from(2, CORES, Role::Plain, "harvested")
                .to(CORES, Role::Plain, &view.content.other_cores.to_string()),
        );
    }
    rows
}

/// Returns the row of one state, if there are such cores. Running and finished cores are always listed.
fn row(view: &ChipView<'_>, page: &Page, state: CellState, ends: [usize; 2]) -> Option<Row> {
    let cores = || view.cores.iter().map(|(core, _)| core).filter(|core| view.state(core) == state);
    let count = cores().count();
    if count == 0 && !matches!(state, CellState::Running | CellState::Finished) {
        return None;
    }
    let (sign, role) = glyph::state(page, state);
    let buffers: Count = cores().map(|core| core.circular_buffer_bytes()).sum();
    let text: Count = cores().map(|core| core.kernel_text_bytes()).sum();
    let mut row = Row::default()
        .from(0, 1, role, sign)
        .from(2, CORES - 4, Role::Plain, state.label())
        .to(CORES, Role::Plain, &count.to_string());
    if count > 0 {
        for (count, end) in [buffers, text].into_iter().zip(ends) {
            row = row.to(end, Role::Plain, &written(page, count));
        }
    }
    Some(row)
}

/// Formats a number of bytes, or the sign of a missing value.
pub(super) fn written(page: &Page, count: Count) -> String {
    match count.into_result() {
        Ok(bytes) => amount::size(bytes),
        Err(missing) => page.blank(missing.reason).to_owned(),
    }
}
