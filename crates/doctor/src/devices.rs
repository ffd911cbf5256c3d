//! The driver and its devices.

use std::collections::BTreeMap;

use ttmem_model::snapshot::Chip;
use ttmem_model::{MissingReason, Reading};

use super::{Check, Inputs, count, findings};
use ttmem_root::Access;

/// Tenstorrent's number among the makers of PCIe functions.
const VENDOR: &str = "0x1e52";
const PCI_DEVICES: &str = "/sys/bus/pci/devices";
/// The first version of the driver that tells who has a device open.
const TELLS_OWNERS: [u64; 3] = [2, 5, 0];

pub(super) fn checks(inputs: &Inputs<'_>) -> Vec<Check> {
    let mut checks = vec![driver(inputs)];
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
    let is_board = |name: &std::ffi::OsString| {
        let path = format!("{PCI_DEVICES}/{}/vendor", name.to_string_lossy());
        inputs.root.read_text(&path).is_ok_and(|vendor| vendor == VENDOR)
    };
    let boards = inputs.root.list(PCI_DEVICES).unwrap_or_default();
    match boards.iter().filter(|name| is_board(name)).count() {
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
