//! What the charts show, and how.

use crate::config::Settings;
use crate::tui::history::Window;
use crate::tui::track::Track;

/// A chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Panel {
    /// One number.
    Track(Track),
    /// What L1 holds, kind upon kind.
    L1ByKind,
}

impl Panel {
    /// Every chart of chips, in the order of the picker.
    #[must_use]
    pub fn of_chips() -> Vec<Self> {
        let tracks = Track::OF_CHIPS.iter().map(|track| Self::Track(*track));
        let mut panels: Vec<Self> = tracks.collect();
        panels.insert(1, Self::L1ByKind);
        panels
    }

    /// Every chart of processes, in the order of the picker.
    #[must_use]
    pub fn of_processes() -> Vec<Self> {
        let tracks = Track::OF_PROCESSES.iter().map(|track| Self::Track(*track));
        let mut panels: Vec<Self> = tracks.collect();
        panels.insert(1, Self::L1ByKind);
        panels
    }

    /// The charts that are shown unless others are picked.
    #[must_use]
    pub fn usual() -> Vec<Self> {
        vec![
            Self::Track(Track::Dram),
            Self::L1ByKind,
            Self::Track(Track::Temperature),
            Self::Track(Track::Power),
        ]
    }

    /// The name in exports and in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Track(track) => track.name(),
            Self::L1ByKind => "l1_by_kind",
        }
    }

    /// The name on the screen.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Track(track) => track.label(),
            Self::L1ByKind => "L1 by kind",
        }
    }

    /// The chart of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "l1_by_kind" => Some(Self::L1ByKind),
            name => Track::by_name(name).map(Self::Track),
        }
    }
}

/// Where the charts of several subjects stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arrange {
    /// Over each other in one chart.
    #[default]
    Together,
    /// Side by side.
    Apart,
}

/// How far a chart goes up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// From nothing to the capacity or limit, where there is one.
    #[default]
    Limit,
    /// As far as the numbers go.
    Auto,
}

/// What the charts show, and how.
#[derive(Clone, Debug)]
pub struct Charts {
    /// How far back.
    pub window: Window,
    /// Which charts.
    pub panels: Vec<Panel>,
    /// Where the charts of several chips stand.
    pub arrange: Arrange,
    /// How far up.
    pub scale: Scale,
    /// Of processes in place of chips.
    pub of_processes: bool,
    /// The moment whose numbers are shown: columns from the right end.
    pub cursor: Option<usize>,
}

impl Charts {
    /// The charts as they are set.
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

    /// The charts that there are of the subjects that are shown.
    #[must_use]
    pub fn choice(&self) -> Vec<Panel> {
        if self.of_processes { Panel::of_processes() } else { Panel::of_chips() }
    }

    /// The charts that are picked and that there are.
    #[must_use]
    pub fn picked(&self) -> Vec<Panel> {
        let choice = self.choice();
        choice.into_iter().filter(|panel| self.panels.contains(panel)).collect()
    }

    /// Picks a chart, or no longer.
    pub fn toggle(&mut self, panel: Panel) {
        match self.panels.iter().position(|other| *other == panel) {
            Some(place) if self.panels.len() > 1 => {
                self.panels.remove(place);
            }
            Some(_) => {}
            None => self.panels.push(panel),
        }
    }
}
