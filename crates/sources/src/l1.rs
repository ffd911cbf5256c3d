//! Reads the L1 of worker cores through a port and decodes it. Nothing here knows what kind of port it is.
//!
//! - [`Layout`]: where each field is, for the release of TT-Metal that wrote it.
//! - [`Reader`]: asks a port for as little as it takes and gives [`ttmem_model::l1::Core`]s.
//! - `dwarf`: a layout from the firmware's own debug information.
//! - `names`: the names of kernels, from Inspector's `kernels.yaml`.
//!
//! Every byte comes from a device that others write to while it is read. What cannot be true makes the core torn.

mod counted;
pub(crate) mod dwarf;
pub mod layout;
pub(crate) mod names;

mod fault;
mod field;
pub(crate) mod grid;
mod launch;
mod layout_table;
mod opening;
mod program;
mod reader;
#[cfg(test)]
mod tests;

pub use dwarf::DwarfError;
pub use layout::{Layout, LayoutError};
pub use layout_table::ROWS;
pub use reader::{Cost, OpenError, Reader};
