//! Derives events from snapshots: what came, what went, what was the most.

use std::collections::{BTreeMap, BTreeSet};

use super::event::{Event, EventKind};
use ttmem_model::snapshot::{Chip, Process, ProcessState, Source, SourceStatus};
use ttmem_model::{ChipId, Finding, Kind, Pid, Snapshot, SourceName, Timestamp};

/// A process's identity.
type Identity = (Pid, u64);

/// Sees one snapshot after the other and says what happened between them.
#[derive(Debug, Default)]
pub struct Tracker {
    before: Option<Before>,
    peaks: BTreeMap<(ChipId, Kind), Peak>,
}

/// The state of the previous snapshot.
#[derive(Debug, Default)]
struct Before {
    /// True if a server looked, which may see more than this user does.
    is_served: bool,
    chips: BTreeSet<ChipId>,
    processes: BTreeMap<Identity, KnownProcess>,
    findings: BTreeMap<FindingKey, String>,
}

type FindingKey = (String, Option<ChipId>, Option<Pid>);

#[derive(Debug)]
struct KnownProcess {
    name: String,
    is_live: bool,
    held: u64,
}

/// The most that a chip held of a kind.
#[derive(Debug)]
struct Peak {
    bytes: u64,
    time: Timestamp,
    /// True until it is reported.
    is_open: bool,
}

impl Before {
    fn of(snapshot: &Snapshot) -> Self {
        let processes = snapshot.processes.iter().map(|process| {
            let is_live = process.state != ProcessState::Stale;
            let name = process.name.clone();
            (identity(process), KnownProcess { name, is_live, held: held(process) })
        });
        let findings = snapshot.findings.iter().map(|finding| (key(finding), finding.text.clone()));
        let served = |source: &Source| {
            source.name == SourceName::Server && source.status == SourceStatus::Ok
        };
        Self {
            is_served: snapshot.sources.iter().any(served),
            // A simulated or mock chip comes and goes with its process, which has events of its own.
            chips: snapshot.chips.iter().filter(is_of_driver).filter_map(Chip::identity).collect(),
            processes: processes.collect(),
            findings: findings.collect(),
        }
    }
}

fn is_of_driver(chip: &&Chip) -> bool {
    chip.bdf.is_some() || chip.remote
}

fn identity(process: &Process) -> Identity {
    (process.pid, process.start_time)
}

fn key(finding: &Finding) -> FindingKey {
    (finding.id.clone(), finding.chip, finding.pid)
}

/// The bytes that a process holds on all chips, as far as they are known.
fn held(process: &Process) -> u64 {
    let memory = process.chips.iter().map(|chip| &chip.memory);
    let readings = memory.flat_map(|memory| memory.allocators());
    let bytes = readings.filter_map(|(_, reading)| reading.value().copied());
    bytes.fold(0, u64::saturating_add)
}

impl Tracker {
    /// Returns the events between the previous snapshot and this one; none for the first.
    pub fn observe(&mut self, snapshot: &Snapshot) -> Vec<Event> {
        let mut events = Vec::new();
        let after = Before::of(snapshot);
        // If a server and this process sample in turn, what is no longer seen has not ended.
        let before = self.before.as_ref().filter(|before| before.is_served == after.is_served);
        if let Some(before) = before {
            let time = snapshot.time_us;
            chips(before, &after, time, &mut events);
            processes(before, &after, time, &mut events);
            findings(before, snapshot, &after, &mut events);
        }
        self.before = Some(after);
        self.observe_peaks(snapshot, &mut events);
        events
    }

    fn observe_peaks(&mut self, snapshot: &Snapshot, events: &mut Vec<Event>) {
        for chip in &snapshot.chips {
            for (kind, memory) in chip.memory.allocators() {
                let kind = Kind::from(kind);
                let Some(used) = memory.used.value().copied() else { continue };
                let new = Peak { bytes: used, time: snapshot.time_us, is_open: false };
                let peak = self.peaks.entry((chip.id, kind)).or_insert(new);
                if used > peak.bytes {
                    *peak = Peak { bytes: used, time: snapshot.time_us, is_open: true };
                } else if used < peak.bytes && peak.is_open {
                    peak.is_open = false;
                    events.push(peak_event(chip.id, kind, peak));
                }
            }
        }
    }

    /// The peaks that nothing has followed yet.
    pub fn finish(&mut self) -> Vec<Event> {
        let open = self.peaks.iter_mut().filter(|(_, peak)| peak.is_open);
        open.map(|((chip, kind), peak)| {
            peak.is_open = false;
            peak_event(*chip, *kind, peak)
        })
        .collect()
    }
}

fn peak_event(chip: ChipId, kind: Kind, peak: &Peak) -> Event {
    let text = format!("{} {} bytes", kind.label(), peak.bytes);
    let value = i64::try_from(peak.bytes).unwrap_or(i64::MAX);
    Event::new(peak.time, EventKind::Peak, text).of_chip(chip).with_value(value)
}

fn chips(before: &Before, after: &Before, time: Timestamp, events: &mut Vec<Event>) {
    for chip in before.chips.difference(&after.chips) {
        let text = format!("chip {chip} disappeared");
        events.push(Event::new(time, EventKind::ChipVanished, text).of_chip(*chip));
    }
    for chip in after.chips.difference(&before.chips) {
        let text = format!("chip {chip} appeared");
        events.push(Event::new(time, EventKind::ChipAppeared, text).of_chip(*chip));
    }
}

fn processes(before: &Before, after: &Before, time: Timestamp, events: &mut Vec<Event>) {
    for ((pid, start), known) in &before.processes {
        // A process that is gone keeps the pid that its region has, and loses its start time.
        let is_left = || {
            let mut same = after.processes.range((*pid, 0)..=(*pid, u64::MAX));
            let is_finding = |(id, _, of): &FindingKey| id == "stale-region" && *of == Some(*pid);
            same.any(|(_, process)| !process.is_live) || after.findings.keys().any(is_finding)
        };
        let is_there = after.processes.get(&(*pid, *start)).is_some_and(|process| process.is_live);
        if !known.is_live || is_there {
            continue;
        }
        let (kind, how) = match (is_left(), known.held) {
            (true, _) => (EventKind::ProcessDied, "has died and left device memory behind"),
            (false, 0) => (EventKind::ProcessEnded, "has ended"),
            (false, _) => (EventKind::ProcessDied, "ended with device memory"),
        };
        let held = i64::try_from(known.held).unwrap_or(i64::MAX);
        let text = format!("{} (pid {pid}) {how}", known.name);
        events.push(Event::new(time, kind, text).of_process(*pid).with_value(held));
    }
    for (identity, process) in after.processes.iter().filter(|(_, process)| process.is_live) {
        if before.processes.get(identity).is_none_or(|known| !known.is_live) {
            let text = format!("{} (pid {}) started", process.name, identity.0);
            events.push(Event::new(time, EventKind::ProcessStarted, text).of_process(identity.0));
        }
    }
}

fn findings(before: &Before, snapshot: &Snapshot, after: &Before, events: &mut Vec<Event>) {
    let time = snapshot.time_us;
    let about =
        |event: Event, (_, chip, pid): &FindingKey| Event { chip: *chip, pid: *pid, ..event };
    for (key, text) in &after.findings {
        if !before.findings.contains_key(key) {
            let text = format!("{}: {text}", key.0);
            events.push(about(Event::new(time, EventKind::FindingAppeared, text), key));
        }
    }
    for (key, text) in &before.findings {
        if !after.findings.contains_key(key) {
            let text = format!("{}: {text}", key.0);
            events.push(about(Event::new(time, EventKind::FindingGone, text), key));
        }
    }
}
