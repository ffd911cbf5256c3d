//! Fields of a source.

use ttmem_model::snapshot::Source;

use super::Field;
use super::cell::{Cell, Number};

/// A field of a source.
pub(crate) type SourceField = Field<for<'a> fn(&'a Source) -> Cell<'a>>;

/// Every field of a source, in the order of the outputs.
pub(crate) const FIELDS: &[SourceField] = &[
    Field::plain("name", "The name of the source.", |source| Cell::text(source.name.as_str())),
    Field::plain("status", "ok, denied, failed, absent or not-read.", |source| {
        Cell::text(source.status.as_str())
    }),
    Field::plain("detail", "What was read, or the reason why not.", |source| {
        Cell::text(source.detail.as_str())
    }),
    Field::with_unit("cost_us", "us", "The time that reading it took.", |source| {
        Cell::Number(Number::Whole(source.cost_us), None)
    }),
];
