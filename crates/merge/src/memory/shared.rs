//! Slots that several processes share.
//!
//! TT-Metal finds a slot by the process number in the writer's own pid namespace, so that processes of several containers
//! with one number share a slot, and its bytes are the sum of theirs. An agent counts its process alone: the rest of the
//! slot is of the others.

use ttmem_model::facts::Field;
use ttmem_model::reading::{Missing, checked_sum};
use ttmem_model::{AllocatorKind, PerKind};

use super::super::join::{Joined, Owner};
use super::Usage;

/// Subtracts from shared slots what agents count of the processes in them.
pub(super) fn subtract_agents(joined: &Joined<'_>, all: &mut Vec<Usage>) {
    mark_sharers(joined, all);
    split_outside(all);
    for index in 0..all.len() {
        let usage = &all[index];
        if usage.is_shared && usage.agent.is_none() {
            let rest = PerKind::new(|kind| rest(joined, all, usage, kind));
            all[index].rest = Some(rest);
        }
    }
    return_slots(joined, all);
}

/// Returns a slot to the process with an agent if nothing shows that another shares it: the agents count all of it, and the
/// other has no device open.
fn return_slots(joined: &Joined<'_>, all: &mut Vec<Usage>) {
    for index in (0..all.len()).rev() {
        let usage = &all[index];
        let is_empty = usage
            .rest
            .as_ref()
            .is_some_and(|rest| AllocatorKind::ALL.into_iter().all(|kind| rest[kind] == Ok(0)));
        let may_share = match usage.holder {
            Owner::Live(pid) => joined.has_device(pid),
            Owner::Outside { .. } | Owner::Gone { .. } => true,
        };
        let agent = all.iter().position(|other| {
            other.slots.is_empty() && other.agent.is_some() && shares(joined, usage, other)
        });
        let Some(agent) = agent.filter(|_| is_empty && !may_share) else { continue };
        let usage = all[index].clone();
        let of_agent = &mut all[agent];
        (of_agent.name, of_agent.slots) = (usage.name, usage.slots);
        (of_agent.bytes, of_agent.reported) = (usage.bytes, usage.reported);
        (of_agent.updated_ns, of_agent.is_shared) = (usage.updated_ns, false);
        all.remove(index);
    }
}

/// Marks the usages of agents whose processes are counted in the slot of another usage.
fn mark_sharers(joined: &Joined<'_>, all: &mut [Usage]) {
    for index in 0..all.len() {
        let usage = &all[index];
        let is_counted = |other: &Usage| shares(joined, other, usage);
        if usage.agent.is_some() && usage.slots.is_empty() && all.iter().any(is_counted) {
            let missing = Missing::no_source("its slot counts other processes too");
            all[index].bytes = PerKind::new(|_| Err(missing.clone()));
            all[index].is_shared = true;
        }
    }
}

/// True if a slot of `of` counts the process of `usage`, which has no slot.
fn shares(joined: &Joined<'_>, of: &Usage, usage: &Usage) -> bool {
    match (&of.holder, &usage.holder) {
        (_, Owner::Live(pid)) => {
            of.slots.iter().any(|link| joined.sharers(link.region, link.slot).contains(pid))
        }
        (Owner::Outside { pid, .. }, Owner::Outside { pid: number, .. }) => {
            pid == number && !of.slots.is_empty()
        }
        _ => false,
    }
}

/// Gives a slot outside the namespace a usage of its own if it counts more than the agents with its number do: another
/// process of that number may share it.
fn split_outside(all: &mut Vec<Usage>) {
    for index in 0..all.len() {
        let Owner::Outside { pid, .. } = all[index].holder else { continue };
        if all[index].agent.is_none() || all[index].slots.is_empty() {
            continue;
        }
        let is_above = |kind: AllocatorKind| {
            let agents = all.iter().filter(|usage| is_outside(usage, pid));
            let counted = checked_sum(agents.filter_map(|usage| of_agent(usage, kind)));
            matches!((&all[index].bytes[kind], counted), (Ok(slot), Ok(sum)) if *slot > sum)
        };
        if !AllocatorKind::ALL.into_iter().any(is_above) {
            continue;
        }
        let of_slot = &mut all[index];
        let slot = Usage {
            holder: Owner::Outside { pid, segment: None },
            agent: None,
            segment: None,
            start_ticks: None,
            is_shared: true,
            ..of_slot.clone()
        };
        let missing = Missing::no_source("its slot counts other processes too");
        of_slot.bytes = PerKind::new(|_| Err(missing.clone()));
        of_slot.reported = Err(missing);
        (of_slot.slots, of_slot.is_shared) = (Vec::new(), true);
        all.push(slot);
    }
}

fn is_outside(usage: &Usage, number: i32) -> bool {
    matches!(usage.holder, Owner::Outside { pid, .. } if pid == number)
}

fn of_agent(usage: &Usage, kind: AllocatorKind) -> Option<Field<u64>> {
    let agent = usage.agent.as_ref()?;
    let missing = || Missing::no_source("its slot counts a process whose agent has no figure too");
    Some(agent[kind].value().copied().ok_or_else(missing))
}

/// The bytes of a kind in a shared slot that no agent counts: 0 if the agents count more, as a slot has requested bytes and
/// an agent those that are reserved.
fn rest(joined: &Joined<'_>, all: &[Usage], usage: &Usage, kind: AllocatorKind) -> Field<u64> {
    let in_slot = all.iter().filter(|other| other.slots.is_empty() && shares(joined, usage, other));
    let agents = checked_sum(in_slot.filter_map(|other| of_agent(other, kind)))?;
    Ok(usage.bytes[kind].clone()?.saturating_sub(agents))
}
