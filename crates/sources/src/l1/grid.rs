//! Places in the grid of a chip that no core answers for.

use std::collections::BTreeMap;

use ttmem_model::Arch;
use ttmem_model::l1::{Coordinate, Core, CoreState, Dispatch};

/// The reason of a core that is not listed, though others of its row and column are.
const NOT_LISTED: &str = "the core is not listed, though the chip's grid has it";

/// The reason of a core of a line in which none answers, while the grid has more lines than answer.
const SILENT: &str = "no core of its line answers, though the chip's grid has more lines";

/// Adds what the grid has and no core answers for, as torn cores, and gives torn cores their place: all cores of a row have
/// one NOC row, those of a column one NOC column. TT-Metal's grid has no harvested lines, so that none is missing in it.
pub(crate) fn complete(cores: &mut Vec<Core>, listed: &[Coordinate], arch: Arch) {
    let Some(grid) = cores.iter().find_map(|core| core.grid) else { return };
    let (mut columns, mut rows) = (BTreeMap::new(), BTreeMap::new());
    for (noc, logical) in cores.iter().filter_map(|core| Some((core.noc, core.logical?))) {
        columns.insert(logical.x, noc.x);
        rows.insert(logical.y, noc.y);
    }
    for (y, noc_y) in rows.iter().filter(|(y, _)| **y < grid.rows) {
        for (x, noc_x) in columns.iter().filter(|(x, _)| **x < grid.columns) {
            let (noc, logical) = (Coordinate { x: *noc_x, y: *noc_y }, Coordinate { x: *x, y: *y });
            if cores.iter().any(|core| core.logical == Some(logical)) {
                continue;
            }
            match cores.iter_mut().find(|core| core.noc == noc && core.logical.is_none()) {
                Some(core) => (core.logical, core.grid) = (Some(logical), Some(grid)),
                None => cores.push(Core {
                    logical: Some(logical),
                    grid: Some(grid),
                    ..torn(noc, NOT_LISTED)
                }),
            }
        }
    }
    // Rows of a Wormhole and columns of a Blackhole are harvested as a whole.
    let is_whole = match arch {
        Arch::Wormhole => rows.len() >= usize::from(grid.rows),
        Arch::Blackhole => columns.len() >= usize::from(grid.columns),
    };
    if !is_whole {
        let silent = listed.iter().filter(|noc| !cores.iter().any(|core| core.noc == **noc));
        let silent: Vec<Core> = silent.map(|noc| torn(*noc, SILENT)).collect();
        cores.extend(silent);
    }
}

fn torn(noc: Coordinate, why: &str) -> Core {
    Core {
        noc,
        logical: None,
        grid: None,
        state: CoreState::Torn,
        signal: 0,
        dispatch: Dispatch::Fast,
        unreserved: None,
        program: None,
        detail: Some(why.to_owned()),
        recorded: None,
    }
}
