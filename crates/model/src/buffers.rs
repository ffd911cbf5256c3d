//! Live buffers one by one, as agents recorded them: what `ttmem buffers --json` prints.
//!
//! A buffer takes the same bytes at the same address in every bank of every chip of its allocator.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ttmem_segment::AllocatorRole;

use crate::id::{ChipId, NamesChip, Pid, Timestamp, settled};
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
/// - 2.2: `rank` and `job` of a process; the name of one that is gone.
/// - 2.3: `tensor` of a buffer, and why a process has none.
/// - 2.4: kinds whose region has no bytes; `programs`.
/// - 2.5: `id` of a chip is `null` if it is not known.
pub const VERSION: &str = "2.5";

/// The live buffers of a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BufferList {
    /// Always `ttmem/buffers`.
    pub schema: String,
    /// `major.minor` of the format.
    pub version: String,
    /// Time of the snapshot: microseconds since 1970, UTC.
    pub time_us: Timestamp,
    /// True for the embedded demonstration host.
    pub demo: bool,
    /// The processes with an agent, by number.
    pub processes: Vec<BufferOwner>,
    /// The allocators of all of them that are open, by process and number.
    pub allocators: Vec<AllocatorUse>,
    /// The buffers of all of them.
    pub buffers: Vec<LiveBuffer>,
    /// The programs that are resident in L1, by process, the last dispatched first; none of a recorded moment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<ResidentProgram>,
}

/// A process with an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BufferOwner {
    /// Process id; for an ended process, the number in the name of its segment.
    pub pid: Pid,
    /// Clock ticks between boot and its start.
    pub start_time: u64,
    /// Short name; empty if it is not known.
    pub name: String,
    /// User: the name, or the number where no name is known.
    pub user: Option<String>,
    /// Container or pod.
    pub container: Option<String>,
    /// State of the process.
    pub state: ProcessState,
    /// The file of its segment.
    pub segment: String,
    /// The version of TT-Metal, if the library contains it.
    pub tt_metal: Option<String>,
    /// The version of its agent.
    pub agent: String,
    /// True if every allocation and free was seen and is in the table.
    pub complete: bool,
    /// Buffers that the agent had no room to list. Sums contain them.
    pub unlisted: u64,
    /// The reason that buffers have no `stack`, where the agent records none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stacks_missing: Option<String>,
    /// The reason that buffers have no `tensor`, where the agent records none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tensors_missing: Option<String>,
    /// The reason that further programs may be resident, where the agent did not record all that ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub programs_missing: Option<String>,
    /// The reason that its buffers are not listed, where a recording does not tell of this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
    /// Rank in its job, or worker of pytest-xdist, if its agent found one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<String>,
    /// The number of its job, if its agent found one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
}

/// An allocator of a process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AllocatorUse {
    /// The process.
    pub pid: Pid,
    /// Number of the allocator in its process, from 1.
    pub number: u64,
    /// `mesh`, `device`, `sub-device`, `per-core` or `unknown`.
    #[serde(serialize_with = "write_role", deserialize_with = "read_role")]
    pub role: AllocatorRole,
    /// The chips that it allocates on: each has every buffer.
    #[serde(deserialize_with = "settled")]
    pub chips: Vec<ChipRef>,
    /// The kinds, those whose region has no bytes too; without those whose region TT-Metal has not told of.
    pub kinds: Vec<KindUse>,
}

fn write_role<S: Serializer>(role: &AllocatorRole, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(role.as_str())
}

fn read_role<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AllocatorRole, D::Error> {
    String::deserialize(deserializer).map(|name| AllocatorRole::from_name(&name))
}

/// A chip, by its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChipRef {
    /// ASIC id; `null` if it is not known.
    pub id: ChipId,
    /// Index of the chip on this host.
    pub index: u32,
}

impl NamesChip for ChipRef {
    fn settle(&mut self) {
        self.id = self.id.beside(self.index);
    }
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
    /// First address.
    pub address: u64,
    /// Length in bytes.
    pub bytes: u64,
}

/// A live buffer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveBuffer {
    /// The process.
    pub pid: Pid,
    /// The number of its allocator in [`BufferList::allocators`].
    pub allocator: u64,
    /// Address, the same in every bank.
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
    /// Quality of the op's name: `exact` as TT-Metal or the user gave it, or `inferred` from the code.
    pub op_quality: Option<String>,
    /// The calls of Python that allocated it, the innermost first, up to 32; empty if they are not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stack: Vec<StackFrame>,
    /// The tensor in it, if the agent knew it when it was allocated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tensor: Option<Tensor>,
}

/// Worker cores: column and row of the first and of the last.
pub type CoreRectangle = [[u16; 2]; 2];

/// A program whose placements are in L1 of some core: no other was dispatched there since.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResidentProgram {
    /// The process.
    pub pid: Pid,
    /// The chips.
    #[serde(deserialize_with = "settled")]
    pub chips: Vec<ChipRef>,
    /// TT-Metal's number of the program; `None` where it does not say.
    pub program: Option<u64>,
    /// The op that dispatched it first.
    pub op: Option<String>,
    /// Quality of the op's name: `exact` as TT-Metal or the user gave it, or `inferred` from the code.
    pub op_quality: Option<String>,
    /// Cores of a chip on which it is resident. Later programs may have others of its cores.
    pub cores: u64,
    /// All its cores, as rectangles that may overlap.
    pub core_ranges: Vec<CoreRectangle>,
    /// Dispatches so far.
    pub dispatches: u64,
    /// Microseconds between the last of them and the snapshot.
    pub age_us: u64,
    /// Bytes in the kernel config ring of a worker core, where TT-Metal publishes them.
    pub config_bytes: Option<u32>,
    /// Bytes of semaphores per core, where TT-Metal publishes them.
    pub semaphore_bytes: Option<u32>,
    /// Placements by address, then kernels.
    pub parts: Vec<ProgramPart>,
}

/// Something of a program on a rectangle of cores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramPart {
    /// `circular_buffer`, `dataflow_buffer`, `scratchpad` or `kernel`.
    pub kind: String,
    /// The name of a kernel, where TT-Metal publishes it.
    pub name: Option<String>,
    /// Address in L1; `None` for a kernel.
    pub address: Option<u64>,
    /// Bytes in each core: of a placement its range, of a kernel its text; `None` where TT-Metal does not publish them.
    pub bytes: Option<u64>,
    /// True if it is the memory of a tensor or a global circular buffer; `None` of a kernel.
    pub backed: Option<bool>,
    /// The cores.
    pub cores: CoreRectangle,
}

/// A tensor as ttnn describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tensor {
    /// Elements in each dimension, without what fills up tiles.
    pub shape: Vec<u32>,
    /// The data type, such as `bfloat16`; `None` for one of a later TT-Metal.
    pub data_type: Option<String>,
    /// `tile` or `row-major`; `None` for one of a later TT-Metal.
    pub layout: Option<String>,
}

impl fmt::Display for Tensor {
    /// Writes the shape as `[1, 1, 32, 32] bfloat16 tile`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.shape)?;
        for word in [&self.data_type, &self.layout].into_iter().flatten() {
            write!(formatter, " {word}")?;
        }
        Ok(())
    }
}

impl LiveBuffer {
    /// The call in the user's own code that allocated it.
    #[must_use]
    pub fn caller(&self) -> Option<&StackFrame> {
        caller(&self.stack)
    }
}
