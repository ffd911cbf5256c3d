//! Functions on the PCIe bus that have no device, and gaps in the numbers of devices.

use std::collections::BTreeSet;

use ttmem_model::board::{Arch, TrayPosition};
use ttmem_model::order::Gather as _;
use ttmem_root::Root;

use super::{Check, Inputs};

/// Tenstorrent's PCI vendor id.
const VENDOR: &str = "0x1e52";
const PCI_DEVICES: &str = "/sys/bus/pci/devices";
const SLOTS: &str = "/sys/bus/pci/slots";

/// PCIe addresses of all functions of Tenstorrent, sorted.
pub(super) fn functions(root: &Root) -> Vec<String> {
    let names = root.list(PCI_DEVICES).unwrap_or_default();
    let is_ours = |bdf: &&str| {
        let vendor = root.read_text(&format!("{PCI_DEVICES}/{bdf}/vendor"));
        vendor.is_ok_and(|vendor| vendor == VENDOR)
    };
    names.iter().filter_map(|name| name.to_str()).filter(is_ours).map(str::to_owned).collect()
}

/// Checks that every function has a device. None where there is no driver, whose absence is the reason then.
pub(super) fn check(inputs: &Inputs<'_>) -> Option<Check> {
    let devices = &inputs.facts.devices;
    if devices.is_empty() {
        inputs.facts.host.driver.as_ref()?;
    }
    let known: BTreeSet<&str> = devices.iter().filter_map(|device| device.bdf.as_deref()).gather();
    let functions = functions(inputs.root);
    let missing: Vec<&String> =
        functions.iter().filter(|bdf| !known.contains(bdf.as_str())).collect();
    let gaps = gaps(&devices.iter().map(|device| device.number).collect::<Vec<_>>());
    if missing.is_empty() {
        // Devices are numbered as udev met them, so a gap alone is no fault.
        return None;
    }
    let is_galaxy = devices
        .iter()
        .any(|device| device.card_type.as_ref().is_ok_and(|name| name.starts_with("galaxy-")));
    let named: Vec<String> = missing.iter().map(|bdf| named(inputs.root, bdf, is_galaxy)).collect();
    let gaps = if gaps.is_empty() { String::new() } else { format!("; {}", gaps.join(", ")) };
    let text = format!(
        "{} Tenstorrent functions on the PCIe bus, {} have a device; without one: {}{gaps}",
        functions.len(),
        functions.len() - missing.len(),
        named.join(", ")
    );
    let remedy = "read the kernel log for these addresses; reset the board or tray with tt-smi -r, then power the host off and on";
    Some(Check::fail("pcie-functions", text, remedy))
}

/// A function by its address, with its slot and tray where these are known.
fn named(root: &Root, bdf: &str, is_galaxy: bool) -> String {
    let slot = slot(root, bdf).map(|slot| format!("slot {slot}"));
    let tray = tray(root, bdf).filter(|_| is_galaxy);
    let tray = tray.map(|(tray, number)| format!("tray {tray}, device {number}"));
    let known: Vec<String> = slot.into_iter().chain(tray).collect();
    if known.is_empty() { bdf.to_owned() } else { format!("{bdf} ({})", known.join(", ")) }
}

/// The name of the slot of a function. A slot's address has no function.
fn slot(root: &Root, bdf: &str) -> Option<String> {
    let (address, _function) = bdf.split_once('.')?;
    root.list(SLOTS).ok()?.iter().filter_map(|name| name.to_str()).find_map(|name| {
        let slot = root.read_text(&format!("{SLOTS}/{name}/address")).ok()?;
        (slot == address).then(|| name.to_owned())
    })
}

/// The tray of a function of a Galaxy, from 1, and the number that the driver gives its device. Both follow from the
/// bus number.
fn tray(root: &Root, bdf: &str) -> Option<(u8, u8)> {
    let device = root.read_text(&format!("{PCI_DEVICES}/{bdf}/device")).ok()?;
    let device = u16::from_str_radix(device.trim_start_matches("0x"), 16).ok()?;
    let at = TrayPosition::of(Arch::from_pci_device(device)?, bdf)?;
    Some((at.tray, at.device()))
}

/// Numbers that are missing between devices, one text for each gap. Devices must be sorted.
fn gaps(numbers: &[u32]) -> Vec<String> {
    let between = numbers.windows(2).filter_map(|pair| match pair {
        [low, high] if high - low == 2 => {
            Some(format!("number {} is missing between {low} and {high}", low + 1))
        }
        [low, high] if high - low > 2 => {
            let (first, last) = (low + 1, high - 1);
            Some(format!("numbers {first} to {last} are missing between {low} and {high}"))
        }
        _ => None,
    });
    between.collect()
}
