//! The worker cores of chips as view 3 draws them: read just now, or of a moment that a recording holds.

use ttmem_collect::L1Look;
use ttmem_model::facts::{Field, L1Cost, L1Facts};
use ttmem_model::l1::report::{ChipReport, CoreReport, L1Report};
use ttmem_model::l1::{Coordinate, Grid};
use ttmem_model::reading::Missing;
use ttmem_model::snapshot::{Chip, ChipMemory, IdSource, Snapshot};
use ttmem_model::{ChipId, Timestamp};

use crate::output::l1::view::ChipView;

/// The L1 of chips at one moment.
#[derive(Clone, Debug, Default)]
pub struct CoreLook {
    /// The moment, if a recording holds it.
    pub recorded: Option<Timestamp>,
    /// Why a recording holds none.
    pub missing: Option<String>,
    /// The chips that were asked for.
    pub chips: Vec<(ChipId, Field<ChipCores>)>,
    /// The memory of those chips as their L1 has it.
    pub memory: Vec<(ChipId, ChipMemory)>,
}

/// The cores of a chip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChipCores {
    /// What `ttmem l1 --json` says of them.
    pub report: ChipReport,
    /// What reading them took. A recording does not say.
    pub cost: Option<L1Cost>,
    /// How many more the chip has: harvested, or not ours. A recording does not say.
    pub other_cores: u64,
    /// Why their kernels have no names.
    pub unnamed: Option<Missing>,
}

impl CoreLook {
    /// What was read just now.
    #[must_use]
    pub fn live(look: &L1Look) -> Self {
        let L1Look { snapshot, chips } = look;
        let chip = |index: u32| snapshot.chips.iter().find(|chip| chip.index == index);
        let known = chips.iter().filter_map(|(index, facts)| Some((chip(*index)?, facts)));
        let memory = known.clone().filter(|(_, facts)| facts.content.is_ok());
        Self {
            recorded: None,
            missing: None,
            memory: memory.map(|(chip, _)| (chip.id, chip.memory.clone())).collect(),
            chips: known.map(|(chip, facts)| (chip.id, cores(snapshot, chip, facts))).collect(),
        }
    }

    /// What a recording holds of a moment. `snapshot` is that moment's: it tells the chips that have no id of their own.
    #[must_use]
    pub fn recorded(time: Timestamp, report: L1Report, snapshot: &Snapshot) -> Self {
        let stands_in =
            |chip: &&Chip| matches!(chip.id_source, IdSource::Simulator | IdSource::Capture);
        let mut without_id = snapshot.chips.iter().filter(stands_in).map(|chip| chip.id);
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

    /// A recording that holds none.
    #[must_use]
    pub fn none(why: impl Into<String>) -> Self {
        Self { missing: Some(why.into()), ..Self::default() }
    }
}

fn cores(snapshot: &Snapshot, chip: &Chip, facts: &L1Facts) -> Field<ChipCores> {
    let content = facts.content.as_ref().map_err(Clone::clone)?;
    let view = ChipView::new(snapshot, chip, facts);
    let view = view.ok_or_else(|| Missing::not_read("the L1 of this chip was not read"))?;
    Ok(ChipCores {
        report: view.report(),
        cost: Some(content.cost),
        other_cores: content.other_cores,
        unnamed: facts.names.as_ref().err().cloned(),
    })
}

impl ChipCores {
    /// The core at a place of the grid.
    #[must_use]
    pub fn at(&self, place: Coordinate) -> Option<&CoreReport> {
        self.report.cores.iter().find(|core| core.logical == Some(place))
    }

    /// Its columns and rows, if any core says.
    #[must_use]
    pub fn grid(&self) -> Option<Grid> {
        self.report.grid
    }
}
