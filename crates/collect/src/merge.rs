//! Facts become a snapshot: the one place where anything is concluded. Pure: the same facts give the same snapshot.
//!
//! 1. `join` finds out which memory region belongs to which chip and which process is behind each slot.
//! 2. `memory` adds up what each process holds on each chip, and refuses numbers that cannot be.
//! 3. `chips` and `processes` lay the result out; `findings` says what is wrong.

mod chips;
mod findings;
mod join;
mod memory;
mod processes;

use ttmem_model::Snapshot;
use ttmem_model::facts::Facts;
use ttmem_model::snapshot::{SCHEMA, VERSION};

use join::Joined;

/// Merges the facts of one pass into a snapshot. The facts of the pass before give rates and tell what vanished.
#[must_use]
pub fn merge(facts: &Facts, previous: Option<&Facts>) -> Snapshot {
    let joined = Joined::new(facts);
    let amounts: Vec<_> = joined.chips.iter().map(|chip| memory::amounts(&joined, chip)).collect();
    Snapshot {
        schema: SCHEMA.to_owned(),
        version: VERSION.to_owned(),
        time_us: facts.time,
        host: facts.host.clone(),
        demo: facts.demo,
        sources: facts.sources.clone(),
        chips: chips::lay_out(&joined, &amounts, previous),
        processes: processes::lay_out(&joined, &amounts),
        findings: findings::find(&joined, &amounts, previous),
    }
}

#[cfg(test)]
mod tests;
