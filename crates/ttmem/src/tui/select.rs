//! Selection and order of the visible processes, and their memory.

mod filter;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use ttmem_model::order;
use ttmem_model::snapshot::{Process, ProcessMemory, ProcessOnChip, Snapshot};
use ttmem_model::{ChipId, Reading};

use super::track::ProcessId;

pub(crate) use filter::Filter;

/// A column of the process table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Column {
    /// Pid.
    Pid,
    /// User of the process.
    User,
    /// The chips with memory of the process.
    Chips,
    /// Buffers in DRAM.
    #[default]
    Dram,
    /// Buffers in L1.
    L1,
    /// Buffers in the `l1_small` region.
    L1Small,
    /// Traces.
    Trace,
    /// Circular buffers as the memory region reports them.
    Reported,
    /// CPU use.
    Cpu,
    /// Host memory.
    Host,
    /// Time since its start.
    Runtime,
    /// Name of the process.
    Name,
}

impl Column {
    /// Every column, from left to right.
    pub(crate) const ALL: [Self; 12] = [
        Self::Pid,
        Self::User,
        Self::Chips,
        Self::Dram,
        Self::L1,
        Self::L1Small,
        Self::Trace,
        Self::Reported,
        Self::Cpu,
        Self::Host,
        Self::Runtime,
        Self::Name,
    ];

    /// Returns the heading.
    #[must_use]
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Pid => "PID",
            Self::User => "USER",
            Self::Chips => "CHIPS",
            Self::Dram => "DRAM",
            Self::L1 => "L1",
            Self::L1Small => "L1_SMALL",
            Self::Trace => "TRACE",
            Self::Reported => "CBs",
            Self::Cpu => "CPU",
            Self::Host => "HOST",
            Self::Runtime => "TIME",
            Self::Name => "NAME",
        }
    }

    /// Returns the name in the configuration.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pid => "pid",
            Self::User => "user",
            Self::Chips => "chips",
            Self::Dram => "dram",
            Self::L1 => "l1",
            Self::L1Small => "l1_small",
            Self::Trace => "trace",
            Self::Reported => "circular_buffers",
            Self::Cpu => "cpu",
            Self::Host => "host_memory",
            Self::Runtime => "runtime",
            Self::Name => "name",
        }
    }

    /// Returns the column with a name.
    #[must_use]
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.name() == name)
    }

    /// Returns the next column to the right; wraps around.
    #[must_use]
    pub(crate) fn next(self) -> Self {
        let index = Self::ALL.iter().position(|column| *column == self).unwrap_or(0);
        Self::ALL[(index + 1) % Self::ALL.len()]
    }

    /// True if the largest value sorts first.
    #[must_use]
    pub(crate) fn is_amount(self) -> bool {
        !matches!(self, Self::Pid | Self::User | Self::Chips | Self::Name)
    }

    /// Returns the bytes of a process on a chip for a column.
    #[must_use]
    pub(crate) fn memory(self, memory: &ProcessMemory) -> Option<&Reading<u64>> {
        match self {
            Self::Dram => Some(&memory.dram),
            Self::L1 => Some(&memory.l1),
            Self::L1Small => Some(&memory.l1_small),
            Self::Trace => Some(&memory.trace),
            Self::Reported => Some(&memory.circular_buffers_reported),
            _ => None,
        }
    }
}

/// The identity of a row: a process, or one of its chips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowId {
    /// The process.
    pub(crate) process: ProcessId,
    /// The chip, in a row below its process.
    pub(crate) chip: Option<ChipId>,
}

/// A row of the process table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    /// The process.
    pub(crate) process: &'a Process,
    /// Memory on one chip, in a row below its process.
    pub(crate) chip: Option<&'a ProcessOnChip>,
    /// CPU use in hundredths of one processor; `None` if it is not known yet.
    pub(crate) cpu: Option<f64>,
}

impl Row<'_> {
    /// Returns the identity of the row.
    #[must_use]
    pub(crate) fn id(&self) -> RowId {
        let chip = self.chip.map(|chip| chip.chip);
        RowId { process: ProcessId::of(self.process), chip }
    }

    /// Returns the bytes in a column, on one chip or on all together.
    #[must_use]
    pub(crate) fn figure(&self, column: Column) -> Option<Reading<u64>> {
        if column == Column::Host {
            return self.chip.is_none().then(|| self.process.host_memory_bytes.clone());
        }
        let of = |chip: &ProcessOnChip| column.memory(&chip.memory).cloned();
        match self.chip {
            Some(chip) => of(chip),
            None => self.process.chips.iter().filter_map(of).reduce(Reading::checked_add),
        }
    }
}

/// The order and form of the process table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Order {
    /// The sort column.
    pub(crate) column: Column,
    /// True for smallest first.
    pub(crate) ascending: bool,
    /// True to show chips below processes.
    pub(crate) tree: bool,
}

/// Returns the rows of the process table.
#[must_use]
pub(crate) fn rows<'a>(
    snapshot: &'a Snapshot,
    cpu: &BTreeMap<ProcessId, f64>,
    order: &Order,
    shown: impl Fn(&Process) -> bool,
) -> Vec<Row<'a>> {
    let processes = snapshot.processes.iter().filter(|process| shown(process));
    let mut rows: Vec<Row<'a>> = processes
        .map(|process| Row { process, chip: None, cpu: cpu.get(&ProcessId::of(process)).copied() })
        .collect();
    order::sort_by(&mut rows, |one, other| compare(snapshot, order, one, other));
    if !order.tree {
        return rows;
    }
    let with_chips = |row: Row<'a>| {
        let chips = row.process.chips.iter();
        let below = chips.map(move |chip| Row { chip: Some(chip), ..row });
        std::iter::once(row).chain(below.filter(move |_| row.process.chips.len() > 1))
    };
    rows.into_iter().flat_map(with_chips).collect()
}

/// Missing values sort last in either direction.
fn compare(snapshot: &Snapshot, order: &Order, one: &Row<'_>, other: &Row<'_>) -> Ordering {
    let turn = |ordering: Ordering| if order.ascending { ordering } else { ordering.reverse() };
    let known = |one: Option<u64>, other: Option<u64>| match (one, other) {
        (Some(one), Some(other)) => turn(one.cmp(&other)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    };
    let (first, second) = (one.process, other.process);
    let ordering = match order.column {
        Column::Pid => turn(first.pid.cmp(&second.pid)),
        Column::User => turn(first.user.cmp(&second.user)),
        Column::Name => turn(first.name.cmp(&second.name)),
        Column::Chips => known(lowest_chip(snapshot, first), lowest_chip(snapshot, second)),
        Column::Cpu => {
            let tenths = |row: &Row<'_>| row.cpu.map(|cpu| super::number::bytes(cpu * 10.0));
            known(tenths(one), tenths(other))
        }
        Column::Runtime => {
            // The process that started last has run the shortest.
            let run = |process: &Process| {
                Some(u64::MAX - process.start_time).filter(|_| process.start_time > 0)
            };
            known(run(first), run(second))
        }
        column => {
            let bytes =
                |row: &Row<'_>| row.figure(column).and_then(|figure| figure.value().copied());
            known(bytes(one), bytes(other))
        }
    };
    ordering.then(first.pid.cmp(&second.pid))
}

fn lowest_chip(snapshot: &Snapshot, process: &Process) -> Option<u64> {
    let on = |id: ChipId| process.chips.iter().any(|chip| chip.chip == id);
    let indices = snapshot.chips.iter().filter(|chip| on(chip.id));
    indices.map(|chip| u64::from(chip.index)).min()
}

#[cfg(test)]
mod tests;
