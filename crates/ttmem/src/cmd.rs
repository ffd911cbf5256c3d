//! The commands: each turns a request into output.

pub mod diff;
pub mod explain;
pub mod l1;
pub mod moment;
pub mod quantity;
pub mod record;
pub mod replay;
pub mod serve;
pub mod snapshot;
pub mod target;
pub mod text;
pub mod top;
