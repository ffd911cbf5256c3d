//! Owners of the slots of a region.
//!
//! A slot holds a process number as its writer's namespace counts, and stays when its writer is killed. The number
//! may belong to another process by now, or mean nothing here.

use std::collections::{BTreeMap, BTreeSet};

use ttmem_model::Pid;
use ttmem_model::facts::{Facts, ProcessFacts, RegionFile, RegionSlot};
use ttmem_model::order;
use ttmem_model::order::Gather as _;

use super::chip::{JoinedChip, Origin};

/// A process cannot have written before it started. `/proc/stat` gives the time of boot in whole seconds, and the
/// clock may have been set since: only a clear difference is proof.
const START_TOLERANCE_US: u64 = 2_000_000;

/// The process that wrote a slot or a segment, and owns the memory that it lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    /// A process that runs.
    Live(Pid),
    /// A process that may run outside the pid namespace of ttmem.
    Outside {
        /// The pid in its file.
        pid: i32,
        /// Its segment, as several processes outside can have one pid; `None` if only slots name it.
        segment: Option<usize>,
    },
    /// A process that has ended.
    Gone {
        /// The process through whose root its file was found.
        through: Option<Pid>,
        /// The pid in its file.
        pid: i32,
        /// True if its pid belongs to another process by now.
        reused: bool,
        /// Its segment, as several processes that ended can have one pid; `None` if only slots name it.
        segment: Option<usize>,
    },
}

impl Owner {
    /// True if it may be the process of another file that names no segment: their pids are one, seen by the same way.
    pub(crate) fn may_be(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Outside { pid, segment: None }, Self::Outside { pid: of_other, .. }) => {
                pid == of_other
            }
            (
                Self::Gone { through, pid, segment: None, .. },
                Self::Gone { through: other_through, pid: of_other, .. },
            ) => (through, pid) == (other_through, of_other),
            _ => self == other,
        }
    }

    /// Returns the process if it is live.
    pub(crate) fn live(&self) -> Option<Pid> {
        match self {
            Self::Live(pid) => Some(*pid),
            Self::Gone { .. } | Self::Outside { .. } => None,
        }
    }

    /// True if the process has ended.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self, Self::Gone { .. })
    }
}

/// The process that a slot is of.
pub(super) struct SlotOwner {
    pub(super) owner: Owner,
    /// The live processes that may write the slot, if there are several: they have one number, each in a namespace of its
    /// own, and TT-Metal counts them in one slot.
    pub(super) sharers: Vec<Pid>,
}

/// Live processes that may write one slot, by region and slot, where there are several.
pub(super) type Sharers = BTreeMap<(usize, usize), Vec<Pid>>;

/// Returns the owner of each slot of each region, and the live processes that share a slot by region and slot. Chips must
/// be joined by id already.
pub(super) fn of_slots(
    facts: &Facts,
    chips: &[JoinedChip],
    segment_owners: &[Owner],
) -> (Vec<Vec<Owner>>, Sharers) {
    let finder = Finder::new(facts, chips, segment_owners);
    let mut sharers = BTreeMap::new();
    let mut owners_of = |(index, region): (usize, &RegionFile)| {
        let slots = region.content.as_ref().map_or(&[][..], |content| &content.slots);
        let owner = |(position, slot)| {
            let found = finder.owner(index, region, slot);
            if !found.sharers.is_empty() {
                sharers.insert((index, position), found.sharers);
            }
            found.owner
        };
        slots.iter().enumerate().map(owner).collect()
    };
    let owners = facts.regions.iter().enumerate().map(&mut owners_of).collect();
    (owners, sharers)
}

struct Finder<'a> {
    facts: &'a Facts,
    chips: &'a [JoinedChip],
    segment_owners: &'a [Owner],
    /// True if some device is open outside our namespace.
    outside: bool,
    /// Mount namespaces that have a `/dev/shm` of their own.
    with_own_shm: BTreeSet<&'a str>,
}

impl<'a> Finder<'a> {
    fn new(facts: &'a Facts, chips: &'a [JoinedChip], segment_owners: &'a [Owner]) -> Self {
        let outside = facts
            .devices
            .iter()
            .any(|device| device.holders.as_ref().is_ok_and(|holders| holders.outside > 0));
        let through = facts.regions.iter().flat_map(|region| &region.through);
        let through = through.chain(facts.segments.iter().flat_map(|file| &file.through));
        let namespace = |pid: &Pid| facts.processes.get(pid)?.mount_namespace.as_deref();
        let with_own_shm = through.filter_map(namespace).gather();
        Self { facts, chips, segment_owners, outside, with_own_shm }
    }

    fn owner(&self, index: usize, region: &RegionFile, slot: &RegionSlot) -> SlotOwner {
        let candidates = self.candidates(region, slot);
        let must_hold = self.is_of_a_device(index);
        let is_owner = |candidate: &&Candidate<'_>| {
            candidate.process.is_none_or(|process| !started_after(process, slot))
                && (!must_hold || self.holds_any_device(candidate.pid))
        };
        let able: Vec<&Candidate<'_>> = candidates.iter().filter(is_owner).collect();
        let equal = self.equal(&able);
        let owner = match self.likeliest(&equal, slot) {
            Some(pid) => Owner::Live(pid),
            None if !able.is_empty() => Owner::Outside { pid: slot.pid, segment: None },
            None if self.outside && candidates.is_empty() => {
                Owner::Outside { pid: slot.pid, segment: None }
            }
            // The driver counts the open files outside this namespace: without any, no writer runs there.
            None if self.facts.processes_outside && (self.outside || !must_hold) => {
                Owner::Outside { pid: slot.pid, segment: None }
            }
            None => Owner::Gone {
                through: region.through.first().copied(),
                pid: slot.pid,
                reused: !candidates.is_empty(),
                segment: None,
            },
        };
        let sharers =
            if equal.len() > 1 { equal.iter().map(|one| one.pid).collect() } else { Vec::new() };
        SlotOwner { owner, sharers }
    }

    /// The processes that may have written a slot with equal right: those with a device before those without.
    fn equal<'b>(&self, able: &[&'b Candidate<'a>]) -> Vec<&'b Candidate<'a>> {
        let Some(first) = able.first() else { return Vec::new() };
        let holds = self.holds_any_device(first.pid);
        able.iter().filter(|other| self.holds_any_device(other.pid) == holds).copied().collect()
    }

    /// The process of a slot among those that may have written it; `None` if several may. Processes of one number in their
    /// own namespaces share a slot, so that its sum is of all of them. The name in it may be one's alone.
    fn likeliest(&self, equal: &[&Candidate<'_>], slot: &RegionSlot) -> Option<Pid> {
        if let [only] = equal {
            return Some(only.pid);
        }
        let name = slot.name.text();
        let has_name = |one: &&&Candidate<'_>| one.process.is_some_and(|all| all.name == name);
        let mut named = equal.iter().filter(has_name);
        if let (Some(only), None) = (named.next(), named.next()) {
            return Some(only.pid);
        }
        let has_agent = |one: &&&Candidate<'_>| {
            self.segment_owners.iter().any(|owner| owner.live() == Some(one.pid))
        };
        equal.iter().find(has_agent).map(|one| one.pid)
    }

    /// The processes that the number in a slot may mean, the likeliest first.
    fn candidates(&self, region: &RegionFile, slot: &RegionSlot) -> Vec<Candidate<'a>> {
        let namespace_of = |pid: &Pid| self.facts.processes.get(pid)?.mount_namespace.as_ref();
        let namespaces: Vec<&String> = region.through.iter().filter_map(namespace_of).collect();
        let may_write = |pid: Pid, process: &ProcessFacts| {
            let own = process.mount_namespace.as_ref();
            if region.through.is_empty() {
                return own.is_none_or(|own| !self.with_own_shm.contains(own.as_str()));
            }
            region.through.contains(&pid) || own.is_some_and(|own| namespaces.contains(&own))
        };
        let own_number = |process: &ProcessFacts| process.namespace_pids.last().copied();
        let mut candidates: Vec<Candidate<'a>> = self
            .facts
            .processes
            .iter()
            .filter(|(pid, process)| {
                own_number(process) == Some(slot.pid) && may_write(**pid, process)
            })
            .map(|(pid, process)| Candidate { pid: *pid, process: Some(process) })
            .collect();
        // A process that the driver lists runs, even where procfs hides it.
        let listed = Pid(slot.pid);
        if candidates.is_empty() && self.facts.processes_hidden && self.holds_any_device(listed) {
            candidates.push(Candidate { pid: listed, process: None });
        }
        order::sort_by_key(&mut candidates, |candidate| !self.holds_any_device(candidate.pid));
        candidates
    }

    /// True if a region is known to be of a device whose list of holders is whole. Who writes it has a device open.
    fn is_of_a_device(&self, index: usize) -> bool {
        let is_linked = |chip: &&JoinedChip| chip.regions.iter().any(|link| link.region == index);
        self.chips.iter().find(is_linked).is_some_and(|chip| match chip.origin {
            Origin::Local { device } | Origin::Remote { gateway: device } => {
                self.facts.devices[device].holders.as_ref().is_ok_and(|holders| holders.complete)
            }
            Origin::Unmatched => false,
        })
    }

    fn holds_any_device(&self, pid: Pid) -> bool {
        let has_removed = |process: &ProcessFacts| process.has_removed_device;
        self.facts.processes.get(&pid).is_some_and(has_removed)
            || self.facts.devices.iter().any(|device| {
                let holders = device.holders.as_ref();
                holders.is_ok_and(|holders| holders.pids.binary_search(&pid).is_ok())
            })
    }
}

/// A process that a slot's number may mean; without facts where procfs hides it.
struct Candidate<'a> {
    pid: Pid,
    process: Option<&'a ProcessFacts>,
}

fn started_after(process: &ProcessFacts, slot: &RegionSlot) -> bool {
    let updated_us = slot.updated_ns / 1000;
    let started = process.started.as_ref().map_or(0, |started| started.0);
    updated_us != 0 && started > updated_us.saturating_add(START_TOLERANCE_US)
}
