//! L1 by op: circular buffers, kernels and tensors on the cores of every program that ran.

mod dispatches;
mod moment;
mod refusals;
mod traces;

use std::collections::{BTreeMap, BTreeSet};

use ttmem_model::order;
use ttmem_model::order::Gather as _;

use serde::Serialize;
use ttmem_segment::{
    Allocator, AllocatorKind, AllocatorRole, PartKind, Placement, ProgramFootprint, Segment,
};

use super::ReportChip;
use super::replay::{Replay, name};

pub use dispatches::{DispatchL1, DispatchUse, dispatch_uses};
pub(super) use moment::{Overwritten, Then};
pub use moment::{ProcessOps, l1_by_op};
pub use refusals::Refused;
pub use traces::Traces;

/// Coordinates of worker cores are below this. A segment with others is not believed.
const MAX_COORDINATE: u16 = 64;

/// Programs of a process and their use of L1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Programs {
    /// The highest use of L1 during a dispatch, by chip; chips on which all is the same are one.
    pub peaks: Vec<L1Peak>,
    /// L1 by op, the highest peak on a core first.
    pub ops: Vec<OpL1>,
    /// Programs and traces that TT-Metal refused.
    pub refused: Vec<Refused>,
    /// Captured traces, if there were any.
    pub traces: Option<Traces>,
    /// Dispatches in all, replays of traces included.
    pub dispatches: u64,
    /// Dispatches of programs whose placements are not known. They are in none of the figures.
    pub unknown_dispatches: u64,
    /// The reason that there are such; `None` if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_reason: Option<&'static str>,
}

impl Programs {
    /// Every list of chips.
    pub(super) fn chips(&mut self) -> impl Iterator<Item = &mut Vec<ReportChip>> {
        let peaks = self.peaks.iter_mut().map(|peak| &mut peak.chips);
        let ops = self.ops.iter_mut().map(|op| &mut op.chips);
        let refused = self.refused.iter_mut().map(|refused| &mut refused.chips);
        let traces = self.traces.iter_mut().flat_map(|traces| &mut traces.traces);
        peaks.chain(ops).chain(refused).chain(traces.map(|trace| &mut trace.chips))
    }
}

/// The highest use of L1 during a dispatch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct L1Peak {
    /// The chips.
    pub chips: Vec<ReportChip>,
    /// Bytes on each chip: tensors, circular buffers and kernels.
    pub bytes: u64,
    /// Part of `bytes` in tensors and other buffers of the allocator, in all banks.
    pub tensors: u64,
    /// Part of `bytes` in circular buffers and dataflow buffers that are not the memory of a tensor, on all cores of
    /// the program.
    pub circular_buffers: u64,
    /// Circular buffers and dataflow buffers that are the memory of tensors, on all cores of the program: a part of
    /// `tensors`.
    pub aliasing: u64,
    /// Part of `bytes` in scratchpads, on all cores of the program.
    pub scratchpads: u64,
    /// Part of `bytes` in kernel text, on all cores of the program. `None` if this release of TT-Metal does not publish
    /// it; then `bytes` does not contain it.
    pub kernels: Option<u64>,
    /// Bytes of L1 on the fullest core: reserved memory, L1_SMALL, circular buffers and tensors.
    pub bytes_per_core: Option<u64>,
    /// Bytes of L1 of a core.
    pub core_size: Option<u64>,
    /// Bytes of L1 of all worker cores that programs may use, on each chip.
    pub capacity: Option<u64>,
    /// The op.
    pub op: Option<String>,
}

/// The use of L1 by the programs of one op. Every figure is of the program and core with the most of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OpL1 {
    /// The op; `None` where it is not known.
    pub op: Option<String>,
    /// The chips.
    pub chips: Vec<ReportChip>,
    /// Dispatches, replays of traces included.
    pub dispatches: u64,
    /// Programs; one that ran with tensors at other addresses counts again.
    pub(crate) programs: u64,
    /// Cores of a program.
    pub cores: u64,
    /// Bytes of circular buffers per core that are not the memory of a tensor.
    pub circular_buffers: u64,
    /// Bytes of circular buffers per core that are the memory of a tensor.
    pub aliasing: u64,
    /// Bytes of scratchpads per core.
    pub(crate) scratchpads: u64,
    /// Bytes of kernel text per core; `None` if this release of TT-Metal does not publish them.
    pub kernel_text: Option<u64>,
    /// Bytes of L1 tensors per core during a dispatch.
    pub tensors: u64,
    /// Bytes of L1 per core during a dispatch: reserved memory, L1_SMALL, circular buffers and tensors.
    pub peak: Option<u64>,
    /// Bytes between the highest circular buffer and the lowest L1 buffer, or the end of L1, the least of all
    /// dispatches. Negative if they overlap.
    pub headroom: Option<i64>,
}

/// One footprint in figures.
struct Measured<'a> {
    footprint: &'a ProgramFootprint,
    cores: u64,
    circular_buffers: u64,
    circular_buffers_in_all: u64,
    scratchpads: u64,
    scratchpads_in_all: u64,
    aliasing: u64,
    aliasing_in_all: u64,
    kernel_text: Option<u64>,
    kernels_in_all: Option<u64>,
    /// Address of the end of its circular buffers and scratchpads, or of reserved memory if it has none.
    end: Option<u64>,
    peak: Option<u64>,
    headroom: Option<i64>,
}

/// The programs of a process; `None` if its agent recorded none.
pub(super) fn programs(replay: &Replay<'_>) -> Option<Programs> {
    let programs = &replay.segment.programs;
    if programs.dispatched == 0 && programs.refusals.is_empty() && programs.traces.is_empty() {
        return None;
    }
    let measured = measured(replay.segment);
    Some(Programs {
        peaks: peaks(replay.segment, &measured),
        ops: ops(replay.segment, &measured),
        refused: refusals::refused(replay),
        traces: traces::traces(replay),
        dispatches: programs.dispatched,
        unknown_dispatches: programs.losses.unknown_dispatches,
        unknown_reason: (programs.losses.unknown_dispatches > 0)
            .then(|| replay.segment.unknown_programs()),
    })
}

/// The L1 of the programs of each op that a process dispatched, the highest peak on a core first.
#[must_use]
pub fn op_l1(segment: &Segment) -> Vec<OpL1> {
    ops(segment, &measured(segment))
}

/// The footprints that were dispatched.
fn measured(segment: &Segment) -> Vec<Measured<'_>> {
    let dispatched =
        segment.programs.footprints.iter().filter(|footprint| footprint.dispatches > 0);
    dispatched.map(|footprint| measure(segment, footprint)).collect()
}

/// The chips with these indexes.
fn chips(segment: &Segment, indexes: &[usize]) -> Vec<ReportChip> {
    let chip = |index: &usize| {
        let chip = segment.chips.get(*index)?;
        Some(ReportChip { device: chip.device, unique_id: chip.unique_id, index: None })
    };
    let mut chips: Vec<ReportChip> = indexes.iter().filter_map(chip).collect();
    order::sort(&mut chips);
    chips
}

/// Nanoseconds by which the time of a dispatch may be behind.
const BEHIND_NS: u64 = 60_000_000;

/// The allocator that handed out L1 of the chips of a program when it was dispatched last: the newest that was open then.
fn allocator<'a>(segment: &'a Segment, footprint: &ProgramFootprint) -> Option<&'a Allocator> {
    let has_them = |allocator: &&Allocator| {
        let mut chips = footprint.chips.iter();
        allocator.role == AllocatorRole::Mesh && chips.all(|it| allocator.chips.contains(it))
    };
    let was_open = |allocator: &&Allocator| {
        allocator.opened <= footprint.last_time.saturating_add(BEHIND_NS)
            && allocator.closed.is_none_or(|closed| closed >= footprint.last_time)
    };
    let newest_first = || segment.allocators.iter().rev().filter(has_them);
    newest_first().find(was_open).or_else(|| newest_first().next())
}

fn measure<'a>(segment: &Segment, footprint: &'a ProgramFootprint) -> Measured<'a> {
    let allocator = allocator(segment, footprint);
    let (mut circular_buffers, mut scratchpads, mut aliasing) = (0, 0, 0);
    let (mut circular_buffers_in_all, mut scratchpads_in_all) = (0_u64, 0_u64);
    let mut aliasing_in_all = 0_u64;
    let (mut kernel_text, mut kernels_in_all) = (Some(0), Some(0_u64));
    let (mut end, mut placed) = (None, 0_u64);
    let cores = cores(footprint);
    for core in &cores {
        let placements = footprint.placements_on(*core);
        let is_scratchpad = |it: &&&Placement| it.kind == PartKind::Scratchpad;
        let scratch = covered(placements.iter().filter(is_scratchpad));
        let own = covered(placements.iter().filter(|it| !it.is_backed && !is_scratchpad(it)));
        placed = placed.max(own.saturating_add(scratch));
        circular_buffers = circular_buffers.max(own);
        circular_buffers_in_all = circular_buffers_in_all.saturating_add(own);
        scratchpads = scratchpads.max(scratch);
        scratchpads_in_all = scratchpads_in_all.saturating_add(scratch);
        let shared = covered(placements.iter().filter(|placement| placement.is_backed));
        aliasing = aliasing.max(shared);
        aliasing_in_all = aliasing_in_all.saturating_add(shared);
        let text = footprint.kernel_text_on(*core);
        kernel_text = kernel_text.zip(text).map(|(most, text)| u64::max(most, text));
        kernels_in_all = kernels_in_all.zip(text).map(|(sum, text)| sum.saturating_add(text));
        end = end.max(footprint.end_on(*core));
    }
    let base = allocator.and_then(|allocator| allocator.l1_base);
    let size = allocator.and_then(|allocator| allocator.l1_size);
    let below = end.max(base);
    let above = footprint.lowest_l1.or(size);
    let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    Measured {
        footprint,
        cores: cores.len() as u64,
        circular_buffers,
        circular_buffers_in_all,
        scratchpads,
        scratchpads_in_all,
        aliasing,
        aliasing_in_all,
        kernel_text,
        kernels_in_all,
        end: below,
        peak: base.zip(allocator.and_then(l1_small)).map(|(base, small)| {
            [placed, footprint.l1_bytes, small].into_iter().fold(base, u64::saturating_add)
        }),
        headroom: above
            .zip(below)
            .map(|(above, below)| signed(above).saturating_sub(signed(below))),
    }
}

/// Bytes of each core that `l1_small_size` sets aside; `None` if TT-Metal's allocator was never asked.
fn l1_small(allocator: &Allocator) -> Option<u64> {
    let small = allocator.kind(AllocatorKind::L1Small);
    if small.banks == 0 { Some(0) } else { Some(small.statistics?.total) }
}

/// The worker cores of a footprint.
fn cores(footprint: &ProgramFootprint) -> BTreeSet<(u16, u16)> {
    let kernels = footprint.kernels.iter().filter(|kernel| kernel.core_type == 0);
    let ranges = footprint.placements.iter().map(|placement| placement.cores);
    let ranges: BTreeSet<_> = ranges.chain(kernels.map(|kernel| kernel.cores)).collect();
    let is_core = |range: &ttmem_segment::CoreRange| {
        range.end.0 < MAX_COORDINATE && range.end.1 < MAX_COORDINATE
    };
    ranges.into_iter().filter(is_core).flat_map(ttmem_segment::CoreRange::cores).gather()
}

/// Bytes that placements cover, sorted by address; where they overlap once.
fn covered<'a>(placements: impl Iterator<Item = &'a &'a Placement>) -> u64 {
    let (mut sum, mut end) = (0_u64, 0);
    for placement in placements {
        let start = placement.address.max(end);
        sum = sum.saturating_add(placement.end().saturating_sub(start));
        end = end.max(placement.end());
    }
    sum
}

fn ops(segment: &Segment, measured: &[Measured<'_>]) -> Vec<OpL1> {
    let mut ops: BTreeMap<Option<String>, (OpL1, BTreeSet<usize>)> = BTreeMap::new();
    for one in measured {
        let op = name(one.footprint.op.as_ref());
        let (known, chips) =
            ops.entry(op.clone()).or_insert_with(|| (first(op, one), BTreeSet::new()));
        chips.extend(&one.footprint.chips);
        known.dispatches = known.dispatches.saturating_add(one.footprint.dispatches);
        known.programs += 1;
        known.cores = known.cores.max(one.cores);
        known.circular_buffers = known.circular_buffers.max(one.circular_buffers);
        known.scratchpads = known.scratchpads.max(one.scratchpads);
        known.aliasing = known.aliasing.max(one.aliasing);
        known.kernel_text = known.kernel_text.zip(one.kernel_text).map(|(a, b)| a.max(b));
        known.tensors = known.tensors.max(one.footprint.l1_bytes);
        known.peak = known.peak.max(one.peak);
        known.headroom = match (known.headroom, one.headroom) {
            (Some(least), Some(headroom)) => Some(least.min(headroom)),
            (least, headroom) => least.or(headroom),
        };
    }
    let mut ops: Vec<OpL1> = ops
        .into_values()
        .map(|(op, indexes)| {
            let indexes: Vec<usize> = indexes.into_iter().collect();
            OpL1 { chips: chips(segment, &indexes), ..op }
        })
        .collect();
    order::sort_by_key(&mut ops, |op| {
        std::cmp::Reverse((op.peak, op.circular_buffers, op.dispatches))
    });
    ops
}

/// An op before its first program is added.
fn first(op: Option<String>, one: &Measured<'_>) -> OpL1 {
    OpL1 {
        op,
        chips: Vec::new(),
        dispatches: 0,
        programs: 0,
        cores: 0,
        circular_buffers: 0,
        scratchpads: 0,
        aliasing: 0,
        kernel_text: one.kernel_text,
        tensors: 0,
        peak: None,
        headroom: None,
    }
}

fn peaks(segment: &Segment, measured: &[Measured<'_>]) -> Vec<L1Peak> {
    let mut peaks: Vec<L1Peak> = Vec::new();
    for chip in 0..segment.chips.len() {
        let on_chip = measured.iter().filter(|one| one.footprint.chips.contains(&chip));
        let Some(mut peak) = on_chip.map(|one| peak(segment, one)).max_by_key(|peak| peak.bytes)
        else {
            continue;
        };
        peak.chips = chips(segment, &[chip]);
        let is_same = |other: &&mut L1Peak| {
            (other.bytes, other.tensors, &other.op) == (peak.bytes, peak.tensors, &peak.op)
        };
        match peaks.iter_mut().find(is_same) {
            Some(same) => same.chips.extend(peak.chips),
            None => peaks.push(peak),
        }
    }
    peaks
}

/// L1 of a chip during a dispatch of a program.
fn peak(segment: &Segment, one: &Measured<'_>) -> L1Peak {
    let allocator = allocator(segment, one.footprint);
    let banks = allocator.map_or(0, |allocator| allocator.kind(AllocatorKind::L1).banks);
    let tensors = one.footprint.l1_bytes.saturating_mul(banks);
    let circular_buffers = one.circular_buffers_in_all;
    let (scratchpads, kernels) = (one.scratchpads_in_all, one.kernels_in_all);
    let parts = [tensors, circular_buffers, scratchpads, kernels.unwrap_or(0)];
    L1Peak {
        chips: Vec::new(),
        bytes: parts.into_iter().fold(0, u64::saturating_add),
        tensors,
        circular_buffers,
        aliasing: one.aliasing_in_all,
        scratchpads,
        kernels,
        bytes_per_core: one.peak,
        core_size: allocator.and_then(|allocator| allocator.l1_size),
        capacity: allocator.and_then(|allocator| {
            let (columns, rows) = allocator.grid?;
            u64::from(columns).checked_mul(u64::from(rows))?.checked_mul(allocator.l1_size?)
        }),
        op: name(one.footprint.op.as_ref()),
    }
}

#[cfg(test)]
mod tests;
