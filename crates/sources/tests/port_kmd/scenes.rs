//! The programs that use the port on a stage.

use std::path::PathBuf;
use std::time::Duration;

use ttmem_model::Arch;
use ttmem_model::l1::{Coordinate, Core, Grid};
use ttmem_root::Root;
use ttmem_sources::port::kmd::{Budget, KmdPort, KmdPortError, Rules};
use ttmem_sources::port::{L1Port as _, PortError};
use ttmem_test_support::stage::{DEVICE, OWNER};

pub(crate) fn play(scene: &str) {
    let outcome = match scene {
        "read everything" => read_everything(),
        "decode" => decode(),
        "sample" => sample(),
        "odd pieces" => odd_pieces(),
        "outside" => outside(),
        "misplaced" => wrong_grid(Coordinate { x: 3, y: 0 }, Grid { columns: 8, rows: 10 }),
        "huge grid" => wrong_grid(Coordinate { x: 0, y: 0 }, Grid { columns: 9, rows: 10 }),
        "open" => said(open().map(drop)),
        "close" => said(open().and_then(KmdPort::close)),
        "read until it fails" => read_until_it_fails(),
        "ones" => ones(),
        "budget" => budget(),
        "owner ends" => owner_ends(),
        other => panic!("no scene {other}"),
    };
    std::fs::write(directory().join("outcome"), outcome).unwrap();
}

fn directory() -> PathBuf {
    std::env::var_os("TTMEM_TEST_DRIVER").unwrap().into()
}

fn arch() -> Arch {
    let settings = std::fs::read_to_string(directory().join("settings")).unwrap();
    if settings.contains("arch=blackhole") { Arch::Blackhole } else { Arch::Wormhole }
}

fn open() -> Result<KmdPort, KmdPortError> {
    KmdPort::open(&Root::system(), DEVICE, arch(), Rules::default())
}

fn open_with(budget: Budget) -> KmdPort {
    KmdPort::open(&Root::system(), DEVICE, arch(), Rules { budget, ..Rules::default() }).unwrap()
}

const AMPLE: Budget = Budget { bytes: u64::MAX, time: Duration::from_secs(600) };

fn said<T>(result: Result<T, KmdPortError>) -> String {
    result.map_or_else(|error| error.to_string(), |_| "well".to_owned())
}

/// Returns the start of a core's mailbox, and in it the offsets of its logical coordinate and the grid (TT-Metal 0.81).
fn offsets() -> (u64, u64, u64) {
    match arch() {
        Arch::Wormhole => (16, 2779, 2777),
        Arch::Blackhole => (96, 2907, 2905),
    }
}

fn admit(port: &mut KmdPort) {
    let first = port.chip().cores[0];
    let (mailbox, logical, grid) = offsets();
    let mut pair = [0; 2];
    port.read(first, mailbox + logical, &mut pair).unwrap();
    let logical = Coordinate { x: pair[0], y: pair[1] };
    port.read(first, mailbox + grid, &mut pair).unwrap();
    port.admit_grid(logical, Grid { columns: pair[0], rows: pair[1] }).unwrap();
}

fn read_everything() -> String {
    let mut port = open_with(AMPLE);
    assert_eq!(port.chip().cores.len(), 1);
    admit(&mut port);
    let ring = if arch() == Arch::Wormhole { 35_168 } else { 41_088 };
    for core in port.chip().cores.clone() {
        let mut bytes = vec![0; 8192];
        port.read(core, offsets().0, &mut bytes[..4096]).unwrap();
        port.read(core, ring, &mut bytes[4096..]).unwrap();
        let name = format!("read-{}-{}", core.x, core.y);
        std::fs::write(directory().join(name), bytes).unwrap();
    }
    let cores = port.chip().cores.len();
    let outcome = format!("{cores} cores of {}, driver {}", port.bdf(), port.driver());
    port.close().unwrap();
    outcome
}

fn decode() -> String {
    let mut port = open().unwrap();
    let mut reader = port.discover().unwrap();
    port.begin_sample(&Root::system()).unwrap();
    let (cores, _cost) = reader.sample(&mut port).unwrap();
    port.close().unwrap();
    shown(cores)
}

/// Cores as text, by their logical place; where they are on the NOC is left out.
pub(crate) fn shown(mut cores: Vec<Core>) -> String {
    cores.sort_by_key(|core| core.logical);
    for core in &mut cores {
        core.noc = Coordinate { x: 0, y: 0 };
    }
    format!("{cores:#?}")
}

fn sample() -> String {
    let mut port = open_with(AMPLE);
    admit(&mut port);
    let before = port.cost().bytes;
    port.begin_sample(&Root::system()).unwrap();
    for core in port.chip().cores.clone() {
        // 17 bytes from an odd address are 5 words.
        port.read(core, 33, &mut [0; 17]).unwrap();
        port.read(core, 1200, &mut [0; 16]).unwrap();
    }
    let cost = port.cost();
    let cores = u64::try_from(port.chip().cores.len()).unwrap();
    assert_eq!((cost.reads, cost.bytes), (2 * cores, (5 + 4) * 4 * cores));
    (before + cost.bytes).to_string()
}

fn odd_pieces() -> String {
    let mut port = open_with(AMPLE);
    let first = port.chip().cores[0];
    let image = std::fs::read(directory().join(format!("cores/{}-{}", first.x, first.y))).unwrap();
    let l1 = usize::try_from(port.chip().l1_bytes).unwrap();
    let edge = 1 << 20;
    for (address, bytes) in
        [(0, 1), (1, 1), (3, 2), (97, 4), (98, 333), (edge - 3, 9), (edge, 4), (l1 - 5, 5), (7, 0)]
    {
        let mut read = vec![0; bytes];
        port.read(first, u64::try_from(address).unwrap(), &mut read).unwrap();
        assert_eq!(read, image[address..address + bytes], "{address} {bytes}");
    }
    "well".to_owned()
}

fn outside() -> String {
    let mut port = open().unwrap();
    let first = port.chip().cores[0];
    let neighbour = Coordinate { x: first.x + 1, y: first.y };
    let l1 = port.chip().l1_bytes;
    let asked = [
        (neighbour, 0),
        (Coordinate { x: 0, y: 10 }, 0),
        (first, l1),
        (first, l1 - 3),
        (first, u64::MAX),
    ];
    let names = asked.map(|(core, address)| match port.read(core, address, &mut [0; 4]) {
        Err(PortError::NoSuchCore { .. }) => "NoSuchCore",
        Err(PortError::Outside { .. }) => "Outside",
        _ => "other",
    });
    names.join(" ")
}

fn wrong_grid(logical: Coordinate, grid: Grid) -> String {
    let mut port = open().unwrap();
    let refused = port.admit_grid(logical, grid).unwrap_err();
    let first = port.chip().cores[0];
    let then = port.read(first, 16, &mut [0; 4]).unwrap_err();
    let then = then.to_string();
    let (_, then) = then.split_once(": ").unwrap();
    format!("{refused}; then: {then}")
}

fn read_until_it_fails() -> String {
    let mut port = open_with(AMPLE);
    let settings = std::fs::read_to_string(directory().join("settings")).unwrap();
    // A link that is dead from the start says nothing of a grid.
    if !settings.contains("after=0") {
        admit(&mut port);
    }
    let cores = port.chip().cores.clone();
    let failed = cores.iter().find_map(|core| port.read(*core, 16, &mut [0; 64]).err()).unwrap();
    assert!(!failed.is_local());
    let then = port.read(cores[0], 16, &mut [0; 64]).unwrap_err();
    assert!(then.to_string().contains("the device is closed"), "{then}");
    let next = port.begin_sample(&Root::system()).unwrap_err();
    assert!(matches!(next, KmdPortError::Closed { .. }), "{next}");
    format!("{failed}; then: {then}")
}

/// The owner ends between two reads of one core, and between two cores.
fn owner_ends() -> String {
    let mut port = open_with(AMPLE);
    admit(&mut port);
    let cores = port.chip().cores.clone();
    port.read(cores[0], 16, &mut [0; 64]).unwrap();
    std::fs::remove_file(directory().join(format!("root/proc/{OWNER}/stat"))).unwrap();
    let failed = port.read(cores[1], 16, &mut [0; 64]).unwrap_err();
    let then = port.read(cores[0], 16, &mut [0; 64]).unwrap_err();
    assert!(then.to_string().contains("the device is closed"), "{then}");
    failed.to_string()
}

fn ones() -> String {
    let mut port = open().unwrap();
    let first = port.chip().cores[0];
    let mut bytes = [0; 16];
    port.read(first, 4096, &mut bytes).unwrap();
    assert_eq!(bytes, [0xFF; 16]);
    format!("ones, after {} words", port.cost().bytes / 4)
}

fn budget() -> String {
    let mut port = open_with(Budget { bytes: 1024, time: Duration::from_secs(600) });
    let first = port.chip().cores[0];
    port.read(first, 16, &mut [0; 512]).unwrap();
    port.read(first, 16, &mut [0; 512]).unwrap();
    let refused = port.read(first, 16, &mut [0; 4]).unwrap_err();
    assert!(refused.is_local());
    let refused = refused.to_string();
    let (_, rest) = refused.split_once("the sample is ").unwrap();
    let (rest, _micros) = rest.split_once(" and ").unwrap();
    port.begin_sample(&Root::system()).unwrap();
    port.read(first, 16, &mut [0; 512]).unwrap();
    format!("{rest}; then well")
}
