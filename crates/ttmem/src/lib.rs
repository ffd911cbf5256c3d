//! The `ttmem` command.
//!
//! - [`field`]: the one table of what can be asked of a chip or a process.
//! - [`output`]: pure functions from a snapshot to text.

pub mod field;
pub mod output;
