//! One line of text, built from left to right by columns. A piece that does not fit before its column is cut, so a
//! line never grows past the columns that its builder names.

use super::page::{Page, Role};
use super::text::{cut, legible, width};

/// A line in the making.
#[derive(Clone, Debug)]
pub(crate) struct Line<'p> {
    page: &'p Page,
    text: String,
    columns: usize,
}

impl<'p> Line<'p> {
    /// An empty line.
    #[must_use]
    pub(crate) fn new(page: &'p Page) -> Self {
        Self { page, text: String::new(), columns: 0 }
    }

    /// The page it belongs to.
    #[must_use]
    pub(crate) fn page(&self) -> &'p Page {
        self.page
    }

    /// Columns taken so far.
    #[must_use]
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// Appends a text as far as it fits before column `end`.
    pub(crate) fn push(&mut self, role: Role, text: &str, end: usize) {
        let text = legible(text, self.page.charset);
        let room = end.saturating_sub(self.columns);
        let text = cut(&text, room, self.page.glyphs().ellipsis);
        self.append(role, &text);
    }

    /// Appends a text so that it ends at column `end`, cut if there is too little room.
    pub(crate) fn push_right(&mut self, role: Role, text: &str, end: usize) {
        let text = legible(text, self.page.charset);
        self.pad_to(end.saturating_sub(width(&text)));
        self.push(role, &text, end);
    }

    /// Fills with spaces up to column `column`.
    pub(crate) fn pad_to(&mut self, column: usize) {
        let spaces = column.saturating_sub(self.columns);
        self.text.extend(std::iter::repeat_n(' ', spaces));
        self.columns += spaces;
    }

    /// Fills up to column `column` and draws a vertical rule there.
    pub(crate) fn rule_at(&mut self, column: usize) {
        self.pad_to(column);
        self.append(Role::Quiet, self.page.glyphs().vertical);
    }

    /// The finished line, without spaces at its end.
    #[must_use]
    pub(crate) fn finish(self) -> String {
        let length = self.text.trim_end_matches(' ').len();
        let mut text = self.text;
        text.truncate(length);
        text
    }

    /// Appends what is known to be harmless and to fit.
    pub(super) fn append(&mut self, role: Role, text: &str) {
        if text.is_empty() {
            return;
        }
        self.columns += width(text);
        let style = self.page.style(role);
        if style.is_plain() {
            self.text.push_str(text);
        } else {
            self.text.push_str(&format!("{style}{text}{style:#}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::page::Colour;

    #[test]
    fn pieces_are_placed_by_columns_and_cut_before_the_next() {
        let page = Page::plain(40);
        let mut line = Line::new(&page);
        line.push(Role::Plain, "模型", 6);
        line.push_right(Role::Plain, "42", 8);
        line.rule_at(9);
        line.push(Role::Plain, "too long", 14);
        line.pad_to(20);
        assert_eq!(line.columns(), 20);
        assert_eq!(line.finish(), "模型  42 │too…");
    }

    #[test]
    fn colour_takes_no_columns() {
        let page = Page { colour: Colour::On, ..Page::plain(40) };
        let mut line = Line::new(&page);
        line.push(Role::Alarm, "hot", 10);
        line.push_right(Role::Plain, "x", 5);
        assert_eq!(line.columns(), 5);
        assert_eq!(line.finish(), "\u{1b}[1m\u{1b}[31mhot\u{1b}[0m x");
    }
}
