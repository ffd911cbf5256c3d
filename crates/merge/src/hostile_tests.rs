//! Files of strangers around a healthy host: forged, damaged, links, and many. No figure of the host changes.
//!
//! A few rounds as a test; `HOSTILE=10000` makes a campaign.

use ttmem_fake as fake;
use ttmem_fake::segment::{NewBuffer, Segment};
use ttmem_fake::{BYTES, Host, PID, Region};
use ttmem_model::Snapshot;
use ttmem_model::facts::RegionBytes;
use ttmem_root::{Clock, Entry, Root, Tree};
use ttmem_segment::AllocatorKind;
use ttmem_sources::Collector;
use ttmem_test_support::random::{Random, number};

/// The stranger.
const EVE: u32 = 666;

fn damaged(random: &mut Random, mut bytes: Vec<u8>) -> Vec<u8> {
    if random.below(3) == 0 {
        bytes.truncate(random.index(bytes.len()));
    }
    random.damage(&mut bytes, 7);
    bytes
}

/// A host with a process whose region and segment are its own.
fn host() -> (Host, u64) {
    let host = Host::n150();
    let id = host.region_ids()[0];
    let process = snapshot(Host::n150().into_tree()).processes[0].clone();
    // Microseconds since boot, in ticks of 10 ms.
    let ticks = process.start_time;
    let segment = Segment::wormhole(PID, ticks, id).allocate(NewBuffer::new(
        AllocatorKind::Dram,
        1 << 20,
        "Matmul",
    ));
    (host.segment_of(PID, segment), ticks)
}

fn snapshot(tree: Tree) -> Snapshot {
    Collector::new(Root::memory(tree)).with_clock(Clock::Fixed(fake::NOW)).snapshot()
}

/// Adds a file of the stranger's.
fn strike(random: &mut Random, tree: &mut Tree, id: u64, ticks: u64) {
    let number = random.below(1_000_000) + 1_000_000;
    let large = RegionBytes { dram: 9 << 30, ..BYTES };
    let region = Region::new(id).slot(PID, "forged", large).image();
    let forged = Segment::wormhole(PID, ticks, id)
        .allocate(NewBuffer::new(AllocatorKind::Dram, 7 << 30, "Forged"))
        .image();
    let file = |bytes| Entry::File { bytes, uid: EVE };
    let (path, entry) = match random.below(7) {
        // Its name says the same process, with the number of a second segment.
        0 => (format!("/dev/shm/ttmem-{PID}-{ticks}-1"), file(forged)),
        1 => (format!("/dev/shm/ttmem-{PID}-{ticks}-2"), file(damaged(random, forged))),
        2 => (format!("/dev/shm/ttmem-{number}-7"), file(damaged(random, forged))),
        3 => (format!("/dev/shm/tt_device_{number}_memory"), file(region)),
        4 => (format!("/dev/shm/tt_device_{number}_memory"), file(damaged(random, region))),
        5 => {
            let target = ["/dev/zero", "/dev/tenstorrent/0", "/dev/shm", "/nowhere"];
            let target = target[random.index(target.len())].to_owned();
            (format!("/dev/shm/tt_device_{number}_memory"), Entry::Link(target))
        }
        _ => {
            for other in 0..600 {
                let path = format!("/dev/shm/ttmem-{}-7", number + other);
                tree.put(path, file(b"x".to_vec()));
            }
            (format!("/dev/shm/tt_device_{number}x_memory"), file(Vec::new()))
        }
    };
    tree.put(path, entry);
}

#[test]
fn files_of_strangers_change_no_figure() {
    let rounds = number("HOSTILE", 10);
    let (quiet, ticks) = host();
    let id = quiet.region_ids()[0];
    let quiet = snapshot(quiet.into_tree());
    let mut random = Random::new(1);
    for round in 0..rounds {
        let mut tree = host().0.into_tree();
        for _ in 0..=random.below(4) {
            strike(&mut random, &mut tree, id, ticks);
        }
        let struck = snapshot(tree);
        assert_eq!(struck.chips[0].memory, quiet.chips[0].memory, "{round}");
        let own = |snapshot: &Snapshot| {
            let process = snapshot.processes.iter().find(|process| process.pid.0 == PID);
            process.unwrap().chips.iter().find(|on| on.chip == quiet.chips[0].id).cloned()
        };
        assert_eq!(own(&struck), own(&quiet), "{round}");
        assert!(struck.findings.len() > quiet.findings.len(), "{round}: in no finding");
        assert!(struck.findings.len() < 40, "{round}: {}", struck.findings.len());
    }
}
