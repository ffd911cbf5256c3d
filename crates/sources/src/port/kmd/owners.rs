//! True if a device may be opened at all: only while TT-Metal has it open.
//!
//! Two reasons for an owner. An idle chip may be asleep; a read of it is untested and may hang, and opening it can
//! keep it awake (tt-kmd 2.9.0, `chardev.c`: an open cancels the delayed power-down, and the close of a file that asks
//! for no power does not start it again). And one reason for TT-Metal: cores are addressed by translated coordinates,
//! which exist only where the firmware's translation is on. Reading a coordinate that does not exist may hang the NOC,
//! and asking the firmware would disturb it. TT-Metal needs translation, so its presence answers: on Blackhole it
//! refuses to start without (`tt_cluster.cpp`), on Wormhole its kernels are compiled for translated coordinates
//! (`VIRTUAL_TENSIX_START_X`, `noc_parameters.h`).

use ttmem_model::Pid;

use super::error::KmdPortError;
use crate::source::kmd::{open_devices, read_holders};
use crate::source::process::start_ticks;
use ttmem_root::Root;

/// Far more than the 1000 mappings or so of a process with TT-Metal (100 bytes each).
const MAX_MAPS_BYTES: usize = 4 << 20;

/// TT-Metal's library, in every build of it that links dynamically.
const LIBRARY: &str = "libtt_metal.so";

/// The evidence that an owner of the device is TT-Metal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// No evidence yet: search the memory maps of the owners for TT-Metal's library. That takes the owner's user or
    /// root.
    AskMaps,
    /// The caller saw it: a live owner of this device wrote an upstream region or an agent's segment.
    Seen,
}

/// Owner while which the device may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    /// The process and its start time in clock ticks since boot; `None` for a process outside our namespace.
    process: Option<(Pid, u64)>,
}

/// Finds an owner of the device that runs TT-Metal now.
pub(super) fn find(root: &Root, number: u32, evidence: Evidence) -> Result<Owner, KmdPortError> {
    let holders = read_holders(root, number).map_err(KmdPortError::NoOwnerList)?;
    if holders.pids.is_empty() && holders.outside == 0 {
        return Err(KmdPortError::NoOwner { number });
    }
    let running = holders.pids.iter().filter_map(|pid| Some((*pid, start_ticks(root, *pid)?)));
    let holding: Vec<(Pid, u64)> =
        running.filter(|(pid, _)| may_have_open(root, *pid, number)).collect();
    let process = match evidence {
        Evidence::Seen => holding.first(),
        Evidence::AskMaps => holding.iter().find(|(pid, _)| runs_metal(root, *pid)),
    };
    match process {
        Some(process) => Ok(Owner { process: Some(*process) }),
        None if evidence == Evidence::Seen && holders.outside > 0 => Ok(Owner { process: None }),
        None if holding.is_empty() && holders.outside == 0 => Err(KmdPortError::NoOwner { number }),
        None => Err(KmdPortError::NotMetal { number }),
    }
}

/// Checks that an owner is still there: the driver lists it, and it is the same process and runs.
pub(super) fn is_still(root: &Root, number: u32, owner: Owner) -> Result<(), KmdPortError> {
    let holders = read_holders(root, number).map_err(KmdPortError::NoOwnerList)?;
    let is_there = match owner.process {
        Some((pid, start)) => holders.pids.contains(&pid) && start_ticks(root, pid) == Some(start),
        None => holders.outside > 0,
    };
    if is_there { Ok(()) } else { Err(KmdPortError::OwnerLeft { number }) }
}

/// False if a process is known not to have the device open: after a reset the driver still lists files that it made
/// invalid, also of processes that have closed them.
fn may_have_open(root: &Root, pid: Pid, number: u32) -> bool {
    open_devices(root, pid).map_or(true, |devices| devices.contains(&number))
}

fn runs_metal(root: &Root, pid: Pid) -> bool {
    let maps = root.read(&format!("/proc/{pid}/maps"), MAX_MAPS_BYTES);
    maps.is_ok_and(|maps| maps.bytes.split(|byte| *byte == b'\n').any(names_library))
}

/// True for a line of a process's maps whose file is TT-Metal's library, deleted since or not.
fn names_library(line: &[u8]) -> bool {
    let name = line.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    line.contains(&b'/') && name.starts_with(LIBRARY.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ttmem_root::{Entry, Tree};

    const MAPS: &str = "\
        7f00-7f01 r-xp 00000000 08:01 12 /usr/lib/libc.so.6\n\
        7f02-7f03 r-xp 00000000 08:01 13 /opt/venv/ttnn/build/lib/libtt_metal.so\n";

    fn stat(pid: i32, state: char, start: u64) -> String {
        format!("{pid} (python3) {state} 1 1 1 0 -1 0 0 0 0 0 1 1 0 0 20 0 1 0 {start} 0 0")
    }

    fn host(pids: &str, maps: &[(i32, &str)]) -> Root {
        Root::memory(tree(pids, maps))
    }

    fn check(root: &Root, number: u32, evidence: Evidence) -> Result<(), KmdPortError> {
        find(root, number, evidence).map(drop)
    }

    fn tree(pids: &str, maps: &[(i32, &str)]) -> Tree {
        let mut tree = Tree::new();
        tree.put_line("/proc/driver/tenstorrent/0/pids", pids);
        for (pid, text) in maps {
            tree.put_line(format!("/proc/{pid}/maps"), text);
            tree.put_line(format!("/proc/{pid}/stat"), stat(*pid, 'S', 700));
            tree.put(format!("/proc/{pid}/fd/9"), Entry::Link("/dev/tenstorrent/0".to_owned()));
        }
        tree
    }

    #[test]
    fn an_owner_with_the_library_lets_us_in() {
        let host = host("88\n77", &[(88, "7f-80 r--p 0 0:0 0 /bin/tt-smi"), (77, MAPS)]);
        assert_eq!(check(&host, 0, Evidence::AskMaps), Ok(()));
    }

    #[test]
    fn without_an_owner_nothing_is_opened_whatever_was_seen() {
        let refused = check(&host("", &[]), 0, Evidence::Seen);
        assert_eq!(refused, Err(KmdPortError::NoOwner { number: 0 }));
    }

    #[test]
    fn an_old_driver_cannot_say_who_the_owners_are() {
        let refused = check(&Root::memory(Tree::new()), 0, Evidence::Seen);
        assert!(matches!(refused, Err(KmdPortError::NoOwnerList(_))), "{refused:?}");
    }

    #[test]
    fn an_owner_that_is_not_known_to_be_metal_is_not_enough() {
        let other = "7f-80 r--p 0 0:0 0 /lib/not-libtt_metal.so\n7f-80 r--p 0 0:0 0 [heap]";
        for host in [host("77", &[(77, other)]), host("0", &[])] {
            let refused = check(&host, 0, Evidence::AskMaps);
            assert_eq!(refused, Err(KmdPortError::NotMetal { number: 0 }));
        }
    }

    #[test]
    fn an_owner_outside_our_namespace_counts_if_metal_was_seen() {
        assert_eq!(check(&host("0\n0", &[]), 0, Evidence::Seen), Ok(()));
    }

    #[test]
    fn an_owner_must_run_and_have_the_device_open_now() {
        let refused = Err(KmdPortError::NoOwner { number: 0 });
        // Listed because of a file that a reset made invalid; the process is gone, a zombie, or has closed it.
        assert_eq!(check(&host("77", &[]), 0, Evidence::AskMaps), refused);
        let mut zombie = tree("77", &[(77, MAPS)]);
        zombie.put_line("/proc/77/stat", stat(77, 'Z', 700));
        assert_eq!(check(&Root::memory(zombie), 0, Evidence::AskMaps), refused);
        let mut closed = tree("77", &[(77, MAPS)]);
        closed.put("/proc/77/fd/9", Entry::Link("/dev/null".to_owned()));
        assert_eq!(check(&Root::memory(closed), 0, Evidence::AskMaps), refused);
    }

    #[test]
    fn a_later_process_with_the_same_number_is_not_the_owner() {
        let owner = find(&host("77", &[(77, MAPS)]), 0, Evidence::AskMaps).unwrap();
        assert_eq!(is_still(&host("77", &[(77, MAPS)]), 0, owner), Ok(()));
        let mut later = tree("77", &[(77, MAPS)]);
        later.put_line("/proc/77/stat", stat(77, 'S', 900));
        let left = Err(KmdPortError::OwnerLeft { number: 0 });
        assert_eq!(is_still(&Root::memory(later), 0, owner), left);
        assert_eq!(is_still(&host("", &[(77, MAPS)]), 0, owner), left);
    }

    #[test]
    fn an_updated_library_is_still_the_library() {
        assert!(names_library(b"7f-80 r-xp 0 08:01 13 /opt/lib/libtt_metal.so (deleted)"));
        assert!(!names_library(b"libtt_metal.so"));
    }
}
