//! Holders of slots that several processes share.

use ttmem_model::Pid;

use super::super::agent::trusted;
use super::{Joined, JoinedChip, Owner};

impl Joined<'_> {
    /// The holder of the bytes in a slot of a region that no agent counts, and the owner of the slot if no other process
    /// shares it.
    pub(crate) fn slot_holder(
        &self,
        chip: &JoinedChip,
        region: usize,
        slot: usize,
    ) -> Option<Owner> {
        let owner = *self.owners_of(region).get(slot)?;
        let sharers = self.sharers(region, slot).iter();
        let without: Vec<Pid> =
            sharers.filter(|pid| !self.has_agent(chip, **pid)).copied().collect();
        Some(match without.as_slice() {
            [] => owner,
            [only] => Owner::Live(*only),
            several if owner.live().is_none_or(|pid| several.contains(&pid)) => owner,
            _ => Owner::Outside { pid: self.number_of(region, slot)?, segment: None },
        })
    }

    /// True if a process has some device of the driver open.
    pub(crate) fn has_device(&self, pid: Pid) -> bool {
        self.facts.devices.iter().any(|device| {
            let holders = device.holders.as_ref();
            holders.is_ok_and(|holders| holders.pids.binary_search(&pid).is_ok())
        })
    }

    /// The pid in a slot.
    fn number_of(&self, region: usize, slot: usize) -> Option<i32> {
        let content = self.facts.regions.get(region)?.content.as_ref().ok()?;
        content.slots.get(slot).map(|slot| slot.pid)
    }

    /// True if an agent counts the memory of a process on a chip.
    fn has_agent(&self, chip: &JoinedChip, pid: Pid) -> bool {
        chip.agents.iter().any(|link| {
            let file = self.facts.segments.get(link.segment);
            let is_trusted = file.is_some_and(|file| trusted(file).is_ok());
            self.segment_owner(link.segment).live() == Some(pid) && is_trusted
        })
    }
}
