//! Taking in what a sample says.

use std::sync::Arc;

use ttmem_model::Timestamp;

use super::past::Rates;
use super::{App, Shared};
use crate::tui::history::Moment;

/// One reading of the host.
#[derive(Clone, Debug)]
pub struct Sample {
    /// When it was taken.
    pub at: Moment,
    /// What it says.
    pub snapshot: Shared,
    /// When the host was switched on, where that is known.
    pub boot: Option<Timestamp>,
}

/// A sample as it is shown.
#[derive(Clone, Debug)]
pub struct Shown {
    /// When it was taken.
    pub at: Moment,
    /// What it says.
    pub snapshot: Shared,
    /// When the host was switched on, where that is known.
    pub boot: Option<Timestamp>,
    /// Hundredths of one processor that each process uses, since the sample before.
    pub cpu: Rates,
}

impl App {
    pub(super) fn take(&mut self, sample: Sample) {
        self.heard = Some(self.now);
        self.note_played(&sample);
        let Sample { at, mut snapshot, boot } = sample;
        if self.cores.read.is_some() {
            self.cores.complete(at, self.interval, Arc::make_mut(&mut snapshot));
        }
        let cpu = self.past.note(at, self.stride(), &snapshot);
        let shown = Shown { at, snapshot, boot, cpu };
        if self.frozen {
            self.waiting = Some(shown);
        } else {
            self.shown = Some(shown);
        }
    }
}
