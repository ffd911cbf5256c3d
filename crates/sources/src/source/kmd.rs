//! Source `kmd`: what the kernel driver (tt-kmd) tells in sysfs, hwmon and procfs, without opening a device.
//!
//! File names, formats and units: tt-kmd 2.10, `docs/sysfs-attributes.md`, `wormhole.c`, `blackhole.c`,
//! `enumerate.c`. A file exists only where driver and firmware publish it.

mod device;
mod holders;
mod lasting;

use std::collections::BTreeMap;
use std::ffi::OsString;

use ttmem_model::SourceName;
use ttmem_model::facts::Device;
use ttmem_model::snapshot::{Source, SourceStatus};

use ttmem_root::clock::Clock;
use ttmem_root::{Folder, Root};

pub use holders::read_holders;
pub use lasting::Known;

const CLASS: &str = "/sys/class/tenstorrent";
const PCI_DEVICES: &str = "/sys/bus/pci/devices";

/// The facts of the driver.
#[derive(Debug)]
pub struct Kmd {
    /// Its version.
    pub version: Option<String>,
    /// Its devices, by number.
    pub devices: Vec<Device>,
    /// The result.
    pub source: Source,
}

/// Reads every device of the driver. What stays as it is while a device is there is read now and then only.
#[must_use]
pub fn read(root: &Root, clock: Clock, known: &mut Known) -> Kmd {
    let watch = clock.start();
    let version = root.read_text("/sys/module/tenstorrent/version").ok();
    let places = device_places(root);
    let (status, detail, devices) = match places {
        Ok(places) => {
            let mut devices: Vec<Device> = places
                .iter()
                .map(|(number, place)| device::read(root, *number, place, clock, known))
                .collect();
            known.keep(|number| places.contains_key(&number));
            holders::read_all(root, &mut devices);
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

fn describe(devices: &[Device]) -> String {
    match devices.len() {
        0 => "the driver is loaded and has no device".to_owned(),
        1 => "1 device".to_owned(),
        count => format!("{count} devices"),
    }
}

/// Where a device's files are.
#[derive(Debug)]
struct Place {
    /// The directory of the driver's own files.
    attributes: String,
    /// Its PCIe address, if the path tells.
    bdf: Option<String>,
}

/// The directories of all devices, by number.
fn device_places(root: &Root) -> Result<BTreeMap<u32, Place>, (SourceStatus, String)> {
    match root.list(CLASS) {
        Ok(names) => {
            let class = root.folder(CLASS);
            let place = |name: &OsString| {
                let name = name.to_str()?;
                let (number, bdf) = (device_number(name)?, bdf_of(&class, name));
                Some((number, Place { attributes: class.path(name), bdf }))
            };
            Ok(names.iter().filter_map(place).collect())
        }
        Err(error) if error.is_absent() => match places_below_pci(root) {
            places if places.is_empty() => {
                Err((SourceStatus::Absent, "the kernel driver is not loaded".to_owned()))
            }
            places => Ok(places),
        },
        Err(error) if error.is_denied() => Err((SourceStatus::Denied, error.to_string())),
        Err(error) => Err((SourceStatus::Failed, error.to_string())),
    }
}

/// Reads the PCI devices instead, for hosts captured without `/sys/class`.
fn places_below_pci(root: &Root) -> BTreeMap<u32, Place> {
    let mut places = BTreeMap::new();
    for bdf in root.list(PCI_DEVICES).unwrap_or_default() {
        let Some(bdf) = bdf.to_str() else { continue };
        let directory = format!("{PCI_DEVICES}/{bdf}/tenstorrent");
        for name in root.list(&directory).unwrap_or_default() {
            if let Some(number) = name.to_str().and_then(device_number) {
                let attributes = format!("{directory}/tenstorrent!{number}");
                places.insert(number, Place { attributes, bdf: Some(bdf.to_owned()) });
            }
        }
    }
    places
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
