//! A chip with the report of its L1: what every view of `ttmem l1` is drawn from.

use ttmem_model::l1::report::{ChipReport, CoreReport};
use ttmem_model::snapshot::{Chip, Snapshot};

use super::state::CellState;

/// A chip whose L1 is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChipView<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) chip: &'a Chip,
    pub(crate) report: &'a ChipReport,
}

impl ChipView<'_> {
    pub(super) fn state(&self, core: &CoreReport) -> CellState {
        CellState::new(core.state, is_system(core))
    }
}

/// True if TT-Metal's own kernels are known to be on a core.
pub(super) fn is_system(core: &CoreReport) -> bool {
    core.is_system() == Some(true)
}
