//! Fields of a source.

use ttmem_model::MissingReason;
use ttmem_model::snapshot::{Source, SourceStatus};

use super::Field;
use super::cell::{Cell, Number};
use super::metric::Attribute::Point;
use super::metric::{Sample, Scale, otel as o, prometheus as p};

/// A field of a source.
pub(crate) type SourceField = Field<for<'a> fn(&'a Source) -> Cell<'a>>;

/// Every field of a source, in the order of the outputs.
pub(crate) const FIELDS: &[SourceField] = &[
    SourceField::plain("name", "The name of the source.", |source| {
        Cell::text(source.name.as_str())
    })
    .labels("source")
    .attributes(&[Point("ttmem.source")]),
    SourceField::plain("status", "ok, denied, failed, absent or not-read.", |source| {
        Cell::text(source.status.as_str())
    }),
    SourceField::plain("up", "1 if it could be read, 0 if not.", up)
        .exported(Sample::of(&p::SOURCE_UP), Sample::of(&o::SOURCE_UP)),
    SourceField::plain("detail", "A summary of what was read, or the reason why not.", |source| {
        Cell::text(source.detail.as_str())
    }),
    SourceField::plain("cost_us", "The time that reading it took.", |source| {
        Cell::Number(Number::Whole(source.cost_us), None)
    })
    .unit("us")
    .in_prometheus(Sample::of(&p::SCRAPE_DURATION).scaled(Scale::Micro)),
];

/// Returns 1 for a source that could be read. A source that is absent or was not read is neither up nor down.
fn up(source: &Source) -> Cell<'_> {
    match source.status {
        SourceStatus::Ok => Cell::Number(Number::Whole(1), None),
        SourceStatus::Denied | SourceStatus::Failed => Cell::Number(Number::Whole(0), None),
        SourceStatus::Absent => Cell::Blank(MissingReason::NoSource, "this host has none"),
        SourceStatus::NotRead => Cell::Blank(MissingReason::NotRead, "it was not asked for"),
    }
}
