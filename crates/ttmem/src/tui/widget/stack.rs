//! Stacked kinds over time, in eighths of a row.

use ratatui_core::layout::Rect;

use super::canvas::Canvas;
use super::plot::Range;
use crate::tui::look::Role;
use crate::tui::number::{cells, whole};

/// One kind: a value for every column, or a gap.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    /// Values of the layer, the oldest first.
    pub(crate) numbers: Vec<Option<f32>>,
    /// Role of the layer.
    pub(crate) role: Role,
}

/// Draws stacked kinds, bottom first. A column without any value stays empty.
pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect, range: Range, layers: &[Layer]) {
    let steps = canvas.glyphs().heights.len();
    let rows = usize::from(area.height);
    for column in 0..area.width {
        let mut sum = 0.0;
        let mut ends = Vec::with_capacity(layers.len());
        for layer in layers {
            let Some(number) = layer.numbers.get(usize::from(column)).copied().flatten() else {
                continue;
            };
            sum += f64::from(number);
            let end = whole((range.position(sum) * (rows * steps) as f64).round());
            // Any non-zero value is visible.
            let last = ends.last().map_or(0, |(end, _)| *end);
            let least = if number > 0.0 { last + 1 } else { last };
            ends.push((end.max(least).min(rows * steps), layer.role));
        }
        for row in 0..rows {
            draw_cell(canvas, area, column, row, &ends);
        }
    }
}

/// Draws a cell, counted from the bottom.
fn draw_cell(canvas: &mut Canvas<'_>, area: Rect, column: u16, row: usize, ends: &[(usize, Role)]) {
    let glyphs = canvas.glyphs();
    let steps = glyphs.heights.len();
    let (from, until) = (row * steps, (row + 1) * steps);
    let Some(index) = ends.iter().position(|(end, _)| *end > from) else { return };
    let (end, role) = ends[index];
    let (x, y) = (area.x + column, area.bottom() - 1 - cells(row));
    let style = canvas.look.style(role);
    if canvas.look.is_mono() || steps == 1 {
        return canvas.sign(x, y, style, glyphs.fill(role).unwrap_or(glyphs.fills[0]));
    }
    if end >= until {
        return canvas.sign(x, y, style, glyphs.heights[steps - 1]);
    }
    let above = ends[index..].iter().find(|(other, _)| *other > end);
    let above = above.and_then(|(_, role)| canvas.look.style(*role).fg);
    let style = above.map_or(style, |colour| style.bg(colour));
    canvas.sign(x, y, style, glyphs.heights[end - from - 1]);
}

#[cfg(test)]
mod tests {
    use ratatui_core::buffer::Buffer;

    use super::*;
    use crate::tui::look::{Charset, Depth, Look, Theme};

    fn stack(theme: Theme) -> Vec<String> {
        let look = Look { theme, depth: Depth::True, charset: Charset::Unicode };
        let mut buffer = Buffer::empty(Rect::new(0, 0, 4, 2));
        let mut canvas = Canvas::new(&mut buffer, look);
        let layer = |numbers: [Option<f32>; 4], role| Layer { numbers: numbers.to_vec(), role };
        let layers = [
            layer([Some(2.0), Some(8.0), None, Some(0.0)], Role::L1),
            layer([Some(4.0), Some(8.0), None, Some(0.1)], Role::L1Small),
        ];
        draw(&mut canvas, Rect::new(0, 0, 4, 2), Range { low: 0.0, high: 16.0 }, &layers);
        let cells = buffer.content();
        cells.chunks(4).map(|row| row.iter().map(|cell| cell.symbol()).collect()).collect()
    }

    #[test]
    fn kinds_stand_upon_each_other_and_a_gap_is_empty() {
        assert_eq!(stack(Theme::Default), [" █  ", "▂█ ▁"]);
    }

    #[test]
    fn without_colour_every_kind_has_a_sign() {
        assert_eq!(stack(Theme::Mono), [" ▓  ", "██ ▓"]);
    }
}
