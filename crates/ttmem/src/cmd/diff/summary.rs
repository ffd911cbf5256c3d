//! The peak and the steady state of every kind, per chip, per process, and per op of processes with an agent.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use ttmem_analysis::run_report::{OpUse, op_uses};
use ttmem_model::snapshot::ProcessState;
use ttmem_model::{ChipId, Kind, MissingReason, Pid, Reading, Snapshot};
use ttmem_segment::Segment;

use super::l1::OpsL1;

/// Process name and kind of memory that a row compares. Processes are matched by name, since pids differ from run to
/// run; those of one name are added up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// The process, or none for the whole chip.
    pub(super) process: Option<String>,
    /// The chip; none for an op, which is taken on the chip where it held most.
    pub(super) chip: Option<ChipId>,
    /// The op, if it is about one.
    pub(super) op: Option<String>,
    pub(super) kind: Kind,
}

impl Key {
    pub(super) fn who(&self) -> String {
        let chip = self.chip.map(|chip| chip.to_string()).unwrap_or_default();
        match (&self.op, &self.process) {
            (Some(op), Some(process)) => format!("{op} in {process}"),
            (Some(op), None) => op.clone(),
            (None, Some(process)) => format!("{process} on {chip}"),
            (None, None) => format!("chip {chip}"),
        }
    }
}

/// Bytes over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Figure {
    /// The most there was.
    pub(super) peak: u64,
    /// The median: the steady state.
    pub(super) steady: u64,
}

/// Figures by key, from any number of snapshots.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// The frequency of each number of bytes: memory for the distinct values, not for the time span.
    seen: BTreeMap<Key, BTreeMap<u64, u64>>,
    /// Memory that a snapshot has no figure of, though there is a source.
    unknown: BTreeSet<Key>,
    snapshots: u64,
    /// Names of processes by number.
    names: BTreeMap<Pid, String>,
    /// The memory of ops, as recorded by agents. Ops of processes with one name are added up.
    ops: BTreeMap<Key, Figure>,
    l1: OpsL1,
}

impl Summary {
    /// Takes another snapshot in.
    pub(super) fn add(&mut self, snapshot: &Snapshot) {
        self.snapshots += 1;
        let mut bytes: BTreeMap<Key, Option<u64>> = BTreeMap::new();
        for chip in &snapshot.chips {
            for (kind, memory) in chip.memory.allocators() {
                if let Some(used) = sourced(&memory.used) {
                    let (chip, kind) = (Some(chip.id), kind.into());
                    bytes.insert(Key { process: None, chip, op: None, kind }, used);
                }
            }
        }
        for process in &snapshot.processes {
            self.names.entry(process.pid).or_insert_with(|| process.name.clone());
            // What the dead left would be added to what the next process of that name holds.
            if process.state == ProcessState::Stale {
                continue;
            }
            for on_chip in &process.chips {
                for (kind, reading) in on_chip.memory.allocators() {
                    let Some(held) = sourced(reading) else { continue };
                    let (process, chip) = (Some(process.name.clone()), Some(on_chip.chip));
                    let key = Key { process, chip, op: None, kind: kind.into() };
                    // The sum of several is not known without each of them.
                    let sum = bytes.entry(key).or_insert(Some(0));
                    *sum = sum.zip(held).and_then(|(sum, held)| sum.checked_add(held));
                }
            }
        }
        for (key, bytes) in bytes {
            match bytes {
                Some(bytes) => {
                    *self.seen.entry(key).or_default().entry(bytes).or_default() += 1;
                }
                None => {
                    self.unknown.insert(key);
                }
            }
        }
    }

    /// Adds the buffers of one agent.
    pub(super) fn add_agent(&mut self, process: Option<String>, segment: &Segment) {
        self.l1.add(process.as_ref(), segment);
        for OpUse { kind, op, peak, steady } in op_uses(segment) {
            let op = Some(op.unwrap_or_else(|| "no op known".to_owned()));
            let key = Key { process: process.clone(), chip: None, op, kind };
            let figure = self.ops.entry(key).or_insert(Figure { peak: 0, steady: 0 });
            figure.peak = figure.peak.saturating_add(peak);
            figure.steady = figure.steady.saturating_add(steady);
        }
    }

    /// The L1 of ops, as recorded by agents.
    pub(super) fn l1(&self) -> &OpsL1 {
        &self.l1
    }

    /// Names of the processes that were seen, by number.
    pub(super) fn names(&self) -> BTreeMap<Pid, String> {
        self.names.clone()
    }

    /// True if an agent recorded ops.
    pub(super) fn knows_ops(&self) -> bool {
        !self.ops.is_empty()
    }

    /// The peak and the median.
    pub(super) fn get(&self, key: &Key) -> Option<Figure> {
        if key.op.is_some() {
            return self.ops.get(key).copied();
        }
        let seen = self.seen.get(key)?;
        let (peak, _) = seen.last_key_value()?;
        let half = seen.values().sum::<u64>().div_ceil(2);
        let mut passed = 0;
        let median = seen.iter().find(|(_, times)| {
            passed += **times;
            passed >= half
        });
        let steady = median.map_or(*peak, |(bytes, _)| *bytes);
        Some(Figure { peak: *peak, steady })
    }

    /// True if there is memory of which no snapshot has a figure.
    pub(super) fn is_unknown(&self, key: &Key) -> bool {
        self.unknown.contains(key) && !self.seen.contains_key(key)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.snapshots == 0
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.seen.keys().chain(self.ops.keys())
    }
}

/// The figure of a source, `Some(None)` if the source gives none that can be used; `None` without a source.
fn sourced(reading: &Reading<u64>) -> Option<Option<u64>> {
    match reading.missing() {
        Some(missing) if missing.reason == MissingReason::NoSource => None,
        Some(_) => Some(None),
        None => Some(reading.value().copied()),
    }
}
