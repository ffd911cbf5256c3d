//! Output to the terminal: only the cells that changed, with as few escape sequences as possible, in one write. A frame
//! without changes writes nothing.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::io::{self, Write};

use ratatui_core::backend::{Backend, ClearType, WindowSize};
use ratatui_core::buffer::Cell;
use ratatui_core::layout::{Position, Size};
use ratatui_core::style::{Color, Modifier};

/// A terminal for output.
#[derive(Debug)]
pub(crate) struct Screen<W> {
    writer: W,
    size: Size,
    /// The bytes of the next flush.
    pending: String,
    /// The error of the last write.
    error: Option<io::Error>,
}

impl<W: Write> Screen<W> {
    /// Creates a terminal of a size.
    pub(crate) fn new(writer: W, size: Size) -> Self {
        Self { writer, size, pending: String::new(), error: None }
    }

    /// Sets the size.
    pub(crate) fn set_size(&mut self, size: Size) {
        self.size = size;
    }

    /// Takes the error of the last write, if there is one.
    pub(crate) fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    fn push(&mut self, arguments: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        match self.pending.write_fmt(arguments) {
            Ok(()) | Err(std::fmt::Error) => {}
        }
    }

    /// Changes from one cell style to another.
    fn set_style(&mut self, before: &mut CellStyle, next: CellStyle) {
        if *before == next {
            return;
        }
        self.pending.push_str("\x1b[0");
        for (flag, code) in MODIFIERS {
            if next.modifier.contains(flag) {
                self.push(format_args!(";{code}"));
            }
        }
        self.push_colour(next.foreground, 30);
        self.push_colour(next.background, 40);
        self.pending.push('m');
        *before = next;
    }

    fn push_colour(&mut self, colour: Color, base: u8) {
        match colour {
            Color::Reset => {}
            Color::Rgb(red, green, blue) => {
                self.push(format_args!(";{};2;{red};{green};{blue}", base + 8));
            }
            Color::Indexed(index) => self.push(format_args!(";{};5;{index}", base + 8)),
            named => {
                let (number, bright) = number_of(named);
                let code = base + number + if bright { 60 } else { 0 };
                self.push(format_args!(";{code}"));
            }
        }
    }
}

const MODIFIERS: [(Modifier, u8); 4] =
    [(Modifier::BOLD, 1), (Modifier::DIM, 2), (Modifier::UNDERLINED, 4), (Modifier::REVERSED, 7)];

/// The style of cells.
#[derive(Clone, Copy, PartialEq)]
struct CellStyle {
    foreground: Color,
    background: Color,
    modifier: Modifier,
}

impl CellStyle {
    const NONE: Self =
        Self { foreground: Color::Reset, background: Color::Reset, modifier: Modifier::empty() };
}

/// Returns the index of one of the 16 colours among its eight, and true if it is a bright one.
fn number_of(colour: Color) -> (u8, bool) {
    match colour {
        Color::Red => (1, false),
        Color::Green => (2, false),
        Color::Yellow => (3, false),
        Color::Blue => (4, false),
        Color::Magenta => (5, false),
        Color::Cyan => (6, false),
        Color::Gray => (7, false),
        Color::DarkGray => (0, true),
        Color::LightRed => (1, true),
        Color::LightGreen => (2, true),
        Color::LightYellow => (3, true),
        Color::LightBlue => (4, true),
        Color::LightMagenta => (5, true),
        Color::LightCyan => (6, true),
        Color::White => (7, true),
        _ => (0, false),
    }
}

impl<W: Write> Backend for Screen<W> {
    type Error = Infallible;

    fn draw<'a, I>(&mut self, content: I) -> Result<(), Infallible>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut style = CellStyle::NONE;
        let mut next = None;
        for (x, y, cell) in content {
            if next != Some((x, y)) {
                self.push(format_args!("\x1b[{};{}H", y + 1, x + 1));
            }
            let modifier = cell.modifier;
            self.set_style(
                &mut style,
                CellStyle { foreground: cell.fg, background: cell.bg, modifier },
            );
            self.pending.push_str(cell.symbol());
            next = Some((x + 1, y));
        }
        if next.is_some() {
            self.set_style(&mut style, CellStyle::NONE);
        }
        Ok(())
    }

    fn hide_cursor(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn show_cursor(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn get_cursor_position(&mut self) -> Result<Position, Infallible> {
        Ok(Position::ORIGIN)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, _position: P) -> Result<(), Infallible> {
        Ok(())
    }

    fn clear(&mut self) -> Result<(), Infallible> {
        self.pending.push_str("\x1b[0m\x1b[2J");
        Ok(())
    }

    fn clear_region(&mut self, _clear_type: ClearType) -> Result<(), Infallible> {
        self.clear()
    }

    fn size(&self) -> Result<Size, Infallible> {
        Ok(self.size)
    }

    fn window_size(&mut self) -> Result<WindowSize, Infallible> {
        Ok(WindowSize { columns_rows: self.size, pixels: Size::ZERO })
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let outcome =
            self.writer.write_all(self.pending.as_bytes()).and_then(|()| self.writer.flush());
        if let Err(error) = outcome {
            self.error = Some(error);
        }
        self.pending.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ratatui_core::layout::Rect;
    use ratatui_core::style::Style;
    use ratatui_core::terminal::Terminal;

    use super::*;

    fn draw(terminal: &mut Terminal<Screen<Vec<u8>>>, text: &str, style: Style) -> String {
        let before = terminal.backend().writer.len();
        terminal.get_frame().buffer_mut().set_string(0, 0, text, style);
        terminal.flush().unwrap();
        terminal.swap_buffers();
        terminal.backend_mut().flush().unwrap();
        String::from_utf8(terminal.backend().writer[before..].to_vec()).unwrap()
    }

    #[test]
    fn only_what_changed_is_written() {
        let size = Size::new(20, 2);
        let mut terminal = Terminal::new(Screen::new(Vec::new(), size)).unwrap();
        assert_eq!(terminal.get_frame().area(), Rect::new(0, 0, 20, 2));
        let red = Style::new().fg(Color::Red);
        assert_eq!(draw(&mut terminal, "chip 0", red), "\x1b[1;1H\x1b[0;31mchip 0\x1b[0m");
        assert_eq!(draw(&mut terminal, "chip 0", red), "");
        assert_eq!(draw(&mut terminal, "chip 1", red), "\x1b[1;6H\x1b[0;31m1\x1b[0m");
    }

    #[test]
    fn colours_are_written_as_the_terminal_has_them() {
        let mut screen = Screen::new(Vec::new(), Size::new(9, 1));
        let mut cell = Cell::new("x");
        cell.set_style(Style::new().fg(Color::Rgb(1, 2, 3)).bg(Color::Indexed(236)));
        screen.draw([(0, 0, &cell)].into_iter()).unwrap();
        cell.set_style(
            Style::new().fg(Color::LightRed).bg(Color::Reset).add_modifier(Modifier::BOLD),
        );
        screen.draw([(3, 0, &cell)].into_iter()).unwrap();
        screen.flush().unwrap();
        assert_eq!(
            String::from_utf8(screen.writer).unwrap(),
            "\x1b[1;1H\x1b[0;38;2;1;2;3;48;5;236mx\x1b[0m\x1b[1;4H\x1b[0;1;91mx\x1b[0m"
        );
    }
}
