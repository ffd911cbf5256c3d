//! What happens, and what is to be done about it outside.

use ttmem_model::ChipId;
use ttmem_model::buffers::BufferList;
use ttmem_model::recording::Event as Happened;

use super::{Ask, Past, Playback, Rates, Sample, Signal};
use crate::output::buffers::SortKey;
use crate::tui::cores::CoreLook;
use crate::tui::details::Details;
use crate::tui::export::Document;
use crate::tui::history::Moment;
use crate::tui::key::Key;
use crate::tui::select::{Column, RowId};
use crate::tui::track::ProcessId;

/// A view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum View {
    /// Chips and processes.
    #[default]
    Overview,
    /// Numbers over time.
    Charts,
    /// The worker cores and what lies in them.
    L1,
    /// Processes and what they hold.
    Processes,
    /// Buffers one by one, of processes with the agent.
    Buffers,
    /// Every reading with its limit.
    Telemetry,
    /// What is wrong and what to do.
    Findings,
}

impl View {
    /// Every view, in the order of the tabs.
    pub const ALL: [Self; 7] = [
        Self::Overview,
        Self::Charts,
        Self::L1,
        Self::Processes,
        Self::Buffers,
        Self::Telemetry,
        Self::Findings,
    ];

    /// The key that opens it.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Overview => 1,
            Self::Charts => 2,
            Self::L1 => 3,
            Self::Processes => 4,
            Self::Buffers => 5,
            Self::Telemetry => 6,
            Self::Findings => 7,
        }
    }

    /// The name on its tab.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Charts => "Charts",
            Self::L1 => "L1",
            Self::Processes => "Processes",
            Self::Buffers => "Buffers",
            Self::Telemetry => "Telemetry",
            Self::Findings => "Findings",
        }
    }

    /// The name in the configuration and in exports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Charts => "charts",
            Self::L1 => "l1",
            Self::Processes => "processes",
            Self::Buffers => "buffers",
            Self::Telemetry => "telemetry",
            Self::Findings => "findings",
        }
    }

    /// The view of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|view| view.name() == name)
    }
}

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// A key was pressed.
    Key(Key),
    /// A text was pasted.
    Paste(String),
    /// The mouse did something.
    Mouse(Mouse),
    /// The host was read.
    Sample(Sample),
    /// What was before the first sample, that one included.
    Before(Box<Past>),
    /// The L1 of worker cores was read, or looked up in a recording.
    Cores(Box<CoreLook>),
    /// The buffers of processes with the agent were listed, and of which moment.
    Buffers(Moment, Box<BufferList>),
    /// What was before the moment of a recording that was jumped to, and how busy processes were then.
    Past(Moment, Box<Past>, Rates),
    /// What happened in a recording, by time.
    Happened(Vec<Happened>),
    /// A recording has come to its end.
    Ended,
    /// What was asked about a process.
    Details(ProcessId, Details),
    /// What an action led to: a line for the foot of the screen, or why it failed.
    Done(Result<String, String>),
    /// Time passed.
    Tick,
}

/// What the mouse did, and to what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mouse {
    /// What it did.
    pub gesture: Gesture,
    /// What it pointed at; nothing in particular if there was nothing.
    pub target: Option<Target>,
}

/// What a mouse does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gesture {
    /// The button went down.
    Click,
    /// The wheel turned away from its user.
    WheelUp,
    /// The wheel turned towards its user.
    WheelDown,
    /// It moved.
    Hover,
}

/// Something on the screen that the mouse can point at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A tab.
    View(View),
    /// A chip.
    Chip(ChipId),
    /// A row of the process table.
    Row(RowId),
    /// The heading of a column.
    Column(Column),
    /// A buffer, by its place among those that are shown.
    Buffer(usize),
    /// The heading of a column by which buffers are sorted.
    BufferColumn(SortKey),
    /// A finding, by its place in the list.
    Finding(usize),
    /// A moment in a chart: columns from its right end.
    Instant(usize),
    /// A worker core, by its column and row.
    Core(u8, u8),
    /// A moment of the recording that is played.
    Time(Moment),
    /// A line of a list in front of the view.
    Item(usize),
}

/// What must be done outside.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Nothing but to draw.
    Draw,
    /// Draw every cell, whatever the terminal shows.
    Redraw,
    /// End.
    Quit,
    /// Stop until the shell says otherwise.
    Suspend,
    /// Sample every so many microseconds from now on.
    Interval(u64),
    /// Read the L1 of worker cores from now on, or no longer.
    Cores(Ask),
    /// Play a recording, pause it, or show another moment of it.
    Replay(Playback),
    /// Look closely at a process.
    Details(ProcessId),
    /// Save a document.
    Save(Document),
    /// Send a signal to a process.
    Signal(ProcessId, Signal),
}
