//! Findings about files of ended runs that are of no known chip.

use std::collections::BTreeMap;

use ttmem_model::finding::{Finding, Severity};
use ttmem_model::{Bytes, Kind, Pid};

use super::{Subject, amounts_of};
use crate::join::{Joined, Owner};
use crate::memory::{self, Usage};

/// The files that an ended process left, and the memory that they list.
#[derive(Default)]
struct Left {
    held: Vec<Usage>,
    regions: Vec<usize>,
    segments: Vec<usize>,
}

impl Left {
    fn add(&mut self, held: Usage) {
        self.regions.extend(held.slots.iter().map(|slot| slot.region));
        self.segments.extend(held.segment.map(|link| link.segment));
        self.segments.dedup();
        self.held.push(held);
    }
}

/// Finds the memory regions and segments that ended processes left, one finding for each process.
pub(super) fn find(joined: &Joined<'_>) -> Vec<Finding> {
    let mut all: BTreeMap<Owner, Left> = BTreeMap::new();
    for chip in &joined.left {
        for held in memory::amounts(joined, chip).held {
            all.entry(held.holder).or_default().add(held);
        }
    }
    all.into_iter().filter_map(|(owner, left)| finding(joined, owner, &left)).collect()
}

fn finding(joined: &Joined<'_>, owner: Owner, left: &Left) -> Option<Finding> {
    let Owner::Gone { pid, .. } = owner else { return None };
    let held: Vec<&Usage> = left.held.iter().collect();
    let mut amounts = amounts_of(&held);
    let reported = held.iter().map(|held| *held.reported.as_ref().unwrap_or(&0));
    if let Some(bytes) = reported.reduce(u64::saturating_add).filter(|bytes| *bytes > 0) {
        amounts.push(format!("{} {}", Bytes(bytes), Kind::CircularBuffers.label()));
    }
    if amounts.is_empty() {
        return None;
    }
    let name = held.iter().map(|held| held.name.as_str()).find(|name| !name.is_empty());
    let name = name.map(|name| format!(" ({name})")).unwrap_or_default();
    Some(Subject::process(Pid(pid)).finding(
        "stale-region",
        Severity::Warning,
        format!(
            "process {pid}{name} has ended and left {} in {}, of no chip that is known",
            amounts.join(", "),
            files(joined, left)
        ),
        remedy(joined, pid, left),
    ))
}

/// The files by name: the first, and how many more.
fn files(joined: &Joined<'_>, left: &Left) -> String {
    let regions = left.regions.iter().filter_map(|index| joined.facts.regions.get(*index));
    let segments = left.segments.iter().filter_map(|index| joined.facts.segments.get(*index));
    let mut paths = regions.map(|file| &file.path).chain(segments.map(|file| &file.path));
    let first = paths.next().map(String::as_str).unwrap_or_default();
    match paths.count() {
        0 => first.to_owned(),
        1 => format!("{first} and 1 more file"),
        more => format!("{first} and {more} more files"),
    }
}

fn remedy(joined: &Joined<'_>, pid: i32, left: &Left) -> String {
    let in_container = |index: &usize| {
        joined.facts.regions.get(*index).is_some_and(|file| !file.through.is_empty())
    };
    let list = match left.segments.as_slice() {
        [] => String::new(),
        _ => format!("ttmem buffers -p {pid} lists the memory; "),
    };
    let delete = match left.regions.iter().any(in_container) {
        true => "ttmem doctor --clean in its container deletes what it left",
        false => "ttmem doctor --clean deletes what it left",
    };
    format!("{list}{delete}")
}
