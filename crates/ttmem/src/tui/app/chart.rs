//! The content and form of the charts.

use crate::config::Settings;
use crate::tui::history::Window;
use crate::tui::track::Track;

/// A chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Panel {
    /// One value.
    Track(Track),
    /// The kinds of L1, stacked.
    L1ByKind,
}

impl Panel {
    /// Every chart of chips, in picker order.
    #[must_use]
    pub fn of_chips() -> Vec<Self> {
        let tracks = Track::OF_CHIPS.iter().map(|track| Self::Track(*track));
        let mut panels: Vec<Self> = tracks.collect();
        panels.insert(1, Self::L1ByKind);
        panels
    }

    /// Every chart of processes, in picker order.
    #[must_use]
    pub fn of_processes() -> Vec<Self> {
        let tracks = Track::OF_PROCESSES.iter().map(|track| Self::Track(*track));
        let mut panels: Vec<Self> = tracks.collect();
        panels.insert(1, Self::L1ByKind);
        panels
    }

    /// The default charts.
    #[must_use]
    pub fn usual() -> Vec<Self> {
        vec![
            Self::Track(Track::Dram),
            Self::L1ByKind,
            Self::Track(Track::Temperature),
            Self::Track(Track::Power),
        ]
    }

    /// Returns the name in exports and in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Track(track) => track.name(),
            Self::L1ByKind => "l1_by_kind",
        }
    }

    /// Returns the name on screen.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Track(track) => track.label(),
            Self::L1ByKind => "L1 by kind",
        }
    }

    /// Returns the chart with a name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "l1_by_kind" => Some(Self::L1ByKind),
            name => Track::by_name(name).map(Self::Track),
        }
    }
}

/// The arrangement of the charts of several subjects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arrange {
    /// In one chart.
    #[default]
    Together,
    /// Side by side.
    Apart,
}

/// The scale of a chart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// From 0 to the capacity or limit, if there is one.
    #[default]
    Limit,
    /// Fitted to the values.
    Auto,
}

/// The content and form of the charts.
#[derive(Clone, Debug)]
pub struct Charts {
    /// The time window.
    pub window: Window,
    /// The charts.
    pub panels: Vec<Panel>,
    /// The arrangement of the charts of several chips.
    pub arrange: Arrange,
    /// The scale.
    pub scale: Scale,
    /// True for charts of processes instead of chips.
    pub of_processes: bool,
    /// The position of the time cursor: columns from the right edge.
    pub cursor: Option<usize>,
}

impl Charts {
    /// Creates the charts from their settings.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            window: settings.window,
            panels: settings.metrics.clone(),
            arrange: settings.arrange,
            scale: settings.scale,
            of_processes: false,
            cursor: None,
        }
    }

    /// Returns the charts that exist for the visible subjects.
    #[must_use]
    pub fn choice(&self) -> Vec<Panel> {
        if self.of_processes { Panel::of_processes() } else { Panel::of_chips() }
    }

    /// Returns the picked charts that exist.
    #[must_use]
    pub fn picked(&self) -> Vec<Panel> {
        let choice = self.choice();
        choice.into_iter().filter(|panel| self.panels.contains(panel)).collect()
    }

    /// Adds or removes a chart.
    pub fn toggle(&mut self, panel: Panel) {
        match self.panels.iter().position(|other| *other == panel) {
            Some(index) if self.panels.len() > 1 => {
                self.panels.remove(index);
            }
            Some(_) => {}
            None => self.panels.push(panel),
        }
    }
}
