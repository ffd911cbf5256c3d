//! Source `l1`: the content of the worker cores, read through the ports to them.
//!
//! Captures are chips without a host. On a host, the L1 of the driver's devices is read when it is asked for and not
//! otherwise ([`L1Request`]); that of simulated chips always, because no device is opened for it.

mod budget;
mod device;
mod firmware;
mod late;
mod named;
mod simulated;
mod simulators;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ttmem_model::facts::{
    Device, Excess, Field, L1Content, L1Cost, L1Facts, L1Location, ProcessFacts,
};
use ttmem_model::l1::{CoreState, KernelNames};
use ttmem_model::reading::{Missing, SourceName};
use ttmem_model::snapshot::{Source, SourceStatus};
use ttmem_model::{MissingReason, Pid};

use self::budget::Budgeted;
use self::late::Late;
pub use self::named::NamedLayout;
use self::simulators::Simulators;
use super::inspector;
use crate::l1::{Cost, OpenError, Reader, grid, names};
use crate::port::image::{ImageError, ImagePort, SaveError};
use crate::port::kmd::KmdPort;
use crate::port::{L1Port, PortError, image};
use ttmem_root::Root;
use ttmem_root::clock::{Clock, Stopwatch};

/// The chips whose L1 is read, and the limits of reading it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct L1Request {
    /// True if the driver's devices are opened, by the rules of their port.
    pub devices: bool,
    /// A socket of a simulated chip besides those that are found.
    pub simulator: Option<PathBuf>,
    /// Bytes that a sample of a chip may read; `None` for as many as it takes.
    pub budget: Option<u64>,
    /// The layout of the mailbox, if it is not to be found.
    pub layout: Option<Arc<NamedLayout>>,
}

/// The ways to L1.
#[derive(Debug, Default)]
pub struct L1Source {
    request: L1Request,
    chips: Vec<OpenChip>,
    simulators: Simulators,
    /// Simulated chips that could not be opened in this pass.
    refused: Vec<simulated::Refused>,
    /// Simulated chips that answered late.
    late: Late,
    /// Sockets that are not read, because there are too many.
    excess: Option<Excess>,
    is_demo: bool,
}

/// The result of one pass over L1.
#[derive(Debug, Default)]
pub struct L1Pass {
    pub(crate) chips: Vec<L1Facts>,
    pub(crate) sources: Vec<Source>,
}

/// The facts about the host that a pass needs.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    pub(crate) root: &'a Root,
    pub(crate) clock: Clock,
    pub(crate) devices: &'a [Device],
    pub(crate) processes: &'a BTreeMap<Pid, ProcessFacts>,
}

/// A chip whose port stays open from one pass to the next.
struct OpenChip {
    location: L1Location,
    port: Box<dyn L1Port + Send>,
    reader: Option<Reader>,
    kernels: Kernels,
    /// The cost of finding out which chip it is.
    greeting: Cost,
}

/// Source of the names of a chip's kernels.
#[derive(Clone, Debug)]
enum Kernels {
    /// The `kernels.yaml` of a capture.
    Kept(Field<Vec<u8>>),
    /// The processes that have the chip.
    Of(Vec<Pid>),
}

impl fmt::Debug for OpenChip {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("OpenChip").field(&self.location).finish_non_exhaustive()
    }
}

impl L1Source {
    /// The requested chips of a host.
    pub(crate) fn of_host(request: L1Request) -> Self {
        Self { request, ..Self::default() }
    }

    /// False if no L1 will be read.
    pub(crate) fn is_wanted(&self) -> bool {
        self.request.devices || !self.chips.is_empty() || !self.simulators.is_empty()
    }

    /// The chips of a capture.
    pub(crate) fn of_capture(directory: &Path, request: L1Request) -> Result<Self, ImageError> {
        let ports = ImagePort::open(directory)?;
        let kernels = inspector::file_of_capture(&Root::directory(directory)?);
        let chips = (0..).zip(ports).map(|(number, port)| {
            let kernels = Kernels::Kept(kernels.clone());
            OpenChip::new(L1Location::Captured(number), Box::new(port), kernels)
        });
        Ok(Self { request, chips: chips.collect(), ..Self::default() })
    }

    /// A capture in memory that stands for the driver's first devices.
    pub(crate) fn of_image(ports: Vec<ImagePort>, kernels: &[u8], request: L1Request) -> Self {
        let chips = (0..).zip(ports).map(|(number, port)| {
            let kernels = Kernels::Kept(Ok(kernels.to_vec()));
            OpenChip::new(L1Location::Device(number), Box::new(port), kernels)
        });
        Self { request, chips: chips.collect(), is_demo: true, ..Self::default() }
    }

    /// Opens simulated chips that are new here, and says which processes run them. `pids` is one process of each other
    /// mount namespace.
    ///
    /// Without being asked, ttmem connects to its own user's sockets only.
    pub(crate) fn find(&mut self, root: &Root, clock: Clock, pids: &[Pid]) -> Vec<Pid> {
        let is_asked = self.request.devices;
        let pass = simulated::Pass {
            root,
            now: clock.now(),
            named: self.request.simulator.as_deref(),
            all_users: is_asked && rustix::process::geteuid().is_root(),
            pids,
        };
        (self.refused, self.excess) = simulated::open(&pass, &mut self.simulators, &mut self.late);
        self.simulators.owners().collect()
    }

    /// Returns the sockets that the last pass did not read, because there are too many.
    pub(crate) fn excess(&self) -> Option<Excess> {
        self.excess.clone()
    }

    /// Reads every chip. A chip whose port is broken is reopened at a later pass.
    pub(crate) fn read(&mut self, host: Surroundings<'_>) -> L1Pass {
        let watch = host.clock.start();
        let request = self.request.clone();
        let mut chips = self.read_open_chips(host, &request);
        chips.extend(self.refused.drain(..).map(|refused| refused.facts(host.clock)));
        if self.request.devices {
            let is_there =
                |number| chips.iter().any(|chip| chip.location == L1Location::Device(number));
            let others: Vec<_> =
                host.devices.iter().filter(|device| !is_there(device.number)).collect();
            chips.extend(others.into_iter().map(|device| match host.root.is_system() {
                true => device::read(host, device, &request),
                false => unread(host, device, self.is_demo),
            }));
        }
        let l1 = l1_source(&chips, self.request.devices, watch.micros());
        let inspector = inspector_source(&chips);
        L1Pass { sources: std::iter::once(l1).chain(inspector).collect(), chips }
    }

    fn read_open_chips(&mut self, host: Surroundings<'_>, request: &L1Request) -> Vec<L1Facts> {
        let mut read: Vec<L1Facts> =
            self.chips.iter_mut().map(|chip| chip.read(host, request)).collect();
        let simulated = self.simulators.read(host, request);
        for (path, failed) in simulated.failed {
            match failed {
                Some(why) => self.late.note(&path, host.clock.now(), why),
                None => self.late.forget(&path),
            }
        }
        read.extend(simulated.facts);
        read
    }

    /// Saves the chips at these locations as a capture, with the names of their kernels where they share them.
    pub(crate) fn save(
        &mut self,
        directory: &Path,
        locations: &[L1Location],
        host: Surroundings<'_>,
    ) -> Result<usize, SaveError> {
        let mut devices: Vec<(KmdPort, Reader)> = Vec::new();
        let mut kernels: Vec<Option<Vec<u8>>> = Vec::new();
        let is_wanted = |device: &&Device| locations.contains(&L1Location::Device(device.number));
        for device in host.devices.iter().filter(is_wanted).filter(|_| host.root.is_system()) {
            let opened = device::open_to_save(host, device, self.request.layout.as_deref());
            devices.push(opened.map_err(|missing| SaveError::Unread(missing.detail.into_owned()))?);
            kernels.push(device::kernels(device).file(host));
        }
        let mut simulated = self.simulators.give_back(locations);
        let mut open: Vec<(&mut dyn L1Port, &mut Reader)> = Vec::new();
        let kept = self.chips.iter_mut().filter(|chip| locations.contains(&chip.location));
        for chip in kept.chain(&mut simulated) {
            kernels.push(chip.kernels.file(host));
            if let OpenChip { port, reader: Some(reader), .. } = chip {
                open.push((port.as_mut(), reader));
            }
        }
        for (port, reader) in &mut devices {
            open.push((port, reader));
        }
        kernels.dedup();
        let kernels = match kernels.as_slice() {
            [Some(kernels)] => Some(kernels.as_slice()),
            _ => None,
        };
        image::save(directory, &mut open, kernels)?;
        Ok(open.len())
    }
}

impl OpenChip {
    fn new(location: L1Location, port: Box<dyn L1Port + Send>, kernels: Kernels) -> Self {
        Self { location, port, reader: None, kernels, greeting: Cost::default() }
    }

    fn read(&mut self, host: Surroundings<'_>, request: &L1Request) -> L1Facts {
        let content = self.content(host.root, host.clock, request);
        L1Facts {
            location: self.location,
            port: self.port.chip().name.clone(),
            arch: Some(self.port.chip().arch),
            content,
            names: self.kernels.names(host),
            read_at: host.clock.now(),
        }
    }

    fn content(&mut self, root: &Root, clock: Clock, request: &L1Request) -> Field<L1Content> {
        let watch = clock.start();
        let mut port = Budgeted::new(self.port.as_mut(), request.budget);
        let (reader, opening) = match &mut self.reader {
            Some(reader) => (reader, Cost::default()),
            reader => {
                let pids = self.kernels.pids();
                let opened =
                    firmware::open_reader(&mut port, root, pids, request.layout.as_deref());
                (reader.insert(opened.map_err(cannot_open)?), port.cost().plus(self.greeting))
            }
        };
        content(&mut port, reader, opening, watch)
    }
}

/// A sample of an open chip.
fn content(
    port: &mut dyn L1Port,
    reader: &mut Reader,
    opening: Cost,
    watch: Stopwatch,
) -> Field<L1Content> {
    let (mut cores, sampling) = reader.sample(port).map_err(|error| broken(&error))?;
    let Cost { reads, bytes } = opening.plus(sampling);
    grid::complete(&mut cores, &port.chip().cores, port.chip().arch);
    let all = port.chip().cores.len();
    Ok(L1Content {
        layout: reader.layout().label.clone().into_owned(),
        geometry: reader.geometry(),
        other_cores: u64::try_from(all.saturating_sub(cores.len())).unwrap_or(0),
        cores,
        cost: L1Cost { reads, bytes, micros: watch.micros() },
    })
}

impl Kernels {
    fn pids(&self) -> &[Pid] {
        match self {
            Self::Kept(_) => &[],
            Self::Of(pids) => pids,
        }
    }

    fn names(&self, host: Surroundings<'_>) -> Field<KernelNames> {
        match self {
            Self::Kept(Ok(bytes)) => Ok(names::parse(bytes)),
            Self::Kept(Err(missing)) => Err(missing.clone()),
            Self::Of(pids) => inspector::of_processes(
                host.root,
                pids.iter().map(|pid| (*pid, host.processes.get(pid))),
            ),
        }
    }

    /// The file that a capture of the chip gets; none if several processes have the chip.
    fn file(&self, host: Surroundings<'_>) -> Option<Vec<u8>> {
        match self {
            Self::Kept(bytes) => bytes.clone().ok(),
            Self::Of(pids) => match pids.as_slice() {
                [pid] => inspector::file_of_process(host.root, *pid, host.processes.get(pid)).ok(),
                _ => None,
            },
        }
    }
}

fn cannot_open(error: OpenError) -> Missing {
    match error {
        OpenError::Layout(error) => Missing::unsupported(error.to_string()),
        OpenError::Firmware(error) => Missing::unsupported(error.to_string()),
        OpenError::Port(error) => broken(&error),
    }
}

fn broken(error: &PortError) -> Missing {
    Missing::failed(error.to_string())
}

/// A device of a host that is none.
fn unread(host: Surroundings<'_>, device: &Device, is_demo: bool) -> L1Facts {
    let why = match is_demo {
        true => "the demonstration has the L1 of its first chip only",
        false => "a captured host has no devices; give a capture of L1 with --capture",
    };
    L1Facts {
        location: L1Location::Device(device.number),
        port: format!("/dev/tenstorrent/{}", device.number),
        arch: device.arch.as_ref().ok().copied(),
        content: Err(Missing::unsupported(why)),
        names: Err(Missing::not_read("L1 was not read")),
        read_at: host.clock.now(),
    }
}

/// The status of the source as a whole.
fn l1_source(chips: &[L1Facts], devices_asked: bool, cost_us: u64) -> Source {
    let fault = chips.iter().find_map(|chip| chip.content.as_ref().err());
    let contents: Vec<&L1Content> =
        chips.iter().filter_map(|chip| chip.content.as_ref().ok()).collect();
    let (status, detail) = match (contents.as_slice(), fault) {
        ([], Some(Missing { reason: MissingReason::Denied, detail })) => {
            (SourceStatus::Denied, detail.to_string())
        }
        ([], Some(missing)) if missing.reason == MissingReason::NoSource => {
            (SourceStatus::Absent, missing.detail.to_string())
        }
        ([], Some(missing)) => (SourceStatus::Failed, missing.detail.to_string()),
        ([], None) if devices_asked => {
            (SourceStatus::Absent, "there is no device and no simulated chip".to_owned())
        }
        ([], None) => (SourceStatus::NotRead, "L1 was not asked for".to_owned()),
        (contents, _) => (SourceStatus::Ok, describe(contents)),
    };
    Source { name: SourceName::L1, status, detail, cost_us }
}

fn describe(contents: &[&L1Content]) -> String {
    let cores = contents.iter().flat_map(|content| &content.cores);
    let torn = cores.clone().filter(|core| core.state == CoreState::Torn).count();
    let sum =
        |of: fn(&L1Cost) -> u64| contents.iter().map(|content| of(&content.cost)).sum::<u64>();
    let chips = match contents.len() {
        1 => "1 chip".to_owned(),
        count => format!("{count} chips"),
    };
    let torn = if torn > 0 { format!(" ({torn} torn)") } else { String::new() };
    let (reads, bytes) = (sum(|cost| cost.reads), sum(|cost| cost.bytes));
    format!("{chips}, {} cores{torn}, {reads} reads of {bytes} bytes in all", cores.count())
}

/// Returns the status of the names: only if there are cores that can have some.
fn inspector_source(chips: &[L1Facts]) -> Option<Source> {
    let read: Vec<&Field<KernelNames>> =
        chips.iter().filter(|chip| chip.content.is_ok()).map(|chip| &chip.names).collect();
    let named: Vec<&KernelNames> = read.iter().filter_map(|names| names.as_ref().ok()).collect();
    let (status, detail) = match (named.as_slice(), read.first()?) {
        ([], Err(missing)) if missing.reason == MissingReason::Denied => {
            (SourceStatus::Denied, missing.detail.to_string())
        }
        ([], Err(missing)) => (SourceStatus::Absent, missing.detail.to_string()),
        (named, _) => {
            let kernels: usize = named.iter().map(|names| names.by_id.len()).sum();
            (SourceStatus::Ok, format!("{kernels} kernels have names"))
        }
    };
    Some(Source { name: SourceName::Inspector, status, detail, cost_us: 0 })
}
