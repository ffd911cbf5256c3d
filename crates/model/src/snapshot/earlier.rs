//! Snapshots of earlier versions in the terms of this one.

use super::Snapshot;
use crate::id::ChipId;

impl Snapshot {
    /// Returns the snapshot without ids of chips that are none. Before 2.3 a number of one process or of one capture, or the 0 of
    /// a memory region, was in for an id that is not known.
    #[must_use]
    pub fn without_false_ids(mut self) -> Self {
        let Self { chips, processes, findings, .. } = &mut self;
        for chip in chips {
            let (told, index) = (chip.id, chip.index);
            if told != ChipId::Known(0) && chip.id_source.identity(told).is_some() {
                continue;
            }
            chip.id = ChipId::Unknown(index);
            let on_chips = processes.iter_mut().flat_map(|process| &mut process.chips);
            for on_chip in on_chips.filter(|on_chip| on_chip.chip == told) {
                (on_chip.chip, on_chip.index) = (chip.id, Some(index));
            }
            for finding in findings.iter_mut().filter(|finding| finding.chip == Some(told)) {
                (finding.chip, finding.chip_index) = (Some(chip.id), Some(index));
            }
        }
        self
    }
}
