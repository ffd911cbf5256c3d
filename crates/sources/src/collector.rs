//! One pass over the sources after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use ttmem_model::facts::{Device, Facts, Field, L1Location, RegionFile, SegmentFile};
use ttmem_model::l1::report::ChipReport;
use ttmem_model::order;
use ttmem_model::order::Gather as _;
use ttmem_model::snapshot::Host;
use ttmem_model::{Pid, Snapshot};

use crate::port::image::{ImageError, SaveError};
use crate::source::agent::{self, Depth, Segments};
use crate::source::bound::bound_namespaces;
use crate::source::kmd::KmdSource;
use crate::source::kmd::windows::Windows;
use crate::source::l1::{L1Request, L1Source, Surroundings};
use crate::source::namespaces::Namespaces;
use crate::source::process::{self, Processes, mount_namespace};
use crate::source::shared_memory::SharedMemory;
use crate::source::upstream::Upstream;
use ttmem_merge::{l1_reports, l1_reports_by_agents, merge};
use ttmem_root::clock::Clock;
use ttmem_root::readers::Readers;
use ttmem_root::{OpenRegulars, Root, Tree};

/// Takes snapshots of one host. Remembers the pass before, from which rates are taken.
#[derive(Debug)]
pub struct Collector {
    root: Root,
    clock: Clock,
    demo: bool,
    l1: L1Source,
    last: Option<Arc<Facts>>,
    kmd: KmdSource,
    regions: OpenRegulars,
    namespaces: Namespaces,
    depth: Depth,
}

/// A snapshot with the facts behind it.
#[derive(Clone, Debug)]
pub struct L1Look {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// The facts that the snapshot was merged from; `None` of a server's, unless they were requested.
    pub facts: Option<Arc<Facts>>,
}

impl L1Look {
    /// Merges the facts of a pass. The facts of the pass before give rates.
    #[must_use]
    pub fn of(facts: Arc<Facts>, previous: Option<&Facts>) -> Self {
        Self { snapshot: merge(&facts, previous), facts: Some(facts) }
    }

    /// The L1 of the chips that were asked for, with their index in the snapshot, in the order of the facts.
    #[must_use]
    pub fn read(&self) -> Vec<(u32, Field<ChipReport>)> {
        self.facts.as_deref().map(l1_reports).unwrap_or_default()
    }

    /// The L1 of chips by the record of the agents in their processes, with their index in the snapshot.
    #[must_use]
    pub fn by_agents(&self) -> Vec<(u32, Field<ChipReport>)> {
        self.facts.as_deref().map(l1_reports_by_agents).unwrap_or_default()
    }

    /// Adds the L1 of chips by agents where it was not read. Chips without either are those with the reason.
    #[must_use]
    pub fn or_by_agents(
        &self,
        mut chips: Vec<(u32, Field<ChipReport>)>,
    ) -> Vec<(u32, Field<ChipReport>)> {
        for (index, by_agent) in self.by_agents() {
            match chips.iter_mut().find(|(other, _)| *other == index) {
                Some((_, report)) if report.is_err() && by_agent.is_ok() => *report = by_agent,
                Some(_) => {}
                None => chips.push((index, by_agent)),
            }
        }
        order::sort_by_key(&mut chips, |(index, _)| *index);
        chips
    }
}

impl Collector {
    /// A collector of the host at `root`.
    #[must_use]
    pub fn new(root: Root) -> Self {
        let (clock, kmd) = (Clock::System, KmdSource::default());
        Self {
            root,
            clock,
            demo: false,
            l1: L1Source::default(),
            last: None,
            kmd,
            regions: OpenRegulars::default(),
            namespaces: Namespaces::default(),
            depth: Depth::Summary,
        }
    }

    /// Creates a collector of the embedded demonstration host, whose clock does not advance.
    #[must_use]
    pub fn demo() -> Self {
        let clock = Clock::Fixed(crate::demo::TIME);
        Self { clock, demo: true, ..Self::new(crate::demo::root()) }
    }

    /// A collector of the chips of a capture, and of nothing else.
    ///
    /// # Errors
    /// If the capture cannot be used.
    pub fn capture(directory: &Path, request: L1Request) -> Result<Self, ImageError> {
        let l1 = L1Source::of_capture(directory, request)?;
        Ok(Self { l1, ..Self::new(Root::memory(Tree::new())) })
    }

    /// Enables reading L1.
    ///
    /// # Errors
    /// If the capture in the demonstration is damaged.
    pub fn with_l1(mut self, request: L1Request) -> Result<Self, ImageError> {
        self.l1 = match self.demo && request.devices {
            true => crate::demo::l1(request)?,
            false => L1Source::of_host(request),
        };
        Ok(self)
    }

    /// Reads the driver's files with these readers, which have a deadline. Without them a file that blocks holds up the
    /// sample.
    #[must_use]
    pub fn with_readers(mut self, readers: Readers) -> Self {
        self.kmd = KmdSource::new(readers);
        self
    }

    /// Reads what agents recorded of programs too: L1 is then known without opening a device. It costs some
    /// milliseconds a process and look.
    #[must_use]
    pub fn with_programs(mut self) -> Self {
        self.depth = Depth::Programs;
        self
    }

    /// Reads all that agents recorded.
    #[must_use]
    pub fn with_segments(mut self) -> Self {
        self.depth = Depth::Full;
        self
    }

    /// Takes snapshots by another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Marks the snapshots as those of the demonstration, or not.
    #[must_use]
    pub fn marked(mut self, demo: bool) -> Self {
        self.demo = demo;
        self
    }

    /// True for the demonstration.
    #[must_use]
    pub fn is_demo(&self) -> bool {
        self.demo
    }

    /// Returns the clock that snapshots are taken with.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Returns the root of the host's files.
    #[must_use]
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// Reads every source and concludes what is the case.
    pub fn snapshot(&mut self) -> Snapshot {
        let facts = self.facts();
        let snapshot = merge(&facts, self.last.as_deref());
        self.last = Some(Arc::new(facts));
        snapshot
    }

    /// Samples, and returns the cores of every chip whose L1 was requested.
    pub fn look(&mut self) -> L1Look {
        let facts = Arc::new(self.facts());
        let before = self.last.replace(Arc::clone(&facts));
        L1Look::of(facts, before.as_deref())
    }

    /// Saves the L1 of chips that the last look saw as a capture in a directory that holds none. Says how many were
    /// saved.
    ///
    /// # Errors
    /// If a file cannot be written or a port is broken.
    pub fn save_l1(&mut self, directory: &Path, chips: &[L1Location]) -> Result<usize, SaveError> {
        let none = Facts::default();
        let last = self.last.as_deref().unwrap_or(&none);
        let (root, clock) = (&self.root, self.clock);
        let (devices, processes) = (&last.devices, &last.processes);
        self.l1.save(directory, chips, Surroundings { root, clock, devices, processes })
    }

    /// Reads every source, and returns the facts.
    pub fn facts(&mut self) -> Facts {
        self.facts_at(self.depth)
    }

    /// Reads the windows that processes have allocated on each device, by device number.
    pub fn windows(&mut self, devices: &[Device]) -> BTreeMap<u32, Field<Windows>> {
        self.kmd.read_windows(&self.root, self.clock, devices)
    }

    /// Reads every source, and segments at least to this depth.
    pub fn facts_at(&mut self, depth: Depth) -> Facts {
        let (root, clock) = (&self.root, self.clock);
        let kmd = self.kmd.read(root, clock);
        let mut devices = kmd.devices;
        let watch = clock.start();
        let holders = holders(&devices);
        self.namespaces.read(root, clock);
        let namespaces = self.namespaces.others(root, &holders);
        let (namespaces, mut excess) = bound_namespaces(root, &holders, namespaces);
        let memory = SharedMemory::list(root, &namespaces);
        let upstream = Upstream::read(root, clock, &memory, &mut self.regions);
        excess.extend(upstream.excess().iter().cloned());
        let simulators = self.l1.find(root, clock, &namespaces);
        let (regions, upstream) = upstream.finish(watch.micros());
        // The map of a core needs every buffer.
        let depth = if self.l1.is_wanted() { Depth::Full } else { depth };
        let Segments { files: segments, excess: too_many, source: agent } =
            agent::read(root, clock, &memory, depth);
        excess.extend(too_many.into_iter().chain(self.l1.excess()));
        let mut processes = Processes::new(root);
        let before = self.last.as_ref().map(|last| writers(&last.regions, &last.segments));
        let writers = writers(&regions, &segments);
        if !writers.is_empty() && before.as_ref() != Some(&writers) {
            // A process that opened a device since the list was read may have a slot already.
            self.kmd.read_owners_again(root, clock, &mut devices);
        }
        let named = named_by(root, clock, &mut self.namespaces, &regions, &segments);
        for pid in self::holders(&devices).into_iter().chain(named).chain(simulators) {
            processes.add(pid);
        }
        read_start_shifts(&segments, &mut processes);
        let unowned = without_owner(&segments, &processes);
        if !unowned.is_empty() {
            let elsewhere = self.namespaces.elsewhere(root);
            for pid in agent::with_inner_number(root, elsewhere, &unowned) {
                processes.add(pid);
            }
        }
        read_start_shifts(&segments, &mut processes);
        if !devices.is_empty() {
            processes.read_removed_devices(&slots(&regions), &self::holders(&devices));
        }
        let processes_found = processes.finish();
        let l1 = self.l1.read(Surroundings {
            root,
            clock,
            devices: &devices,
            processes: &processes_found,
        });
        let sources = [kmd.source, upstream, agent].into_iter().chain(l1.sources).collect();
        let mut facts = Facts {
            time: clock.now(),
            demo: self.demo,
            host: host(root, kmd.version),
            sources,
            devices,
            regions,
            segments,
            l1: l1.chips,
            processes: processes_found,
            excess,
            processes_hidden: self.namespaces.is_empty() || process::are_hidden(root),
            processes_outside: process::is_in_inner_namespace(root),
            pid_namespace: process::pid_namespace_inode(root, "self"),
        };
        if root.has_owners() {
            ttmem_merge::reject_forged(&mut facts);
        }
        facts
    }
}

fn holders(devices: &[ttmem_model::facts::Device]) -> BTreeSet<Pid> {
    let holders = devices.iter().filter_map(|device| device.holders.as_ref().ok());
    holders.flat_map(|holders| holders.pids.iter().copied()).gather()
}

/// The numbers of processes in the slots of regions.
fn slots(regions: &[RegionFile]) -> BTreeSet<i32> {
    let contents = regions.iter().filter_map(|region| region.content.as_ref().ok());
    contents.flat_map(|content| content.slots.iter().map(|slot| slot.pid)).gather()
}

/// The writers of regions and segments, each with its file.
fn writers<'a>(
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

fn host(root: &Root, driver: Option<String>) -> Host {
    Host {
        name: root.read_text("/proc/sys/kernel/hostname").ok(),
        kernel: root.read_text("/proc/sys/kernel/osrelease").ok(),
        driver,
        ttmem: env!("CARGO_PKG_VERSION").to_owned(),
    }
}
