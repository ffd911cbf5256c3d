//! The content and form of the charts.

use crate::tui::choice::{Arrange, Panel, Scale, Settings};
use crate::tui::history::Window;

/// The content and form of the charts.
#[derive(Clone, Debug)]
pub(crate) struct Charts {
    /// The time window.
    pub(crate) window: Window,
    /// The charts.
    pub(crate) panels: Vec<Panel>,
    /// The chosen arrangement of the charts of several chips.
    pub(crate) arrange: Option<Arrange>,
    /// The scale.
    pub(crate) scale: Scale,
    /// True for charts of processes instead of chips.
    pub(crate) of_processes: bool,
    /// The position of the time cursor: columns from the right edge.
    pub(crate) cursor: Option<usize>,
}

impl Charts {
    /// Creates the charts from their settings.
    #[must_use]
    pub(crate) fn new(settings: &Settings) -> Self {
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
    pub(crate) fn choice(&self) -> Vec<Panel> {
        if self.of_processes { Panel::of_processes() } else { Panel::of_chips() }
    }

    /// Returns the picked charts that exist.
    #[must_use]
    pub(crate) fn picked(&self) -> Vec<Panel> {
        let choice = self.choice();
        choice.into_iter().filter(|panel| self.panels.contains(panel)).collect()
    }

    /// Adds or removes a chart.
    pub(crate) fn toggle(&mut self, panel: Panel) {
        match self.panels.iter().position(|other| *other == panel) {
            Some(index) if self.panels.len() > 1 => {
                self.panels.remove(index);
            }
            Some(_) => {}
            None => self.panels.push(panel),
        }
    }
}
