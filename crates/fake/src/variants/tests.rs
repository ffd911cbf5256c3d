//! Each variant is listed, differs from the others, and has the fault of its name.

use std::collections::BTreeSet;

use rustix::io::Errno;

use super::{N150, all, devices, processes, regions};
use crate::{NOW, Region, healthy, region_path};
use ttmem_root::{Entry, Root, Tree};

#[test]
fn a_held_lock_names_its_holder() {
    let root = Root::memory(processes::container_with_own_shm());
    let path = "/proc/51234/root/dev/shm/TT_UMD_LOCK.CHIP_IN_USE_0_PCIe";
    let bytes = root.read(path, 99).unwrap().bytes;
    assert_eq!(bytes.len(), 56);
    assert_eq!(&bytes[40..48], b"XTMDMUTT");
    assert_eq!(bytes[52..56], 1_i32.to_le_bytes());
}

#[test]
fn every_variant_is_listed_once() {
    let sources =
        [include_str!("devices.rs"), include_str!("processes.rs"), include_str!("regions.rs")];
    let written: BTreeSet<&str> = sources
        .iter()
        .flat_map(|source| source.lines())
        .filter_map(|line| {
            line.strip_prefix("pub")?.split_once("fn ")?.1.strip_suffix("() -> Tree {")
        })
        .collect();
    let listed: Vec<&str> = all().into_iter().map(|(name, _)| name).collect();
    assert_eq!(listed.iter().copied().collect::<BTreeSet<_>>(), written);
    assert_eq!(listed.len(), written.len());
}

#[test]
fn every_variant_differs_from_the_healthy_host() {
    let describe = |tree: &Tree| -> Vec<String> {
        let short = |entry: &Entry| format!("{entry:?}").chars().take(40_000).collect::<String>();
        tree.iter().map(|(path, entry)| format!("{path} {}", short(entry))).collect()
    };
    let mut seen: Vec<(&str, Vec<String>)> =
        healthy().iter().map(|(name, tree)| (*name, describe(tree))).collect();
    for (name, tree) in all() {
        // These differ after the first forty thousand characters.
        if name == "long_region" {
            continue;
        }
        let described = describe(&tree);
        for (other, description) in &seen {
            assert_ne!(&described, description, "{name} is {other}");
        }
        seen.push((name, described));
    }
}

#[test]
fn a_torn_region_settles_and_another_never_does() {
    let path = region_path(N150);
    let read = |root: &Root| root.read(&path, Region::LENGTH).unwrap().bytes;
    let torn = Root::memory(regions::torn_region());
    let first = read(&torn);
    let second = read(&torn);
    assert_ne!(first, second);
    assert_eq!(second, read(&torn));
    let never = Root::memory(regions::always_torn_region());
    let copies: BTreeSet<Vec<u8>> = (0..100).map(|_| read(&never)).collect();
    assert_eq!(copies.len(), 100);
}

#[test]
fn a_reset_begins_after_the_first_read() {
    let root = Root::memory(devices::reset_begins());
    let read = || root.read_text("/sys/class/tenstorrent/tenstorrent!0/tt_aiclk");
    assert_eq!(read().unwrap(), "1000");
    assert_eq!(read().unwrap_err().errno, Errno::NODATA);
    let root = Root::memory(devices::chip_resets());
    let error = root.read("/sys/class/tenstorrent/tenstorrent!0/tt_serial", 99).unwrap_err();
    assert!(error.is_vanished());
    let root = Root::memory(devices::chip_unplugged());
    assert_eq!(root.list("/sys/class/tenstorrent").unwrap().len(), 1);
    assert!(root.read("/sys/class/tenstorrent/tenstorrent!0/dev", 9).unwrap_err().is_absent());
}

#[test]
fn a_container_has_its_own_shm_and_pids() {
    let root = Root::memory(processes::container_with_own_shm());
    assert!(root.list("/dev/shm").unwrap().is_empty());
    let path = format!("/proc/51234/root{}", region_path(N150));
    let image = root.read(&path, 9000).unwrap().bytes;
    assert_eq!(image[856..860], 1_i32.to_le_bytes());
    assert_eq!(root.status(&path).unwrap().uid, Some(0));
    let status = root.read_text("/proc/51234/status").unwrap();
    assert!(status.contains("NSpid:\t51234\t1\n"));
    let holders = root.read_text("/proc/driver/tenstorrent/0/pids").unwrap();
    assert!(holders.starts_with("51234\n"));
}

#[test]
fn a_shared_shm_is_the_same_file_under_both_paths() {
    let tree = processes::container_on_the_hosts_shm();
    let directory = tempfile::tempdir().unwrap();
    tree.write_to(directory.path()).unwrap();
    for root in [Root::directory(directory.path()).unwrap(), Root::memory(tree)] {
        let outside = root.read(&region_path(N150), 9000).unwrap();
        let inside = root.read(&format!("/proc/51234/root{}", region_path(N150)), 9000).unwrap();
        let identity = |path: &str| root.status(path).unwrap().identity;
        let inside_path = format!("/proc/51234/root{}", region_path(N150));
        assert_eq!(inside.bytes, outside.bytes);
        assert_eq!(identity(&inside_path), identity(&region_path(N150)));
        assert_eq!(outside.bytes[856..860], 777_i32.to_le_bytes());
    }
}

#[test]
fn a_reused_pid_started_after_its_slot_was_written() {
    let root = Root::memory(regions::reused_pid());
    let image = root.read(&region_path(N150), 9000).unwrap().bytes;
    let updated_ns = u64::from_le_bytes(image[856 + 48..856 + 56].try_into().unwrap());
    let stat = root.read_text("/proc/4242/stat").unwrap();
    let ticks: u64 = stat.rsplit(") ").next().unwrap().split(' ').nth(19).unwrap().parse().unwrap();
    let system = root.read_text("/proc/stat").unwrap();
    let boot = system.lines().find_map(|line| line.strip_prefix("btime ")).unwrap();
    let started_ns = boot.parse::<u64>().unwrap() * 1_000_000_000 + ticks * 10_000_000;
    assert!(updated_ns < started_ns && started_ns < NOW.0 * 1000);
}

#[test]
fn variants_without_errors_can_be_put_on_disk() {
    let mut on_disk = 0;
    for (name, tree) in all() {
        // A file that may not be read has mode 000 on disk.
        let only_in_memory = tree.iter().any(|(_, entry)| match entry {
            Entry::Error(errno) => !matches!(*errno, Errno::ACCESS | Errno::PERM),
            entry => matches!(entry, Entry::Changing { .. }),
        });
        // In memory, as some thousand files are made and removed.
        let directory = tempfile::tempdir_in("/dev/shm").unwrap();
        assert_eq!(tree.write_to(directory.path()).is_err(), only_in_memory, "{name}");
        on_disk += usize::from(!only_in_memory);
    }
    assert!(on_disk > 50, "{on_disk}");
}
