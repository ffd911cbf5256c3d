//! Setup and restoration of the terminal.
//!
//! The terminal is always restored: at the end, before a panic is reported, and before the process is stopped.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU8, Ordering};

use crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

use super::app::Gesture;
use super::key::Key;

/// Alternate screen, cursor hidden, no wrapping at the right edge, bracketed paste, so that pasted text is not taken
/// for keys.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?2004h\x1b[2J";
/// Main screen, cursor shown, default colours.
const LEAVE: &str = "\x1b[0m\x1b[?2004l\x1b[?7h\x1b[?25h\x1b[?1049l";
/// Mouse clicks, wheel and moves, in the SGR encoding, which has no limit of columns.
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1003h\x1b[?1006h";
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1003l\x1b[?1000l";

/// The stream that the terminal is drawn on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Console {
    /// Standard output.
    Output = 1,
    /// Standard error: standard output is for the result.
    Error = 2,
}

impl Console {
    /// Writes texts, and flushes.
    fn write(self, texts: &[&str]) -> io::Result<()> {
        let mut stream: Box<dyn Write> = match self {
            Self::Output => Box::new(io::stdout().lock()),
            Self::Error => Box::new(io::stderr().lock()),
        };
        texts.iter().try_for_each(|text| stream.write_all(text.as_bytes()))?;
        stream.flush()
    }
}

/// The [`Console`] that is in use; 0 for none. A static, because there is one terminal and the panic hook needs it.
static TAKEN: AtomicU8 = AtomicU8::new(0);

/// Sets up the terminal.
///
/// # Errors
/// If it cannot be set or written to.
pub(crate) fn set_up(console: Console, mouse: bool) -> io::Result<()> {
    crossterm::terminal::enable_raw_mode()?;
    TAKEN.store(console as u8, Ordering::SeqCst);
    console.write(if mouse { &[ENTER, MOUSE_ON] } else { &[ENTER] })
}

/// The columns and rows of the terminal.
///
/// # Errors
/// If the terminal does not tell them.
pub(crate) fn size() -> io::Result<(u16, u16)> {
    crossterm::terminal::size().map(drawable)
}

/// The size that is drawn: a serial line, or a terminal of `docker exec`, may have none.
fn drawable((columns, rows): (u16, u16)) -> (u16, u16) {
    if columns == 0 || rows == 0 { (80, 24) } else { (columns, rows) }
}

/// Restores the terminal, if it was set up.
///
/// # Errors
/// If it cannot be set or written to, for example because it is gone.
pub(crate) fn restore() -> io::Result<()> {
    const OUTPUT: u8 = Console::Output as u8;
    let console = match TAKEN.swap(0, Ordering::SeqCst) {
        0 => return Ok(()),
        OUTPUT => Console::Output,
        _ => Console::Error,
    };
    let written = console.write(&[MOUSE_OFF, LEAVE]);
    crossterm::terminal::disable_raw_mode().and(written)
}

/// Restores the terminal before a panic is printed. A panic on another thread ends the process, because the screen
/// would never change again.
pub(crate) fn restore_on_panic() {
    let report = std::panic::take_hook();
    let main = std::thread::current().id();
    std::panic::set_hook(Box::new(move |panic| {
        // The panic matters more than a terminal that cannot be set.
        match restore() {
            Ok(()) | Err(_) => {}
        }
        report(panic);
        if std::thread::current().id() != main {
            /// The exit code of a panic on the first thread.
            const PANICKED: i32 = 101;
            std::process::exit(PANICKED);
        }
    }));
}

/// An input event of the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TerminalEvent {
    /// A key.
    Key(Key),
    /// Pasted text.
    Paste(String),
    /// A mouse action at a column and row.
    Mouse(Gesture, u16, u16),
    /// The terminal has a new size, in columns and rows.
    Resize(u16, u16),
}

/// Translates input to events; ignores what does not matter.
///
/// A key with Alt is split into Escape and that key: a terminal sends the same bytes for both, and a slow line delivers
/// them at once.
pub(crate) fn translate(input: &Input) -> impl Iterator<Item = TerminalEvent> + use<> {
    let (before, heard) = match input {
        Input::Key(event) if event.kind != KeyEventKind::Release => {
            let alt = event.modifiers.contains(KeyModifiers::ALT);
            (alt.then_some(TerminalEvent::Key(Key::Escape)), key(event).map(TerminalEvent::Key))
        }
        Input::Mouse(event) => (None, mouse(event)),
        Input::Paste(text) => (None, Some(TerminalEvent::Paste(text.clone()))),
        Input::Resize(columns, rows) => {
            let (columns, rows) = drawable((*columns, *rows));
            (None, Some(TerminalEvent::Resize(columns, rows)))
        }
        _ => (None, None),
    };
    before.into_iter().chain(heard)
}

fn key(event: &KeyEvent) -> Option<Key> {
    let control = event.modifiers.contains(KeyModifiers::CONTROL);
    Some(match event.code {
        KeyCode::Char(letter) if control => Key::Control(letter.to_ascii_lowercase()),
        KeyCode::Char(letter) => Key::Char(letter),
        KeyCode::F(number) => Key::Function(number),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Tab => Key::Tab,
        KeyCode::BackTab => Key::BackTab,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Delete => Key::Delete,
        _ => return None,
    })
}

fn mouse(event: &MouseEvent) -> Option<TerminalEvent> {
    let gesture = match event.kind {
        MouseEventKind::Down(MouseButton::Left) => Gesture::Click,
        MouseEventKind::ScrollUp => Gesture::WheelUp,
        MouseEventKind::ScrollDown => Gesture::WheelDown,
        MouseEventKind::Moved => Gesture::Hover,
        _ => return None,
    };
    Some(TerminalEvent::Mouse(gesture, event.column, event.row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_understood() {
        let understood = |input| translate(&input).collect::<Vec<_>>();
        let heard = |code, modifiers| understood(Input::Key(KeyEvent::new(code, modifiers)));
        let plain = KeyModifiers::NONE;
        assert_eq!(heard(KeyCode::Char('q'), plain), [TerminalEvent::Key(Key::Char('q'))]);
        let control = KeyModifiers::CONTROL;
        assert_eq!(heard(KeyCode::Char('c'), control), [TerminalEvent::Key(Key::Control('c'))]);
        assert_eq!(heard(KeyCode::CapsLock, plain), []);
        assert_eq!(understood(Input::FocusGained), []);
        assert_eq!(understood(Input::Resize(60, 20)), [TerminalEvent::Resize(60, 20)]);
        assert_eq!(understood(Input::Resize(0, 0)), [TerminalEvent::Resize(80, 24)]);
        let both = [TerminalEvent::Key(Key::Escape), TerminalEvent::Key(Key::Char('c'))];
        assert_eq!(heard(KeyCode::Char('c'), KeyModifiers::ALT), both);
    }

    #[test]
    fn a_terminal_that_was_not_taken_is_left_alone() {
        assert!(restore().is_ok());
    }
}
