//! The programs that are resident in L1 now, as a list.

use std::collections::{BTreeMap, BTreeSet};

use ttmem_model::Timestamp;
use ttmem_model::buffers::{BufferList, CoreRectangle, ProgramPart, ResidentProgram};
use ttmem_model::order;
use ttmem_model::order::Gather as _;
use ttmem_segment::{CoreRange, Kernel, Placement, ProgramFootprint, Segment};

use super::agent::main_allocator;
use super::words::op_quality;
use crate::listing::SegmentProcess;

/// The most columns or rows of a grid. A segment with more is not believed.
const MAX_SIDE: u16 = 64;

/// Adds the resident programs of a process to a list, the last dispatched first.
pub(crate) fn add_to(
    list: &mut BufferList,
    segment: &Segment,
    holder: &SegmentProcess,
    time: Timestamp,
) {
    let mut missing = None;
    let mut found: BTreeMap<u32, ResidentProgram> = BTreeMap::new();
    for chip in 0..segment.chips.len() {
        for (footprint, cores) in residents(segment, chip, &mut missing) {
            let program = found
                .entry(footprint.index)
                .or_insert_with(|| program(segment, footprint, holder, time));
            program.chips.extend(holder.chips.get(chip).copied().flatten());
            program.cores = program.cores.max(cores);
        }
    }
    let mut programs: Vec<ResidentProgram> = found.into_values().collect();
    order::sort_by_key(&mut programs, |program| program.age_us);
    list.programs.extend(programs);
    if let Some(owner) = list.processes.last_mut() {
        owner.programs_missing = missing;
    }
}

/// The footprints of which something is on cores of a chip, with the number of those cores. Programs that are not recorded
/// may be on any core, so that what was dispatched before them is not known to be there.
fn residents<'a>(
    segment: &'a Segment,
    chip: usize,
    missing: &mut Option<String>,
) -> Vec<(&'a ProgramFootprint, u64)> {
    let programs = &segment.programs;
    let unknown = programs.losses.last_unknown_dispatch;
    let cleared = programs.cleared.get(chip).copied().unwrap_or(0);
    let grid = main_allocator(segment, chip).and_then(|allocator| allocator.grid);
    let (columns, rows) = grid.unwrap_or((u32::from(MAX_SIDE), u32::from(MAX_SIDE)));
    let side = |length: u32| u16::try_from(length).unwrap_or(MAX_SIDE).min(MAX_SIDE);
    let (columns, rows) = (side(columns), side(rows));
    let mut free: BTreeSet<(u16, u16)> =
        (0..rows).flat_map(|y| (0..columns).map(move |x| (x, y))).gather();
    let mut found = Vec::new();
    for footprint in programs.newest_first(chip) {
        if unknown > cleared.max(footprint.last_dispatch) {
            break;
        }
        let before = free.len();
        free.retain(|core| !footprint.is_on(*core));
        let cores = (before - free.len()) as u64;
        if cores > 0 {
            found.push((footprint, cores));
        }
        if free.is_empty() {
            return found;
        }
    }
    if unknown > cleared {
        *missing = Some(segment.unknown_programs().to_owned());
    }
    found
}

fn program(
    segment: &Segment,
    footprint: &ProgramFootprint,
    holder: &SegmentProcess,
    time: Timestamp,
) -> ResidentProgram {
    let op = footprint.op.as_ref().filter(|op| !op.name.is_empty());
    let last = segment.header.to_real_time(footprint.last_time) / 1000;
    let rectangles: BTreeSet<CoreRange> = footprint.core_ranges().gather();
    let mut parts: Vec<ProgramPart> = footprint.placements.iter().map(placement).collect();
    order::sort_by_key(&mut parts, |part| (part.address, part.bytes));
    parts.extend(footprint.kernels.iter().map(kernel));
    ResidentProgram {
        pid: holder.pid,
        chips: Vec::new(),
        program: (footprint.program > 0).then_some(footprint.program),
        op: op.map(|op| op.name.to_string()),
        op_quality: op.map(|op| op_quality(op.source).to_owned()),
        cores: 0,
        core_ranges: rectangles.into_iter().map(rectangle).collect(),
        dispatches: footprint.dispatches,
        age_us: time.micros_since(Timestamp(last)),
        config_bytes: footprint.config_bytes,
        semaphore_bytes: footprint.semaphore_bytes,
        parts,
    }
}

fn rectangle(range: CoreRange) -> CoreRectangle {
    [range.start.into(), range.end.into()]
}

fn placement(placement: &Placement) -> ProgramPart {
    ProgramPart {
        kind: placement.kind.as_str().to_owned(),
        name: None,
        address: Some(placement.address),
        bytes: Some(placement.bytes),
        backed: Some(placement.is_backed),
        cores: rectangle(placement.cores),
    }
}

fn kernel(kernel: &Kernel) -> ProgramPart {
    ProgramPart {
        kind: "kernel".to_owned(),
        name: kernel.name.as_deref().map(str::to_owned),
        address: None,
        bytes: kernel.text_bytes,
        backed: None,
        cores: rectangle(kernel.cores),
    }
}
