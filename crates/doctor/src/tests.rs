use ttmem_segment::Hook;

use super::*;
use ttmem_fake as fake;
use ttmem_fake::segment::{NewBuffer, Segment};
use ttmem_fake::{Host, PID, Process};
use ttmem_root::{Clock, Entry, Tree};
use ttmem_sources::Collector;

const N150: u64 = 0x0000_0180_0000_0001;

fn diagnose(tree: Tree) -> Diagnosis {
    let mut collector = Collector::new(Root::memory(tree)).with_clock(Clock::Fixed(fake::NOW));
    let facts = collector.facts();
    let snapshot = collector.snapshot();
    let windows = collector.windows(&facts.devices);
    examine(&Inputs {
        root: collector.root(),
        facts: &facts,
        snapshot: &snapshot,
        library: Some(Ok("/usr/lib/ttmem/libttmem_agent.so".to_owned())),
        windows,
        servers: None,
        dead_sockets: Vec::new(),
    })
}

fn check(diagnosis: &Diagnosis, id: &str) -> Check {
    diagnosis.checks.iter().find(|check| check.id == id).cloned().unwrap()
}

fn segment(pid: i32) -> Segment {
    let start = Process::new(pid, "python3").start_ticks();
    let new = NewBuffer::new(ttmem_segment::AllocatorKind::Dram, 4096, "Add");
    Segment::wormhole(pid, start, N150).allocate(new)
}

/// The inputs of the checks beside the files of snapshots.
fn complete(host: Host) -> Host {
    let pages = "/sys/kernel/mm/hugepages/hugepages-1048576kB";
    let line = |text: &str| ttmem_root::Entry::file(format!("{text}\n"));
    host.file(format!("{pages}/nr_hugepages"), line("4"))
        .file(format!("{pages}/free_hugepages"), line("3"))
}

#[test]
fn a_machine_in_order_passes() {
    let diagnosis = diagnose(complete(Host::n150().segment_of(PID, segment(PID))).into_tree());
    let bad: Vec<&Check> =
        diagnosis.checks.iter().filter(|check| check.status != Status::Pass).collect();
    assert_eq!(bad, [&diagnosis.checks[0]; 0]);
    assert_eq!(diagnosis.status, Status::Pass);
    assert_eq!(check(&diagnosis, "hugepages").text, "4 pages of 1 GiB, 3 free");
    assert!(check(&diagnosis, "agents").text.contains("hooks live"));
    assert_eq!(check(&diagnosis, "locks").text, "1 lock of UMD, 1 held by a process that runs");
}

#[test]
fn every_made_up_host_can_be_examined() {
    for (name, tree) in fake::healthy().into_iter().chain(fake::variants()) {
        let diagnosis = diagnose(tree);
        assert!(!diagnosis.checks.is_empty(), "{name}");
        for check in &diagnosis.checks {
            assert_eq!(check.remedy.is_some(), check.status != Status::Pass, "{name}: {check:?}");
            assert!(!check.text.contains('\n'), "{name}: {check:?}");
        }
    }
}

#[test]
fn memory_that_hugepages_reserve_is_named() {
    let meminfo = |reserved: &str| {
        let text = format!(
            "MemTotal:       528000000 kB\nMemAvailable:   300000000 kB\nHugetlb:        {reserved} kB\n"
        );
        let host = complete(Host::n150()).file("/proc/meminfo", ttmem_root::Entry::file(text));
        check(&diagnose(host.into_tree()), "host-memory")
    };
    let half = meminfo("134217728");
    assert_eq!(half.status, Status::Pass);
    assert_eq!(
        half.text,
        "504 GiB of host memory, 128 GiB reserved by hugepages, 286 GiB available"
    );
    assert_eq!(meminfo("402653184").status, Status::Warn);
}

#[test]
fn a_lock_that_another_process_waits_for_is_named() {
    let mut bytes = vec![0; 56];
    bytes[..4].copy_from_slice(&(4242_u32 | 1 << 31).to_le_bytes());
    bytes[40..48].copy_from_slice(&0x5454_554d_444d_5458_u64.to_le_bytes());
    bytes[52..].copy_from_slice(&4242_u32.to_le_bytes());
    let path = "/dev/shm/TT_UMD_LOCK.CHIP_IN_USE_0_PCIe";
    let host = Host::n150().file(path, ttmem_root::Entry::file(bytes));
    let locks = check(&diagnose(complete(host).into_tree()), "locks");
    assert_eq!(locks.status, Status::Warn);
    let expected =
        "CHIP_IN_USE_0_PCIe is held by 4242 (python3, alice) and another process waits for it";
    assert_eq!(locks.text, expected);
}

#[test]
fn a_function_without_a_device_and_a_slow_link_are_named() {
    let host = Host::galaxy();
    let (device, slow) = (host.device_directory(17), host.device_directory(5));
    let pci = slow.trim_end_matches("/tenstorrent/tenstorrent!5");
    let line = |text: &str| ttmem_root::Entry::file(format!("{text}\n"));
    let host = host
        .without("/sys/class/tenstorrent/tenstorrent!17")
        .without(device)
        .without("/dev/tenstorrent/17")
        .file(format!("{pci}/current_link_width"), line("1"))
        .file(format!("{pci}/current_link_speed"), line("2.5 GT/s PCIe"))
        .file("/sys/bus/pci/slots/7/address", line("0000:02:00"));
    let diagnosis = diagnose(complete(host).into_tree());
    let functions = check(&diagnosis, "pcie-functions");
    assert_eq!(functions.status, Status::Fail);
    let expected = "32 Tenstorrent functions on the PCIe bus, 31 have a device; without one: 0000:02:00.0 (slot 7, tray \
                    3, device 17); number 17 is missing between 16 and 18";
    assert_eq!(functions.text, expected);
    let link = check(&diagnosis, "pcie-link");
    assert_eq!(link.text, "chip 5 (0000:c6:00.0) runs at x1 2.5 GT/s of x16 16 GT/s");
}

/// A container may not show the driver's version, and a copy of a host may have lost it.
#[test]
fn devices_without_a_version_of_the_driver_are_not_called_no_driver() {
    let version = "/sys/module/tenstorrent/version";
    for host in
        [Host::n150().without(version), Host::n150().file(version, ttmem_root::Entry::file("\n"))]
    {
        let check = check(&diagnose(complete(host).into_tree()), "driver");
        assert_eq!(check.status, Status::Warn);
        assert_eq!(check.text, "1 device, and /sys/module/tenstorrent/version is not shown");
    }
}

/// Unknown is never 0, and no more pages are free than there are.
#[test]
fn a_number_of_hugepages_that_cannot_be_is_not_believed() {
    let pages = "/sys/kernel/mm/hugepages/hugepages-1048576kB";
    let line = |text: &str| ttmem_root::Entry::file(format!("{text}\n"));
    for (all, free, expected) in [
        ("4", "5", "4 pages of 1 GiB"),
        ("-1", "0", "not known: nr_hugepages cannot be read as a number of pages"),
        ("many", "0", "not known: nr_hugepages cannot be read as a number of pages"),
        (
            "18446744073709551615",
            "0",
            "not known: nr_hugepages cannot be read as a number of pages",
        ),
        ("0", "0", "0 pages of 1 GiB for 1 device"),
    ] {
        let host = Host::n150()
            .file(format!("{pages}/nr_hugepages"), line(all))
            .file(format!("{pages}/free_hugepages"), line(free));
        assert_eq!(check(&diagnose(host.into_tree()), "hugepages").text, expected, "{all}");
    }
}

/// The file of a lock that a process holds.
fn lock(pid: u32) -> ttmem_root::Entry {
    let mut bytes = vec![0; 56];
    bytes[..4].copy_from_slice(&pid.to_le_bytes());
    bytes[40..48].copy_from_slice(&0x5454_554d_444d_5458_u64.to_le_bytes());
    bytes[52..].copy_from_slice(&pid.to_le_bytes());
    ttmem_root::Entry::file(bytes)
}

#[test]
fn what_is_wrong_has_a_name() {
    let pages = "/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages";
    let none = ttmem_root::Entry::file("0\n");
    let cases: [(Host, &str, Status, &str); 10] = [
        (Host::n150().without_driver(), "driver", Status::Fail, "1 board on the PCIe bus"),
        (Host::new().without_driver(), "driver", Status::Warn, "no board"),
        (Host::n150().driver("2.4.1"), "driver", Status::Warn, "does not list the processes"),
        (
            Host::n150().driver("2.6.0"),
            "driver",
            Status::Warn,
            "lists the processes that have a device open by the numbers",
        ),
        (
            Host::n150().without("/dev/tenstorrent/0"),
            "device-nodes",
            Status::Fail,
            "/dev/tenstorrent/0 is not there",
        ),
        (
            Host::n150().file(pages, none),
            "hugepages",
            Status::Warn,
            "0 pages of 1 GiB for 1 device",
        ),
        (Host::n150().without("/sys/kernel/mm/hugepages"), "hugepages", Status::Warn, "not known"),
        (Host::n150().without_process(PID), "regions", Status::Warn, "stale"),
        (
            Host::n150()
                .without_process(PID)
                .file("/dev/shm/TT_UMD_LOCK.CHIP_IN_USE_0_PCIe", lock(4242)),
            "locks",
            Status::Warn,
            "CHIP_IN_USE_0_PCIe is held by process 4242",
        ),
        (
            Host::n150()
                .process(Process::new(PID, "x").variable("TT_METAL_SHM_TRACKING_DISABLED", "1")),
            "tracking",
            Status::Warn,
            "does not report its memory",
        ),
    ];
    for (host, id, status, text) in cases {
        let found = check(&diagnose(host.into_tree()), id);
        assert_eq!(found.status, status, "{found:?}");
        assert!(found.text.contains(text), "{found:?}");
    }
}

#[test]
fn agents_tell_of_their_hooks_and_dead_ones_are_cleaned() {
    let few = segment(PID).hooks(&[Hook::Allocate, Hook::Free, Hook::OpenMesh]);
    let found = check(&diagnose(complete(Host::n150().segment_of(PID, few)).into_tree()), "agents");
    assert_eq!(found.status, Status::Warn);
    assert!(found.text.contains("kernel binaries look like tensors"), "{found:?}");

    let host = Host::n150().segment_of(PID, segment(PID)).segment_of(0, segment(99));
    assert_eq!(
        cleaned(host.into_tree()),
        ["/dev/shm/ttmem-99-113130000  process 99 of alice, ended"]
    );
}

/// What `--clean` removes.
fn cleaned(tree: Tree) -> Vec<String> {
    let mut collector = Collector::new(Root::memory(tree)).with_clock(Clock::Fixed(fake::NOW));
    let facts = collector.facts();
    let files = removable(collector.root(), &facts);
    files.into_iter().map(|file| format!("{}  {}", file.path, file.whose)).collect()
}

#[test]
fn regions_of_ended_runs_are_cleaned_unless_a_process_has_them_mapped() {
    let region = |id| fake::Region::new(id).slot(99, "python3", fake::BYTES);
    let host = || Host::n150().without_process(PID).region(region(5)).region(region(6));
    let removed = |id| format!("/dev/shm/tt_device_{id}_memory  process 99 of alice, ended");
    assert_eq!(cleaned(host().into_tree()), [removed(5), removed(6)]);
    let mut tree = host().process(fake::Process::new(7, "python3")).into_tree();
    let maps = "7f00-7f01 rw-s 00000000 00:1a 12 /dev/shm/tt_device_6_memory\n";
    tree.put_line("/proc/7/maps", maps);
    assert_eq!(cleaned(tree), [removed(5)]);
    let lives = Host::new().without_driver().process(fake::Process::new(99, "python3"));
    assert!(cleaned(lives.region(region(5)).into_tree()).is_empty());
}

#[test]
fn every_state_of_a_server_is_told() {
    let every = std::time::Duration::from_secs(1);
    let good = Probed { ttmem: env!("CARGO_PKG_VERSION").to_owned(), every, blind_spots: 0 };
    let cases: [(Result<Probed, Unfit>, Status, &str); 9] = [
        (Err(Unfit::Absent), Status::Pass, "none runs"),
        (Ok(good.clone()), Status::Pass, "every 1s"),
        (Ok(Probed { ttmem: "9.9.9".to_owned(), ..good.clone() }), Status::Warn, "ttmem 9.9.9"),
        (Ok(Probed { blind_spots: 2, ..good }), Status::Warn, "may not read everything"),
        (Err(Unfit::Dead), Status::Warn, "is a stale socket: no server"),
        (Err(Unfit::Closed), Status::Warn, "denies access to this user"),
        (Err(Unfit::Stranger(77)), Status::Warn, "user 77"),
        (Err(Unfit::Elsewhere), Status::Warn, "another host"),
        (Err(Unfit::Broken("\x1b[2J".to_owned())), Status::Warn, "is unusable: [2J"),
    ];
    for (found, status, text) in cases {
        let root = Root::memory(Host::n150().into_tree());
        let mut collector = Collector::new(root).with_clock(Clock::Fixed(fake::NOW));
        let facts = collector.facts();
        let snapshot = collector.snapshot();
        let servers = Some(vec![("/run/ttmem/ttmem.sock".into(), found)]);
        let root = collector.root();
        let inputs = Inputs {
            root,
            facts: &facts,
            snapshot: &snapshot,
            library: None,
            windows: BTreeMap::new(),
            servers,
            dead_sockets: Vec::new(),
        };
        let check = check(&examine(&inputs), "server");
        assert!(check.status == status && check.text.contains(text), "{check:?}");
        assert_eq!(check.remedy.is_some(), status != Status::Pass, "{check:?}");
    }
}

#[test]
fn sockets_that_simulation_servers_left_are_told() {
    let with = |sockets: &[&str]| {
        let root = Root::memory(Host::n150().into_tree());
        let mut collector = Collector::new(root).with_clock(Clock::Fixed(fake::NOW));
        let (facts, snapshot) = (collector.facts(), collector.snapshot());
        let diagnosis = examine(&Inputs {
            root: collector.root(),
            facts: &facts,
            snapshot: &snapshot,
            library: None,
            windows: BTreeMap::new(),
            servers: None,
            dead_sockets: sockets.iter().map(Into::into).collect(),
        });
        diagnosis.checks.into_iter().find(|check| check.id == "simulators")
    };
    assert_eq!(with(&[]), None);
    let found = with(&["/tmp/tt-umd-sim-server-7/tt-umd-sim-0.sock"]).unwrap();
    assert_eq!(found.status, Status::Warn);
    assert_eq!(
        found.text,
        "1 socket of simulation servers that have ended: /tmp/tt-umd-sim-server-7/tt-umd-sim-0.sock"
    );
    assert!(with(&["a", "b", "c", "d"]).unwrap().text.ends_with("a, b, c, …"));
}

#[test]
fn many_segments_of_the_dead_are_one_line() {
    let host = (91..98).fold(Host::n150(), |host, pid| host.segment_of(0, segment(pid)));
    let all = diagnose(complete(host).into_tree());
    let agents: Vec<&Check> = all.checks.iter().filter(|check| check.id == "agents").collect();
    let [found] = agents[..] else { panic!("{agents:?}") };
    assert!(found.text.starts_with("7 segments of processes that have ended: "), "{found:?}");
    assert!(found.text.ends_with('…'), "{found:?}");
}

#[test]
fn a_chip_that_reads_as_ones_is_not_in_order() {
    let silent = diagnose(fake::variants::devices::all_ones());
    assert_eq!(check(&silent, "devices").status, Status::Fail);
    assert!(silent.checks.iter().all(|check| check.id != "telemetry"), "one reason is enough");
    let found = check(&diagnose(fake::variants::devices::garbage_numbers()), "telemetry");
    assert_eq!(found.status, Status::Warn, "{found:?}");
    assert!(found.text.starts_with("chip 0 has ") && found.text.contains("such as "), "{found:?}");
    let well = diagnose(fake::variants::devices::missing_hwmon());
    assert!(
        well.checks.iter().all(|check| check.id != "telemetry"),
        "what is not there is no fault"
    );
}

#[test]
fn segments_that_may_not_be_read_are_one_line() {
    let denied = |number: i32| {
        let host = (0..number).fold(Host::n150(), |host, index| {
            let path = format!("/dev/shm/ttmem-{}-1", 91 + index);
            host.file(path, ttmem_root::Entry::Error(rustix::io::Errno::ACCESS))
        });
        let all = diagnose(complete(host).into_tree());
        let agents = all.checks.into_iter().filter(|check| check.id == "agents");
        agents.map(|check| check.text).collect::<Vec<String>>()
    };
    let [one] = &denied(1)[..] else { panic!() };
    assert!(one.ends_with("cannot be read"), "{one}");
    let [three] = &denied(3)[..] else { panic!() };
    assert!(three.ends_with("and 2 more belong to another user and cannot be read"), "{three}");
}

#[test]
fn a_holder_of_a_lock_that_is_hidden_has_not_ended() {
    use crate::who::{Evidence, conclude};
    let seen = |options: &str, listed: &str| {
        let mounts = format!("proc /proc proc rw,{options} 0 0\n");
        let host = || {
            Host::n150()
                .without(format!("/proc/{PID}"))
                .file("/proc/self/mounts", ttmem_root::Entry::file(mounts.clone()))
                .file("/proc/driver/tenstorrent/0/pids", ttmem_root::Entry::file(listed))
        };
        let checks = check(&diagnose(host().into_tree()), "locks");
        let mut collector =
            Collector::new(Root::memory(host().into_tree())).with_clock(Clock::Fixed(fake::NOW));
        let (facts, snapshot) = (collector.facts(), collector.snapshot());
        let (root, locks) =
            (collector.root(), ttmem_sources::source::locks::read(collector.root(), &[]));
        let windows = std::collections::BTreeMap::new();
        let evidence =
            Evidence { root, facts: &facts, snapshot: &snapshot, locks: &locks, windows: &windows };
        let verdict = conclude(&evidence).chips.remove(0);
        let lock = verdict.locks[0].clone();
        let names = verdict.owners.iter().map(|owner| owner.name.clone()).collect::<Vec<_>>();
        (lock.holder.map(|holder| holder.to_string()), lock.has_ended, names, checks.text)
    };
    let python = || vec!["python3".to_owned()];
    let (holder, has_ended, names, text) = seen("hidepid=2", "4242\n");
    assert_eq!((holder.as_deref(), has_ended), (Some("4242 (python3)"), false));
    assert_eq!((names, text.as_str()), (python(), "1 lock of UMD, 1 held by a process that runs"));
    let (holder, has_ended, names, text) = seen("hidepid=2", "77\n");
    assert_eq!((holder, has_ended, names.len()), (None, false, 1));
    assert_eq!(text, "1 lock of UMD, 1 held by a process that is not seen here");
    let (holder, has_ended, _, text) = seen("nosuid", "");
    assert_eq!((holder, has_ended), (None, true));
    assert!(text.ends_with("is held by process 4242, which has ended"), "{text}");
}

#[test]
fn a_chip_without_a_version_is_counted_beside_those_that_have_one() {
    let host = Host::new().board(fake::Board::n150()).board(fake::Board::n150().serial(7));
    let device = host.device_directory(0);
    let attributes = host.file(format!("{device}/tt_fw_bundle_ver"), Entry::file("0.0.0.0\n"));
    let all = ["m3app_fw", "m3bl_fw", "arc_fw", "eth_fw", "ttflash"].into_iter();
    let host = all.fold(attributes, |host, name| host.without(format!("{device}/tt_{name}_ver")));
    let text = check(&diagnose(host.into_tree()), "firmware").text;
    assert_eq!(text, "wormhole 19.6.0.0, 1 chip without a bundle version");
}

#[test]
fn a_copy_of_a_host_without_nodes_is_no_host_without_nodes() {
    let copy = diagnose(Host::n150().without("/dev/tenstorrent").into_tree());
    assert!(copy.checks.iter().all(|check| check.id != "device-nodes"));
}
