//! The `ttmem` command.
//!
//! - [`output`]: pure functions from a snapshot to text.

pub mod output;
