//! The commands: each turns a request into output.

pub mod snapshot;
pub mod target;
pub mod text;
