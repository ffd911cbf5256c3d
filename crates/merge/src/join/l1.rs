//! Assigns each L1 that was read to a chip.
//!
//! A device is its driver's. A simulated chip is the one whose region, or agent, the simulating process writes under the
//! same number; the simulator runs inside the workload. Any other is a chip of its own.

use ttmem_model::Pid;
use ttmem_model::facts::{Facts, L1Facts, L1Location};

use super::chip::{JoinedChip, Origin};
use super::owner::Owner;
use crate::agent::{AgentLink, device_number};

/// Gives every chip its L1, and every L1 a chip. Regions must be joined already.
pub(super) fn join(
    facts: &Facts,
    owners: &[Vec<Owner>],
    segment_owners: &[Owner],
    chips: &mut Vec<JoinedChip>,
) {
    for (index, l1) in facts.l1.iter().enumerate() {
        let own = match l1.location {
            L1Location::Device(number) => of_device(facts, chips, number),
            L1Location::Simulated { chip, owner: Some(pid) } => {
                of_process(facts, owners, chips, chip, pid)
                    .or_else(|| of_agent(facts, segment_owners, chips, chip, pid))
            }
            L1Location::Simulated { owner: None, .. } | L1Location::Captured(_) => None,
        };
        match own.and_then(|own| chips.get_mut(own)) {
            Some(chip) => chip.l1 = Some(index),
            None => {
                let chip = JoinedChip::new(Origin::Unmatched);
                chips.push(JoinedChip { l1: Some(index), ..chip });
            }
        }
    }
}

/// The process that simulates a chip.
pub(crate) fn simulator(l1: &L1Facts) -> Option<Pid> {
    match l1.location {
        L1Location::Simulated { owner, .. } => owner,
        L1Location::Device(_) | L1Location::Captured(_) => None,
    }
}

fn of_device(facts: &Facts, chips: &[JoinedChip], number: u32) -> Option<usize> {
    chips.iter().position(|chip| match chip.origin {
        Origin::Local { device } => {
            facts.devices.get(device).is_some_and(|device| device.number == number)
        }
        Origin::Remote { .. } | Origin::Unmatched => false,
    })
}

/// The chip without a device whose region has this number and a slot of the process; none if several have.
fn of_process(
    facts: &Facts,
    owners: &[Vec<Owner>],
    chips: &[JoinedChip],
    number: u32,
    pid: Pid,
) -> Option<usize> {
    let holds = |region: usize| {
        let content = facts.regions.get(region).and_then(|region| region.content.as_ref().ok());
        let is_number = content.is_some_and(|content| {
            u32::try_from(content.device_id).is_ok_and(|device| device == number)
        });
        let slots = owners.get(region).map(Vec::as_slice).unwrap_or_default();
        is_number && slots.iter().any(|owner| owner.live() == Some(pid))
    };
    let is_it = |chip: &JoinedChip| {
        chip.origin == Origin::Unmatched
            && chip.l1.is_none()
            && chip.regions.iter().any(|link| holds(link.region))
    };
    let mut found = (0..chips.len()).filter(|index| chips.get(*index).is_some_and(is_it));
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// The chip without a device that the agent of the process has under this number; none if several are.
fn of_agent(
    facts: &Facts,
    segment_owners: &[Owner],
    chips: &[JoinedChip],
    number: u32,
    pid: Pid,
) -> Option<usize> {
    let is_its = |link: &AgentLink| {
        let owner = segment_owners.get(link.segment).and_then(Owner::live);
        owner == Some(pid) && device_number(facts, *link) == Some(number)
    };
    let is_it = |chip: &JoinedChip| {
        chip.origin == Origin::Unmatched && chip.l1.is_none() && chip.agents.iter().any(is_its)
    };
    let mut found = (0..chips.len()).filter(|index| chips.get(*index).is_some_and(is_it));
    let first = found.next()?;
    found.next().is_none().then_some(first)
}
