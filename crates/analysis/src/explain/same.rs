//! Prints of one message: logs, exceptions and ranks repeat it, and each may have lost another part.

use super::cores::Cores;
use super::fixed::Fixed;
use super::message::{Message, OutOfMemory, StaticBuffers};

impl Message {
    /// True if both are one message: the numbers that both have are equal.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        fn agree<T: PartialEq>(left: Option<&T>, right: Option<&T>) -> bool {
            left.is_none() || right.is_none() || left == right
        }
        match (self, other) {
            (Self::ProgramTooLarge(left), Self::ProgramTooLarge(right)) => {
                agree(left.size.as_ref(), right.size.as_ref())
                    && agree(left.ring.as_ref(), right.ring.as_ref())
                    && left.processor.as_deref().zip(right.processor.as_deref()).is_none_or(
                        // A terminal may have broken the name.
                        |(left, right)| left.starts_with(right) || right.starts_with(left),
                    )
            }
            (Self::OutOfMemory(left), Self::OutOfMemory(right)) => {
                let sizes = |memory: &OutOfMemory| {
                    [
                        memory.requested,
                        memory.banks,
                        memory.per_bank,
                        memory.bank_size,
                        memory.allocated,
                        memory.free,
                        memory.largest_free,
                    ]
                };
                left.dependencies == right.dependencies
                    && (left.memory == right.memory
                        || left.memory.is_empty()
                        || right.memory.is_empty())
                    && sizes(left)
                        .iter()
                        .zip(&sizes(right))
                        .all(|(left, right)| agree(left.as_ref(), right.as_ref()))
            }
            (Self::BuffersClash(left), Self::BuffersClash(right)) => {
                left.buffers.agrees(right.buffers)
                    && agree(left.program.as_ref(), right.program.as_ref())
                    && agree(left.cores.as_ref(), right.cores.as_ref())
                    && agree(left.l1_address.as_ref(), right.l1_address.as_ref())
                    && agree(left.end.as_ref(), right.end.as_ref())
            }
            (Self::BuffersBeyondL1(left), Self::BuffersBeyondL1(right)) => {
                left.buffers.agrees(right.buffers)
                    && agree(left.cores.as_ref(), right.cores.as_ref())
                    && agree(left.end.as_ref(), right.end.as_ref())
                    && agree(left.l1_size.as_ref(), right.l1_size.as_ref())
            }
            (Self::TraceRegionFull(left), Self::TraceRegionFull(right)) => {
                agree(left.needed.as_ref(), right.needed.as_ref())
                    && agree(left.region.as_ref(), right.region.as_ref())
                    && agree(left.device.as_ref(), right.device.as_ref())
            }
            (Self::ShardGrid(left), Self::ShardGrid(right)) => {
                left.is_core_grid == right.is_core_grid
                    && agree(left.core.as_ref(), right.core.as_ref())
                    && agree(left.shards.as_ref(), right.shards.as_ref())
                    && agree(left.banks.as_ref(), right.banks.as_ref())
                    && agree(left.memory.as_ref(), right.memory.as_ref())
            }
            (Self::TlbWindows(left), Self::TlbWindows(right)) => {
                agree(left.device.as_ref(), right.device.as_ref())
                    && agree(left.size.as_ref(), right.size.as_ref())
            }
            (Self::KernelLink(left), Self::KernelLink(right)) => {
                left.memory == right.memory
                    && agree(left.processor.as_ref(), right.processor.as_ref())
            }
            (Self::OpLimit(left), Self::OpLimit(right)) => {
                // A log names the op, an exception its source file.
                let has_numbers = left.need.is_some() || left.limit.is_some();
                let is_cut = left.cut || right.cut;
                let is_equal = |left: Option<u64>, right: Option<u64>| {
                    left == right || is_cut && agree(left.as_ref(), right.as_ref())
                };
                is_equal(left.need, right.need)
                    && is_equal(left.limit, right.limit)
                    && left.is_warning == right.is_warning
                    && (has_numbers || agree(left.op.as_ref(), right.op.as_ref()))
            }
            (Self::HostKilled(left), Self::HostKilled(right)) => {
                agree(left.pid.as_ref(), right.pid.as_ref())
                    && agree(left.killer.as_ref(), right.killer.as_ref())
            }
            _ => self == other,
        }
    }

    /// Takes from another print of the same message what this one does not have.
    pub(super) fn complete(&mut self, other: Self) {
        match (self, other) {
            (Self::ProgramTooLarge(left), Self::ProgramTooLarge(right)) => {
                left.size = left.size.or(right.size);
                left.ring = left.ring.or(right.ring);
                left.processor = left.processor.take().max(right.processor);
                if left.parts.is_empty() {
                    left.parts = right.parts;
                    left.kernels = right.kernels;
                }
            }
            (Self::OutOfMemory(left), Self::OutOfMemory(right)) if left.cut || !right.cut => {
                let old = std::mem::take(left);
                *left = OutOfMemory {
                    requested: old.requested.or(right.requested),
                    memory: if old.memory.is_empty() { right.memory } else { old.memory },
                    banks: old.banks.or(right.banks),
                    per_bank: old.per_bank.or(right.per_bank),
                    per_bank_is_least: old.per_bank_is_least && right.per_bank_is_least,
                    bank_size: old.bank_size.or(right.bank_size),
                    allocated: old.allocated.or(right.allocated),
                    free: old.free.or(right.free),
                    largest_free: old.largest_free.or(right.largest_free),
                    dependencies: old.dependencies,
                    placeable: old.placeable.or(right.placeable),
                    cut: old.cut && right.cut,
                };
            }
            (Self::BuffersClash(left), Self::BuffersClash(right)) => {
                left.buffers = left.buffers.or(right.buffers);
                left.program = left.program.or(right.program);
                left.cores = left.cores.take().or(right.cores);
                left.l1_address = left.l1_address.or(right.l1_address);
                left.end = left.end.or(right.end);
            }
            (Self::BuffersBeyondL1(left), Self::BuffersBeyondL1(right)) => {
                left.buffers = left.buffers.or(right.buffers);
                left.cores = left.cores.take().or(right.cores);
                left.end = left.end.or(right.end);
                left.l1_size = left.l1_size.or(right.l1_size);
            }
            (Self::TraceRegionFull(left), Self::TraceRegionFull(right)) => {
                left.needed = left.needed.or(right.needed);
                left.region = left.region.or(right.region);
                left.device = left.device.or(right.device);
            }
            (Self::ShardGrid(left), Self::ShardGrid(right)) => {
                left.core = left.core.or(right.core);
                left.shards = left.shards.or(right.shards);
                left.banks = left.banks.or(right.banks);
                left.memory = left.memory.take().or(right.memory);
            }
            (Self::TlbWindows(left), Self::TlbWindows(right)) => {
                left.device = left.device.or(right.device);
                left.size = left.size.or(right.size);
                left.error = left.error.or(right.error);
            }
            (Self::KernelLink(left), Self::KernelLink(right)) => {
                left.processor = left.processor.take().or(right.processor);
                left.region = left.region.take().or(right.region);
                left.over = left.over.or(right.over);
            }
            (Self::OpLimit(left), Self::OpLimit(right)) => {
                left.op = left.op.take().or(right.op);
                left.need = left.need.or(right.need);
                left.limit = left.limit.or(right.limit);
                left.cut &= right.cut;
            }
            (Self::HostKilled(left), Self::HostKilled(right)) => {
                left.by_oom_killer |= right.by_oom_killer;
                left.killer = left.killer.or(right.killer);
                left.pid = left.pid.or(right.pid);
            }
            _ => {}
        }
    }

    /// The cores that the message names.
    #[must_use]
    pub(crate) fn cores(&self) -> Option<&Cores> {
        match self {
            Self::BuffersClash(clash) => clash.cores.as_ref(),
            Self::BuffersBeyondL1(beyond) => beyond.cores.as_ref(),
            Self::ServiceCoreClash(clash) => clash.cores.as_ref(),
            _ => None,
        }
    }

    /// True if the message ends before its last number, or a number of it is redacted.
    pub(super) fn is_cut(&self) -> bool {
        match self {
            Self::OutOfMemory(memory) => memory.cut,
            Self::BuffersClash(clash) => {
                clash.l1_address.is_none() || clash.end.is_none() || clash.program.is_none()
            }
            Self::BuffersBeyondL1(beyond) => {
                beyond.end.is_none()
                    || beyond.l1_size.is_none()
                    || beyond.buffers == StaticBuffers::Unnamed
            }
            Self::ServiceCoreClash(clash) => clash.service_address.is_none() || clash.end.is_none(),
            Self::BelowLimit(limit) => limit.limit.is_none() || limit.address.is_none(),
            Self::ProgramTooLarge(program) => program.size.is_none() || program.ring.is_none(),
            Self::TraceRegionFull(trace) => trace.needed.is_none() != trace.region.is_none(),
            Self::TraceOverlap(trace) => {
                let marks = [trace.allocation_mark, trace.deletion_mark, trace.live_trace_mark];
                trace.address.is_none() || marks.iter().all(Option::is_none)
            }
            Self::BufferBeyondTensor(buffer) => buffer.size.is_none() || buffer.tensor.is_none(),
            Self::SubDeviceRegion(region) => region.end.is_none() || region.limit.is_none(),
            Self::OpLimit(limit) => limit.cut,
            Self::FixedLimit(limit) => match limit.what {
                Fixed::DramOutput | Fixed::SubDeviceSwitch | Fixed::SharedFile => false,
                // Some of its messages name the room alone, or nothing.
                Fixed::FabricChannels if limit.need.is_none() => false,
                Fixed::KvCache => limit.need.is_none() && limit.limit.is_some(),
                _ => limit.need.is_none() || limit.limit.is_none(),
            },
            _ => false,
        }
    }

    /// True if the message has every number that its newest wording has, so that no other reading of its lines has more.
    pub(super) fn is_whole(&self) -> bool {
        !self.is_cut()
            && match self {
                Self::OutOfMemory(memory) => {
                    memory.largest_free.is_some()
                        && (!memory.dependencies || memory.placeable.is_some())
                }
                Self::BuffersClash(clash) => clash.cores.is_some(),
                Self::BuffersBeyondL1(beyond) => beyond.cores.is_some(),
                Self::ProgramTooLarge(program) => program.processor.is_some(),
                Self::TraceRegionFull(trace) => trace.device.is_some(),
                Self::OpLimit(limit) => limit.need.is_some() && limit.limit.is_some(),
                Self::ShardGrid(grid) => grid.banks.is_some(),
                Self::TlbWindows(windows) => windows.device.is_some() && windows.error.is_some(),
                Self::KernelLink(link) => link.over.is_some(),
                Self::BufferBeyondTensor(_) | Self::TraceAllocation | Self::SemaphoresInL1 => true,
                _ => false,
            }
    }

    /// True for an error, false for a warning.
    pub(super) fn is_error(&self) -> bool {
        match self {
            Self::OpLimit(limit) => !limit.is_warning,
            Self::FixedLimit(limit) => limit.what != Fixed::DramOutput,
            Self::TraceAllocation | Self::SemaphoresInL1 | Self::LockWait(_) => false,
            _ => true,
        }
    }
}
