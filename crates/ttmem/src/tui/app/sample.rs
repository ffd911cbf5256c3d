//! Handling of a new sample.

use std::sync::Arc;

use ttmem_model::Timestamp;

use super::past::Rates;
use super::{App, Shared};
use crate::tui::history::Moment;

/// A sample of the host.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// Time of the sample.
    pub(crate) at: Moment,
    /// The snapshot.
    pub(crate) snapshot: Shared,
    /// The boot time of the host, if it is known.
    pub(crate) boot: Option<Timestamp>,
}

/// A sample as it is shown.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    /// Time of the sample.
    pub(crate) at: Moment,
    /// The snapshot.
    pub(crate) snapshot: Shared,
    /// The boot time of the host, if it is known.
    pub(crate) boot: Option<Timestamp>,
    /// CPU use of each process since the previous sample, in hundredths of one processor.
    pub(crate) cpu: Rates,
}

impl App {
    pub(super) fn show_sample(&mut self, sample: Sample) {
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
