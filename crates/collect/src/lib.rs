//! Reads the sources of `ttmem` and merges them into one [`ttmem_model::Snapshot`].
//!
//! The way of the data: a [`Root`] gives bytes, a [`source`] turns them into [`ttmem_model::facts`], and one pure
//! function, [`merge::merge`], turns facts into a snapshot. [`Collector`] goes the whole way.
//!
//! L1 has a way of its own: a [`port`] reads the L1 of worker cores, and [`l1`] decodes what stands in it. [`explain`] reads what TT-Metal says when memory runs out.

pub mod bank;
pub mod client;
pub mod clock;
pub mod collector;
pub mod demo;
pub mod doctor;
pub mod explain;
pub mod fake;
pub mod history;
pub mod l1;
mod listing;
pub mod merge;
pub mod port;
pub mod recorder;
pub mod root;
pub mod run_report;
pub mod series;
pub mod server;
pub mod source;
pub mod supply;
pub mod words;

pub use clock::Clock;
pub use collector::{Collector, L1Look};
pub use root::Root;
pub use source::l1::L1Request;
pub use supply::Supply;
