//! Keys, and the one table of what they do. The help and the hints at the foot of the screen come from it.

use super::app::View;

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
    /// Draw everything anew.
    Redraw,
    /// Stop like any other program, until `fg`.
    Suspend,
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
}

const fn everywhere(
    command: Command,
    keys: &'static [Key],
    shown: &'static str,
    help: &'static str,
    hint: &'static str,
) -> Binding {
    Binding { command, keys, shown, help, hint, views: &[] }
}

const CHARTS: &[View] = &[View::Charts];
const L1: &[View] = &[View::L1];
const PROCESSES: &[View] = &[View::Processes];
const WITH_PROCESSES: &[View] = &[View::Overview, View::Processes];
const TABLES: &[View] =
    &[View::Overview, View::L1, View::Processes, View::Telemetry, View::Findings];

/// Every key. What works in some views only stands before what the same key does elsewhere.
pub static BINDINGS: &[Binding] = &[
    everywhere(Command::Help, &[Key::Char('?'), Key::Function(1)], "?", "this help", "help"),
    everywhere(
        Command::Quit,
        &[Key::Char('q'), Key::Control('c'), Key::Function(10)],
        "q",
        "quit",
        "quit",
    ),
    everywhere(
        Command::Open(View::Overview),
        &[Key::Char('1')],
        "1",
        "overview: chips and processes",
        "",
    ),
    everywhere(
        Command::Open(View::Charts),
        &[Key::Char('2')],
        "2",
        "charts of chips or processes over time",
        "",
    ),
    everywhere(
        Command::Open(View::L1),
        &[Key::Char('3')],
        "3",
        "L1: the worker cores and what lies in them",
        "",
    ),
    everywhere(
        Command::Open(View::Processes),
        &[Key::Char('4')],
        "4",
        "processes and what they hold",
        "",
    ),
    everywhere(
        Command::Open(View::Telemetry),
        &[Key::Char('6')],
        "6",
        "telemetry: every reading with its limit",
        "",
    ),
    everywhere(
        Command::Open(View::Findings),
        &[Key::Char('7')],
        "7",
        "findings: what is wrong and what to do",
        "",
    ),
    Binding {
        command: Command::Move(Step::Left),
        keys: &[Key::Left, Key::Char('h')],
        shown: "← →  h l",
        help: "move the cursor through time",
        hint: "cursor",
        views: CHARTS,
    },
    Binding {
        command: Command::Move(Step::Up),
        keys: &[Key::Up, Key::Char('k')],
        shown: "← ↑ ↓ →",
        help: "move among the cores",
        hint: "core",
        views: L1,
    },
    Binding {
        command: Command::NextPanel,
        keys: &[Key::Tab],
        shown: "Tab",
        help: "the next chip",
        hint: "chip",
        views: L1,
    },
    Binding {
        command: Command::Select,
        keys: &[Key::Enter],
        shown: "Enter",
        help: "read the L1 of devices from now on",
        hint: "",
        views: L1,
    },
    Binding {
        command: Command::StopL1,
        keys: &[Key::Char('x')],
        shown: "x",
        help: "read no L1 any more",
        hint: "stop",
        views: L1,
    },
    Binding {
        command: Command::Heat,
        keys: &[Key::Char('b')],
        shown: "b",
        help: "bytes of circular buffers, or headroom",
        hint: "bytes/headroom",
        views: L1,
    },
    everywhere(
        Command::Move(Step::Up),
        &[Key::Up, Key::Char('k')],
        "↑ ↓  k j",
        "move the cursor",
        "",
    ),
    everywhere(Command::Move(Step::Down), &[Key::Down, Key::Char('j')], "", "", ""),
    everywhere(
        Command::Move(Step::Left),
        &[Key::Left, Key::Char('h')],
        "← →  h l",
        "move sideways: chips, or columns that do not fit",
        "",
    ),
    everywhere(Command::Move(Step::Right), &[Key::Right, Key::Char('l')], "", "", ""),
    everywhere(
        Command::Move(Step::PageUp),
        &[Key::PageUp, Key::Control('b')],
        "PgUp PgDn",
        "move by half a screen",
        "",
    ),
    everywhere(Command::Move(Step::PageDown), &[Key::PageDown, Key::Control('f')], "", "", ""),
    everywhere(
        Command::Move(Step::First),
        &[Key::Home, Key::Char('g')],
        "Home End  g G",
        "to the first, to the last",
        "",
    ),
    everywhere(Command::Move(Step::Last), &[Key::End, Key::Char('G')], "", "", ""),
    Binding {
        command: Command::NextPanel,
        keys: &[Key::Tab],
        shown: "Tab",
        help: "charts of chips, or of processes",
        hint: "chips/processes",
        views: CHARTS,
    },
    everywhere(Command::NextPanel, &[Key::Tab], "Tab", "to the next panel", ""),
    everywhere(Command::PreviousPanel, &[Key::BackTab], "", "", ""),
    Binding {
        command: Command::Select,
        keys: &[Key::Enter],
        shown: "Enter",
        help: "details of the process; again: only this process",
        hint: "details",
        views: PROCESSES,
    },
    everywhere(
        Command::Select,
        &[Key::Enter],
        "Enter",
        "show only what the cursor is on, in every view",
        "select",
    ),
    everywhere(
        Command::Back,
        &[Key::Escape],
        "Esc",
        "take back: details, selection, filter, cursor",
        "",
    ),
    everywhere(
        Command::Filter,
        &[Key::Char('/'), Key::Function(3), Key::Function(4)],
        "/",
        "filter: words, or field:value such as user:alice chip:0",
        "filter",
    ),
    Binding {
        command: Command::Sort,
        keys: &[Key::Char('s'), Key::Char('.'), Key::Function(6)],
        shown: "s",
        help: "sort processes by the next column",
        hint: "sort",
        views: WITH_PROCESSES,
    },
    Binding {
        command: Command::Reverse,
        keys: &[Key::Char('S')],
        shown: "S",
        help: "turn the order around",
        hint: "",
        views: WITH_PROCESSES,
    },
    Binding {
        command: Command::Tree,
        keys: &[Key::Char('t'), Key::Function(5)],
        shown: "t",
        help: "processes with their chips below them, or flat",
        hint: "tree",
        views: PROCESSES,
    },
    Binding {
        command: Command::Metrics,
        keys: &[Key::Char('m')],
        shown: "m",
        help: "pick the metrics that are charted",
        hint: "metrics",
        views: CHARTS,
    },
    Binding {
        command: Command::Arrange,
        keys: &[Key::Char('o')],
        shown: "o",
        help: "chips over each other in one chart, or side by side",
        hint: "overlay",
        views: CHARTS,
    },
    Binding {
        command: Command::Scale,
        keys: &[Key::Char('a')],
        shown: "a",
        help: "scale: up to the limit, or as far as the numbers go",
        hint: "scale",
        views: CHARTS,
    },
    Binding {
        command: Command::ZoomIn,
        keys: &[Key::Char('+'), Key::Char('=')],
        shown: "+ -",
        help: "look closer, or further back: 1, 5, 15, 60 minutes",
        hint: "zoom",
        views: CHARTS,
    },
    Binding {
        command: Command::ZoomOut,
        keys: &[Key::Char('-')],
        shown: "",
        help: "",
        hint: "",
        views: CHARTS,
    },
    Binding {
        command: Command::Faster,
        keys: &[Key::Char('+'), Key::Char('=')],
        shown: "+ -",
        help: "sample more or less often: 100 ms to 60 s",
        hint: "",
        views: TABLES,
    },
    Binding {
        command: Command::Slower,
        keys: &[Key::Char('-')],
        shown: "",
        help: "",
        hint: "",
        views: TABLES,
    },
    everywhere(
        Command::Freeze,
        &[Key::Char(' ')],
        "Space",
        "hold the screen still; sampling goes on",
        "freeze",
    ),
    everywhere(Command::Colours, &[Key::Char('c'), Key::Function(2)], "c", "the next theme", ""),
    everywhere(
        Command::Export,
        &[Key::Char('e')],
        "e",
        "save what the view shows: JSON, CSV, or the charts as SVG",
        "export",
    ),
    Binding {
        command: Command::Signal,
        keys: &[Key::Char('K'), Key::Function(9)],
        shown: "K F9",
        help: "send a signal to the process (with --allow-signals)",
        hint: "",
        views: PROCESSES,
    },
    everywhere(Command::Redraw, &[Key::Control('l')], "Ctrl-L", "draw everything anew", ""),
    everywhere(Command::Suspend, &[Key::Control('z')], "Ctrl-Z", "stop until fg", ""),
];

/// What a key asks for in a view.
#[must_use]
pub fn command(view: View, key: Key) -> Option<Command> {
    binding(view, key).map(|binding| binding.command)
}

fn binding(view: View, key: Key) -> Option<&'static Binding> {
    let works = |binding: &&Binding| {
        binding.keys.contains(&key) && (binding.views.is_empty() || binding.views.contains(&view))
    };
    BINDINGS.iter().find(works)
}

impl Binding {
    /// Whether its keys do in a view what it says.
    #[must_use]
    pub fn works_in(&self, view: View) -> bool {
        let key = self.keys.first();
        key.and_then(|key| binding(view, *key)).is_some_and(|found| std::ptr::eq(found, self))
    }
}

/// The lines of the help that hold a word: what the view binds, what all views bind, what only others bind.
pub fn help(view: View, search: &str) -> impl Iterator<Item = &'static Binding> {
    let search = search.to_lowercase();
    let fits = move |binding: &&Binding| {
        let text = format!("{} {}", binding.shown, binding.help).to_lowercase();
        !binding.help.is_empty() && text.contains(&search)
    };
    let own = |binding: &&Binding| !binding.views.is_empty();
    let here = BINDINGS.iter().filter(move |binding| own(binding) && binding.works_in(view));
    let all = BINDINGS.iter().filter(move |binding| !own(binding) && binding.works_in(view));
    let others = BINDINGS.iter().filter(move |binding| own(binding) && !binding.works_in(view));
    here.chain(all).chain(others).filter(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_key_is_never_bound_twice_in_one_view() {
        for view in View::ALL {
            let here: Vec<&Binding> =
                BINDINGS.iter().filter(|binding| binding.views.contains(&view)).collect();
            for (place, binding) in here.iter().enumerate() {
                for key in binding.keys {
                    let other = here[..place].iter().find(|other| other.keys.contains(key));
                    assert!(other.is_none(), "{key:?} in {view:?}");
                }
            }
        }
    }

    #[test]
    fn what_a_view_binds_goes_before_what_all_bind() {
        assert_eq!(command(View::Charts, Key::Char('+')), Some(Command::ZoomIn));
        assert_eq!(command(View::Overview, Key::Char('+')), Some(Command::Faster));
        assert_eq!(command(View::Overview, Key::Char('m')), None);
        assert_eq!(command(View::Findings, Key::Char('q')), Some(Command::Quit));
    }

    #[test]
    fn help_is_searched_in_keys_and_words() {
        let found = |search| {
            let lines = help(View::Processes, search).map(|binding| binding.command);
            lines.collect::<Vec<_>>()
        };
        assert_eq!(found("theme"), [Command::Colours]);
        assert_eq!(found("f9"), [Command::Signal]);
        assert!(found("nothing like it").is_empty());
        assert!(found("").len() > 20);
        assert_eq!(found("")[0], Command::Select);
    }
}
