//! What stands in front of a view and has the keys: help, the filter line, lists to pick from, a question.

use super::{Action, App, Role};
use crate::tui::export::{self, Format};
use crate::tui::key::{Command, Key, Mode, Step, command, help};
use crate::tui::select::Filter;
use crate::tui::track::ProcessId;

/// What stands in front of a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Overlay {
    /// The keys.
    Help {
        /// What is looked for in them.
        search: String,
        /// The line at the top.
        top: usize,
    },
    /// The line in which a filter is typed.
    Filter {
        /// What has been typed.
        text: String,
    },
    /// The line in which a moment of a recording is typed.
    GoTo {
        /// What has been typed.
        text: String,
    },
    /// The metrics that can be charted.
    Metrics {
        /// The line of the cursor.
        cursor: usize,
    },
    /// The formats of an export.
    Export {
        /// The line of the cursor.
        cursor: usize,
    },
    /// Which signal a process is sent, if any.
    Signal {
        /// The process.
        process: ProcessId,
        /// Its name.
        name: String,
        /// The line of the cursor.
        cursor: usize,
    },
}

/// A signal that can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: asks it to end.
    Terminate,
    /// SIGINT: as Ctrl-C does.
    Interrupt,
    /// SIGKILL: ends it; what it holds is left behind in the books.
    Kill,
}

impl Signal {
    /// What can be sent, the gentlest first.
    pub const ALL: [Self; 3] = [Self::Terminate, Self::Interrupt, Self::Kill];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
            Self::Kill => "SIGKILL",
        }
    }

    /// What it does.
    #[must_use]
    pub fn help(self) -> &'static str {
        match self {
            Self::Terminate => "asks it to end",
            Self::Interrupt => "as Ctrl-C does",
            Self::Kill => "ends it at once; its bytes stay in the books",
        }
    }
}

impl App {
    /// Gives a key to what stands in front of the view.
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

    /// Takes what was pasted where something is typed: its first line, without what is no text. Elsewhere letters would
    /// be keys, so nothing is done.
    pub(super) fn paste(&mut self, text: &str) -> Action {
        const MOST_LETTERS: usize = 256;
        // Terminals send the end of a line as Enter does.
        let line = text.trim_start().split(['\r', '\n']).next().unwrap_or_default();
        let is_typing = matches!(
            self.overlay,
            Some(Overlay::Filter { .. } | Overlay::GoTo { .. } | Overlay::Help { .. })
        );
        if !is_typing {
            self.say(Role::Notice, "what is pasted is no keys; / takes it as a filter");
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
                        self.say(Role::Alarm, why);
                        Outcome::Stay
                    }
                };
            }
            _ => return Outcome::Stay,
        }
        // What is still being typed filters already, as long as it makes sense.
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
                Err(why) => self.say(Role::Alarm, why),
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
                self.say(Role::Notice, "there is nothing to save yet");
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

/// Lines of the help that a page moves by.
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
            let signal = cursor.checked_sub(1).and_then(|place| Signal::ALL.get(place));
            return match signal {
                Some(signal) => Outcome::Do(Action::Signal(process, *signal)),
                None => Outcome::Leave,
            };
        }
        Key::Char('q' | 'n') => return Outcome::Leave,
        // The first line is to send nothing, so that Enter alone does no harm.
        key => *cursor = moved_by(*cursor, Signal::ALL.len() + 1, key),
    }
    Outcome::Stay
}

/// The cursor of a list after a key.
fn moved_by(cursor: usize, count: usize, key: Key) -> usize {
    const PAGE: usize = 8;
    match command(super::View::Overview, Mode::Live, key) {
        Some(Command::Move(step @ (Step::Up | Step::Down | Step::First | Step::Last))) => {
            super::moved(cursor, count, step, PAGE)
        }
        Some(Command::Move(step @ (Step::PageUp | Step::PageDown))) => {
            super::moved(cursor, count, step, PAGE)
        }
        _ => cursor,
    }
}
