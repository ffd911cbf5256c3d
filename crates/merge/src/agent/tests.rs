//! Merges of hosts with agents.

use ttmem_model::facts::RegionBytes;
use ttmem_model::reading::{Missing, MissingReason, Quality, Reading, SourceName};
use ttmem_model::snapshot::{IdSource, ProcessState, SourceStatus};
use ttmem_model::{ChipId, Kind, Pid, Snapshot};
use ttmem_segment::{AgentState, AllocatorKind, AllocatorRole, Hook, layout::Counter};

use crate::buffers;
use ttmem_fake as fake;
use ttmem_fake::segment::{NewBuffer, Segment, WORMHOLE};
use ttmem_fake::{BYTES, Container, Host, PID, Process, Region};
use ttmem_root::Clock;
use ttmem_root::{Entry, Root, Tree};
use ttmem_sources::Collector;
use ttmem_sources::source::agent::Depth;

mod ids;
mod names;
mod owners;
mod programs;

const N150: u64 = 0x0000_0180_0000_0001;
const MIB: u64 = 1 << 20;

fn snapshot(tree: Tree) -> Snapshot {
    Collector::new(Root::memory(tree)).with_clock(Clock::Fixed(fake::NOW)).snapshot()
}

fn python(pid: i32) -> Process {
    Process::new(pid, "python3")
}

/// 7 MiB of DRAM and 64 KiB of L1 in every bank.
fn busy(segment: Segment) -> Segment {
    segment
        .allocate(NewBuffer::new(AllocatorKind::Dram, 4 * MIB, "Matmul"))
        .allocate(NewBuffer::new(AllocatorKind::Dram, 3 * MIB, "Softmax"))
        .allocate(NewBuffer::new(AllocatorKind::L1, 65_536, "Matmul"))
}

fn segment(pid: i32) -> Segment {
    busy(Segment::wormhole(pid, python(pid).start_ticks(), N150))
}

/// The memory of [`busy`] on a Wormhole.
const HELD: [u64; 4] = [12 * 7 * MIB, 64 * 65_536, 0, 0];

fn used(snapshot: &Snapshot, chip: usize) -> [Reading<u64>; 4] {
    AllocatorKind::ALL.map(|kind| snapshot.chips[chip].memory.allocators()[kind].used.clone())
}

fn exact(bytes: [u64; 4]) -> [Reading<u64>; 4] {
    bytes.map(|bytes| Reading::exact(bytes, SourceName::Agent))
}

fn finding_ids(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.findings.iter().map(|finding| finding.id.as_str()).collect()
}

#[test]
fn a_segment_that_is_being_created_is_no_finding() {
    let host = Host::new().board(fake::Board::n150()).segment_of(PID, segment(PID));
    let root = Root::memory(host.into_tree());
    let mut facts = Collector::new(root).with_clock(Clock::Fixed(fake::NOW)).facts();
    facts.segments[0].content = Err(Missing::not_read("the agent is just starting"));
    assert_eq!(finding_ids(&crate::merge(&facts, None)), [""; 0]);
    facts.segments[0].content = Err(Missing::failed("the agent is just starting"));
    assert_eq!(finding_ids(&crate::merge(&facts, None)), ["segment-unusable"]);
}

#[test]
fn an_agent_is_believed_before_the_region_and_both_are_kept() {
    // The region counts what was asked for, which is less than what is taken.
    let requested = RegionBytes { dram: HELD[0] - 5, l1: 4096, ..RegionBytes::default() };
    let host = Host::new().board(fake::Board::n150()).workload(python(PID), requested);
    let snapshot = snapshot(host.segment_of(PID, segment(PID)).into_tree());
    assert_eq!(used(&snapshot, 0), exact(HELD));
    assert_eq!(finding_ids(&snapshot), [""; 0], "{:?}", snapshot.findings);
    let dram = &snapshot.chips[0].memory.dram;
    assert_eq!(dram.upstream.as_ref().unwrap().value(), Some(&requested.dram));
    assert_eq!(dram.capacity.value(), Some(&(12 << 30)));
    assert_eq!(dram.allocatable.value(), Some(&(12 * WORMHOLE[0].bytes)));
    assert_eq!(dram.largest_free.value(), Some(&(WORMHOLE[0].bytes - 7 * MIB)));
    assert_eq!(dram.fragmentation.value().unwrap().0, 0.0);
    assert_eq!(snapshot.chips[0].memory.l1.banks.value(), Some(&64));
    assert_eq!(snapshot.chips[0].memory.l1_small.capacity.value(), Some(&(64 * 32_768)));
    let process = &snapshot.processes[0].chips[0].memory;
    assert_eq!(process.dram, Reading::exact(HELD[0], SourceName::Agent));
    let upstream = &process.upstream.as_ref().unwrap().dram;
    assert_eq!(
        (upstream.value(), upstream.quality()),
        (Some(&requested.dram), Some(Quality::Approximate))
    );
    assert_eq!(process.circular_buffers_reported.quality(), Some(Quality::HighWater));
}

/// TT-Metal is asked up to a tenth of a second after a change.
#[test]
fn free_bytes_are_of_the_present_before_tt_metal_is_asked_again() {
    let host = Host::new().board(fake::Board::n150()).workload(python(PID), RegionBytes::default());
    let tree = host.segment_of(PID, segment(PID)).into_tree();
    let mut collector = Collector::new(Root::memory(tree)).with_clock(Clock::Fixed(fake::NOW));
    let mut facts = collector.facts_at(Depth::Full);
    let segment = facts.segments[0].content.as_mut().unwrap();
    for held in &mut segment.allocators[0].kinds {
        let statistics = held.statistics.as_mut().unwrap();
        statistics.allocated = 0;
        statistics.free = statistics.total;
        statistics.largest_free = statistics.total;
    }
    let memory = &crate::merge(&facts, None).chips[0].memory;
    let largest = |memory: &ttmem_model::snapshot::AllocatorMemory| memory.largest_free.clone();
    assert_eq!(largest(&memory.dram).value(), Some(&(WORMHOLE[0].bytes - 7 * MIB)));
    assert_eq!(largest(&memory.l1).value(), Some(&(WORMHOLE[1].bytes - 65_536)));
    let list = buffers(&facts);
    let of = |kind: Kind| {
        let one = list.allocators[0].kinds.iter().find(|one| one.kind == kind).unwrap();
        (one.used_per_bank, one.free_per_bank, one.largest_free)
    };
    let free = WORMHOLE[0].bytes - 7 * MIB;
    assert_eq!(of(Kind::Dram), (7 * MIB, Some(free), Some(free)));
    assert!(list.allocators[0].kinds[0].bank.is_some());
    // A buffer of the same size may have come where another was.
    let segment = facts.segments[0].content.as_mut().unwrap();
    for held in &mut segment.allocators[0].kinds {
        let statistics = held.statistics.as_mut().unwrap();
        statistics.allocated = held.live_bytes;
        statistics.free = statistics.total - held.live_bytes;
        statistics.largest_free = 64;
        statistics.time = 0;
    }
    let kinds = &buffers(&facts).allocators[0].kinds;
    assert_eq!(kinds[0].largest_free, Some(WORMHOLE[0].bytes - 7 * MIB));
    let segment = facts.segments[0].content.as_mut().unwrap();
    for held in &mut segment.allocators[0].kinds {
        held.statistics.as_mut().unwrap().allocated = 0;
        held.statistics.as_mut().unwrap().largest_free = held.statistics.unwrap().total;
    }
    // Where a hook missed something, TT-Metal's figure is shown.
    let segment = facts.segments[0].content.as_mut().unwrap();
    segment.allocators[0].kinds[0].residual = Some(64);
    let memory = &crate::merge(&facts, None).chips[0].memory;
    assert_eq!(largest(&memory.dram).value(), Some(&WORMHOLE[0].bytes));
}

#[test]
fn buffers_on_single_cores_count_on_those_cores() {
    let four = [0, 4, 4, 0];
    let mut banks = WORMHOLE;
    banks.iter_mut().zip(four).for_each(|(bank, number)| bank.banks = number);
    let held = segment(PID).open(AllocatorRole::PerCore, &[0], banks).allocate(NewBuffer::new(
        AllocatorKind::L1,
        2048,
        "zeros",
    ));
    let host = Host::new().board(fake::Board::n150()).process(python(PID)).owner(0, PID, 4);
    let root = Root::memory(host.segment_of(PID, held).into_tree());
    let mut facts = Collector::new(root).with_clock(Clock::Fixed(fake::NOW)).facts();
    let with_cores = [HELD[0], HELD[1] + 4 * 2048, HELD[2], HELD[3]];
    assert_eq!(used(&crate::merge(&facts, None), 0), exact(with_cores));
    assert_eq!(finding_ids(&crate::merge(&facts, None)), [""; 0]);
    // The free blocks of the mesh are as TT-Metal gave them: its own buffers do not tell them.
    let statistics = facts.segments[0].content.as_mut().unwrap().allocators[0].kinds[1]
        .statistics
        .as_mut()
        .unwrap();
    (statistics.largest_free, statistics.time) = (64, 0);
    let largest = crate::merge(&facts, None).chips[0].memory.l1.largest_free.clone();
    assert_eq!(largest.value(), Some(&64));
}

#[test]
fn an_agent_alone_is_enough() {
    let quiet = python(PID).variable("TT_METAL_SHM_TRACKING_DISABLED", "1");
    let host = Host::new().board(fake::Board::n150()).process(quiet).owner(0, PID, 4);
    let joined_by_id = snapshot(host.segment_of(PID, segment(PID)).into_tree());
    assert_eq!(joined_by_id.chips.len(), 1);
    assert_eq!(used(&joined_by_id, 0), exact(HELD));
    assert_eq!(finding_ids(&joined_by_id), [""; 0]);
    assert_eq!(joined_by_id.chips[0].memory.dram.stale.value(), Some(&0));

    let mock = Host::new().without_driver().process(python(PID)).segment_of(PID, segment(PID));
    let mock = snapshot(mock.into_tree());
    assert_eq!((mock.chips[0].id, mock.chips[0].id_source), (ChipId::Known(N150), IdSource::Agent));
    assert_eq!(used(&mock, 0), exact(HELD));
    assert_eq!(mock.chips[0].owners.pids, [Pid(PID)]);
    let memory = &mock.chips[0].memory;
    assert_eq!(memory.dram.banks.value(), Some(&12));
    let by_banks = |bytes| Reading::new(bytes, SourceName::Agent, Quality::Inferred);
    let dram = 12 * (WORMHOLE[0].bytes + WORMHOLE[3].bytes);
    assert_eq!(memory.dram.capacity, by_banks(dram));
    assert_eq!(memory.l1.capacity, by_banks(64 * 1_499_136));
    assert_eq!(mock.sources[2].status, SourceStatus::Ok);
}

#[test]
fn a_chip_is_as_well_known_as_the_worst_of_its_processes() {
    let host = Host::n150()
        .process(python(7))
        .owner(0, 7, 4)
        .segment_of(7, busy(Segment::wormhole(7, python(7).start_ticks(), N150)));
    let snapshot = snapshot(host.into_tree());
    let dram = &snapshot.chips[0].memory.dram.used;
    assert_eq!(dram.value(), Some(&(HELD[0] + BYTES.dram)));
    assert_eq!(
        (dram.source(), dram.quality()),
        (Some(SourceName::Upstream), Some(Quality::Approximate))
    );
    let of = |pid| {
        let mut processes = snapshot.processes.iter();
        processes.find(|process| process.pid == Pid(pid)).unwrap().chips[0].memory.dram.clone()
    };
    assert_eq!(of(7), Reading::exact(HELD[0], SourceName::Agent));
    assert_eq!(of(PID).quality(), Some(Quality::Approximate));
}

#[test]
fn a_process_that_nothing_tells_of_leaves_the_chip_unknown() {
    let silent = python(9).variable("TT_METAL_SHM_TRACKING_DISABLED", "1");
    let host = Host::new().board(fake::Board::n150()).process(python(PID)).process(silent);
    let host = host.owner(0, PID, 4).owner(0, 9, 4).segment_of(PID, segment(PID));
    let snapshot = snapshot(host.into_tree());
    assert_eq!(used(&snapshot, 0)[0].missing().unwrap().reason, MissingReason::NoSource);
    assert_eq!(snapshot.processes[1].chips[0].memory.dram.value(), Some(&HELD[0]));
}

#[test]
fn a_killed_process_leaves_its_bytes_behind_and_one_that_ended_does_not() {
    let host = || Host::new().board(fake::Board::n150());
    let killed = snapshot(host().segment_of(PID, segment(PID)).into_tree());
    let process = &killed.processes[0];
    assert_eq!((process.pid, process.state), (Pid(PID), ProcessState::Stale));
    assert_eq!(process.start_time, python(PID).start_ticks());
    let dram = &process.chips[0].memory.dram;
    assert_eq!((dram.value(), dram.quality()), (Some(&HELD[0]), Some(Quality::Stale)));
    let memory = &killed.chips[0].memory.dram;
    assert_eq!(memory.stale.value(), Some(&HELD[0]));
    assert_eq!(memory.used.value(), None);
    assert_eq!(finding_ids(&killed), ["stale-memory"]);

    let ended = segment(PID).state(AgentState::Exited);
    let ended = snapshot(host().segment_of(PID, ended).into_tree());
    assert!(ended.processes.is_empty() && ended.findings.is_empty());

    let without_chip = |state| {
        let host = Host::new().without_driver().segment_of(PID, segment(PID).state(state));
        let snapshot = snapshot(host.into_tree());
        (snapshot.chips.len(), snapshot.findings.len())
    };
    assert_eq!(without_chip(AgentState::Recording), (0, 1), "killed: what it held is news");
    assert_eq!(without_chip(AgentState::Exited), (0, 0), "a process that exited keeps nothing");
    assert_eq!(without_chip(AgentState::Left), (0, 0), "nor one that left by _exit");
}

#[test]
fn a_killed_process_in_region_and_segment_is_one() {
    let host = Host::n150().without_process(PID).segment_of(0, segment(PID));
    let snapshot = snapshot(host.into_tree());
    assert_eq!(snapshot.processes.len(), 1);
    let memory = &snapshot.processes[0].chips[0].memory;
    assert_eq!(memory.dram.value(), Some(&HELD[0]));
    assert_eq!(memory.upstream.as_ref().unwrap().dram.value(), Some(&BYTES.dram));
    assert_eq!(snapshot.chips[0].memory.dram.stale.value(), Some(&HELD[0]));
}

#[test]
fn a_reused_number_is_another_process() {
    let old = Segment::wormhole(PID, python(PID).start_ticks() - 1000, N150);
    let host =
        Host::new().board(fake::Board::n150()).process(python(PID)).segment_of(PID, busy(old));
    let snapshot = snapshot(host.into_tree());
    assert_eq!(snapshot.processes[0].state, ProcessState::Stale);
    assert!(snapshot.findings[0].text.contains("belongs to another process now"));
}

#[test]
fn a_container_is_looked_into_and_its_numbers_are_translated() {
    let inside = || python(500).container(Container::Docker, 1);
    let segment = || busy(Segment::wormhole(1, inside().start_ticks(), N150));
    for process in [inside().with_own_shm(), inside()] {
        let host = Host::new().without_driver().process(process).segment_of(500, segment());
        let snapshot = snapshot(host.into_tree());
        assert_eq!(snapshot.processes.len(), 1);
        assert_eq!(snapshot.processes[0].pid, Pid(500));
        assert_eq!(snapshot.processes[0].state, ProcessState::Live);
        assert_eq!(used(&snapshot, 0), exact(HELD));
    }
}

#[test]
fn a_mesh_counts_on_every_chip_of_it() {
    let ids = [0x2_6190_302b, 0x2_6190_3099, 0x2_6190_30a7, 0x2_6190_30aa]
        .into_iter()
        .flat_map(|id: u64| [id, id + (1 << 32)]);
    let mut ids: Vec<u64> = ids.collect();
    ids.sort_unstable();
    let mesh = |segment: Segment| {
        let all: Vec<usize> = (0..8).collect();
        busy(segment.open(AllocatorRole::Mesh, &all, WORMHOLE))
    };
    let start = fake::Process::new(PID, "python3").start_ticks();
    let chips = (0..)
        .zip(&ids)
        .fold(Segment::new(PID, start), |segment, (number, id)| segment.chip(number, Some(*id)));
    // With regions the chips are theirs; without any, they are counted as UMD counts.
    let with = snapshot(Host::t3000().segment_of(PID, mesh(chips.clone())).into_tree());
    let mut bare = Host::new().process(python(PID));
    for index in 0..4 {
        let board = fake::Board::n300().serial(0x100 + index).asic_id(0x900 + index);
        bare = bare.board(board).owner(u32::try_from(index).unwrap(), PID, 4);
    }
    let without = snapshot(bare.segment_of(PID, mesh(chips)).into_tree());
    for snapshot in [with, without] {
        assert_eq!(snapshot.chips.len(), 8);
        for chip in 0..8 {
            assert_eq!(used(&snapshot, chip), exact(HELD), "chip {chip}");
        }
        assert_eq!(snapshot.processes[0].chips.len(), 8);
    }
}

#[test]
fn what_the_hooks_missed_is_shown_by_the_allocators_own_figure() {
    let segment = segment(PID).hidden(AllocatorKind::Dram, 4096);
    let host = Host::new().without_driver().process(python(PID)).segment_of(PID, segment);
    let snapshot = snapshot(host.into_tree());
    let dram = &used(&snapshot, 0)[0];
    assert_eq!(dram.value(), Some(&(HELD[0] + 12 * 4096)));
    assert!(matches!(dram, Reading::Known { age_us: 1.., .. }));
    assert_eq!(finding_ids(&snapshot), ["agent-residual"]);
    assert!(snapshot.findings[0].text.contains("(+4096)"), "{}", snapshot.findings[0].text);
}

#[test]
fn an_agent_that_is_off_or_blind_gives_way() {
    let host = |segment| Host::n150().segment_of(PID, segment);
    let start = fake::Process::new(PID, "python3").start_ticks();
    let segment = || busy(Segment::wormhole(PID, start, N150));
    let off = snapshot(host(segment().state(AgentState::Off)).into_tree());
    assert_eq!(used(&off, 0)[0].value(), Some(&BYTES.dram));
    assert_eq!(finding_ids(&off), ["agent-off"]);

    let blind = snapshot(host(segment().hooks(&[Hook::TrackProgram])).into_tree());
    assert_eq!(used(&blind, 0)[0].value(), Some(&HELD[0]));
    assert!(finding_ids(&blind).contains(&"agent-blind"));

    let lossy = snapshot(host(segment().counter(Counter::ReentrantCalls, 2)).into_tree());
    assert!(finding_ids(&lossy).contains(&"agent-lossy"));
}

#[test]
fn a_region_that_says_more_than_the_agent_or_nothing_disagrees() {
    let host = |bytes: RegionBytes| {
        let host = Host::new().board(fake::Board::n150()).workload(python(PID), bytes);
        snapshot(host.segment_of(PID, segment(PID)).into_tree())
    };
    let more = host(RegionBytes { dram: HELD[0] + 1, l1: 1, ..RegionBytes::default() });
    assert_eq!(finding_ids(&more), ["sources-disagree"]);
    let nothing = host(RegionBytes { dram: HELD[0], ..RegionBytes::default() });
    assert!(nothing.findings[0].text.contains("L1 0 B by the region and 4.00 MiB by the agent"));
    let rounded = host(RegionBytes { dram: HELD[0] - 1, l1: 1, ..RegionBytes::default() });
    assert_eq!(finding_ids(&rounded), [""; 0]);
}

#[test]
fn segments_that_cannot_be_read_are_named() {
    let path = format!("/dev/shm/{}", segment(PID).name());
    let with = |entry| snapshot(Host::n150().file(path.clone(), entry).into_tree());
    let denied = with(Entry::Error(rustix::io::Errno::ACCESS));
    assert_eq!(finding_ids(&denied), ["segment-denied"]);
    assert_eq!(denied.sources[2].status, SourceStatus::Denied);
    assert_eq!(used(&denied, 0)[0].value(), Some(&BYTES.dram));
    let mut newer = segment(PID).image();
    newer[8] = 9;
    let unsupported = with(Entry::file(newer));
    assert!(unsupported.findings[0].text.contains("it is version 9."), "{unsupported:?}");
    let other = Segment::wormhole(77, 1, N150).image();
    for hostile in [Vec::new(), vec![0; 1 << 20], vec![0xff; 4096], other] {
        assert_eq!(finding_ids(&with(Entry::file(hostile))), ["segment-unusable"]);
    }
    let link = with(Entry::Link("/dev/tenstorrent/0".to_owned()));
    assert_eq!(finding_ids(&link), ["segment-unusable"]);
}

#[test]
fn a_segment_of_another_user_than_its_process_is_not_used() {
    let path = format!("/dev/shm/{}", segment(PID).name());
    let with_owner = |uid| {
        let entry = Entry::File { bytes: segment(PID).image(), uid };
        snapshot(Host::n150().file(path.clone(), entry).into_tree())
    };
    for uid in [0, 1000] {
        let quality = with_owner(uid).chips[0].memory.dram.used.quality();
        assert_eq!(quality, Some(ttmem_model::Quality::Exact), "{uid}");
    }
    let forged = with_owner(1001);
    assert_eq!(finding_ids(&forged), ["segment-unusable"]);
    assert_eq!(used(&forged, 0)[0].value(), Some(&BYTES.dram));
    let text = &forged.findings[0].text;
    assert!(text.ends_with("it belongs to bob, and process 4242 in it to alice"), "{text}");
}

#[test]
fn a_segment_cut_or_scribbled_on_does_no_harm() {
    let image = segment(PID).image();
    let path = format!("/dev/shm/{}", segment(PID).name());
    for round in 0..200_usize {
        let mut bytes = image.clone();
        for index in 0..40 {
            let offset = (round * 7919 + index * 104_729) % 160_000;
            bytes[offset] = bytes[offset].wrapping_add(u8::try_from(round).unwrap_or(1) | 1);
        }
        bytes.truncate(160_000 - round * 300);
        let tree = Host::n150().file(path.clone(), Entry::file(bytes)).into_tree();
        let snapshot = snapshot(tree);
        assert_eq!(snapshot.chips[0].index, 0);
    }
    let huge = Segment::wormhole(PID, python(PID).start_ticks(), N150);
    let huge = huge
        .allocate(NewBuffer::new(AllocatorKind::Dram, 1 << 30, "x"))
        .hidden(AllocatorKind::L1, i64::MAX);
    let tree = Host::n150().segment_of(PID, huge).into_tree();
    assert_eq!(used(&snapshot(tree), 0)[1].value(), Some(&BYTES.l1));
}

#[test]
fn a_region_of_another_process_is_still_counted_in() {
    let region = Region::new(N150).slot(8, "python3", BYTES);
    let host = Host::new().without_driver().process(python(PID)).process(python(8)).region(region);
    let snapshot = snapshot(host.segment_of(PID, segment(PID)).into_tree());
    assert_eq!(used(&snapshot, 0)[0].value(), Some(&(HELD[0] + BYTES.dram)));
}

#[test]
fn buffers_without_room_in_the_list_are_those_that_live_now() {
    // A hundred found no room so far; of those three live.
    let segment =
        segment(PID).unlisted(AllocatorKind::Dram, 6144, 3).counter(Counter::BuffersDropped, 100);
    let host = Host::new().board(fake::Board::n150()).process(python(PID)).segment_of(PID, segment);
    let facts = Collector::new(Root::memory(host.into_tree())).facts_at(Depth::Full);
    let list = buffers(&facts);
    assert_eq!((list.processes[0].unlisted, list.buffers.len()), (3, 3));
    assert_eq!(list.allocators[0].kinds[0].buffers, 5);
}

#[test]
fn a_kind_whose_region_has_no_bytes_has_a_row() {
    let mut banks = WORMHOLE;
    banks[3].bytes = 0;
    let segment = Segment::new(PID, python(PID).start_ticks()).chip(0, Some(N150)).open(
        AllocatorRole::Mesh,
        &[0],
        banks,
    );
    let host = Host::new().board(fake::Board::n150()).process(python(PID)).segment_of(PID, segment);
    let facts = Collector::new(Root::memory(host.into_tree())).facts_at(Depth::Full);
    let kinds = &buffers(&facts).allocators[0].kinds;
    let row = |kind| kinds.iter().find(|row| row.kind == kind).map(|row| row.allocatable_per_bank);
    assert_eq!((kinds.len(), row(Kind::Trace)), (4, Some(Some(0))));
}

/// A mesh and its submesh on stock ttnn 0.81.1: each places its first tensor at the same address.
#[test]
fn addresses_that_two_allocators_hand_out_are_used_once() {
    let twice = Segment::wormhole(PID, python(PID).start_ticks(), N150)
        .allocate(NewBuffer::new(AllocatorKind::Dram, 4 * MIB, "zeros"))
        .open(AllocatorRole::Mesh, &[0], WORMHOLE)
        .allocate(NewBuffer::new(AllocatorKind::Dram, 3 * MIB, "ones"));
    let host = Host::new().board(fake::Board::n150()).process(python(PID)).owner(0, PID, 4);
    let snapshot = snapshot(host.segment_of(PID, twice).into_tree());
    assert_eq!(used(&snapshot, 0)[0], Reading::exact(12 * 4 * MIB, SourceName::Agent));
    let finding =
        snapshot.findings.iter().find(|finding| finding.id == "allocators-overlap").unwrap();
    assert!(finding.text.contains("36.0 MiB of DRAM"), "{}", finding.text);
    assert!(
        finding.text.contains("zeros at ") && finding.text.contains("ones at "),
        "{}",
        finding.text
    );
    assert!(
        finding.text.contains("mesh allocator 1 (1 chip)")
            && finding.text.contains("mesh allocator 2"),
        "{}",
        finding.text
    );
}
