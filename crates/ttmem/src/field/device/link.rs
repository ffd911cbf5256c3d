//! Cells of a chip that need more than one look-up: its id, its region, its PCIe link, its DRAM as a whole.

use ttmem_model::snapshot::{Chip, ChipMemory, IdSource, JoinedBy, PcieLink, RegionLink};
use ttmem_model::{MissingReason, Reading};

use crate::field::cell::Cell;

pub(super) fn id_source(source: IdSource) -> &'static str {
    match source {
        IdSource::Driver => "driver",
        IdSource::Region => "region",
        IdSource::Agent => "agent",
        IdSource::Serial => "serial",
        IdSource::Gateway => "gateway",
        IdSource::Bdf => "bdf",
        IdSource::Simulator => "simulator",
        IdSource::Capture => "capture",
    }
}

pub(super) fn joined_by(rule: JoinedBy) -> &'static str {
    match rule {
        JoinedBy::AsicId => "asic-id",
        JoinedBy::Serial => "serial",
        JoinedBy::SerialAndLocation => "serial-and-location",
        JoinedBy::Owner => "owner",
        JoinedBy::Gateway => "gateway",
        JoinedBy::Unmatched => "unmatched",
    }
}

pub(super) fn region<'a>(
    chip: &'a Chip,
    read: impl FnOnce(&'a RegionLink) -> Cell<'a>,
) -> Cell<'a> {
    chip.region
        .as_ref()
        .map_or(Cell::Blank(MissingReason::NoSource, "no memory region belongs to the chip"), read)
}

pub(super) fn pcie<'a>(chip: &'a Chip, read: impl FnOnce(&'a PcieLink) -> Cell<'a>) -> Cell<'a> {
    chip.pcie
        .as_ref()
        .map_or(Cell::Blank(MissingReason::Unsupported, "the chip has no PCIe function"), read)
}

/// Returns the id, if it is that of the ASIC.
pub(in crate::field) fn asic_id(chip: &Chip) -> Cell<'_> {
    match chip.asic_id() {
        Some(id) => Cell::display(&id),
        None => Cell::Blank(MissingReason::NoSource, "nothing names the ASIC"),
    }
}

/// Returns the bytes of DRAM that live processes hold, traces included.
pub(super) fn dram_total(chip: &Chip) -> Cell<'_> {
    let ChipMemory { dram, trace, .. } = &chip.memory;
    Cell::calculated(&dram.used, &trace.used, Reading::checked_add, "the sum has more than 64 bits")
}
