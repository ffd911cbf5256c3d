//! What `ttmem` knows, as types: the facts that sources deliver, the readings derived from them and the
//! [`Snapshot`] that every output shows.
//!
//! This crate does no I/O, knows no clock and starts no thread. Everything in it can be built in a test from
//! plain values.
//!
//! - [`reading`]: a number with its source and quality, or a blank with its reason.
//! - [`facts`]: what the sources said, before anything is concluded from it.
//! - [`snapshot`]: what is shown, printed as JSON, sent and recorded.
//! - [`buffers`]: live buffers, one by one.
//! - [`l1`]: what lies where in the L1 of worker cores.
//! - [`recording`]: snapshots and events over time; [`wire`]: the same between a server and its clients.
//! - [`board`], [`kind`], [`id`]: the vocabulary.
//! - [`segment`]: the file that the agent writes. Without the feature `facts` it is all that there is.

#[cfg(feature = "facts")]
pub mod board;
#[cfg(feature = "facts")]
pub mod buffers;
#[cfg(feature = "facts")]
pub mod facts;
#[cfg(feature = "facts")]
pub mod finding;
#[cfg(feature = "facts")]
pub mod id;
#[cfg(feature = "facts")]
pub mod kind;
#[cfg(feature = "facts")]
pub mod l1;
#[cfg(feature = "facts")]
pub mod metric;
#[cfg(feature = "facts")]
pub mod reading;
#[cfg(feature = "facts")]
pub mod recording;
pub mod segment;
#[cfg(feature = "facts")]
pub mod snapshot;
pub mod units;
#[cfg(feature = "facts")]
pub mod wire;

#[cfg(feature = "facts")]
pub use board::{Arch, Board};
#[cfg(feature = "facts")]
pub use finding::{Finding, Severity};
#[cfg(feature = "facts")]
pub use id::{ChipId, Pid, Timestamp};
#[cfg(feature = "facts")]
pub use kind::{Kind, Region};
#[cfg(feature = "facts")]
pub use metric::Metric;
#[cfg(feature = "facts")]
pub use reading::{Missing, MissingReason, Quality, Reading, SourceName};
#[cfg(feature = "facts")]
pub use snapshot::Snapshot;
pub use units::Bytes;
