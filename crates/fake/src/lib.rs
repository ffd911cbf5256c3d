//! Hosts that are made up: every file that `ttmem` would read of one, in memory.
//!
//! A [`Host`] puts boards, processes and memory regions together and gives a [`Tree`](ttmem_root::Tree), which
//! [`Root::memory`](ttmem_root::Root::memory) reads and `Tree::write_to` puts on disk for `--root DIR`. Values are
//! plausible, not measured. Nothing here asks the clock: a fake host was switched on at [`BOOT`] and it is [`NOW`].
//!
//! ```
//! use ttmem_fake::Host;
//! use ttmem_root::Root;
//!
//! let root = Root::memory(Host::n150().into_tree());
//! assert_eq!(root.read_text("/sys/class/tenstorrent/tenstorrent!0/tt_card_type")?, "n150");
//! # Ok::<(), ttmem_root::RootError>(())
//! ```

mod device;
mod host;
mod process;
mod region;
pub mod segment;
pub mod variants;

use ttmem_model::id::Timestamp;

pub use device::{Board, Telemetry};
pub use host::{BYTES, Host, PID, healthy, region_path};
pub use process::{CONTAINER_ID, Cgroup, Container, POD_UID, Process, TICKS_PER_SECOND};
pub use region::{Region, Slot};
pub use variants::all as variants;

/// When a fake host was switched on: 20 October 2026, 06:15 UTC.
pub const BOOT: Timestamp = Timestamp(1_792_476_900_000_000);

/// What time it is on a fake host: 2 November 2026, 09:30 UTC.
pub const NOW: Timestamp = Timestamp(1_793_611_800_000_000);

#[cfg(test)]
mod tests;
