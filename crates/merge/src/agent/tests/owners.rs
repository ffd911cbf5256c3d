//! The owner of a segment, where several processes have its number in namespaces of their own.

use rustix::io::Errno;
use ttmem_fake::segment::{NewBuffer, Segment};
use ttmem_fake::{BYTES, Container, Host, PID, Process, Region};
use ttmem_model::Pid;
use ttmem_model::facts::RegionBytes;
use ttmem_model::reading::Quality;
use ttmem_model::snapshot::ProcessState;
use ttmem_root::{Clock, Entry, Root};
use ttmem_segment::AllocatorKind;
use ttmem_sources::Collector;

use super::super::{Owner, owners};
use super::{MIB, N150, busy, fake, python, snapshot};

#[test]
fn of_processes_that_started_together_the_one_with_the_very_time_is_the_owner() {
    const START: u64 = 1000;
    const SHIFT: i64 = 500_000;
    let mut host = Host::new().without_driver();
    for (pid, ticks) in [(500, 501_000), (600, 501_001), (700, 1000)] {
        let inside = python(pid).container(Container::Docker, 1);
        host = host.process(inside).segment_of(pid, busy(Segment::wormhole(1, ticks, N150)));
    }
    let collector = Collector::new(Root::memory(host.into_tree()));
    let mut facts = collector.with_clock(Clock::Fixed(fake::NOW)).facts();
    // All three share a directory, and the first two have a time namespace each.
    for (pid, start, shift) in [(500, START, SHIFT), (600, START + 1, SHIFT), (700, START, 0)] {
        let process = facts.processes.get_mut(&Pid(pid)).unwrap();
        (process.start_time, process.start_shift) = (Ok(start), shift);
    }
    let pids: Vec<_> = facts
        .segments
        .iter()
        .zip(owners(&facts))
        .map(|(file, owner)| (file.start_ticks, owner))
        .collect();
    for (ticks, pid) in [(501_000, 500), (501_001, 600), (1000, 700)] {
        let found = pids.iter().find(|(of, _)| *of == ticks);
        assert!(
            matches!(found, Some((_, Owner::Live(owner))) if *owner == Pid(pid)),
            "{ticks}: {found:?}"
        );
    }
}

/// A process in a container that shares `/dev/shm` with the host, and the namespace that [`ttmem_fake`] gives it.
fn in_container(pid: i32, inner: i32) -> (Process, u64) {
    let namespace = 4_026_540_000 + u64::from(pid.unsigned_abs());
    (python(pid).container(Container::Docker, inner), namespace)
}

#[test]
fn of_containers_with_one_process_number_and_start_each_owns_its_segment() {
    let ticks = python(PID).start_ticks();
    let mut host = Host::new().board(fake::Board::n150());
    let mut files = Vec::new();
    // The second agent found its name taken.
    for (pid, mib, name) in
        [(600, 2, format!("ttmem-1-{ticks}")), (500, 1, format!("ttmem-1-{ticks}-1"))]
    {
        let (process, namespace) = in_container(pid, 1);
        let segment = Segment::wormhole(1, ticks, N150)
            .pid_namespace(namespace)
            .allocate(NewBuffer::new(AllocatorKind::Dram, mib * MIB, "Matmul"));
        host = host.process(process).owner(0, pid, 1);
        files.push((name, segment.image()));
    }
    let mut tree = host.into_tree();
    for (name, bytes) in files {
        tree.put(format!("/dev/shm/{name}"), Entry::File { bytes, uid: 1000 });
    }
    let snapshot = snapshot(tree);
    let dram = |process: &ttmem_model::snapshot::Process| {
        (process.pid, process.chips[0].memory.dram.value().copied())
    };
    let all: Vec<_> = snapshot.processes.iter().map(dram).collect();
    assert_eq!(all, [(Pid(500), Some(12 * MIB)), (Pid(600), Some(24 * MIB))]);
}

#[test]
fn a_process_of_another_namespace_is_not_the_owner() {
    let ticks = python(PID).start_ticks();
    let segment = |namespace| busy(Segment::wormhole(1, ticks, N150)).pid_namespace(namespace);
    // Process 1 of this namespace, as ttmem is in a container of its own, started in the same tick.
    let seen_from = |own: u64, segment: Segment| {
        let host = Host::new().without_driver().process(python(1)).segment_of(1, segment);
        let mut tree = host.into_tree();
        for process in ["self", "1"] {
            tree.put(format!("/proc/{process}/ns/pid"), Entry::Link(format!("pid:[{own}]")));
        }
        let mut collector = Collector::new(Root::memory(tree)).with_clock(Clock::Fixed(fake::NOW));
        owners(&collector.facts())[0]
    };
    const INNER: u64 = 4_026_540_007;
    const INITIAL: u64 = 4_026_531_836;
    assert_eq!(seen_from(INNER, segment(INNER)), Owner::Live(Pid(1)));
    let elsewhere = seen_from(INNER, segment(4_026_540_009));
    assert!(matches!(elsewhere, Owner::Outside { pid: 1, .. }), "{elsewhere:?}");
    // All namespaces are seen from the initial one: that one has ended.
    let gone = seen_from(INITIAL, segment(4_026_540_009));
    assert!(matches!(gone, Owner::Gone { pid: 1, reused: false, .. }), "{gone:?}");
}

#[test]
fn a_process_that_is_not_in_the_namespace_of_its_number_has_ended() {
    let segment = Segment::wormhole(77, 5, N150).pid_namespace(4_026_540_007);
    let mut tree = Host::new().without_driver().segment_of(77, segment).into_tree();
    tree.put("/proc/self/ns/pid", Entry::Link("pid:[4026540007]".to_owned()));
    tree.put_line("/proc/1/comm", "sh");
    let facts = Collector::new(Root::memory(tree)).with_clock(Clock::Fixed(fake::NOW)).facts();
    let owner = owners(&facts)[0];
    assert!(matches!(owner, Owner::Gone { pid: 77, reused: false, .. }), "{owner:?}");
}

#[test]
fn of_processes_that_cannot_be_told_apart_none_is_the_owner() {
    let ticks = python(PID).start_ticks();
    let mut host = Host::new().without_driver();
    for pid in [500, 600] {
        host = host.process(in_container(pid, 1).0);
    }
    let segment = busy(Segment::wormhole(1, ticks, N150)).pid_namespace(4_026_540_600);
    let mut tree = host.segment_of(PID, segment).into_tree();
    for pid in [500, 600] {
        tree.put(format!("/proc/{pid}/ns/pid"), Entry::Error(Errno::ACCESS));
    }
    let facts = Collector::new(Root::memory(tree)).with_clock(Clock::Fixed(fake::NOW)).facts();
    let owner = owners(&facts)[0];
    assert!(matches!(owner, Owner::Outside { pid: 1, .. }), "{owner:?}");
}

#[test]
fn processes_of_one_number_outside_the_namespace_are_two() {
    let segment = |ticks, mib| {
        Segment::wormhole(1, ticks, N150)
            .pid_namespace(4_026_540_000 + ticks)
            .allocate(NewBuffer::new(AllocatorKind::Dram, mib * MIB, "Matmul"))
    };
    let host = Host::new().board(fake::Board::n150()).outside(0, 2);
    let host = host.segment_of(1, segment(700, 1)).segment_of(1, segment(701, 2));
    let mut tree = host.into_tree();
    tree.put("/proc/self/ns/pid", Entry::Link("pid:[4026549999]".to_owned()));
    tree.put_line("/proc/9/comm", "sh");
    let dram = |process: &ttmem_model::snapshot::Process| {
        (process.state, process.chips[0].memory.dram.value().copied())
    };
    let all: Vec<_> = snapshot(tree).processes.iter().map(dram).collect();
    let outside = ProcessState::OutsideNamespace;
    assert_eq!(all, [(outside, Some(12 * MIB)), (outside, Some(24 * MIB))]);
}

#[test]
fn a_slot_of_processes_of_one_number_is_of_none_of_them() {
    let seen = |names: [&str; 2]| {
        let mut host = Host::new().board(fake::Board::n150());
        for (pid, name) in [(500, names[0]), (600, names[1])] {
            let process = Process::new(pid, name).container(Container::Docker, 1);
            host = host.process(process).owner(0, pid, 1);
        }
        let region = Region::new(N150).slot(1, "python3", BYTES);
        let snapshot = snapshot(host.region(region).into_tree());
        assert_eq!(snapshot.chips[0].memory.dram.used.value(), Some(&BYTES.dram));
        let dram = |process: &ttmem_model::snapshot::Process| {
            (process.pid.0, process.chips[0].memory.dram.value().copied())
        };
        snapshot.processes.iter().map(dram).collect::<Vec<_>>()
    };
    let bytes = Some(BYTES.dram);
    assert_eq!(seen(["python3", "python3"]), [(500, None), (600, None), (1, bytes)]);
    assert_eq!(seen(["pytest", "python3"]), [(500, None), (600, bytes)]);
}

/// What is read of a host whose containers share one slot: the DRAM used on the chip and its quality, that of each
/// process by pid, and the ids of the findings.
type Shared = (Option<u64>, Option<Quality>, Vec<(i32, Option<u64>)>, Vec<String>);

/// A chip whose slot of process 1 has `slot` bytes of DRAM, and processes with the number 1 in containers that share it,
/// each by its pid, name, and the bytes in each bank that its agent counts.
fn sharing(slot: u64, processes: &[(i32, &str, Option<u64>)]) -> Shared {
    let ticks = python(PID).start_ticks();
    let mut host = Host::new().board(fake::Board::n150());
    let mut files = Vec::new();
    for (pid, name, agent) in processes {
        let process = Process::new(*pid, name).container(Container::Docker, 1);
        host = host.process(process).owner(0, *pid, 1);
        let Some(bytes) = agent else { continue };
        let segment = Segment::wormhole(1, ticks, N150)
            .pid_namespace(4_026_540_000 + u64::from(pid.unsigned_abs()))
            .allocate(NewBuffer::new(AllocatorKind::Dram, *bytes, "Matmul"));
        // A later agent found the name taken.
        let taken = if files.is_empty() { String::new() } else { format!("-{}", files.len()) };
        files.push((format!("/dev/shm/ttmem-1-{ticks}{taken}"), segment.image()));
    }
    let bytes = RegionBytes { dram: slot, ..RegionBytes::default() };
    let mut tree = host.region(Region::new(N150).slot(1, "python3", bytes)).into_tree();
    for (path, bytes) in files {
        tree.put(path, Entry::File { bytes, uid: 1000 });
    }
    shared(&snapshot(tree))
}

fn shared(snapshot: &ttmem_model::Snapshot) -> Shared {
    let used = &snapshot.chips[0].memory.dram.used;
    let dram = |process: &ttmem_model::snapshot::Process| {
        (process.pid.0, process.chips[0].memory.dram.value().copied())
    };
    let processes = snapshot.processes.iter().map(dram).collect();
    let findings = snapshot.findings.iter().map(|finding| finding.id.clone()).collect();
    (used.value().copied(), used.quality(), processes, findings)
}

#[test]
fn of_a_shared_slot_the_process_without_an_agent_has_the_rest() {
    let (used, quality, processes, findings) =
        sharing(100 * MIB, &[(500, "python3", Some(MIB)), (600, "python3", None)]);
    assert_eq!((used, quality), (Some(100 * MIB), Some(Quality::Approximate)));
    assert_eq!(processes, [(500, Some(12 * MIB)), (600, Some(88 * MIB))]);
    assert_eq!(findings, ["slot-shared"]);
}

#[test]
fn the_process_with_the_rest_of_a_shared_slot_owns_the_chip() {
    // Without a driver nothing but the slot names it.
    let mut host = Host::new().without_driver();
    for pid in [500, 600] {
        host = host.process(in_container(pid, 7).0);
    }
    let segment = busy(Segment::wormhole(7, python(PID).start_ticks(), N150));
    let host = host.segment_of(PID, segment.pid_namespace(in_container(500, 7).1));
    let region = Region::new(N150).slot(7, "python3", BYTES);
    let snapshot = snapshot(host.region(region).into_tree());
    assert_eq!(snapshot.chips[0].owners.pids, [Pid(500), Pid(600)]);
}

/// Any process has the number of another in a namespace of its own; where no driver lists who has devices open, only bytes
/// show that it has to do with the slot.
#[test]
fn a_process_that_only_has_the_number_of_an_agent_shares_no_slot() {
    let shared = |bytes: u64| {
        let host = Host::new().without_driver().process(in_container(500, 7).0);
        let host = host.process(Process::new(600, "sleep").container(Container::Docker, 7));
        let segment = busy(Segment::wormhole(7, python(PID).start_ticks(), N150));
        let host = host.segment_of(PID, segment.pid_namespace(in_container(500, 7).1));
        let bytes = RegionBytes { dram: bytes, l1: 4096, ..RegionBytes::default() };
        let region = Region::new(N150).slot(7, "python3", bytes);
        let snapshot = snapshot(host.region(region).into_tree());
        let pids: Vec<i32> = snapshot.processes.iter().map(|process| process.pid.0).collect();
        (pids, snapshot.chips[0].owners.pids.len(), snapshot.findings.len())
    };
    assert_eq!(shared(80 * MIB), (vec![500], 1, 0));
    assert_eq!(shared(100 * MIB), (vec![500, 600], 2, 1));
}

#[test]
fn the_name_in_a_shared_slot_gives_no_process_all_of_it() {
    let (used, _, processes, _) =
        sharing(100 * MIB, &[(500, "pytest", None), (600, "python3", Some(MIB))]);
    assert_eq!(used, Some(100 * MIB));
    assert_eq!(processes, [(500, Some(88 * MIB)), (600, Some(12 * MIB))]);
}

#[test]
fn the_rest_of_a_shared_slot_is_of_none_of_several_without_agents() {
    let three = [(500, "python3", Some(MIB)), (600, "python3", None), (700, "python3", None)];
    let (used, _, processes, findings) = sharing(100 * MIB, &three);
    assert_eq!(used, Some(100 * MIB));
    let expected = [(500, Some(12 * MIB)), (600, None), (700, None), (1, Some(88 * MIB))];
    assert_eq!(processes, expected);
    assert_eq!(findings, ["slot-shared"]);
}

/// A slot has requested bytes, and an agent those that are reserved.
#[test]
fn a_shared_slot_below_its_agents_has_no_rest() {
    let (used, _, processes, _) =
        sharing(11 * MIB, &[(500, "python3", Some(MIB)), (600, "python3", None)]);
    assert_eq!(used, Some(12 * MIB));
    assert_eq!(processes, [(500, Some(12 * MIB)), (600, Some(0))]);
}

#[test]
fn agents_of_all_in_a_shared_slot_count_exactly() {
    let (used, quality, processes, findings) =
        sharing(30 * MIB, &[(500, "python3", Some(MIB)), (600, "python3", Some(2 * MIB))]);
    assert_eq!((used, quality), (Some(36 * MIB), Some(Quality::Exact)));
    assert_eq!(processes, [(500, Some(12 * MIB)), (600, Some(24 * MIB))]);
    assert_eq!(findings, [""; 0]);
}

#[test]
fn the_rest_of_a_slot_of_processes_that_are_not_seen_is_in_the_sum() {
    let seen = |slot: u64| {
        let bytes = RegionBytes { dram: slot, ..RegionBytes::default() };
        let segment = Segment::wormhole(1, 700, N150)
            .pid_namespace(4_026_540_700)
            .allocate(NewBuffer::new(AllocatorKind::Dram, MIB, "Matmul"));
        let host = Host::new().board(fake::Board::n150()).outside(0, 2).segment_of(1, segment);
        let mut tree = host.region(Region::new(N150).slot(1, "python3", bytes)).into_tree();
        tree.put("/proc/self/ns/pid", Entry::Link("pid:[4026549999]".to_owned()));
        tree.put_line("/proc/9/comm", "sh");
        shared(&snapshot(tree))
    };
    let (used, quality, processes, findings) = seen(100 * MIB);
    assert_eq!((used, quality), (Some(100 * MIB), Some(Quality::Approximate)));
    assert_eq!(processes, [(1, Some(88 * MIB)), (1, Some(12 * MIB))]);
    assert!(findings.contains(&"slot-shared".to_owned()), "{findings:?}");
    let (used, quality, processes, findings) = seen(11 * MIB);
    assert_eq!((used, quality), (Some(12 * MIB), Some(Quality::Exact)));
    assert_eq!(processes, [(1, Some(12 * MIB))]);
    assert!(!findings.contains(&"slot-shared".to_owned()), "{findings:?}");
}
