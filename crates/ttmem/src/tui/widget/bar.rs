//! A stacked bar of kinds, in eighths of a cell.

use ratatui_core::style::Style;

use super::canvas::Canvas;
use crate::tui::look::Role;
use crate::tui::number::{cells, whole};

/// A part of a bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Part {
    /// Amount of the part, in the unit of the whole.
    pub(crate) amount: f64,
    /// Role of the part.
    pub(crate) role: Role,
}

/// The rest of the bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// The rest is free.
    Free,
    /// The rest is unknown.
    Unknown,
}

/// A bar.
#[derive(Clone, Debug)]
pub(crate) struct Bar<'a> {
    /// The parts, leftmost first.
    pub(crate) parts: &'a [Part],
    /// The whole.
    pub(crate) whole: f64,
    /// The rest after the parts.
    pub(crate) rest: Rest,
    /// The peak.
    pub(crate) peak: Option<f64>,
}

impl Bar<'_> {
    /// Draws the bar over the columns of one row.
    pub(crate) fn draw(&self, canvas: &mut Canvas<'_>, x: u16, y: u16, columns: u16) {
        let ends = self.ends(usize::from(columns), canvas.glyphs().steps.len());
        for column in 0..columns {
            let (sign, style) = self.cell(canvas, &ends, usize::from(column));
            canvas.sign(x + column, y, style, sign);
        }
        self.draw_peak(canvas, x, y, columns, &ends);
    }

    /// Returns the end of each part, in steps. Any non-zero part is visible, and only the whole fills the bar.
    fn ends(&self, columns: usize, steps: usize) -> Vec<usize> {
        let room = columns * steps;
        let mut ends = Vec::with_capacity(self.parts.len());
        let (mut sum, mut end) = (0.0, 0);
        for part in self.parts {
            sum += part.amount.max(0.0);
            let share = if self.whole > 0.0 { whole(sum / self.whole * room as f64) } else { 0 };
            let least = if part.amount > 0.0 { end + 1 } else { end };
            end = share.max(least).min(room);
            ends.push(end);
        }
        ends
    }

    fn cell(&self, canvas: &Canvas<'_>, ends: &[usize], column: usize) -> (&'static str, Style) {
        let glyphs = canvas.glyphs();
        let steps = glyphs.steps.len();
        let (from, until) = (column * steps, (column + 1) * steps);
        // The part at the left edge of the cell, and its end.
        let Some(index) = ends.iter().position(|end| *end > from) else {
            let track = match self.rest {
                Rest::Free => glyphs.track,
                Rest::Unknown => glyphs.unknown,
            };
            return (track, canvas.look.style(Role::Frame));
        };
        let style = canvas.look.style(self.parts[index].role);
        if canvas.look.is_mono() || steps == 1 {
            return (glyphs.fill(self.parts[index].role).unwrap_or(glyphs.fills[0]), style);
        }
        let end = ends[index].min(until);
        let next = (index + 1..ends.len()).find(|next| ends[*next] > end);
        if end == until {
            return (glyphs.steps[steps - 1], style);
        }
        let style = match next {
            Some(next) => match canvas.look.style(self.parts[next].role).fg {
                Some(colour) => style.bg(colour),
                None => style,
            },
            None => style,
        };
        (glyphs.steps[(end - from).saturating_sub(1)], style)
    }

    fn draw_peak(&self, canvas: &mut Canvas<'_>, x: u16, y: u16, columns: u16, ends: &[usize]) {
        let (Some(peak), true) = (self.peak, self.whole > 0.0) else { return };
        let steps = canvas.glyphs().steps.len();
        let filled = ends.last().copied().unwrap_or(0).div_ceil(steps);
        let cell = whole(peak / self.whole * f64::from(columns)).min(usize::from(columns) - 1);
        if cell >= filled && peak > 0.0 {
            let role = self.parts.first().map_or(Role::Quiet, |part| part.role);
            let style = canvas.look.style(role);
            canvas.sign(x + cells(cell), y, style, canvas.glyphs().peak);
        }
    }
}

#[cfg(test)]
mod tests {
    use ratatui_core::buffer::Buffer;
    use ratatui_core::layout::Rect;

    use super::*;
    use crate::tui::look::{Charset, Depth, Look, Theme};

    fn bar(look: Look, parts: &[f64], rest: Rest, peak: Option<f64>) -> String {
        let roles = [Role::L1, Role::L1Small, Role::CircularBuffers];
        let parts: Vec<Part> =
            parts.iter().zip(roles).map(|(amount, role)| Part { amount: *amount, role }).collect();
        let mut buffer = Buffer::empty(Rect::new(0, 0, 10, 1));
        let mut canvas = Canvas::new(&mut buffer, look);
        Bar { parts: &parts, whole: 80.0, rest, peak }.draw(&mut canvas, 0, 0, 10);
        buffer.content().iter().map(|cell| cell.symbol()).collect()
    }

    const LOOK: Look =
        Look { theme: Theme::Default, depth: Depth::True, charset: Charset::Unicode };

    #[test]
    fn bars_count_in_eighths() {
        let text = |part: f64| bar(LOOK, &[part], Rest::Free, None);
        assert_eq!(text(0.0), "··········");
        assert_eq!(text(0.01), "▏·········");
        assert_eq!(text(36.0), "████▌·····");
        assert_eq!(text(80.0), "██████████");
        assert_eq!(text(99.0), "██████████");
    }

    #[test]
    fn every_part_shows_and_what_is_unknown_does_not_look_free() {
        assert_eq!(bar(LOOK, &[24.0, 0.1, 8.0], Rest::Unknown, None), "███▏╌╌╌╌╌╌");
    }

    #[test]
    fn without_colour_every_kind_has_a_sign() {
        let mono = Look { theme: Theme::Mono, ..LOOK };
        assert_eq!(bar(mono, &[24.0, 16.0, 8.0], Rest::Free, None), "███▓▓▒····");
        let ascii = Look { charset: Charset::Ascii, ..LOOK };
        assert_eq!(bar(ascii, &[24.0, 16.0, 8.0], Rest::Unknown, None), "###==o????");
    }

    #[test]
    fn a_kind_keeps_its_sign_where_another_is_not_known() {
        let look = Look { charset: Charset::Ascii, ..LOOK };
        let mut buffer = Buffer::empty(Rect::new(0, 0, 4, 1));
        let mut canvas = Canvas::new(&mut buffer, look);
        let parts = [Part { amount: 2.0, role: Role::Kernels }];
        let bar = Bar { parts: &parts, whole: 4.0, rest: Rest::Unknown, peak: None };
        bar.draw(&mut canvas, 0, 0, 4);
        let text: String = buffer.content().iter().map(|cell| cell.symbol()).collect();
        assert_eq!(text, "%%??");
    }

    #[test]
    fn a_peak_above_the_fill_is_marked() {
        assert_eq!(bar(LOOK, &[24.0], Rest::Free, Some(60.0)), "███····▕··");
        assert_eq!(bar(LOOK, &[24.0], Rest::Free, Some(24.0)), "███▕······");
        assert_eq!(bar(LOOK, &[24.0], Rest::Free, Some(20.0)), "███·······");
    }
}
