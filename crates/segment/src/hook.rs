//! The functions of TT-Metal that the agent intercepts, and those that it calls. Their numbers are part of the format.

/// Declares a set of functions, one row each: the variant, its number, the name of the function, and the rest of the
/// sentence that documents it.
macro_rules! functions {
    (
        $(#[$attribute:meta])*
        $set:ident { $($variant:ident = $number:literal, $name:literal, $rest:literal;)+ }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $set {
            $(
                #[doc = concat!("`", $name, "`", $rest)]
                $variant = $number,
            )+
        }

        impl $set {
            /// All of them, by number.
            pub const ALL: [Self; [$($number),+].len()] = [$(Self::$variant),+];

            /// Returns the bit in the set of the header.
            #[must_use]
            pub const fn bit(self) -> u64 {
                1 << self as u8
            }

            /// The function's name.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

functions! {
    /// The functions of TT-Metal that the agent interposes. The number is the bit in the sets of the header.
    Hook {
        Allocate = 0, "AllocatorImpl::allocate_buffer", ".";
        Free = 1, "AllocatorImpl::deallocate_buffer", ".";
        FreeAll = 2, "AllocatorImpl::deallocate_buffers", ".";
        Clear = 3, "AllocatorImpl::clear", ".";
        OverrideState = 4, "AllocatorImpl::override_state", ".";
        DestroyAllocator = 5, "AllocatorImpl::~AllocatorImpl", ".";
        LegacyAllocate = 6, "Allocator::allocate_buffer", ", before 0.66.";
        LegacyFree = 7, "Allocator::deallocate_buffer", ", before 0.66.";
        LegacyFreeAll = 8, "Allocator::deallocate_buffers", ", an allocator of its own before 0.66.";
        LegacyClear = 9, "Allocator::clear", ", before 0.66.";
        LegacyOverrideState = 10, "Allocator::override_state", ".";
        LegacyDestroyAllocator = 11, "Allocator::~Allocator", ", before 0.66.";
        CircularBuffers = 12, "ProgramImpl::allocate_circular_buffers", ".";
        DestroyProgram = 13, "ProgramImpl::~ProgramImpl", ".";
        TrackProgram = 14, "GraphTracker::track_program", ".";
        EnqueueWorkload = 15, "EnqueueMeshWorkload", ".";
        LoadBinaries = 16, "MeshWorkloadImpl::load_binaries", ".";
        WriteTrace = 17, "MeshTrace::populate_mesh_buffer", ", in one of its three forms.";
        OpenDevice = 18, "Device::initialize", ".";
        CloseDevice = 19, "Device::close", ".";
        OpenMesh = 20, "MeshDeviceImpl::initialize_impl", ", or `MeshDevice::initialize` before 0.66.";
        CloseMesh = 21, "MeshDevice::close", ".";
        PushContext = 22, "push_allocation_context", ", from 0.80.";
        PopContext = 23, "pop_allocation_context", ", from 0.80.";
        GraphTracker = 24, "GraphTracker::instance", ", from 0.66.";
        ChipUniqueIds = 25, "ClusterDescriptor::get_chip_unique_ids", ".";
        SubDevices = 26, "SubDeviceManager::SubDeviceManager", ".";
        CreateAllocator = 27, "AllocatorImpl::AllocatorImpl", ".";
        TrackCircularBuffer = 28, "GraphTracker::track_allocate_cb", ".";
        DataflowBuffers = 29, "ProgramImpl::allocate_dataflow_buffers", ", from 0.69.";
        CompileProgram = 30, "ProgramImpl::compile_and_allocate", ", from 0.76.";
        MarkAddress = 31, "ProgramImpl::CircularBufferAllocator::mark_address", ".";
        ValidateCircularBuffers = 32, "ProgramImpl::validate_circular_buffer_region", ".";
        ValidateDataflowBuffers = 33, "ProgramImpl::validate_dataflow_buffer_region", ", from 0.69.";
        FinalizeOffsets = 34, "MeshWorkloadImpl::finalize_offsets", ".";
        AttachTensors = 35, "experimental::AttachBorrowedDFBBuffers", ", from 0.76.";
        BeginTrace = 36, "MeshDeviceImpl::begin_mesh_trace", ".";
        EndTrace = 37, "MeshDeviceImpl::end_mesh_trace", ".";
        ReplayTrace = 38, "MeshDeviceImpl::replay_mesh_trace", ".";
        ReleaseTrace = 39, "MeshDeviceImpl::release_mesh_trace", ".";
        UpdateSize = 40, "UpdateCircularBufferTotalSize", ", in one of its forms.";
        NewTensor = 41, "MeshTensor::MeshTensor", ", from 0.69.";
        FinalizeKernels = 42, "program_dispatch::finalize_kernel_bins", ".";
        AddRing = 43, "WorkerConfigBufferMgr::init_add_buffer", ".";
    }
}

functions! {
    /// The exported functions of TT-Metal that the agent asks about programs and tensors. The number is the bit in the
    /// set of the header.
    Accessor {
        CircularBuffers = 0, "ProgramImpl::circular_buffers", ": the circular buffers of a program.";
        CircularBufferAddress = 1, "CircularBufferImpl::address", ": where a circular buffer is now.";
        DataflowBufferCores = 2, "ProgramImpl::dataflow_buffers_on_core", ": the cores of a dataflow buffer.";
        ProgramId = 3, "ProgramImpl::get_id", ": the number of a program.";
        Kernels = 4, "ProgramImpl::get_kernels", ": the kernels of a program.";
        KernelCores = 5, "Kernel::is_on_logical_core", ": the cores of a kernel.";
        KernelName = 6, "Kernel::name", ": the name of a kernel.";
        KernelText = 7, "Kernel::get_binary_packed_size", ": the bytes of text of a kernel, with the initial values of its variables.";
        ConfigSize = 8, "ProgramImpl::get_program_config_size", ": the bytes of a program in the kernel configuration ring.";
        SemaphoreSize = 9, "ProgramImpl::semaphores_on_core", ": the bytes of semaphores of a program.";
        Programs = 10, "MeshWorkload::get_programs", ": the programs of a workload and the chips of each.";
        DevicesOfRange = 11, "MeshDeviceView::get_devices", ": the chips of a range of a mesh.";
        LowestL1 = 12, "AllocatorImpl::get_lowest_occupied_l1_address", ": the lowest L1 buffer.";
        L1Size = 13, "MeshDevice::l1_size_per_core", ": the bytes of L1 per core.";
        Grid = 14, "MeshDevice::compute_with_storage_grid_size", ": the worker cores of a chip.";
        TraceBytes = 15, "MeshDevice::get_trace_buffers_size", ": the bytes of all live traces.";
        Scratchpads = 16, "Kernel::process_scratchpad_binding_handles", ": the scratchpads of a kernel, from 0.76.";
        TensorShape = 17, "MeshTensor::logical_shape", ": the shape of a tensor, from 0.69.";
    }
}
