//! The cores by state. This is the legend of the grid as well.

use ttmem_model::l1::Count;
use ttmem_model::l1::report::CoreReport;
use ttmem_model::reading::Quality;

use super::glyph;
use super::panel::{Panel, Row};
use super::state::{CellState, absent};
use super::view::ChipView;
use crate::output::amount;
use crate::output::page::{Page, Role};

/// The most columns; more would tear the numbers from their names.
const MOST: usize = 52;
/// Column at which the number of cores ends.
const CORES: usize = 16;

/// The cores by state, each core in one row.
pub(super) fn panel(view: &ChipView<'_>, page: &Page, columns: usize) -> Panel {
    let columns = columns.min(MOST);
    let buffers_end = CORES + (columns - CORES).div_ceil(2);
    let names = names(buffers_end);
    let head = Row::default()
        .to(CORES, Role::Quiet, names[0])
        .to(buffers_end, Role::Quiet, names[1])
        .to(columns, Role::Quiet, names[2]);
    let seats =
        CellState::ALL.iter().filter_map(|state| row(view, page, *state, [buffers_end, columns]));
    let mut rows: Panel = std::iter::once(head).chain(seats).collect();
    if view.report.other_cores > 0 {
        rows.push(
            Row::default()
                .from(0, 2, Role::Quiet, absent(page.charset))
                .from(2, CORES, Role::Plain, "harvested")
                .to(CORES, Role::Plain, &view.report.other_cores.to_string()),
        );
    }
    rows
}

/// Returns the row of one state, if there are such cores. Running and finished cores are always listed, where they are read.
fn row(view: &ChipView<'_>, page: &Page, state: CellState, ends: [usize; 2]) -> Option<Row> {
    let cores = || view.report.cores.iter().filter(|core| view.state(core) == state);
    let count = cores().count();
    let is_always_listed = match state {
        CellState::Running | CellState::Finished => !view.report.is_recorded(),
        _ => false,
    };
    if count == 0 && !is_always_listed {
        return None;
    }
    let (sign, role) = glyph::state(page, state);
    let buffers = buffers_written(page, cores());
    let text: Count = cores().map(|core| core.kernel_text_bytes.clone()).sum();
    let mut row = Row::default()
        .from(0, 1, role, sign)
        .from(2, CORES - 4, Role::Plain, state.label())
        .to(CORES, Role::Plain, &count.to_string());
    if count > 0 {
        for (text, end) in [buffers, written(page, text)].into_iter().zip(ends) {
            row = row.to(end, Role::Plain, &text);
        }
    }
    Some(row)
}

/// Formats the bytes of circular buffers of cores, marked if some may be those of a program that has not begun.
pub(super) fn buffers_written<'a>(
    page: &Page,
    cores: impl Iterator<Item = &'a CoreReport> + Clone,
) -> String {
    let bytes: Count = cores.clone().map(|core| core.circular_buffer_bytes.clone()).sum();
    marked(page, bytes, cores.clone().any(CoreReport::may_be_of_the_next))
}

/// Formats a number of bytes, marked if it is not certain.
pub(super) fn marked(page: &Page, bytes: Count, is_uncertain: bool) -> String {
    let quality = match is_uncertain && bytes.value().is_some() {
        true => Quality::Inferred,
        false => Quality::Exact,
    };
    format!("{}{}", page.mark(quality), written(page, bytes))
}

/// Formats a number of bytes, or the sign of a missing value.
pub(super) fn written(page: &Page, count: Count) -> String {
    match count.into_result() {
        Ok(bytes) => amount::size(bytes),
        Err(missing) => page.blank(missing.reason).to_owned(),
    }
}

/// The headings, in full where one does not touch the next.
fn names(buffers_end: usize) -> [&'static str; 3] {
    let full = ["Cores", "Circular buffers", "Kernel text"];
    match CORES + 1 + full[1].len() < buffers_end {
        true => full,
        false => ["Cores", "CBs", "Kernels"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_do_not_touch() {
        for buffers_end in CORES..MOST {
            let [_, buffers, _] = names(buffers_end);
            assert!(buffers.len() <= 3 || CORES + buffers.len() < buffers_end, "{buffers_end}");
        }
        assert_eq!(names(CORES + (MOST - CORES) / 2)[1], "Circular buffers");
    }
}
