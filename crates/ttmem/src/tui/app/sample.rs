//! Taking in what a sample says.

use std::collections::BTreeMap;
use std::sync::Arc;

use ttmem_model::Timestamp;
use ttmem_model::snapshot::Snapshot;

use super::{App, Shared};
use crate::tui::history::Moment;
use crate::tui::track::{Line, ProcessId, Subject, Track};

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
    pub cpu: BTreeMap<ProcessId, f64>,
}

impl App {
    pub(super) fn take(&mut self, sample: Sample) {
        self.heard = Some(self.now);
        let Sample { at, mut snapshot, boot } = sample;
        if self.cores.read.is_some() {
            self.cores.complete(at, self.interval, Arc::make_mut(&mut snapshot));
        }
        let cpu = rates(&mut self.times, at, &snapshot);
        self.note_findings(at, &snapshot);
        let numbers = numbers(&snapshot, &cpu);
        self.history.keep(at, self.interval, numbers);
        let shown = Shown { at, snapshot, boot, cpu };
        if self.frozen {
            self.waiting = Some(shown);
        } else {
            self.shown = Some(shown);
        }
    }

    /// Keeps when each finding was seen first, and forgets those that are over.
    fn note_findings(&mut self, at: Moment, snapshot: &Snapshot) {
        let before = std::mem::take(&mut self.since);
        for finding in &snapshot.findings {
            let key = super::key_of(finding);
            let first = before.get(&key).copied().unwrap_or(at);
            self.since.insert(key, first);
        }
    }
}

/// The processor time of each process, and when that was.
pub type Times = BTreeMap<ProcessId, (Moment, u64)>;

/// How much of a processor each process uses since the time before, which becomes this one.
pub(in crate::tui) fn rates(
    before: &mut Times,
    at: Moment,
    snapshot: &Snapshot,
) -> BTreeMap<ProcessId, f64> {
    let mut rates = BTreeMap::new();
    let mut times = Times::new();
    for process in &snapshot.processes {
        let id = ProcessId::of(process);
        let Some(time) = process.cpu_time_us.value().copied() else { continue };
        if let Some((before, earlier)) = before.get(&id)
            && at > *before
            && time >= *earlier
        {
            rates.insert(id, (time - earlier) as f64 * 100.0 / at.since(*before) as f64);
        }
        times.insert(id, (at, time));
    }
    *before = times;
    rates
}

/// What a sample says, line by line.
pub(in crate::tui) fn numbers<'a>(
    snapshot: &'a Snapshot,
    cpu: &'a BTreeMap<ProcessId, f64>,
) -> impl Iterator<Item = (Line, f64)> + 'a {
    let of_chips = snapshot.chips.iter().flat_map(|chip| {
        let subject = Subject::Chip(chip.id);
        let number =
            move |track: &Track| Some((Line { subject, track: *track }, track.of_chip(chip)?));
        Track::OF_CHIPS.iter().filter_map(number)
    });
    let of_processes = snapshot.processes.iter().flat_map(move |process| {
        let id = ProcessId::of(process);
        let number = move |track: &Track| {
            let number = match track {
                Track::Cpu => cpu.get(&id).copied(),
                track => track.of_process(process),
            };
            Some((Line { subject: Subject::Process(id), track: *track }, number?))
        };
        Track::OF_PROCESSES.iter().filter_map(number)
    });
    of_chips.chain(of_processes)
}
