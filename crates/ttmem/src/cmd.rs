//! The commands: each turns a request into output.

pub mod explain;
pub mod l1;
pub mod snapshot;
pub mod target;
pub mod text;
pub mod top;
