//! Memory over time in a limited number of columns: what a plot needs of any number of snapshots.
//!
//! A column holds, of each chip and kind, the moment at which it had the most, with what each process held at that
//! moment: the highest point of a plot is a true one, and its parts add up. When all columns are full, each two become
//! one.

use std::collections::BTreeMap;

use serde::Serialize;
use ttmem_model::board::Arch;
use ttmem_model::metric::{Metric, Quantity};
use ttmem_model::snapshot::{Chip, ChipMemory, Process, ProcessState};
use ttmem_model::{ChipId, Kind, Pid, Snapshot, Timestamp};

/// Columns of a plot, by default: more than a screen has, and divisible by two.
pub(crate) const COLUMNS: usize = 1200;
/// Processes that are distinguished. The memory of others is in the sums.
const MAX_PROCESSES: usize = 512;

/// The kinds that are drawn, those of the allocators first.
const KINDS: [Kind; 6] =
    [Kind::Dram, Kind::L1, Kind::L1Small, Kind::Trace, Kind::CircularBuffers, Kind::Kernels];

/// Memory over time.
#[derive(Clone, Debug)]
pub struct Series {
    columns: usize,
    /// Snapshots that one column stands for.
    stride: u64,
    /// Snapshots in the newest column.
    in_newest: u64,
    times: Vec<Timestamp>,
    processes: Vec<ProcessLine>,
    chips: Vec<ChipLines>,
}

/// A process as a plot names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProcessLine {
    /// Process id.
    pub pid: Pid,
    /// Clock ticks between boot and its start.
    pub start_time: u64,
    /// Short name.
    pub name: String,
}

/// One chip over time.
#[derive(Clone, Debug, Serialize)]
pub struct ChipLines {
    /// ASIC id.
    pub id: ChipId,
    /// The id under which TT-Metal publishes its memory, where that is known: it may be another one.
    pub region: Option<ChipId>,
    /// Index on the host.
    pub index: u32,
    /// The name of its board.
    pub board: Option<String>,
    /// Architecture.
    pub(crate) arch: Option<Arch>,
    /// The tray of a Galaxy that it is in, 1 to 4.
    pub(crate) tray: Option<u8>,
    /// Position in the tray, 1 to 8.
    pub(crate) tray_position: Option<u8>,
    /// The serial number of its board.
    pub(crate) serial: Option<String>,
    /// The temperature of its ASIC in °C.
    pub(crate) temperature_c: Option<Highest>,
    /// The power that it drew in watts.
    pub(crate) power_w: Option<Highest>,
    /// Kinds for which a value was ever known.
    pub kinds: Vec<KindLines>,
}

/// The highest value of a telemetry reading.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Highest {
    /// The value.
    pub(crate) most: Quantity,
    /// Limit, as last known.
    pub(crate) limit: Option<Quantity>,
}

/// One kind of memory of a chip over time.
#[derive(Clone, Debug, Serialize)]
pub struct KindLines {
    /// The kind.
    pub kind: Kind,
    /// Bytes that the chip has for it, as last known.
    pub capacity: Option<u64>,
    /// The most bytes there were.
    pub peak: u64,
    /// Time of the peak.
    pub peak_us: Timestamp,
    /// Bytes in use, by column; `None` where that is not known.
    pub used: Vec<Option<u64>>,
    /// The memory of each process at that time.
    pub shares: Vec<Share>,
}

/// The memory of one process.
#[derive(Clone, Debug, Serialize)]
pub struct Share {
    /// Index of the process in the list of processes.
    pub process: usize,
    /// Bytes, by column; 0 where it is not known to hold any.
    pub bytes: Vec<u64>,
}

/// The series as JSON has it.
#[derive(Serialize)]
struct Json<'a> {
    times_us: &'a [Timestamp],
    processes: &'a [ProcessLine],
    chips: &'a [ChipLines],
}

impl Serialize for Series {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { times, processes, chips, .. } = self;
        Json { times_us: times, processes, chips }.serialize(serializer)
    }
}

impl Default for Series {
    fn default() -> Self {
        Self::new(COLUMNS)
    }
}

impl Series {
    /// An empty series of at most this many columns.
    #[must_use]
    pub fn new(columns: usize) -> Self {
        Self {
            columns: columns.max(2),
            stride: 1,
            in_newest: 0,
            times: Vec::new(),
            processes: Vec::new(),
            chips: Vec::new(),
        }
    }

    /// The beginning of each column.
    #[must_use]
    pub fn times(&self) -> &[Timestamp] {
        &self.times
    }

    /// Every process that was seen alive.
    #[must_use]
    pub fn processes(&self) -> &[ProcessLine] {
        &self.processes
    }

    /// Every chip that was seen.
    #[must_use]
    pub fn chips(&self) -> &[ChipLines] {
        &self.chips
    }

    /// Takes the next snapshot in.
    pub fn push(&mut self, snapshot: &Snapshot) {
        if self.times.is_empty() || self.in_newest >= self.stride {
            if self.times.len() >= self.columns {
                self.halve();
            }
            // After halving, the newest column may have room again.
            if self.times.is_empty() || self.in_newest >= self.stride {
                self.open_column(snapshot.time_us);
            }
        }
        self.in_newest += 1;
        // What the dead left is not in use, and is in no sum.
        let living: Vec<&Process> = snapshot
            .processes
            .iter()
            .filter(|process| process.state != ProcessState::Stale)
            .collect();
        let indexes: Vec<Option<usize>> =
            living.iter().map(|process| self.process(process)).collect();
        for chip in &snapshot.chips {
            let lines = self.chip(chip);
            if let Some(lines) = self.chips.get_mut(lines) {
                lines.take_telemetry(chip);
            }
            for kind in KINDS {
                let Some(used) = used(&chip.memory, kind) else { continue };
                let mut shares = BTreeMap::new();
                for (process, index) in living.iter().zip(&indexes) {
                    let on_chip = process.chips.iter().find(|held| held.chip == chip.id);
                    let held = on_chip
                        .and_then(|held| held.memory.allocators()[kind.allocator()?].value());
                    if let (Some(index), Some(bytes)) = (index, held) {
                        *shares.entry(*index).or_insert(0) += *bytes;
                    }
                }
                let capacity = capacity(&chip.memory, kind);
                let columns = self.times.len();
                if let Some(lines) = self.chips.get_mut(lines) {
                    let line = lines.kind(kind, columns);
                    line.capacity = capacity.or(line.capacity);
                    line.take(used, &shares, snapshot.time_us);
                }
            }
        }
    }

    fn open_column(&mut self, time: Timestamp) {
        self.times.push(time);
        self.in_newest = 0;
        for line in self.chips.iter_mut().flat_map(|chip| &mut chip.kinds) {
            line.used.push(None);
            line.shares.iter_mut().for_each(|share| share.bytes.push(0));
        }
    }

    /// Makes one column of each two.
    fn halve(&mut self) {
        let is_odd = !self.times.len().is_multiple_of(2);
        let mut number = 0_usize;
        self.times.retain(|_| {
            number += 1;
            number % 2 == 1
        });
        for line in self.chips.iter_mut().flat_map(|chip| &mut chip.kinds) {
            line.halve();
        }
        self.in_newest += if is_odd { 0 } else { self.stride };
        self.stride = self.stride.saturating_mul(2);
    }

    fn process(&mut self, process: &Process) -> Option<usize> {
        let identity = (process.pid, process.start_time);
        let known = self.processes.iter().position(|line| (line.pid, line.start_time) == identity);
        if known.is_some() || self.processes.len() >= MAX_PROCESSES {
            return known;
        }
        let (pid, start_time) = identity;
        self.processes.push(ProcessLine { pid, start_time, name: process.name.clone() });
        Some(self.processes.len() - 1)
    }

    fn chip(&mut self, chip: &Chip) -> usize {
        if let Some(known) = self.chips.iter().position(|line| line.id == chip.id) {
            return known;
        }
        self.chips.push(ChipLines {
            id: chip.id,
            region: chip.region.as_ref().map(|region| ChipId::Known(region.id)),
            index: chip.index,
            board: chip.board.clone(),
            arch: chip.arch,
            tray: chip.tray().map(|position| position.tray),
            tray_position: chip.tray().map(|position| position.position),
            serial: chip.serial.clone(),
            temperature_c: None,
            power_w: None,
            kinds: Vec::new(),
        });
        self.chips.len() - 1
    }
}

impl ChipLines {
    fn take_telemetry(&mut self, chip: &Chip) {
        let value =
            |metric| chip.telemetry.get(&metric).and_then(|reading| reading.value()).copied();
        let higher = |known: Option<Highest>, metric, limit| {
            let Some(now) = value(metric) else { return known };
            let limit = value(limit).or(known.and_then(|known| known.limit));
            let most =
                known.map_or(now, |known| if now.0 > known.most.0 { now } else { known.most });
            Some(Highest { most, limit })
        };
        self.temperature_c =
            higher(self.temperature_c, Metric::AsicTemperature, Metric::AsicTemperatureLimit);
        self.power_w = higher(self.power_w, Metric::Power, Metric::PowerLimit);
    }

    /// The lines of a kind, with as many columns as the others.
    fn kind(&mut self, kind: Kind, columns: usize) -> &mut KindLines {
        let index = self.kinds.iter().position(|line| line.kind == kind);
        let index = index.unwrap_or_else(|| {
            self.kinds.push(KindLines {
                kind,
                capacity: None,
                peak: 0,
                peak_us: Timestamp(0),
                used: vec![None; columns],
                shares: Vec::new(),
            });
            self.kinds.len() - 1
        });
        &mut self.kinds[index]
    }
}

impl KindLines {
    /// Takes a moment into the newest column, if it is the highest there.
    fn take(&mut self, used: u64, shares: &BTreeMap<usize, u64>, time: Timestamp) {
        if used > self.peak || self.peak_us == Timestamp(0) {
            (self.peak, self.peak_us) = (used, time);
        }
        let columns = self.used.len();
        let Some(newest) = self.used.last_mut() else { return };
        if newest.is_some_and(|known| known >= used) {
            return;
        }
        *newest = Some(used);
        for process in shares.keys() {
            if !self.shares.iter().any(|share| share.process == *process) {
                self.shares.push(Share { process: *process, bytes: vec![0; columns] });
            }
        }
        for share in &mut self.shares {
            if let Some(newest) = share.bytes.last_mut() {
                *newest = shares.get(&share.process).copied().unwrap_or(0);
            }
        }
    }

    fn halve(&mut self) {
        let kept: Vec<usize> = (0..self.used.len())
            .step_by(2)
            .map(|first| {
                let second = first + 1;
                let higher = self.used.get(second).is_some_and(|next| *next > self.used[first]);
                if higher { second } else { first }
            })
            .collect();
        self.used = kept.iter().filter_map(|column| self.used.get(*column).copied()).collect();
        for share in &mut self.shares {
            let bytes = kept.iter().filter_map(|column| share.bytes.get(*column).copied());
            share.bytes = bytes.collect();
        }
    }
}

fn used(memory: &ChipMemory, kind: Kind) -> Option<u64> {
    match kind {
        Kind::CircularBuffers => memory.circular_buffers.used.value().copied(),
        Kind::Kernels => memory.kernels.used.value().copied(),
        kind => memory.allocators()[kind.allocator()?].used.value().copied(),
    }
}

fn capacity(memory: &ChipMemory, kind: Kind) -> Option<u64> {
    let total = || memory.l1_total.capacity.value().copied();
    match kind {
        Kind::CircularBuffers | Kind::Kernels => total(),
        kind => {
            let memory = memory.allocators()[kind.allocator()?];
            memory.allocatable.value().or(memory.capacity.value()).copied()
        }
    }
}

#[cfg(test)]
mod tests;
