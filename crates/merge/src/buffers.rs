//! The live buffers of every process with an agent, as a list.

use ttmem_model::Pid;
use ttmem_model::buffers::{BufferList, ChipRef};
use ttmem_model::facts::{Facts, SegmentFile};
use ttmem_model::snapshot::ProcessState;
use ttmem_segment::Segment;

use super::agent::AgentLink;
use super::join::{Joined, Owner};
use crate::listing::{self, SegmentProcess, SegmentView};
use crate::resident;

/// Lists the live buffers. The facts must hold whole segments.
#[must_use]
pub fn buffers(facts: &Facts) -> BufferList {
    let mut list = listing::empty(facts.time, facts.demo);
    for (segment, holder) in segment_processes(facts) {
        SegmentView::now(segment, facts.time).add_to(&mut list, &holder);
        resident::add_to(&mut list, segment, &holder, facts.time);
    }
    listing::sort(&mut list);
    list
}

/// Returns every segment that could be read, with its process.
#[must_use]
pub fn segment_processes(facts: &Facts) -> Vec<(&Segment, SegmentProcess)> {
    let joined = Joined::new(facts);
    let files = facts.segments.iter().enumerate();
    files
        .filter_map(|(index, file)| {
            let segment = file.content.as_ref().ok()?;
            Some((segment, holder(&joined, index, file, segment)))
        })
        .collect()
}

/// Returns the process that wrote a segment, with the chips of the host that the segment names.
fn holder(
    joined: &Joined<'_>,
    index: usize,
    file: &SegmentFile,
    segment: &Segment,
) -> SegmentProcess {
    let (pid, state) = match joined.segment_owner(index) {
        Owner::Live(pid) => (pid, ProcessState::Live),
        Owner::Gone { pid, .. } => (Pid(pid), ProcessState::Stale),
        Owner::Outside { pid, .. } => (Pid(pid), ProcessState::OutsideNamespace),
    };
    let is_live = state == ProcessState::Live;
    let process = joined.facts.processes.get(&pid).filter(|_| is_live);
    let chip = |chip: usize| {
        let link = AgentLink { segment: index, chip };
        let mut chips = joined.chips.iter().chain(&joined.left);
        let chip = chips.find(|chip| chip.agents.contains(&link))?;
        Some(ChipRef { id: chip.id, index: chip.index })
    };
    SegmentProcess {
        pid,
        start_time: file.start_ticks,
        name: process.map(|process| process.name.clone()).unwrap_or_default(),
        user: process.and_then(|process| process.user.clone()).or(file.user.clone()),
        container: process.and_then(|process| process.container.clone()),
        state,
        segment: file.path.clone(),
        chips: (0..segment.chips.len()).map(chip).collect(),
    }
}
