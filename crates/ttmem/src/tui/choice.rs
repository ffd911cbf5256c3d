//! Choices of the user in the live view: what is shown, and how.
//!
//! The state of the view begins with them, and the config file stores them. This module knows neither.

use std::path::PathBuf;

use super::history::Window;
use super::look::Theme;
use super::op::OpColumn;
use super::select::Column;
use super::track::Track;
use crate::output::buffers::SortKey;

/// Every choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The colours; by default those that the terminal suggests.
    pub(crate) theme: Option<Theme>,
    /// ASCII only, whatever the terminal can show.
    pub(crate) ascii: bool,
    /// The view that opens first.
    pub(crate) view: View,
    /// Microseconds from one sample to the next.
    pub(crate) interval_micros: u64,
    /// True if the mouse is used; without it the terminal's own selection works as usual.
    pub(crate) mouse: bool,
    /// The column by which processes are sorted.
    pub(crate) sort: Column,
    /// Smallest first.
    pub(crate) ascending: bool,
    /// Processes with their chips below them.
    pub(crate) tree: bool,
    /// The sort key of buffers.
    pub(crate) sort_buffers: SortKey,
    /// Reverse the order of buffers.
    pub(crate) reverse_buffers: bool,
    /// The column by which ops are sorted.
    pub(crate) sort_ops: OpColumn,
    /// Ops the other way around.
    pub(crate) reverse_ops: bool,
    /// The time window of charts.
    pub(crate) window: Window,
    /// Charts that are shown.
    pub(crate) metrics: Vec<Panel>,
    /// The arrangement of the charts of several chips; `None` for one by their number.
    pub(crate) arrange: Option<Arrange>,
    /// The scale of charts.
    pub(crate) scale: Scale,
    /// Directory for exports; the working directory if it is not configured.
    pub(crate) export_directory: Option<PathBuf>,
    /// True if choices made in the live view are written back.
    pub(crate) remember: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            theme: None,
            ascii: false,
            view: View::Overview,
            interval_micros: 1_000_000,
            mouse: true,
            sort: Column::Dram,
            ascending: false,
            tree: false,
            sort_buffers: SortKey::Size,
            reverse_buffers: false,
            sort_ops: OpColumn::Peak,
            reverse_ops: false,
            window: Window::Minute,
            metrics: Panel::usual(),
            arrange: None,
            scale: Scale::Limit,
            export_directory: None,
            remember: true,
        }
    }
}

/// A view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum View {
    /// Chips and processes.
    #[default]
    Overview,
    /// Charts.
    Charts,
    /// The worker cores and their L1.
    L1,
    /// Processes and their memory.
    Processes,
    /// Buffers of processes with an agent.
    Buffers,
    /// Every reading with its limit.
    Telemetry,
    /// Problems and their remedies.
    Findings,
    /// L1 by op of processes with an agent.
    Ops,
}

impl View {
    /// Every view, in tab order.
    pub(crate) const ALL: [Self; 8] = [
        Self::Overview,
        Self::Charts,
        Self::L1,
        Self::Processes,
        Self::Buffers,
        Self::Telemetry,
        Self::Findings,
        Self::Ops,
    ];

    /// Returns the key that opens it.
    #[must_use]
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Overview => 1,
            Self::Charts => 2,
            Self::L1 => 3,
            Self::Processes => 4,
            Self::Buffers => 5,
            Self::Telemetry => 6,
            Self::Findings => 7,
            Self::Ops => 8,
        }
    }

    /// Returns the name on its tab.
    #[must_use]
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Charts => "Charts",
            Self::L1 => "L1",
            Self::Processes => "Processes",
            Self::Buffers => "Buffers",
            Self::Telemetry => "Telemetry",
            Self::Findings => "Findings",
            Self::Ops => "Ops",
        }
    }

    /// Returns the name in the configuration and in exports.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Charts => "charts",
            Self::L1 => "l1",
            Self::Processes => "processes",
            Self::Buffers => "buffers",
            Self::Telemetry => "telemetry",
            Self::Findings => "findings",
            Self::Ops => "ops",
        }
    }

    /// Returns the view with a name.
    #[must_use]
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|view| view.name() == name)
    }
}

/// A chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Panel {
    /// One value.
    Track(Track),
    /// The kinds of L1, stacked.
    L1ByKind,
}

impl Panel {
    /// Every chart of chips, in picker order.
    #[must_use]
    pub(crate) fn of_chips() -> Vec<Self> {
        let tracks = Track::OF_CHIPS.iter().map(|track| Self::Track(*track));
        let mut panels: Vec<Self> = tracks.collect();
        panels.insert(1, Self::L1ByKind);
        panels
    }

    /// Every chart of processes, in picker order.
    #[must_use]
    pub(crate) fn of_processes() -> Vec<Self> {
        let tracks = Track::OF_PROCESSES.iter().map(|track| Self::Track(*track));
        let mut panels: Vec<Self> = tracks.collect();
        panels.insert(1, Self::L1ByKind);
        panels
    }

    /// The default charts.
    #[must_use]
    pub(crate) fn usual() -> Vec<Self> {
        vec![
            Self::Track(Track::Dram),
            Self::L1ByKind,
            Self::Track(Track::Temperature),
            Self::Track(Track::Power),
        ]
    }

    /// Returns the name in exports and in the configuration.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Track(track) => track.name(),
            Self::L1ByKind => "l1_by_kind",
        }
    }

    /// Returns the name on screen.
    #[must_use]
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Track(track) => track.label(),
            Self::L1ByKind => "L1 by kind",
        }
    }

    /// Returns its track; of several kinds, that of buffers.
    #[must_use]
    pub(crate) fn track(self) -> Track {
        match self {
            Self::Track(track) => track,
            Self::L1ByKind => Track::L1,
        }
    }

    /// Returns the chart with a name.
    #[must_use]
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        match name {
            "l1_by_kind" => Some(Self::L1ByKind),
            name => Track::by_name(name).map(Self::Track),
        }
    }
}

/// The arrangement of the charts of several subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrange {
    /// One chart for all subjects.
    Together,
    /// Each in a chart of its own.
    Apart,
    /// The sum over all chips.
    Sum,
    /// The highest chip of each moment.
    Maximum,
    /// The sum over each tray.
    Trays,
    /// The sum over each board.
    Boards,
}

impl Arrange {
    /// Every arrangement.
    pub(crate) const ALL: [Self; 6] =
        [Self::Together, Self::Apart, Self::Sum, Self::Maximum, Self::Trays, Self::Boards];

    /// Returns the name in the configuration.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Together => "overlay",
            Self::Apart => "each",
            Self::Sum => "sum",
            Self::Maximum => "maximum",
            Self::Trays => "tray",
            Self::Boards => "board",
        }
    }

    /// Returns the name on screen.
    #[must_use]
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Together => "overlay",
            Self::Apart => "each",
            Self::Sum => "sum",
            Self::Maximum => "maximum",
            Self::Trays => "per tray",
            Self::Boards => "per board",
        }
    }

    /// Returns the arrangement with a name.
    #[must_use]
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|arrange| arrange.name() == name)
    }
}

/// The scale of a chart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Scale {
    /// Axis from 0 to the capacity or limit, if there is one.
    #[default]
    Limit,
    /// Fitted to the values.
    Auto,
}
