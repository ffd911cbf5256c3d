//! Quantities as users type them: sizes, intervals, moments and limits.

pub(crate) mod growth;
pub(crate) mod interval;
pub(crate) mod limit;
pub(crate) mod moment;
pub(crate) mod quantity;

pub(crate) use growth::GrowthLimits;
pub(crate) use interval::Interval;
pub(crate) use limit::{Limit, Scope};
pub(crate) use quantity::{Size, Span};
