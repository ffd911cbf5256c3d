//! The grid of cores: what each does, and how much of its L1 is in use.

use ttmem_model::l1::report::CoreReport;
use ttmem_model::l1::{Coordinate, RegionKind};

use super::glyph;
use super::panel::{Panel, Row};
use super::state::absent;
use super::view::ChipView;
use crate::output::bar;
use crate::output::page::{Page, Role};

/// Columns of the numbers of rows.
const NUMBERS: usize = 4;
/// Columns of a core: two signs and a space; without the space where there is no room for it.
const WIDE: usize = 3;
const NARROW: usize = 2;

/// Columns that the grid takes of `columns`.
pub(super) fn width(view: &ChipView<'_>, columns: usize) -> usize {
    let cells = view.report.grid.map_or(0, |grid| usize::from(grid.columns));
    NUMBERS + cells * cell_columns(cells, columns)
}

fn cell_columns(cells: usize, columns: usize) -> usize {
    if NUMBERS + cells * WIDE <= columns { WIDE } else { NARROW }
}

/// Draws the grid.
pub(super) fn panel(view: &ChipView<'_>, page: &Page, columns: usize) -> Panel {
    let Some(grid) = view.report.grid else {
        return vec![Row::default().from(0, columns, Role::Notice, "no core reports its position")];
    };
    let step = cell_columns(usize::from(grid.columns), columns);
    let column = |x: u8| NUMBERS + usize::from(x) * step;
    let mut head = Row::default();
    for x in 0..grid.columns {
        // Two digits need their two columns only where cells touch.
        if step == WIDE || x % 2 == 0 {
            head = head.to(column(x) + 2, Role::Quiet, &x.to_string());
        }
    }
    let rows = (0..grid.rows).map(|y| {
        let mut row = Row::default().to(NUMBERS - 2, Role::Quiet, &y.to_string());
        for x in 0..grid.columns {
            push_core(&mut row, view, page, Coordinate { x, y }, column(x));
        }
        row
    });
    std::iter::once(head).chain(rows).collect()
}

fn push_core(row: &mut Row, view: &ChipView<'_>, page: &Page, position: Coordinate, column: usize) {
    let Some(core) = view.report.at(position) else {
        return row.push_from(column, column + 2, Role::Quiet, absent(page.charset));
    };
    let (sign, role) = glyph::state(page, view.state(core));
    row.push_from(column, column + 1, role, sign);
    if let Some((used, whole)) = use_of(core) {
        let role = bar::role(used, whole);
        row.push_from(column + 1, column + 2, role, glyph::heat(page, used, whole));
    }
}

/// Bytes of circular buffers and tensors, each byte once, and what a core has for them. `None` where the buffers are
/// not known.
pub(super) fn use_of(core: &CoreReport) -> Option<(u64, u64)> {
    core.circular_buffer_bytes.value()?;
    let used = core.bytes(RegionKind::CircularBuffers).saturating_add(tensor_bytes(core));
    Some((used, core.l1_bytes().saturating_sub(core.unreserved?)))
}

/// Bytes of tensors in a core that are no circular buffers.
pub(super) fn tensor_bytes(core: &CoreReport) -> u64 {
    core.bytes(RegionKind::L1).saturating_add(core.bytes(RegionKind::L1Small))
}
