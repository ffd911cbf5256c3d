//! Reads the screen of a live view, and types keys into it.

use crate::tui::app::{App, Event};
use crate::tui::history::Moment;
use crate::tui::key::Key;
use crate::tui::look::{Charset, Depth, Look, Theme};
use crate::tui::view;
use ratatui_core::backend::TestBackend;
use ratatui_core::terminal::Terminal;

/// A terminal that can do everything.
pub(crate) const LOOK: Look =
    Look { theme: Theme::Default, depth: Depth::True, charset: Charset::Unicode };

/// Presses keys.
pub(crate) fn press(app: &mut App, keys: &str) {
    for letter in keys.chars() {
        let key = match letter {
            '⏎' => Key::Enter,
            '⇥' => Key::Tab,
            '←' => Key::Left,
            '↓' => Key::Down,
            '⇞' => Key::PageUp,
            '⇟' => Key::PageDown,
            letter => Key::Char(letter),
        };
        app.update(Moment(0), Event::Key(key));
    }
}

/// Returns the text of the screen, without trailing spaces.
pub(crate) fn screen(app: &App, (width, height): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let mut frame = terminal.get_frame();
    view::draw(app, &mut frame);
    let buffer = terminal.current_buffer_mut();
    let mut text = format!("{width}x{height}\n");
    for row in buffer.content().chunks(usize::from(width)) {
        let line: String = row.iter().map(|cell| cell.symbol()).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
