//! The types of `ttmem`: the facts that sources deliver, the readings derived from them and the
//! [`Snapshot`] that every output shows.
//!
//! This crate does no I/O, knows no clock and starts no thread. Everything in it can be built in a test from
//! plain values.
//!
//! - [`reading`]: a number with its source and quality, or the reason that it is missing.
//! - [`facts`]: what the sources read, before anything is concluded from it.
//! - [`snapshot`]: what is shown, printed as JSON, sent and recorded.
//! - [`buffers`]: live buffers, one by one.
//! - [`stack`]: the calls of a program that led to an allocation.
//! - [`rank`]: the rank of a process in its job.
//! - [`l1`]: the layout of the L1 of worker cores.
//! - [`order`]: sorting by one piece of code.
//! - [`board`], [`kind`], [`id`]: the vocabulary.

pub mod board;
pub mod buffers;
pub mod facts;
pub mod finding;
pub mod id;
pub mod kind;
pub mod l1;
pub mod metric;
pub mod order;
mod pairs;
pub mod rank;
pub mod reading;
#[cfg(test)]
#[path = "snapshot/schema_tests.rs"]
mod schema_tests;
pub mod snapshot;
pub mod stack;
pub mod trace;
pub(crate) mod units;

pub use board::{Arch, Board};
pub use finding::{Finding, Severity};
pub use id::{ChipId, Pid, Timestamp};
pub use kind::{AllocatorKind, Kind, MemorySpace, PerKind};
pub use metric::Metric;
pub use reading::{Missing, MissingReason, Quality, Reading, SourceName};
pub use snapshot::Snapshot;
pub use units::Bytes;
