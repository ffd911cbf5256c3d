//! Source `kmd`: files that the kernel driver (tt-kmd) publishes in sysfs, hwmon and procfs. No device is opened.
//!
//! File names, formats and units: tt-kmd 2.10, `docs/sysfs-attributes.md`, `wormhole.c`, `blackhole.c`,
//! `enumerate.c`. A file exists only where driver and firmware publish it.
//!
//! During a reset, and while the firmware does not answer, reads of a device wait in the kernel for seconds. Each device
//! is therefore one request of [`Readers`]: a device that is late is shown with its last values, the others at once.

mod device;
mod files;
pub(crate) mod holders;
mod lasting;
mod text;
pub mod windows;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;

use rustix::io::Errno;
use ttmem_model::facts::{Device, Field, Late};
use ttmem_model::order::Gather as _;
use ttmem_model::snapshot::{Source, SourceStatus};
use ttmem_model::{Metric, SourceName};
use ttmem_root::clock::Clock;
use ttmem_root::readers::{Readers, Request};
use ttmem_root::{Folder, Root, RootError};

use files::{Files, FolderKind, Folders};
pub use holders::DriverVersion;
pub use holders::open_devices;
pub(crate) use holders::read_holders;
use lasting::Known;
use windows::Windows;

const CLASS: &str = "/sys/class/tenstorrent";
const PCI_DEVICES: &str = "/sys/bus/pci/devices";

/// Returns the file of a telemetry metric of the device with this number and PCIe address. A `*` stands for the number
/// that hwmon gave the device. `None` for a metric that is calculated.
#[must_use]
pub fn telemetry_file(metric: Metric, number: u32, bdf: &str) -> Option<String> {
    Some(match device::TelemetryFile::of(metric)? {
        device::TelemetryFile::Sensor(file) => format!("{PCI_DEVICES}/{bdf}/hwmon/hwmon*/{file}"),
        device::TelemetryFile::Attribute(file) => format!("{CLASS}/tenstorrent!{number}/{file}"),
    })
}

/// Returns the file of a field of a snapshot's `pcie`, by its name in JSON and the PCIe address of the device.
#[must_use]
pub fn pcie_file(name: &str, bdf: &str) -> Option<String> {
    let file = match name {
        "current_speed_gts" => "current_link_speed",
        "max_speed_gts" => "max_link_speed",
        "current_width" => "current_link_width",
        "max_width" => "max_link_width",
        "numa_node" => "numa_node",
        _ => return None,
    };
    Some(format!("{PCI_DEVICES}/{bdf}/{file}"))
}

/// Facts of the driver.
#[derive(Debug)]
pub(crate) struct Kmd {
    /// Version of the driver, such as `2.10.0`.
    pub(crate) version: Option<String>,
    /// Devices, by number.
    pub(crate) devices: Vec<Device>,
    /// State of the source.
    pub(crate) source: Source,
}

/// Reads the devices of the driver of one host. Remembers the pass before.
#[derive(Debug, Default)]
pub(crate) struct KmdSource {
    readers: Readers,
    known: Known,
    last: BTreeMap<u32, Device>,
    /// Requests that are repeated, with their folders.
    repeated: BTreeMap<u32, (Folders, Arc<Request>)>,
    version: Option<String>,
}

/// A device that is to be read.
struct Wanted {
    number: u32,
    path: DevicePath,
    folders: Folders,
    /// The directory of the sensors, or why there is none.
    hwmon: Field<String>,
    /// True if files that last as long as the device are read as well.
    has_lasting: bool,
}

impl KmdSource {
    /// Reads files with these readers.
    #[must_use]
    pub(crate) fn new(readers: Readers) -> Self {
        Self { readers, ..Self::default() }
    }

    /// Reads every device. Files that last as long as the device are read once a minute.
    #[must_use]
    pub(crate) fn read(&mut self, root: &Root, clock: Clock) -> Kmd {
        let watch = clock.start();
        let version = root.read_text("/sys/module/tenstorrent/version").ok();
        let version = version.filter(|version| !version.is_empty());
        self.version.clone_from(&version);
        if version.is_some() {
            // It starts while the devices are found.
            self.readers.prepare();
        }
        let (status, detail, devices) = match device_paths(root) {
            Ok(paths) => {
                let devices = self.read_devices(root, paths, clock);
                (SourceStatus::Ok, describe(&devices), devices)
            }
            Err((SourceStatus::Absent, _)) if version.is_some() => {
                (SourceStatus::Ok, "the driver is loaded and has no device".to_owned(), Vec::new())
            }
            Err((status, detail)) => (status, detail, Vec::new()),
        };
        let source = Source { name: SourceName::Kmd, status, detail, cost_us: watch.micros() };
        Kmd { version, devices, source }
    }

    /// Reads the owners of devices again. A device that is late keeps the owners that it has.
    pub(crate) fn read_owners_again(&mut self, root: &Root, clock: Clock, devices: &mut [Device]) {
        let version = DriverVersion::of(self.version.as_deref());
        if !version.lists_owners() {
            return;
        }
        let prompt = devices.iter().filter(|device| device.late.is_none());
        let numbers: Vec<u32> = prompt.map(|device| device.number).collect();
        let request = |number: u32| {
            Arc::new(Request { key: number, folders: vec![files::owners(number, true)] })
        };
        let requests = numbers.into_iter().map(request).collect();
        for response in self.readers.read(root, requests, clock) {
            let listed = response.folders.first().and_then(|folder| folder.file(0));
            let device = devices.iter_mut().find(|device| device.number == response.key);
            if let (Some(Ok(listed)), Some(device)) = (listed, device)
                && let Ok(owners) = holders::parse(root, listed)
            {
                device.holders = Ok(owners);
            }
        }
    }

    /// Reads the windows that processes have allocated on each device.
    pub(crate) fn read_windows(
        &mut self,
        root: &Root,
        clock: Clock,
        devices: &[Device],
    ) -> BTreeMap<u32, Field<Windows>> {
        let prompt = devices.iter().filter(|device| device.late.is_none());
        let request = |device: &Device| {
            let folders = vec![windows::request(device.number)];
            Arc::new(Request { key: device.number, folders })
        };
        let requests: Vec<Arc<Request>> = prompt.map(request).collect();
        let responses = self.readers.read(root, requests.clone(), clock);
        let parsed = requests.into_iter().zip(responses).map(|(request, response)| {
            let (number, folder) =
                (request.key, request.folders.first().map(|folder| folder.path.clone()));
            let error = |errno| RootError {
                path: format!("{}/mappings", folder.clone().unwrap_or_default()),
                errno,
            };
            let file = response.folders.first().and_then(|folder| folder.file(0));
            let listed = match file {
                Some(Ok(bytes)) => Ok(bytes),
                Some(Err(errno)) => Err(error(errno)),
                None => Err(error(Errno::TIMEDOUT)),
            };
            (number, windows::parse(listed))
        });
        parsed.gather()
    }

    fn read_devices(
        &mut self,
        root: &Root,
        paths: BTreeMap<u32, DevicePath>,
        clock: Clock,
    ) -> Vec<Device> {
        self.known.keep(|number| paths.contains_key(&number));
        self.last.retain(|number, _| paths.contains_key(number));
        self.repeated.retain(|number, _| paths.contains_key(number));
        let wanted = paths.into_iter().map(|(number, path)| self.want(root, number, path, clock));
        let wanted = wanted.collect();
        let mut found = BTreeMap::new();
        // A device that is another one than before, or whose driver was loaded again, is read as a new one.
        let new = self.read_wanted(root, wanted, clock, &mut found);
        self.read_wanted(root, new, clock, &mut found);
        let mut devices: Vec<Device> = found.into_values().collect();
        holders::complete(root, DriverVersion::of(self.version.as_deref()), &mut devices);
        let prompt = devices.iter().filter(|device| device.late.is_none());
        self.last.extend(prompt.map(|device| (device.number, device.clone())));
        devices
    }

    fn want(&self, root: &Root, number: u32, path: DevicePath, clock: Clock) -> Wanted {
        let known = self.known.of(number, path.bdf.as_ref(), clock.now());
        let pci = path.pci.clone();
        let hwmon = match known {
            Some(lasting) => lasting.hwmon.clone(),
            None => device::hwmon_directory(root, &pci),
        };
        let attributes = path.attributes.clone();
        let folders = Folders { pci, attributes, hwmon: hwmon.as_ref().ok().cloned() };
        Wanted { number, path, has_lasting: known.is_none(), folders, hwmon }
    }

    /// Reads devices, and returns those of which everything must be read again.
    fn read_wanted(
        &mut self,
        root: &Root,
        wanted: Vec<Wanted>,
        clock: Clock,
        found: &mut BTreeMap<u32, Device>,
    ) -> Vec<Wanted> {
        let requests: Vec<Arc<Request>> =
            wanted.iter().map(|wanted| self.request(wanted)).collect();
        let responses = self.readers.read(root, requests.clone(), clock);
        let mut again = Vec::new();
        for ((wanted, request), response) in wanted.into_iter().zip(requests).zip(responses) {
            let late = response.late_since.map(|since| Late { since });
            let files = Files::new(request, response);
            match self.device(root, &wanted, &files, late, clock) {
                Some(device) => drop(found.insert(device.number, device)),
                None => {
                    self.known.forget(wanted.number);
                    again.push(self.want(root, wanted.number, wanted.path, clock));
                }
            }
        }
        again
    }

    /// The request of a device's files: the one of the last sample if it is the same.
    fn request(&mut self, wanted: &Wanted) -> Arc<Request> {
        let (number, folders) = (wanted.number, &wanted.folders);
        let make = || Arc::new(folders.request(number, wanted.has_lasting));
        if wanted.has_lasting {
            return make();
        }
        let repeated = self.repeated.entry(number).or_insert_with(|| (folders.clone(), make()));
        if repeated.0 != *folders {
            *repeated = (folders.clone(), make());
        }
        Arc::clone(&repeated.1)
    }

    /// Facts of a device from its files; `None` if it is another one than the one that is remembered.
    fn device(
        &mut self,
        root: &Root,
        wanted: &Wanted,
        files: &Files,
        late: Option<Late>,
        clock: Clock,
    ) -> Option<Device> {
        let number = wanted.number;
        let last = self.last.get(&number).filter(|last| last.bdf == wanted.path.bdf);
        if late.is_some()
            && !files.has(FolderKind::Hwmon)
            && let Some(last) = last
        {
            return Some(Device { late, ..last.clone() });
        }
        let mut reader = device::Reader::new(root, files);
        let asic_id = reader.asic_id();
        let lasting = if wanted.has_lasting {
            reader.lasting(wanted.hwmon.clone())
        } else {
            self.known.of_chip(number, &asic_id)?.clone()
        };
        let remembered = wanted.has_lasting.then(|| lasting.clone());
        let device = reader.device(wanted, asic_id, lasting, clock);
        let is_silent = device::has_no_sensor(&device);
        if !wanted.has_lasting && late.is_none() && is_silent && !device.answers_ones {
            return None;
        }
        if let Some(lasting) = remembered.filter(|_| late.is_none()) {
            self.known.remember(&device, lasting);
        }
        let holders = match (files.has(FolderKind::Owners), last) {
            (false, Some(last)) => last.holders.clone(),
            _ => device.holders,
        };
        let last_asic_id = self.known.last_id(number, device.bdf.as_ref(), &device.asic_id);
        Some(Device { late, holders, last_asic_id, ..device })
    }
}

fn describe(devices: &[Device]) -> String {
    match devices.len() {
        0 => "the driver is loaded and has no device".to_owned(),
        1 => "1 device".to_owned(),
        count => format!("{count} devices"),
    }
}

/// Path of a device's files.
#[derive(Clone, Debug)]
struct DevicePath {
    /// The directory of the driver's own files.
    attributes: String,
    /// The directory of the PCIe function.
    pci: String,
    /// The PCIe address, if the path names it.
    bdf: Option<String>,
}

/// The directories of all devices, by number.
fn device_paths(root: &Root) -> Result<BTreeMap<u32, DevicePath>, (SourceStatus, String)> {
    match root.list(CLASS) {
        Ok(names) => {
            let class = root.folder(CLASS);
            let path = |name: &OsString| {
                let name = name.to_str()?;
                let (number, bdf) = (device_number(name)?, bdf_of(&class, name));
                let attributes = class.path(name);
                // Captured hosts may have the class alone, without `/sys/bus`.
                let pci = format!("{attributes}/device");
                Some((number, DevicePath { attributes, pci, bdf }))
            };
            Ok(names.iter().filter_map(path).collect())
        }
        Err(error) if error.is_absent() => match paths_below_pci(root) {
            paths if paths.is_empty() => {
                Err((SourceStatus::Absent, "the kernel driver is not loaded".to_owned()))
            }
            paths => Ok(paths),
        },
        Err(error) if error.is_denied() => Err((SourceStatus::Denied, error.to_string())),
        Err(error) => Err((SourceStatus::Failed, error.to_string())),
    }
}

/// The directories of all devices below those of PCI, for hosts captured without `/sys/class`.
fn paths_below_pci(root: &Root) -> BTreeMap<u32, DevicePath> {
    let mut paths = BTreeMap::new();
    for bdf in root.list(PCI_DEVICES).unwrap_or_default() {
        let Some(bdf) = bdf.to_str() else { continue };
        let directory = format!("{PCI_DEVICES}/{bdf}/tenstorrent");
        for name in root.list(&directory).unwrap_or_default() {
            if let Some(number) = name.to_str().and_then(device_number) {
                let attributes = format!("{directory}/tenstorrent!{number}");
                let pci = format!("{PCI_DEVICES}/{bdf}");
                let bdf = Some(bdf.to_owned());
                paths.insert(number, DevicePath { attributes, pci, bdf });
            }
        }
    }
    paths
}

fn device_number(name: &str) -> Option<u32> {
    name.strip_prefix("tenstorrent!")?.parse().ok()
}

/// The PCIe address in the path that the class entry or its `device` links to.
fn bdf_of(class: &Folder<'_>, name: &str) -> Option<String> {
    [name, &format!("{name}/device")].iter().find_map(|link| {
        let target = class.link(link).ok()?;
        let text = target.to_str()?;
        text.split('/').rev().find(|component| is_bdf(component)).map(str::to_owned)
    })
}

/// True for `0000:01:00.0`: domain, bus, device and function in hex.
fn is_bdf(text: &str) -> bool {
    let hex = |part: &str, digits| {
        part.len() >= digits && part.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let mut parts = text.split([':', '.']);
    let shape = [4, 2, 2, 1].map(|digits| parts.next().is_some_and(|part| hex(part, digits)));
    shape == [true; 4] && parts.next().is_none() && text.matches(':').count() == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pcie_address_has_four_hex_parts() {
        assert!(is_bdf("0000:01:00.0"));
        assert!(is_bdf("10000:c1:00.0"));
        for text in ["pci0000:00", "0000:01:00", "tenstorrent", "0000:01:00.0.1", "0000.01.00.0"] {
            assert!(!is_bdf(text), "{text}");
        }
    }
}
