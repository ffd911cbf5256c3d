//! Keys, and the one table of what they do. The help and the hints at the foot of the screen come from it.

mod table;

use super::app::{Jump, View};

pub use table::BINDINGS;

/// A key as a person presses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// A character.
    Char(char),
    /// A character with Ctrl.
    Control(char),
    /// A function key.
    Function(u8),
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Arrow left.
    Left,
    /// Arrow right.
    Right,
    /// Home.
    Home,
    /// End.
    End,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// Tab.
    Tab,
    /// Shift and Tab.
    BackTab,
    /// Enter.
    Enter,
    /// Escape.
    Escape,
    /// Backspace.
    Backspace,
    /// Delete.
    Delete,
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// End.
    Quit,
    /// Show or hide the help.
    Help,
    /// Open a view.
    Open(View),
    /// Move the cursor.
    Move(Step),
    /// The next panel or subject.
    NextPanel,
    /// The panel or subject before.
    PreviousPanel,
    /// Select what the cursor is on.
    Select,
    /// Leave what was entered, selected or typed last.
    Back,
    /// Type a filter.
    Filter,
    /// Sort by the next column.
    Sort,
    /// Turn the order around.
    Reverse,
    /// Hold the screen still.
    Freeze,
    /// Sample more often.
    Faster,
    /// Sample less often.
    Slower,
    /// Look closer in time.
    ZoomIn,
    /// Look further back in time.
    ZoomOut,
    /// Processes with or without their chips below them.
    Tree,
    /// Pick metrics.
    Metrics,
    /// Chips together in one chart or side by side.
    Arrange,
    /// Charts from nothing to the limit, or only as far as the numbers go.
    Scale,
    /// The next theme.
    Colours,
    /// Save what the view shows.
    Export,
    /// Read no L1 any more.
    StopL1,
    /// Bytes or headroom in the grid of cores.
    Heat,
    /// Send a signal to the process that the cursor is on.
    Signal,
    /// Play a recording, or pause it.
    Play,
    /// Play it faster.
    SpeedUp,
    /// Play it slower.
    SpeedDown,
    /// Jump in a recording.
    Jump(Jump),
    /// Type a moment to jump to.
    GoTo,
    /// Draw everything anew.
    Redraw,
    /// Stop like any other program, until `fg`.
    Suspend,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// A host.
    Live,
    /// A recording.
    Replay,
}

/// A move of the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// One up.
    Up,
    /// One down.
    Down,
    /// One to the left.
    Left,
    /// One to the right.
    Right,
    /// Half a screen up.
    PageUp,
    /// Half a screen down.
    PageDown,
    /// To the first.
    First,
    /// To the last.
    Last,
}

/// One line of the table.
#[derive(Debug)]
pub struct Binding {
    /// What it asks for.
    pub command: Command,
    /// The keys that ask for it.
    pub keys: &'static [Key],
    /// The keys as the help shows them.
    pub shown: &'static str,
    /// What it does, in a few words.
    pub help: &'static str,
    /// One word for the foot of the screen; empty if it does not stand there.
    pub hint: &'static str,
    /// The views in which it works; none for all.
    pub views: &'static [View],
    /// Whether it works only with a host, or only with a recording.
    pub mode: Option<Mode>,
}

/// What a key asks for in a view.
#[must_use]
pub fn command(view: View, mode: Mode, key: Key) -> Option<Command> {
    binding(view, mode, key).map(|binding| binding.command)
}

fn binding(view: View, mode: Mode, key: Key) -> Option<&'static Binding> {
    let works = |binding: &&Binding| {
        binding.keys.contains(&key)
            && (binding.views.is_empty() || binding.views.contains(&view))
            && binding.mode.is_none_or(|only| only == mode)
    };
    BINDINGS.iter().find(works)
}

impl Binding {
    /// Whether its keys do in a view what it says.
    #[must_use]
    pub fn works_in(&self, view: View, mode: Mode) -> bool {
        let key = self.keys.first();
        key.and_then(|key| binding(view, mode, *key)).is_some_and(|found| std::ptr::eq(found, self))
    }
}

/// The lines of the help that hold a word: what the view binds, what all views bind, what only others bind.
pub fn help(view: View, mode: Mode, search: &str) -> impl Iterator<Item = &'static Binding> {
    let search = search.to_lowercase();
    let fits = move |binding: &&Binding| {
        let text = format!("{} {}", binding.shown, binding.help).to_lowercase();
        let is_of_mode = binding.mode.is_none_or(|only| only == mode);
        is_of_mode && !binding.help.is_empty() && text.contains(&search)
    };
    let own = |binding: &&Binding| !binding.views.is_empty();
    let here = BINDINGS.iter().filter(move |binding| own(binding) && binding.works_in(view, mode));
    let all = BINDINGS.iter().filter(move |binding| !own(binding) && binding.works_in(view, mode));
    let others =
        BINDINGS.iter().filter(move |binding| own(binding) && !binding.works_in(view, mode));
    here.chain(all).chain(others).filter(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_key_is_never_bound_twice_in_one_view() {
        let cases =
            View::ALL.into_iter().flat_map(|view| [(view, Mode::Live), (view, Mode::Replay)]);
        for (view, mode) in cases {
            let of_mode = |binding: &&Binding| binding.mode.is_none_or(|only| only == mode);
            let here: Vec<&Binding> = BINDINGS
                .iter()
                .filter(|binding| binding.views.contains(&view))
                .filter(of_mode)
                .collect();
            for (place, binding) in here.iter().enumerate() {
                for key in binding.keys {
                    let other = here[..place].iter().find(|other| other.keys.contains(key));
                    assert!(other.is_none(), "{key:?} in {view:?}, {mode:?}");
                }
            }
        }
    }

    #[test]
    fn what_a_view_binds_goes_before_what_all_bind() {
        assert_eq!(command(View::Charts, Mode::Live, Key::Char('+')), Some(Command::ZoomIn));
        assert_eq!(command(View::Overview, Mode::Live, Key::Char('+')), Some(Command::Faster));
        assert_eq!(command(View::Overview, Mode::Live, Key::Char('m')), None);
        assert_eq!(command(View::Findings, Mode::Live, Key::Char('q')), Some(Command::Quit));
    }

    #[test]
    fn a_recording_is_played_where_a_host_is_held_still() {
        let both = |key| [Mode::Live, Mode::Replay].map(|mode| command(View::Overview, mode, key));
        assert_eq!(both(Key::Char(' ')), [Some(Command::Freeze), Some(Command::Play)]);
        assert_eq!(both(Key::Char('+')), [Some(Command::Faster), Some(Command::SpeedUp)]);
        assert_eq!(both(Key::Char('n')), [None, Some(Command::Jump(Jump::NextEvent))]);
        assert!(help(View::Overview, Mode::Live, "recording").next().is_none());
    }

    #[test]
    fn help_is_searched_in_keys_and_words() {
        let found = |search| {
            let lines = help(View::Processes, Mode::Live, search).map(|binding| binding.command);
            lines.collect::<Vec<_>>()
        };
        assert_eq!(found("theme"), [Command::Colours]);
        assert_eq!(found("f9"), [Command::Signal]);
        assert!(found("nothing like it").is_empty());
        assert!(found("").len() > 20);
        assert_eq!(found("")[0], Command::Select);
    }
}
