//! The trace of a reading: the rule that made it, and the parts that were added up.
//!
//! The parts come from the functions that make the number in a snapshot, so the two cannot differ.

mod l1;
mod memory;
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
    /// What was added up; empty if the reading is no sum. A known reading is the sum of its parts, less those that are
    /// subtracted.
    pub parts: Vec<Part>,
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
    /// Bytes in all banks, or the reason that they are missing.
    pub bytes: Field<u64>,
    /// True if the bytes are subtracted: other parts count them twice.
    pub is_subtracted: bool,
}

impl Why {
    const fn of(rule: &'static Rule) -> Self {
        Self { rule, parts: Vec::new() }
    }
}

/// Returns the trace of the reading at a path of the snapshot's JSON, such as `chips.0.memory.dram.used`.
///
/// `facts` are those that the snapshot was merged from. `None` if no reading has the path.
#[must_use]
pub fn why(facts: &Facts, path: &str) -> Option<Why> {
    let joined = Joined::new(facts);
    let amounts = amounts(&joined);
    let names: Vec<&str> = path.split('.').collect();
    match names.as_slice() {
        ["chips", index, field @ ..] => {
            let index: usize = index.parse().ok()?;
            let chip = joined.chips.get(index)?;
            of_chip(&View { joined: &joined, chip, amounts: amounts.get(index)? }, field)
        }
        ["processes", index, field @ ..] => {
            of_process(&joined, &amounts, index.parse().ok()?, field)
        }
        _ => None,
    }
}

/// A chip and the memory used on it.
struct View<'a> {
    joined: &'a Joined<'a>,
    chip: &'a JoinedChip,
    amounts: &'a Amounts,
}

fn of_chip(view: &View<'_>, field: &[&str]) -> Option<Why> {
    match field {
        ["worker_cores"] => Some(match crate::l1::size(view.joined, view.chip) {
            Some(_) => Why::of(&rule::CORE_GRID),
            None => Why::of(&rule::BOARD),
        }),
        ["memory", "l1_total", "capacity"] => Some(memory::l1_capacity(view)),
        ["memory", name, leaf] => match allocator_kind(name) {
            Some(kind) => memory::of_allocator(view, kind, leaf),
            None => l1::of_chip(view, name, leaf),
        },
        ["telemetry", name] => {
            let metric = Metric::ALL.iter().find(|metric| metric.as_str() == *name)?;
            Some(match metric {
                Metric::PcieHostToDevice | Metric::PcieDeviceToHost => Why::of(&rule::RATE),
                _ => Why::of(&rule::DRIVER_FILE),
            })
        }
        ["pcie", _] if matches!(view.chip.origin, Origin::Local { .. }) => {
            Some(Why::of(&rule::DRIVER_FILE))
        }
        ["owners", "outside_namespace"] => Some(Why::of(&rule::OPEN_FILES)),
        _ => None,
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
        ["cpu_time_us" | "host_memory_bytes"] => Some(Why::of(&rule::PROCFS)),
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
