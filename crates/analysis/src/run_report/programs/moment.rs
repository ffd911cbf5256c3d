//! L1 by op of every process at one moment: now, or in a recording.

use std::collections::BTreeMap;

use serde::Serialize;
use ttmem_merge::listing::{SegmentProcess, owner};
use ttmem_merge::segment_processes;
use ttmem_model::buffers::BufferOwner;
use ttmem_model::facts::Facts;
use ttmem_model::order::Gather as _;
use ttmem_segment::{Dispatch, DispatchKind, ProgramFootprint, Programs, Segment};

use super::{Measured, OpL1, measure, ops};

/// L1 by op of one process.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProcessOps {
    /// The process. Its `unknown` is the reason that the ops of the moment are not known.
    pub owner: BufferOwner,
    /// Bytes of L1 of a core, if TT-Metal publishes them.
    pub core_size: Option<u64>,
    /// Dispatches in all, replays of traces included.
    pub dispatches: u64,
    /// Dispatches of programs whose placements are not known. They are in none of the figures.
    pub unknown_dispatches: u64,
    /// The reason that there are such; `None` if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_reason: Option<&'static str>,
    /// True if tensors, peak and headroom of some ops may be those of later dispatches: older ones are overwritten.
    pub of_whole_run: bool,
    /// The ops, the highest peak on a core first.
    pub ops: Vec<OpL1>,
}

/// Returns L1 by op of every process whose agent recorded programs. The facts must hold their segments to the depth of
/// programs.
#[must_use]
pub fn l1_by_op(facts: &Facts) -> Vec<ProcessOps> {
    let processes = segment_processes(facts).into_iter();
    let ran = processes.filter(|(segment, _)| segment.programs.dispatched > 0);
    ran.map(|(segment, process)| Then::newest(segment).ops(segment, &process)).collect()
}

impl ProcessOps {
    /// A process whose ops of the moment are not known.
    pub(in super::super) fn unknown(owner: BufferOwner, why: String) -> Self {
        Self {
            owner: BufferOwner { unknown: Some(why), ..owner },
            core_size: None,
            dispatches: 0,
            unknown_dispatches: 0,
            unknown_reason: None,
            of_whole_run: false,
            ops: Vec::new(),
        }
    }
}

/// The programs of a segment up to a moment.
pub(in super::super) struct Then {
    footprints: Vec<ProgramFootprint>,
    dispatches: u64,
    unknown_dispatches: u64,
    of_whole_run: bool,
}

/// The dispatches up to a moment are overwritten; the first that is left has this monotonic time.
pub(in super::super) struct Overwritten(pub(in super::super) u64);

/// The use of a footprint by some dispatches.
#[derive(Clone, Copy, Default)]
struct Uses {
    dispatches: u64,
    l1_bytes: u64,
    lowest_l1: Option<u64>,
}

impl Then {
    /// Returns all programs at their newest dispatch.
    pub(in super::super) fn newest(segment: &Segment) -> Self {
        let programs = &segment.programs;
        Self {
            footprints: programs.footprints.clone(),
            dispatches: programs.dispatched,
            unknown_dispatches: programs.losses.unknown_dispatches,
            of_whole_run: false,
        }
    }

    /// The programs dispatched up to a monotonic time.
    pub(in super::super) fn at(segment: &Segment, moment: u64) -> Result<Self, Overwritten> {
        let programs = &segment.programs;
        let dispatches = programs.dispatches.as_slice();
        let later = dispatches.iter().position(|dispatch| dispatch.time > moment);
        let Some(later) = later else { return Ok(Self::newest(segment)) };
        let (before, after) = dispatches.split_at(later);
        let is_complete = dispatches.first().is_some_and(|first| first.sequence == 1);
        let (Some(next), Some(first)) = (after.first(), dispatches.first()) else {
            return Ok(Self::newest(segment));
        };
        if before.is_empty() && !is_complete {
            return Err(Overwritten(first.time));
        }
        let known = if is_complete { before } else { after };
        let uses = uses(programs, known)?;
        let mut of_whole_run = false;
        let footprints = programs.footprints.iter().map(|footprint| {
            if footprint.last_dispatch < next.sequence {
                return footprint.clone();
            }
            let known = uses.get(&footprint.index).copied().unwrap_or_default();
            let mut then = footprint.clone();
            if is_complete {
                then.dispatches = known.dispatches;
                then.l1_bytes = known.l1_bytes;
                then.lowest_l1 = known.lowest_l1;
            } else {
                then.dispatches = then.dispatches.saturating_sub(known.dispatches);
                of_whole_run |= then.dispatches > 0;
            }
            then
        });
        let footprints = footprints.collect();
        let is_unknown = |dispatch: &&Dispatch| {
            dispatch.kind == DispatchKind::Program && dispatch.footprint.is_none()
        };
        let unknown = known.iter().filter(is_unknown).count() as u64;
        let unknown_dispatches = match is_complete {
            true => unknown,
            false => programs.losses.unknown_dispatches.saturating_sub(unknown),
        };
        let dispatches = next.sequence.saturating_sub(1);
        Ok(Self { footprints, dispatches, unknown_dispatches, of_whole_run })
    }

    /// L1 by op of the process of a segment.
    pub(in super::super) fn ops(self, segment: &Segment, process: &SegmentProcess) -> ProcessOps {
        let dispatched = self.footprints.iter().filter(|footprint| footprint.dispatches > 0);
        let measured: Vec<Measured<'_>> =
            dispatched.map(|footprint| measure(segment, footprint)).collect();
        let mut ops = ops(segment, &measured);
        let on_host = segment.chips.iter().zip(&process.chips);
        let on_host: BTreeMap<_, _> = on_host
            .filter_map(|(chip, on_host)| Some(((chip.device, chip.unique_id), (*on_host)?.index)))
            .gather();
        for chip in ops.iter_mut().flat_map(|op| &mut op.chips) {
            chip.index = on_host.get(&(chip.device, chip.unique_id)).copied();
        }
        let has_unknown = self.unknown_dispatches > 0;
        ProcessOps {
            owner: owner(process, Some(segment)),
            core_size: segment.allocators.iter().rev().find_map(|allocator| allocator.l1_size),
            dispatches: self.dispatches,
            unknown_dispatches: self.unknown_dispatches,
            unknown_reason: has_unknown.then(|| segment.unknown_programs()),
            of_whole_run: self.of_whole_run,
            ops,
        }
    }
}

/// The uses of footprints by dispatches, those of replayed traces included. An error if the entry of a trace is
/// overwritten.
fn uses(programs: &Programs, dispatches: &[Dispatch]) -> Result<BTreeMap<u32, Uses>, Overwritten> {
    let mut uses: BTreeMap<u32, Uses> = BTreeMap::new();
    let mut add = |footprint: u32, times: u64, dispatch: &Dispatch| {
        let known = uses.entry(footprint).or_default();
        known.dispatches = known.dispatches.saturating_add(times);
        known.l1_bytes = known.l1_bytes.max(dispatch.l1_bytes);
        known.lowest_l1 = match (known.lowest_l1, dispatch.lowest_l1) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    };
    for dispatch in dispatches {
        match (dispatch.kind, dispatch.footprint, dispatch.trace) {
            (DispatchKind::Program, Some(footprint), _) => add(footprint, 1, dispatch),
            (DispatchKind::Replay, _, Some(serial)) => {
                let mut traces = programs.traces.iter();
                let trace = traces.find(|trace| trace.serial == u64::from(serial));
                for (footprint, times) in &trace.ok_or(Overwritten(dispatch.time))?.footprints {
                    add(*footprint, u64::from(*times), dispatch);
                }
            }
            _ => {}
        }
    }
    Ok(uses)
}
