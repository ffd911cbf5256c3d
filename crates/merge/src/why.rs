//! The trace of a reading: the rule that made it, and the parts that were added up.
//!
//! The parts come from the functions that make the number in a snapshot, so the two cannot differ.

mod l1;
mod memory;
mod numbers;
mod rule;

use ttmem_model::facts::{Facts, Field};
use ttmem_model::metric::Metric;
use ttmem_model::{Kind, SourceName};

use crate::join::{Joined, JoinedChip, Origin};
use crate::memory::{Amounts, Owner};
use crate::{amounts, processes};

pub use rule::Rule;

/// The trace of a reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// The rule that made it.
    pub rule: &'static Rule,
    /// What the number was made from; empty if it is one file, one statistic or one constant.
    pub parts: Vec<Part>,
    /// True if a known number with parts is their sum, less those that are subtracted. A share and a rate are
    /// calculated from it.
    pub is_sum: bool,
}

/// A part of a sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is, such as `slot 3, pid 4242`.
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

/// Returns the trace of the number at a path of the snapshot's JSON, such as `chips.0.memory.dram.used`.
///
/// `facts` and `previous` are those that the snapshot was merged from. `None` if no number can have the path.
#[must_use]
pub fn why(facts: &Facts, previous: Option<&Facts>, path: &str) -> Option<Why> {
    let names: Vec<&str> = path.split('.').collect();
    match names.as_slice() {
        [of @ .., "value"] => of_path(facts, previous, of),
        [of @ .., "age_us"] => of_path(facts, previous, of).map(|_| Why::of(&rule::AGE)),
        names => of_path(facts, previous, names),
    }
}

fn of_path(facts: &Facts, previous: Option<&Facts>, names: &[&str]) -> Option<Why> {
    let joined = Joined::new(facts);
    let amounts = amounts(&joined);
    match names {
        ["chips", index, field @ ..] => {
            let index: usize = index.parse().ok()?;
            let chip = joined.chips.get(index)?;
            of_chip(&View { joined: &joined, chip, amounts: amounts.get(index)? }, previous, field)
        }
        ["processes", index, field @ ..] => {
            of_process(&joined, &amounts, index.parse().ok()?, field)
        }
        names => numbers::of_snapshot(names),
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

fn of_process(
    joined: &Joined<'_>,
    amounts: &[Amounts],
    index: usize,
    field: &[&str],
) -> Option<Why> {
    let (owner, process): (Owner, _) =
        processes::by_owner(joined, amounts).into_iter().nth(index)?;
    match field {
        ["cpu_time_us" | "host_memory_bytes" | "start_time"] => Some(Why::of(&rule::PROCFS)),
        ["pid"] => Some(Why::of(&rule::PROCESS_NUMBER)),
        ["chips", index, "memory", field @ ..] => {
            let id = process.chips.get(index.parse::<usize>().ok()?)?.chip;
            let place = joined.chips.iter().position(|chip| chip.id == id)?;
            let (chip, amounts) = (&joined.chips[place], amounts.get(place)?);
            let usage = amounts.held.iter().find(|usage| usage.holder == owner);
            memory::of_process(&View { joined, chip, amounts }, usage, field)
        }
        _ => None,
    }
}

/// The allocator kind of a name in JSON.
fn allocator_kind(name: &str) -> Option<Kind> {
    Kind::ALLOCATOR.iter().copied().find(|kind| kind.as_str() == name)
}
