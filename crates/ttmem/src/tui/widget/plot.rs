//! Lines over time, in braille: two dots to a column, four to a row.

use ratatui_core::layout::Rect;

use super::canvas::Canvas;
use crate::tui::look::Role;
use crate::tui::number::{cells, whole};
use crate::tui::track::Unit;

/// Dots in a cell.
pub(crate) const DOTS: (usize, usize) = (2, 4);

/// A line: a value for every column of dots, or a gap.
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    /// Values of the line, the oldest first.
    pub(crate) numbers: Vec<Option<f32>>,
    /// Role of the line.
    pub(crate) role: Role,
    /// The letter at its end, where its colour does not distinguish it.
    pub(crate) letter: Option<char>,
}

/// The vertical scale of a chart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Range {
    /// The value at the bottom.
    pub(crate) low: f64,
    /// The value at the top.
    pub(crate) high: f64,
}

impl Range {
    /// Creates a scale from 0 to the limit, or to the largest value if there is no limit or it is exceeded.
    #[must_use]
    pub(crate) fn up_to(limit: Option<f64>, highest: Option<f64>, unit: Unit) -> Self {
        let highest = highest.unwrap_or(0.0);
        let limit = limit.filter(|limit| *limit >= highest);
        let high = limit.unwrap_or_else(|| match unit {
            Unit::Bytes | Unit::BytesPerSecond => power_of_two(highest),
            _ => nice(highest),
        });
        Self { low: 0.0, high: if high > 0.0 { high } else { 1.0 } }
    }

    /// Creates a scale that fits the values, with a margin on both sides.
    #[must_use]
    pub(crate) fn around(lowest: Option<f64>, highest: Option<f64>) -> Self {
        let (Some(lowest), Some(highest)) = (lowest, highest) else {
            return Self { low: 0.0, high: 1.0 };
        };
        // A flat line is drawn in the middle.
        let margin = ((highest - lowest) * 0.08).max(highest.abs() * 0.01).max(0.5);
        Self { low: (lowest - margin).max(0.0), high: highest + margin }
    }

    /// Returns the scale with its bottom at a value below it, such as a temperature below zero.
    #[must_use]
    pub(crate) fn down_to(self, lowest: Option<f64>) -> Self {
        Self { low: lowest.map_or(self.low, |lowest| lowest.min(self.low)), ..self }
    }

    /// Returns the position of a value, from 0 at the bottom to 1 at the top.
    #[must_use]
    pub(crate) fn position(self, number: f64) -> f64 {
        ((number - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }
}

/// Returns the next power of two, for bytes.
fn power_of_two(number: f64) -> f64 {
    const MANTISSA: u64 = (1 << (f64::MANTISSA_DIGITS - 1)) - 1;
    if number <= 0.0 {
        return 0.0;
    }
    let below = f64::from_bits(number.to_bits() & !MANTISSA);
    if below < number { 2.0 * below } else { below }
}

/// Returns the next of 1, 2 or 5 times a power of ten.
fn nice(number: f64) -> f64 {
    if number <= 0.0 {
        return 0.0;
    }
    let units = (-9..=21).map(|digits| 10.0_f64.powi(digits));
    let unit = units.take_while(|unit| *unit <= number).last().unwrap_or(number);
    let steps = [1.0, 2.0, 5.0, 10.0];
    steps.into_iter().map(|step| step * unit).find(|step| *step >= number).unwrap_or(number)
}

/// Draws lines over each other; the last one is on top.
pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect, range: Range, curves: &[Curve]) {
    for curve in curves {
        if canvas.glyphs().braille {
            draw_braille(canvas, area, range, curve);
        } else {
            draw_ascii(canvas, area, range, curve);
        }
    }
    for curve in curves {
        draw_letter(canvas, area, range, curve);
    }
}

/// Labels a curve at its last value. Labels that meet are placed side by side.
fn draw_letter(canvas: &mut Canvas<'_>, area: Rect, range: Range, curve: &Curve) {
    let Some(letter) = curve.letter else { return };
    let Some(last) = curve.numbers.iter().rposition(Option::is_some) else { return };
    let Some(number) = curve.numbers[last] else { return };
    let step = if canvas.glyphs().braille { DOTS.0 } else { 1 };
    let rows = f64::from(area.height.saturating_sub(1));
    let row = cells(whole((range.position(f64::from(number)) * rows).round()));
    let y = area.bottom().saturating_sub(1 + row);
    let mut x = area.x + cells(last / step).min(area.width.saturating_sub(1));
    while x > area.x && canvas.is_letter(x, y) {
        x -= 1;
    }
    canvas.sign(x, y, canvas.look.style(Role::Strong), letter.encode_utf8(&mut [0; 4]));
}

fn draw_braille(canvas: &mut Canvas<'_>, area: Rect, range: Range, curve: &Curve) {
    let rows = usize::from(area.height) * DOTS.1;
    let mut cells_of_curve = vec![0_u8; usize::from(area.width) * usize::from(area.height)];
    let mut before = None;
    for (column, number) in curve.numbers.iter().take(usize::from(area.width) * 2).enumerate() {
        let row = number.map(|number| row_of(range, f64::from(number), rows));
        if let Some(row) = row {
            // A jump is drawn as a vertical line.
            let from = before.unwrap_or(row);
            for dot in from.min(row)..=from.max(row) {
                let cell = dot / DOTS.1 * usize::from(area.width) + column / DOTS.0;
                cells_of_curve[cell] |= dot_of(column % DOTS.0, dot % DOTS.1);
            }
        }
        before = row;
    }
    let style = canvas.look.style(curve.role);
    for (index, dots) in cells_of_curve.into_iter().enumerate().filter(|(_, dots)| *dots != 0) {
        let (row, column) = (index / usize::from(area.width), index % usize::from(area.width));
        let sign = char::from_u32(0x2800 + u32::from(dots)).unwrap_or(' ');
        let mut bytes = [0; 4];
        let (x, y) = (area.x + cells(column), area.y + cells(row));
        canvas.sign(x, y, style, sign.encode_utf8(&mut bytes));
    }
}

fn draw_ascii(canvas: &mut Canvas<'_>, area: Rect, range: Range, curve: &Curve) {
    let style = canvas.look.style(curve.role);
    for column in 0..area.width {
        let pair = curve.numbers.iter().skip(usize::from(column) * 2).take(2);
        let highest = pair.flatten().copied().reduce(f32::max);
        if let Some(number) = highest {
            let row = row_of(range, f64::from(number), usize::from(area.height));
            canvas.sign(area.x + column, area.y + cells(row), style, "*");
        }
    }
}

/// Returns the row of a value, counted from the top.
fn row_of(range: Range, number: f64, rows: usize) -> usize {
    let last = rows.saturating_sub(1);
    last - whole((range.position(number) * last as f64).round()).min(last)
}

/// Returns the bit of a dot in a braille character: U+2800 counts the left three, the right three, then the lowest two.
fn dot_of(column: usize, row: usize) -> u8 {
    const BITS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
    BITS[column][row]
}

#[cfg(test)]
mod tests {
    use ratatui_core::buffer::Buffer;

    use super::*;

    #[test]
    fn a_temperature_below_zero_is_on_its_chart() {
        let (lowest, highest) = (Some(-9.5), Some(20.0));
        let limit = Range::up_to(Some(75.0), highest, Unit::Celsius).down_to(lowest);
        assert_eq!(limit, Range { low: -9.5, high: 75.0 });
        let fitted = Range::around(lowest, highest).down_to(lowest);
        assert!(fitted.low <= -9.5 && fitted.position(-5.0) > 0.0);
        let above = Range::up_to(Some(75.0), highest, Unit::Celsius);
        assert_eq!(above.down_to(Some(10.0)), above);
    }
    use crate::tui::look::{Charset, Depth, Look, Theme};

    fn plot(charset: Charset, numbers: &[Option<f32>]) -> Vec<String> {
        let look = Look { theme: Theme::Default, depth: Depth::True, charset };
        let mut buffer = Buffer::empty(Rect::new(0, 0, 4, 2));
        let mut canvas = Canvas::new(&mut buffer, look);
        let curve = Curve { numbers: numbers.to_vec(), role: Role::Dram, letter: None };
        let range = Range { low: 0.0, high: 7.0 };
        draw(&mut canvas, Rect::new(0, 0, 4, 2), range, &[curve]);
        let cells = buffer.content();
        cells.chunks(4).map(|row| row.iter().map(|cell| cell.symbol()).collect()).collect()
    }

    #[test]
    fn every_dot_is_a_number() {
        let rising: Vec<_> = (0_u8..8).map(|number| Some(f32::from(number))).collect();
        assert_eq!(plot(Charset::Unicode, &rising), ["  ⣠⠞", "⣠⠞⠁ "]);
    }

    #[test]
    fn curves_are_named_where_colour_does_not_tell_them_apart() {
        let look = Look { theme: Theme::Mono, depth: Depth::True, charset: Charset::Unicode };
        let mut buffer = Buffer::empty(Rect::new(0, 0, 4, 2));
        let mut canvas = Canvas::new(&mut buffer, look);
        let curve = |number: f32, letter| {
            let numbers = vec![Some(number); 8];
            Curve { numbers, role: Role::Plain, letter: Some(letter) }
        };
        let curves = [curve(7.0, 'a'), curve(0.0, 'b'), curve(0.0, 'c')];
        draw(&mut canvas, Rect::new(0, 0, 4, 2), Range { low: 0.0, high: 7.0 }, &curves);
        let text: String = buffer.content().iter().map(|cell| cell.symbol()).collect();
        assert_eq!(text, "⠉⠉⠉a⣀⣀cb");
    }

    #[test]
    fn a_gap_is_not_bridged() {
        let numbers = [Some(0.0), Some(0.0), None, None, None, None, Some(7.0), Some(7.0)];
        assert_eq!(plot(Charset::Unicode, &numbers), ["   ⠉", "⣀   "]);
        assert_eq!(plot(Charset::Ascii, &numbers), ["   *", "*   "]);
    }

    #[test]
    fn scales_have_room() {
        let high = |limit, highest, unit| Range::up_to(limit, highest, unit).high;
        assert_eq!(high(Some(12.0), Some(9.0), Unit::Watts), 12.0);
        assert_eq!(high(Some(12.0), Some(13.0), Unit::Watts), 20.0);
        assert_eq!(high(None, Some(13.0), Unit::Bytes), 16.0);
        assert_eq!(high(None, Some(1024.0), Unit::Bytes), 1024.0);
        assert_eq!(high(None, None, Unit::Bytes), 1.0);
        for (number, next, of_two) in [
            (0.0, 0.0, 0.0),
            (0.3, 0.5, 0.5),
            (1.0, 1.0, 1.0),
            (2.1, 5.0, 4.0),
            (999.0, 1e3, 1024.0),
            (1e9, 1e9, 1_073_741_824.0),
            (f64::INFINITY, f64::INFINITY, f64::INFINITY),
        ] {
            assert_eq!((nice(number), power_of_two(number)), (next, of_two), "{number}");
        }
        let flat = Range::around(Some(50.0), Some(50.0));
        assert!(flat.low < 50.0 && flat.high > 50.0);
    }
}
