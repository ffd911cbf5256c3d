//! Live buffers one by one, as agents recorded them: what `ttmem buffers --json` prints.
//!
//! A buffer takes the same bytes at the same address in every bank of every chip of its allocator.

use serde::{Deserialize, Serialize};

use crate::id::{ChipId, Pid, Timestamp};
use crate::kind::Kind;
use crate::snapshot::ProcessState;
use crate::stack::{StackFrame, caller};

/// The name of the format.
pub const SCHEMA: &str = "ttmem/buffers";
/// The version of the format: a newer minor adds fields, a newer major breaks readers.
///
/// - 1.0: the first.
/// - 1.1: `size_per_bank`; for moments of a recording `unknown` of a process, and buffers without `age_us` and `thread`.
/// - 2.0: the process state `stale`, `left-behind` before.
/// - 2.1: `stack` of a buffer, and why a process has none.
pub const VERSION: &str = "2.1";

/// The live buffers of a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BufferList {
    /// Always `ttmem/buffers`.
    pub schema: String,
    /// `major.minor` of the format.
    pub version: String,
    /// When it was taken: microseconds since 1970, UTC.
    pub time_us: Timestamp,
    /// True for the embedded demonstration host.
    pub demo: bool,
    /// The processes with an agent, by number.
    pub processes: Vec<BufferOwner>,
    /// The allocators of all of them that are open, by process and number.
    pub allocators: Vec<AllocatorUse>,
    /// The buffers of all of them.
    pub buffers: Vec<LiveBuffer>,
}

/// A process with an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BufferOwner {
    /// Its number; of one that is gone the number in its segment's name.
    pub pid: Pid,
    /// Clock ticks between boot and its start.
    pub start_time: u64,
    /// Its short name; empty if it is gone.
    pub name: String,
    /// Its user.
    pub user: Option<String>,
    /// Its container.
    pub container: Option<String>,
    /// True if it runs.
    pub state: ProcessState,
    /// The file of its segment.
    pub segment: String,
    /// The version of TT-Metal, if the library tells.
    pub tt_metal: Option<String>,
    /// The version of its agent.
    pub agent: String,
    /// True if every allocation and free was seen and found its place.
    pub complete: bool,
    /// Buffers that the agent had no room to list. Sums contain them.
    pub unlisted: u64,
    /// The reason that buffers have no `stack`, where the agent records none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stacks_missing: Option<String>,
    /// The reason that its buffers are not listed, where a recording does not tell of this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

/// An allocator of a process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AllocatorUse {
    /// The process.
    pub pid: Pid,
    /// Its number in the process, from 1.
    pub number: u64,
    /// `mesh`, `device`, `sub-device` or `unknown`.
    pub role: String,
    /// The chips that it allocates on: each has every buffer.
    pub chips: Vec<ChipRef>,
    /// The kinds that it has a region for.
    pub kinds: Vec<KindUse>,
}

/// A chip, by its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChipRef {
    /// Its ASIC id.
    pub id: ChipId,
    /// Its number on this host.
    pub index: u32,
}

/// One kind of an allocator. Bytes are those of one bank.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KindUse {
    /// The kind.
    pub kind: Kind,
    /// Banks of a chip.
    pub banks: u64,
    /// Bytes of the live buffers.
    pub used_per_bank: u64,
    /// Number of the live buffers.
    pub buffers: u64,
    /// Bytes that TT-Metal's allocator can hand out, if it was asked.
    pub allocatable_per_bank: Option<u64>,
    /// Bytes of them that are free.
    pub free_per_bank: Option<u64>,
    /// Bytes of the largest free block.
    pub largest_free: Option<u64>,
    /// The layout of a bank, if that follows from the buffers and TT-Metal's figures.
    pub bank: Option<BankMap>,
}

/// The layout of every bank: the buffers, and the free blocks between them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BankMap {
    /// The first address that the allocator hands out.
    pub start: u64,
    /// The address after the last.
    pub end: u64,
    /// The free blocks, by address.
    pub free: Vec<Block>,
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Block {
    /// Its first address.
    pub address: u64,
    /// Its bytes.
    pub bytes: u64,
}

/// A live buffer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveBuffer {
    /// The process.
    pub pid: Pid,
    /// The number of its allocator in [`BufferList::allocators`].
    pub allocator: u64,
    /// Its address, the same in every bank.
    pub address: u64,
    /// Bytes that are set aside for it in every bank.
    pub bytes_per_bank: u64,
    /// Bytes of its pages in the fullest bank, as TT-Metal's list of buffers has them (`max_size_per_bank`): without
    /// what aligns each page and fills up the block.
    pub size_per_bank: u64,
    /// Banks of a chip.
    pub banks: u64,
    /// Bytes that it takes on each chip: in all banks.
    pub bytes: u64,
    /// Bytes that were asked for.
    pub requested: u64,
    /// Bytes of a page.
    pub page_bytes: u32,
    /// The kind.
    pub kind: Kind,
    /// `interleaved`, `single-bank`, `height-sharded`, `width-sharded`, `block-sharded`, `nd-sharded` or `unknown`.
    pub layout: String,
    /// `tensor`, `kernels` (binaries kept with the program cache) or `trace`.
    pub origin: String,
    /// Microseconds between its allocation and the snapshot; `None` where a recording knows only its end.
    pub age_us: Option<u64>,
    /// The thread that allocated it, as its process counts; `None` like the age.
    pub thread: Option<u32>,
    /// The current op, if the agent knew one.
    pub op: Option<String>,
    /// True if the op's name is what TT-Metal or the user said (`exact`) or concluded from the code (`inferred`).
    pub op_quality: Option<String>,
    /// The calls of Python that allocated it, the innermost first, up to 32; empty if they are not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stack: Vec<StackFrame>,
}

impl LiveBuffer {
    /// The call in the user's own code that allocated it.
    #[must_use]
    pub fn caller(&self) -> Option<&StackFrame> {
        caller(&self.stack)
    }
}
