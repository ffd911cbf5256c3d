//! Memory on hosts of which a device is not there while a process has it open.

use ttmem_model::reading::Missing;

use super::*;

/// The host without the device of a number: its directory, its list of owners and its address on the bus.
fn without_device(host: Host, number: u32, bdf: &str) -> Host {
    host.without(format!("/sys/class/tenstorrent/tenstorrent!{number}"))
        .without(format!("/proc/driver/tenstorrent/{number}"))
        .without(format!("/sys/bus/pci/devices/{bdf}"))
}

/// The index, the board and the used DRAM of each chip.
fn dram(host: Host) -> Vec<(u32, bool, Option<u64>)> {
    let chips = snapshot(host.into_tree()).chips.into_iter();
    chips
        .map(|chip| (chip.index, chip.board.is_some(), chip.memory.dram.used.value().copied()))
        .collect()
}

/// TT-Metal numbers the chips of a T3000 when it opens them. Without one of its devices the numbers of the others are not known.
#[test]
fn no_chip_gets_the_memory_of_another_when_a_device_is_removed() {
    let found = dram(without_device(Host::t3000(), 0, "0000:01:00.0"));
    let known = |(_, has_board, _): &&(u32, bool, Option<u64>)| *has_board;
    assert_eq!(found.iter().filter(known).count(), 6);
    assert!(found.iter().filter(known).all(|(.., used)| used.is_none()), "{found:?}");
    let unknown: Vec<_> = found.iter().filter(|one| !known(one)).map(|(.., used)| *used).collect();
    assert_eq!(unknown, [Some(BYTES.dram); 8]);
    let found = snapshot(without_device(Host::t3000(), 0, "0000:01:00.0").into_tree());
    assert_eq!(finding_ids(&found), ["region-unassigned"]);
    let detail = |missing: Option<&Missing>| missing.unwrap().detail.to_string();
    for chip in found.chips.iter().filter(|chip| chip.board.is_some()) {
        let why = detail(chip.memory.dram.used.missing());
        assert!(why.starts_with("process 4242 has memory regions of which no device"), "{why}");
    }
    let process = found.processes.iter().find(|process| process.pid == Pid(PID)).unwrap();
    let on_chip = process.chips.iter().find(|on| on.memory.dram.value().is_none()).unwrap();
    let why = detail(on_chip.memory.dram.missing());
    assert!(why.starts_with("process 4242 has memory regions of which no device"), "{why}");
}

/// The id of a region of a P300 names the board and the position of the chip there, which no file of the driver has.
#[test]
fn one_chip_of_a_p300_does_not_get_the_memory_of_both() {
    let serial = 0x0000_0460_0000_0100;
    let board =
        |asic| fake::Board::new(Board::by_name("p300c").unwrap()).serial(serial).asic_id(asic);
    let host = || {
        let both = Host::new().board(board(1)).board(board(2));
        let process = fake::Process::new(PID, "python3");
        both.process(process).owner(0, PID, 2).owner(1, PID, 2)
    };
    let region = |location: u32, number| {
        let id = serial << 5 | u64::from(location);
        fake::Region::new(id).device_id(number).slot(PID, "python3", BYTES)
    };
    let (one, other) = (Some(BYTES.dram), None);
    let two = host().region(region(0, 0)).region(region(1, 1));
    assert_eq!(dram(two), [(0, true, one), (1, true, one)]);
    // The second device is removed: either region may be the first chip's.
    let two = host().region(region(0, 0)).region(region(1, 1));
    let removed = dram(without_device(two, 1, "0000:41:00.0"));
    assert_eq!(removed, [(0, true, other), (1, false, one), (2, false, one)]);
    // A machine that has one of the two, at whatever position.
    let alone = without_device(host().region(region(1, 0)), 1, "0000:41:00.0");
    assert_eq!(dram(alone), [(0, true, one)]);
}

/// tt-kmd publishes telemetry of Wormhole from 1.27 on, and of Blackhole from 1.32 on.
#[test]
fn a_driver_without_telemetry_of_an_architecture_is_named() {
    let text = |new: fn() -> Host, version: &str| {
        let host = new();
        let (device, hwmon) = (host.device_directory(0), host.hwmon_directory(0));
        let tree = new().driver(version).into_tree();
        let values = tree.iter().map(|(path, _)| path.to_owned());
        let values = values.filter(|path| path.starts_with(&format!("{device}/tt_")));
        let gone: Vec<String> = values.chain([hwmon]).collect();
        let host = gone.into_iter().fold(host.driver(version), Host::without);
        let found = snapshot(host.into_tree()).findings;
        let found = found.into_iter().find(|finding| finding.id == "no-telemetry").unwrap();
        (found.text, found.remedy)
    };
    let (why, remedy) = text(Host::p150, "1.31");
    assert!(why.ends_with("tt-kmd 1.31 publishes none of a blackhole chip"), "{why}");
    assert_eq!(remedy, "use tt-kmd 1.32 or newer");
    let (why, remedy) = text(Host::n150, "1.26");
    assert!(why.ends_with("tt-kmd 1.26 publishes none of a wormhole chip"), "{why}");
    assert_eq!(remedy, "use tt-kmd 1.27 or newer");
    let newer: [(fn() -> Host, _); 3] =
        [(Host::p150, "1.32"), (Host::n150, "1.31"), (Host::p150, "2.0.0")];
    for (host, version) in newer {
        assert!(text(host, version).0.contains("firmware was not ready"), "{version}");
    }
}
