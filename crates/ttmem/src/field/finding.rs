//! Fields of a finding.

use ttmem_model::Finding;

use super::Field;
use super::cell::Cell;

/// A field of a finding.
pub(crate) type FindingField = Field<for<'a> fn(&'a Finding) -> Cell<'a>>;

/// Every field of a finding, in the order of the outputs.
pub(crate) const FIELDS: &[FindingField] = &[
    Field::plain("severity", "The severity: info, warning or error.", |finding| {
        Cell::text(finding.severity.as_str())
    }),
    Field::plain("id", "The stable name of the kind of finding.", |finding| {
        Cell::text(finding.id.as_str())
    }),
    Field::plain("chip", "The ASIC id of the chip that it is about.", |finding| {
        finding.chip.as_ref().map_or(Cell::None("none"), Cell::display)
    }),
    Field::plain("pid", "The process that it is about.", |finding| {
        finding.pid.as_ref().map_or(Cell::None("none"), Cell::display)
    }),
    Field::plain("text", "The problem.", |finding| Cell::text(finding.text.as_str())),
    Field::plain("remedy", "The remedy.", |finding| Cell::text(finding.remedy.as_str())),
];
