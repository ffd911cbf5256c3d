//! The processes of a snapshot.

use std::collections::BTreeMap;

use ttmem_model::facts::{Field, ProcessFacts};
use ttmem_model::reading::{Missing, Quality, Reading, SourceName};
use ttmem_model::snapshot::{Process, ProcessMemory, ProcessOnChip, ProcessState};
use ttmem_model::{PerKind, Pid};

use super::join::{Joined, JoinedChip, Owner};
use super::memory::{Amounts, Usage, without_region};

/// Lays out every process that has memory or a device: live ones by pid, then those outside the namespace, then
/// stale ones.
pub(super) fn lay_out(joined: &Joined<'_>, amounts: &[Amounts]) -> Vec<Process> {
    by_owner(joined, amounts).into_values().collect()
}

/// Lays out every process by its owner, in the order of a snapshot.
pub(super) fn by_owner(joined: &Joined<'_>, amounts: &[Amounts]) -> BTreeMap<Owner, Process> {
    let mut processes: BTreeMap<Owner, Process> = BTreeMap::new();
    for (chip, amounts) in joined.chips.iter().zip(amounts) {
        for held in amounts.held.iter().filter(|held| is_shown(held)) {
            let process =
                processes.entry(held.holder).or_insert_with(|| begin(joined, held.holder, held));
            process.chips.push(on_chip(chip, memory(joined, chip, held)));
        }
        for pid in joined.pids(chip) {
            let holder = Owner::Live(pid);
            let unheard = Unheard { joined, chip, pid };
            let process = processes.entry(holder).or_insert_with(|| begin(joined, holder, &NOBODY));
            if process.chips.last().is_none_or(|last| last.chip != chip.id) {
                process.chips.push(on_chip(chip, unheard.memory()));
            }
        }
        add_outside(&mut processes, joined, chip, amounts);
    }
    add_labels(joined, &mut processes);
    processes
}

fn on_chip(chip: &JoinedChip, memory: ProcessMemory) -> ProcessOnChip {
    ProcessOnChip { chip: chip.id, index: Some(chip.index), memory }
}

const NOBODY: Usage = Usage {
    holder: Owner::Live(Pid(0)),
    name: String::new(),
    user: None,
    slots: Vec::new(),
    bytes: PerKind { dram: Ok(0), l1: Ok(0), l1_small: Ok(0), trace: Ok(0) },
    reported: Ok(0),
    updated_ns: 0,
    agent: None,
    segment: None,
    start_ticks: None,
    rest: None,
    is_shared: false,
};

/// True unless the process has ended and its slot is empty: such a slot carries no information.
fn is_shown(held: &Usage) -> bool {
    let reports_nothing = held.reported == Ok(0) || held.agent.is_some();
    let is_empty = reports_nothing && !held.holds_bytes();
    !(is_empty && held.is_gone())
}

/// Owners outside the namespace that no slot speaks of.
fn add_outside(
    processes: &mut BTreeMap<Owner, Process>,
    joined: &Joined<'_>,
    chip: &JoinedChip,
    amounts: &Amounts,
) {
    let outside = joined.holders(chip).is_some_and(|holders| holders.outside > 0);
    let heard = amounts.held.iter().any(|held| matches!(held.holder, Owner::Outside { .. }));
    if !outside || heard {
        return;
    }
    let holder = Owner::Outside { pid: 0, segment: None };
    let missing = Missing::denied("its owner is outside this process namespace");
    let process = processes.entry(holder).or_insert_with(|| begin(joined, holder, &NOBODY));
    process.chips.push(on_chip(chip, all_missing(&missing)));
}

fn begin(joined: &Joined<'_>, holder: Owner, held: &Usage) -> Process {
    match holder {
        Owner::Live(pid) => live(pid, joined.facts.processes.get(&pid), &held.name),
        Owner::Outside { pid, .. } => unseen(pid, held, ProcessState::OutsideNamespace),
        Owner::Gone { pid, .. } => unseen(pid, held, ProcessState::Stale),
    }
}

fn live(pid: Pid, facts: Option<&ProcessFacts>, slot_name: &str) -> Process {
    let reading = |field: Option<&Field<u64>>| match field {
        Some(field) => Reading::from_field(field.clone(), SourceName::Kmd, Quality::Exact),
        None => Missing::denied("procfs does not show the process to this user").into(),
    };
    let comm = facts.map(|facts| facts.name.as_str()).unwrap_or_default();
    Process {
        pid,
        start_time: facts.and_then(|facts| facts.start_time.as_ref().ok().copied()).unwrap_or(0),
        name: if comm.is_empty() { slot_name } else { comm }.to_owned(),
        command: facts.map(|facts| facts.command.clone()).unwrap_or_default(),
        user: facts.and_then(|facts| facts.user.clone()),
        container: facts.and_then(|facts| facts.container.clone()),
        state: ProcessState::Live,
        cpu_time_us: reading(facts.map(|facts| &facts.cpu_time_us)),
        host_memory_bytes: reading(facts.map(|facts| &facts.host_memory_bytes)),
        chips: Vec::new(),
        rank: None,
        job: facts.and_then(|facts| facts.job.clone()),
        job_user: facts.and_then(|facts| facts.job_user.clone()),
        pod: facts.and_then(|facts| facts.pod.clone()),
    }
}

fn unseen(pid: i32, held: &Usage, state: ProcessState) -> Process {
    let missing = || match state {
        ProcessState::OutsideNamespace => Missing::denied("outside this process namespace"),
        ProcessState::Live | ProcessState::Stale => Missing::no_source("the process is gone"),
    };
    Process {
        pid: Pid(pid),
        start_time: held.start_ticks.unwrap_or(0),
        name: held.name.clone(),
        command: String::new(),
        user: held.user.clone(),
        container: None,
        state,
        cpu_time_us: missing().into(),
        host_memory_bytes: missing().into(),
        chips: Vec::new(),
        rank: None,
        job: None,
        job_user: None,
        pod: None,
    }
}

/// Adds what the segments of agents say of their processes: rank and job, and of a process that is not seen its name and
/// command line too.
fn add_labels(joined: &Joined<'_>, processes: &mut BTreeMap<Owner, Process>) {
    for (index, file) in joined.facts.segments.iter().enumerate() {
        let Ok(segment) = &file.content else { continue };
        let owner = joined.segment_owner(index);
        let Some(process) = processes.get_mut(&owner) else { continue };
        let label = &segment.header.identity.label;
        let known = |text: &String| (!text.is_empty()).then(|| text.clone());
        process.rank = known(&label.rank);
        process.job = known(&label.job).or(process.job.take());
        if process.name.is_empty() {
            process.name.clone_from(&label.name);
        }
        if process.command.is_empty() {
            process.command.clone_from(&label.command);
        }
    }
}

fn memory(joined: &Joined<'_>, chip: &JoinedChip, held: &Usage) -> ProcessMemory {
    let read_at = joined.regions(chip).map(|(region, _)| region.read_at).min();
    let age = read_at.map_or(0, |read_at| joined.facts.time.micros_since(read_at));
    let reported = if held.is_gone() { Quality::Stale } else { Quality::HighWater };
    let upstream = held.agent.as_ref().map(|_| PerKind::new(|kind| held.upstream(kind, age)));
    let PerKind { dram, l1, l1_small, trace } = PerKind::new(|kind| held.reading(kind, age));
    ProcessMemory {
        dram,
        l1,
        l1_small,
        trace,
        circular_buffers_reported: Reading::from_field(
            held.reported.clone(),
            SourceName::Upstream,
            reported,
        )
        .aged(age),
        upstream,
    }
}

/// A process that has a chip open and no slot in its region.
struct Unheard<'a, 'b> {
    joined: &'a Joined<'b>,
    chip: &'a JoinedChip,
    pid: Pid,
}

impl Unheard<'_, '_> {
    fn memory(&self) -> ProcessMemory {
        let process = self.joined.facts.processes.get(&self.pid);
        let disabled = process.is_some_and(|process| process.tracking_disabled == Ok(true));
        let unread =
            self.joined.regions(self.chip).find_map(|(region, _)| region.content.as_ref().err());
        let missing = if disabled {
            Missing::no_source("TT_METAL_SHM_TRACKING_DISABLED is set in its environment")
        } else if let Some(unread) = unread {
            unread.clone()
        } else if self.chip.regions.is_empty() {
            without_region(self.joined, self.chip)
        } else {
            Missing::no_source(
                "it has no slot in the chip's region: it allocated nothing yet, or reports nothing",
            )
        };
        all_missing(&missing)
    }
}

fn all_missing(missing: &Missing) -> ProcessMemory {
    let blank = || Reading::Missing(missing.clone());
    ProcessMemory {
        dram: blank(),
        l1: blank(),
        l1_small: blank(),
        trace: blank(),
        circular_buffers_reported: blank(),
        upstream: None,
    }
}
