//! The trace of a reading: the rule that made it, and the parts that were added up.
//!
//! The parts come from the functions that make the number in a snapshot, so the two cannot differ.

mod l1;
mod memory;
mod numbers;
mod rule;

use ttmem_model::facts::{Facts, Field};
use ttmem_model::metric::Metric;
use ttmem_model::snapshot::Process;
use ttmem_model::{AllocatorKind, SourceName};

use crate::join::{Joined, JoinedChip, Origin, Owner};
use crate::memory::Amounts;
use crate::{amounts, processes};

pub use rule::Rule;

/// The trace of a reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// The rule that made it.
    pub rule: &'static Rule,
    /// The parts of the number; empty if it is one file, one statistic or one constant.
    pub parts: Vec<Part>,
    /// True if a known number with parts is their sum, less those that are subtracted. A share and a rate are
    /// calculated from it.
    pub is_sum: bool,
}

/// A part of a sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Name of the part, such as `slot 3, pid 4242`.
    pub label: String,
    /// The file that it was read from, as a path of the host; `None` where a table of ttmem has it.
    pub file: Option<String>,
    /// The source of the file.
    pub source: SourceName,
    /// Bytes in all banks, or a number in the unit that the label names; or the reason that it is missing.
    pub value: Field<u64>,
    /// True if it is subtracted: bytes that other parts count twice, or a counter as it was before.
    pub is_subtracted: bool,
}

impl Why {
    const fn of(rule: &'static Rule) -> Self {
        Self::sum(rule, Vec::new())
    }

    const fn sum(rule: &'static Rule, parts: Vec<Part>) -> Self {
        Self { rule, parts, is_sum: true }
    }
}

/// Traces the numbers of one snapshot. The facts are joined once for all of them.
#[derive(Debug)]
pub struct Tracer<'a> {
    joined: Joined<'a>,
    amounts: Vec<Amounts>,
    processes: Vec<(Owner, Process)>,
    previous: Option<&'a Facts>,
}

impl<'a> Tracer<'a> {
    /// Joins the facts that the snapshot was merged from, as [`merge`](crate::merge) does.
    #[must_use]
    pub fn new(facts: &'a Facts, previous: Option<&'a Facts>) -> Self {
        let joined = Joined::new(facts);
        let amounts = amounts(&joined);
        let processes = processes::by_owner(&joined, &amounts).into_iter().collect();
        Self { joined, amounts, processes, previous }
    }

    /// Returns the trace of the number at a path of the snapshot's JSON, such as `chips.0.memory.dram.used`.
    ///
    /// `None` if no number can have the path.
    #[must_use]
    pub fn why(&self, path: &str) -> Option<Why> {
        let names: Vec<&str> = path.split('.').collect();
        match names.as_slice() {
            [of @ .., "value"] => self.of_path(of),
            [of @ .., "age_us"] => self.of_path(of).map(|_| Why::of(&rule::AGE)),
            names => self.of_path(names),
        }
    }

    fn of_path(&self, names: &[&str]) -> Option<Why> {
        match names {
            ["chips", index, field @ ..] => {
                of_chip(&self.view(index.parse().ok()?)?, self.previous, field)
            }
            ["processes", index, field @ ..] => self.of_process(index.parse().ok()?, field),
            names => numbers::of_snapshot(names),
        }
    }

    /// The chip at a position, with the memory used on it.
    fn view(&self, position: usize) -> Option<View<'_>> {
        let (chip, amounts) = (self.joined.chips.get(position)?, self.amounts.get(position)?);
        Some(View { joined: &self.joined, chip, amounts })
    }

    fn of_process(&self, index: usize, field: &[&str]) -> Option<Why> {
        let (owner, process) = self.processes.get(index)?;
        match field {
            ["cpu_time_us" | "host_memory_bytes" | "start_time"] => Some(Why::of(&rule::PROCFS)),
            ["pid"] => Some(Why::of(&rule::PROCESS_NUMBER)),
            ["chips", _, "index"] => Some(Why::of(&rule::DEVICE_NUMBER)),
            ["chips", index, "memory", field @ ..] => {
                let id = process.chips.get(index.parse::<usize>().ok()?)?.chip;
                let position = self.joined.chips.iter().position(|chip| chip.id == id)?;
                let view = self.view(position)?;
                let usage = view.amounts.held.iter().find(|usage| usage.holder == *owner);
                memory::of_process(&view, usage, field)
            }
            _ => None,
        }
    }
}

/// A chip and the memory used on it.
struct View<'a> {
    joined: &'a Joined<'a>,
    chip: &'a JoinedChip,
    amounts: &'a Amounts,
}

fn of_chip(view: &View<'_>, previous: Option<&Facts>, field: &[&str]) -> Option<Why> {
    match field {
        ["worker_cores"] => Some(numbers::worker_cores(view)),
        ["memory", "l1_total", "capacity"] => Some(memory::l1_capacity(view)),
        ["memory", name, leaf] => match allocator_kind(name) {
            Some(kind) => memory::of_allocator(view, kind, leaf),
            None => l1::of_chip(view, name, leaf),
        },
        ["telemetry", name] => {
            let metric = Metric::ALL.iter().find(|metric| metric.as_str() == *name)?;
            Some(match metric {
                Metric::PcieHostToDevice => {
                    numbers::rate(view, previous, |device| &device.pcie_words.host_to_device)
                }
                Metric::PcieDeviceToHost => {
                    numbers::rate(view, previous, |device| &device.pcie_words.device_to_host)
                }
                _ => Why::of(&rule::DRIVER_FILE),
            })
        }
        ["pcie", _] if matches!(view.chip.origin, Origin::Local { .. }) => {
            Some(Why::of(&rule::DRIVER_FILE))
        }
        ["owners", "outside_namespace"] => Some(Why::of(&rule::OPEN_FILES)),
        field => numbers::of_chip(view, field),
    }
}

/// The allocator kind of a name in JSON.
fn allocator_kind(name: &str) -> Option<AllocatorKind> {
    AllocatorKind::ALL.into_iter().find(|kind| kind.as_str() == name)
}

#[cfg(test)]
mod tests;
