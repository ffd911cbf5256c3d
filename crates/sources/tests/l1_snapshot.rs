//! Snapshots of L1 from changed facts: torn cores, missing names, simulated chips with a region.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use ttmem_fake::segment::{Bank, NewBuffer, NewProgram, Segment, WORMHOLE};
use ttmem_fake::{Board, Host, NOW, Process, Region};
use ttmem_merge::{l1_reports, merge};
use ttmem_model::facts::{Facts, L1Facts, L1Location, RegionBytes};
use ttmem_model::l1::report::{CoreReport, RegionReport};
use ttmem_model::l1::{Coordinate, Core, CoreState, KernelNames, RegionKind};
use ttmem_model::snapshot::{ChipMemory, IdSource, JoinedBy};
use ttmem_model::{ChipId, Missing, MissingReason, Pid, Quality, Reading, Timestamp};
use ttmem_root::{Clock, Root};
use ttmem_segment::layout::Counter;
use ttmem_segment::{AllocatorKind, AllocatorRole, CoreRange};
use ttmem_sources::source::agent::Depth;
use ttmem_sources::{Collector, L1Request};

const DISPATCH: &str = "wormhole-fast-dispatch/matmul";

fn facts(capture: &str) -> Facts {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/l1").join(capture);
    Collector::capture(&directory, L1Request::default()).unwrap().facts()
}

fn memory(facts: &Facts) -> ChipMemory {
    merge(facts, None).chips.pop().unwrap().memory
}

fn content(facts: &mut Facts) -> &mut ttmem_model::facts::L1Content {
    facts.l1[0].content.as_mut().unwrap()
}

fn reason(reading: &Reading<u64>) -> (MissingReason, &str) {
    let missing = reading.missing().unwrap();
    (missing.reason, &missing.detail)
}

/// A capture need not list all cores; TT-Metal's grid has no harvested ones.
#[test]
fn a_row_that_was_not_read_makes_every_sum_unknown() {
    let mut facts = facts(DISPATCH);
    let is_kept = |row: u8| move |core: &Core| core.logical.unwrap().y != row;
    content(&mut facts).cores.retain(is_kept(2));
    let memory = memory(&facts);
    let (why, detail) = reason(&memory.circular_buffers.used);
    assert_eq!(why, MissingReason::Failed);
    let bytes = 56 * 196_608;
    assert_eq!(
        detail,
        format!("8 of the grid's 72 cores were not read; the others have {bytes} bytes")
    );
    assert_eq!(reason(&memory.kernels.used).0, MissingReason::Failed);
    assert_eq!(reason(&memory.reserved.used).0, MissingReason::Failed);
}

#[test]
fn one_torn_core_makes_every_sum_unknown_and_says_what_the_others_have() {
    let mut facts = facts(DISPATCH);
    let core = &mut content(&mut facts).cores[0];
    core.state = CoreState::Torn;
    core.program = None;
    core.detail = Some("a record cannot be true".to_owned());
    let memory = memory(&facts);
    let (why, detail) = reason(&memory.circular_buffers.used);
    assert_eq!(why, MissingReason::Failed);
    let bytes = 63 * 196_608;
    let expected = format!(
        "1 of 72 cores do not tell; (0, 0): a record cannot be true; the others have {bytes} bytes"
    );
    assert_eq!(detail, expected);
    assert_eq!(reason(&memory.kernels.used).0, MissingReason::Failed);
    assert_eq!(reason(&memory.circular_buffers.running).0, MissingReason::Failed);
    assert_eq!(reason(&memory.l1_total.used).0, MissingReason::Failed);
    // Where free memory begins is known of a torn core as well.
    assert_eq!(memory.reserved.used.value(), Some(&(72 * 105_824)));
}

#[test]
fn without_names_all_kernels_are_inferred_to_be_the_application_s() {
    let mut facts = facts(DISPATCH);
    assert_eq!(memory(&facts).kernels.system.value(), Some(&48_096));
    facts.l1[0].names = Err(Missing::denied("hidden"));
    let kernels = memory(&facts).kernels;
    assert_eq!(kernels.used.value(), Some(&(85_760 + 48_096)));
    assert_eq!(kernels.used.quality(), Some(Quality::Inferred));
    let (why, detail) = reason(&kernels.system);
    assert_eq!(why, MissingReason::Denied);
    assert!(detail.ends_with("kernels apart: hidden"), "{detail}");

    facts.l1[0].names = Ok(KernelNames::default());
    assert_eq!(reason(&memory(&facts).kernels.system).0, MissingReason::NoSource);
}

#[test]
fn a_chip_without_programs_has_zeros_that_need_no_names() {
    let mut facts = facts("wormhole/idle");
    facts.l1[0].names = Err(Missing::no_source("none"));
    let memory = memory(&facts);
    for reading in [
        &memory.circular_buffers.used,
        &memory.circular_buffers.aliasing,
        &memory.kernels.used,
        &memory.kernels.system,
    ] {
        assert_eq!((reading.value(), reading.quality()), (Some(&0), Some(Quality::Exact)));
    }
    assert_eq!(reason(&memory.l1_total.used).0, MissingReason::NoSource);
}

#[test]
fn what_could_not_be_read_is_a_reason_in_every_reading() {
    let mut facts = facts(DISPATCH);
    facts.l1[0].content = Err(Missing::unsupported("unknown TT-Metal layout"));
    let memory = memory(&facts);
    for reading in [&memory.circular_buffers.used, &memory.reserved.used, &memory.l1_total.used] {
        assert_eq!(reason(reading), (MissingReason::Unsupported, "unknown TT-Metal layout"));
    }
}

/// A process that simulates chip 0 and writes its region.
fn simulated(owner: Option<Pid>) -> Facts {
    let bytes = RegionBytes { dram: 4096, ..RegionBytes::default() };
    let region = Region::new(7).device_id(0).slot(4242, "python", bytes);
    let host = Host::new().process(Process::new(4242, "python")).region(region);
    let root = Root::memory(host.into_tree());
    let mut all = Collector::new(root).with_clock(Clock::Fixed(NOW)).facts();
    let read = facts(DISPATCH).l1.remove(0);
    all.l1 = vec![L1Facts { location: L1Location::Simulated { chip: 0, owner }, ..read }];
    all
}

#[test]
fn a_simulated_chip_is_the_one_whose_region_its_process_writes() {
    let snapshot = merge(&simulated(Some(Pid(4242))), None);
    assert_eq!(snapshot.chips.len(), 1);
    let chip = &snapshot.chips[0];
    assert_eq!((chip.id, chip.id_source), (ChipId::Known(7), IdSource::Region));
    assert_eq!(chip.region.as_ref().unwrap().joined_by, JoinedBy::Unmatched);
    assert_eq!(chip.memory.dram.used.value(), Some(&4096));
    assert_eq!(chip.memory.circular_buffers.used.value(), Some(&12_582_912));
}

#[test]
fn a_simulated_chip_of_nobody_known_is_a_chip_of_its_own() {
    for owner in [None, Some(Pid(77))] {
        let snapshot = merge(&simulated(owner), None);
        let sources: Vec<IdSource> = snapshot.chips.iter().map(|chip| chip.id_source).collect();
        assert_eq!(sources, [IdSource::Region, IdSource::Simulator]);
        assert_eq!(snapshot.chips[1].owners.pids, []);
    }
}

/// A Wormhole that is simulated with 8 × 10 cores, nine rows of which are banks.
const BANKS: [Bank; 4] = [
    WORMHOLE[0],
    Bank { banks: 72, start: 105_824, bytes: 1_360_544 },
    Bank { banks: 72, start: 1_466_368, bytes: 32_768 },
    WORMHOLE[3],
];

/// The facts of a capture of sharded additions, on a host whose process has an agent that lists these L1 buffers.
fn with_agent(buffers: &[u64], change: impl Fn(Segment) -> Segment) -> Facts {
    let quiet = Process::new(4242, "python3").variable("TT_METAL_SHM_TRACKING_DISABLED", "1");
    let mut segment = Segment::new(4242, quiet.start_ticks())
        .chip(0, Some(0x0000_0180_0000_0001))
        .open(AllocatorRole::Mesh, &[0], BANKS);
    for bytes in buffers {
        segment = segment.allocate(NewBuffer::new(AllocatorKind::L1, *bytes, "BinaryNg"));
    }
    let segment = change(segment);
    let host = Host::new().board(Board::n150()).process(quiet).owner(0, 4242, 4);
    let root = Root::memory(host.segment_of(4242, segment).into_tree());
    let mut collector = Collector::new(root).with_clock(Clock::Fixed(NOW));
    let mut all = collector.facts_at(Depth::Full);
    let read = facts("wormhole/sharded_add").l1.remove(0);
    all.l1 = vec![L1Facts { location: L1Location::Device(0), ..read }];
    all
}

const SHARDED: [u64; 4] = [16_384, 30_720, 65_536, 65_536];

#[test]
fn tensors_that_are_circular_buffers_count_once() {
    let facts = with_agent(&SHARDED, |segment| segment);
    let snapshot = merge(&facts, None);
    let memory = &snapshot.chips[0].memory;
    assert_eq!(memory.l1.used.value(), Some(&(72 * 178_176)));
    // All 72 cores that work do so in place.
    assert_eq!(memory.circular_buffers.used.value(), Some(&(72 * 131_072)));
    assert_eq!(memory.circular_buffers.aliasing.value(), Some(&(72 * 131_072)));
    let in_banks = 105_824 + 178_176 + 32_768;
    assert_eq!(memory.l1_total.used.value(), Some(&(72 * in_banks + 8 * 105_824)));
    assert_eq!(memory.l1_total.used.quality(), Some(Quality::Exact));

    let [(0, Ok(report))] = &l1_reports(&facts)[..] else { panic!("one chip, and it was read") };
    let at = |x, y| report.at(Coordinate { x, y }).unwrap();
    let is_used = |kind| !matches!(kind, RegionKind::Free | RegionKind::Unknown);
    let used = |core: &CoreReport| -> u64 {
        core.regions.iter().filter(|it| is_used(it.kind)).map(RegionReport::bytes).sum()
    };
    let first = at(0, 0);
    assert_eq!(used(first), in_banks);
    let tensor = first.regions.iter().find(|region| region.kind == RegionKind::L1).unwrap();
    assert_eq!((tensor.start, tensor.label.as_str()), (1_419_264, "BinaryNg"));
    let outside = at(0, 9);
    assert!(outside.regions.iter().any(|region| region.kind == RegionKind::Unknown));
    assert_eq!(used(outside), 105_824);
    // The banks are the first nine rows.
    let is_bank = |core: &&CoreReport| core.regions.iter().all(|it| it.kind != RegionKind::Unknown);
    let banks = report.cores.iter().filter(is_bank).filter_map(|core| core.logical);
    assert_eq!((banks.clone().count(), banks.map(|core| core.y).max()), (72, Some(8)));
}

#[test]
fn l1_and_the_agent_agree_core_by_core_or_the_core_is_named() {
    const WORKERS: CoreRange = CoreRange { start: (0, 0), end: (7, 8) };
    let with_program = |bytes: u32| {
        let mut read = with_agent(&SHARDED, |segment| segment);
        let core = content(&mut read).cores.iter().find(|core| core.program.is_some()).unwrap();
        let ranges = core.circular_buffers();
        let mut program = NewProgram::new("BinaryNg");
        for range in ranges.ranges() {
            let start = u32::try_from(range.start).unwrap();
            let length = u32::try_from(range.bytes()).unwrap();
            program = program.place_backed(start, length - bytes, WORKERS);
        }
        let mut facts = with_agent(&SHARDED, |segment| segment.program(&program).dispatch(0));
        // Long after the dispatch.
        facts.l1[0].read_at = Timestamp(facts.time.0 + 60_000_000);
        let ids = |snapshot: ttmem_model::Snapshot| -> Vec<(String, String)> {
            let findings = snapshot.findings.into_iter();
            findings.map(|finding| (finding.id, finding.text)).collect()
        };
        ids(merge(&facts, None))
    };
    assert_eq!(with_program(0), []);
    let [(id, text)] = &with_program(64)[..] else {
        panic!("one finding, not {:?}", with_program(64))
    };
    assert_eq!(id, "agent-l1");
    assert!(text.starts_with("core (0, 0) has 131072 bytes of circular buffers in L1"), "{text}");
    assert!(text.ends_with("71 more cores differ"), "{text}");
}

#[test]
fn tensors_are_known_only_if_every_agent_lists_all() {
    let why = |facts: &Facts| {
        let memory = merge(facts, None).chips.remove(0).memory;
        let (_, aliasing) = reason(&memory.circular_buffers.aliasing);
        let (_, total) = reason(&memory.l1_total.used);
        let least = format!("at least {} bytes", 80 * 105_824 + 72 * 131_072);
        assert!(total.starts_with(&least) && total.ends_with(aliasing), "{total}");
        aliasing.to_owned()
    };
    let dropped = |segment: Segment| segment.counter(Counter::BuffersDropped, 1);
    assert!(why(&with_agent(&SHARDED, dropped)).contains("not whole"));
    let unasked = |segment: Segment| segment.without_statistics();
    let mut silent = with_agent(&SHARDED, unasked);
    assert!(why(&silent).contains("TT-Metal's allocator gave the agent no statistics"));
    silent.segments[0].content.as_mut().unwrap().header.refresh_time = 0;
    assert!(why(&silent).contains("within a tenth of a second after its first change"));
    let mut other = with_agent(&SHARDED, |segment| segment);
    let holders = other.devices[0].holders.as_mut().unwrap();
    holders.pids.push(Pid(7));
    let mut process = other.processes[&Pid(4242)].clone();
    process.start_time = Ok(7);
    process.namespace_pids = vec![7];
    other.processes.insert(Pid(7), process);
    assert!(why(&other).contains("ttmem run"));
}
