//! Fields of a finding.

use ttmem_model::Finding;

use super::Field;
use super::cell::Cell;

/// A field of a finding.
pub(crate) type FindingField = Field<for<'a> fn(&'a Finding) -> Cell<'a>>;

/// Every field of a finding, in the order of the outputs.
pub(crate) const FIELDS: &[FindingField] = &[
    FindingField::plain("severity", "The severity: info, warning or error.", |finding| {
        Cell::text(finding.severity.as_str())
    })
    .info("severity"),
    FindingField::plain("id", "The stable name of the kind of finding.", |finding| {
        Cell::text(finding.id.as_str())
    })
    .info("id"),
    FindingField::plain("chip", "The ASIC id of the chip that it is about.", |finding| {
        finding.chip.as_ref().map_or(Cell::None("none"), Cell::chip)
    }),
    FindingField::plain("chip_index", "The index of the chip.", |finding| {
        finding.chip_index.as_ref().map_or(Cell::None("none"), Cell::display)
    }),
    FindingField::plain("pid", "The process that it is about.", |finding| {
        finding.pid.as_ref().map_or(Cell::None("none"), Cell::display)
    }),
    FindingField::plain("text", "The problem.", |finding| Cell::text(finding.text.as_str())),
    FindingField::plain("remedy", "The remedy.", |finding| Cell::text(finding.remedy.as_str())),
];
