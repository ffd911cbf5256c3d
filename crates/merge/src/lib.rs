//! Facts become a snapshot: the one place where anything is concluded. Pure: the same facts give the same snapshot.
//!
//! 1. `join` finds out which memory region and which L1 belong to which chip and which process is behind each slot.
//! 2. `memory` adds up what each process holds on each chip, and refuses numbers that cannot be.
//!    `agent` does both for what agents say, which is believed before the regions; `buffers` lists what they recorded.
//! 3. `l1` adds up what the worker cores hold.
//! 4. `chips` and `processes` lay the result out; `findings` says what is wrong.

mod agent;
pub mod bank;
mod buffers;
mod chips;
mod figures;
mod findings;
mod join;
mod l1;
pub mod listing;
mod memory;
mod ownership;
mod processes;
mod resident;
mod why;
pub mod words;

use ttmem_model::Snapshot;
use ttmem_model::facts::{Facts, Field, L1Facts};
use ttmem_model::l1::report::ChipReport;
use ttmem_model::snapshot::{SCHEMA, VERSION};

pub use agent::segments_left;
pub use buffers::{buffers, segment_processes};
pub use join::regions_left;
pub use ownership::reject_forged;
pub use why::{Part, Rule, Tracer, Why};

use join::Joined;
use memory::Amounts;

/// Merges the facts of one pass into a snapshot. The facts of the pass before give rates and tell what vanished.
#[must_use]
pub fn merge(facts: &Facts, previous: Option<&Facts>) -> Snapshot {
    let joined = Joined::new(facts);
    merge_joined(&joined, &amounts(&joined), previous)
}

/// The L1 of chips as it was read, with the indexes of the chips, in the order of the facts about L1.
#[must_use]
pub fn l1_reports(facts: &Facts) -> Vec<(u32, Field<ChipReport>)> {
    let joined = Joined::new(facts);
    let amounts = amounts(&joined);
    let report = |(position, l1): (usize, &L1Facts)| {
        let mut chips = joined.chips.iter().zip(&amounts);
        let (chip, amounts) = chips.find(|(chip, _)| chip.l1 == Some(position))?;
        let content = l1.content.as_ref().map_err(Clone::clone);
        let buffers = l1::buffers(&joined, chip, amounts).ok();
        let report =
            content.map(|content| l1::report(&joined, chip, content, &l1.names, buffers.as_ref()));
        Some((chip.index, report))
    };
    facts.l1.iter().enumerate().filter_map(report).collect()
}

/// The L1 of chips by the record of the agents in their processes, with the indexes of the chips. Chips without an agent are
/// left out.
#[must_use]
pub fn l1_reports_by_agents(facts: &Facts) -> Vec<(u32, Field<ChipReport>)> {
    let joined = Joined::new(facts);
    let amounts = amounts(&joined);
    let chips = joined.chips.iter().zip(&amounts);
    let of_chip = |(chip, amounts): (&join::JoinedChip, &Amounts)| {
        Some((chip.index, l1::recorded(&joined, chip, amounts)?))
    };
    chips.filter_map(of_chip).collect()
}

/// The index on the host of the chip with a unique id, as TT-Metal reports it. `None` if it is none of the host's chips.
#[must_use]
pub fn host_index(facts: &Facts, unique_id: u64) -> Option<u32> {
    let joined = Joined::new(facts);
    let position = joined.position_of(unique_id)?;
    joined.chips.get(position).map(|chip| chip.index)
}

/// The memory used on each chip.
fn amounts(joined: &Joined<'_>) -> Vec<Amounts> {
    joined.chips.iter().map(|chip| memory::amounts(joined, chip)).collect()
}

fn merge_joined(joined: &Joined<'_>, amounts: &[Amounts], previous: Option<&Facts>) -> Snapshot {
    let facts = joined.facts;
    Snapshot {
        schema: SCHEMA.to_owned(),
        version: VERSION.to_owned(),
        time_us: facts.time,
        host: facts.host.clone(),
        demo: facts.demo,
        sources: facts.sources.clone(),
        chips: chips::lay_out(joined, amounts, previous),
        processes: processes::lay_out(joined, amounts),
        findings: findings::find(joined, amounts, previous),
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod hostile_tests;
