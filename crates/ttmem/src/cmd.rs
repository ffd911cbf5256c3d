//! The commands: each turns a request into output.

pub mod buffers;
pub mod diff;
pub mod doctor;
pub mod explain;
pub mod l1;
pub mod moment;
pub mod quantity;
pub mod record;
pub mod replay;
pub mod report;
pub mod run;
pub mod serve;
pub mod snapshot;
pub mod target;
pub mod text;
pub mod top;
