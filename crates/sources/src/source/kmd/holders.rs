//! Who has a device open.
//!
//! `/proc/driver/tenstorrent/N/pids` (tt-kmd 2.5 and newer) has one line per open file, newest first; `0` is a
//! process outside our namespace. Older drivers leave only `/proc/*/fd`, of which we see our own user's.

use std::collections::BTreeMap;

use ttmem_model::Pid;
use ttmem_model::facts::{Device, Field, Holders};
use ttmem_model::reading::Missing;

use crate::source::shorten;
use ttmem_root::Root;

/// Far more than 64 locks × processes ever make.
const MAX_PIDS_BYTES: usize = 1 << 20;

/// Reads the holders of every device, with one scan of `/proc/*/fd` at the most.
pub(super) fn read_all(root: &Root, devices: &mut [Device]) {
    let mut scan = None;
    for device in devices {
        device.holders = match read_holders(root, device.number) {
            Ok(holders) => Ok(holders),
            Err(missing) => {
                let scan = scan.get_or_insert_with(|| Scan::run(root));
                scan.of(device.number).ok_or(missing)
            }
        };
    }
}

/// Reads who has device `number` open from the driver's own list.
///
/// # Errors
/// If there is no list (an old driver), or it cannot be read or understood.
pub fn read_holders(root: &Root, number: u32) -> Field<Holders> {
    let path = format!("/proc/driver/tenstorrent/{number}/pids");
    let file = root.read(&path, MAX_PIDS_BYTES).map_err(|error| {
        if error.is_absent() {
            Missing::unsupported("this driver does not list who has the device open (2.5 does)")
        } else {
            error.missing()
        }
    })?;
    parse(&String::from_utf8_lossy(&file.bytes), own_pid(root))
}

/// Our own number, to leave ourselves out; a captured host does not have us.
fn own_pid(root: &Root) -> Option<Pid> {
    root.is_system().then(|| Pid(rustix::process::getpid().as_raw_nonzero().get()))
}

fn parse(text: &str, own: Option<Pid>) -> Field<Holders> {
    let mut holders = Holders { complete: true, ..Holders::default() };
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match line.parse::<i32>() {
            Ok(0) => holders.outside += 1,
            Ok(pid) if pid > 0 && Some(Pid(pid)) != own => holders.pids.push(Pid(pid)),
            Ok(pid) if pid > 0 => {}
            _ => {
                return Err(Missing::failed(format!(
                    "the driver's list of owners has `{}`, which is no process number",
                    shorten(line)
                )));
            }
        }
    }
    holders.pids.sort_unstable();
    holders.pids.dedup();
    Ok(holders)
}

/// The open files of all processes that point to a device.
struct Scan {
    pids: BTreeMap<u32, Vec<Pid>>,
    /// True if every process could be looked into.
    complete: bool,
}

impl Scan {
    fn run(root: &Root) -> Self {
        let mut scan = Self { pids: BTreeMap::new(), complete: true };
        let own = own_pid(root);
        for pid in crate::source::process::pids(root).into_iter().filter(|pid| Some(*pid) != own) {
            let directory = format!("/proc/{pid}/fd");
            match root.list(&directory) {
                Ok(files) => {
                    for number in files.iter().filter_map(|file| {
                        device_of_link(root, &format!("{directory}/{}", file.to_str()?))
                    }) {
                        scan.pids.entry(number).or_default().push(pid);
                    }
                }
                Err(error) => scan.complete &= error.is_absent(),
            }
        }
        scan
    }

    /// The holders of one device; `None` if the scan proves nothing about it.
    fn of(&self, number: u32) -> Option<Holders> {
        let mut pids = self.pids.get(&number).cloned().unwrap_or_default();
        pids.sort_unstable();
        pids.dedup();
        (self.complete || !pids.is_empty()).then_some(Holders {
            pids,
            outside: 0,
            complete: self.complete,
        })
    }
}

fn device_of_link(root: &Root, path: &str) -> Option<u32> {
    root.link(path).ok()?.to_str()?.strip_prefix("/dev/tenstorrent/")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ttmem_root::{Entry, Tree};

    #[test]
    fn open_files_of_one_process_count_once_and_zeros_are_outside() {
        let holders = parse("4242\n0\n4242\n17\n0\n", None).unwrap();
        assert_eq!(holders.pids, [Pid(17), Pid(4242)]);
        assert_eq!(holders.outside, 2);
    }

    #[test]
    fn we_are_no_owner() {
        assert_eq!(parse("7\n8\n", Some(Pid(7))).unwrap().pids, [Pid(8)]);
    }

    #[test]
    fn a_line_that_is_no_number_is_named() {
        assert!(parse("12\n-3\n", None).unwrap_err().detail.contains("-3"));
        assert!(parse("x\u{1b}[2J\n", None).unwrap_err().detail.contains("x\\u{1b}"));
    }

    #[test]
    fn an_old_driver_is_asked_through_open_files() {
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
}
