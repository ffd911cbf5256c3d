//! The worker cores of chips as view 3 draws them: read now, or from a moment of a recording.

use ttmem_model::facts::{Field, L1Cost, L1Facts};
use ttmem_model::l1::report::{ChipReport, CoreReport, L1Report};
use ttmem_model::l1::{Coordinate, Grid};
use ttmem_model::reading::Missing;
use ttmem_model::snapshot::{Chip, ChipMemory, Snapshot};
use ttmem_model::{ChipId, SourceName, Timestamp};
use ttmem_sources::L1Look;

use crate::output::l1::view::ChipView;

/// The L1 of chips at one time.
#[derive(Clone, Debug, Default)]
pub(crate) struct CoreLook {
    /// The moment, if a recording contains it.
    pub(crate) recorded: Option<Timestamp>,
    /// The reason, if a recording contains none.
    pub(crate) missing: Option<String>,
    /// The requested chips.
    pub(crate) chips: Vec<(ChipId, Field<ChipCores>)>,
    /// The memory of those chips as read from L1.
    pub(crate) memory: Vec<(ChipId, ChipMemory)>,
}

/// The cores of a chip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChipCores {
    /// The report, as `ttmem l1 --json` prints it.
    pub(crate) report: ChipReport,
    /// The cost of the read. `None` of cores by an agent or of a recording.
    pub(crate) cost: Option<L1Cost>,
    /// The number of harvested or foreign cores. Not known for a recording.
    pub(crate) other_cores: u64,
    /// The reason that kernels have no names.
    pub(crate) unnamed: Option<Missing>,
}

impl CoreLook {
    /// Creates the view of a fresh read, and by agents of what was not read.
    #[must_use]
    pub(crate) fn live(look: &L1Look) -> Self {
        let L1Look { snapshot, chips, .. } = look;
        let chip = |index: u32| snapshot.chips.iter().find(|chip| chip.index == index);
        let read = chips.iter().filter(|(_, facts)| facts.content.is_ok());
        let read = read.filter_map(|(index, _)| chip(*index));
        // A chip that was not read, and of which agents do not know all, can still be read.
        let was_read = |index: u32| chips.iter().any(|(other, _)| *other == index);
        let mut known = look.by_any_source();
        known.retain(|(index, facts)| facts.content.is_ok() || was_read(*index));
        let known = known.iter().filter_map(|(index, facts)| Some((chip(*index)?, facts)));
        Self {
            recorded: None,
            missing: None,
            memory: read.map(|chip| (chip.id, chip.memory.clone())).collect(),
            chips: known.map(|(chip, facts)| (chip.id, cores(snapshot, chip, facts))).collect(),
        }
    }

    /// Creates the view of a recorded moment. `snapshot` is of that moment and identifies chips without an id of their
    /// own.
    #[must_use]
    pub(crate) fn recorded(time: Timestamp, report: L1Report, snapshot: &Snapshot) -> Self {
        let is_unnamed = |chip: &&Chip| chip.identity().is_none();
        let mut without_id = snapshot.chips.iter().filter(is_unnamed).map(|chip| chip.id);
        let chip = |report: ChipReport| {
            let id = report.id.or_else(|| without_id.next())?;
            Some((id, Ok(ChipCores { report, cost: None, other_cores: 0, unnamed: None })))
        };
        Self {
            recorded: Some(time),
            chips: report.chips.into_iter().filter_map(chip).collect(),
            ..Self::default()
        }
    }

    /// Creates the view of a recording without cores.
    #[must_use]
    pub(crate) fn none(why: impl Into<String>) -> Self {
        Self { missing: Some(why.into()), ..Self::default() }
    }
}

fn cores(snapshot: &Snapshot, chip: &Chip, facts: &L1Facts) -> Field<ChipCores> {
    let content = facts.content.as_ref().map_err(Clone::clone)?;
    let view = ChipView::new(snapshot, chip, facts);
    let view = view.ok_or_else(|| Missing::not_read("the L1 of this chip was not read"))?;
    let report = view.report();
    let is_read = report.source != SourceName::Agent;
    Ok(ChipCores {
        report,
        cost: is_read.then_some(content.cost),
        other_cores: content.other_cores,
        unnamed: facts.names.as_ref().err().filter(|_| is_read).cloned(),
    })
}

impl ChipCores {
    /// Returns the core at a coordinate.
    #[must_use]
    pub(crate) fn at(&self, coordinate: Coordinate) -> Option<&CoreReport> {
        self.report.cores.iter().find(|core| core.logical == Some(coordinate))
    }

    /// Returns the columns and rows, if any core gives them.
    #[must_use]
    pub(crate) fn grid(&self) -> Option<Grid> {
        self.report.grid
    }
}
