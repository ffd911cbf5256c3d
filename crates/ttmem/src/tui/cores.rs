//! The worker cores of chips as view 3 draws them: read now, or from a moment of a recording.

use ttmem_model::facts::Field;
use ttmem_model::l1::report::{ChipReport, L1Report};
use ttmem_model::snapshot::{Chip, ChipMemory, Snapshot};
use ttmem_model::{ChipId, Timestamp};
use ttmem_sources::L1Look;

/// The L1 of chips at one time.
#[derive(Clone, Debug, Default)]
pub(crate) struct CoreLook {
    /// The moment, if a recording contains it.
    pub(crate) recorded: Option<Timestamp>,
    /// The reason, if a recording contains none.
    pub(crate) missing: Option<String>,
    /// The requested chips.
    pub(crate) chips: Vec<(ChipId, Field<ChipReport>)>,
    /// The memory of those chips as read from L1.
    pub(crate) memory: Vec<(ChipId, ChipMemory)>,
}

impl CoreLook {
    /// Creates the view of a fresh read, and by agents of what was not read.
    #[must_use]
    pub(crate) fn live(look: &L1Look) -> Self {
        let snapshot = &look.snapshot;
        let chip = |index: u32| snapshot.chips.iter().find(|chip| chip.index == index);
        let read = look.read();
        let asked: Vec<u32> = read.iter().map(|(index, _)| *index).collect();
        let known = read.iter().filter(|(_, report)| report.is_ok());
        let memory = known.filter_map(|(index, _)| chip(*index));
        let memory = memory.map(|chip| (chip.id, chip.memory.clone())).collect();
        let mut chips = look.or_by_agents(read);
        // A chip that was not read, and of which agents do not know all, can still be read.
        chips.retain(|(index, report)| report.is_ok() || asked.contains(index));
        let chips = chips.into_iter().filter_map(|(index, report)| Some((chip(index)?.id, report)));
        Self { recorded: None, missing: None, memory, chips: chips.collect() }
    }

    /// Creates the view of a recorded moment. `snapshot` is of that moment and identifies chips without an id of their
    /// own.
    #[must_use]
    pub(crate) fn recorded(time: Timestamp, report: L1Report, snapshot: &Snapshot) -> Self {
        let is_unnamed = |chip: &&Chip| chip.identity().is_none();
        let mut without_id = snapshot.chips.iter().filter(is_unnamed).map(|chip| chip.id);
        let chip = |report: ChipReport| {
            let id = report.id.or_else(|| without_id.next())?;
            Some((id, Ok(report)))
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
