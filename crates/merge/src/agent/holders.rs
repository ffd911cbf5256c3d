//! Adds the figures of agents to those of regions, process by process.

use super::super::join::{Joined, JoinedChip};
use super::super::memory::{Limits, Usage};
use super::amounts;
use ttmem_model::reading::{Missing, Reading};
use ttmem_model::{AllocatorKind, PerKind};

/// Adds what agents say to what the regions say of the same processes.
pub(crate) fn add_agents(
    joined: &Joined<'_>,
    chip: &JoinedChip,
    limits: &Limits,
    all: &mut Vec<Usage>,
) {
    for link in &chip.agents {
        let file = &joined.facts.segments[link.segment];
        let holder = joined.segment_owner(link.segment);
        // What a process that came to its end by itself held then is no news; its segment still tells.
        let Ok(segment) = &file.content else { continue };
        if holder.is_gone() && segment.header.state.has_ended() {
            continue;
        }
        let agent = amounts(joined, *link, limits);
        if let Some(held) = all.iter_mut().find(|held| held.holder.may_be(&holder)) {
            held.holder = holder;
            held.agent = Some(agent);
            held.segment = Some(*link);
            held.start_ticks = Some(file.start_ticks);
            continue;
        }
        let no_slot = || Missing::no_source("it has no slot in the chip's region");
        all.push(Usage {
            holder,
            name: String::new(),
            user: file.user.clone(),
            slots: Vec::new(),
            bytes: PerKind::new(|_| Err(no_slot())),
            reported: Err(no_slot()),
            updated_ns: 0,
            agent: Some(agent),
            segment: Some(*link),
            start_ticks: Some(file.start_ticks),
            rest: None,
            is_shared: false,
        });
    }
}

/// True if it is known of every process on the chip what it holds, by its agent.
pub(crate) fn all_have_agents(joined: &Joined<'_>, chip: &JoinedChip, held: &[Usage]) -> bool {
    let mut living = held.iter().filter(|held| !held.is_gone()).peekable();
    if living.peek().is_none() || !living.all(has_agent) {
        return false;
    }
    let with_agents = joined.pids_with_agents(chip);
    match joined.holders(chip) {
        Some(holders) => {
            holders.complete
                && holders.outside == 0
                && holders.pids.iter().all(|pid| with_agents.contains(pid))
        }
        None => joined.regions(chip).all(|(region, _)| region.content.is_ok()),
    }
}

fn has_agent(held: &Usage) -> bool {
    let known = |agent: &PerKind<Reading<u64>>| {
        AllocatorKind::ALL.map(|kind| agent[kind].value().is_some())
    };
    held.agent.as_ref().is_some_and(|agent| known(agent) == [true; 4])
}
