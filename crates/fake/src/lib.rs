//! Made-up hosts: every file of a host that `ttmem` reads, in memory.
//!
//! A [`Host`] combines boards, processes and memory regions into a [`Tree`](ttmem_root::Tree), which
//! [`Root::memory`](ttmem_root::Root::memory) reads and `Tree::write_to` puts on disk for `--root DIR`. Values are
//! plausible, not measured. Nothing here reads the clock: a fake host booted at [`BOOT`], and its time is [`NOW`].
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
pub(crate) use process::Cgroup;
pub use process::{Container, Process};
pub use region::{Region, Slot};
pub use variants::all as variants;

/// The boot time of a fake host: 20 October 2026, 06:15 UTC.
pub const BOOT: Timestamp = Timestamp(1_792_476_900_000_000);

/// The current time of a fake host: 2 November 2026, 09:30 UTC.
pub const NOW: Timestamp = Timestamp(1_793_611_800_000_000);

#[cfg(test)]
mod tests;
