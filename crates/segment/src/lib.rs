//! The segment: the file `/dev/shm/ttmem-<pid>-<start time>` that the agent writes inside the process it observes.
//!
//! The agent writes while others read, and dies with its process at any moment. So nothing in the file needs a lock or
//! a last word: every number that changes is one word, and every entry carries a checksum, by which a reader tells
//! whether what it copied belongs together. What was allocated when the process died can still be read.
//!
//! A reader copies the file with `read` (never maps it, for its owner may truncate it) and gives the bytes to
//! [`Reader::parse`]:
//!
//! ```
//! use ttmem_segment::{Reader, SegmentError};
//!
//! assert_eq!(Reader::parse(&[0; 8 << 20]), Err(SegmentError::NotReady));
//! ```
//!
//! - [`Segment`] and its parts: what a reader gets.
//! - [`Programs`] and its parts: what programs place in L1.
//! - [`layout`], [`head`], [`entry`], [`program`], [`owner`], [`name`], [`stack`], [`shape`]: what the agent writes, word by word.

mod contents;
pub mod entry;
mod file_name;
pub mod head;
mod hook;
mod identity;
pub mod layout;
pub mod name;
mod off;
pub mod order;
pub mod owner;
pub mod program;
mod programs;
mod reader;
mod settle;
pub mod shape;
pub mod stack;
#[cfg(test)]
mod tests;
mod vocabulary;

pub(crate) use contents::Losses;
pub use contents::{
    AccessorSet, Allocator, Buffer, Counts, Event, Failure, Footprint, Header, HookSet, KindUse,
    Op, Peak, Segment,
};
pub use file_name::parse_file_name;
pub use hook::{Accessor, Hook};
pub use identity::{Identity, Label};
pub use off::{Off, OffStep};
pub use owner::{Alignments, Chip, Statistics};
pub use program::CoreRange;
pub use programs::{Dispatch, Kernel, Placement, ProgramFootprint, Programs, Refusal, Resident};
pub use reader::{Reader, SegmentError};
pub use shape::Shape;
pub use stack::{Frame, Stack};
pub use vocabulary::{
    AgentState, AllocatorKind, AllocatorRole, BufferLayout, CoreType, DispatchKind, EventKind,
    NameSource, Origin, PartKind, RefusalKind, StackState,
};
