//! Quantities as users type them: sizes, intervals, moments and limits.

pub mod growth;
pub mod interval;
pub mod limit;
pub mod moment;
pub mod quantity;

pub use growth::GrowthLimits;
pub use interval::Interval;
pub use limit::{Limit, Scope};
pub use quantity::{Size, Span};
