//! Each rule makes its number of a host whose figures are known.

use std::path::Path;

use serde_json::{Value, json};
use ttmem_fake::segment::{NewBuffer, NewProgram, Segment, WORMHOLE};
use ttmem_fake::{Board, Container, Host, NOW, PID, Process, Region, healthy, variants};
use ttmem_model::Timestamp;
use ttmem_model::facts::{Facts, RegionBytes};
use ttmem_root::{Clock, Root, Tree};
use ttmem_segment::layout::Counter;
use ttmem_segment::{AllocatorKind, CoreRange, PartKind};
use ttmem_sources::{Collector, L1Request};

use super::{Rule, Tracer, rule};
use crate::merge;

const MIB: u64 = 1 << 20;
const N150: u64 = 0x0000_0180_0000_0001;
const OTHER: i32 = PID + 1;
const KILLED: i32 = PID + 2;
const ENDED: i32 = PID + 3;

/// The slots of a process: 40 MiB of DRAM, 4096 B of L1, 864 B of circular buffers.
const SLOT: RegionBytes =
    RegionBytes { dram: 40 * MIB, l1: 4096, l1_small: 0, trace: 0, circular_buffers: 864 };

fn python(pid: i32) -> Process {
    Process::new(pid, "python3")
}

/// The agent of a process: 6 MiB in each of 12 banks of DRAM, 65,536 B in each of 64 banks of L1. Its program is on 64
/// cores, and its circular buffers end at 138,592.
fn segment(pid: i32) -> Segment {
    const WHOLE: CoreRange = CoreRange { start: (0, 0), end: (7, 7) };
    let new = |kind, bytes| NewBuffer::new(kind, bytes, "Matmul");
    let program = NewProgram::new("Matmul")
        .place(PartKind::CircularBuffer, 105_824, 32_768, WHOLE)
        .kernel("bmm", Some(300), WHOLE);
    Segment::wormhole(pid, python(pid).start_ticks(), N150)
        .allocate(new(AllocatorKind::Dram, 4 * MIB))
        .allocate(new(AllocatorKind::Dram, 2 * MIB))
        .allocate(new(AllocatorKind::L1, 65_536))
        .program(&program)
        .dispatch(0)
        .counter(Counter::ProgramsTracked, 1)
}

fn facts(tree: Tree) -> Facts {
    let collector = Collector::new(Root::memory(tree)).with_clock(Clock::Fixed(NOW));
    collector.with_programs().facts()
}

/// Two processes on an n150, the first with an agent; the agent of a third and the slot of a fourth are stale.
fn mixed() -> Facts {
    let stale = RegionBytes { dram: 8 * MIB, l1: 100, circular_buffers: 7, ..SLOT };
    let slots = [(PID, SLOT), (OTHER, SLOT), (ENDED, stale)];
    let region = slots
        .into_iter()
        .fold(Region::new(N150), |region, (pid, bytes)| region.slot(pid, "python3", bytes));
    let host = Host::new().board(Board::n150()).process(python(PID)).process(python(OTHER));
    let host = host.owner(0, PID, 1).owner(0, OTHER, 1).region(region);
    facts(host.segment_of(PID, segment(PID)).segment_of(PID, segment(KILLED)).into_tree())
}

/// A process with an agent that is alone on an n150, and has no slot. 400 MiB of each bank of DRAM are free, 300 MiB in
/// one block.
fn alone() -> Facts {
    let host = Host::new().board(Board::n150()).process(python(PID)).owner(0, PID, 1);
    let mut facts = facts(host.segment_of(PID, segment(PID)).into_tree());
    let content = facts.segments[0].content.as_mut().unwrap();
    let dram = &mut content.allocators[0].kinds[AllocatorKind::Dram as usize];
    let statistics = dram.statistics.as_mut().unwrap();
    (statistics.free, statistics.largest_free) = (400 * MIB, 300 * MIB);
    facts
}

/// Two processes with the number 1 in containers that share a slot, the first with an agent.
fn sharing() -> Facts {
    let in_container = |pid| python(pid).container(Container::Docker, 1);
    let slot = RegionBytes { dram: 100 * MIB, ..SLOT };
    let region = Region::new(N150).slot(1, "python3", slot);
    let host = Host::new().board(Board::n150()).region(region);
    let host = host.process(in_container(PID)).process(in_container(OTHER));
    let namespace = 4_026_540_000 + u64::from(PID.unsigned_abs());
    let host = host.owner(0, PID, 1).owner(0, OTHER, 1);
    facts(host.segment_of(1, segment(1).pid_namespace(namespace)).into_tree())
}

/// A process with an agent on a host without a driver.
fn without_driver() -> Facts {
    let host = Host::new().without_driver().process(python(PID));
    facts(host.segment_of(PID, segment(PID)).into_tree())
}

/// A process that has an n150 open, and neither agent nor slot. Three open files belong to processes of another namespace.
fn idle() -> Facts {
    let host = Host::new().board(Board::n150()).process(python(PID)).owner(0, PID, 1).outside(0, 3);
    facts(host.region(Region::new(N150)).into_tree())
}

fn made(name: &str) -> Facts {
    let hosts = healthy().into_iter().chain(variants());
    facts(hosts.into_iter().find(|(other, _)| *other == name).unwrap().1)
}

/// A chip after a matmul on 64 of its 72 cores.
fn cores() -> Facts {
    let capture = "../../fixtures/l1/wormhole-fast-dispatch/matmul";
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(capture);
    Collector::capture(&directory, L1Request::default()).unwrap().facts()
}

/// A chip whose counters of words are these, at a second.
fn counters(second: u64, words: [u32; 2]) -> Facts {
    let clock = Clock::Fixed(Timestamp(NOW.0 + second * 1_000_000));
    let mut facts =
        Collector::new(Root::memory(Host::n150().into_tree())).with_clock(clock).facts();
    facts.devices[0].pcie_words.host_to_device = Ok(words);
    facts
}

/// A rule, the facts that it works on, a path, and the number there; `null` if it is missing.
type Case = (&'static Rule, Facts, &'static str, Value);

fn cases() -> Vec<Case> {
    let dram = 12 * 6 * MIB;
    vec![
        (&rule::LIVE_AGENTS, alone(), "chips.0.memory.dram.used", json!(dram)),
        (&rule::LIVE_PROCESSES, mixed(), "chips.0.memory.dram.used", json!(dram + 40 * MIB)),
        (
            &rule::REGION_ROW,
            made("n300_rows"),
            "chips.1.memory.l1.used",
            json!(ttmem_fake::BYTES.l1),
        ),
        (&rule::UNREADABLE, made("unreadable_region"), "chips.0.memory.dram.used", Value::Null),
        (&rule::STALE_PROCESSES, mixed(), "chips.0.memory.l1.stale", json!(64 * 65_536 + 100)),
        (&rule::REGION_FIGURE, mixed(), "chips.0.memory.dram.upstream", json!(80 * MIB)),
        (&rule::PROCESS_AGENT, mixed(), "processes.0.chips.0.memory.dram", json!(dram)),
        (&rule::PROCESS_SLOTS, mixed(), "processes.1.chips.0.memory.dram", json!(40 * MIB)),
        (&rule::SHARED_SLOT, sharing(), "processes.1.chips.0.memory.dram", json!(100 * MIB - dram)),
        (&rule::NO_SLOT, idle(), "processes.0.chips.0.memory.dram", Value::Null),
        (
            &rule::SLOT_CIRCULAR_BUFFERS,
            mixed(),
            "processes.1.chips.0.memory.circular_buffers_reported",
            json!(864),
        ),
        (
            &rule::REGION_TOTAL,
            mixed(),
            "chips.0.memory.circular_buffers.reported",
            json!(2 * 864 + 7),
        ),
        (&rule::BOARD, mixed(), "chips.0.memory.dram.capacity", json!(12_u64 << 30)),
        (
            &rule::BANKS,
            without_driver(),
            "chips.0.memory.dram.capacity",
            json!(12 * (WORMHOLE[0].bytes + WORMHOLE[3].bytes)),
        ),
        (&rule::CORE_GRID, cores(), "chips.0.worker_cores", json!(72)),
        (&rule::STATISTICS, alone(), "chips.0.memory.dram.largest_free", json!(300 * MIB)),
        (&rule::FRAGMENTATION, alone(), "chips.0.memory.dram.fragmentation", json!(0.25)),
        (&rule::CORES, cores(), "chips.0.memory.circular_buffers.used", json!(64 * 196_608)),
        (&rule::PROGRAMS, alone(), "chips.0.memory.kernels.used", json!(64 * 300)),
        (
            &rule::HEADROOM,
            alone(),
            "chips.0.memory.circular_buffers.headroom",
            json!(WORMHOLE[1].start + WORMHOLE[1].bytes - 65_536 - 138_592),
        ),
        (&rule::DRIVER_FILE, made("n150"), "chips.0.telemetry.asic_temperature_c", json!(45)),
        (&rule::OPEN_FILES, idle(), "chips.0.owners.outside_namespace", json!(3)),
        (&rule::OWNERS, mixed(), "chips.0.owners.pids.1", json!(OTHER)),
        (&rule::DEVICE_NUMBER, made("n300"), "processes.0.chips.1.index", json!(1)),
        (&rule::REGION_HEADER, mixed(), "chips.0.region.id", json!(N150)),
        (&rule::PROCFS, mixed(), "processes.0.start_time", json!(python(PID).start_ticks())),
        (&rule::PROCESS_NUMBER, mixed(), "processes.1.pid", json!(OTHER)),
        (&rule::FINDING, mixed(), "findings.0.pid", json!(KILLED)),
        (&rule::CLOCK, mixed(), "time_us", json!(NOW.0)),
        (&rule::STOPWATCH, mixed(), "sources.0.cost_us", json!(0)),
        (&rule::AGE, mixed(), "chips.0.memory.dram.used.age_us", json!(0)),
    ]
}

#[test]
fn cores_that_have_the_same_bytes_are_one_part() {
    let facts = alone();
    let why = Tracer::new(&facts, None).why("chips.0.memory.kernels.used").unwrap();
    let [part] = why.parts.as_slice() else { panic!("{:?}", why.parts) };
    assert_eq!(part.value, Ok(64 * 300));
    assert!(part.label.starts_with("300 B on each of 64 cores: 0,0 "), "{}", part.label);
}

/// The number at a path of a snapshot: of a reading its value.
fn number(snapshot: &Value, path: &str) -> Value {
    let found = snapshot.pointer(&format!("/{}", path.replace('.', "/"))).unwrap_or(&Value::Null);
    if found.is_object() { found["value"].clone() } else { found.clone() }
}

#[test]
fn every_rule_makes_its_number() {
    let mut wrong = Vec::new();
    for (rule, facts, path, expected) in cases() {
        let found = number(&serde_json::to_value(merge(&facts, None)).unwrap(), path);
        let traced = Tracer::new(&facts, None).why(path).map(|why| why.rule.name);
        if found != expected || traced != Some(rule.name) {
            wrong.push(format!("{}: {path} is {found}, not {expected}, by {traced:?}", rule.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_rate_is_the_difference_of_two_samples() {
    let (before, after) =
        (counters(0, [1_000_000, 2_000_000]), counters(2, [3_000_000, 6_000_000]));
    let path = "chips.0.telemetry.pcie_host_to_device_bytes_per_s";
    let snapshot = serde_json::to_value(merge(&after, Some(&before))).unwrap();
    assert_eq!(number(&snapshot, path), json!(96_000_000));
    assert_eq!(Tracer::new(&after, Some(&before)).why(path).unwrap().rule, &rule::RATE);
}

#[test]
fn every_rule_has_a_case() {
    let cases = cases();
    for rule in rule::ALL.iter().filter(|rule| **rule != rule::RATE) {
        assert!(cases.iter().any(|(of, ..)| *of == rule), "{}", rule.name);
    }
}
