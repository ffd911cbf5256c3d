//! Devices that vanish, old drivers, and files with invalid content.

use rustix::io::Errno;
use ttmem_model::board::{self, Arch};

use crate::{BYTES, Board, Host, Process};
use ttmem_root::{Entry, Tree};

/// A board code that is not in the driver's table.
const UNKNOWN: &board::Board = &board::Board {
    name: "unknown",
    code: 0x99,
    arch: Arch::Wormhole,
    remote_asics: 0,
    worker_cores: None,
    dram_banks: None,
};

/// Returns the n150 with other content in files of its device, its sensors and its PCIe function.
fn with_files(attributes: &[(&str, &str)], sensors: &[(&str, &str)], pci: &[(&str, &str)]) -> Tree {
    let host = Host::n150();
    let device = host.device_directory(0);
    let files = [
        (device.clone(), attributes),
        (host.hwmon_directory(0), sensors),
        (device.trim_end_matches("/tenstorrent/tenstorrent!0").to_owned(), pci),
    ];
    let mut tree = host.into_tree();
    for (directory, contents) in files {
        for (name, content) in contents {
            tree.put(format!("{directory}/{name}"), Entry::file(*content));
        }
    }
    tree
}

/// Returns the files below a path, with their content.
fn files_below(tree: &Tree, directory: &str) -> Vec<(String, Vec<u8>)> {
    let below = format!("{directory}/");
    tree.iter()
        .filter(|(path, _)| path.starts_with(&below))
        .filter_map(|(path, entry)| match entry {
            Entry::File { bytes, .. } => Some((path.to_owned(), bytes.clone())),
            _ => None,
        })
        .collect()
}

/// Makes every file below a path fail.
fn fail_below(tree: &mut Tree, directory: &str, errno: Errno) {
    for (path, _) in files_below(tree, directory) {
        tree.put(path, Entry::Error(errno));
    }
}

/// No driver, and the board on the PCIe bus: exit code 9.
#[must_use]
pub(crate) fn no_driver() -> Tree {
    Host::new().board(Board::n150()).without_driver().into_tree()
}

/// The driver without a board: no chips.
#[must_use]
pub(crate) fn no_boards() -> Tree {
    Host::new().into_tree()
}

/// Driver 2.4.0: no ASIC id, no heartbeat, no list of owners. The owner is found by its open files, the rest is
/// unsupported.
#[must_use]
pub(crate) fn old_driver() -> Tree {
    Host::n150().driver("2.4.0").into_tree()
}

/// Driver 1.29 with a Blackhole: no PCIe counters, fan and limits either.
#[must_use]
pub fn very_old_driver() -> Tree {
    Host::p150().driver("1.29").into_tree()
}

/// The firmware publishes no ASIC id: the chip is known by its board id.
#[must_use]
pub(crate) fn missing_asic_id() -> Tree {
    let host = Host::n150();
    let path = format!("{}/tt_asic_id", host.device_directory(0));
    host.without(path).without("/dev/tenstorrent/by-id").into_tree()
}

/// A device without hwmon: temperature, voltage, current and power are unsupported.
#[must_use]
pub fn missing_hwmon() -> Tree {
    let host = Host::n150();
    let directory = host.hwmon_directory(0);
    host.without(directory).into_tree()
}

/// The sensors are denied: temperature, voltage, current and power too.
#[must_use]
pub(crate) fn unreadable_hwmon() -> Tree {
    let host = Host::n150();
    let directory = host.hwmon_directory(0);
    let mut tree = host.into_tree();
    fail_below(&mut tree, &directory, Errno::ACCESS);
    tree
}

/// A new driver without a list of owners: the owner is found by its open files.
#[must_use]
pub(crate) fn missing_pids() -> Tree {
    Host::n150().without("/proc/driver").into_tree()
}

/// Numbers are not numbers: each of them failed, the rest is right.
#[must_use]
pub fn garbage_numbers() -> Tree {
    with_files(
        &[
            ("tt_aiclk", "fast\n"),
            ("tt_arcclk", "-540\n"),
            ("tt_axiclk", "900 MHz\n"),
            ("tt_serial", "0000018000000xyz\n"),
            ("tt_asic_id", "00041C5A018000010000\n"),
            ("tt_heartbeat", "99999999999999999999999\n"),
            ("pcie_perf_counters/slv_posted_wr_data_word_received0", "4294967296\n"),
        ],
        &[("temp1_input", "hot\n"), ("in0_input", "0x320\n"), ("power1_max", "1e9\n")],
        &[("current_link_speed", "fast\n"), ("current_link_width", "x16\n")],
    )
}

/// Files are empty: each reading failed.
#[must_use]
pub(crate) fn empty_files() -> Tree {
    with_files(
        &[("tt_aiclk", ""), ("tt_card_type", ""), ("tt_serial", "\n"), ("tt_asic_id", "")],
        &[("temp1_input", ""), ("power1_input", "\n"), ("name", "")],
        &[("numa_node", ""), ("current_link_speed", "")],
    )
}

/// Files of one MiB where a line should be: bounded reads, and each reading failed.
#[must_use]
pub(crate) fn huge_files() -> Tree {
    let digits = "1".repeat(1 << 20);
    with_files(
        &[("tt_aiclk", &digits), ("tt_card_type", &digits), ("tt_fw_bundle_ver", &digits)],
        &[("temp1_input", &digits)],
        &[("numa_node", &digits)],
    )
}

/// The chip does not answer and every register reads as ones: no reading is accepted.
#[must_use]
pub fn all_ones() -> Tree {
    let ones = "4294967295\n";
    with_files(
        &[("tt_aiclk", ones), ("tt_arcclk", ones), ("tt_axiclk", ones), ("tt_heartbeat", ones)],
        &[("temp1_input", "4294967295000\n"), ("curr1_input", "4294967295000\n")],
        &[],
    )
}

/// PCI's markers for unknown values: no NUMA node, no link speed, 255 lanes.
#[must_use]
pub(crate) fn unknown_link_and_node() -> Tree {
    with_files(
        &[],
        &[],
        &[
            ("numa_node", "-1\n"),
            ("current_link_speed", "Unknown\n"),
            ("current_link_width", "255\n"),
        ],
    )
}

/// A board newer than this `ttmem`: its chip is there, its capacity missing.
#[must_use]
pub(crate) fn unknown_board() -> Tree {
    let process = Process::new(crate::PID, "python3");
    Host::new().board(Board::new(UNKNOWN)).workload(process, BYTES).into_tree()
}

/// Files of a chip in reset from driver 2.9 on: no data in the driver's values and the sensors', and all ones in
/// counters and in the PCIe link. Labels stay readable.
fn reset_entries(host: &Host) -> Vec<(String, Entry)> {
    let (device, hwmon) = (host.device_directory(0), host.hwmon_directory(0));
    let pci = device.trim_end_matches("/tenstorrent/tenstorrent!0").to_owned();
    let tree = Host::n150().into_tree();
    let is_value = |path: &str| {
        path.starts_with(&format!("{device}/tt_"))
            || path.starts_with(&hwmon) && (path.ends_with("_input") || path.ends_with("_max"))
    };
    let values = tree.iter().map(|(path, _)| path.to_owned()).filter(|path| is_value(path));
    let mut entries: Vec<_> = values.map(|path| (path, Entry::Error(Errno::NODATA))).collect();
    for (path, _) in files_below(&tree, &format!("{device}/pcie_perf_counters")) {
        entries.push((path, Entry::file("4294967295\n")));
    }
    entries.extend(dead_link(&pci));
    entries
}

/// The PCIe link of a chip that does not answer reads of its configuration.
fn dead_link(pci: &str) -> Vec<(String, Entry)> {
    let files = [
        ("current_link_speed", "Unknown\n"),
        ("current_link_width", "63\n"),
        ("max_link_speed", "64.0 GT/s PCIe\n"),
        ("max_link_width", "63\n"),
    ];
    files.map(|(name, text)| (format!("{pci}/{name}"), Entry::file(text))).into()
}

/// A reset begins between two snapshots.
#[must_use]
pub(crate) fn reset_begins() -> Tree {
    let host = Host::n150();
    let entries = reset_entries(&host);
    let mut tree = host.into_tree();
    for (path, after) in entries {
        let before = files_below(&tree, path.rsplit_once('/').map_or("", |(parent, _)| parent));
        let before = before.into_iter().find(|(name, _)| *name == path).map(|(_, bytes)| bytes);
        let before = Entry::file(before.unwrap_or_default());
        tree.put(path, Entry::changing(vec![before, after]));
    }
    tree
}

/// The chip is being reset.
#[must_use]
pub(crate) fn chip_resets() -> Tree {
    let host = Host::n150();
    let entries = reset_entries(&host);
    let mut tree = host.into_tree();
    for (path, entry) in entries {
        tree.put(path, entry);
    }
    tree
}

/// The PCIe link is down: the driver passes words of all ones on as numbers.
#[must_use]
pub(crate) fn link_is_dead() -> Tree {
    let host = Host::n150();
    let pci = host.device_directory(0);
    let pci = pci.trim_end_matches("/tenstorrent/tenstorrent!0").to_owned();
    let ones = "4294967295\n";
    let mut tree = with_files(
        &[
            ("tt_aiclk", ones),
            ("tt_axiclk", ones),
            ("tt_arcclk", ones),
            ("tt_heartbeat", ones),
            ("tt_asic_id", "FFFFFFFFFFFFFFFF\n"),
            ("tt_serial", "FFFFFFFFFFFFFFFF\n"),
            ("tt_card_type", "unknown\n"),
            ("tt_arc_fw_ver", "255.255.255.255\n"),
            ("tt_eth_fw_ver", "255.15.4095\n"),
            ("tt_fw_bundle_ver", "255.255.255.255\n"),
            ("pcie_perf_counters/slv_posted_wr_data_word_received0", ones),
        ],
        &[
            ("temp1_input", "65535999\n"),
            ("curr1_input", "4294966296\n"),
            ("in0_input", ones),
            ("power1_input", "1110490560\n"),
        ],
        &[],
    );
    for (path, entry) in dead_link(&pci) {
        tree.put(path, entry);
    }
    tree
}

/// The firmware was not ready when the driver was loaded: there are counters and nothing else.
#[must_use]
pub(crate) fn telemetry_not_ready() -> Tree {
    let host = Host::n150();
    let (device, hwmon) = (host.device_directory(0), host.hwmon_directory(0));
    let tree = Host::n150().into_tree();
    let values = tree.iter().map(|(path, _)| path).filter(|path| {
        path.starts_with(&format!("{device}/tt_")) || path.starts_with("/dev/tenstorrent/by-id")
    });
    let gone: Vec<String> = values.map(str::to_owned).chain([hwmon]).collect();
    gone.into_iter().fold(host, Host::without).into_tree()
}

/// A driver that still lists the files of an ended process after a reset: an owner that is not one.
#[must_use]
pub(crate) fn stale_owner_after_a_reset() -> Tree {
    let ended = 4300;
    Host::new().board(Board::n150()).owner(0, ended, 2).into_tree()
}

/// The chip was taken off the bus after the driver's class was listed: its link leads nowhere.
#[must_use]
pub(crate) fn chip_unplugged() -> Tree {
    let host = Host::n150();
    let pci = host.device_directory(0);
    let pci = pci.trim_end_matches("/tenstorrent/tenstorrent!0").to_owned();
    host.without(pci).without("/sys/bus/pci/devices/0000:01:00.0").into_tree()
}

/// A PCIe counter is lower at the second snapshot: it passed 2^32, or the chip was reset.
#[must_use]
pub(crate) fn pcie_counter_wraps() -> Tree {
    let host = Host::n150();
    let path = format!(
        "{}/pcie_perf_counters/slv_posted_wr_data_word_received0",
        host.device_directory(0)
    );
    let reads = vec![Entry::file("4294967196\n"), Entry::file("100\n")];
    host.file(path, Entry::changing(reads)).into_tree()
}

/// The class directory holds things that are not devices: one chip.
#[must_use]
pub(crate) fn strange_class_entries() -> Tree {
    let host = Host::n150();
    ["power", "tenstorrent!", "tenstorrent!x", "tenstorrent!99999999999", "tenstorrent!-1"]
        .into_iter()
        .fold(host, |host, name| {
            host.file(format!("/sys/class/tenstorrent/{name}/tt_aiclk"), Entry::file("1\n"))
        })
        .into_tree()
}

/// An n300 whose region ids happen to be ASIC ids: the local chip is joined by its id, the remote one by the process.
#[must_use]
pub(crate) fn n300_by_asic_id() -> Tree {
    let board = Board::n300();
    let local = board.region_ids.first().copied().unwrap_or_default();
    let process = Process::new(crate::PID, "python3");
    Host::new().board(board.asic_id(local)).workload(process, BYTES).into_tree()
}
