//! Reads the sources of `ttmem` and merges them into one [`ttmem_model::Snapshot`].
//!
//! The way of the data: a [`Root`] gives bytes, a [`source`] turns them into [`ttmem_model::facts`], and one pure
//! function, [`merge::merge`], turns facts into a snapshot. [`Collector`] goes the whole way.

pub mod clock;
pub mod collector;
pub mod demo;
pub mod fake;
pub mod merge;
pub mod root;
pub mod source;

pub use clock::Clock;
pub use collector::Collector;
pub use root::Root;
