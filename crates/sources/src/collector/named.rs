//! The processes whose facts are read: those that have devices open, and those that shared memory names.

use std::collections::{BTreeMap, BTreeSet};

use ttmem_model::Pid;
use ttmem_model::facts::{Device, ProcessFacts, RegionFile, SegmentFile};
use ttmem_model::order;
use ttmem_model::order::Gather as _;
use ttmem_root::Root;
use ttmem_root::clock::Clock;

use crate::source::agent;
use crate::source::namespaces::Namespaces;
use crate::source::process::{Processes, mount_namespace};

/// The sources that name processes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named<'a> {
    /// Devices, with the processes that have them open.
    pub(super) devices: &'a [Device],
    /// Regions of TT-Metal.
    pub(super) regions: &'a [RegionFile],
    /// Segments of agents.
    pub(super) segments: &'a [SegmentFile],
    /// Processes that simulate chips.
    pub(super) simulators: &'a [Pid],
}

impl Named<'_> {
    /// Reads the facts of all processes that are named.
    pub(super) fn read(
        &self,
        root: &Root,
        clock: Clock,
        namespaces: &mut Namespaces,
    ) -> BTreeMap<Pid, ProcessFacts> {
        let mut processes = Processes::new(root);
        let holders = holders(self.devices);
        let named = named_by(root, clock, namespaces, self.regions, self.segments);
        for pid in holders.iter().chain(&named).chain(self.simulators) {
            processes.add(*pid);
        }
        read_start_shifts(self.segments, &mut processes);
        let unowned = without_owner(self.segments, &processes);
        if !unowned.is_empty() {
            let elsewhere = namespaces.elsewhere(root);
            for pid in agent::with_inner_number(root, elsewhere, &unowned) {
                processes.add(pid);
            }
        }
        read_start_shifts(self.segments, &mut processes);
        if !self.devices.is_empty() {
            processes.read_removed_devices(&slots(self.regions), &holders);
        }
        processes.finish()
    }
}

/// The processes that have devices open.
pub(super) fn holders(devices: &[Device]) -> BTreeSet<Pid> {
    let holders = devices.iter().filter_map(|device| device.holders.as_ref().ok());
    holders.flat_map(|holders| holders.pids.iter().copied()).gather()
}

/// The numbers of processes in the slots of regions.
fn slots(regions: &[RegionFile]) -> BTreeSet<i32> {
    let contents = regions.iter().filter_map(|region| region.content.as_ref().ok());
    contents.flat_map(|content| content.slots.iter().map(|slot| slot.pid)).gather()
}

/// The writers of regions and segments, each with its file.
pub(super) fn writers<'a>(
    regions: &'a [RegionFile],
    segments: &'a [SegmentFile],
) -> BTreeSet<(&'a str, Option<i32>)> {
    let of_regions = regions.iter().flat_map(|region| {
        let slots = region.content.iter().flat_map(|content| &content.slots);
        let pids = slots.map(|slot| Some(slot.pid));
        pids.chain([None]).map(|pid| (region.path.as_str(), pid))
    });
    let of_segments = segments.iter().map(|segment| (segment.path.as_str(), Some(segment.pid)));
    of_regions.chain(of_segments).gather()
}

/// The processes that regions and segments name: directly, or by their number in the namespace of the writer.
fn named_by(
    root: &Root,
    clock: Clock,
    all: &mut Namespaces,
    regions: &[RegionFile],
    segments: &[SegmentFile],
) -> BTreeSet<Pid> {
    let mut pids = BTreeSet::new();
    let mut namespaces = BTreeSet::new();
    for region in regions {
        if region.through.is_empty() {
            let slots = region.content.iter().flat_map(|content| &content.slots);
            pids.extend(slots.map(|slot| Pid(slot.pid)));
        }
    }
    for segment in segments.iter().filter(|segment| segment.through.is_empty()) {
        pids.insert(Pid(segment.pid));
    }
    let through_regions = regions.iter().flat_map(|region| &region.through);
    for through in through_regions.chain(segments.iter().flat_map(|segment| &segment.through)) {
        pids.insert(*through);
        namespaces.extend(mount_namespace(root, *through));
    }
    if !namespaces.is_empty() {
        all.read_new(root, clock);
        pids.extend(all.inside(&namespaces));
    }
    pids
}

/// Reads the time namespaces of processes where the start time in a segment's name is another one.
fn read_start_shifts(segments: &[SegmentFile], processes: &mut Processes<'_>) {
    for segment in segments {
        processes.read_start_shifts(segment.pid, segment.start_ticks);
    }
}

/// The numbers in the names of segments in this namespace's own directory that are of no process here.
fn without_owner(segments: &[SegmentFile], processes: &Processes<'_>) -> Vec<i32> {
    let has_owner = |segment: &SegmentFile| {
        let process = processes.get(Pid(segment.pid));
        process.is_some_and(|process| {
            process.has_start_time(segment.start_ticks)
                && process.is_in_namespace_of(segment) != Some(false)
        })
    };
    let own = segments.iter().filter(|segment| segment.through.is_empty());
    let mut pids: Vec<i32> =
        own.filter(|segment| !has_owner(segment)).map(|segment| segment.pid).collect();
    order::sort(&mut pids);
    pids.dedup();
    pids
}
