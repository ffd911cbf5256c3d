//! The table that plain `ttmem` prints: chips with their memory, processes, findings.
//!
//! Three layouts of the same content: framed, at exactly [`FULL_WIDTH`] columns where there is room; framed
//! with one line a chip where there are many; and unframed on narrower pages.

mod breakdown;
mod chips;
mod compact;
mod findings;
pub(super) mod header;
mod legend;
mod narrow;
pub(super) mod processes;

use ttmem_model::snapshot::Snapshot;

use self::legend::Legend;
use super::page::{FULL_WIDTH, LEAST_WIDTH, Page};
use super::sheet::Sheet;

/// More chips than this get one line each.
const MOST_DETAILED_CHIPS: usize = 8;
/// The sides of a framed table.
const SIDES: [usize; 2] = [0, FULL_WIDTH - 1];
/// Where text inside a frame ends.
const INNER_END: usize = FULL_WIDTH - 2;

/// Draws the table.
#[must_use]
pub(crate) fn render(snapshot: &Snapshot, page: &Page) -> String {
    let page = Page { width: page.width.clamp(LEAST_WIDTH, FULL_WIDTH), ..*page };
    let mut sheet = Sheet::new(&page);
    let mut legend = Legend::default();
    if page.width < FULL_WIDTH {
        narrow::draw(&mut sheet, snapshot, &mut legend);
    } else {
        header::draw(&mut sheet, snapshot);
        match snapshot.chips.len() {
            0 => chips::draw_none(&mut sheet),
            1..=MOST_DETAILED_CHIPS => chips::draw(&mut sheet, snapshot, &mut legend),
            _ => compact::draw(&mut sheet, snapshot, &mut legend),
        }
        processes::draw(&mut sheet, snapshot, &mut legend);
        findings::draw(&mut sheet, snapshot);
    }
    legend.draw(&mut sheet, snapshot);
    sheet.finish()
}
