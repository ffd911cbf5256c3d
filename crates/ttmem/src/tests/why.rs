//! The traces of `--why`: every reading has one, and its parts add up to it.

use std::collections::BTreeSet;

use crate::output::page::Page;
use crate::output::why::{Trace, at, paths};
use serde_json::Value;
use ttmem_fake::segment::{NewBuffer, Segment, WORMHOLE};
use ttmem_fake::{Board, Host, NOW, PID, Process, Region, healthy, variants};
use ttmem_merge::{Tracer, merge};
use ttmem_model::facts::{Facts, RegionBytes};
use ttmem_model::{SourceName, Timestamp};
use ttmem_root::{Clock, Root};
use ttmem_segment::{AllocatorKind, AllocatorRole};
use ttmem_sources::source::agent::Depth;
use ttmem_sources::{Collector, L1Request};

/// Checks every reading and every other number: its trace exists, and parts that are listed add up to it. Returns how
/// many had parts.
fn check(name: &str, facts: &Facts) -> usize {
    check_with(name, facts, None)
}

fn check_with(name: &str, facts: &Facts, previous: Option<&Facts>) -> usize {
    let snapshot = serde_json::to_value(merge(facts, previous)).unwrap();
    let tracer = Tracer::new(facts, previous);
    let mut traced = 0;
    for path in paths(&snapshot) {
        let reading = at(&snapshot, &path).unwrap();
        let why = tracer.why(&path).unwrap_or_else(|| panic!("{name}: {path}"));
        let trace = Trace { path: &path, reading, file: None, why: &why };
        let text = trace.render(&Page::plain(91));
        assert!(text.contains(why.rule.name), "{name}: {text}");
        let value = reading.get("value").or(Some(reading).filter(|it| it.is_number()));
        let Some(value) = value else {
            assert!(text.contains("Missing"), "{name}: {text}");
            continue;
        };
        let leaf = path.rsplit('.').next().unwrap();
        let is_of_memory = path.contains(".memory.") || leaf == "worker_cores";
        if is_of_memory && value.as_u64() != Some(0) {
            assert!(!why.parts.is_empty(), "{name}: {text}");
        }
        if !why.parts.is_empty() {
            let of_sign = |is_subtracted| {
                let parts =
                    why.parts.iter().filter(move |part| part.is_subtracted == is_subtracted);
                parts.map(|part| part.value.clone().unwrap()).sum::<u64>()
            };
            let sum = of_sign(false) - of_sign(true);
            if why.is_sum {
                assert_eq!(Some(sum), value.as_u64(), "{name}: {text}");
            } else if leaf == "fragmentation" {
                let share = sum as f64 / of_sign(false) as f64;
                assert!((share - value.as_f64().unwrap()).abs() < 0.001, "{name}: {text}");
            } else {
                let rate = value.as_f64().unwrap();
                assert!((sum as f64 * 32.0 - rate).abs() < 1.0, "a second: {name}: {text}");
            }
            traced += 1;
        }
    }
    for path in numbers(&snapshot) {
        assert!(tracer.why(&path).is_some(), "{name}: {path}");
    }
    traced
}

/// The paths of every number, also of those in readings.
fn numbers(snapshot: &Value) -> Vec<String> {
    fn add(value: &Value, path: String, found: &mut Vec<String>) {
        match value {
            Value::Number(_) => found.push(path),
            Value::Array(values) => {
                for (index, value) in values.iter().enumerate() {
                    add(value, format!("{path}.{index}"), found);
                }
            }
            Value::Object(fields) => {
                for (name, value) in fields {
                    add(value, format!("{path}.{name}"), found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    add(snapshot, String::new(), &mut found);
    found.iter().map(|path| path.trim_start_matches('.').to_owned()).collect()
}

#[test]
fn a_rate_is_made_from_the_counters_of_two_samples() {
    let facts_at = |second: u64, words: u32| {
        let clock = Clock::Fixed(Timestamp(NOW.0 + second * 1_000_000));
        let root = Root::memory(Host::n150().into_tree());
        let mut facts = Collector::new(root).with_clock(clock).facts();
        for device in &mut facts.devices {
            device.pcie_words.host_to_device = Ok([words, 2 * words]);
        }
        facts
    };
    let (before, after) = (facts_at(0, 1_000_000), facts_at(1, 3_000_000));
    assert!(check_with("rate", &after, Some(&before)) > 3);
    let path = "chips.0.telemetry.pcie_host_to_device_bytes_per_s";
    let why = Tracer::new(&after, Some(&before)).why(path).unwrap();
    assert_eq!((why.rule.name, why.parts.len(), why.is_sum), ("counter-rate", 4, false));
}

#[test]
fn the_parts_of_every_reading_of_the_demo_add_up() {
    let mut collector = Collector::demo().with_l1(L1Request::default()).unwrap();
    collector = collector.with_programs();
    let facts = collector.facts();
    assert!(check("demo", &facts) > 40);
}

#[test]
fn the_parts_of_every_reading_of_made_up_hosts_add_up() {
    for (name, tree) in healthy().into_iter().chain(variants()) {
        let mut collector = Collector::new(Root::memory(tree)).with_clock(Clock::Fixed(NOW));
        check(name, &collector.facts());
    }
}

/// A host with an agent in one process, no agent in another, and the segment of a process that was killed.
fn host_with_agents(is_alone: bool) -> Host {
    const MIB: u64 = 1 << 20;
    const REGION: u64 = 0x0000_0180_0000_0001;
    let python = |pid| Process::new(pid, "python3");
    let segment = |pid| {
        Segment::wormhole(pid, python(pid).start_ticks(), REGION)
            .allocate(NewBuffer::new(AllocatorKind::Dram, 4 * MIB, "Matmul"))
            .allocate(NewBuffer::new(AllocatorKind::L1, 65_536, "Matmul"))
    };
    let bytes = RegionBytes { dram: 40 * MIB, l1: 4096, ..RegionBytes::default() };
    let host = Host::new().board(Board::n150()).process(python(PID)).owner(0, PID, 1);
    let region = Region::new(REGION).slot(PID, "python3", bytes);
    if is_alone {
        return host.region(region).segment_of(PID, segment(PID));
    }
    let (other, killed, ended) = (PID + 1, PID + 2, PID + 3);
    let region = region.slot(other, "python3", bytes).slot(ended, "python3", bytes);
    let host = host.process(python(other)).owner(0, other, 1).region(region);
    host.segment_of(PID, segment(PID)).segment_of(PID, segment(killed))
}

#[test]
fn the_parts_of_agents_and_slots_add_up() {
    for (is_alone, rule) in [(true, "live-agents"), (false, "live-processes")] {
        let root = Root::memory(host_with_agents(is_alone).into_tree());
        let mut collector = Collector::new(root).with_clock(Clock::Fixed(NOW)).with_programs();
        let facts = collector.facts();
        assert!(check(rule, &facts) > 10);
        let used = Tracer::new(&facts, None).why("chips.0.memory.dram.used").unwrap();
        assert_eq!(used.rule.name, rule);
        let sources: BTreeSet<_> = used.parts.iter().map(|part| part.source).collect();
        assert!(sources.contains(&SourceName::Agent));
        assert_eq!(sources.contains(&SourceName::Upstream), !is_alone);
        let stale = Tracer::new(&facts, None).why("chips.0.memory.dram.stale").unwrap();
        assert_eq!(stale.parts.is_empty(), is_alone);
    }
}

#[test]
fn addresses_of_two_allocators_are_subtracted_once() {
    let process = Process::new(PID, "python3");
    let new = || NewBuffer::new(AllocatorKind::Dram, 1 << 20, "Matmul");
    let segment = Segment::wormhole(PID, process.start_ticks(), 0x0000_0180_0000_0001)
        .allocate(new())
        .open(AllocatorRole::Mesh, &[0], WORMHOLE)
        .allocate(new());
    let host = Host::new().board(Board::n150()).process(process).owner(0, PID, 1);
    let root = Root::memory(host.segment_of(PID, segment).into_tree());
    let facts = Collector::new(root).with_clock(Clock::Fixed(NOW)).facts_at(Depth::Full);
    check("submesh", &facts);
    let used = Tracer::new(&facts, None).why("chips.0.memory.dram.used").unwrap();
    assert!(used.parts.iter().any(|part| part.is_subtracted));
}
