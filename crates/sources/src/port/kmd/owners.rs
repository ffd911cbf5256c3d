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
use crate::source::kmd::read_holders;
use ttmem_root::Root;

/// Far more than the 1000 mappings or so of a process with TT-Metal (100 bytes each).
const MAX_MAPS_BYTES: usize = 4 << 20;

/// TT-Metal's library, in every build of it that links dynamically.
const LIBRARY: &str = "libtt_metal.so";

/// The evidence that an owner of the device is TT-Metal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Not yet: look for its library in the memory maps of the owners. That takes the owner's user or root.
    AskMaps,
    /// The caller saw it: a live owner of this device wrote an upstream region or an agent's segment.
    Seen,
}

/// Checks that the device has an owner besides us, and that TT-Metal is one.
pub(super) fn check(root: &Root, number: u32, evidence: Evidence) -> Result<(), KmdPortError> {
    let holders = read_holders(root, number).map_err(KmdPortError::NoOwnerList)?;
    if holders.pids.is_empty() && holders.outside == 0 {
        return Err(KmdPortError::NoOwner { number });
    }
    let known = evidence == Evidence::Seen || holders.pids.iter().any(|pid| runs_metal(root, *pid));
    if known { Ok(()) } else { Err(KmdPortError::NotMetal { number }) }
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
    use ttmem_root::Tree;

    const MAPS: &str = "\
        7f00-7f01 r-xp 00000000 08:01 12 /usr/lib/libc.so.6\n\
        7f02-7f03 r-xp 00000000 08:01 13 /opt/venv/ttnn/build/lib/libtt_metal.so\n";

    fn host(pids: &str, maps: &[(i32, &str)]) -> Root {
        let mut tree = Tree::new();
        tree.put_line("/proc/driver/tenstorrent/0/pids", pids);
        for (pid, text) in maps {
            tree.put_line(format!("/proc/{pid}/maps"), text);
        }
        Root::memory(tree)
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
        for host in [host("77", &[(77, other)]), host("77", &[]), host("0", &[])] {
            let refused = check(&host, 0, Evidence::AskMaps);
            assert_eq!(refused, Err(KmdPortError::NotMetal { number: 0 }));
        }
    }

    #[test]
    fn an_owner_outside_our_namespace_counts_if_metal_was_seen() {
        assert_eq!(check(&host("0\n0", &[]), 0, Evidence::Seen), Ok(()));
    }

    #[test]
    fn an_updated_library_is_still_the_library() {
        assert!(names_library(b"7f-80 r-xp 0 08:01 13 /opt/lib/libtt_metal.so (deleted)"));
        assert!(!names_library(b"libtt_metal.so"));
    }
}
