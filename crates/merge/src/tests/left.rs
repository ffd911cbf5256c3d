//! What ended runs left, on hosts with and without devices.

use super::*;
use ttmem_fake::segment::{NewBuffer, Segment};
use ttmem_fake::{Process as FakeProcess, Region};
use ttmem_segment::AllocatorKind as SegmentKind;

fn texts(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.findings.iter().map(|finding| finding.text.as_str()).collect()
}

#[test]
fn captured_regions_of_ended_processes_are_findings_and_no_chips() {
    let stale = snapshot(captured("stale"));
    assert_eq!((stale.chips.len(), stale.processes.len()), (0, 0));
    let finding = &stale.findings[0];
    assert_eq!(
        (finding.id.as_str(), finding.pid, finding.chip),
        ("stale-region", Some(Pid(27497)), None)
    );
    assert_eq!(
        texts(&stale),
        [
            "process 27497 (python) has ended and left 2.00 MiB DRAM, 2.00 MiB L1 in /dev/shm/tt_device_0_memory, of no chip that is known"
        ]
    );
    assert_eq!(finding.remedy, "ttmem doctor --clean deletes what it left");
    let t3k = snapshot(captured("t3k"));
    assert_eq!((t3k.chips.len(), t3k.processes.len()), (0, 0));
    assert_eq!(
        texts(&t3k),
        [
            "process 27462 (python) has ended and left 32.0 MiB DRAM, 32.0 MiB L1 in /dev/shm/tt_device_10226774059_memory and 7 more files, of no chip that is known"
        ]
    );
}

#[test]
fn beside_a_device_a_stale_region_of_another_chip_adds_none() {
    let region = Region::new(0).slot(27497, "python", BYTES);
    let both = snapshot(Host::n150().region(region).into_tree());
    let alone = snapshot(Host::n150().into_tree());
    assert_eq!((&both.chips, &both.processes), (&alone.chips, &alone.processes));
    assert_eq!(finding_ids(&both), ["stale-region"]);
}

/// Runs on a host without a driver: the chips, and the findings.
fn seen(host: Host) -> (usize, Vec<String>) {
    let snapshot = snapshot(host.without_driver().into_tree());
    let ids = snapshot.findings.iter().map(|finding| finding.id.clone()).collect();
    (snapshot.chips.len(), ids)
}

#[test]
fn a_region_with_a_living_process_is_a_chip() {
    let python = || FakeProcess::new(PID, "python3");
    let region = Region::new(7).slot(PID, "python3", BYTES);
    assert_eq!(seen(Host::new().region(region.clone())), (0, vec!["stale-region".to_owned()]));
    assert_eq!(seen(Host::new().process(python()).region(region.clone())), (1, vec![]));
    // Of two owners one lives: the memory of the other is stale memory of a chip.
    let two = region.slot(77, "python3", BYTES);
    assert_eq!(
        seen(Host::new().process(python()).region(two)),
        (1, vec!["stale-memory".to_owned()])
    );
    // A process that has not allocated has no slot, and is counted.
    let attached = |count: u32| {
        let mut image = Region::new(7).image();
        image[16..20].copy_from_slice(&count.to_le_bytes());
        let mut tree = Host::new().without_driver().into_tree();
        tree.put(fake::region_path(7), ttmem_root::Entry::file(image));
        let snapshot = snapshot(tree);
        (snapshot.chips.len(), snapshot.findings.len())
    };
    assert_eq!(attached(1), (1, 0));
    // A run that ended cleanly leaves its region without slots.
    assert_eq!(attached(0), (0, 0));
}

#[test]
fn living_chips_are_numbered_before_what_is_left() {
    let region = |id, pid| Region::new(id).slot(pid, "python3", BYTES);
    let host = Host::new().without_driver().process(FakeProcess::new(PID, "python3"));
    let snapshot = snapshot(host.region(region(5, 77)).region(region(6, PID)).into_tree());
    let chips: Vec<_> = snapshot.chips.iter().map(|chip| (chip.index, chip.id)).collect();
    assert_eq!(chips, [(0, ChipId::Known(6))]);
}

#[test]
fn a_segment_beside_its_region_is_one_finding() {
    let segment = || {
        let buffer = NewBuffer::new(SegmentKind::Dram, 4096, "Add");
        Segment::wormhole(PID, FakeProcess::new(PID, "python3").start_ticks(), 7).allocate(buffer)
    };
    let region = Region::new(7).slot(PID, "python3", BYTES);
    let host = || Host::new().without_driver().region(region.clone());
    let killed = snapshot(host().segment_of(PID, segment()).into_tree());
    assert_eq!((killed.chips.len(), finding_ids(&killed)), (0, vec!["stale-region"]));
    assert!(
        texts(&killed)[0].contains("/dev/shm/tt_device_7_memory and 1 more file,"),
        "{killed:?}"
    );
    assert!(killed.findings[0].remedy.starts_with("ttmem buffers -p 4242 lists the memory; "));
    let host = host().process(FakeProcess::new(PID, "python3"));
    let lives = snapshot(host.segment_of(PID, segment()).into_tree());
    // Its figures are made up, and do not agree.
    assert_eq!((lives.chips.len(), finding_ids(&lives)), (1, vec!["sources-disagree"]));
}
