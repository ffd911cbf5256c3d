//! A drawing buffer with a theme, and a list of mouse targets.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::{Position, Rect};
use ratatui_core::style::{Color, Modifier, Style};

use crate::output::text::{cut, legible, width};
use crate::tui::app::Target;
use crate::tui::look::{Glyphs, Look, Role};
use crate::tui::number::cells;

/// A mouse target and its area.
pub(crate) type Hit = (Rect, Target);

/// The surface that views draw on.
#[derive(Debug)]
pub(crate) struct Canvas<'a> {
    buffer: &'a mut Buffer,
    /// The theme.
    pub(crate) look: Look,
    hits: Vec<Hit>,
}

impl<'a> Canvas<'a> {
    /// Creates a canvas over a whole buffer.
    #[must_use]
    pub(crate) fn new(buffer: &'a mut Buffer, look: Look) -> Self {
        Self { buffer, look, hits: Vec::new() }
    }

    /// Returns the character set.
    #[must_use]
    pub(crate) fn glyphs(&self) -> &'static Glyphs {
        self.look.glyphs()
    }

    /// Returns the mouse targets; the last one drawn is on top.
    #[must_use]
    pub(crate) fn into_hits(self) -> Vec<Hit> {
        self.hits
    }

    /// Adds a mouse target.
    pub(crate) fn hit(&mut self, area: Rect, target: Target) {
        self.hits.push((area, target));
    }

    /// Removes the mouse targets below.
    pub(crate) fn cover(&mut self) {
        self.hits.clear();
    }

    /// Writes text from `x` on, cut before `end`. Returns the column after it. Control characters are replaced.
    pub(crate) fn text(&mut self, x: u16, y: u16, end: u16, role: Role, text: &str) -> u16 {
        self.styled(x, y, end, self.look.style(role), text)
    }

    /// Writes texts from `x` on, each after a dot, except those that would not end before `end`.
    pub(crate) fn dotted(
        &mut self,
        mut x: u16,
        y: u16,
        end: u16,
        parts: impl IntoIterator<Item = (Role, String)>,
    ) {
        for (role, text) in parts {
            if x + 3 + cells(width(&text)) > end {
                continue;
            }
            x = self.text(x + 1, y, end, Role::Frame, self.glyphs().dot);
            x = self.text(x + 1, y, end, role, &text);
        }
    }

    /// Writes text in a style of its own.
    pub(crate) fn styled(&mut self, x: u16, y: u16, end: u16, style: Style, text: &str) -> u16 {
        let area = self.buffer.area;
        let end = end.min(area.right());
        if y >= area.bottom() || x >= end {
            return x;
        }
        // Keep only the background of the previous content.
        let style = Style::new().fg(Color::Reset).remove_modifier(Modifier::all()).patch(style);
        let text = legible(text, self.look.charset);
        let text = cut(&text, usize::from(end - x), self.glyphs().ellipsis);
        if !text.is_ascii() {
            return self.buffer.set_stringn(x, y, &text, usize::from(end - x), style).0;
        }
        // Most text: one column a byte, so that no clusters of characters are searched.
        let first = self.buffer.index_of(x, y);
        let row = self.buffer.content.get_mut(first..first + text.len()).unwrap_or_default();
        for (cell, byte) in row.iter_mut().zip(text.bytes()) {
            cell.set_char(char::from(byte)).set_style(style);
        }
        x + cells(text.len())
    }

    /// Writes text that ends before `end`, cut at `start`.
    pub(crate) fn right(&mut self, start: u16, y: u16, end: u16, role: Role, text: &str) {
        let columns = cells(width(&legible(text, self.look.charset)));
        self.text(start.max(end.saturating_sub(columns)), y, end, role, text);
    }

    /// Writes a fixed sign over any content.
    pub(crate) fn sign(&mut self, x: u16, y: u16, style: Style, sign: &str) {
        if let Some(cell) = self.buffer.cell_mut(Position { x, y }) {
            cell.set_symbol(sign).set_style(style);
        }
    }

    /// Writes a fixed sign into an empty cell.
    pub(crate) fn sign_if_empty(&mut self, x: u16, y: u16, style: Style, sign: &str) {
        if self.buffer.cell(Position { x, y }).is_some_and(|cell| cell.symbol() == " ") {
            self.sign(x, y, style, sign);
        }
    }

    /// True if a cell has a letter.
    #[must_use]
    pub(crate) fn is_letter(&self, x: u16, y: u16) -> bool {
        let cell = self.buffer.cell(Position { x, y });
        cell.is_some_and(|cell| cell.symbol().starts_with(|sign: char| sign.is_ascii_alphabetic()))
    }

    /// Draws a horizontal rule.
    pub(crate) fn rule(&mut self, area: Rect) {
        let line = self.glyphs().lines[0];
        let style = self.look.style(Role::Frame);
        for x in area.left()..area.right() {
            self.sign(x, area.y, style, line);
        }
    }

    /// Applies a style over the content.
    pub(crate) fn over(&mut self, area: Rect, style: Style) {
        self.buffer.set_style(area.intersection(self.buffer.area), style);
    }

    /// Marks the selected row.
    pub(crate) fn cursor(&mut self, area: Rect) {
        self.over(area, self.look.cursor());
    }

    /// Clears an area and draws a box around it, with a title. Returns the area inside.
    pub(crate) fn boxed(&mut self, area: Rect, title: &str) -> Rect {
        let area = area.intersection(self.buffer.area);
        for y in area.top()..area.bottom() {
            for x in area.left()..area.right() {
                self.sign(x, y, Style::reset(), " ");
            }
        }
        if area.width < 4 || area.height < 3 {
            return area;
        }
        let [horizontal, vertical, _] = self.glyphs().lines;
        let [top_left, top_right, bottom_left, bottom_right] = self.glyphs().corners;
        let style = self.look.style(Role::Frame);
        let (right, bottom) = (area.right() - 1, area.bottom() - 1);
        for x in area.left()..=right {
            self.sign(x, area.top(), style, horizontal);
            self.sign(x, bottom, style, horizontal);
        }
        for y in area.top()..=bottom {
            self.sign(area.left(), y, style, vertical);
            self.sign(right, y, style, vertical);
        }
        self.sign(area.left(), area.top(), style, top_left);
        self.sign(right, area.top(), style, top_right);
        self.sign(area.left(), bottom, style, bottom_left);
        self.sign(right, bottom, style, bottom_right);
        self.text(area.left() + 2, area.top(), right, Role::Strong, &format!(" {title} "));
        Rect { x: area.x + 2, y: area.y + 1, width: area.width - 4, height: area.height - 2 }
    }

    /// Returns the fill of a kind of memory, if colour does not distinguish it.
    #[must_use]
    pub(crate) fn fill(&self, role: Role) -> Option<&'static str> {
        let has_fills = self.look.is_mono() || self.glyphs().steps.len() == 1;
        self.glyphs().fill(role).filter(|_| has_fills)
    }

    /// Returns the style of the open tab or item.
    #[must_use]
    pub(crate) fn open(&self) -> Style {
        if self.look.is_mono() {
            Style::new().add_modifier(Modifier::REVERSED)
        } else {
            self.look.style(Role::Accent).add_modifier(Modifier::BOLD)
        }
    }
}

/// Returns the first visible row when `count` rows do not fit `height`: the cursor stays in the middle.
#[must_use]
pub(crate) fn scroll(count: usize, height: usize, cursor: usize) -> usize {
    cursor.saturating_sub(height / 2).min(count.saturating_sub(height))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::page::Charset;
    use crate::tui::look::{Depth, Theme};

    #[test]
    fn text_of_one_byte_a_column_is_drawn_as_any_other() {
        let look = Look { theme: Theme::Default, depth: Depth::True, charset: Charset::Unicode };
        let area = Rect::new(0, 0, 8, 1);
        for (x, end, text) in [(0, 8, "chip 0"), (3, 6, "abc"), (5, 20, "abc"), (2, 8, "")] {
            let (mut drawn, mut expected) = (Buffer::empty(area), Buffer::empty(area));
            let mut canvas = Canvas::new(&mut drawn, look);
            let style = canvas.look.style(Role::Alarm);
            let next = canvas.styled(x, 0, end, style, text);
            let shown = Style::new().fg(Color::Reset).remove_modifier(Modifier::all()).patch(style);
            let columns = usize::from(end.min(8) - x);
            assert_eq!(next, expected.set_stringn(x, 0, text, columns, shown).0, "{text}");
            assert_eq!(drawn, expected, "{text}");
        }
    }

    #[test]
    fn a_list_scrolls_around_its_cursor_and_not_beyond_its_ends() {
        assert_eq!(scroll(5, 10, 4), 0);
        assert_eq!(scroll(100, 10, 0), 0);
        assert_eq!(scroll(100, 10, 50), 45);
        assert_eq!(scroll(100, 10, 99), 90);
        assert_eq!(scroll(0, 0, 0), 0);
    }
}
