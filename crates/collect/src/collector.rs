//! One pass over the sources after the other.

use std::collections::BTreeSet;

use ttmem_model::facts::{Facts, RegionFile};
use ttmem_model::snapshot::{Host, Source, SourceStatus};
use ttmem_model::{Pid, Snapshot, SourceName};

use crate::clock::Clock;
use crate::merge::merge;
use crate::root::Root;
use crate::source::process::{self, Processes};
use crate::source::upstream::Upstream;
use crate::source::{kmd, process::mount_namespace};

/// Takes snapshots of one host. Remembers the pass before, from which rates are taken.
#[derive(Debug)]
pub struct Collector {
    root: Root,
    clock: Clock,
    demo: bool,
    last: Option<Facts>,
}

impl Collector {
    /// A collector of the host at `root`.
    #[must_use]
    pub fn new(root: Root) -> Self {
        Self { root, clock: Clock::System, demo: false, last: None }
    }

    /// A collector of the embedded demonstration host, whose clock stands still.
    #[must_use]
    pub fn demo() -> Self {
        let clock = Clock::Fixed(crate::demo::TIME);
        Self { root: crate::demo::root(), clock, demo: true, last: None }
    }

    /// The same with another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Reads every source and concludes what is the case.
    pub fn snapshot(&mut self) -> Snapshot {
        let facts = self.facts();
        let snapshot = merge(&facts, self.last.as_ref());
        self.last = Some(facts);
        snapshot
    }

    /// Reads every source.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let (root, clock) = (&self.root, self.clock);
        let kmd = kmd::read(root, clock);
        let mut devices = kmd.devices;
        let watch = clock.start();
        let mut upstream = Upstream::read(root, clock);
        let mut processes = Processes::new(root);
        let holders = holders(&devices);
        for pid in namespaces(root, &holders) {
            upstream.read_through(root, clock, pid);
        }
        let (regions, upstream) = upstream.finish(watch.micros());
        if !regions.is_empty() {
            // A process that opened a device since the list was read may have a slot already.
            for device in &mut devices {
                if let Ok(holders) = kmd::read_holders(root, device.number) {
                    device.holders = Ok(holders);
                }
            }
        }
        for pid in self::holders(&devices).into_iter().chain(named_by(root, &regions)) {
            processes.add(pid);
        }
        Facts {
            time: clock.now(),
            demo: self.demo,
            host: host(root, kmd.version),
            sources: with_sources_not_read(kmd.source, upstream),
            devices,
            regions,
            processes: processes.finish(),
            processes_hidden: process::are_hidden(root),
        }
    }
}

fn holders(devices: &[ttmem_model::facts::Device]) -> BTreeSet<Pid> {
    let holders = devices.iter().filter_map(|device| device.holders.as_ref().ok());
    holders.flat_map(|holders| holders.pids.iter().copied()).collect()
}

/// One process of each mount namespace other than ours that may have a `/dev/shm` of its own: those of the owners,
/// and every other that we may look into, since a simulated chip has no device that would name its owner.
fn namespaces(root: &Root, holders: &BTreeSet<Pid>) -> Vec<Pid> {
    let mut seen: BTreeSet<String> = process::own_mount_namespace(root).into_iter().collect();
    let known_own = !seen.is_empty();
    let all = process::pids(root);
    let others = all.iter().filter(|pid| !holders.contains(pid));
    let mut found = Vec::new();
    for pid in holders.iter().chain(others) {
        match mount_namespace(root, *pid) {
            Some(namespace) if !seen.contains(&namespace) => {
                seen.insert(namespace);
                found.push(*pid);
            }
            Some(_) => {}
            // A capture may lack namespaces; a region under two paths is read once anyway.
            None if holders.contains(pid) || !known_own => found.push(*pid),
            None => {}
        }
    }
    found
}

/// The processes that regions name: directly, or by their number in the namespace of the region's writer.
fn named_by(root: &Root, regions: &[RegionFile]) -> BTreeSet<Pid> {
    let mut pids = BTreeSet::new();
    let mut namespaces = BTreeSet::new();
    for region in regions {
        if region.through.is_empty() {
            let slots = region.content.iter().flat_map(|content| &content.slots);
            pids.extend(slots.map(|slot| Pid(slot.pid)));
        }
        for through in &region.through {
            pids.insert(*through);
            namespaces.extend(mount_namespace(root, *through));
        }
    }
    if !namespaces.is_empty() {
        let is_inside =
            |pid: &Pid| mount_namespace(root, *pid).is_some_and(|name| namespaces.contains(&name));
        pids.extend(process::pids(root).into_iter().filter(is_inside));
    }
    pids
}

fn host(root: &Root, driver: Option<String>) -> Host {
    Host {
        name: root.read_text("/proc/sys/kernel/hostname").ok(),
        kernel: root.read_text("/proc/sys/kernel/osrelease").ok(),
        driver,
        ttmem: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

fn with_sources_not_read(kmd: Source, upstream: Source) -> Vec<Source> {
    let mut sources = vec![kmd, upstream];
    sources.push(Source {
        name: SourceName::L1,
        status: SourceStatus::NotRead,
        detail: "L1 was not asked for".to_owned(),
        cost_us: 0,
    });
    sources
}
