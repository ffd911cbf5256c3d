//! State kept from earlier samples: the values of the last hour, the first time of each finding, and the CPU time of
//! processes.

use std::collections::BTreeMap;

use ttmem_model::snapshot::Snapshot;

use super::{FindingKey, key_of};
use crate::tui::group;
use crate::tui::history::{History, Moment};
use crate::tui::track::{Line, ProcessId, Subject, Track};

/// CPU use of each process, in hundredths of one processor.
pub(crate) type Rates = BTreeMap<ProcessId, f64>;

/// State kept from earlier samples.
#[derive(Debug, Default)]
pub(crate) struct Past {
    /// The values of the last hour.
    pub(crate) history: History,
    /// The first time of each finding.
    since: BTreeMap<FindingKey, Moment>,
    /// CPU time of each process at the newest sample, and the time of that sample.
    times: BTreeMap<ProcessId, (Moment, u64)>,
}

impl Past {
    /// Stores a sample; `interval` is the time to the next one, in microseconds. Returns the CPU use of each process
    /// since the previous sample.
    pub(crate) fn note(&mut self, at: Moment, interval: u64, snapshot: &Snapshot) -> Rates {
        let rates = self.rates(at, snapshot);
        self.note_findings(at, snapshot);
        self.history.keep(at, interval, numbers(snapshot, &rates));
        rates
    }

    /// Returns the time at which a finding first appeared.
    #[must_use]
    pub(crate) fn seen_first(&self, finding: &ttmem_model::Finding) -> Moment {
        self.since.get(&key_of(finding)).copied().unwrap_or_default()
    }

    /// Keeps the first time of each finding, and drops findings that are over.
    fn note_findings(&mut self, at: Moment, snapshot: &Snapshot) {
        let before = std::mem::take(&mut self.since);
        for finding in &snapshot.findings {
            let key = key_of(finding);
            let first = before.get(&key).copied().unwrap_or(at);
            self.since.insert(key, first);
        }
    }

    /// Returns the CPU use of each process, and the CPU times to compare the next sample with.
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
    let of_chips = group::numbers(snapshot).into_iter();
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
