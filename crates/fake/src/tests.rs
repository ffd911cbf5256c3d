//! Checks of every fake host: paths, link targets, values that parse.

use std::collections::BTreeSet;

use ttmem_model::board;

use super::{BYTES, Board, Host, PID, Process, healthy, region_path};
use ttmem_root::{Entry, Root, Tree};

fn paths(tree: &Tree) -> BTreeSet<String> {
    tree.iter().map(|(path, _)| path.to_owned()).collect()
}

fn below<'a>(paths: &'a BTreeSet<String>, directory: &str) -> Vec<&'a str> {
    paths.iter().filter_map(|path| path.strip_prefix(directory)).collect()
}

#[test]
fn an_n150_has_exactly_these_paths() {
    let paths = paths(&Host::n150().into_tree());
    let pci = "/sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/";
    let of_pci: Vec<&str> =
        below(&paths, pci).into_iter().filter(|path| !path.contains('/')).collect();
    assert_eq!(
        of_pci,
        [
            "class",
            "current_link_speed",
            "current_link_width",
            "device",
            "max_link_speed",
            "max_link_width",
            "numa_node",
            "subsystem_device",
            "subsystem_vendor",
            "vendor",
        ]
    );
    let counters = [
        "mst_nonposted_wr_data_word_sent",
        "mst_posted_wr_data_word_sent",
        "mst_rd_data_word_received",
        "slv_nonposted_wr_data_word_received",
        "slv_posted_wr_data_word_received",
        "slv_rd_data_word_sent",
    ];
    let mut expected: Vec<String> = counters
        .iter()
        .flat_map(|name| [0, 1].map(|noc| format!("pcie_perf_counters/{name}{noc}")))
        .collect();
    let plain = "dev device tt_aiclk tt_arc_fw_ver tt_arcclk tt_asic_id tt_axiclk tt_card_type tt_eth_fw_ver \
                 tt_fw_bundle_ver tt_heartbeat tt_m3app_fw_ver tt_m3bl_fw_ver tt_serial tt_ttflash_ver uevent";
    expected.extend(plain.split(' ').map(str::to_owned));
    expected.sort();
    assert_eq!(below(&paths, &format!("{pci}tenstorrent/tenstorrent!0/")), expected);
    let sensors = "curr1_input curr1_label curr1_max device in0_input in0_label in0_max name power1_input \
                   power1_label power1_max temp1_input temp1_label temp1_max";
    assert_eq!(
        below(&paths, &format!("{pci}hwmon/hwmon3/")),
        sensors.split(' ').collect::<Vec<_>>()
    );
    let process = "cgroup cmdline comm environ fd/0 fd/1 fd/2 fd/3 fd/4 fd/5 fd/6 fd/7 ns/mnt ns/pid root stat status";
    assert_eq!(below(&paths, "/proc/4242/"), process.split(' ').collect::<Vec<_>>());
    let rest: Vec<&str> = paths
        .iter()
        .map(String::as_str)
        .filter(|path| !path.starts_with(pci) && !path.starts_with("/proc/4242/"))
        .filter(|path| !path.starts_with("/proc/1/") && !path.starts_with("/proc/2/"))
        .collect();
    assert_eq!(
        rest,
        [
            "/dev/shm",
            "/dev/shm/TT_UMD_LOCK.CHIP_IN_USE_0_PCIe",
            "/dev/shm/tt_device_1649267441665_memory",
            "/dev/tenstorrent",
            "/dev/tenstorrent/0",
            "/dev/tenstorrent/by-id/wormhole-00041C5A01800001",
            "/etc/hostname",
            "/etc/passwd",
            "/proc/driver/tenstorrent/0/pids",
            "/proc/stat",
            "/proc/sys/kernel/hostname",
            "/proc/sys/kernel/osrelease",
            "/proc/uptime",
            "/sys/bus/pci/devices/0000:01:00.0",
            "/sys/class/tenstorrent",
            "/sys/class/tenstorrent/tenstorrent!0",
            "/sys/kernel/mm/hugepages",
            "/sys/module/tenstorrent/version",
        ]
    );
}

#[test]
fn a_blackhole_has_its_own_files_and_labels() {
    let host = Host::p150();
    let (device, hwmon) = (host.device_directory(0), host.hwmon_directory(0));
    let tree = host.into_tree();
    let paths = paths(&tree);
    assert!(paths.contains(&format!("{device}/tt_therm_trip_count")));
    for name in ["tt_m3bl_fw_ver", "tt_arc_fw_ver", "tt_eth_fw_ver", "tt_ttflash_ver"] {
        assert!(!paths.contains(&format!("{device}/{name}")), "{name}");
    }
    let root = Root::memory(tree);
    let sensor = |name: &str| root.read_text(&format!("{hwmon}/{name}")).unwrap();
    assert_eq!(sensor("name"), "blackhole");
    assert_eq!(sensor("temp1_label"), "asic_temp");
    assert_eq!(sensor("fan1_input"), "2000");
    let asic_id = root.read_text(&format!("{device}/tt_asic_id")).unwrap();
    let id = u64::from_str_radix(&asic_id, 16).unwrap();
    assert!(root.read(&region_path(id), 1).is_ok(), "the region is named after the ASIC id");
}

/// Follows the links that a reader follows.
fn assert_links_lead_somewhere(root: &Root, name: &str) {
    for device in root.list("/sys/class/tenstorrent").unwrap() {
        let directory = format!("/sys/class/tenstorrent/{}", device.to_string_lossy());
        let read = |path: &str| root.read_text(&format!("{directory}/{path}"));
        assert_eq!(read("device/vendor").unwrap(), "0x1e52", "{name}");
        let serial = u64::from_str_radix(&read("tt_serial").unwrap(), 16).unwrap();
        let card_type = read("tt_card_type").unwrap();
        assert_eq!(board::Board::by_serial(serial).unwrap().name, card_type, "{name}");
        for file in ["tt_aiclk", "tt_arcclk", "tt_axiclk", "tt_heartbeat", "device/numa_node"] {
            assert!(read(file).unwrap().parse::<u32>().is_ok(), "{name}: {file}");
        }
        assert_eq!(root.list(&format!("{directory}/pcie_perf_counters")).unwrap().len(), 12);
        for counter in root.list(&format!("{directory}/pcie_perf_counters")).unwrap() {
            let path = format!("pcie_perf_counters/{}", counter.to_string_lossy());
            assert!(read(&path).unwrap().parse::<u32>().is_ok(), "{name}: {path}");
        }
        let hwmon = root.list(&format!("{directory}/device/hwmon")).unwrap();
        let hwmon = format!("device/hwmon/{}", hwmon[0].to_string_lossy());
        assert_eq!(read(&format!("{hwmon}/device/vendor")).unwrap(), "0x1e52", "{name}");
        for sensor in ["temp1", "in0", "curr1", "power1"] {
            let value = |what| read(&format!("{hwmon}/{sensor}_{what}")).unwrap().parse::<u64>();
            assert!(value("input").unwrap() < value("max").unwrap(), "{name}: {sensor}");
        }
    }
    for id in root.list("/dev/tenstorrent/by-id").unwrap() {
        let path = format!("/dev/tenstorrent/by-id/{}", id.to_string_lossy());
        assert_eq!(root.read(&path, 1).unwrap().bytes, b"", "{name}");
    }
    for number in root.list("/proc/driver/tenstorrent").unwrap() {
        let path = format!("/proc/driver/tenstorrent/{}/pids", number.to_string_lossy());
        assert_eq!(root.read_text(&path).unwrap(), ["4242"; 4].join("\n"), "{name}");
    }
    let through = root.list(&format!("/proc/{PID}/root/dev/shm")).unwrap();
    assert_eq!(through, root.list("/dev/shm").unwrap(), "{name}");
}

#[test]
fn links_lead_somewhere_in_memory_and_on_disk() {
    for (name, tree) in healthy() {
        let directory = tempfile::tempdir().unwrap();
        tree.write_to(directory.path()).unwrap();
        let on_disk = Root::directory(directory.path()).unwrap();
        for (path, entry) in tree.iter() {
            match entry {
                Entry::File { bytes, .. } => {
                    assert_eq!(&on_disk.read(path, 1 << 20).unwrap().bytes, bytes, "{path}");
                }
                Entry::Link(target) => {
                    assert_eq!(on_disk.link(path).unwrap().to_str(), Some(target.as_str()));
                }
                _ => assert!(on_disk.list(path).is_ok(), "{path}"),
            }
        }
        assert_links_lead_somewhere(&on_disk, name);
        assert_links_lead_somewhere(&Root::memory(tree), name);
    }
}

#[test]
fn text_files_end_with_a_newline() {
    for (path, entry) in Host::n150().into_tree().iter() {
        let is_text =
            ["/sys/", "/etc/", "/proc/driver/"].iter().any(|start| path.starts_with(start));
        if let (Entry::File { bytes, .. }, true) = (entry, is_text) {
            assert_eq!(bytes.last(), Some(&b'\n'), "{path}");
        }
    }
}

#[test]
fn a_chip_is_busy_while_somebody_has_it_open() {
    let clock = |host: Host| {
        let path = format!("{}/tt_aiclk", host.device_directory(0));
        Root::memory(host.into_tree()).read_text(&path).unwrap()
    };
    assert_eq!(clock(Host::n150()), "1000");
    assert_eq!(clock(Host::new().board(Board::n150())), "500");
    assert_eq!(clock(Host::new().board(Board::n150()).outside(0, 1)), "1000");
}

#[test]
fn an_older_driver_publishes_less() {
    let read = |version: &str, path: &str| {
        let host = Host::p150().driver(version);
        let (device, hwmon) = (host.device_directory(0), host.hwmon_directory(0));
        let path = path.replace("DEVICE", &device).replace("HWMON", &hwmon);
        Root::memory(host.into_tree()).read(&path, 9).is_ok()
    };
    let since = [
        ("2.9.0", "2.8.1", "HWMON/temp1_max"),
        ("2.7.0", "2.6.0", "DEVICE/tt_heartbeat"),
        ("2.7.0", "2.6.0", "DEVICE/tt_therm_trip_count"),
        ("2.5.0", "2.4.1", "/proc/driver/tenstorrent/0/pids"),
        ("2.1.0", "2.0.0", "DEVICE/tt_asic_id"),
        ("2.0.0", "1.34", "DEVICE/pcie_perf_counters/slv_rd_data_word_sent0"),
    ];
    for (new, old, path) in since {
        assert!(read("2.10.0-rc1", path) && read(new, path) && !read(old, path), "{path}");
    }
}

#[test]
fn a_galaxy_is_numbered_by_tray_and_its_regions_by_bus() {
    let host = Host::galaxy();
    let ids = host.region_ids();
    let root = Root::memory(host.into_tree());
    for (number, bus) in [(0, 0xc1), (7, 0xc8), (8, 0x81), (16, 0x01), (24, 0x41), (31, 0x48)] {
        let target = root.link(&format!("/sys/class/tenstorrent/tenstorrent!{number}")).unwrap();
        let bdf = format!("/0000:{bus:02x}:00.0/");
        assert!(target.to_str().unwrap().contains(&bdf), "{number}: {}", target.display());
    }
    assert_eq!(ids.len(), 32);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 32);
    for (device_id, id) in (0_u32..).zip(ids) {
        let image = root.read(&region_path(id), 9000).unwrap().bytes;
        assert_eq!(image[40..44], device_id.to_le_bytes());
        assert_eq!(image[32..40], id.to_le_bytes());
    }
    let serial = |number| {
        let path = format!("/sys/class/tenstorrent/tenstorrent!{number}/tt_serial");
        root.read_text(&path).unwrap()
    };
    assert_eq!(serial(0), serial(7));
    assert_ne!(serial(0), serial(8));
}

#[test]
fn a_t3000_has_four_devices_and_the_eight_regions_of_a_real_one() {
    let root = Root::memory(Host::t3000().into_tree());
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/shm/t3k");
    let mut captured: Vec<_> =
        std::fs::read_dir(fixtures).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    captured.sort();
    let mut names = root.list("/dev/shm").unwrap();
    names.retain(|name| name.to_string_lossy().starts_with("tt_device_"));
    assert_eq!(names, captured);
    for name in names {
        let number_at = |bytes: &[u8]| bytes[40];
        let real = std::fs::read(format!("{fixtures}/{}", name.display())).unwrap();
        let fake = root.read(&format!("/dev/shm/{}", name.display()), 9000).unwrap().bytes;
        assert_eq!(number_at(&fake), number_at(&real), "{}", name.display());
    }
    assert_eq!(root.list("/sys/class/tenstorrent").unwrap().len(), 4);
}

#[test]
fn remote_rows_add_up_to_the_slot() {
    let image = Root::memory(Host::n300_rows().into_tree()).read(&region_path(0x2_6190_302b), 9000);
    let image = image.unwrap().bytes;
    let dram = |offset: usize| u64::from_le_bytes(image[offset..offset + 8].try_into().unwrap());
    assert_eq!([image[88 + 4], image[136 + 4]], [0, 1]);
    assert_eq!([dram(88 + 8), dram(136 + 8)], [BYTES.dram, BYTES.dram]);
    assert_eq!([dram(48), dram(856 + 8)], [2 * BYTES.dram, 2 * BYTES.dram]);
}

#[test]
fn the_newest_owner_stands_first() {
    let host = Host::new().board(Board::n150()).owner(0, 7, 2).outside(0, 1).owner(0, 9, 1);
    let root = Root::memory(host.into_tree());
    let lines = root.read("/proc/driver/tenstorrent/0/pids", 99).unwrap().bytes;
    assert_eq!(lines, b"9\n0\n7\n7\n");
}

#[test]
fn a_path_can_be_replaced_and_taken_away() {
    let host = Host::n150()
        .process(Process::new(9, "x"))
        .file("/etc/passwd", Entry::file("root:x:0:0::/:/bin/sh\n"))
        .without("/proc/9")
        .without_process(PID);
    let paths = paths(&host.into_tree());
    assert!(below(&paths, "/proc/9/").is_empty());
    assert!(below(&paths, "/proc/4242/").is_empty());
    assert!(paths.contains("/etc/passwd"));
}
