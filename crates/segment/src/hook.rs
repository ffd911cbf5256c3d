//! The functions of TT-Metal that the agent intercepts, and those that it calls. Their numbers are part of the format.

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
    /// `ProgramImpl::dataflow_buffers_on_core`: the cores of a dataflow buffer.
    DataflowBufferCores = 2,
    /// `ProgramImpl::get_id`: the number of a program.
    ProgramId = 3,
    /// `ProgramImpl::get_kernels`: the kernels of a program.
    Kernels = 4,
    /// `Kernel::is_on_logical_core`: the cores of a kernel.
    KernelCores = 5,
    /// `Kernel::name`: the name of a kernel.
    KernelName = 6,
    /// `Kernel::get_binary_packed_size`: the bytes of text of a kernel.
    KernelText = 7,
    /// `ProgramImpl::get_program_config_size`: the bytes of a program in the kernel configuration ring.
    ConfigSize = 8,
    /// `ProgramImpl::semaphores_on_core`: the bytes of semaphores of a program.
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
    /// `Kernel::process_scratchpad_binding_handles`: the scratchpads of a kernel, from 0.76.
    Scratchpads = 16,
}

impl Accessor {
    /// All of them, by number.
    pub const ALL: [Self; 17] = [
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
        Self::Scratchpads,
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
            Self::DataflowBufferCores => "ProgramImpl::dataflow_buffers_on_core",
            Self::ProgramId => "ProgramImpl::get_id",
            Self::Kernels => "ProgramImpl::get_kernels",
            Self::KernelCores => "Kernel::is_on_logical_core",
            Self::KernelName => "Kernel::name",
            Self::KernelText => "Kernel::get_binary_packed_size",
            Self::ConfigSize => "ProgramImpl::get_program_config_size",
            Self::SemaphoreSize => "ProgramImpl::semaphores_on_core",
            Self::Programs => "MeshWorkload::get_programs",
            Self::DevicesOfRange => "MeshDeviceView::get_devices",
            Self::LowestL1 => "AllocatorImpl::get_lowest_occupied_l1_address",
            Self::L1Size => "MeshDevice::l1_size_per_core",
            Self::Grid => "MeshDevice::compute_with_storage_grid_size",
            Self::TraceBytes => "MeshDevice::get_trace_buffers_size",
            Self::Scratchpads => "Kernel::process_scratchpad_binding_handles",
        }
    }
}
