//! Random sequences of ops, allocations and frees: after each step the agent says what TT-Metal says, and what a replay of
//! everything before leaves.
//!
//! `RANDOM_SEED` is the first seed, `RANDOM_SEEDS` how many, `RANDOM_OPS` the steps of each, `RANDOM_MOCKS` and
//! `TTMEM_TTNN_VERSIONS` where, separated by commas. A seed makes the same sequence every time.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use ttmem_segment::{
    Allocator, AllocatorKind, AllocatorRole, Dispatch, EventKind, Refusal, RefusalKind, Resident,
    Segment,
};

use super::Steps;
use super::sweep::{
    Cores, addresses_of_footprints, addresses_of_graph, difference, footprints_since, number,
    of_footprints, of_graph, overlaps,
};

const KINDS: [(&str, AllocatorKind); 4] = [
    ("DRAM", AllocatorKind::Dram),
    ("L1", AllocatorKind::L1),
    ("L1_SMALL", AllocatorKind::L1Small),
    ("TRACE", AllocatorKind::Trace),
];

/// What a replay of all dispatches and events knows.
#[derive(Default)]
struct Replay {
    /// The newest footprint, by chip and core.
    resident: HashMap<(usize, (u16, u16)), u32>,
    /// Bytes of live L1 buffers in each bank, by allocator and address.
    live: HashMap<u8, BTreeMap<u64, u64>>,
    /// The newest event and dispatch that are in it.
    event: u64,
    dispatch: u64,
    refusals: usize,
}

impl Replay {
    /// Takes the events up to one.
    fn take_events(&mut self, segment: &Segment, last: u64) {
        let new = segment.events.iter();
        for event in new.filter(|event| event.sequence > self.event && event.sequence <= last) {
            let Some(allocator) = event.allocator else { continue };
            let live = self.live.entry(allocator).or_default();
            match event.kind {
                EventKind::MassFree => live.clear(),
                EventKind::Allocate if event.footprint.kind == AllocatorKind::L1 => {
                    live.insert(event.address, event.footprint.bytes_per_bank);
                }
                EventKind::Free if event.footprint.kind == AllocatorKind::L1 => {
                    live.remove(&event.address);
                }
                _ => {}
            }
        }
        self.event = self.event.max(last);
    }

    /// Bytes of L1 buffers per bank, and the lowest of them.
    fn l1(&self, mesh: &Allocator) -> (u64, Option<u64>) {
        let live = self.live.get(&mesh.index);
        let bytes = live.map_or(0, |live| live.values().sum());
        (bytes, live.and_then(|live| live.keys().next().copied()))
    }

    /// Takes a dispatch, and compares what it says of tensors.
    fn take(&mut self, segment: &Segment, dispatch: &Dispatch, wrong: &mut Vec<String>) {
        self.take_events(segment, dispatch.event);
        let (bytes, lowest) = self.l1(mesh(segment));
        let said = (dispatch.l1_bytes, dispatch.lowest_l1);
        if said != (bytes, lowest) {
            let place = format!("dispatch {}", dispatch.sequence);
            wrong.push(format!("{place}: L1 tensors {said:?}, by events {:?}", (bytes, lowest)));
        }
        let footprint = dispatch.footprint.and_then(|index| segment.programs.footprint(index));
        let Some(footprint) = footprint else {
            wrong.push(format!("dispatch {} has no footprint", dispatch.sequence));
            return;
        };
        let cores = footprint.core_ranges().flat_map(ttmem_segment::CoreRange::cores);
        for (core, chip) in cores.flat_map(|core| footprint.chips.iter().map(move |it| (core, *it)))
        {
            self.resident.insert((chip, core), footprint.index);
        }
        self.dispatch = dispatch.sequence;
    }
}

/// The allocator of the mesh that is open.
fn mesh(segment: &Segment) -> &Allocator {
    let is_open = |it: &&Allocator| it.role == AllocatorRole::Mesh && it.closed.is_none();
    segment.allocators.iter().find(is_open).unwrap()
}

/// Compares the sums and the list of buffers with TT-Metal's.
fn compare_buffers(step: &Value, segment: &Segment, wrong: &mut Vec<String>) {
    let mesh = mesh(segment);
    for (name, kind) in KINDS {
        let told = (number(&step["view"][name][0]), number(&step["view"][name][1]));
        let recorded = (mesh.kind(kind).live_bytes, mesh.kind(kind).banks);
        if told != recorded {
            wrong.push(format!("{name}: TT-Metal {told:?}, agent {recorded:?}"));
        }
    }
    let listed = segment.buffers.iter().map(|buffer| {
        let of = segment.allocators.iter().find(|it| it.index == buffer.allocator).unwrap();
        let name = KINDS.iter().find(|(_, kind)| *kind == buffer.kind).unwrap().0.to_owned();
        (buffer.address, buffer.footprint().size_per_bank(of), name)
    });
    let mut listed: Vec<_> = listed.collect();
    let told = step["buffers"].as_array().unwrap().iter();
    let mut told: Vec<_> = told
        .map(|it| (number(&it[0]), number(&it[1]), it[2].as_str().unwrap().to_owned()))
        .collect();
    listed.sort_unstable();
    told.sort_unstable();
    if listed != told {
        wrong.push(format!("buffers: TT-Metal {told:?}, agent {listed:?}"));
    }
}

/// Compares the programs of a step with ttnn's captured graphs.
fn compare_programs(step: &Value, segment: &Segment, before: u64, wrong: &mut Vec<String>) {
    let version = segment.header.tt_metal_version.as_str();
    let footprints = footprints_since(segment, before);
    wrong.extend(footprints.iter().flat_map(|footprint| overlaps(footprint)).take(1));
    let is_whole = step["error"].is_null();
    if is_whole && !step["dry"].is_null() {
        let (graph, mut recorded) = (of_graph(&step["dry"]), of_footprints(&footprints));
        if version < "0.80" {
            // Its graphs have no dataflow buffers and scratchpads.
            recorded.values_mut().for_each(|it| it.retain(|(kind, ..), _| *kind == "cb"));
            recorded.retain(|_, on_core| !on_core.is_empty());
        }
        wrong.extend(difference(&without_parts(graph, &mut recorded), &recorded));
    }
    if is_whole && !step["wet"].is_null() {
        let recorded = addresses_of_footprints(&footprints);
        for (core, ranges) in addresses_of_graph(&step["wet"]) {
            if !recorded.get(&core).is_some_and(|recorded| ranges.is_subset(recorded)) {
                let recorded = recorded.get(&core);
                wrong.push(format!("{core:?}: graph {ranges:?}, agent {recorded:?}"));
                break;
            }
        }
    }
}

/// Takes out of both the dataflow buffers that are parts of a tensor's memory: TT-Metal does not export their size, so that
/// they are recorded with all of it.
fn without_parts(mut graph: Cores, recorded: &mut Cores) -> Cores {
    for (core, own) in recorded {
        let Some(told) = graph.get_mut(core) else { continue };
        let whole: Vec<_> =
            own.keys().filter(|key| key.2 && !told.contains_key(*key)).copied().collect();
        for (kind, bytes, _) in whole {
            let is_part = |key: &(&'static str, u64, bool)| {
                key.2 && key.0 == kind && key.1 > 0 && bytes % key.1 == 0
            };
            let part = told.keys().copied().find(|key| is_part(key) && !own.contains_key(key));
            if let Some(part) = part.filter(|_| kind == "dfb") {
                told.remove(&part);
                own.remove(&(kind, bytes, true));
            }
        }
    }
    graph
}

/// Compares the names of the ops that dispatched something with the function that was called.
fn compare_names(step: &Value, segment: &Segment, before: u64, wrong: &mut Vec<String>) {
    let Some(function) = step["function"].as_str() else { return };
    let new = segment.programs.dispatches.iter().filter(|dispatch| dispatch.sequence > before);
    for dispatch in new {
        let name = dispatch.op.as_ref().map(|op| &*op.name);
        if name != Some(function) {
            wrong.push(format!("dispatch {}: op {name:?}, called {function}", dispatch.sequence));
        }
    }
}

/// Compares what is resident with the replay of the dispatches, on every core of every chip.
fn compare_residents(segment: &Segment, replay: &Replay, wrong: &mut Vec<String>) {
    let (columns, rows) = mesh(segment).grid.unwrap();
    let side = |length: u32| u16::try_from(length).unwrap();
    for chip in 0..segment.chips.len() {
        for core in (0..side(rows)).flat_map(|y| (0..side(columns)).map(move |x| (x, y))) {
            let expected = replay.resident.get(&(chip, core)).copied();
            let resident = match segment.programs.resident(chip, core) {
                Resident::Footprint(footprint) => Some(footprint.index),
                Resident::Nothing => None,
                Resident::Unknown => Some(u32::MAX),
            };
            if resident != expected {
                wrong.push(format!("chip {chip} {core:?}: {resident:?}, by replay {expected:?}"));
                return;
            }
        }
    }
}

/// What TT-Metal's message of a refused program says: kind, program, end, limit.
fn refusal_of(message: &str) -> Option<(RefusalKind, u64, u64, u64)> {
    let after = |text: &str| -> Option<u64> {
        let (_, rest) = message.split_once(text)?;
        rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
    };
    let program = after("in program ").or_else(|| after("Program "));
    let (kind, end, limit) = if message.contains("clash with L1 buffers") {
        (RefusalKind::Clash, "region ends at ", "L1 buffer allocated at ")
    } else if message.contains("beyond max L1 size") {
        (RefusalKind::BeyondL1, "grow to ", "max L1 size of ")
    } else {
        return None;
    };
    Some((kind, program?, after(end)?, after(limit)?))
}

/// The cores of a refusal as TT-Metal's message has them.
fn cores_of(refusal: &Refusal) -> String {
    let (start, end) = (refusal.cores.start, refusal.cores.end);
    format!("[{}-{} - {}-{}]", start.0, start.1, end.0, end.1)
}

/// Compares TT-Metal's message with what is recorded of the refusal.
fn compare_refusals(step: &Value, segment: &Segment, replay: &mut Replay, wrong: &mut Vec<String>) {
    let all: &[Refusal] = &segment.programs.refusals;
    let new = &all[replay.refusals.min(all.len())..];
    replay.refusals = all.len();
    let Some(message) = step["error"].as_str() else { return };
    let (told, last) = (refusal_of(message), new.last());
    let recorded = last.map(|it| (it.kind, it.program, it.end.unwrap_or(0), it.limit.unwrap_or(0)));
    let has_cores = last.is_none_or(|refusal| message.contains(&cores_of(refusal)));
    if told != recorded || !has_cores {
        let cores = last.map(cores_of);
        wrong.push(format!("refusal {recorded:?} {cores:?}, TT-Metal {told:?} {message}"));
    }
}

/// What a sequence had.
#[derive(Debug, Default)]
struct Counts {
    steps: u64,
    dispatches: u64,
    graphs: usize,
    refusals: usize,
}

fn run(version: &str, mock: &str, seed: u64, length: u64, wrong: &mut Vec<String>) -> Counts {
    let is_slow = ("0.67".."0.76").contains(&version);
    let sequence = format!("{seed}:{length}");
    let mut steps = Steps::start_script(version, "l1_random.py", (&sequence, mock, is_slow));
    let (mut replay, mut counts) = (Replay::default(), Counts::default());
    while let Some((step, segment)) = steps.next() {
        let mut here = Vec::new();
        let before = replay.dispatch;
        assert_eq!(segment.losses.torn, 0);
        compare_buffers(&step, &segment, &mut here);
        if step["op"] == "reopen" {
            // Nothing is left in L1 of a device that is opened.
            replay.resident.clear();
        }
        if version >= "0.76" {
            compare_programs(&step, &segment, before, &mut here);
            compare_names(&step, &segment, before, &mut here);
            let dispatches = segment.programs.dispatches.iter();
            for dispatch in dispatches.filter(|dispatch| dispatch.sequence > before) {
                replay.take(&segment, dispatch, &mut here);
            }
            replay.take_events(&segment, u64::MAX - 1);
            replay.event = segment.events.last().map_or(0, |event| event.sequence);
            compare_residents(&segment, &replay, &mut here);
            compare_refusals(&step, &segment, &mut replay, &mut here);
        }
        counts.steps += 1;
        counts.dispatches = segment.programs.dispatched;
        counts.graphs += usize::from(step["dry"].is_array());
        counts.refusals = replay.refusals;
        let place = format!("{version} {mock} {seed} {} {}", step["step"], step["op"]);
        let here = here.into_iter().map(|text| format!("{place}: {text}"));
        wrong.extend(here.inspect(|text| eprintln!("{text}")));
    }
    counts
}

fn setting(name: &str, otherwise: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| otherwise.to_owned())
}

#[test]
fn random_sequences_leave_what_tt_metal_says() {
    let count = |name: &str, otherwise: &str| setting(name, otherwise).parse::<u64>().unwrap();
    let (first, seeds) = (count("RANDOM_SEED", "1"), count("RANDOM_SEEDS", "1"));
    let length = count("RANDOM_OPS", "40");
    let (versions, mocks) = (
        setting("TTMEM_TTNN_VERSIONS", "0.81.1,0.76.0"),
        setting("RANDOM_MOCKS", "n150,p150,t3000"),
    );
    let mut wrong = Vec::new();
    for version in versions.split(',') {
        for mock in mocks.split(',') {
            for seed in first..first + seeds {
                let counts = run(version, mock, seed, length, &mut wrong);
                eprintln!("{version} {mock} seed {seed}: {counts:?}");
                assert_eq!(counts.steps, length, "{version} {mock} {seed}");
                assert!(counts.dispatches > length / 4, "{version} {mock} {seed}: {counts:?}");
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
