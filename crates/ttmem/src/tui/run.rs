//! The event loop: every event comes through one channel and updates the state, then changes are drawn.
//!
//! The loop never waits for a source: samples come from other threads. It sleeps until an event arrives or until
//! something on the screen is due to change.

mod perform;
mod readers;

use std::io::{self, Stdout};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use ratatui_core::backend::Backend as _;
use ratatui_core::layout::{Position, Rect, Size};
use ratatui_core::terminal::Terminal;
use signal_hook::consts::signal::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};

use super::app::{Action, App, Event, Mouse};
use super::history::Moment;
use super::listen::{Heard, listen, small_thread};
use super::sampler::{Stamped, Timeline};
use super::screen::Screen;
use super::terminal::{self, Console, TerminalEvent};
use super::view;
use super::widget::canvas::Hit;

pub(crate) use perform::{Directory, Outside};
use readers::Readers;
pub(crate) use readers::{HostParts, Subject};

/// The capacity of the event channel; senders wait when it is full.
const WAITING: usize = 64;
/// The most events that are handled before the screen is drawn.
const MOST_AT_ONCE: usize = 64;

/// The signals that the loop handles.
const SIGNALS: [i32; 6] = [SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGCONT];

/// The parts that the live view is started with.
pub(crate) struct Parts {
    /// The state before the first sample.
    pub(crate) app: App,
    /// The subject: a host or a recording.
    pub(crate) subject: Subject,
    /// True if mouse reporting is enabled.
    pub(crate) mouse: bool,
    /// Access to the outside: files and signals.
    pub(crate) outside: Outside,
}

/// The result of the live view.
#[derive(Debug)]
pub(crate) struct End {
    /// The final state.
    pub(crate) app: App,
    /// The signal that ended it, if one did.
    pub(crate) signal: Option<i32>,
}

/// A message to the loop.
#[derive(Debug)]
enum Incoming {
    Event(Moment, Event),
    Heard(Heard),
}

impl From<Heard> for Incoming {
    fn from(heard: Heard) -> Self {
        Self::Heard(heard)
    }
}

/// Runs the live view until it ends.
///
/// # Errors
/// If the terminal cannot be set up or written to, or a thread cannot be started.
pub(crate) fn run(parts: Parts) -> io::Result<End> {
    let Parts { app, subject, mouse, outside } = parts;
    let timeline = subject.begin().map_or_else(Timeline::now, Timeline::from);
    let (sender, incoming) = sync_channel(WAITING);
    terminal::restore_on_panic();
    let (columns, rows) = terminal::size()?;
    terminal::set_up(Console::Output, mouse)?;
    let outcome = (|| {
        let events = forward(sender.clone())?;
        let interval = Duration::from_micros(app.interval_micros());
        let readers = Readers::start(subject, interval, timeline, events)?;
        // Apply what the first samples requested.
        if let Some(ask) = app.cores.requested {
            readers.ask(Action::Cores(ask));
        }
        listen(sender, &SIGNALS)?;
        let screen = Screen::new(io::stdout(), Size::new(columns, rows));
        let Ok(terminal) = Terminal::new(screen);
        let mut live = Live { app, terminal, hits: Vec::new(), timeline, readers, mouse, outside };
        let signal = live.go(&incoming)?;
        Ok(End { app: live.app, signal })
    })();
    // The reason for the end matters more than a terminal that is gone.
    match terminal::restore() {
        Ok(()) => outcome,
        Err(error) => outcome.and(Err(error)),
    }
}

/// Returns a channel for the threads that read the host.
fn forward(sender: SyncSender<Incoming>) -> io::Result<SyncSender<Stamped>> {
    let (events, stamped) = sync_channel::<Stamped>(1);
    let work = move || {
        for (moment, event) in stamped {
            if sender.send(Incoming::Event(moment, event)).is_err() {
                return;
            }
        }
    };
    small_thread("events", work)?;
    Ok(events)
}

struct Live {
    app: App,
    terminal: Terminal<Screen<Stdout>>,
    hits: Vec<Hit>,
    timeline: Timeline,
    readers: Readers,
    mouse: bool,
    outside: Outside,
}

/// The next step of the loop.
enum Next {
    Go,
    End(Option<i32>),
}

impl Live {
    /// Runs the loop. Returns the signal that ended it, if one did.
    fn go(&mut self, incoming: &Receiver<Incoming>) -> io::Result<Option<i32>> {
        loop {
            self.readers.want_list(self.app.wanted_list());
            self.draw()?;
            let wait = self.app.wait(self.timeline.moment()).map(Duration::from_micros);
            let first = match wait {
                None => incoming.recv().map_err(|_closed| RecvTimeoutError::Disconnected),
                Some(wait) => incoming.recv_timeout(wait),
            };
            let first = match first {
                Ok(first) => first,
                Err(RecvTimeoutError::Timeout) => {
                    Incoming::Event(self.timeline.moment(), Event::Tick)
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
            };
            let more = incoming.try_iter().take(MOST_AT_ONCE);
            for incoming in std::iter::once(first).chain(more) {
                if let Next::End(signal) = self.handle(incoming)? {
                    return Ok(signal);
                }
            }
        }
    }

    fn handle(&mut self, incoming: Incoming) -> io::Result<Next> {
        let now = self.timeline.moment();
        let action = match incoming {
            Incoming::Event(at, event) => self.app.update(at, event),
            Incoming::Heard(Heard::TerminalEvent(TerminalEvent::Key(key))) => {
                self.app.update(now, Event::Key(key))
            }
            Incoming::Heard(Heard::TerminalEvent(TerminalEvent::Mouse(gesture, x, y))) => {
                let position = Position { x, y };
                let under = self.hits.iter().rev().find(|(area, _)| area.contains(position));
                let target = under.map(|(_, target)| *target);
                self.app.update(now, Event::Mouse(Mouse { gesture, target }))
            }
            Incoming::Heard(Heard::TerminalEvent(TerminalEvent::Paste(text))) => {
                self.app.update(now, Event::Paste(text))
            }
            Incoming::Heard(Heard::TerminalEvent(TerminalEvent::Resize(columns, rows))) => {
                self.resize(columns, rows);
                Action::Draw
            }
            Incoming::Heard(Heard::Signal(SIGTSTP)) => Action::Suspend,
            Incoming::Heard(Heard::Signal(SIGCONT)) => {
                self.resume()?;
                Action::Redraw
            }
            Incoming::Heard(Heard::Signal(signal)) => return Ok(Next::End(Some(signal))),
            Incoming::Heard(Heard::Closed) => return Ok(Next::End(Some(SIGHUP))),
        };
        self.perform(action)
    }

    fn perform(&mut self, action: Action) -> io::Result<Next> {
        match action {
            Action::Draw => {}
            Action::Redraw => self.invalidate(),
            Action::Quit => return Ok(Next::End(None)),
            Action::Suspend => self.suspend()?,
            Action::Save(document) => {
                let outcome = self.outside.save(&document);
                return self.done(outcome);
            }
            Action::Signal(process, signal) => {
                let outcome = self.outside.signal(process, signal);
                return self.done(outcome);
            }
            action => self.readers.ask(action),
        }
        Ok(Next::Go)
    }

    fn done(&mut self, outcome: Result<String, String>) -> io::Result<Next> {
        let action = self.app.update(self.timeline.moment(), Event::Done(outcome));
        self.perform(action)
    }

    /// Draws the changes. Writes nothing if there are none.
    fn draw(&mut self) -> io::Result<()> {
        let mut frame = self.terminal.get_frame();
        self.app.set_page(usize::from(frame.area().height));
        self.hits = view::draw(&self.app, &mut frame);
        let Ok(()) = self.terminal.flush();
        self.terminal.swap_buffers();
        let Ok(()) = self.terminal.backend_mut().flush();
        self.terminal.backend_mut().take_error().map_or(Ok(()), Err)
    }

    fn resize(&mut self, columns: u16, rows: u16) {
        self.terminal.backend_mut().set_size(Size::new(columns, rows));
        let Ok(()) = self.terminal.resize(Rect::new(0, 0, columns, rows));
    }

    /// Makes the next frame write every cell.
    fn invalidate(&mut self) {
        let Ok(()) = self.terminal.clear();
    }

    /// Restores the terminal and suspends the process, as any program does on Ctrl-Z; continues after `fg`.
    fn suspend(&mut self) -> io::Result<()> {
        terminal::restore()?;
        signal_hook::low_level::raise(signal_hook::consts::signal::SIGSTOP)?;
        self.resume()
    }

    /// Sets the terminal up again: its state and size may have changed meanwhile.
    fn resume(&mut self) -> io::Result<()> {
        terminal::set_up(Console::Output, self.mouse)?;
        let (columns, rows) = terminal::size()?;
        self.resize(columns, rows);
        self.invalidate();
        Ok(())
    }
}
