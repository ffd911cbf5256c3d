//! Owners of a device: the processes that have it open.
//!
//! `/proc/driver/tenstorrent/N/pids` (tt-kmd 2.5 and newer) has one line per open file, newest first. From 2.7 on the
//! numbers are those of the reader's namespace, and `0` is a process outside it. 2.5 and 2.6 print the numbers of the
//! *opener's* namespace (`task_tgid_vnr`), which mean other processes here: there the list is a count of open files, and
//! an owner is known only by its open file in `/proc/PID/fd`. Older drivers have no list.

use std::collections::BTreeMap;
use std::path::Path;

use ttmem_model::Pid;
use ttmem_model::facts::{Device, DeviceOwners, Field};
use ttmem_model::order;
use ttmem_model::reading::{Missing, MissingReason};

use crate::source::shorten;
use ttmem_root::{Root, RootError};

/// Most bytes of a list of owners: far more than 64 locks × processes ever make.
pub(super) const MAX_PIDS_BYTES: usize = 1 << 20;

/// Version of tt-kmd. Orders as releases do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DriverVersion([u32; 3]);

impl DriverVersion {
    /// Parses `2.10.0` or `2.10.1-pre`. An unknown version counts as the newest: released lists are read as they are.
    #[must_use]
    pub fn of(text: Option<&str>) -> Self {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Self([u32::MAX; 3]);
        };
        let mut numbers = text.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
        Self(std::array::from_fn(|_| numbers.next().unwrap_or(0)))
    }

    /// True if there is a list of owners (2.5.0 and newer).
    #[must_use]
    pub fn has_list(self) -> bool {
        self >= Self([2, 5, 0])
    }

    /// True if the list of owners has numbers of the reader's pid namespace (2.7.0 and newer).
    #[must_use]
    pub fn lists_owners(self) -> bool {
        self >= Self([2, 7, 0])
    }
}

/// Completes the owners of devices from `/proc/*/fd` where the driver's list does not name them. Processes are searched
/// once at most.
pub(super) fn complete(root: &Root, version: DriverVersion, devices: &mut [Device]) {
    let mut scan = None;
    for device in devices {
        let listed = match &device.holders {
            Ok(_) if version.lists_owners() => continue,
            Ok(listed) => Ok(listed.open_files),
            Err(missing) => Err(missing.clone()),
        };
        let scan = scan.get_or_insert_with(|| Scan::run(root));
        device.holders = match listed {
            Ok(open_files) => Ok(scan.of_count(device.number, open_files)),
            Err(missing) => scan.of(device.number).ok_or_else(|| not_shown(version, missing)),
        };
    }
}

/// The reason that a driver's list is not there, of a driver that has one: procfs may show processes alone (`subset=pid`).
fn not_shown(version: DriverVersion, missing: Missing) -> Missing {
    if missing.reason == MissingReason::Unsupported && version.has_list() {
        return Missing::no_source("procfs does not show the driver's list here");
    }
    missing
}

/// Reads the owners of device `number` from the driver's own list. On drivers older than 2.7 a process counts only if
/// `/proc/PID/fd` shows that it has the device open.
///
/// # Errors
/// If there is no list (an old driver), or it cannot be read or understood.
pub(crate) fn read_holders(root: &Root, number: u32) -> Field<DeviceOwners> {
    let path = format!("/proc/driver/tenstorrent/{number}/pids");
    let file = root.read(&path, MAX_PIDS_BYTES).map_err(|error| no_list(&error))?;
    let listed = parse(root, &file.bytes)?;
    let version = root.read_text("/sys/module/tenstorrent/version").ok();
    if DriverVersion::of(version.as_deref()).lists_owners() {
        return Ok(listed);
    }
    Ok(Scan::run(root).of_count(number, listed.open_files))
}

/// Numbers of the devices that a process has open at this moment, one for each open file.
///
/// # Errors
/// If the files of the process are not shown to this user, or it has ended.
pub fn open_devices(root: &Root, pid: Pid) -> Result<Vec<u32>, RootError> {
    let directory = format!("/proc/{pid}/fd");
    let files = root.list(&directory)?;
    let folder = root.folder(directory);
    let opened = |file: &std::ffi::OsString| device_of_link(&folder.link(file.to_str()?).ok()?);
    Ok(files.iter().filter_map(opened).collect())
}

/// True if a process has the file of a device open, also of one that was removed: the kernel marks its name. True of a process
/// whose open files are not shown to this user, too: nothing proves that it has none.
pub(crate) fn has_device_file(root: &Root, pid: Pid) -> bool {
    let directory = format!("/proc/{pid}/fd");
    let files = match root.list(&directory) {
        Ok(files) => files,
        Err(error) => return error.is_denied(),
    };
    let folder = root.folder(directory);
    files.iter().any(|file| {
        let target = file.to_str().and_then(|file| folder.link(file).ok());
        let name = target.as_deref().and_then(Path::to_str).unwrap_or_default();
        device_of_link(Path::new(name.strip_suffix(" (deleted)").unwrap_or(name))).is_some()
    })
}

/// The reason that there is no list of owners.
pub(super) fn no_list(error: &RootError) -> Missing {
    if error.is_absent() {
        Missing::unsupported("this driver does not list owners (tt-kmd 2.5 and newer do)")
    } else {
        error.missing()
    }
}

/// Our own number, which does not count as an owner; `None` on a captured host, where we do not run.
fn own_pid(root: &Root) -> Option<Pid> {
    root.is_system().then(|| Pid(rustix::process::getpid().as_raw_nonzero().get()))
}

/// Parses a list of owners.
pub(super) fn parse(root: &Root, bytes: &[u8]) -> Field<DeviceOwners> {
    parse_for(&String::from_utf8_lossy(bytes), own_pid(root))
}

fn parse_for(text: &str, own: Option<Pid>) -> Field<DeviceOwners> {
    let mut holders = DeviceOwners { complete: true, ..DeviceOwners::default() };
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match line.parse::<i32>() {
            Ok(pid) if pid > 0 && Some(Pid(pid)) == own => {}
            Ok(0) => {
                holders.open_files += 1;
                holders.outside += 1;
            }
            Ok(pid) if pid > 0 => {
                holders.open_files += 1;
                holders.pids.push(Pid(pid));
            }
            _ => {
                return Err(Missing::failed(format!(
                    "the driver's list of owners has `{}`, which is not a process number",
                    shorten(line)
                )));
            }
        }
    }
    order::sort(&mut holders.pids);
    holders.pids.dedup();
    Ok(holders)
}

/// Open files of all processes that lead to a device.
struct Scan {
    /// One entry per open file.
    pids: BTreeMap<u32, Vec<Pid>>,
    /// True if every process could be searched.
    complete: bool,
}

impl Scan {
    fn run(root: &Root) -> Self {
        let all = crate::source::process::pids(root);
        // A capture may have no processes at all, which proves nothing.
        let mut scan = Self { pids: BTreeMap::new(), complete: !all.is_empty() };
        let own = own_pid(root);
        for pid in all.into_iter().filter(|pid| Some(*pid) != own) {
            match open_devices(root, pid) {
                Ok(numbers) => {
                    for number in numbers {
                        scan.pids.entry(number).or_default().push(pid);
                    }
                }
                Err(error) => scan.complete &= error.is_absent(),
            }
        }
        scan
    }

    /// Owners of one device; `None` if the scan proves nothing about it.
    fn of(&self, number: u32) -> Option<DeviceOwners> {
        let files = self.pids.get(&number).map(Vec::as_slice).unwrap_or_default();
        let mut pids = files.to_vec();
        order::sort(&mut pids);
        pids.dedup();
        (self.complete || !pids.is_empty()).then_some(DeviceOwners {
            pids,
            outside: 0,
            open_files: files.len() as u64,
            complete: self.complete,
        })
    }

    /// Owners of one device of which the driver counts this many open files. Files that no process here has open belong
    /// to processes of another namespace, or of another user.
    fn of_count(&self, number: u32, open_files: u64) -> DeviceOwners {
        let found = self.of(number).unwrap_or_default();
        let outside = open_files.saturating_sub(found.open_files);
        // A file that is shared by fork is listed once by the driver and found in each process.
        DeviceOwners { outside, open_files, complete: self.complete || outside == 0, ..found }
    }
}

fn device_of_link(target: &Path) -> Option<u32> {
    target.to_str()?.strip_prefix("/dev/tenstorrent/")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ttmem_root::{Entry, Tree};

    #[test]
    fn open_files_of_one_process_count_once_and_zeros_are_outside() {
        let holders = parse_for("4242\n0\n4242\n17\n0\n", None).unwrap();
        assert_eq!(holders.pids, [Pid(17), Pid(4242)]);
        assert_eq!(holders.outside, 2);
    }

    #[test]
    fn this_process_is_not_an_owner() {
        assert_eq!(parse_for("7\n8\n", Some(Pid(7))).unwrap().pids, [Pid(8)]);
    }

    #[test]
    fn numbers_of_the_openers_namespace_are_not_believed() {
        for version in ["2.5.0", "2.6.0"] {
            let mut tree = Tree::new();
            tree.put_line("/sys/module/tenstorrent/version", version);
            tree.put_line("/proc/driver/tenstorrent/1/pids", "1\n1\n1");
            tree.put("/proc/1/fd", Entry::Directory);
            tree.put("/proc/77/fd/9", Entry::Link("/dev/tenstorrent/1".into()));
            tree.put("/proc/78/fd/9", Entry::Link("/dev/tenstorrent/1 (deleted)".into()));
            let holders = read_holders(&Root::memory(tree), 1).unwrap();
            assert_eq!(holders.pids, [Pid(77)]);
            assert_eq!((holders.outside, holders.open_files), (2, 3));
        }
    }

    #[test]
    fn a_line_that_is_no_number_is_named() {
        assert!(parse_for("12\n-3\n", None).unwrap_err().detail.contains("-3"));
        assert!(parse_for("x\u{1b}[2J\n", None).unwrap_err().detail.contains("x\\u{1b}"));
    }

    #[test]
    fn open_files_name_the_owners_on_an_old_driver() {
        let mut tree = Tree::new();
        tree.put("/proc/77/fd/9", Entry::Link("/dev/tenstorrent/1".into()));
        tree.put("/proc/77/fd/10", Entry::Link("/dev/tenstorrent/1".into()));
        tree.put("/proc/78/fd", Entry::Error(rustix::io::Errno::ACCESS));
        let scan = Scan::run(&Root::memory(tree));
        let holders = scan.of(1).unwrap();
        assert_eq!(holders.pids, [Pid(77)]);
        assert!(!holders.complete);
        assert_eq!(scan.of(0), None);
    }

    #[test]
    fn a_list_that_procfs_does_not_show_is_not_one_that_the_driver_does_not_have() {
        let why = |version: &str| {
            let denied = Entry::Error(rustix::io::Errno::ACCESS);
            let host = ttmem_fake::Host::n150().driver(version).without("/proc/driver");
            let host = host.file(format!("/proc/{}/fd", ttmem_fake::PID), denied);
            let root = Root::memory(host.into_tree());
            let facts = crate::Collector::new(root).facts();
            let missing = facts.devices[0].holders.clone().unwrap_err();
            (missing.reason, missing.detail.into_owned())
        };
        let shown = "procfs does not show the driver's list here".to_owned();
        for version in ["2.5.0", "2.10.0"] {
            assert_eq!(why(version), (MissingReason::NoSource, shown.clone()), "{version}");
        }
        assert_eq!(why("2.4.1").0, MissingReason::Unsupported);
    }
}
