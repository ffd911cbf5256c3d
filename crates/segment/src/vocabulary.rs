//! The enumerations of a segment. Their numbers are part of the format: new ones are added, none is changed.

/// The region of the allocator that contains a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum BufferKind {
    /// DRAM.
    Dram = 0,
    /// L1.
    L1 = 1,
    /// The part of L1 that `l1_small_size` sets aside.
    L1Small = 2,
    /// The part of DRAM that `trace_region_size` sets aside.
    Trace = 3,
}

impl BufferKind {
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
}

/// The type of work in a command queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// Its circular buffers or dataflow buffers end above the lowest L1 buffer: "clash with L1 buffers".
    Clash = 1,
    /// Its circular buffers or dataflow buffers end beyond L1: "grow to ... beyond max L1 size".
    BeyondL1 = 2,
    /// Its kernels and arguments do not fit in the ring: "too large for kernel config buffer".
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

/// The role of an allocator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum AllocatorRole {
    /// Not found out.
    Unknown = 0,
    /// One device.
    Device = 1,
    /// A mesh: what it allocates, it takes on every member chip.
    Mesh = 2,
    /// The cores of one sub-device of a mesh.
    SubDevice = 3,
}

impl AllocatorRole {
    pub(super) fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Device,
            2 => Self::Mesh,
            3 => Self::SubDevice,
            _ => Self::Unknown,
        }
    }
}

/// Where a name comes from, and so how far it can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
#[repr(u8)]
pub enum AgentState {
    /// It records. Of a process that is gone: it was killed.
    Recording = 1,
    /// The process came to its end by itself.
    Exited = 2,
    /// It found a defect in itself and switched itself off: nothing after that is known.
    Off = 3,
}

impl AgentState {
    pub(super) fn from_number(number: u64) -> Option<Self> {
        match number {
            1 => Some(Self::Recording),
            2 => Some(Self::Exited),
            3 => Some(Self::Off),
            _ => None,
        }
    }
}

/// The functions of TT-Metal that the agent interposes. The number is the bit in the sets of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Hook {
    /// `AllocatorImpl::allocate_buffer`.
    Allocate = 0,
    /// `AllocatorImpl::deallocate_buffer`.
    Free = 1,
    /// `AllocatorImpl::deallocate_buffers`.
    FreeAll = 2,
    /// `AllocatorImpl::clear`.
    Clear = 3,
    /// `AllocatorImpl::override_state`.
    OverrideState = 4,
    /// `AllocatorImpl::~AllocatorImpl`.
    DestroyAllocator = 5,
    /// `Allocator::allocate_buffer`, before 0.66.
    LegacyAllocate = 6,
    /// `Allocator::deallocate_buffer`, before 0.66.
    LegacyFree = 7,
    /// `Allocator::deallocate_buffers`, an allocator of its own before 0.66.
    LegacyFreeAll = 8,
    /// `Allocator::clear`, before 0.66.
    LegacyClear = 9,
    /// `Allocator::override_state`.
    LegacyOverrideState = 10,
    /// `Allocator::~Allocator`, before 0.66.
    LegacyDestroyAllocator = 11,
    /// `ProgramImpl::allocate_circular_buffers`.
    CircularBuffers = 12,
    /// `ProgramImpl::~ProgramImpl`.
    DestroyProgram = 13,
    /// `GraphTracker::track_program`.
    TrackProgram = 14,
    /// `EnqueueMeshWorkload`.
    EnqueueWorkload = 15,
    /// `MeshWorkloadImpl::load_binaries`.
    LoadBinaries = 16,
    /// `MeshTrace::populate_mesh_buffer`, in one of its three forms.
    WriteTrace = 17,
    /// `Device::initialize`.
    OpenDevice = 18,
    /// `Device::close`.
    CloseDevice = 19,
    /// `MeshDeviceImpl::initialize_impl`, or `MeshDevice::initialize` before 0.66.
    OpenMesh = 20,
    /// `MeshDevice::close`.
    CloseMesh = 21,
    /// `push_allocation_context`, from 0.80.
    PushContext = 22,
    /// `pop_allocation_context`, from 0.80.
    PopContext = 23,
    /// `GraphTracker::instance`, from 0.66.
    GraphTracker = 24,
    /// `ClusterDescriptor::get_chip_unique_ids`.
    ChipUniqueIds = 25,
    /// `SubDeviceManager::SubDeviceManager`.
    SubDevices = 26,
    /// `AllocatorImpl::AllocatorImpl`.
    CreateAllocator = 27,
    /// `GraphTracker::track_allocate_cb`.
    TrackCircularBuffer = 28,
    /// `ProgramImpl::allocate_dataflow_buffers`, from 0.69.
    DataflowBuffers = 29,
    /// `ProgramImpl::compile_and_allocate`, from 0.76.
    CompileProgram = 30,
    /// `ProgramImpl::CircularBufferAllocator::mark_address`.
    MarkAddress = 31,
    /// `ProgramImpl::validate_circular_buffer_region`.
    ValidateCircularBuffers = 32,
    /// `ProgramImpl::validate_dataflow_buffer_region`, from 0.69.
    ValidateDataflowBuffers = 33,
    /// `MeshWorkloadImpl::finalize_offsets`.
    FinalizeOffsets = 34,
    /// `experimental::AttachBorrowedDFBBuffers`, from 0.76.
    AttachTensors = 35,
    /// `MeshDeviceImpl::begin_mesh_trace`.
    BeginTrace = 36,
    /// `MeshDeviceImpl::end_mesh_trace`.
    EndTrace = 37,
    /// `MeshDeviceImpl::replay_mesh_trace`.
    ReplayTrace = 38,
    /// `MeshDeviceImpl::release_mesh_trace`.
    ReleaseTrace = 39,
    /// `UpdateCircularBufferTotalSize`, in one of its forms.
    UpdateSize = 40,
}

impl Hook {
    /// All of them, by number.
    pub const ALL: [Self; 41] = [
        Self::Allocate,
        Self::Free,
        Self::FreeAll,
        Self::Clear,
        Self::OverrideState,
        Self::DestroyAllocator,
        Self::LegacyAllocate,
        Self::LegacyFree,
        Self::LegacyFreeAll,
        Self::LegacyClear,
        Self::LegacyOverrideState,
        Self::LegacyDestroyAllocator,
        Self::CircularBuffers,
        Self::DestroyProgram,
        Self::TrackProgram,
        Self::EnqueueWorkload,
        Self::LoadBinaries,
        Self::WriteTrace,
        Self::OpenDevice,
        Self::CloseDevice,
        Self::OpenMesh,
        Self::CloseMesh,
        Self::PushContext,
        Self::PopContext,
        Self::GraphTracker,
        Self::ChipUniqueIds,
        Self::SubDevices,
        Self::CreateAllocator,
        Self::TrackCircularBuffer,
        Self::DataflowBuffers,
        Self::CompileProgram,
        Self::MarkAddress,
        Self::ValidateCircularBuffers,
        Self::ValidateDataflowBuffers,
        Self::FinalizeOffsets,
        Self::AttachTensors,
        Self::BeginTrace,
        Self::EndTrace,
        Self::ReplayTrace,
        Self::ReleaseTrace,
        Self::UpdateSize,
    ];

    /// Its bit in the sets of the header.
    #[must_use]
    pub const fn bit(self) -> u64 {
        1 << self as u8
    }

    /// The function's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allocate => "AllocatorImpl::allocate_buffer",
            Self::Free => "AllocatorImpl::deallocate_buffer",
            Self::FreeAll => "AllocatorImpl::deallocate_buffers",
            Self::Clear => "AllocatorImpl::clear",
            Self::OverrideState => "AllocatorImpl::override_state",
            Self::DestroyAllocator => "AllocatorImpl::~AllocatorImpl",
            Self::LegacyAllocate => "Allocator::allocate_buffer",
            Self::LegacyFree => "Allocator::deallocate_buffer",
            Self::LegacyFreeAll => "Allocator::deallocate_buffers",
            Self::LegacyClear => "Allocator::clear",
            Self::LegacyOverrideState => "Allocator::override_state",
            Self::LegacyDestroyAllocator => "Allocator::~Allocator",
            Self::CircularBuffers => "ProgramImpl::allocate_circular_buffers",
            Self::DestroyProgram => "ProgramImpl::~ProgramImpl",
            Self::TrackProgram => "GraphTracker::track_program",
            Self::EnqueueWorkload => "EnqueueMeshWorkload",
            Self::LoadBinaries => "MeshWorkloadImpl::load_binaries",
            Self::WriteTrace => "MeshTrace::populate_mesh_buffer",
            Self::OpenDevice => "Device::initialize",
            Self::CloseDevice => "Device::close",
            Self::OpenMesh => "MeshDeviceImpl::initialize_impl",
            Self::CloseMesh => "MeshDevice::close",
            Self::PushContext => "push_allocation_context",
            Self::PopContext => "pop_allocation_context",
            Self::GraphTracker => "GraphTracker::instance",
            Self::ChipUniqueIds => "ClusterDescriptor::get_chip_unique_ids",
            Self::SubDevices => "SubDeviceManager::SubDeviceManager",
            Self::CreateAllocator => "AllocatorImpl::AllocatorImpl",
            Self::TrackCircularBuffer => "GraphTracker::track_allocate_cb",
            Self::DataflowBuffers => "ProgramImpl::allocate_dataflow_buffers",
            Self::CompileProgram => "ProgramImpl::compile_and_allocate",
            Self::MarkAddress => "ProgramImpl::CircularBufferAllocator::mark_address",
            Self::ValidateCircularBuffers => "ProgramImpl::validate_circular_buffer_region",
            Self::ValidateDataflowBuffers => "ProgramImpl::validate_dataflow_buffer_region",
            Self::FinalizeOffsets => "MeshWorkloadImpl::finalize_offsets",
            Self::AttachTensors => "experimental::AttachBorrowedDFBBuffers",
            Self::BeginTrace => "MeshDeviceImpl::begin_mesh_trace",
            Self::EndTrace => "MeshDeviceImpl::end_mesh_trace",
            Self::ReplayTrace => "MeshDeviceImpl::replay_mesh_trace",
            Self::ReleaseTrace => "MeshDeviceImpl::release_mesh_trace",
            Self::UpdateSize => "UpdateCircularBufferTotalSize",
        }
    }
}

/// The exported functions of TT-Metal that the agent asks about programs. The number is the bit in the set of the
/// header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Accessor {
    /// `ProgramImpl::circular_buffers`: the circular buffers of a program.
    CircularBuffers = 0,
    /// `CircularBufferImpl::address`: where a circular buffer is now.
    CircularBufferAddress = 1,
    /// `ProgramImpl::dataflow_buffers_on_corerange`: the cores of a dataflow buffer.
    DataflowBufferCores = 2,
    /// `ProgramImpl::get_id`: the number of a program.
    ProgramId = 3,
    /// `ProgramImpl::get_kernels`: the kernels of a program.
    Kernels = 4,
    /// `Kernel::logical_coreranges`: the cores of a kernel.
    KernelCores = 5,
    /// `Kernel::name`: the name of a kernel.
    KernelName = 6,
    /// `Kernel::get_binary_text_size`: the bytes of text of a kernel.
    KernelText = 7,
    /// `ProgramImpl::get_program_config_size`: the bytes of a program in the kernel configuration ring.
    ConfigSize = 8,
    /// `ProgramImpl::get_sem_size`: the bytes of semaphores of a program.
    SemaphoreSize = 9,
    /// `MeshWorkload::get_programs`: the programs of a workload and the chips of each.
    Programs = 10,
    /// `MeshDeviceView::get_devices`: the chips of a range of a mesh.
    DevicesOfRange = 11,
    /// `AllocatorImpl::get_lowest_occupied_l1_address`: the lowest L1 buffer.
    LowestL1 = 12,
    /// `MeshDevice::l1_size_per_core`: the bytes of L1 per core.
    L1Size = 13,
    /// `MeshDevice::compute_with_storage_grid_size`: the worker cores of a chip.
    Grid = 14,
    /// `MeshDevice::get_trace_buffers_size`: the bytes of all live traces.
    TraceBytes = 15,
}

impl Accessor {
    /// All of them, by number.
    pub const ALL: [Self; 16] = [
        Self::CircularBuffers,
        Self::CircularBufferAddress,
        Self::DataflowBufferCores,
        Self::ProgramId,
        Self::Kernels,
        Self::KernelCores,
        Self::KernelName,
        Self::KernelText,
        Self::ConfigSize,
        Self::SemaphoreSize,
        Self::Programs,
        Self::DevicesOfRange,
        Self::LowestL1,
        Self::L1Size,
        Self::Grid,
        Self::TraceBytes,
    ];

    /// Its bit in the set of the header.
    #[must_use]
    pub const fn bit(self) -> u64 {
        1 << self as u8
    }

    /// The function's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CircularBuffers => "ProgramImpl::circular_buffers",
            Self::CircularBufferAddress => "CircularBufferImpl::address",
            Self::DataflowBufferCores => "ProgramImpl::dataflow_buffers_on_corerange",
            Self::ProgramId => "ProgramImpl::get_id",
            Self::Kernels => "ProgramImpl::get_kernels",
            Self::KernelCores => "Kernel::logical_coreranges",
            Self::KernelName => "Kernel::name",
            Self::KernelText => "Kernel::get_binary_text_size",
            Self::ConfigSize => "ProgramImpl::get_program_config_size",
            Self::SemaphoreSize => "ProgramImpl::get_sem_size",
            Self::Programs => "MeshWorkload::get_programs",
            Self::DevicesOfRange => "MeshDeviceView::get_devices",
            Self::LowestL1 => "AllocatorImpl::get_lowest_occupied_l1_address",
            Self::L1Size => "MeshDevice::l1_size_per_core",
            Self::Grid => "MeshDevice::compute_with_storage_grid_size",
            Self::TraceBytes => "MeshDevice::get_trace_buffers_size",
        }
    }
}
