//! What is remembered of the samples before: the numbers of the last hour, when each finding was seen first, and how
//! much processor time processes had used.

use std::collections::BTreeMap;

use ttmem_model::snapshot::Snapshot;

use super::{FindingKey, key_of};
use crate::tui::history::{History, Moment};
use crate::tui::track::{Line, ProcessId, Subject, Track};

/// Hundredths of one processor that each process uses.
pub type Rates = BTreeMap<ProcessId, f64>;

/// What is remembered of the samples before.
#[derive(Debug, Default)]
pub struct Past {
    /// The numbers of the last hour.
    pub history: History,
    /// When each finding was seen first.
    since: BTreeMap<FindingKey, Moment>,
    /// Processor time of each process at the newest sample, and when.
    times: BTreeMap<ProcessId, (Moment, u64)>,
}

impl Past {
    /// Remembers a sample; `interval` is the time to the next one, in microseconds. Gives how much of a processor each
    /// process has used since the one before.
    pub fn note(&mut self, at: Moment, interval: u64, snapshot: &Snapshot) -> Rates {
        let rates = self.rates(at, snapshot);
        self.note_findings(at, snapshot);
        self.history.keep(at, interval, numbers(snapshot, &rates));
        rates
    }

    /// When a finding was seen first.
    #[must_use]
    pub fn seen_first(&self, finding: &ttmem_model::Finding) -> Moment {
        self.since.get(&key_of(finding)).copied().unwrap_or_default()
    }

    /// Keeps when each finding was seen first, and forgets those that are over.
    fn note_findings(&mut self, at: Moment, snapshot: &Snapshot) {
        let before = std::mem::take(&mut self.since);
        for finding in &snapshot.findings {
            let key = key_of(finding);
            let first = before.get(&key).copied().unwrap_or(at);
            self.since.insert(key, first);
        }
    }

    /// How much of a processor each process uses, and its processor time for the next time.
    fn rates(&mut self, at: Moment, snapshot: &Snapshot) -> Rates {
        let mut rates = BTreeMap::new();
        let mut times = BTreeMap::new();
        for process in &snapshot.processes {
            let id = ProcessId::of(process);
            let Some(time) = process.cpu_time_us.value().copied() else { continue };
            if let Some((before, earlier)) = self.times.get(&id)
                && at > *before
                && time >= *earlier
            {
                rates.insert(id, (time - earlier) as f64 * 100.0 / at.since(*before) as f64);
            }
            times.insert(id, (at, time));
        }
        self.times = times;
        rates
    }
}

fn numbers<'a>(
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
