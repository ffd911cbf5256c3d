//! The L1 of a chip by kind.

use ttmem_model::l1::report::CoreReport;
use ttmem_model::{Missing, Reading};

use super::panel::{Panel, Row};
use super::view::ChipView;
use crate::output::page::{Page, Role};
use crate::output::{amount, bar};

/// Column at which bars begin.
const BARS: usize = 19;
/// The shortest bar worth drawing.
const LEAST_BAR: usize = 4;
/// Columns of an amount with the sign of its quality, and of a share.
const AMOUNT: usize = 10;
const SHARE: usize = 6;
/// Columns of a note, and of the page from which on there are notes.
const NOTE: usize = 27;
const WIDE: usize = 80;

/// One kind: its name, its bytes and its explanation.
struct Kind<'a> {
    label: &'static str,
    indent: usize,
    used: &'a Reading<u64>,
    note: &'static str,
}

/// A row for each kind, and one for all of L1.
pub(super) fn panel(view: &ChipView<'_>, page: &Page, columns: usize) -> Panel {
    let memory = &view.chip.memory;
    let kind = |indent, label, used, note| Kind { label, indent, used, note };
    let kinds = [
        kind(0, "Reserved", &memory.reserved.used, "firmware, mailboxes, ring"),
        kind(1, "kernel text", &memory.kernels.used, "in the ring"),
        kind(1, "dispatch kernels", &memory.kernels.system, "in the ring"),
        kind(0, "Circular buffers", &memory.circular_buffers.used, "resident"),
        kind(1, "of running cores", &memory.circular_buffers.running, ""),
        kind(1, "aliasing tensors", &memory.circular_buffers.aliasing, ""),
        kind(0, "L1 tensors", &memory.l1.used, ""),
    ];
    let capacity = memory.l1_total.capacity.value().copied();
    let rows = kinds.iter().map(|kind| row(kind, capacity, page, columns));
    rows.chain(capacity.map(|bytes| whole(view, bytes, page, columns))).collect()
}

/// Returns the column at which the amount ends.
fn amount_end(columns: usize) -> usize {
    columns - SHARE - if columns >= WIDE { NOTE } else { 0 }
}

fn row(kind: &Kind<'_>, capacity: Option<u64>, page: &Page, columns: usize) -> Row {
    let end = amount_end(columns);
    let mut row = Row::default().from(kind.indent, BARS - 1, Role::Plain, kind.label);
    let bar_end = end - AMOUNT;
    if let (Some(used), Some(whole)) = (kind.used.value().copied(), capacity)
        && bar_end >= BARS + LEAST_BAR
    {
        let (filled, track) = bar::bar(page, used, whole, bar_end - BARS);
        let role = if kind.indent > 0 { Role::Quiet } else { bar::role(used, whole) };
        let filled_end = BARS + crate::output::text::width(&filled);
        row = row.from(BARS, bar_end, role, &filled).from(filled_end, bar_end, Role::Quiet, &track);
    }
    row = row.to(end, Role::Plain, &written(page, kind.used));
    let share =
        kind.used.value().copied().zip(capacity).and_then(|(used, all)| amount::percent(used, all));
    row = row.to(end + SHARE, Role::Plain, &share.unwrap_or_default());
    if columns >= WIDE {
        let note = match kind.used {
            Reading::Missing(missing) => missing.reason.as_str(),
            Reading::Known { source, .. } if kind.note.is_empty() => source.as_str(),
            Reading::Known { .. } => kind.note,
        };
        row = row.from(end + SHARE + 2, columns, Role::Quiet, note);
    }
    row
}

fn written(page: &Page, figure: &Reading<u64>) -> String {
    match figure {
        Reading::Known { value: bytes, quality, .. } => {
            format!("{}{}", page.mark(*quality), amount::size(*bytes))
        }
        Reading::Missing(Missing { reason, .. }) => page.blank(*reason).to_owned(),
    }
}

fn whole(view: &ChipView<'_>, bytes: u64, page: &Page, columns: usize) -> Row {
    let end = amount_end(columns);
    let row = Row::default().from(0, BARS - 1, Role::Plain, "All L1").to(
        end,
        Role::Plain,
        &amount::size(bytes),
    );
    let core = amount::size(view.report.cores.first().map_or(0, CoreReport::l1_bytes));
    match view.chip.worker_cores.value() {
        Some(cores) if columns >= WIDE => {
            let note = format!("{cores} {} {core}", page.glyphs().times);
            row.from(end + SHARE + 2, columns, Role::Quiet, &note)
        }
        _ => row,
    }
}
