//! The table that plain `ttmem` prints: chips with their memory, processes, findings.
//!
//! Framed and as wide as the page from [`FULL_WIDTH`] columns on, unframed on narrower pages. Chips have a group of lines
//! each where they are few, or one line each. Numbers and headings are those of the table of fields.

mod breakdown;
mod chips;
mod columns;
mod compact;
mod findings;
pub(super) mod header;
mod legend;
mod narrow;
mod processes;

use ttmem_model::snapshot::Snapshot;

use self::legend::Legend;
use super::page::{FULL_WIDTH, LEAST_WIDTH, Page};
use super::sheet::Sheet;

/// The lines of a chip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Form {
    /// One line per chip from three chips on.
    #[default]
    ByCount,
    /// All memory of every chip.
    Wide,
    /// One line per chip.
    Compact,
}

/// Number of chips from which each has one line.
const LEAST_COMPACT_CHIPS: usize = 3;

impl Form {
    fn is_compact(self, snapshot: &Snapshot) -> bool {
        match self {
            Self::ByCount => snapshot.chips.len() >= LEAST_COMPACT_CHIPS,
            Self::Wide => false,
            Self::Compact => !snapshot.chips.is_empty(),
        }
    }
}

/// Draws the table.
#[must_use]
pub(crate) fn render(snapshot: &Snapshot, form: Form, page: &Page) -> String {
    let page = Page { width: page.width.clamp(LEAST_WIDTH, MOST_WIDTH), ..*page };
    let mut sheet = Sheet::new(&page);
    let mut legend = Legend::default();
    let is_compact = form.is_compact(snapshot);
    if page.width < FULL_WIDTH {
        narrow::draw(&mut sheet, snapshot, is_compact, &mut legend);
    } else {
        header::draw(&mut sheet, snapshot);
        match (snapshot.chips.len(), is_compact) {
            (0, _) => chips::draw_none(&mut sheet),
            (_, true) => compact::draw(&mut sheet, snapshot, &mut legend),
            (_, false) => chips::draw(&mut sheet, snapshot, &mut legend),
        }
        processes::draw(&mut sheet, snapshot, is_compact, &mut legend);
        findings::draw(&mut sheet, snapshot);
    }
    legend.draw(&mut sheet, snapshot);
    sheet.finish()
}

/// The widest page that is filled.
const MOST_WIDTH: usize = 400;

/// Returns the columns of the sides of a framed table.
fn sides(page: &Page) -> [usize; 2] {
    [0, page.width - 1]
}
