//! The figures of agents, joined to chips and processes.
//!
//! An agent speaks of one process and knows its chips by the ids that name regions, so its chips are joined by the
//! rules of regions (`join`). What it counted (`amounts`) takes the place of the region's figure for the same process;
//! the region's figure is kept beside it.

mod amounts;
mod findings;
mod holders;
mod join;
mod overlap;

use ttmem_model::facts::{Facts, Field, SegmentFile};
use ttmem_model::reading::Missing;
use ttmem_model::{Pid, Timestamp, order};

use super::join::Owner;
use ttmem_segment::{AgentState, Allocator, AllocatorRole, Hook, Segment};

pub(super) use amounts::{
    AllocatorBytes, Geometry, amounts, bank_bytes, by_allocator, counted_twice, dram_banks,
    geometry, main,
};
pub(super) use findings::find;
pub(super) use holders::{add_agents, all_have_agents};
pub(super) use join::{device_number, join, unique_id};

/// A chip of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AgentLink {
    /// The segment's place in the facts.
    pub(super) segment: usize,
    /// The chip's index in the segment.
    pub(super) chip: usize,
}

/// Returns the writer of each segment.
pub(super) fn owners(facts: &Facts) -> Vec<Owner> {
    let outside = facts
        .devices
        .iter()
        .any(|device| device.holders.as_ref().is_ok_and(|holders| holders.outside > 0));
    let files = facts.segments.iter().enumerate();
    files.map(|(index, file)| owner(facts, index, file, outside)).collect()
}

fn owner(facts: &Facts, index: usize, file: &SegmentFile, outside: bool) -> Owner {
    let unseen = Owner::Outside { pid: file.pid, segment: Some(index) };
    let reused = match writer(facts, file) {
        Writer::One(pid) => return Owner::Live(pid),
        Writer::OneOf => return unseen,
        Writer::None { reused } => reused,
    };
    let has_exited = file.content.as_ref().is_ok_and(|segment| segment.header.state.has_ended());
    let is_ours = facts.pid_namespace.is_some() && file.pid_namespace() == facts.pid_namespace;
    let may_run_outside = facts.processes_outside && !has_exited && !is_ours;
    if may_run_outside || !reused && (outside || facts.processes_hidden) {
        return unseen;
    }
    let through = file.through.first().copied();
    Owner::Gone { through, pid: file.pid, reused, segment: Some(index) }
}

/// The process that wrote a segment, among those that are seen.
enum Writer {
    One(Pid),
    /// Several may have, as their namespaces cannot be read, and nothing distinguishes them.
    OneOf,
    None {
        /// True if its pid belongs to another process by now.
        reused: bool,
    },
}

fn writer(facts: &Facts, file: &SegmentFile) -> Writer {
    let namespace_of = |pid: &Pid| facts.processes.get(pid)?.mount_namespace.as_ref();
    let namespaces: Vec<&String> = file.through.iter().filter_map(namespace_of).collect();
    let mut reused = false;
    let mut likeliest = Vec::new();
    for (pid, process) in &facts.processes {
        let sees_the_file = file.through.is_empty()
            || file.through.contains(pid)
            || process.mount_namespace.as_ref().is_some_and(|own| namespaces.contains(&own));
        let is_in_namespace = process.is_in_namespace_of(file);
        let has_number = process.namespace_pids.last() == Some(&file.pid);
        if !has_number || !sees_the_file || is_in_namespace == Some(false) {
            continue;
        }
        match process.start_time_error(file.start_ticks) {
            // If several processes with one inner number started within two ticks, it belongs to the best match.
            Some(error) => likeliest.push((is_in_namespace.is_none(), error, *pid)),
            None => reused = true,
        }
    }
    order::sort(&mut likeliest);
    match likeliest.as_slice() {
        [] => Writer::None { reused },
        [(true, one, _), (true, other, _), ..] if one == other => Writer::OneOf,
        [(_, _, pid), ..] => Writer::One(*pid),
    }
}

/// The segments whose processes are gone, by their names alone: also those that cannot be read.
#[must_use]
pub fn segments_left(facts: &Facts) -> Vec<&SegmentFile> {
    let owners = owners(facts);
    let is_left = |(_, owner): &(&SegmentFile, &Owner)| owner.is_gone();
    facts.segments.iter().zip(&owners).filter(is_left).map(|(file, _)| file).collect()
}

/// Returns a segment's content if its agent is reliable: after it switched itself off its figures are outdated.
pub(super) fn trusted(file: &SegmentFile) -> Field<&Segment> {
    let segment = file.content.as_ref().map_err(Clone::clone)?;
    if segment.header.state == AgentState::Off {
        return Err(Missing::failed("the agent found a defect in itself and switched itself off"));
    }
    Ok(segment)
}

/// True if the agent sees every allocation and every free of the process.
pub(super) fn sees_all(segment: &Segment) -> bool {
    let hooks = segment.header.hooks_resolved;
    let both = |one, other| hooks.contains(one) && hooks.contains(other);
    both(Hook::Allocate, Hook::Free) || both(Hook::LegacyAllocate, Hook::LegacyFree)
}

/// The allocators of a segment that are open on a chip. One whose chips were not found out is on the only chip there
/// is.
pub(super) fn open_allocators(segment: &Segment, chip: usize) -> impl Iterator<Item = &Allocator> {
    let only = segment.chips.len() == 1;
    segment.allocators.iter().filter(move |allocator| {
        allocator.closed.is_none()
            && (allocator.chips.contains(&chip) || only && allocator.chips.is_empty())
    })
}

/// The allocator that has the whole chip: that of the newest mesh, else that of the device.
pub(super) fn main_allocator(segment: &Segment, chip: usize) -> Option<&Allocator> {
    let rank = |allocator: &&Allocator| match allocator.role {
        AllocatorRole::Mesh => (2, allocator.serial),
        AllocatorRole::Device => (1, allocator.serial),
        AllocatorRole::Unknown => (0, allocator.serial),
        AllocatorRole::SubDevice | AllocatorRole::PerCore => (-1, 0),
    };
    let whole = open_allocators(segment, chip).filter(|allocator| allocator.role.has_all_banks());
    whole.max_by_key(rank)
}

/// Microseconds between a monotonic time of a segment and the snapshot.
pub(super) fn age(facts: &Facts, segment: &Segment, monotonic: u64) -> u64 {
    facts.time.micros_since(Timestamp(segment.header.to_real_time(monotonic) / 1000))
}

#[cfg(test)]
mod tests;
