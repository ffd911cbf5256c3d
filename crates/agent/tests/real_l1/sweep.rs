//! Many ops, shapes and data types: the footprints of each against ttnn's own captured graphs.
//!
//! A graph captured without dispatch lists all that the programs of the op place, with bytes and cores. A graph captured with
//! dispatch has the addresses of circular buffers that are not the memory of a tensor.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use ttmem_segment::{PartKind, Placement, ProgramFootprint, Segment};

use super::Steps;

/// What is on a core: kind, bytes, and whether it is the memory of a tensor; how often each. Two that are the same tensor
/// count once: the graph lists one of a dataflow buffer and its alias.
pub(super) type OnCore = BTreeMap<(&'static str, u64, bool), u32>;
pub(super) type Cores = BTreeMap<(u64, u64), OnCore>;
/// Address and bytes of circular buffers, by core.
pub(super) type Addresses = BTreeMap<(u64, u64), BTreeSet<(u64, u64)>>;

pub(super) fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

/// The cores of a node of a graph.
fn cores(node: &Value) -> Vec<(u64, u64)> {
    let mut cores = Vec::new();
    for range in node[4].as_array().unwrap() {
        let corner = |index: usize| number(&range[index]);
        for y in corner(1)..=corner(3) {
            cores.extend((corner(0)..=corner(2)).map(|x| (x, y)));
        }
    }
    cores
}

fn kind(kind: PartKind) -> &'static str {
    match kind {
        PartKind::CircularBuffer => "cb",
        PartKind::DataflowBuffer => "dfb",
        PartKind::Scratchpad => "scratch",
        PartKind::Kernel => "kernel",
    }
}

fn graph_kind(node: &Value) -> &'static str {
    match node[0].as_str().unwrap() {
        "cb" => "cb",
        "dfb" => "dfb",
        _ => "scratch",
    }
}

/// What the graph without dispatch lists.
pub(super) fn of_graph(nodes: &Value) -> Cores {
    let mut all = Cores::new();
    for node in nodes.as_array().unwrap() {
        let key = (graph_kind(node), number(&node[2]), number(&node[3]) == 1);
        for core in cores(node) {
            add(all.entry(core).or_default(), key);
        }
    }
    all
}

fn add(on_core: &mut OnCore, key: (&'static str, u64, bool)) {
    let (_, _, is_backed) = key;
    let count = on_core.entry(key).or_default();
    *count = if is_backed { 1 } else { *count + 1 };
}

fn on_cores(placement: &Placement) -> impl Iterator<Item = (u64, u64)> {
    placement.cores.cores().map(|(x, y)| (u64::from(x), u64::from(y)))
}

/// What the footprints place.
pub(super) fn of_footprints(footprints: &[&ProgramFootprint]) -> Cores {
    let mut all = Cores::new();
    for placement in footprints.iter().flat_map(|footprint| &footprint.placements) {
        let key = (kind(placement.kind), placement.bytes, placement.is_backed);
        for core in on_cores(placement) {
            add(all.entry(core).or_default(), key);
        }
    }
    all
}

pub(super) fn addresses_of_graph(nodes: &Value) -> Addresses {
    let mut all = Addresses::new();
    let nodes = nodes.as_array().unwrap().iter();
    for node in nodes.filter(|node| graph_kind(node) == "cb" && number(&node[3]) == 0) {
        for core in cores(node) {
            all.entry(core).or_default().insert((number(&node[1]), number(&node[2])));
        }
    }
    all
}

pub(super) fn addresses_of_footprints(footprints: &[&ProgramFootprint]) -> Addresses {
    let mut all = Addresses::new();
    let placements = footprints.iter().flat_map(|footprint| &footprint.placements);
    for placement in placements.filter(|it| it.kind == PartKind::CircularBuffer && !it.is_backed) {
        for core in on_cores(placement) {
            all.entry(core).or_default().insert((placement.address, placement.bytes));
        }
    }
    all
}

/// Returns the placements of a footprint that overlap on a core although none is the memory of a tensor.
pub(super) fn overlaps(footprint: &ProgramFootprint) -> Vec<String> {
    let mut found = Vec::new();
    for core in footprint.core_ranges().flat_map(ttmem_segment::CoreRange::cores) {
        let mut own = footprint.placements_on(core);
        own.retain(|placement| !placement.is_backed);
        for pair in own.windows(2) {
            if pair[1].address < pair[0].end() {
                found.push(format!("{core:?} {pair:?}"));
            }
        }
    }
    found
}

/// The first core on which the two differ, with what the first has and the second has not, and the other way round.
pub(super) fn difference(graph: &Cores, recorded: &Cores) -> Option<String> {
    let core =
        graph.keys().chain(recorded.keys()).find(|core| graph.get(core) != recorded.get(core))?;
    let (none, less) = (OnCore::new(), |one: &OnCore, other: &OnCore| -> Vec<String> {
        let more = one.iter().filter(|(key, count)| other.get(key).unwrap_or(&0) < count);
        more.map(|(key, count)| format!("{count} of {key:?}, not {}", other.get(key).unwrap_or(&0)))
            .collect()
    });
    let (graph, recorded) = (graph.get(core).unwrap_or(&none), recorded.get(core).unwrap_or(&none));
    Some(format!("{core:?}: graph {:?}, agent {:?}", less(graph, recorded), less(recorded, graph)))
}

/// The footprints of the dispatches after `before`, without those of moves: without dispatch no tensor has an address, so that
/// the graph has none.
pub(super) fn footprints_since(segment: &Segment, before: u64) -> Vec<&ProgramFootprint> {
    let programs = &segment.programs;
    let new = programs.dispatches.iter().filter(|dispatch| dispatch.sequence > before);
    let footprints = new.map(|dispatch| programs.footprint(dispatch.footprint.unwrap()).unwrap());
    let is_move = |footprint: &&ProgramFootprint| {
        let names = footprint.kernels.iter().filter_map(|kernel| kernel.name.as_deref());
        names.into_iter().any(|name| name.contains("move"))
    };
    footprints.filter(|footprint| !is_move(footprint)).collect()
}

#[test]
fn footprints_of_every_op_are_those_of_captured_graphs() {
    let mut wrong = Vec::new();
    for (version, mock) in [("0.81.1", "n150"), ("0.80.0", "p150_130"), ("0.76.0", "n150")] {
        let mut steps = Steps::start_script(version, "l1_sweep.py", ("", mock, true));
        let (mut before, mut compared) = (0, 0);
        while let Some((step, segment)) = steps.next() {
            let op = step["op"].as_str().unwrap();
            let since = std::mem::replace(&mut before, segment.programs.dispatched);
            if !step["error"].is_null() {
                continue;
            }
            if segment.programs.losses.last_unknown_dispatch > since {
                wrong.push(format!("{version} {op}: a program without a footprint"));
                continue;
            }
            let footprints = footprints_since(&segment, since);
            let (graph, mut recorded) = (of_graph(&step["dry"]), of_footprints(&footprints));
            if version == "0.76.0" {
                // Its graphs have no dataflow buffers and scratchpads.
                recorded
                    .values_mut()
                    .for_each(|on_core| on_core.retain(|(kind, ..), _| *kind == "cb"));
                recorded.retain(|_, on_core| !on_core.is_empty());
            }
            if let Some(difference) = difference(&graph, &recorded) {
                wrong.push(format!("{version} {op} {difference}"));
            }
            let (graph, recorded) =
                (addresses_of_graph(&step["wet"]), addresses_of_footprints(&footprints));
            // Of a program that was cached, the graph has nothing.
            for (core, ranges) in graph {
                let is_recorded =
                    recorded.get(&core).is_some_and(|recorded| ranges.is_subset(recorded));
                if !is_recorded {
                    wrong.push(format!(
                        "{version} {op} {core:?}: {ranges:?}, agent {:?}",
                        recorded.get(&core)
                    ));
                    break;
                }
            }
            for footprint in footprints {
                wrong.extend(
                    overlaps(footprint)
                        .into_iter()
                        .take(1)
                        .map(|text| format!("{version} {op}: {text}")),
                );
            }
            compared += 1;
        }
        assert!(compared > 120, "{version}: {compared} ops");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
