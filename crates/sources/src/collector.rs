//! One pass over the sources after the other.

mod named;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ttmem_model::facts::{Device, Excess, Facts, Field, L1Location, RegionFile, SegmentFile};
use ttmem_model::l1::report::ChipReport;
use ttmem_model::order;
use ttmem_model::snapshot::{Host, Source};
use ttmem_model::{Pid, Snapshot};

use self::named::{Named, holders, writers};
use crate::port::image::{ImageError, SaveError};
use crate::source::agent::{self, Depth, Segments};
use crate::source::bound::bound_namespaces;
use crate::source::kmd::KmdSource;
use crate::source::kmd::windows::Windows;
use crate::source::l1::{L1Request, L1Source, Surroundings};
use crate::source::namespaces::Namespaces;
use crate::source::process;
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
        // The map of a core needs every buffer.
        let depth = if self.l1.is_wanted() { Depth::Full } else { depth };
        let shared = self.read_shared(&devices, depth);
        self.read_new_owners(&mut devices, &shared);
        let (root, clock) = (&self.root, self.clock);
        let Shared { regions, segments, simulators, .. } = &shared;
        let named = Named { devices: &devices, regions, segments, simulators };
        let processes = named.read(root, clock, &mut self.namespaces);
        let l1 =
            self.l1.read(Surroundings { root, clock, devices: &devices, processes: &processes });
        let mut facts = Facts {
            time: clock.now(),
            demo: self.demo,
            host: host(root, kmd.version),
            sources: [kmd.source].into_iter().chain(shared.sources).chain(l1.sources).collect(),
            devices,
            regions: shared.regions,
            segments: shared.segments,
            l1: l1.chips,
            processes,
            excess: shared.excess,
            processes_hidden: self.namespaces.is_empty() || process::are_hidden(root),
            processes_outside: process::is_in_inner_namespace(root),
            pid_namespace: process::pid_namespace_inode(root, "self"),
        };
        if root.has_owners() {
            ttmem_merge::reject_forged(&mut facts);
        }
        facts
    }

    /// Reads the shared memory of this host, and of the containers whose processes have devices open.
    fn read_shared(&mut self, devices: &[Device], depth: Depth) -> Shared {
        let (root, clock) = (&self.root, self.clock);
        let watch = clock.start();
        let holders = holders(devices);
        self.namespaces.read(root, clock);
        let namespaces = self.namespaces.others(root, &holders);
        let (namespaces, mut excess) = bound_namespaces(root, &holders, namespaces);
        let memory = SharedMemory::list(root, &namespaces);
        let upstream = Upstream::read(root, clock, &memory, &mut self.regions);
        excess.extend(upstream.excess().iter().cloned());
        let simulators = self.l1.find(root, clock, &namespaces);
        let (regions, upstream) = upstream.finish(watch.micros());
        let Segments { files: segments, excess: too_many, source: agent } =
            agent::read(root, clock, &memory, depth);
        excess.extend(too_many.into_iter().chain(self.l1.excess()));
        Shared { regions, segments, simulators, excess, sources: [upstream, agent] }
    }

    /// Reads the owners of devices again if somebody new writes to shared memory: a process that opened a device since the
    /// list was read may have a slot already.
    fn read_new_owners(&mut self, devices: &mut [Device], shared: &Shared) {
        let before = self.last.as_ref().map(|last| writers(&last.regions, &last.segments));
        let writers = writers(&shared.regions, &shared.segments);
        if !writers.is_empty() && before.as_ref() != Some(&writers) {
            self.kmd.read_owners_again(&self.root, self.clock, devices);
        }
    }
}

/// Shared memory of TT-Metal and of agents.
struct Shared {
    regions: Vec<RegionFile>,
    segments: Vec<SegmentFile>,
    /// Processes that simulate chips.
    simulators: Vec<Pid>,
    /// What was left out.
    excess: Vec<Excess>,
    /// The states of both sources.
    sources: [Source; 2],
}

fn host(root: &Root, driver: Option<String>) -> Host {
    Host {
        name: root.read_text("/proc/sys/kernel/hostname").ok(),
        kernel: root.read_text("/proc/sys/kernel/osrelease").ok(),
        driver,
        ttmem: env!("CARGO_PKG_VERSION").to_owned(),
    }
}
