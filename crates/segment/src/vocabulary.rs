//! The enumerations of a segment. Their numbers are part of the format: new ones are added, none is changed.

/// The region of the allocator that contains a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[repr(u8)]
pub enum AllocatorKind {
    /// DRAM.
    Dram = 0,
    /// L1.
    L1 = 1,
    /// The part of L1 that `l1_small_size` sets aside.
    L1Small = 2,
    /// The part of DRAM that `trace_region_size` sets aside.
    Trace = 3,
}

impl AllocatorKind {
    /// All of them, by number.
    pub const ALL: [Self; 4] = [Self::Dram, Self::L1, Self::L1Small, Self::Trace];

    #[inline]
    pub(super) fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::Dram,
            1 => Self::L1,
            2 => Self::L1Small,
            _ => Self::Trace,
        }
    }

    /// Returns the name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dram => "dram",
            Self::L1 => "l1",
            Self::L1Small => "l1_small",
            Self::Trace => "trace",
        }
    }
}

/// The origin of the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[repr(u8)]
pub enum Origin {
    /// A tensor, or anything that the agent does not tell apart.
    Plain = 0,
    /// Kernel binaries of a workload, kept with the program cache.
    Kernels = 1,
    /// A captured trace.
    Trace = 2,
}

impl Origin {
    #[inline]
    pub(super) fn from_bits(bits: u8) -> Self {
        match bits {
            1 => Self::Kernels,
            2 => Self::Trace,
            _ => Self::Plain,
        }
    }
}

/// The layout of a buffer over banks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[repr(u8)]
pub enum BufferLayout {
    /// Page by page over all banks.
    Interleaved = 0,
    /// All of it in one bank.
    SingleBank = 1,
    /// Whole rows to each core.
    HeightSharded = 2,
    /// Whole columns to each core.
    WidthSharded = 3,
    /// A block to each core.
    BlockSharded = 4,
    /// Shards of any number of dimensions.
    NdSharded = 5,
    /// TT-Metal does not tell, or tells something new.
    Unknown = 7,
}

impl BufferLayout {
    /// The layout with TT-Metal's number.
    #[must_use]
    #[inline]
    pub fn from_number(number: u32) -> Self {
        match number {
            0 => Self::Interleaved,
            1 => Self::SingleBank,
            2 => Self::HeightSharded,
            3 => Self::WidthSharded,
            4 => Self::BlockSharded,
            5 => Self::NdSharded,
            _ => Self::Unknown,
        }
    }

    #[inline]
    pub(super) fn from_bits(bits: u8) -> Self {
        Self::from_number(u32::from(bits & 7))
    }
}

/// The type of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum EventKind {
    /// A buffer was allocated.
    Allocate = 1,
    /// A buffer was freed.
    Free = 2,
    /// An allocation failed.
    Failure = 3,
    /// All buffers of an allocator were dropped at once.
    MassFree = 4,
    /// An allocator was seen for the first time.
    AllocatorSeen = 5,
    /// An allocator was destroyed.
    AllocatorDestroyed = 6,
    /// A device was opened.
    DeviceOpened = 7,
    /// A device was closed.
    DeviceClosed = 8,
    /// A mesh was opened.
    MeshOpened = 9,
    /// A mesh was closed.
    MeshClosed = 10,
    /// The peaks were reset.
    PeakReset = 11,
}

impl EventKind {
    pub(super) fn from_number(number: u8) -> Option<Self> {
        const ALL: [EventKind; 11] = [
            EventKind::Allocate,
            EventKind::Free,
            EventKind::Failure,
            EventKind::MassFree,
            EventKind::AllocatorSeen,
            EventKind::AllocatorDestroyed,
            EventKind::DeviceOpened,
            EventKind::DeviceClosed,
            EventKind::MeshOpened,
            EventKind::MeshClosed,
            EventKind::PeakReset,
        ];
        ALL.get(usize::from(number).checked_sub(1)?).copied()
    }
}

/// The type of a part of a program's footprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[repr(u8)]
pub enum PartKind {
    /// A circular buffer.
    CircularBuffer = 1,
    /// A dataflow buffer: in L1 the same as a circular buffer.
    DataflowBuffer = 2,
    /// A scratchpad.
    Scratchpad = 3,
    /// A kernel.
    Kernel = 4,
}

impl PartKind {
    pub(super) fn from_number(number: u8) -> Option<Self> {
        const ALL: [PartKind; 4] = [
            PartKind::CircularBuffer,
            PartKind::DataflowBuffer,
            PartKind::Scratchpad,
            PartKind::Kernel,
        ];
        ALL.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// The name in messages and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CircularBuffer => "circular_buffer",
            Self::DataflowBuffer => "dataflow_buffer",
            Self::Scratchpad => "scratchpad",
            Self::Kernel => "kernel",
        }
    }

    /// The name in texts.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::CircularBuffer => "circular buffer",
            Self::DataflowBuffer => "dataflow buffer",
            Self::Scratchpad => "scratchpad",
            Self::Kernel => "kernel",
        }
    }
}

/// The type of work in a command queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[repr(u8)]
pub enum DispatchKind {
    /// A program, which runs.
    Program = 1,
    /// A program, which a trace captures: it runs when the trace is replayed.
    Captured = 2,
    /// A replay of a trace.
    Replay = 3,
}

impl DispatchKind {
    pub(super) fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Program),
            2 => Some(Self::Captured),
            3 => Some(Self::Replay),
            _ => None,
        }
    }
}

/// The reason that TT-Metal refused a program or a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RefusalKind {
    /// The program's circular buffers or dataflow buffers end above the lowest L1 buffer: "clash with L1 buffers".
    Clash = 1,
    /// The program's circular buffers or dataflow buffers end beyond L1: "grow to ... beyond max L1 size".
    BeyondL1 = 2,
    /// The program's kernels and arguments do not fit in the ring: "too large for kernel config buffer".
    ConfigTooLarge = 3,
    /// A trace needs more than `trace_region_size`.
    TraceTooLarge = 4,
    /// TT-Metal refused it for a reason that the agent does not recognize.
    Other = 5,
}

impl RefusalKind {
    pub(super) fn from_number(number: u8) -> Option<Self> {
        const ALL: [RefusalKind; 5] = [
            RefusalKind::Clash,
            RefusalKind::BeyondL1,
            RefusalKind::ConfigTooLarge,
            RefusalKind::TraceTooLarge,
            RefusalKind::Other,
        ];
        ALL.get(usize::from(number).checked_sub(1)?).copied()
    }
}

/// A type of programmable core, by TT-Metal's numbers (`HalProgrammableCoreType`, 0.66 to 0.81.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CoreType {
    /// A worker core: `TENSIX`.
    Worker = 0,
    /// An Ethernet core with a link: `ACTIVE_ETH`.
    ActiveEthernet = 1,
    /// An Ethernet core without a link: `IDLE_ETH`.
    IdleEthernet = 2,
}

impl CoreType {
    /// Returns the type with a number.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        [Self::Worker, Self::ActiveEthernet, Self::IdleEthernet]
            .into_iter()
            .find(|it| *it as u64 == number)
    }

    /// Returns the name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::ActiveEthernet => "active_ethernet",
            Self::IdleEthernet => "idle_ethernet",
        }
    }

    /// Returns TT-Metal's name in messages.
    #[must_use]
    pub fn metal_name(self) -> &'static str {
        match self {
            Self::Worker => "TENSIX",
            Self::ActiveEthernet => "ACTIVE_ETH",
            Self::IdleEthernet => "IDLE_ETH",
        }
    }
}

/// The role of an allocator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[repr(u8)]
pub enum AllocatorRole {
    /// Role that could not be determined.
    Unknown = 0,
    /// One device.
    Device = 1,
    /// A mesh: what it allocates, it takes on every member chip.
    Mesh = 2,
    /// The cores of one sub-device of a mesh.
    SubDevice = 3,
    /// Buffers in the L1 of some cores of a device, in the hybrid allocator mode of TT-Metal: one allocator for each number
    /// of cores, with as many banks.
    PerCore = 4,
}

impl AllocatorRole {
    pub(super) fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Device,
            2 => Self::Mesh,
            3 => Self::SubDevice,
            4 => Self::PerCore,
            _ => Self::Unknown,
        }
    }

    const NAMES: [(Self, &'static str); 5] = [
        (Self::Unknown, "unknown"),
        (Self::Device, "device"),
        (Self::Mesh, "mesh"),
        (Self::SubDevice, "sub-device"),
        (Self::PerCore, "per-core"),
    ];

    /// Returns the name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::NAMES[self as usize].1
    }

    /// Returns the role of a name; unknown for that of a later version.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        let found = Self::NAMES.iter().find(|(_, own)| *own == name);
        found.map_or(Self::Unknown, |(role, _)| *role)
    }

    /// True if each buffer takes its bytes in all banks of the chip.
    #[must_use]
    pub fn has_all_banks(self) -> bool {
        !matches!(self, Self::SubDevice | Self::PerCore)
    }
}

/// Origin of a name, and so how far it can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[repr(u8)]
pub enum NameSource {
    /// TT-Metal's own allocation context: exact.
    Context = 1,
    /// The user's label: exact.
    Label = 2,
    /// The op whose code was entered last: inferred.
    CallSite = 3,
}

impl NameSource {
    pub(super) fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Context),
            2 => Some(Self::Label),
            3 => Some(Self::CallSite),
            _ => None,
        }
    }
}

/// The state of the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[repr(u8)]
pub enum AgentState {
    /// The agent records. For a process that has ended: a signal ended it, or an `_exit` that the agent does not see.
    Recording = 1,
    /// The process came to its end by itself.
    Exited = 2,
    /// The agent found a defect in itself and switched itself off: nothing after that is known.
    Off = 3,
    /// The process called `_exit`, as workers of pytest-xdist and multiprocessing do (since 2.1). None of its exit
    /// handlers ran.
    Left = 4,
}

impl AgentState {
    pub(super) fn from_number(number: u64) -> Option<Self> {
        match number {
            1 => Some(Self::Recording),
            2 => Some(Self::Exited),
            3 => Some(Self::Off),
            4 => Some(Self::Left),
            _ => None,
        }
    }

    /// True if the process has come to its end by itself.
    #[must_use]
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Exited | Self::Left)
    }
}

/// State of the recording of stacks of allocations, with the reason if they are not recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[repr(u8)]
pub enum StackState {
    /// Nothing was allocated yet, or the segment is older than 2.0.
    #[default]
    Unknown = 0,
    /// Stacks are recorded.
    Recorded = 1,
    /// The user does not want them.
    Off = 2,
    /// The process has no Python interpreter.
    NoInterpreter = 3,
    /// The agent does not support the frames of this version of the interpreter.
    UnknownVersion = 4,
    /// The interpreter's frames do not match its version: no frame is read any more.
    Unreadable = 5,
}

impl StackState {
    pub(super) fn from_number(number: u64) -> Self {
        match number {
            1 => Self::Recorded,
            2 => Self::Off,
            3 => Self::NoInterpreter,
            4 => Self::UnknownVersion,
            5 => Self::Unreadable,
            _ => Self::Unknown,
        }
    }

    /// The reason that an allocation has no stack.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Unknown => "the agent does not record stacks",
            Self::Recorded => "no Python code runs on the thread",
            Self::Off => "TTMEM_STACKS=0 is set",
            Self::NoInterpreter => "the process has no Python interpreter",
            Self::UnknownVersion => "the agent does not know the frames of this Python version",
            Self::Unreadable => "the interpreter's frames have another form than its version says",
        }
    }
}
