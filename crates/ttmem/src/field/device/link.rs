//! Cells of a chip's links: the source of its id, its memory region and its PCIe link.

use ttmem_model::MissingReason;
use ttmem_model::snapshot::{Chip, IdSource, JoinedBy, PcieLink, RegionLink};

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
