//! The output of `ttmem l1`: the grid of a chip's cores, the address space of one, its programs.
//!
//! A page at [`FULL_WIDTH`] has frames; narrower pages have the panels one below the other.

mod core;
mod cores;
mod frame;
mod glyph;
mod grid;
mod heading;
mod kinds;
mod notes;
mod panel;
mod program;
mod programs;
pub(crate) mod state;
mod totals;
pub(crate) mod view;

use clap::ValueEnum;
use ttmem_model::Snapshot;
use ttmem_model::l1::Coordinate;
use ttmem_model::l1::report::CoreReport;

use self::frame::Section;
use self::panel::Panel;
use self::view::ChipView;
use super::page::{FULL_WIDTH, LEAST_WIDTH, Page};
use super::sheet::Sheet;

/// The key that programs or cores are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum L1Sort {
    /// The number of the program, or the coordinate of the core.
    #[default]
    Number,
    /// The number of cores of a program; for cores, the state.
    Cores,
    /// Bytes of circular buffers, most first.
    Cbs,
    /// Bytes of kernel text, most first.
    Text,
}

/// A chip whose L1 could not be read, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unread {
    /// The index of the chip.
    pub(crate) index: u32,
    /// The reason, one line.
    pub(crate) why: String,
}

/// The chips to draw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chips<'a> {
    /// Snapshot of the chips.
    pub(crate) snapshot: &'a Snapshot,
    /// Chips whose L1 was read.
    pub(crate) views: &'a [ChipView<'a>],
    /// Chips whose L1 could not be read.
    pub(crate) unread: &'a [Unread],
}

impl Chips<'_> {
    /// Draws the grid of each chip with what is in it.
    #[must_use]
    pub(crate) fn grids(&self, sort: L1Sort, page: &Page) -> String {
        let page = fitting(page);
        self.draw(&page, |sheet, chip| {
            let width = frame::inner_width(&page);
            let split = grid::width(chip, width);
            let grid = grid::panel(chip, &page, width);
            let totals = totals::panel(chip, &page, frame::right_width(&page, split));
            let title = heading::panel(chip, &page, width);
            let kinds = kinds::panel(chip, &page, width);
            let programs = programs::panel(chip, &page, width, sort);
            frame::draw(
                sheet,
                &[
                    Section::whole(title),
                    Section::split(grid, split, totals),
                    Section::whole(kinds),
                    Section::whole(programs),
                ],
            );
            notes::draw_grid(sheet, chip);
        })
    }

    /// Draws the cores of each chip, one per line.
    #[must_use]
    pub(crate) fn lists(&self, sort: L1Sort, page: &Page) -> String {
        let page = fitting(page);
        self.draw(&page, |sheet, chip| {
            let width = frame::inner_width(&page);
            let title = heading::panel(chip, &page, width);
            let cores = cores::panel(chip, &page, width, sort);
            frame::draw(sheet, &[Section::whole(title), Section::whole(cores)]);
            notes::draw(sheet, chip);
        })
    }

    /// Draws the address space of one core of each chip that has it.
    #[must_use]
    pub(crate) fn maps(&self, core: Coordinate, page: &Page) -> String {
        self.draw(&fitting(page), |sheet, chip| {
            let Some(core) = chip.report.at(core) else { return };
            draw_map(sheet, chip, core);
            notes::draw(sheet, chip);
        })
    }

    fn draw(&self, page: &Page, mut each: impl FnMut(&mut Sheet<'_>, &ChipView<'_>)) -> String {
        let mut sheet = Sheet::new(page);
        heading::draw(&mut sheet, self.snapshot);
        for (index, chip) in self.views.iter().enumerate() {
            if index > 0 {
                sheet.skip();
            }
            each(&mut sheet, chip);
        }
        notes::draw_unread(&mut sheet, self.unread);
        sheet.finish()
    }
}

fn draw_map(sheet: &mut Sheet<'_>, chip: &ChipView<'_>, own: &CoreReport) {
    let page = sheet.page();
    let width = frame::inner_width(page);
    let title: Panel = heading::panel(chip, page, width)
        .into_iter()
        .chain(heading::of_core(own, page, width))
        .collect();
    frame::draw(
        sheet,
        &[
            Section::whole(title),
            Section::whole(core::map(own, page, width)),
            Section::whole(core::regions(own, page, width)),
        ],
    );
}

fn fitting(page: &Page) -> Page {
    Page { width: page.width.clamp(LEAST_WIDTH, FULL_WIDTH), ..*page }
}
