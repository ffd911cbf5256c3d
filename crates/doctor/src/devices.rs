//! The driver and its devices.

use std::collections::BTreeMap;

use ttmem_model::snapshot::Chip;
use ttmem_model::{MissingReason, Pid, Reading};
use ttmem_sources::source::kmd::DriverVersion;
use ttmem_sources::source::kmd::windows::total;

use super::{Check, Inputs, bus, count, findings, who};
use ttmem_root::Access;

pub(super) fn checks(inputs: &Inputs<'_>) -> Vec<Check> {
    let mut checks = vec![driver(inputs)];
    checks.extend(bus::check(inputs));
    if inputs.facts.devices.is_empty() {
        return checks;
    }
    checks.extend(nodes(inputs));
    checks.extend(firmware(inputs));
    checks.extend(telemetry(inputs));
    checks.extend(findings(
        inputs,
        "devices",
        &[
            "chip-vanished",
            "chip-answers-ones",
            "device-late",
            "no-telemetry",
            "opener-gone",
            "tray-incomplete",
        ],
    ));
    checks.extend(findings(inputs, "pcie-link", &["link-degraded"]));
    checks.extend(windows(inputs));
    checks
}

/// Share of a device's windows from which on a warning comes.
const WINDOWS_FEW: f64 = 0.9;

/// Devices of which almost all windows are allocated, and windows of processes that have ended. TT-Metal fails with
/// `tt_tlb_alloc failed with error code -12` when none is left.
fn windows(inputs: &Inputs<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    for device in &inputs.facts.devices {
        let (Some(Ok(windows)), Ok(arch)) = (inputs.windows.get(&device.number), &device.arch)
        else {
            continue;
        };
        let all = total(*arch);
        let small = |ids: &Vec<u64>| ids.iter().filter(|id| **id < all).count() as u64;
        let used: u64 = windows.values().map(small).sum();
        let gone = |pid: &Pid| {
            !inputs.facts.processes.contains_key(pid)
                && inputs.root.list(&format!("/proc/{pid}")).is_err_and(|error| error.is_absent())
        };
        let stale: u64 =
            windows.iter().filter(|(pid, _)| gone(pid)).map(|(_, ids)| small(ids)).sum();
        let (number, most) = (device.number, windows.iter().max_by_key(|(_, ids)| small(ids)));
        #[expect(clippy::cast_precision_loss, reason = "a chip has a few hundred windows")]
        let is_few = used as f64 >= all as f64 * WINDOWS_FEW;
        if is_few {
            let most = most.map(|(pid, ids)| format!(", {} of them by process {pid}", small(ids)));
            checks.push(Check::warn(
                "windows",
                format!(
                    "{used} of {all} TLB windows of device {number} are allocated{}",
                    most.unwrap_or_default()
                ),
                "end a process that has many; without a window TT-Metal does not start (error -12)",
            ));
        } else if stale > 0 {
            checks.push(Check::warn(
                "windows",
                format!(
                    "{stale} TLB windows of device {number} belong to processes that have ended"
                ),
                "tt-smi -r frees them from tt-kmd 2.10.0 on; reload an older driver",
            ));
        }
    }
    checks
}

fn driver(inputs: &Inputs<'_>) -> Check {
    let devices = inputs.facts.devices.len();
    let Some(version) = &inputs.facts.host.driver else {
        return if devices == 0 { no_driver(inputs) } else { no_version(devices) };
    };
    if devices == 0 {
        return Check::warn(
            "driver",
            format!("tt-kmd {version} is loaded and has no device"),
            "look for the board with lspci -d 1e52:, and read the kernel log",
        );
    }
    let text = format!("tt-kmd {version}, {}", count(devices, "device"));
    let owners = DriverVersion::of(Some(version));
    if owners.lists_owners() {
        return Check::pass("driver", text);
    }
    let why = if owners.has_list() {
        "it lists the processes that have a device open by the numbers of their own pid namespaces"
    } else {
        "it does not list the processes that have a device open"
    };
    Check::warn(
        "driver",
        format!("{text}: {why}"),
        "use tt-kmd 2.7.0 or newer; until then ttmem searches open files, which only root sees of all users",
    )
}

/// The driver has devices, so it is loaded, and its version is not there: in a container, or in a copy of a host.
fn no_version(devices: usize) -> Check {
    Check::warn(
        "driver",
        format!("{}, and /sys/module/tenstorrent/version is not shown", count(devices, "device")),
        "show /sys/module; without the version, ttmem takes the driver for 2.7.0 or newer, whose lists of owners it believes",
    )
}

fn no_driver(inputs: &Inputs<'_>) -> Check {
    match bus::functions(inputs.root).len() {
        0 => Check::warn(
            "driver",
            "no driver and no board: only mock and simulated chips can be seen",
            "on a machine with boards, install tt-kmd",
        ),
        boards => Check::fail(
            "driver",
            format!("{} on the PCIe bus and no driver", count(boards, "board")),
            "install tt-kmd, or load it with modprobe tenstorrent",
        ),
    }
}

/// The device nodes. Whether they may be opened is asked without opening them. None where a copy of a host has none.
fn nodes(inputs: &Inputs<'_>) -> Option<Check> {
    let path = |number: u32| format!("/dev/tenstorrent/{number}");
    let of = |wanted: Access| -> Vec<String> {
        let numbers = inputs.facts.devices.iter().map(|device| device.number);
        numbers.map(path).filter(|path| inputs.root.access(path) == wanted).collect()
    };
    let (absent, denied) = (of(Access::Absent), of(Access::Denied));
    if !inputs.root.is_system() && inputs.root.list("/dev/tenstorrent").is_err() {
        return None;
    }
    if !absent.is_empty() {
        return Some(Check::fail(
            "device-nodes",
            format!("{} not there", named(&absent, "is", "are")),
            "udev makes them when the driver is loaded; in a container pass them with --device /dev/tenstorrent",
        ));
    }
    if !denied.is_empty() {
        return Some(Check::warn(
            "device-nodes",
            format!("{} may not be opened by this user", named(&denied, "", "")),
            "workloads need that, and ttmem l1: join the group of the device, or see tt-kmd's udev rules",
        ));
    }
    let text = format!("{}, each may be opened", count(inputs.facts.devices.len(), "node"));
    Some(Check::pass("device-nodes", text))
}

/// Readings that the driver gives and that cannot be: a chip that has left the bus reads as ones.
fn telemetry(inputs: &Inputs<'_>) -> Option<Check> {
    let failed = |chip: &Chip| {
        let missing = chip.telemetry.values().filter_map(Reading::missing);
        let mut failed = missing.filter(|missing| missing.reason == MissingReason::Failed);
        let first = failed.next()?.detail.to_string();
        Some((1 + failed.count(), first))
    };
    // A chip that does not answer at all is a finding of its own.
    let silent = |chip: &&Chip| {
        inputs.snapshot.findings.iter().any(|finding| {
            finding.chip == Some(chip.id) && finding.id.as_str() == "chip-answers-ones"
        })
    };
    let chips = inputs.snapshot.chips.iter().filter(|chip| !silent(chip));
    let mut found = chips.filter_map(|chip| Some((chip.index, failed(chip)?)));
    let (index, (number, first)) = found.next()?;
    let readings = count(number, "reading");
    let others = match found.count() {
        0 => String::new(),
        1 => "; 1 other chip has some, too".to_owned(),
        others => format!("; {others} other chips have some, too"),
    };
    Some(Check::warn(
        "telemetry",
        format!("chip {index} has {readings} that cannot be used, such as {first}{others}"),
        "read the kernel log; use a tt-kmd that knows the firmware, otherwise reset the board with tt-smi -r",
    ))
}

/// `/dev/x is`, `/dev/x and 3 more are`: the paths with a verb for one or for several.
fn named(paths: &[String], one: &str, several: &str) -> String {
    let text = match paths {
        [] => String::new(),
        [path] => format!("{path} {one}"),
        [first, rest @ ..] => format!("{first} and {} more {several}", rest.len()),
    };
    text.trim_end().to_owned()
}

/// Chips of one architecture should run the same firmware. None if no chip answers, which is a finding.
fn firmware(inputs: &Inputs<'_>) -> Option<Check> {
    let mut bundles: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let local = inputs.snapshot.chips.iter().filter(|chip| chip.bdf.is_some());
    let is_reached = |chip: &&Chip| who::unreachable(inputs.snapshot, chip.id).is_none();
    let answering: Vec<&Chip> = local.filter(is_reached).collect();
    let mut without = 0;
    for chip in &answering {
        let (Some(arch), Some(bundle)) = (chip.arch, chip.firmware.get("bundle")) else {
            without += 1;
            continue;
        };
        let of_arch = bundles.entry(arch.as_str()).or_default();
        if !of_arch.contains(&bundle.as_str()) {
            of_arch.push(bundle);
        }
    }
    let named = |(arch, bundles): (&&str, &Vec<&str>)| format!("{arch} {}", bundles.join(" and "));
    let mut texts: Vec<String> = bundles.iter().map(named).collect();
    if without > 0 {
        texts.push(format!("{} without a bundle version", count(without, "chip")));
    }
    let text = texts.join(", ");
    if answering.is_empty() {
        return None;
    }
    if bundles.values().any(|of_arch| of_arch.len() > 1) {
        return Some(Check::warn(
            "firmware",
            format!("chips run different firmware: {text}"),
            "flash all boards with the same bundle (tt-flash)",
        ));
    }
    Some(Check::pass("firmware", text))
}
