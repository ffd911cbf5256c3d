//! The live buffers of every process with an agent, as a list.

use ttmem_model::Pid;
use ttmem_model::buffers::{BufferList, ChipRef};
use ttmem_model::facts::{Facts, SegmentFile};
use ttmem_model::snapshot::ProcessState;
use ttmem_segment::Segment;

use super::agent::AgentLink;
use super::join::{Joined, Writer};
use crate::listing::{self, SegmentProcess, SegmentView};

/// Lists the live buffers. The facts must hold whole segments.
#[must_use]
pub fn buffers(facts: &Facts) -> BufferList {
    let joined = Joined::new(facts);
    let mut list = listing::empty(facts.time, facts.demo);
    for (place, file) in facts.segments.iter().enumerate() {
        let Ok(segment) = &file.content else { continue };
        let holder = holder(&joined, place, file, segment);
        SegmentView::now(segment, facts.time).add_to(&mut list, &holder);
    }
    listing::sort(&mut list);
    list
}

/// Who wrote a segment, and which chips of the host it speaks of.
fn holder(
    joined: &Joined<'_>,
    place: usize,
    file: &SegmentFile,
    segment: &Segment,
) -> SegmentProcess {
    let (pid, state) = match joined.segment_owner(place) {
        Writer::Live(pid) => (pid, ProcessState::Live),
        Writer::Gone { .. } => (Pid(file.pid), ProcessState::Stale),
        Writer::Outside => (Pid(file.pid), ProcessState::OutsideNamespace),
    };
    let is_live = state == ProcessState::Live;
    let process = joined.facts.processes.get(&pid).filter(|_| is_live);
    let chip = |chip: usize| {
        let link = AgentLink { segment: place, chip };
        let chip = joined.chips.iter().find(|chip| chip.agents.contains(&link))?;
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
