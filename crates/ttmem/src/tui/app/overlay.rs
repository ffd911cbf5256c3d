//! Overlays, which take the keys while they are open: help, filter line, pickers, confirmation.

use super::{Action, App, Role};
use crate::tui::export::{self, Format};
use crate::tui::key::{Command, Key, Mode, Step, command, help};
use crate::tui::select::Filter;
use crate::tui::track::ProcessId;

/// An overlay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Overlay {
    /// The list of keys.
    Help {
        /// The search text.
        search: String,
        /// The first visible line.
        top: usize,
    },
    /// The line in which a filter is typed.
    Filter {
        /// The text so far.
        text: String,
    },
    /// The line in which a moment of a recording is typed.
    GoTo {
        /// The text so far.
        text: String,
    },
    /// The picker of metrics.
    Metrics {
        /// The line of the cursor.
        cursor: usize,
    },
    /// The picker of export formats.
    Export {
        /// The line of the cursor.
        cursor: usize,
    },
    /// The picker of a signal for a process.
    Signal {
        /// The process.
        process: ProcessId,
        /// Name of the process.
        name: String,
        /// The line of the cursor.
        cursor: usize,
    },
}

/// A signal that can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGTERM: asks the process to exit.
    Terminate,
    /// SIGINT: as Ctrl-C.
    Interrupt,
    /// SIGKILL: ends the process at once; its memory stays listed as stale.
    Kill,
}

impl Signal {
    /// Every signal, the mildest first.
    pub(crate) const ALL: [Self; 3] = [Self::Terminate, Self::Interrupt, Self::Kill];

    /// Returns its name.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
            Self::Kill => "SIGKILL",
        }
    }

    /// Returns its effect.
    #[must_use]
    pub(crate) fn help(self) -> &'static str {
        match self {
            Self::Terminate => "asks it to exit",
            Self::Interrupt => "as Ctrl-C does",
            Self::Kill => "ends it at once; its memory stays listed as stale",
        }
    }
}

impl App {
    /// Sends a key to the overlay.
    pub(super) fn press_overlay(&mut self, mut overlay: Overlay, key: Key) -> Action {
        if key == Key::Control('c') {
            return Action::Quit;
        }
        if key == Key::Escape {
            return Action::Draw;
        }
        let action = match &mut overlay {
            Overlay::Help { search, top } => {
                let outcome = press_help(search, top, key);
                let lines = help(self.view, self.mode(), search).count();
                *top = (*top).min(lines.saturating_sub(1));
                outcome
            }
            Overlay::Filter { text } => self.press_filter(text, key),
            Overlay::GoTo { text } => self.press_go_to(text, key),
            Overlay::Metrics { cursor } => self.press_metrics(cursor, key),
            Overlay::Export { cursor } => self.press_export(cursor, key),
            Overlay::Signal { process, cursor, .. } => press_signal(*process, cursor, key),
        };
        match action {
            Outcome::Stay => {
                self.overlay = Some(overlay);
                Action::Draw
            }
            Outcome::Leave => Action::Draw,
            Outcome::Do(action) => action,
        }
    }

    /// Inserts pasted text where text is typed: its first line, without control characters. Ignored elsewhere, where
    /// letters would be keys.
    pub(super) fn paste(&mut self, text: &str) -> Action {
        const MOST_LETTERS: usize = 256;
        // Terminals send the end of a line as Enter does.
        let line = text.trim_start().split(['\r', '\n']).next().unwrap_or_default();
        let is_typing = matches!(
            self.overlay,
            Some(Overlay::Filter { .. } | Overlay::GoTo { .. } | Overlay::Help { .. })
        );
        if !is_typing {
            self.notify(
                Role::Notice,
                "pasted text is not a command; press / first to filter by it",
            );
            return Action::Draw;
        }
        for letter in line.chars().filter(|letter| !letter.is_control()).take(MOST_LETTERS) {
            if let Some(overlay) = self.overlay.take() {
                self.press_overlay(overlay, Key::Char(letter));
            }
        }
        Action::Draw
    }

    fn press_filter(&mut self, text: &mut String, key: Key) -> Outcome {
        match key {
            Key::Char(letter) => text.push(letter),
            Key::Backspace => {
                text.pop();
            }
            Key::Control('u') => text.clear(),
            Key::Enter => {
                return match self.filter_by(text) {
                    Ok(()) => Outcome::Leave,
                    Err(why) => {
                        self.notify(Role::Alarm, why);
                        Outcome::Stay
                    }
                };
            }
            _ => return Outcome::Stay,
        }
        // The filter applies while it is typed, as long as it is valid.
        match self.filter_by(text) {
            Ok(()) | Err(_) => Outcome::Stay,
        }
    }

    fn press_go_to(&mut self, text: &mut String, key: Key) -> Outcome {
        match key {
            Key::Char(letter) => text.push(letter),
            Key::Backspace => {
                text.pop();
            }
            Key::Control('u') => text.clear(),
            Key::Enter => match self.go_to(text) {
                Ok(action) => return Outcome::Do(action),
                Err(why) => self.notify(Role::Alarm, why),
            },
            _ => {}
        }
        Outcome::Stay
    }

    /// Filters by a text.
    pub(super) fn filter_by(&mut self, text: &str) -> Result<(), String> {
        let filter = Filter::parse(text).map_err(|unknown| unknown.to_string())?;
        self.filter = filter;
        text.trim().clone_into(&mut self.filter_text);
        Ok(())
    }

    fn press_metrics(&mut self, cursor: &mut usize, key: Key) -> Outcome {
        let choice = self.charts.choice();
        match key {
            Key::Char('m' | 'q') => return Outcome::Leave,
            Key::Char(' ') | Key::Enter => {
                if let Some(panel) = choice.get(*cursor) {
                    self.charts.toggle(*panel);
                }
            }
            key => *cursor = moved_by(*cursor, choice.len(), key),
        }
        Outcome::Stay
    }

    fn press_export(&mut self, cursor: &mut usize, key: Key) -> Outcome {
        let formats = Format::of(self.view);
        let by_letter = formats.iter().find(|format| key == Key::Char(format.letter()));
        let chosen = match key {
            Key::Char('q') => return Outcome::Leave,
            Key::Enter => formats.get(*cursor),
            _ => by_letter,
        };
        let Some(format) = chosen else {
            *cursor = moved_by(*cursor, formats.len(), key);
            return Outcome::Stay;
        };
        match export::document(self, *format) {
            Some(document) => Outcome::Do(Action::Save(document)),
            None => {
                self.notify(Role::Notice, "nothing to save yet");
                Outcome::Leave
            }
        }
    }
}

enum Outcome {
    Stay,
    Leave,
    Do(Action),
}

/// Page size of the help, in lines.
const HELP_PAGE: usize = 8;

fn press_help(search: &mut String, top: &mut usize, key: Key) -> Outcome {
    match key {
        Key::Char('?') | Key::Function(1) => return Outcome::Leave,
        Key::Char('q') if search.is_empty() => return Outcome::Leave,
        Key::Char(letter) => {
            search.push(letter);
            *top = 0;
        }
        Key::Backspace => {
            search.pop();
            *top = 0;
        }
        Key::Up => *top = top.saturating_sub(1),
        Key::Down => *top += 1,
        Key::PageUp => *top = top.saturating_sub(HELP_PAGE),
        Key::PageDown => *top += HELP_PAGE,
        Key::Home => *top = 0,
        Key::Enter => return Outcome::Leave,
        _ => {}
    }
    Outcome::Stay
}

fn press_signal(process: ProcessId, cursor: &mut usize, key: Key) -> Outcome {
    match key {
        Key::Enter => {
            let signal = cursor.checked_sub(1).and_then(|index| Signal::ALL.get(index));
            return match signal {
                Some(signal) => Outcome::Do(Action::Signal(process, *signal)),
                None => Outcome::Leave,
            };
        }
        Key::Char('q' | 'n') => return Outcome::Leave,
        // The first line sends nothing, so that Enter alone is harmless.
        key => *cursor = moved_by(*cursor, Signal::ALL.len() + 1, key),
    }
    Outcome::Stay
}

/// Moves the cursor of a list by a key.
fn moved_by(cursor: usize, count: usize, key: Key) -> usize {
    const PAGE: usize = 8;
    match command(crate::tui::choice::View::Overview, Mode::Live, key) {
        Some(Command::Move(step @ (Step::Up | Step::Down | Step::First | Step::Last))) => {
            super::moved(cursor, count, step, PAGE)
        }
        Some(Command::Move(step @ (Step::PageUp | Step::PageDown))) => {
            super::moved(cursor, count, step, PAGE)
        }
        _ => cursor,
    }
}
