//! Rows of text pieces with columns, before their position on the page is known.

use crate::output::page::Role;

/// Rows, one below the other.
pub(super) type Panel = Vec<Row>;

/// A row, from left to right.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    pub(super) pieces: Vec<Piece>,
}

/// A text and its alignment in the row.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) alignment: Alignment,
    pub(super) role: Role,
    pub(super) text: String,
}

/// Alignment of a piece, in columns of its panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alignment {
    /// Begins at the first column and is cut before the second.
    From(usize, usize),
    /// Ends before this column.
    To(usize),
}

impl Row {
    /// The row with a text from column `start` on, cut before `end`.
    pub(super) fn from(mut self, start: usize, end: usize, role: Role, text: &str) -> Self {
        self.push_from(start, end, role, text);
        self
    }

    /// The row with a text that ends before column `end`.
    pub(super) fn to(mut self, end: usize, role: Role, text: &str) -> Self {
        self.pieces.push(Piece { alignment: Alignment::To(end), role, text: text.to_owned() });
        self
    }

    /// Appends a text from column `start` on, cut before `end`.
    pub(super) fn push_from(&mut self, start: usize, end: usize, role: Role, text: &str) {
        self.pieces.push(Piece {
            alignment: Alignment::From(start, end),
            role,
            text: text.to_owned(),
        });
    }
}
