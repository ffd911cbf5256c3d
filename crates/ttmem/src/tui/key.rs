//! Keys, and the one table of their commands. The help and the hints at the bottom of the screen come from it.

mod table;

use super::app::Jump;
use crate::tui::choice::View;

pub(crate) use table::BINDINGS;

/// A key as a person presses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
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

/// A command that a key gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Command {
    /// Quit.
    Quit,
    /// Show or hide the help.
    Help,
    /// Open a view.
    Open(View),
    /// Move the cursor.
    Move(Step),
    /// Focus the next panel or subject.
    NextPanel,
    /// Focus the previous panel or subject.
    PreviousPanel,
    /// Select the item under the cursor.
    Select,
    /// Leave the last overlay, selection or filter.
    Back,
    /// Type a filter.
    Filter,
    /// Sort by the next column.
    Sort,
    /// Reverse the order.
    Reverse,
    /// Freeze the screen.
    Freeze,
    /// Sample more often.
    Faster,
    /// Sample less often.
    Slower,
    /// Zoom in on the time axis.
    ZoomIn,
    /// Zoom out on the time axis.
    ZoomOut,
    /// Show or hide the chips below processes.
    Tree,
    /// Pick metrics.
    Metrics,
    /// Draw chips in one chart or side by side.
    Arrange,
    /// Scale charts to the limit, or fit them to the values.
    Scale,
    /// Switch to the next theme.
    Colours,
    /// Save the view.
    Export,
    /// Stop reading L1.
    StopL1,
    /// Show bytes or headroom in the grid of cores.
    Heat,
    /// Send a signal to the selected process.
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
    /// Redraw the screen.
    Redraw,
    /// Suspend, until `fg`.
    Suspend,
}

/// The subject of the live view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Mode {
    /// A host.
    Live,
    /// A recording.
    Replay,
}

/// A cursor movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
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
    /// Move to the first item.
    First,
    /// Move to the last item.
    Last,
}

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Binding {
    /// The command.
    pub(crate) command: Command,
    /// The keys that give it.
    pub(crate) keys: &'static [Key],
    /// The keys as the help shows them.
    pub(crate) shown: &'static str,
    /// Effect of the key, in a few words.
    pub(crate) help: &'static str,
    /// One word for the bottom of the screen; empty if it is not shown there.
    pub(crate) hint: &'static str,
    /// The views in which it works; empty for all.
    pub(crate) views: &'static [View],
    /// The subject that it needs: a host, a recording, or either.
    pub(crate) mode: Option<Mode>,
}

/// Returns the command of a key in a view.
#[must_use]
pub(crate) fn command(view: View, mode: Mode, key: Key) -> Option<Command> {
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
    /// True if its keys work in a view.
    #[must_use]
    pub(crate) fn works_in(&self, view: View, mode: Mode) -> bool {
        let key = self.keys.first();
        key.and_then(|key| binding(view, mode, *key)).is_some_and(|found| std::ptr::eq(found, self))
    }
}

/// Returns the lines of the help that contain a word: bindings of the view, of all views, of other views.
pub(crate) fn help(view: View, mode: Mode, search: &str) -> impl Iterator<Item = &'static Binding> {
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
            for (index, binding) in here.iter().enumerate() {
                for key in binding.keys {
                    let other = here[..index].iter().find(|other| other.keys.contains(key));
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
