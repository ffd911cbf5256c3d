//! The loop of the picker: it draws on standard error, and reads keys, signals and the host.

use std::io::{self, IsTerminal as _};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Instant;

use ratatui_core::backend::Backend as _;
use ratatui_core::layout::{Rect, Size};
use ratatui_core::terminal::Terminal;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use ttmem_doctor::who::Use;
use ttmem_sources::Collector;

use super::{Device, devices_of, none};
use crate::cmd::variable;
use crate::cmd::who::PAUSE;
use crate::error::Error;
use crate::tui::listen::{Heard, listen};
use crate::tui::look::{Environment, Look};
use crate::tui::picker::{Choice, Outcome, Picker};
use crate::tui::screen::Screen;
use crate::tui::terminal::{self, Console, TerminalEvent};

/// The capacity of the channel of keys and signals.
const WAITING: usize = 64;

/// The result of the picker.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chosen {
    /// The numbers of devices.
    Devices(Vec<u32>),
    /// No chip, because of a signal. The user's Escape, q and Ctrl-C count as SIGINT.
    Nothing(u8),
}

/// Returns true if there is a terminal to read keys from and to draw on. Standard output may be a pipe.
pub(super) fn has_terminal() -> bool {
    io::stdin().is_terminal()
        && io::stderr().is_terminal()
        && Environment::read(variable).why_unsupported().is_none()
}

/// Lets the user choose devices.
///
/// # Errors
/// [`Error::NotFound`] if there is no device; if the host cannot be read, or the terminal cannot be used.
pub(super) fn choose(collector: &mut Collector, look: Look) -> Result<Chosen, Error> {
    let (snapshot, devices) = devices_of(&[], collector)?;
    if devices.is_empty() {
        return Err(none(&[]));
    }
    let mut picker = Picker::new(snapshot, choices(&devices));
    terminal::restore_on_panic();
    let outcome = terminal::set_up(Console::Error, false)
        .map_err(unusable)
        .and_then(|()| ask(&mut picker, collector, look));
    let restored = terminal::restore();
    let outcome = outcome?;
    restored.map_err(unusable)?;
    Ok(outcome)
}

#[expect(clippy::needless_pass_by_value, reason = "it is the argument of map_err")]
fn unusable(error: io::Error) -> Error {
    Error::System(format!("cannot use the terminal: {error}; ttmem pick -n 1 asks nothing"))
}

fn ask(picker: &mut Picker, collector: &mut Collector, look: Look) -> Result<Chosen, Error> {
    let (sender, heard) = sync_channel::<Heard>(WAITING);
    listen(sender, &[SIGINT, SIGTERM, SIGHUP, SIGQUIT]).map_err(|error| Error::signals(&error))?;
    let (columns, rows) = terminal::size().map_err(unusable)?;
    let Ok(mut screen) = Terminal::new(Screen::new(io::stderr(), Size::new(columns, rows)));
    let mut sampled = Instant::now();
    loop {
        picker.draw(&mut screen.get_frame(), look);
        let Ok(()) = screen.flush();
        screen.swap_buffers();
        let Ok(()) = screen.backend_mut().flush();
        screen.backend_mut().take_error().map_or(Ok(()), Err).map_err(unusable)?;
        let event = match heard.recv_timeout(PAUSE.saturating_sub(sampled.elapsed())) {
            Ok(Heard::TerminalEvent(event)) => event,
            Ok(Heard::Signal(signal)) => return Ok(nothing(signal)),
            Ok(Heard::Closed) | Err(RecvTimeoutError::Disconnected) => return Ok(nothing(SIGHUP)),
            Err(RecvTimeoutError::Timeout) => {
                let (snapshot, devices) = devices_of(&[], collector)?;
                picker.refresh(snapshot, choices(&devices));
                sampled = Instant::now();
                continue;
            }
        };
        match event {
            TerminalEvent::Key(key) => match picker.press(key) {
                Outcome::Open => {}
                Outcome::Picked => return Ok(Chosen::Devices(picker.picked())),
                Outcome::Cancelled => return Ok(nothing(SIGINT)),
            },
            TerminalEvent::Resize(columns, rows) => {
                screen.backend_mut().set_size(Size::new(columns, rows));
                let Ok(()) = screen.resize(Rect::new(0, 0, columns, rows));
            }
            TerminalEvent::Paste(_) | TerminalEvent::Mouse(..) => {}
        }
    }
}

fn nothing(signal: i32) -> Chosen {
    Chosen::Nothing(u8::try_from(signal).unwrap_or_default())
}

fn choices(devices: &[Device]) -> Vec<Choice> {
    let choice = |device: &Device| Choice {
        number: device.number,
        used: match device.used {
            Use::Free => "free",
            Use::Unknown => "unknown",
            Use::InUse => "in use",
        },
        is_free: device.used == Use::Free,
    };
    devices.iter().map(choice).collect()
}
