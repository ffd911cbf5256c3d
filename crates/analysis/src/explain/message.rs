//! The messages of TT-Metal that are understood, as types.

use serde::Serialize;
use ttmem_model::Kind;

use super::cores::Cores;

/// One message, with every number that it carries.
///
/// In JSON the field `kind` tells which: `buffers_clash`, `buffers_beyond_l1`, `service_core_clash`, `out_of_memory`,
/// `below_limit` or `program_too_large`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Message {
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
}

/// Which buffers a program placed at fixed addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StaticBuffers {
    /// Classic circular buffers.
    Circular,
    /// Dataflow buffers, which newer operations use instead (0.72 and later).
    Dataflow,
}

impl StaticBuffers {
    /// The name in running text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Circular => "circular buffers",
            Self::Dataflow => "dataflow buffers",
        }
    }
}

/// A program's buffers reach into the L1 buffers of the allocator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BuffersClash {
    /// Which of the program's buffers.
    pub buffers: StaticBuffers,
    /// TT-Metal's number of the program.
    pub program: u64,
    /// The cores where it happens.
    pub cores: Cores,
    /// Address of the lowest L1 buffer.
    pub l1_address: u64,
    /// Address just above the program's buffers.
    pub end: u64,
}

/// A program's buffers are larger than L1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BuffersBeyondL1 {
    /// Which of the program's buffers.
    pub buffers: StaticBuffers,
    /// The cores where it happens.
    pub cores: Cores,
    /// Address just above the program's buffers, were they placed.
    pub end: u64,
    /// Size of a core's L1 in bytes.
    pub l1_size: u64,
}

/// A program's buffers reach into memory that a persistent service holds on a dispatch core.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServiceCoreClash {
    /// TT-Metal's number of the program.
    pub program: u64,
    /// The cores where it happens.
    pub cores: Cores,
    /// Address of the lowest allocation of a service.
    pub service_address: u64,
    /// Address just above the program's circular buffers.
    pub end: u64,
}

/// The allocator found no place for a buffer. Every number but `requested` is of one bank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutOfMemory {
    /// Bytes of the whole buffer.
    pub requested: u64,
    /// TT-Metal's name of the memory: `DRAM`, `L1`, `L1_SMALL`, `TRACE`.
    pub memory: String,
    /// Banks that the buffer is spread over.
    pub banks: u64,
    /// Bytes that each bank has to hold.
    pub per_bank: u64,
    /// Bytes of a bank that the allocator hands out (late 2025 and later).
    pub bank_size: Option<u64>,
    /// Bytes allocated (0.66 and later).
    pub allocated: Option<u64>,
    /// Bytes free (0.66 and later).
    pub free: Option<u64>,
    /// Bytes of the largest free block (0.66 and later).
    pub largest_free: Option<u64>,
    /// True if other allocators of the device had a say: `after considering dependencies`.
    pub dependencies: bool,
}

impl OutOfMemory {
    /// The kind of memory, if the name is one that `ttmem` knows.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        match self.memory.as_str() {
            "DRAM" => Some(Kind::Dram),
            "L1" => Some(Kind::L1),
            "L1_SMALL" => Some(Kind::L1Small),
            "TRACE" => Some(Kind::Trace),
            _ => None,
        }
    }
}

/// A buffer would be below the address that its kind must stay above.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BelowLimit {
    /// The lowest address that is allowed.
    pub limit: u64,
    /// The address that the allocator found.
    pub address: u64,
}

/// The needs of a program on each core at launch exceed the kernel configuration ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProgramTooLarge {
    /// Bytes that the program needs.
    pub size: u64,
    /// Bytes of the ring.
    pub ring: u64,
    /// TT-Metal's name of the cores: `TENSIX`, `ACTIVE_ETH`, `IDLE_ETH`. Absent where the message was cut.
    pub processor: Option<String>,
    /// The parts of the program (0.81 and later, else empty).
    pub parts: Vec<ProgramPart>,
    /// The kernels of the largest group (0.81 and later, else empty).
    pub kernels: Vec<String>,
}

/// One line of the breakdown of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProgramPart {
    /// Its name, such as `runtime args` or `trisc1`.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
}

impl Message {
    /// True if both are the same message, though one of them may have lost its breakdown.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::ProgramTooLarge(left), Self::ProgramTooLarge(right)) => {
                (left.size, left.ring, &left.processor)
                    == (right.size, right.ring, &right.processor)
            }
            _ => self == other,
        }
    }

    /// Takes from another print of the same message what this one does not have.
    pub(super) fn complete(&mut self, other: Self) {
        if let (Self::ProgramTooLarge(left), Self::ProgramTooLarge(right)) = (self, other)
            && left.parts.is_empty()
        {
            left.parts = right.parts;
            left.kernels = right.kernels;
        }
    }

    /// The cores that the message names.
    #[must_use]
    pub fn cores(&self) -> Option<&Cores> {
        match self {
            Self::BuffersClash(clash) => Some(&clash.cores),
            Self::BuffersBeyondL1(beyond) => Some(&beyond.cores),
            Self::ServiceCoreClash(clash) => Some(&clash.cores),
            Self::OutOfMemory(_) | Self::BelowLimit(_) | Self::ProgramTooLarge(_) => None,
        }
    }
}
