//! The memory messages of TT-Metal, its ops, its driver and its compilers, as types.

mod host;

use serde::Serialize;
use ttmem_model::Kind;

use super::cores::Cores;
use super::fixed::FixedLimit;

pub(crate) use host::{
    HostKilled, HostMemory, HugePageRegion, HugePages, LockWait, PinFailed, SysmemAddress,
    TlbWindows,
};

/// One message, with every number that it carries. Sizes are bytes; a number that was cut off or redacted is absent.
///
/// The field `kind` of its JSON is the variant's name in snake case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Message {
    /// `Statically allocated … in program … clash with L1 buffers on core range …`
    BuffersClash(BuffersClash),
    /// `Statically allocated … on core range … grow to … beyond max L1 size …`
    BuffersBeyondL1(BuffersBeyondL1),
    /// `Circular buffers on service-core range … clash with ServiceCoreManager-allocated L1 …` (0.76 and later)
    ServiceCoreClash(ServiceCoreClash),
    /// `Out of Memory: Not enough space to allocate …`
    OutOfMemory(OutOfMemory),
    /// `Out of Memory: Cannot allocate at an address below …`
    BelowLimit(BelowLimit),
    /// `Program size (…) too large for kernel config buffer (…)`
    ProgramTooLarge(ProgramTooLarge),
    /// `Creating trace buffers of size … but only … is allocated for trace region`
    TraceRegionFull(TraceRegionFull),
    /// `Trace buffer at address … overlaps with …` (0.76 and later)
    TraceOverlap(TraceOverlap),
    /// `Allocating device buffers is … unsafe due to the existence of an active trace`
    TraceAllocation,
    /// An op's own check of L1, in any wording: a need and a limit in bytes.
    OpLimit(OpLimit),
    /// A limit that no tensor has a part in.
    FixedLimit(FixedLimit),
    /// A circular buffer on a tensor's memory is larger than the tensor's share of a bank.
    BufferBeyondTensor(BufferBeyondTensor),
    /// A shard grid, or another core, that the chip does not have.
    ShardGrid(ShardGrid),
    /// `Number of shards along … must not exceed …`
    ShardCount(ShardCount),
    /// A program needs more semaphores than a core has for it.
    SemaphoreIds(SemaphoreIds),
    /// `Reserved size must be less than bank size`: `l1_small_size` leaves nothing of L1.
    ReservedTooLarge,
    /// An op needs a device that was opened with a smaller `worker_l1_size`.
    WorkerL1Size(WorkerL1Size),
    /// A kernel that does not link.
    KernelLink(KernelLink),
    /// `Sub-device … local L1 region … exceeds allocatable worker L1 limit …`
    SubDeviceRegion(SubDeviceRegion),
    /// `Persistent L1 arena is out of memory: cannot place …`
    PersistentL1(PersistentL1),
    /// `Allocating semaphores in L1, which may fragment L1 …`
    SemaphoresInL1,
    /// No address window of the driver is left.
    TlbWindows(TlbWindows),
    /// Host memory is mapped at another NOC address than the expected one.
    SysmemAddress(SysmemAddress),
    /// Host memory could not be pinned.
    PinFailed(PinFailed),
    /// A lock of the user-mode driver is waited for.
    LockWait(LockWait),
    /// Too few huge pages.
    HugePages(HugePages),
    /// `Hugepage auxiliary region exhausted: …` (0.72 and later)
    HugePageRegion(HugePageRegion),
    /// The process was killed by signal 9.
    HostKilled(HostKilled),
    /// The host refused an allocation of its own memory.
    HostMemory(HostMemory),
}

/// The buffers that a program placed at fixed addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StaticBuffers {
    /// Classic circular buffers.
    Circular,
    /// Dataflow buffers, which newer operations use instead (0.72 and later).
    Dataflow,
    /// One of the two: the message was cut before its name.
    Unnamed,
}

impl StaticBuffers {
    /// The name in running text.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Circular => "circular buffers",
            Self::Dataflow => "dataflow buffers",
            Self::Unnamed => "circular or dataflow buffers",
        }
    }

    /// True if both may be of one kind.
    pub(super) fn agrees(self, other: Self) -> bool {
        self == other || self == Self::Unnamed || other == Self::Unnamed
    }

    /// Returns the kind, or that of another print where this one does not name it.
    pub(super) fn or(self, other: Self) -> Self {
        if self == Self::Unnamed { other } else { self }
    }
}

/// A program's buffers overlap L1 buffers of the allocator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct BuffersClash {
    /// Kind of the program's buffers.
    pub(crate) buffers: StaticBuffers,
    /// TT-Metal's number of the program.
    pub(crate) program: Option<u64>,
    /// The cores where it happens.
    pub(crate) cores: Option<Cores>,
    /// Address of the lowest L1 buffer.
    pub(crate) l1_address: Option<u64>,
    /// Address just above the program's buffers.
    pub(crate) end: Option<u64>,
}

/// A program's buffers are larger than L1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BuffersBeyondL1 {
    /// Kind of the program's buffers.
    pub(crate) buffers: StaticBuffers,
    /// The cores where it happens.
    pub(crate) cores: Option<Cores>,
    /// Address just above the program's buffers, were they placed.
    pub(crate) end: Option<u64>,
    /// Size of a core's L1 in bytes.
    pub(crate) l1_size: Option<u64>,
}

/// A program's buffers overlap memory that a persistent service holds on a dispatch core.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ServiceCoreClash {
    /// TT-Metal's number of the program.
    pub(crate) program: Option<u64>,
    /// The cores where it happens.
    pub(crate) cores: Option<Cores>,
    /// Address of the lowest allocation of a service.
    pub(crate) service_address: Option<u64>,
    /// Address just above the program's circular buffers.
    pub(crate) end: Option<u64>,
}

/// The allocator found no range for a buffer. Every size but `requested` is of one bank.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct OutOfMemory {
    /// Bytes of the whole buffer.
    pub(crate) requested: Option<u64>,
    /// TT-Metal's name of the memory: `DRAM`, `L1`, `L1_SMALL`, `TRACE`; empty if it was cut off.
    pub(crate) memory: String,
    /// Banks that the buffer is spread over.
    pub(crate) banks: Option<u64>,
    /// Bytes that each bank has to hold. Where the message does not have them: `requested` / `banks`, rounded up, which
    /// is the least.
    pub(crate) per_bank: Option<u64>,
    /// True if `per_bank` is computed.
    pub(crate) per_bank_is_least: bool,
    /// Bytes of a bank that the allocator hands out (late 2025 and later).
    pub(crate) bank_size: Option<u64>,
    /// Bytes allocated (0.66 and later).
    pub(crate) allocated: Option<u64>,
    /// Bytes free (0.66 and later). Where only they were cut off: `bank_size` less `allocated`.
    pub(crate) free: Option<u64>,
    /// Bytes of the largest free block (0.66 and later).
    pub(crate) largest_free: Option<u64>,
    /// True if other allocators of the device were considered: `after considering dependencies`.
    pub(crate) dependencies: bool,
    /// Bytes where the buffer could be placed, and the largest range of them (0.80 and later, with dependencies).
    pub(crate) placeable: Option<Placeable>,
    /// True if the message ends before its last number.
    pub(crate) cut: bool,
}

/// Bytes of a bank that remain when the ranges of other allocators are subtracted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Placeable {
    /// Bytes in all.
    pub(crate) bytes: u64,
    /// Ranges that they are in.
    pub(crate) windows: u64,
    /// Bytes of the largest range.
    pub(crate) largest: u64,
}

impl OutOfMemory {
    /// What remained placeable. TT-Metal looks only into free blocks that are large enough: where there is none, its
    /// `0 B across 0 window(s)` says nothing of what is free.
    pub(crate) fn remaining(&self) -> Option<Placeable> {
        let has_block =
            self.largest_free.zip(self.per_bank).is_some_and(|(block, need)| block >= need);
        self.placeable.filter(|placeable| placeable.windows > 0 || has_block)
    }

    /// The kind of memory, if the name is one that `ttmem` knows.
    #[must_use]
    pub(crate) fn kind(&self) -> Option<Kind> {
        match self.memory.as_str() {
            "DRAM" => Some(Kind::Dram),
            "L1" => Some(Kind::L1),
            "L1_SMALL" => Some(Kind::L1Small),
            "TRACE" => Some(Kind::Trace),
            _ => None,
        }
    }

    /// Fills in what follows from the rest.
    pub(super) fn derived(mut self) -> Self {
        if self.per_bank.is_none()
            && let (Some(requested), Some(banks @ 1..)) = (self.requested, self.banks)
        {
            self.per_bank = Some(requested.div_ceil(banks));
            self.per_bank_is_least = true;
        }
        if self.free.is_none()
            && let (Some(size), Some(allocated)) = (self.bank_size, self.allocated)
        {
            self.free = size.checked_sub(allocated);
        }
        self
    }
}

/// A buffer would be below the address that its kind must stay above.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct BelowLimit {
    /// The lowest address that is allowed.
    pub(crate) limit: Option<u64>,
    /// The address that the allocator found.
    pub(crate) address: Option<u64>,
}

/// A program whose kernels and arguments do not fit in the kernel configuration ring.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct ProgramTooLarge {
    /// Bytes that the program needs.
    pub(crate) size: Option<u64>,
    /// Bytes of the ring.
    pub(crate) ring: Option<u64>,
    /// TT-Metal's name of the cores: `TENSIX`, `ACTIVE_ETH`, `IDLE_ETH`. Absent where the message was cut.
    pub(crate) processor: Option<String>,
    /// The parts of the program (0.81 and later, else empty).
    pub(crate) parts: Vec<ProgramPart>,
    /// The kernels of the largest group (0.81 and later, else empty).
    pub(crate) kernels: Vec<String>,
}

/// One line of the breakdown of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ProgramPart {
    /// Name of the part, such as `runtime args` or `trisc1`.
    pub(crate) name: String,
    /// Bytes of the part.
    pub(crate) bytes: u64,
}

/// The traces of a device are larger than its trace region. Both sizes are totals over all banks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct TraceRegionFull {
    /// Bytes of all live traces together, the new one included.
    pub(crate) needed: Option<u64>,
    /// Bytes of `trace_region_size`.
    pub(crate) region: Option<u64>,
    /// TT-Metal's number of the device or mesh.
    pub(crate) device: Option<u64>,
}

/// A trace without a region of its own would overlap what its commands use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct TraceOverlap {
    /// The buffers that it overlaps.
    pub(crate) activity: TraceActivity,
    /// Address that the trace was given.
    pub(crate) address: Option<u64>,
    /// The highest address that allocations reached.
    pub(crate) allocation_mark: Option<u64>,
    /// The highest address that freed buffers reached.
    pub(crate) deletion_mark: Option<u64>,
    /// The highest address that another live trace uses.
    pub(crate) live_trace_mark: Option<u64>,
}

/// The buffers that a trace overlaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TraceActivity {
    /// Buffers allocated during capture.
    Allocated,
    /// Buffers freed during capture.
    Deallocated,
    /// Both.
    Both,
    /// Buffers that another live trace uses.
    LiveTrace,
}

/// An op found that its buffers do not fit in a core's L1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct OpLimit {
    /// The op as the message or its source file names it.
    pub(crate) op: Option<String>,
    /// Bytes that it needs in each core.
    pub(crate) need: Option<u64>,
    /// Bytes that it may use in each core.
    pub(crate) limit: Option<u64>,
    /// True if the op continues, slower or in DRAM.
    pub(crate) is_warning: bool,
    /// The unit of the numbers.
    pub(crate) unit: OpUnit,
    /// True if the message ends within a number.
    pub(crate) cut: bool,
}

/// The unit of an op's check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OpUnit {
    /// Sizes in bytes.
    Bytes,
    /// Addresses: where the op's memory would end, and where it has to.
    Addresses,
    /// Sizes in bytes, of what one shard of a tensor has to hold and of the shard.
    Shard,
}

/// A circular buffer that is on a tensor would reach beyond it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct BufferBeyondTensor {
    /// Bytes of the circular or dataflow buffer.
    pub(crate) size: Option<u64>,
    /// Bytes of the tensor in each core.
    pub(crate) tensor: Option<u64>,
}

/// A shard grid larger than the chip's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct ShardGrid {
    /// The core that has no bank, column and row.
    pub(crate) core: Option<(u32, u32)>,
    /// Shards of the buffer.
    pub(crate) shards: Option<u64>,
    /// Banks of the device.
    pub(crate) banks: Option<u64>,
    /// `L1` or `DRAM`.
    pub(crate) memory: Option<String>,
    /// True if the message does not say that the core is one of a shard grid.
    pub(crate) is_core_grid: bool,
}

/// A tensor has more shards than its shard grid has cores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ShardCount {
    /// The dimension that is split: `height` or `width`.
    pub(crate) dimension: String,
    /// Shards along it.
    pub(crate) shards: Option<u64>,
    /// Cores, rows or columns of the shard grid.
    pub(crate) limit: Option<u64>,
    /// The unit of `limit`: `cores`, `rows` or `columns`.
    pub(crate) of: String,
}

/// The semaphores of a core are used up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct SemaphoreIds {
    /// The core, if it is named.
    pub(crate) cores: Option<Cores>,
    /// Semaphores that a program may have on a core.
    pub(crate) limit: Option<u64>,
}

/// The kernel configuration ring is too small for an op.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct WorkerL1Size {
    /// The op.
    pub(crate) op: Option<String>,
    /// The largest `worker_l1_size` that leaves the op enough.
    pub(crate) limit: Option<u64>,
    /// The first address that tensors may have.
    pub(crate) base: Option<u64>,
    /// The address that it has to be at least.
    pub(crate) needed: Option<u64>,
}

/// A kernel does not fit where the linker has to place it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct KernelLink {
    /// The processor: `brisc`, `ncrisc`, `trisc0` to `trisc2`, `erisc`; absent if the message does not have it.
    pub(crate) processor: Option<String>,
    /// The memory that is full.
    pub(crate) memory: KernelMemory,
    /// The linker's name of the region.
    pub(crate) region: Option<String>,
    /// Bytes over.
    pub(crate) over: Option<u64>,
}

/// The memory that a kernel does not fit in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KernelMemory {
    /// The processor's private data memory: variables and stack.
    LocalData,
    /// The memory of the processor's code.
    Code,
    /// Two sections of the kernel at one address.
    Overlap,
}

/// A sub-device's own L1 region leaves the L1 that can be allocated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct SubDeviceRegion {
    /// Number of the sub-device.
    pub(crate) sub_device: Option<u64>,
    /// First address of the region.
    pub(crate) start: Option<u64>,
    /// Address after the region.
    pub(crate) end: Option<u64>,
    /// Address that it has to end at.
    pub(crate) limit: Option<u64>,
}

/// A range of L1 that outlives programs could not be placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PersistentL1 {
    /// Bytes to place.
    pub(crate) bytes: Option<u64>,
    /// First address of the arena.
    pub(crate) start: Option<u64>,
    /// Address after the arena.
    pub(crate) end: Option<u64>,
}
