//! The peak and the steady state of every kind, per chip and per process.

use std::collections::BTreeMap;

use serde::Serialize;
use ttmem_model::snapshot::ProcessMemory;
use ttmem_model::{ChipId, Kind, Reading, Snapshot};

/// Whose memory of which kind. Processes are known by their name, since pids differ from run to run; those of one name
/// are taken together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// The process, or none for the whole chip.
    pub(super) process: Option<String>,
    pub(super) chip: ChipId,
    pub(super) kind: Kind,
}

impl Key {
    pub(super) fn who(&self) -> String {
        match &self.process {
            Some(process) => format!("{process} on {}", self.chip),
            None => format!("chip {}", self.chip),
        }
    }
}

/// Bytes over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Figure {
    /// The most there was.
    pub(super) peak: u64,
    /// What was there most of the time: the median.
    pub(super) steady: u64,
}

/// Figures by key, from any number of snapshots.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// How often each number of bytes was seen: memory for the values that there are, not for the time that passed.
    seen: BTreeMap<Key, BTreeMap<u64, u64>>,
    snapshots: u64,
}

impl Summary {
    /// Takes another snapshot in.
    pub(super) fn add(&mut self, snapshot: &Snapshot) {
        self.snapshots += 1;
        let mut bytes: BTreeMap<Key, u64> = BTreeMap::new();
        for chip in &snapshot.chips {
            for kind in Kind::ALLOCATOR {
                let used = chip.memory.allocator(kind).and_then(|memory| memory.used.value());
                if let Some(used) = used {
                    bytes.insert(Key { process: None, chip: chip.id, kind }, *used);
                }
            }
        }
        for process in &snapshot.processes {
            for on_chip in &process.chips {
                for (kind, held) in known(&on_chip.memory) {
                    let process = Some(process.name.clone());
                    *bytes.entry(Key { process, chip: on_chip.chip, kind }).or_default() += held;
                }
            }
        }
        for (key, bytes) in bytes {
            *self.seen.entry(key).or_default().entry(bytes).or_default() += 1;
        }
    }

    /// The peak and the median.
    pub(super) fn get(&self, key: &Key) -> Option<Figure> {
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

    pub(super) fn is_empty(&self) -> bool {
        self.snapshots == 0
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.seen.keys()
    }
}

fn known(memory: &ProcessMemory) -> impl Iterator<Item = (Kind, u64)> {
    Kind::ALLOCATOR.into_iter().filter_map(|kind| {
        memory.allocator(kind).and_then(Reading::value).map(|bytes| (kind, *bytes))
    })
}
