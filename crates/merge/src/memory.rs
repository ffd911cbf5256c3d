//! The memory of each process on a chip, and the totals. Impossible numbers are refused, never clipped.

mod region;
mod shared;

use std::collections::BTreeSet;

use ttmem_model::facts::Field;
use ttmem_model::order::Gather as _;
use ttmem_model::reading::{Missing, Quality, Reading, SourceName, checked_sum};
use ttmem_model::snapshot::SourceStatus;
use ttmem_model::{AllocatorKind, Arch, Kind, MemorySpace, PerKind, Pid};

use super::agent::{self, AgentLink};
use super::join::{Joined, JoinedChip, Origin, Owner};
use region::{Share, reported, row_total};

pub(super) use region::{SlotLink, counted_row, reported_by, sum_of};

/// The first value of a counter that has wrapped below zero: no chip has 8 EiB.
const WRAPPED: u64 = 1 << 63;
/// The most worker cores of a chip without harvesting (TT-Metal 0.81.1 core descriptors).
const MOST_CORES: [(Arch, u64); 2] = [(Arch::Wormhole, 80), (Arch::Blackhole, 140)];
/// The most DRAM banks of a chip without harvesting (TT-Metal 0.81.1 SoC descriptors).
const MOST_BANKS: [(Arch, u64); 2] = [(Arch::Wormhole, 12), (Arch::Blackhole, 8)];

/// The memory of one owner on one chip.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Usage {
    pub(super) holder: Owner,
    /// The name it gave itself in its slot.
    pub(super) name: String,
    /// The user who owns the region.
    pub(super) user: Option<String>,
    /// The slots that the regions' figures come from.
    pub(super) slots: Vec<SlotLink>,
    /// The figures of the regions.
    pub(super) bytes: PerKind<Field<u64>>,
    pub(super) reported: Field<u64>,
    /// Time of the last allocation or free in its slots: nanoseconds since 1970.
    pub(super) updated_ns: u64,
    /// The figures of its agent.
    pub(super) agent: Option<PerKind<Reading<u64>>>,
    /// The chip of the segment that its agent's figures come from.
    pub(super) segment: Option<AgentLink>,
    /// Start time of the process, if its agent reported it: clock ticks since boot.
    pub(super) start_ticks: Option<u64>,
    /// The rest of a shared slot: `bytes` less what the agents of the other processes in the slot count.
    pub(super) rest: Option<PerKind<Field<u64>>>,
    /// True if other processes are counted in its slot too, or another usage has the slot.
    pub(super) is_shared: bool,
}

impl Usage {
    /// The better figure of the two: its agent's, or else that of the regions, read `age` microseconds ago.
    pub(super) fn reading(&self, kind: AllocatorKind, age: u64) -> Reading<u64> {
        match (self.agent.as_ref().map(|agent| &agent[kind]), &self.rest) {
            (Some(agent), _) if self.is_by_agent(kind) => agent.clone(),
            (_, Some(rest)) => self.by_region(rest[kind].clone(), age),
            _ => self.upstream(kind, age),
        }
    }

    /// The figure of the regions, read `age` microseconds ago.
    pub(super) fn upstream(&self, kind: AllocatorKind, age: u64) -> Reading<u64> {
        self.by_region(self.bytes[kind].clone(), age)
    }

    fn by_region(&self, bytes: Field<u64>, age: u64) -> Reading<u64> {
        let quality = if self.is_gone() { Quality::Stale } else { Quality::Approximate };
        Reading::from_field(bytes, SourceName::Upstream, quality).aged(age)
    }

    /// What the slots count and agents of other processes count too. 0 of a slot that is not shared.
    pub(super) fn counted_by_others(&self, kind: AllocatorKind) -> u64 {
        let rest = self.rest.as_ref().and_then(|rest| rest[kind].as_ref().ok());
        let bytes = self.bytes[kind].as_ref().ok();
        bytes.zip(rest).map_or(0, |(bytes, rest)| bytes.saturating_sub(*rest))
    }

    /// True if its process has ended.
    pub(super) fn is_gone(&self) -> bool {
        self.holder.is_gone()
    }

    /// True if [`Self::reading`] is its agent's figure, or the reason that the agent has none.
    pub(super) fn is_by_agent(&self, kind: AllocatorKind) -> bool {
        match self.agent.as_ref().map(|agent| &agent[kind]) {
            Some(Reading::Known { .. }) => true,
            Some(Reading::Missing(_)) => self.bytes[kind].is_err(),
            None => false,
        }
    }

    /// False if the slot that counts it is in another usage.
    pub(super) fn has_slot(&self) -> bool {
        !(self.is_shared && self.slots.is_empty())
    }

    /// False if it is known that it holds nothing.
    pub(super) fn holds_bytes(&self) -> bool {
        AllocatorKind::ALL.into_iter().any(|kind| self.reading(kind, 0).value() != Some(&0))
    }
}

/// A counter that cannot be true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) pid: i32,
    pub(super) kind: Kind,
    pub(super) why: Missing,
}

/// A rule for the memory of live processes on a chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UsedRule {
    /// Every process has an agent: the sum of the agents' figures.
    Agents,
    /// The sum over the processes, each by its agent or its slots.
    Processes,
    /// The chip's row in a region whose slots count several chips.
    Row,
    /// No rule: a region or an owner cannot be read.
    Unreadable,
}

/// The memory used on one chip.
#[derive(Debug)]
pub(super) struct Amounts {
    pub(super) held: Vec<Usage>,
    pub(super) used: PerKind<Reading<u64>>,
    /// The rule that made `used`.
    pub(super) used_by: PerKind<UsedRule>,
    pub(super) stale: PerKind<Reading<u64>>,
    /// The regions' figures for `used`, where agents have better ones.
    pub(super) upstream: Option<PerKind<Reading<u64>>>,
    pub(super) reported: Reading<u64>,
    pub(super) refused: Vec<Refused>,
}

/// Adds up what is held on a chip.
pub(super) fn amounts(joined: &Joined<'_>, chip: &JoinedChip) -> Amounts {
    let limits = Limits::of(joined, chip);
    let mut refused = Vec::new();
    let mut held = held(joined, chip, &limits, &mut refused);
    agent::add_agents(joined, chip, &limits, &mut held);
    shared::subtract_agents(joined, &mut held);
    let read_at = joined.regions(chip).map(|(region, _)| region.read_at).min();
    let age = read_at.map_or(0, |read_at| joined.facts.time.micros_since(read_at));
    let sum = |kind: AllocatorKind, gone: bool, none: Reading<u64>| {
        let parts = held.iter().filter(|held| held.is_gone() == gone);
        Reading::sum(parts.map(|held| held.reading(kind, age)), none)
    };
    let reading = |field: Field<u64>, quality| {
        Reading::from_field(field, SourceName::Upstream, quality).aged(age)
    };
    let readable = readable(joined, chip);
    let all_have_agents = agent::all_have_agents(joined, chip, &held);
    let upstream_used = PerKind::new(|kind| {
        let parts = || held.iter().filter(|held| !held.is_gone());
        let field = readable.clone().and_then(|()| match row_total(joined, chip, kind, &limits) {
            Some(total) => total,
            None => add_up(parts().filter(|held| held.has_slot()).map(|held| &held.bytes[kind])),
        });
        reading(field, Quality::Approximate)
    });
    let used_by = PerKind::new(|kind| match &readable {
        _ if all_have_agents => UsedRule::Agents,
        Err(_) => UsedRule::Unreadable,
        Ok(()) if row_total(joined, chip, kind, &limits).is_some() => UsedRule::Row,
        Ok(()) => UsedRule::Processes,
    });
    let used = PerKind::new(|kind| match used_by[kind] {
        UsedRule::Agents => sum(kind, false, Reading::exact(0, SourceName::Agent)),
        UsedRule::Processes => {
            sum(kind, false, Reading::new(0, SourceName::Upstream, Quality::Approximate).aged(age))
        }
        UsedRule::Row | UsedRule::Unreadable => upstream_used[kind].clone(),
    });
    let stale = PerKind::new(|kind| match &readable {
        Err(missing) if !chip.regions.is_empty() || chip.agents.is_empty() => {
            missing.clone().into()
        }
        _ => {
            let source = if chip.regions.is_empty() && chip.row.is_none() {
                SourceName::Agent
            } else {
                SourceName::Upstream
            };
            sum(kind, true, Reading::new(0, source, Quality::Stale).aged(age))
        }
    });
    let (reported, quality) = reported(joined, chip, &limits);
    let reported = reading(readable.and(reported), quality);
    let upstream = held.iter().any(|held| held.agent.is_some()).then_some(upstream_used);
    Amounts { held, used, used_by, stale, upstream, reported, refused }
}

/// The most that a chip can hold.
pub(super) struct Limits {
    pub(super) dram: u64,
    pub(super) l1: u64,
}

impl Limits {
    fn of(joined: &Joined<'_>, chip: &JoinedChip) -> Self {
        let board = joined.board(chip);
        let device_arch = || joined.device(chip)?.arch.as_ref().ok().copied();
        let arch = board.map(|board| board.arch).or_else(device_arch);
        let most = |table: &[(Arch, u64)], each: fn(Arch) -> u64| {
            let (arch, count) = table.iter().find(|(of, _)| Some(*of) == arch)?;
            Some(count * each(*arch))
        };
        let dram = board.and_then(ttmem_model::Board::dram_bytes);
        let l1 = board.and_then(ttmem_model::Board::l1_bytes);
        Self {
            dram: dram.or(most(&MOST_BANKS, Arch::dram_bytes_per_bank)).unwrap_or(WRAPPED - 1),
            l1: l1.or(most(&MOST_CORES, Arch::l1_bytes_per_core)).unwrap_or(WRAPPED - 1),
        }
    }

    fn check(&self, kind: Kind, bytes: u64) -> Field<u64> {
        let limit = match kind.memory_space() {
            MemorySpace::Dram => self.dram,
            MemorySpace::L1 => self.l1,
        };
        if bytes >= WRAPPED {
            Err(Missing::failed(format!("the region says {bytes}: its counter wrapped below zero")))
        } else if bytes > limit {
            Err(Missing::failed(format!("the region says {bytes}, above the {limit} of the chip")))
        } else {
            Ok(bytes)
        }
    }
}

/// `Ok` if the totals of a chip can be known, else the reason.
fn readable(joined: &Joined<'_>, chip: &JoinedChip) -> Field<()> {
    if chip.regions.is_empty() && chip.row.is_none() {
        return Err(no_region(joined, chip));
    }
    if let Some((region, _)) = joined.regions(chip).find(|(region, _)| region.content.is_err()) {
        return region.content.as_ref().map(|_| ()).map_err(Clone::clone);
    }
    match silent_holders(joined, chip).first() {
        Some(pid) => Err(Missing::no_source(format!(
            "process {pid} holds the chip with TT_METAL_SHM_TRACKING_DISABLED set"
        ))),
        None => Ok(()),
    }
}

/// Processes that have a chip open and no slot in its region because tracking is off.
pub(super) fn silent_holders(joined: &Joined<'_>, chip: &JoinedChip) -> Vec<Pid> {
    let slots = joined.slots(chip);
    let mut heard: BTreeSet<Pid> = slots.iter().filter_map(|(_, owner)| owner.live()).gather();
    heard.extend(joined.pids_with_agents(chip));
    let holders = joined.holders(chip).map(|holders| holders.pids.as_slice()).unwrap_or_default();
    let is_silent = |pid: &&Pid| {
        let process = joined.facts.processes.get(pid);
        !heard.contains(pid) && process.is_some_and(|process| process.tracking_disabled == Ok(true))
    };
    holders.iter().filter(is_silent).copied().collect()
}

/// The reason that there is no region of a chip.
const NO_REGION: &str = "no memory region: TT-Metal writes one per chip since 0.70";

fn no_region(joined: &Joined<'_>, chip: &JoinedChip) -> Missing {
    let unreadable = joined.facts.regions.iter().filter(|region| region.content.is_err()).count();
    if unreadable > 0 && joined.chips.iter().all(|chip| chip.regions.is_empty()) {
        return Missing::denied(format!(
            "{unreadable} memory regions cannot be read, and only they name their chips"
        ));
    }
    let upstream = joined.facts.sources.iter().find(|source| source.name == SourceName::Upstream);
    if let Some(upstream) = upstream.filter(|source| source.status == SourceStatus::Denied) {
        return Missing::denied(upstream.detail.clone());
    }
    match joined.holders(chip) {
        Some(holders) if holders.complete && holders.pids.is_empty() && holders.outside == 0 => {
            Missing::no_source("no memory region; no process has the chip open")
        }
        _ => without_region(joined, chip),
    }
}

/// The reason that a chip in use has no region: of its process there may be regions that are of no known chip.
pub(super) fn without_region(joined: &Joined<'_>, chip: &JoinedChip) -> Missing {
    let device = match chip.origin {
        Origin::Local { device } | Origin::Remote { gateway: device } => device,
        Origin::Unmatched => return Missing::no_source(NO_REGION),
    };
    let holders = joined.facts.devices[device].holders.as_ref();
    let listed = holders.map(|holders| holders.pids.as_slice()).unwrap_or_default();
    let unmatched = joined.chips.iter().filter(|other| other.origin == Origin::Unmatched);
    let of_unmatched: BTreeSet<Pid> = unmatched.flat_map(|other| joined.pids(other)).gather();
    match listed.iter().find(|pid| of_unmatched.contains(pid)) {
        Some(pid) => Missing::no_source(format!(
            "process {pid} has memory regions of which no device is known; one of them may be this chip's"
        )),
        None => Missing::no_source(NO_REGION),
    }
}

/// Returns the memory of each owner, one entry each.
fn held(
    joined: &Joined<'_>,
    chip: &JoinedChip,
    limits: &Limits,
    refused: &mut Vec<Refused>,
) -> Vec<Usage> {
    let mut all: Vec<Usage> = Vec::new();
    let files = chip.regions.iter().map(|link| (link.region, None));
    for (region_index, row) in files.chain(chip.row.map(|(region, row)| (region, Some(row)))) {
        let region = &joined.facts.regions[region_index];
        let Ok(content) = &region.content else { continue };
        let owners = joined.owners_of(region_index);
        for (index, (slot, owner)) in content.slots.iter().zip(owners).enumerate() {
            let share = Share::of(content, row);
            let bytes = PerKind::new(|kind| {
                let checked = share.checked(slot, kind, limits);
                // An unknown share is no impossible counter.
                if let (Ok(_), Err(why)) = (share.of_slot(slot, kind), &checked) {
                    refused.push(Refused { pid: slot.pid, kind: kind.into(), why: why.clone() });
                }
                checked
            });
            let reported = limits.check(Kind::CircularBuffers, slot.bytes.circular_buffers);
            if let Err(why) = &reported {
                let kind = Kind::CircularBuffers;
                refused.push(Refused { pid: slot.pid, kind, why: why.clone() });
            }
            let sharers = joined.sharers(region_index, index);
            add(
                &mut all,
                Usage {
                    holder: joined.slot_holder(chip, region_index, index).unwrap_or(*owner),
                    name: slot.name.text(),
                    user: region.user.clone(),
                    slots: vec![SlotLink { region: region_index, row, slot: index }],
                    bytes,
                    reported,
                    updated_ns: slot.updated_ns,
                    agent: None,
                    segment: None,
                    start_ticks: None,
                    rest: None,
                    is_shared: !sharers.is_empty(),
                },
            );
        }
    }
    all
}

/// Adds what a holder has in another slot to what it has already.
fn add(all: &mut Vec<Usage>, usage: Usage) {
    let Some(held) = all.iter_mut().find(|held| held.holder == usage.holder) else {
        return all.push(usage);
    };
    held.bytes = PerKind::new(|kind| add_up([&held.bytes[kind], &usage.bytes[kind]].into_iter()));
    held.slots.extend(usage.slots);
    held.is_shared |= usage.is_shared;
    held.reported = add_up([&held.reported, &usage.reported].into_iter());
    held.updated_ns = held.updated_ns.max(usage.updated_ns);
}

/// The sum of all, or the reason why one is missing.
fn add_up<'a>(fields: impl Iterator<Item = &'a Field<u64>>) -> Field<u64> {
    checked_sum(fields.cloned())
}
