//! A pane of labelled lines that scrolls, and shows how many lines are below.

use std::cell::Cell;

use ratatui_core::layout::Rect;

use super::canvas::Canvas;
use crate::output::text::{width, wrap};
use crate::tui::look::Role;

/// A line: a label, its text and the style of the text.
pub(crate) type Line = (String, Role, String);

/// Draws lines below a title from line `offset` on. An offset at which the last line would not be at the bottom becomes the one
/// at which it is. Labels have `label` columns; text that is longer than the rest is wrapped. `keys` are the keys that scroll.
pub(crate) fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    title: &str,
    (lines, label): (Vec<Line>, u16),
    (offset, keys): (&Cell<usize>, &str),
) {
    let inside = canvas.boxed(area, title);
    let lines = broken(lines, usize::from(inside.width.saturating_sub(label)));
    let height = usize::from(inside.height);
    let top = offset.get().min(lines.len().saturating_sub(height));
    offset.set(top);
    for ((name, role, text), y) in lines.iter().skip(top).take(height).zip(inside.y..) {
        canvas.text(inside.x, y, inside.x + label - 1, Role::Quiet, name);
        canvas.text(inside.x + label, y, inside.right(), *role, text);
    }
    if lines.len() > height {
        let more = lines.len() - height - top;
        let text = format!(" {keys}: {more} more ");
        canvas.right(area.x + 2, area.bottom() - 1, area.right() - 2, Role::Quiet, &text);
    }
}

/// Wraps lines to a width. Lines that fit keep their inner columns.
fn broken(lines: Vec<Line>, columns: usize) -> Vec<Line> {
    let mut broken = Vec::new();
    for (label, role, text) in lines {
        let parts = if width(&text) <= columns { vec![text] } else { wrap(&text, columns) };
        let mut label = Some(label);
        let parts = parts.into_iter().map(|part| (label.take().unwrap_or_default(), role, part));
        broken.extend(parts);
    }
    broken
}
