//! Panels in a frame where the page has room for one, and one below the other where not.

use super::panel::{Alignment, Panel, Piece, Row};
use crate::output::line::Line;
use crate::output::page::{FULL_WIDTH, Page};
use crate::output::sheet::{Rule, Sheet};

/// Columns that a frame takes from the page, left and right: its side and a space.
const SIDE: usize = 2;

/// A part of a frame between two rules.
pub(super) enum Section {
    Whole(Panel),
    /// Two panels, the left one of this many columns.
    Split(Panel, usize, Panel),
}

impl Section {
    pub(super) fn whole(panel: Panel) -> Self {
        Self::Whole(panel)
    }

    pub(super) fn split(left: Panel, columns: usize, right: Panel) -> Self {
        Self::Split(left, columns, right)
    }

    /// The columns of its vertical rules.
    fn rules(&self) -> Vec<usize> {
        let last = FULL_WIDTH - 1;
        match self {
            Self::Whole(_) => vec![0, last],
            Self::Split(_, columns, _) => vec![0, split_at(*columns), last],
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Whole(panel) if panel.is_empty())
    }
}

/// Columns inside the frame, or of the page where there is none.
pub(super) fn inner_width(page: &Page) -> usize {
    if is_framed(page) { FULL_WIDTH - 2 * SIDE } else { page.width }
}

/// Columns right of a left panel of `columns`; the whole page where panels are below each other.
pub(super) fn right_width(page: &Page, columns: usize) -> usize {
    if is_framed(page) { FULL_WIDTH - SIDE - (split_at(columns) + SIDE) } else { page.width }
}

/// Draws sections one below the other. Empty ones are left out.
pub(super) fn draw(sheet: &mut Sheet<'_>, sections: &[Section]) {
    let sections: Vec<&Section> = sections.iter().filter(|section| !section.is_empty()).collect();
    if is_framed(sheet.page()) { framed(sheet, &sections) } else { stacked(sheet, &sections) }
}

fn is_framed(page: &Page) -> bool {
    page.width >= FULL_WIDTH
}

fn split_at(columns: usize) -> usize {
    SIDE + columns + 1
}

fn framed(sheet: &mut Sheet<'_>, sections: &[&Section]) {
    let mut above = Vec::new();
    for (number, section) in sections.iter().enumerate() {
        let rules = section.rules();
        sheet.rule(if number == 1 { Rule::Thick } else { Rule::Thin }, &above, &rules);
        let rows = match section {
            Section::Whole(panel) => panel.len(),
            Section::Split(left, _, right) => left.len().max(right.len()),
        };
        for row in 0..rows {
            let mut line = sheet.start_row();
            match section {
                Section::Whole(panel) => place_row(&mut line, panel.get(row), SIDE),
                Section::Split(left, columns, right) => {
                    place_row(&mut line, left.get(row), SIDE);
                    line.rule_at(split_at(*columns));
                    place_row(&mut line, right.get(row), split_at(*columns) + SIDE);
                }
            }
            line.rule_at(FULL_WIDTH - 1);
            sheet.end(line);
        }
        above = rules;
    }
    sheet.rule(Rule::Thin, &above, &[]);
}

fn stacked(sheet: &mut Sheet<'_>, sections: &[&Section]) {
    let panels = sections.iter().flat_map(|section| match section {
        Section::Whole(panel) => vec![panel],
        Section::Split(left, _, right) => vec![left, right],
    });
    for (number, panel) in panels.enumerate() {
        match number {
            0 => {}
            1 => sheet.divide(),
            _ => sheet.skip(),
        }
        for row in panel {
            let mut line = sheet.start();
            place_row(&mut line, Some(row), 0);
            sheet.end(line);
        }
    }
    sheet.divide();
}

fn place_row(line: &mut Line<'_>, row: Option<&Row>, left: usize) {
    for Piece { alignment, role, text } in row.iter().flat_map(|row| &row.pieces) {
        match alignment {
            Alignment::From(start, end) => {
                line.pad_to(left + start);
                line.push(*role, text, left + end);
            }
            Alignment::To(end) => line.push_right(*role, text, left + end),
        }
    }
}
