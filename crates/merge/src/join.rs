//! Assigns regions to chips, and processes to slots.
//!
//! TT-Metal names a region after UMD's unique id of the chip (UMD `topology_discovery`, TT-Metal 0.81.1):
//! - a Wormhole chip without an Ethernet link: the board id, which the driver shows as `tt_serial`;
//! - a Blackhole chip without a link: the ASIC id; with one: (board id << 5) | position on the board;
//! - a Wormhole chip with a link (n300, T3000, Galaxy): a number out of its Ethernet cores, which no file shows. Its
//!   regions are joined through a process that holds both: UMD counts its devices in the order of their PCIe
//!   addresses, and the chips behind them after those, in the same order.

mod chip;
mod l1;
mod left;
mod owner;
mod regions;
mod shared;

use std::collections::BTreeSet;

use ttmem_model::facts::{
    Device, DeviceOwners, Facts, L1Facts, RegionContent, RegionFile, RegionSlot,
};
use ttmem_model::order::Gather as _;
use ttmem_model::{Board, ChipId, Pid};

pub(super) use chip::{JoinedChip, Link, Origin};
pub(super) use l1::simulator;
pub use left::regions_left;
pub(super) use owner::Owner;
pub(super) use regions::{by_id, by_number};

use super::agent;

/// Facts with their connections.
#[derive(Debug)]
pub(super) struct Joined<'a> {
    pub(super) facts: &'a Facts,
    /// Every chip, by index.
    pub(super) chips: Vec<JoinedChip>,
    /// Chips that only files of ended runs name: no chips of the host.
    pub(super) left: Vec<JoinedChip>,
    /// Owners of the slots of each region.
    owners: Vec<Vec<Owner>>,
    /// Live processes that may write one slot, by region and slot, where there are several.
    sharers: owner::Sharers,
    /// Writer of each segment.
    segment_owners: Vec<Owner>,
}

impl<'a> Joined<'a> {
    /// Position of the chip with a unique id, as TT-Metal reports it.
    pub(super) fn position_of(&self, id: u64) -> Option<usize> {
        let has_region = |chip: &JoinedChip| {
            chip.regions.iter().any(|link| self.facts.regions[link.region].id == id)
        };
        let has_agent = |chip: &JoinedChip| {
            chip.agents.iter().any(|link| agent::unique_id(self.facts, *link) == Some(id))
        };
        let is_it = |chip: &JoinedChip| has_region(chip) || has_agent(chip);
        let position = self.chips.iter().position(is_it);
        position.or_else(|| by_id(self.facts, &self.chips, id))
    }

    pub(super) fn new(facts: &'a Facts) -> Self {
        let mut chips = chip::of_devices(facts);
        regions::join_by_id(facts, &mut chips);
        let segment_owners = agent::owners(facts);
        let (owners, sharers) = owner::of_slots(facts, &chips, &segment_owners);
        regions::join_by_owner(facts, &owners, &mut chips);
        regions::join_by_gateway(facts, &mut chips);
        regions::add_rows_of_remote_chips(facts, &mut chips);
        regions::add_unmatched(facts, &mut chips);
        agent::join(facts, &segment_owners, &owners, &mut chips);
        l1::join(facts, &owners, &segment_owners, &mut chips);
        let is_left = |chip: &JoinedChip| left::is_left(facts, &owners, &segment_owners, chip);
        let (left, present): (Vec<_>, Vec<_>) = chips.into_iter().partition(is_left);
        let first_left = present.len();
        let mut chips = present;
        chips.extend(left);
        chip::name(facts, &mut chips);
        let left = chips.split_off(first_left);
        Self { facts, chips, left, owners, sharers, segment_owners }
    }

    /// The writers of a region's slots.
    pub(super) fn writers(&self, region: usize) -> &[Owner] {
        self.owners.get(region).map_or(&[], Vec::as_slice)
    }

    /// Returns the writer of a segment.
    pub(super) fn segment_owner(&self, segment: usize) -> Owner {
        let unknown = Owner::Gone { through: None, pid: 0, reused: false, segment: None };
        self.segment_owners.get(segment).copied().unwrap_or(unknown)
    }

    /// The living processes with an agent that have a chip open.
    pub(super) fn pids_with_agents(&self, chip: &JoinedChip) -> BTreeSet<Pid> {
        let pid = |link: &agent::AgentLink| {
            let Owner::Live(pid) = self.segment_owner(link.segment) else { return None };
            let segment = self.facts.segments.get(link.segment)?.content.as_ref().ok()?;
            agent::open_allocators(segment, link.chip).next().map(|_| pid)
        };
        chip.agents.iter().filter_map(pid).gather()
    }

    /// The driver's device of a chip, if it has one of its own.
    pub(super) fn device(&self, chip: &JoinedChip) -> Option<&'a Device> {
        match chip.origin {
            Origin::Local { device } => self.facts.devices.get(device),
            Origin::Remote { .. } | Origin::Unmatched => None,
        }
    }

    /// The board that a chip sits on, if anything names it.
    pub(super) fn board(&self, chip: &JoinedChip) -> Option<&'static Board> {
        let device = match chip.origin {
            Origin::Local { device } | Origin::Remote { gateway: device } => device,
            Origin::Unmatched => return None,
        };
        chip::board_of(self.facts.devices.get(device)?)
    }

    /// The chip that a remote chip is reached through.
    pub(super) fn gateway(&self, chip: &JoinedChip) -> Option<ChipId> {
        let Origin::Remote { gateway } = chip.origin else { return None };
        let is_gateway = |other: &&JoinedChip| other.origin == Origin::Local { device: gateway };
        self.chips.iter().find(is_gateway).map(|gateway| gateway.id)
    }

    /// Returns the processes that have the device open through which a chip is reached.
    pub(super) fn holders(&self, chip: &JoinedChip) -> Option<&'a DeviceOwners> {
        self.device(chip)?.holders.as_ref().ok()
    }

    /// The regions of a chip.
    pub(super) fn regions(
        &self,
        chip: &JoinedChip,
    ) -> impl Iterator<Item = (&'a RegionFile, Link)> + use<'a, '_> {
        let facts = self.facts;
        let links = chip.regions.clone();
        links.into_iter().filter_map(move |link| Some((facts.regions.get(link.region)?, link)))
    }

    /// The content of each readable region of a chip.
    pub(super) fn contents(
        &self,
        chip: &JoinedChip,
    ) -> impl Iterator<Item = &'a RegionContent> + use<'a, '_> {
        self.regions(chip).filter_map(|(region, _)| region.content.as_ref().ok())
    }

    /// Returns the owner of each slot of a region.
    pub(super) fn owners_of(&self, region: usize) -> &[Owner] {
        self.owners.get(region).map(Vec::as_slice).unwrap_or_default()
    }

    /// The live processes that may write a slot of a region, if there are several.
    pub(super) fn sharers(&self, region: usize, slot: usize) -> &[Pid] {
        self.sharers.get(&(region, slot)).map(Vec::as_slice).unwrap_or_default()
    }

    /// Every slot in a chip's regions with who is behind it.
    pub(super) fn slots(&self, chip: &JoinedChip) -> Vec<(&'a RegionSlot, &Owner)> {
        let slots_of = |link: &Link| {
            let content = self.facts.regions.get(link.region)?.content.as_ref().ok()?;
            Some(content.slots.iter().zip(self.owners.get(link.region)?))
        };
        chip.regions.iter().filter_map(slots_of).flatten().collect()
    }

    /// The living processes that have a chip open, by the driver or by their agent, or a slot in one of its regions.
    pub(super) fn pids(&self, chip: &JoinedChip) -> BTreeSet<Pid> {
        let holders =
            self.holders(chip).into_iter().flat_map(|holders| holders.pids.iter().copied());
        let holders = holders.filter(|pid| self.is_alive(*pid));
        let slots = self.slots(chip);
        let behind_slots = slots.iter().filter_map(|(_, owner)| owner.live());
        let simulates = self.l1(chip).and_then(l1::simulator);
        let simulates = simulates.filter(|pid| self.is_alive(*pid));
        holders.chain(behind_slots).chain(simulates).chain(self.pids_with_agents(chip)).gather()
    }

    /// The L1 of a chip, if it was asked for.
    pub(super) fn l1(&self, chip: &JoinedChip) -> Option<&'a L1Facts> {
        self.facts.l1.get(chip.l1?)
    }

    /// True if a process runs, or may run where procfs hides it.
    fn is_alive(&self, pid: Pid) -> bool {
        self.facts.processes.contains_key(&pid) || self.facts.processes_hidden
    }
}
