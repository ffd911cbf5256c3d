//! Findings about devices: gone, in reset, late, without firmware.

use std::collections::BTreeSet;

use ttmem_model::board::{TRAY_DEVICES, TrayPosition};
use ttmem_model::facts::{Device, Facts};
use ttmem_model::finding::{Finding, Severity};
use ttmem_model::order::Gather as _;
use ttmem_model::{Arch, MissingReason};

use super::Subject;
use crate::join::{Joined, JoinedChip};

/// Finds problems of a chip that the driver's files show. If several reasons explain missing files, the first explains
/// the others.
pub(super) fn find(joined: &Joined<'_>, chip: &JoinedChip) -> Vec<Finding> {
    let Some(device) = joined.device(chip) else { return Vec::new() };
    unusable(joined, chip, device).into_iter().chain(slow_link(chip, device)).collect()
}

fn unusable(joined: &Joined<'_>, chip: &JoinedChip, device: &Device) -> Option<Finding> {
    late(joined, chip, device)
        .or_else(|| answers_ones(chip, device))
        .or_else(|| vanished(chip, device))
        .or_else(|| without_telemetry(joined, chip, device))
}

/// A PCIe link with fewer lanes, or at a lower speed, than the chip can have.
fn slow_link(chip: &JoinedChip, device: &Device) -> Option<Finding> {
    let pcie = &device.pcie;
    let (Ok(width), Ok(max_width)) = (&pcie.current_width, &pcie.max_width) else { return None };
    let (Ok(speed), Ok(max_speed)) = (&pcie.current_speed_gts, &pcie.max_speed_gts) else {
        return None;
    };
    (width < max_width || speed < max_speed).then(|| {
        Subject::chip(chip).finding(
            "link-degraded",
            Severity::Warning,
            format!(
                "{} runs at x{width} {speed} GT/s of x{max_width} {max_speed} GT/s",
                named(chip, device)
            ),
            "check that the slot offers this; seat the board again, or reset it with tt-smi -r",
        )
    })
}

/// Names a chip by its index and PCIe address.
fn named(chip: &JoinedChip, device: &Device) -> String {
    match &device.bdf {
        Some(bdf) => format!("chip {} ({bdf})", chip.index),
        None => format!("chip {}", chip.index),
    }
}

/// A chip whose files were not read before the deadline.
fn late(joined: &Joined<'_>, chip: &JoinedChip, device: &Device) -> Option<Finding> {
    let late = device.late?;
    let tenths = joined.facts.time.micros_since(late.since) / 100_000;
    let values = if device.read_at < late.since { "; its values are older" } else { "" };
    Some(Subject::chip(chip).finding(
        "device-late",
        Severity::Warning,
        format!(
            "{} timed out: the driver has not answered for {}.{} s{values}",
            named(chip, device),
            tenths / 10,
            tenths % 10
        ),
        "a reset, or firmware that does not answer, holds the driver's lock; if it lasts, read the kernel log",
    ))
}

/// A chip that answers with all ones.
fn answers_ones(chip: &JoinedChip, device: &Device) -> Option<Finding> {
    device.answers_ones.then(|| {
        Subject::chip(chip).finding(
            "chip-answers-ones",
            Severity::Error,
            format!(
                "{} answers with all ones: it is in reset, or its PCIe link is down",
                named(chip, device)
            ),
            "if no reset is running, reset the board with tt-smi -r and read the kernel log",
        )
    })
}

/// A chip whose files answered that it is gone.
fn vanished(chip: &JoinedChip, device: &Device) -> Option<Finding> {
    let missing = device.vanished.as_ref()?;
    Some(Subject::chip(chip).finding(
        "chip-vanished",
        Severity::Error,
        format!("{} went away while it was read: {}", named(chip, device), missing.detail),
        "if no reset is running, read the kernel log",
    ))
}

/// Finds a chip without any telemetry: the driver publishes none of its architecture, or found no supported table when it was
/// loaded.
fn without_telemetry(joined: &Joined<'_>, chip: &JoinedChip, device: &Device) -> Option<Finding> {
    let is_unsupported = |reason: MissingReason| reason == MissingReason::Unsupported;
    let mut telemetry = device.telemetry.values();
    let has_none =
        telemetry.all(|field| field.as_ref().is_err_and(|missing| is_unsupported(missing.reason)));
    let is_named = device.serial.is_ok() || device.asic_id.is_ok();
    (has_none && !is_named && !device.telemetry.is_empty()).then(|| {
        let (why, remedy) = match driver_before_telemetry(joined.facts, device) {
            Some((version, arch, first)) => (
                format!("tt-kmd {version} publishes none of a {arch} chip"),
                format!("use tt-kmd {first} or newer"),
            ),
            None => (
                "its firmware was not ready when the driver was loaded, or the driver does not know its table".to_owned(),
                "wait two minutes after a reset; then load the driver again, or update the firmware with tt-flash".to_owned(),
            ),
        };
        let text = format!("{} has no telemetry: {why}", named(chip, device));
        Subject::chip(chip).finding("no-telemetry", Severity::Warning, text, remedy)
    })
}

/// Returns the version of a driver that publishes no telemetry of a device's architecture, with the first version that does.
fn driver_before_telemetry<'a>(
    facts: &'a Facts,
    device: &Device,
) -> Option<(&'a str, &'static str, &'static str)> {
    let version = facts.host.driver.as_deref()?;
    let arch = device.arch.as_ref().ok()?;
    let (minor, first) = match arch {
        Arch::Wormhole => (27, "1.27"),
        Arch::Blackhole => (32, "1.32"),
    };
    let of_version = version.strip_prefix("1.")?.split(['.', '-']).next()?.parse::<u32>().ok()?;
    (of_version < minor).then_some((version, arch.as_str(), first))
}

/// Finds trays of a Galaxy of which the driver shows some chips and not all. A tray without any chip may be another
/// machine's.
pub(super) fn incomplete_trays(facts: &Facts) -> Vec<Finding> {
    let shown: BTreeSet<TrayPosition> = facts.devices.iter().filter_map(position).gather();
    let trays: BTreeSet<u8> = shown.iter().map(|at| at.tray).gather();
    let finding = |tray: u8| {
        let positions = (1..=TRAY_DEVICES).map(|position| TrayPosition { tray, position });
        let missing: Vec<TrayPosition> = positions.filter(|at| !shown.contains(at)).collect();
        let named =
            |at: &TrayPosition| format!("{}:{} (device {})", at.tray, at.position, at.device());
        let names: Vec<String> = missing.iter().map(named).collect();
        let count = usize::from(TRAY_DEVICES) - missing.len();
        (!missing.is_empty()).then(|| {
            Subject { chip: None, pid: None }.finding(
                "tray-incomplete",
                Severity::Warning,
                format!("the driver shows {count} of {TRAY_DEVICES} chips of tray {tray}, without {}", names.join(", ")),
                "a virtual machine may have only these; elsewhere ttmem doctor says which are on the PCIe bus: reset the tray with tt-smi -r, then power the host off and on",
            )
        })
    };
    trays.into_iter().filter_map(finding).collect()
}

/// The position of a device, if it is of a Galaxy.
fn position(device: &Device) -> Option<TrayPosition> {
    let card = device.card_type.as_ref().ok()?;
    let arch = device.arch.as_ref().ok().filter(|_| card.starts_with("galaxy-"))?;
    TrayPosition::of(*arch, device.bdf.as_deref()?)
}
