//! The heads: of the page, of a chip, of a core.

use ttmem_model::Snapshot;
use ttmem_model::l1::Dispatch;
use ttmem_model::l1::report::CoreReport;

use super::panel::{Panel, Row};
use super::program;
use super::totals::{buffers_written, written};
use super::view::ChipView;
use crate::output::page::{Page, Role};
use crate::output::sheet::Sheet;
use crate::output::text::{width, wrap};
use crate::output::{amount, naming};

/// The note beside the date of a demonstration.
const DEMO: &str = "DEMO: not this machine";

/// Draws when it was, and whether it is the demonstration.
pub(super) fn draw(sheet: &mut Sheet<'_>, snapshot: &Snapshot) {
    let end = sheet.page().width;
    let mut line = sheet.start();
    line.push(Role::Plain, &amount::date_time(snapshot.time_us), end);
    if snapshot.demo {
        let demo = if end < 48 { "DEMO" } else { DEMO };
        line.push_right(Role::Notice, demo, end);
    }
    sheet.end(line);
}

/// The chip, its cores, and by which layout they were read.
pub(super) fn panel(view: &ChipView<'_>, page: &Page, columns: usize) -> Panel {
    let times = page.glyphs().times;
    let parts = [
        Some((Role::Strong, format!("{}  {}", view.chip.index, naming::board(view.chip, 0)))),
        naming::location(view.snapshot, view.chip).map(|location| (Role::Plain, location)),
        view.report
            .grid
            .map(|grid| (Role::Plain, format!("{} {times} {} cores", grid.columns, grid.rows))),
        Some((
            Role::Quiet,
            match view.report.is_recorded() {
                true => "source agent".to_owned(),
                false => format!("layout {}", view.report.layout),
            },
        )),
    ];
    flowing(parts.into_iter().flatten(), columns)
}

/// The core: its position, its state and the use of its L1.
pub(super) fn of_core(core: &CoreReport, page: &Page, columns: usize) -> Panel {
    let name = match core.logical.or(core.noc) {
        Some(position) => format!("core ({}, {})", position.x, position.y),
        None => "core".to_owned(),
    };
    let mut parts = vec![(Role::Strong, name), (Role::Plain, core.state.as_str().to_owned())];
    if let Some(noc) = core.noc {
        parts.push((Role::Quiet, format!("noc ({}, {})", noc.x, noc.y)));
    }
    if core.has_program() {
        let number = core.program.map(|id| id.to_string());
        let words = [number, program::operation(core)].into_iter().flatten();
        let program: Vec<String> = std::iter::once("program".to_owned()).chain(words).collect();
        parts.insert(2, (Role::Plain, program.join(" ")));
        let dispatch = core.dispatch.map(|dispatch| match dispatch {
            Dispatch::Fast => "fast dispatch",
            Dispatch::Slow => "slow dispatch",
        });
        parts.extend(dispatch.map(|dispatch| (Role::Quiet, dispatch.to_owned())));
    }
    let mut rows = flowing(parts.into_iter(), columns);
    let mut amounts = vec![
        (Role::Plain, format!("circular buffers {}", buffers_written(page, std::iter::once(core)))),
        (Role::Plain, format!("aliasing tensors {}", written(page, core.aliasing_bytes.clone()))),
        (Role::Plain, format!("kernel text {}", written(page, core.kernel_text_bytes.clone()))),
    ];
    if let Some(room) = core.headroom_bytes {
        let text = match u64::try_from(room) {
            Ok(bytes) => format!("headroom {}", amount::size(bytes)),
            Err(_negative) => format!("clash of {}", amount::size(room.unsigned_abs())),
        };
        amounts.push((Role::Plain, text));
    }
    rows.extend(flowing(amounts.into_iter(), columns));
    for line in core.detail.iter().flat_map(|detail| wrap(detail, columns)) {
        rows.push(Row::default().from(0, columns, Role::Notice, &line));
    }
    rows
}

/// Parts side by side, on as many rows as they need.
fn flowing(parts: impl Iterator<Item = (Role, String)>, columns: usize) -> Panel {
    const GAP: usize = 3;
    let mut rows = Panel::new();
    let mut row = Row::default();
    let mut next = 0;
    for (role, text) in parts {
        if next > 0 && next + width(&text) > columns {
            rows.push(std::mem::take(&mut row));
            next = 0;
        }
        row.push_from(next, columns, role, &text);
        next += width(&text) + GAP;
    }
    rows.push(row);
    rows
}
