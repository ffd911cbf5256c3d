//! The driver and its devices.

use std::collections::BTreeMap;

use ttmem_model::snapshot::Chip;
use ttmem_model::{MissingReason, Pid, Reading};
use ttmem_sources::source::kmd::windows::total;

use super::{Check, Inputs, bus, count, findings};
use ttmem_root::Access;

/// The first version of the driver that tells who has a device open.
const TELLS_OWNERS: [u64; 3] = [2, 5, 0];

pub(super) fn checks(inputs: &Inputs<'_>) -> Vec<Check> {
    let mut checks = vec![driver(inputs)];
    checks.extend(bus::check(inputs));
    if inputs.facts.devices.is_empty() {
        return checks;
    }
    checks.push(nodes(inputs));
    checks.push(firmware(inputs));
    checks.extend(telemetry(inputs));
    checks.extend(findings(
        inputs,
        "devices",
        &["chip-vanished", "chip-answers-ones", "device-late", "no-telemetry", "opener-gone"],
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
                format!("{stale} TLB windows of device {number} belong to processes that have ended"),
                "a reset with tt-smi -r gives them back from tt-kmd 2.10.0 on; before, load the driver again",
            ));
        }
    }
    checks
}

fn driver(inputs: &Inputs<'_>) -> Check {
    let Some(version) = &inputs.facts.host.driver else {
        return no_driver(inputs);
    };
    let devices = inputs.facts.devices.len();
    if devices == 0 {
        return Check::warn(
            "driver",
            format!("tt-kmd {version} is loaded and has no device"),
            "look for the board with lspci -d 1e52: and into the kernel log",
        );
    }
    let text = format!("tt-kmd {version}, {}", count(devices, "device"));
    let numbers: Vec<u64> = version.split('.').filter_map(|part| part.parse().ok()).collect();
    if numbers.as_slice() < TELLS_OWNERS.as_slice() {
        return Check::warn(
            "driver",
            format!("{text}: it does not tell who has a device open"),
            "use tt-kmd 2.5.0 or newer",
        );
    }
    Check::pass("driver", text)
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

/// The device nodes. Whether they may be opened is asked without opening them.
fn nodes(inputs: &Inputs<'_>) -> Check {
    let path = |number: u32| format!("/dev/tenstorrent/{number}");
    let of = |wanted: Access| -> Vec<String> {
        let numbers = inputs.facts.devices.iter().map(|device| device.number);
        numbers.map(path).filter(|path| inputs.root.access(path) == wanted).collect()
    };
    let (absent, denied) = (of(Access::Absent), of(Access::Denied));
    if !absent.is_empty() {
        return Check::fail(
            "device-nodes",
            format!("{} not there", named(&absent)),
            "udev makes them when the driver is loaded; in a container pass them with --device /dev/tenstorrent",
        );
    }
    if !denied.is_empty() {
        return Check::warn(
            "device-nodes",
            format!("{} may not be opened by this user", named(&denied)),
            "workloads need that, and ttmem l1: join the group of the device, or see tt-kmd's udev rules",
        );
    }
    Check::pass(
        "device-nodes",
        format!("{}, each may be opened", count(inputs.facts.devices.len(), "node")),
    )
}

/// Readings that the driver gives and that cannot be: a chip that has left the bus reads as ones.
fn telemetry(inputs: &Inputs<'_>) -> Option<Check> {
    let failed = |chip: &Chip| {
        let missing = chip.telemetry.values().filter_map(Reading::missing);
        let mut failed = missing.filter(|missing| missing.reason == MissingReason::Failed);
        let first = failed.next()?.detail.clone();
        Some((1 + failed.count(), first))
    };
    let chips = inputs.snapshot.chips.iter();
    let mut found = chips.filter_map(|chip| Some((chip.index, failed(chip)?)));
    let (index, (number, first)) = found.next()?;
    let readings = count(number, "reading");
    let others = match found.count() {
        0 => String::new(),
        others => format!("; so have {} more", count(others, "chip")),
    };
    Some(Check::warn(
        "telemetry",
        format!("chip {index} has {readings} that cannot be used, such as {first}{others}"),
        "look into the kernel log; if it says nothing of it, reset the board with tt-smi -r",
    ))
}

/// `/dev/x is`, `/dev/x and 3 more are`.
fn named(paths: &[String]) -> String {
    match paths {
        [] => String::new(),
        [one] => format!("{one} is"),
        [first, rest @ ..] => format!("{first} and {} more are", rest.len()),
    }
}

/// Chips of one architecture should run the same firmware.
fn firmware(inputs: &Inputs<'_>) -> Check {
    let mut bundles: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for chip in &inputs.snapshot.chips {
        let (Some(arch), Some(bundle)) = (chip.arch, chip.firmware.get("bundle")) else { continue };
        let of_arch = bundles.entry(arch.as_str()).or_default();
        if !of_arch.contains(&bundle.as_str()) {
            of_arch.push(bundle);
        }
    }
    let told = |(arch, bundles): (&&str, &Vec<&str>)| format!("{arch} {}", bundles.join(" and "));
    let text = bundles.iter().map(told).collect::<Vec<_>>().join(", ");
    if bundles.is_empty() {
        return Check::pass("firmware", "the driver does not tell the firmware's version");
    }
    if bundles.values().any(|of_arch| of_arch.len() > 1) {
        return Check::warn(
            "firmware",
            format!("chips run different firmware: {text}"),
            "flash all boards with the same bundle (tt-flash)",
        );
    }
    Check::pass("firmware", text)
}
