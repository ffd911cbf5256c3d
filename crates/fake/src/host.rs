//! A host: boards, processes and regions, and the open devices.

use std::collections::BTreeMap;

use ttmem_model::facts::RegionBytes;

use super::device::{Board, Device, DriverVersion};
use super::process::Process;
use super::region::{self, Region};
use super::segment::Segment;
use super::{BOOT, NOW};
use ttmem_root::{Entry, Tree};

/// The process of the hosts with a workload.
pub const PID: i32 = 4242;

/// The memory of that process on each chip.
pub const BYTES: RegionBytes = RegionBytes {
    dram: 1 << 30,
    l1: 8 << 20,
    l1_small: 64 << 10,
    trace: 2 << 20,
    circular_buffers: 884_736,
};

/// The owner of processes and regions by default.
const ALICE: u32 = 1000;

/// The open files of one device in a stock process.
const OPEN_FILES: usize = 4;

/// PCIe buses in the order in which boards get them.
const BUSES: [u8; 8] = [0x01, 0x41, 0x81, 0xc1, 0x21, 0x61, 0xa1, 0xe1];

/// The path of the region of a chip in the host's own `/dev/shm`.
#[must_use]
pub fn region_path(id: u64) -> String {
    format!("/dev/shm/tt_device_{id}_memory")
}

/// A host under construction.
#[derive(Debug)]
pub struct Host {
    name: String,
    driver: Option<String>,
    boards: Vec<Board>,
    processes: BTreeMap<i32, Process>,
    regions: Vec<RegionFile>,
    /// Directory, owner, segment.
    segments: Vec<(String, u32, Segment)>,
    /// Pids that opened a device, one per open file, oldest first.
    holders: BTreeMap<u32, Vec<i32>>,
    /// Paths that are replaced or, with `None`, removed at the end.
    changes: Vec<(String, Option<Entry>)>,
}

#[derive(Debug)]
struct RegionFile {
    directory: String,
    uid: u32,
    region: Region,
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl Host {
    /// Creates a host with driver 2.10.0 and no board; two unrelated processes run on it.
    #[must_use]
    pub fn new() -> Self {
        let host = Self {
            name: "tt-host".to_owned(),
            driver: Some("2.10.0".to_owned()),
            boards: Vec::new(),
            processes: BTreeMap::new(),
            regions: Vec::new(),
            segments: Vec::new(),
            holders: BTreeMap::new(),
            changes: Vec::new(),
        };
        let first = |pid, name| Process::new(pid, name).uid(0).started(BOOT).threads(1);
        host.process(first(1, "systemd").command(&["/sbin/init", "splash"]))
            .process(first(2, "kthreadd").command::<&str>(&[]))
    }

    /// Creates a host with one n150 and a process on it.
    #[must_use]
    pub fn n150() -> Self {
        Self::new().board(Board::n150()).workload(pytest(), BYTES)
    }

    /// Creates a host with one n300 and a process on both of its chips, each with a region of its own.
    #[must_use]
    pub fn n300() -> Self {
        Self::new().board(Board::n300()).workload(pytest(), BYTES)
    }

    /// Creates a host with one n300 and a process on both of its chips; the remote chip has only a row in the region of
    /// the other.
    #[must_use]
    pub(crate) fn n300_rows() -> Self {
        let board = Board::n300();
        let local = board.region_ids.first().copied().unwrap_or_default();
        let region = Region::new(local).chip_row(0, BYTES).remote_chip_row(1, BYTES).slot(
            PID,
            "python3",
            region::add(BYTES, BYTES),
        );
        Self::new().board(board).process(pytest()).owner(0, PID, OPEN_FILES).region(region)
    }

    /// Creates a host with one p150a and a process on it.
    #[must_use]
    pub fn p150() -> Self {
        Self::new().board(Board::p150()).workload(pytest(), BYTES)
    }

    /// Creates a T3000: four n300 with eight chips, and a process on all of them. Region ids are those of a real one.
    #[must_use]
    pub fn t3000() -> Self {
        let local = [0x2_6190_302b, 0x2_6190_3099, 0x2_6190_30a7, 0x2_6190_30aa];
        let mut host = Self::new();
        for (index, id) in (0..).zip(local) {
            let board = Board::n300();
            let (serial, asic_id) = (board.serial + index, board.asic_id + index);
            let region_ids = [id, id + (1 << 32)];
            host = host.board(board.serial(serial).asic_id(asic_id).with_region_ids(&region_ids));
        }
        host.workload(pytest(), BYTES)
    }

    /// Creates a Wormhole Galaxy: four trays of eight chips, and a process on all of them. The driver numbers its
    /// devices by tray (buses c1, 81, 01, 41), TT-Metal by bus.
    #[must_use]
    pub fn galaxy() -> Self {
        let trays = [0xc1, 0x81, 0x01, 0x41];
        let host = trays
            .into_iter()
            .fold(Self::new(), |host, first_bus| host.board(Board::galaxy_tray(first_bus)));
        host.workload(pytest(), BYTES)
    }

    /// Sets the name of the host.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Sets the version of the driver. Older ones publish less: before 2.5.0 there is no list of owners.
    #[must_use]
    pub fn driver(mut self, version: &str) -> Self {
        self.driver = Some(version.to_owned());
        self
    }

    /// Removes the driver. The boards are still on the PCIe bus.
    #[must_use]
    pub fn without_driver(mut self) -> Self {
        self.driver = None;
        self
    }

    /// Adds a board. Its functions get the next device numbers.
    #[must_use]
    pub fn board(mut self, mut board: Board) -> Self {
        if board.buses.is_empty() {
            let index = self.boards.len();
            let round = u8::try_from(index / BUSES.len()).unwrap_or(u8::MAX);
            board.buses = vec![BUSES[index % BUSES.len()].wrapping_add(round)];
        }
        self.boards.push(board);
        self
    }

    /// Adds a process, replacing one with the same pid.
    #[must_use]
    pub fn process(mut self, process: Process) -> Self {
        self.processes.insert(process.pid(), process);
        self
    }

    /// Removes a process; its regions and open devices stay.
    #[must_use]
    pub fn without_process(mut self, pid: i32) -> Self {
        self.processes.remove(&pid);
        self
    }

    /// Adds `open_files` open files of a device for a process, after all earlier ones. The process need not exist.
    #[must_use]
    pub fn owner(mut self, device: u32, pid: i32, open_files: usize) -> Self {
        self.holders.entry(device).or_default().extend(std::iter::repeat_n(pid, open_files));
        self
    }

    /// Adds `open_files` open files of a device for processes outside our pid namespace.
    #[must_use]
    pub fn outside(self, device: u32, open_files: usize) -> Self {
        self.owner(device, 0, open_files)
    }

    /// Adds a region of alice's to the host's own `/dev/shm`, replacing one with the same id.
    #[must_use]
    pub fn region(self, region: Region) -> Self {
        let directory = "/dev/shm".to_owned();
        self.region_file(RegionFile { directory, uid: ALICE, region })
    }

    /// Adds a region to the `/dev/shm` that a process of the host sees; it belongs to the process's user.
    #[must_use]
    pub fn region_of(self, pid: i32, region: Region) -> Self {
        let Some(process) = self.processes.get(&pid) else { return self.region(region) };
        let (directory, uid) = (process.shm_directory(), process.user());
        self.region_file(RegionFile { directory, uid, region })
    }

    /// Adds an agent segment to the `/dev/shm` that a process of the host sees; owned by alice if there is no such
    /// process.
    #[must_use]
    pub fn segment_of(mut self, pid: i32, segment: Segment) -> Self {
        let process = self.processes.get(&pid);
        let directory = process.map_or_else(|| "/dev/shm".to_owned(), Process::shm_directory);
        let uid = process.map_or(ALICE, Process::user);
        self.segments.push((directory, uid, segment));
        self
    }

    fn region_file(mut self, file: RegionFile) -> Self {
        self.regions.retain(|other| {
            other.directory != file.directory || other.region.id() != file.region.id()
        });
        self.regions.push(file);
        self
    }

    /// Adds a process that has every device open and uses `bytes` on every chip, each in a region of its own.
    #[must_use]
    pub fn workload(self, process: Process, bytes: RegionBytes) -> Self {
        let (pid, own_pid) = (process.pid(), process.own_pid());
        let name = process.name().to_vec();
        let devices = self.devices();
        let mut host = self.process(process);
        for device in devices {
            host = host.owner(device.number, pid, OPEN_FILES);
        }
        for (device_id, id) in (0..).zip(host.region_ids()) {
            let region = Region::new(id).device_id(device_id).slot(own_pid, &name, bytes);
            host = host.region_of(pid, region);
        }
        host
    }

    /// Returns the ids of the regions of all chips as TT-Metal numbers them: chips with a PCIe function by bus, then
    /// remote ones.
    #[must_use]
    pub fn region_ids(&self) -> Vec<u64> {
        let mut local = Vec::new();
        let mut remote = Vec::new();
        for board in &self.boards {
            let bus = board.buses.first().copied().unwrap_or_default();
            for (index, id) in (0..).zip(&board.region_ids) {
                match board.buses.get(index) {
                    Some(bus) => local.push((*bus, *id)),
                    None => remote.push((bus, *id)),
                }
            }
        }
        local.sort_unstable();
        remote.sort_unstable();
        local.into_iter().chain(remote).map(|(_, id)| id).collect()
    }

    /// Returns the sysfs directory of a device; empty if there is no such device.
    #[must_use]
    pub fn device_directory(&self, device: u32) -> String {
        self.device(device).map(|device| device.directory()).unwrap_or_default()
    }

    /// Returns the hwmon directory of a device; empty if there is no such device.
    #[must_use]
    pub fn hwmon_directory(&self, device: u32) -> String {
        self.device(device).map(|device| device.hwmon_directory()).unwrap_or_default()
    }

    /// Replaces the entry of the finished host at a path.
    #[must_use]
    pub fn file(mut self, path: impl Into<String>, entry: Entry) -> Self {
        self.changes.push((path.into(), Some(entry)));
        self
    }

    /// Removes the entry of the finished host at a path, and everything below it.
    #[must_use]
    pub fn without(mut self, path: impl Into<String>) -> Self {
        self.changes.push((path.into(), None));
        self
    }

    /// Returns the files of the host.
    #[must_use]
    pub fn into_tree(self) -> Tree {
        let mut tree = Tree::new();
        self.put_system(&mut tree);
        self.put_devices(&mut tree);
        for process in self.processes.values() {
            process.put(&mut tree, &self.opened_by(process.pid()));
        }
        for RegionFile { directory, uid, region } in &self.regions {
            let path = format!("{directory}/tt_device_{}_memory", region.id());
            tree.put(path, Entry::File { bytes: region.image(), uid: *uid });
        }
        for (directory, uid, segment) in &self.segments {
            let path = format!("{directory}/{}", segment.name());
            tree.put(path, Entry::File { bytes: segment.image(), uid: *uid });
        }
        for (path, entry) in self.changes {
            tree.remove(&path);
            if let Some(entry) = entry {
                tree.put(path, entry);
            }
        }
        tree
    }

    fn devices(&self) -> Vec<Device> {
        let mut devices = Vec::new();
        for Board { kind, serial, asic_id, buses, telemetry, .. } in &self.boards {
            for (index, bus) in (0..).zip(buses) {
                devices.push(Device {
                    number: u32::try_from(devices.len()).unwrap_or(u32::MAX),
                    bus: *bus,
                    kind,
                    serial: *serial,
                    asic_id: asic_id + index,
                    telemetry: telemetry.clone(),
                });
            }
        }
        devices
    }

    fn device(&self, number: u32) -> Option<Device> {
        self.devices().into_iter().find(|device| device.number == number)
    }

    fn opened_by(&self, pid: i32) -> Vec<u32> {
        let all = self.holders.iter();
        let own = all.flat_map(|(device, pids)| {
            std::iter::repeat_n(*device, pids.iter().filter(|holder| **holder == pid).count())
        });
        own.collect()
    }

    fn put_system(&self, tree: &mut Tree) {
        let boot_seconds = BOOT.0 / 1_000_000;
        let up_seconds = NOW.micros_since(BOOT) / 1_000_000;
        tree.put_line(
            "/proc/stat",
            format!(
                "cpu  8123456 2345 912345 862345678 12345 0 4567 0 0 0\n\
                 ctxt 987654321\nbtime {boot_seconds}\nprocesses 812345\nprocs_running 2\nprocs_blocked 0"
            ),
        );
        tree.put_line("/proc/uptime", format!("{up_seconds}.00 {}.00", up_seconds * 7));
        tree.put_line("/proc/sys/kernel/hostname", &self.name);
        tree.put_line("/proc/sys/kernel/osrelease", "6.8.0-45-generic");
        tree.put("/sys/kernel/mm/hugepages", Entry::Directory);
        tree.put_line("/etc/hostname", &self.name);
        tree.put_line(
            "/etc/passwd",
            "root:x:0:0:root:/root:/bin/bash\n\
             alice:x:1000:1000:Alice,,,:/home/alice:/bin/bash\n\
             bob:x:1001:1001::/home/bob:/bin/sh",
        );
        tree.put("/dev/shm", Entry::Directory);
    }

    fn put_devices(&self, tree: &mut Tree) {
        let devices = self.devices();
        for device in &devices {
            device.put_pci(tree);
        }
        let Some(version) = &self.driver else { return };
        tree.put_line("/sys/module/tenstorrent/version", version);
        tree.put("/sys/class/tenstorrent", Entry::Directory);
        tree.put("/dev/tenstorrent", Entry::Directory);
        let driver = DriverVersion::parse(version);
        for device in &devices {
            let number = device.number;
            let holders = self.holders.get(&number).map_or(&[][..], Vec::as_slice);
            device.put_driver(tree, driver, !holders.is_empty());
            if driver >= DriverVersion([2, 5, 0]) {
                let lines: String = holders.iter().rev().map(|pid| format!("{pid}\n")).collect();
                tree.put(format!("/proc/driver/tenstorrent/{number}/pids"), Entry::file(lines));
            }
            if let Some(process) = holders.iter().find_map(|pid| self.processes.get(pid)) {
                let directory = process.shm_directory();
                let path = format!("{directory}/TT_UMD_LOCK.CHIP_IN_USE_{number}_PCIe");
                tree.put(path, Entry::file(held_lock(process.own_pid())));
            }
        }
    }
}

/// Returns the healthy hosts, with their names.
#[must_use]
pub fn healthy() -> Vec<(&'static str, Tree)> {
    vec![
        ("n150", Host::n150().into_tree()),
        ("n300", Host::n300().into_tree()),
        ("n300_rows", Host::n300_rows().into_tree()),
        ("p150", Host::p150().into_tree()),
        ("t3000", Host::t3000().into_tree()),
        ("galaxy", Host::galaxy().into_tree()),
    ]
}

/// Returns the process of the hosts with a workload.
pub(super) fn pytest() -> Process {
    Process::new(PID, "python3").command(&["python3", "-m", "pytest", "tests/test_llama.py"])
}

/// Returns the file of a lock that a process holds: a robust mutex, a magic number, and the holder.
fn held_lock(pid: i32) -> Vec<u8> {
    const ROBUST_AND_SHARED: i32 = 0x90;
    const MAGIC: u64 = 0x5454_554d_444d_5458;
    let mut words = [0_i32; 14];
    (words[0], words[2], words[4]) = (pid, pid, ROBUST_AND_SHARED);
    (words[12], words[13]) = (pid, pid);
    let mut bytes: Vec<u8> = words.into_iter().flat_map(i32::to_le_bytes).collect();
    bytes.splice(40..48, MAGIC.to_le_bytes());
    bytes
}
