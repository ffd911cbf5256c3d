//! A chip's cores with their maps: what every view of `ttmem l1` is drawn from.

use ttmem_model::Arch;
use ttmem_model::facts::{L1Content, L1Facts};
use ttmem_model::l1::report::ChipReport;
use ttmem_model::l1::{Coordinate, Core, Grid, Kernel, KernelName, KernelNames, L1Map};
use ttmem_model::snapshot::{Chip, Snapshot};

use super::state::CellState;

/// A chip whose L1 was read.
#[derive(Clone, Debug)]
pub(crate) struct ChipView<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) chip: &'a Chip,
    pub(super) facts: &'a L1Facts,
    pub(super) content: &'a L1Content,
    pub(super) cores: Vec<(Core, L1Map)>,
}

impl<'a> ChipView<'a> {
    /// The view of a chip; `None` if its L1 was not read.
    #[must_use]
    pub(crate) fn new(snapshot: &'a Snapshot, chip: &'a Chip, facts: &'a L1Facts) -> Option<Self> {
        let content = facts.content.as_ref().ok()?;
        let cores = content.cores.iter().map(|core| (core.clone(), facts.map(content, core)));
        Some(Self { snapshot, chip, facts, content, cores: cores.collect() })
    }

    /// Returns the name of the state in JSON.
    #[must_use]
    pub(crate) fn report(&self) -> ChipReport {
        let none = KernelNames::default();
        let names = self.names().unwrap_or(&none);
        ChipReport::new(self.chip.identity(), self.arch(), &self.content.layout, &self.cores, names)
    }

    /// The core at a place of the grid.
    #[must_use]
    pub(crate) fn core_at(&self, place: Coordinate) -> Option<&(Core, L1Map)> {
        self.cores.iter().find(|(core, _)| core.logical == Some(place))
    }

    /// The worker cores in columns and rows, if any core says.
    #[must_use]
    pub(crate) fn grid(&self) -> Option<Grid> {
        self.cores.iter().find_map(|(core, _)| core.grid)
    }

    /// True if an agent recorded the cores, and they were not read.
    pub(super) fn is_recorded(&self) -> bool {
        self.cores.iter().any(|(core, _)| core.recorded.is_some())
    }

    pub(super) fn names(&self) -> Option<&'a KernelNames> {
        self.facts.names.as_ref().ok()
    }

    pub(super) fn name(&self, kernel: &Kernel) -> Option<&'a KernelName> {
        self.names()?.get(kernel.number()?)
    }

    pub(super) fn state(&self, core: &Core) -> CellState {
        CellState::new(core.state, self.is_system(core))
    }

    pub(super) fn is_system(&self, core: &Core) -> bool {
        self.names().and_then(|names| names.is_system_core(core)) == Some(true)
    }

    fn arch(&self) -> Arch {
        self.facts.arch.or(self.chip.arch).unwrap_or(Arch::Wormhole)
    }
}
