//! The L1 of a chip, from the records of the agent in its process.

use std::sync::Arc;

use ttmem_model::facts::{Field, L1Content, L1Cost};
use ttmem_model::l1::report::ChipReport;
use ttmem_model::l1::{
    BankBuffers, Buffers, Coordinate, Core, CoreState, Dispatch, Geometry, Grid, Program, Recorded,
};
use ttmem_model::reading::{Missing, SourceName};
use ttmem_segment::ProgramFootprint;

use super::super::join::{Joined, JoinedChip};
use super::super::memory::Amounts;
use super::programs::{Division, LiveAgent, Placing, cores, division, placing, resident_on};
use super::report;
use super::tensors::without_overlap;

/// Returns the report of a chip; `None` if no process that has it open has an agent.
pub(crate) fn recorded(
    joined: &Joined<'_>,
    chip: &JoinedChip,
    amounts: &Amounts,
) -> Option<Field<ChipReport>> {
    let Placing { agent, others, is_only } = placing(joined, chip, amounts)?;
    let found = is_only.and_then(|()| content(agent, &others));
    let names = Err(Missing::not_read("the agent names the kernels"));
    Some(found.map(|(content, buffers)| report(joined, chip, &content, &names, Some(&buffers))))
}

fn content(agent: LiveAgent<'_>, others: &[LiveAgent<'_>]) -> Field<(L1Content, BankBuffers)> {
    let Division { base, size, grid: (columns, rows), banks } = division(agent, others)?;
    let side = |length: u32| u8::try_from(length).unwrap_or(u8::MAX);
    let grid = Grid { columns: side(columns), rows: side(rows) };
    let chip = agent.link.chip;
    let newest_first = agent.segment.programs.newest_first(chip);
    let mut kept: Vec<Arc<ProgramFootprint>> = Vec::new();
    let mut core = |position| {
        let resident = resident_on(agent.segment, &newest_first, chip, position);
        core(grid, base, position, resident.map(|found| found.map(|found| share(&mut kept, found))))
    };
    let content = L1Content {
        layout: SourceName::Agent.as_str().to_owned(),
        geometry: Geometry { l1_bytes: size, ring_start: base, reserved: Vec::new() },
        cores: cores(columns, rows).map(&mut core).collect(),
        other_cores: 0,
        cost: L1Cost::default(),
    };
    let Buffers { l1_small_bytes, buffers } = banks.buffers;
    let buffers = Buffers { l1_small_bytes, buffers: without_overlap(buffers) };
    Ok((content, BankBuffers { buffers, grid }))
}

/// One copy of a footprint serves all of its cores.
fn share(kept: &mut Vec<Arc<ProgramFootprint>>, found: &ProgramFootprint) -> Arc<ProgramFootprint> {
    if let Some(shared) = kept.iter().find(|shared| shared.index == found.index) {
        return Arc::clone(shared);
    }
    let shared = Arc::new(found.clone());
    kept.push(Arc::clone(&shared));
    shared
}

fn core(
    grid: Grid,
    base: u64,
    (x, y): (u16, u16),
    resident: Field<Option<Arc<ProgramFootprint>>>,
) -> Core {
    let (state, detail) = match &resident {
        Ok(Some(_)) => (CoreState::Resident, None),
        Ok(None) => (CoreState::Idle, None),
        Err(missing) => (CoreState::Torn, Some(missing.detail.to_string())),
    };
    let footprint = resident.ok().flatten();
    let side = |number: u16| u8::try_from(number).unwrap_or(u8::MAX);
    let position = Coordinate { x: side(x), y: side(y) };
    Core {
        noc: position,
        logical: Some(position),
        grid: Some(grid),
        state,
        signal: 0,
        dispatch: Dispatch::Fast,
        unreserved: Some(base),
        program: footprint.as_deref().map(program),
        detail,
        recorded: Some(Recorded { footprint }),
    }
}

/// Returns the program of a footprint. Its parts are in the footprint, not in a launch message.
fn program(footprint: &ProgramFootprint) -> Program {
    Program {
        id: u32::try_from(footprint.program).unwrap_or(0),
        config_start: 0,
        config_end: Some(0),
        kernels: Vec::new(),
        circular_buffers: Vec::new(),
        unread_remote: Vec::new(),
    }
}
