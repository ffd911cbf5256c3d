//! The functions that interpose TT-Metal's: which they are. What each does is in `handlers`.

use libc::c_void;
use ttmem_segment::Hook;

use super::handlers;
use super::symbols::{HookedSymbol, has_copy, record_copy_of};
use crate::ops::ThreadState;

/// Exports a function under a mangled name of TT-Metal's, which calls a handler with the real function and its
/// arguments.
///
/// `hook: STATIC = "mangled name", handler(argument, ...);`
///
/// An attribute before it is one of the function: that of the functions that every op calls places their code side by side. In
/// a program it is fetched again for each op, by lines and pages.
macro_rules! interpose {
    ($($(#[$attribute:meta])? $hook:ident: $symbol:ident = $name:literal, $handler:ident($($argument:ident),*);)*) => {
        $(
            static $symbol: HookedSymbol = HookedSymbol::new(
                // The literal has no zero in it.
                match std::ffi::CStr::from_bytes_with_nul(concat!($name, "\0").as_bytes()) {
                    Ok(name) => name,
                    Err(_) => c"",
                },
            );

            const _: () = {
                export_hook!($name $(, $attribute)?);

                $(#[$attribute])?
                extern "C-unwind" fn hook($($argument: u64),*) -> u64 {
                    let return_address = ThreadState::with(|thread| thread.return_address.get());
                    let usual = $symbol.usual(return_address).map(|function| (function, true));
                    let (function, is_recorded) =
                        usual.unwrap_or_else(|| unusual(Hook::$hook, &$symbol, return_address));
                    if function.is_null() {
                        return 0;
                    }
                    // SAFETY: the mangled name fixes the parameters; each takes one register or stack slot (see `ffi`).
                    let real = unsafe {
                        std::mem::transmute::<*mut c_void, unsafe extern "C-unwind" fn($(word!($argument)),*) -> u64>(function)
                    };
                    // SAFETY: it gets what its caller passed.
                    let real = |$($argument: u64),*| unsafe { real($($argument),*) };
                    if !is_recorded {
                        return real($($argument),*);
                    }
                    handlers::$handler(Hook::$hook, real, $($argument),*)
                }
            };
        )*

        /// Bit set of the hooks that TT-Metal has a function for.
        pub(super) fn resolved() -> u64 {
            let mut set = 0;
            $(
                if $symbol.is_resolved() {
                    set |= Hook::$hook.bit();
                }
            )*
            if graph_tracker::SYMBOL.is_resolved() {
                set |= Hook::GraphTracker.bit();
            }
            set
        }
    };
}

/// The type of an argument.
macro_rules! word {
    ($argument:ident) => {
        u64
    };
}

/// Exports the entry of a hook: notes where the call returns to, then goes on to `hook` with every argument in its
/// place.
///
/// A signal handler between the two may leave its own return address. That matters only if another copy of TT-Metal is
/// behind the handler's calls.
macro_rules! export_hook {
    ($name:literal $(, $attribute:meta)?) => {
        // SAFETY: TT-Metal alone defines functions of this name, and those that call it mean to call TT-Metal's: they
        // get there, for `hook` calls it. Two scratch registers and a word of the thread's own state are written.
        #[cfg(target_arch = "x86_64")]
        #[unsafe(naked)]
        #[unsafe(export_name = $name)]
        $(#[$attribute])?
        extern "C-unwind" fn entry() {
            std::arch::naked_asm!(
                "mov rax, qword ptr [rip + ttmem_thread_state@GOTTPOFF]",
                "mov r11, qword ptr [rsp]",
                "mov qword ptr fs:[rax + {offset}], r11",
                "jmp {hook}",
                offset = const std::mem::offset_of!(ThreadState, return_address),
                hook = sym hook,
            )
        }
    };
}

/// The real function for a call that is not the usual one, and whether the call is recorded: not if it belongs to another copy
/// of TT-Metal than the recorded one.
#[cold]
fn unusual(hook: Hook, symbol: &HookedSymbol, return_address: usize) -> (*mut c_void, bool) {
    let real = symbol.real(return_address);
    match hook {
        // Unique ids hold for every copy, and come before the first device.
        Hook::ChipUniqueIds => return (real, true),
        Hook::Allocate | Hook::LegacyAllocate | Hook::OpenDevice | Hook::OpenMesh
            if !has_copy() && !real.is_null() =>
        {
            record_copy_of(real);
        }
        _ => {}
    }
    (real, symbol.is_recorded(real))
}

interpose! {
    #[unsafe(link_section = ".text.ttmem_often")]
    Allocate: ALLOCATE = "_ZN2tt8tt_metal13AllocatorImpl15allocate_bufferEPNS0_6BufferE", allocate(this, buffer);
    LegacyAllocate: LEGACY_ALLOCATE = "_ZN2tt8tt_metal9Allocator15allocate_bufferEPNS0_6BufferE", allocate(this, buffer);
    #[unsafe(link_section = ".text.ttmem_often")]
    Free: FREE = "_ZN2tt8tt_metal13AllocatorImpl17deallocate_bufferEPNS0_6BufferE", free(this, buffer);
    LegacyFree: LEGACY_FREE = "_ZN2tt8tt_metal9Allocator17deallocate_bufferEPNS0_6BufferE", free(this, buffer);
    FreeAll: FREE_ALL = "_ZN2tt8tt_metal13AllocatorImpl18deallocate_buffersEv", free_all(this);
    LegacyFreeAll: LEGACY_FREE_ALL = "_ZN2tt8tt_metal9Allocator18deallocate_buffersEv", free_all(this);
    Clear: CLEAR = "_ZN2tt8tt_metal13AllocatorImpl5clearEv", free_all(this);
    LegacyClear: LEGACY_CLEAR = "_ZN2tt8tt_metal9Allocator5clearEv", free_all(this);
    OverrideState: OVERRIDE = "_ZN2tt8tt_metal13AllocatorImpl14override_stateERKNS0_14AllocatorStateE", override_state(this, state);
    LegacyOverrideState: LEGACY_OVERRIDE = "_ZN2tt8tt_metal9Allocator14override_stateERKNS0_14AllocatorStateE", override_state(this, state);
    CreateAllocator: CREATE_COMPLETE = "_ZN2tt8tt_metal13AllocatorImplC1ERKNS0_15AllocatorConfigE", create_allocator(this, config);
    CreateAllocator: CREATE_BASE = "_ZN2tt8tt_metal13AllocatorImplC2ERKNS0_15AllocatorConfigE", create_allocator(this, config);
    CreateAllocator: LEGACY_CREATE_COMPLETE = "_ZN2tt8tt_metal9AllocatorC1ERKNS0_15AllocatorConfigE", create_allocator(this, config);
    CreateAllocator: LEGACY_CREATE_BASE = "_ZN2tt8tt_metal9AllocatorC2ERKNS0_15AllocatorConfigE", create_allocator(this, config);
    DestroyAllocator: DESTROY_DELETING = "_ZN2tt8tt_metal13AllocatorImplD0Ev", destroy_allocator(this);
    DestroyAllocator: DESTROY_COMPLETE = "_ZN2tt8tt_metal13AllocatorImplD1Ev", destroy_allocator(this);
    DestroyAllocator: DESTROY_BASE = "_ZN2tt8tt_metal13AllocatorImplD2Ev", destroy_allocator(this);
    LegacyDestroyAllocator: LEGACY_DESTROY_COMPLETE = "_ZN2tt8tt_metal9AllocatorD1Ev", destroy_allocator(this);
    LegacyDestroyAllocator: LEGACY_DESTROY_BASE = "_ZN2tt8tt_metal9AllocatorD2Ev", destroy_allocator(this);
    CircularBuffers: CIRCULAR_BUFFERS = "_ZN2tt8tt_metal6detail11ProgramImpl25allocate_circular_buffersEPKNS0_7IDeviceE", place_circular_buffers(this, device);
    DestroyProgram: DESTROY_PROGRAM_COMPLETE = "_ZN2tt8tt_metal6detail11ProgramImplD1Ev", destroy_program(this);
    DestroyProgram: DESTROY_PROGRAM_BASE = "_ZN2tt8tt_metal6detail11ProgramImplD2Ev", destroy_program(this);
    #[unsafe(link_section = ".text.ttmem_often")]
    TrackProgram: TRACK_PROGRAM = "_ZN2tt8tt_metal12GraphTracker13track_programEPNS0_7ProgramEPKNS0_7IDeviceE", track_program(this, program, device);
    #[unsafe(link_section = ".text.ttmem_often")]
    EnqueueWorkload: ENQUEUE = "_ZN2tt8tt_metal11distributed19EnqueueMeshWorkloadERNS1_16MeshCommandQueueERNS1_12MeshWorkloadEb", enqueue(queue, workload, blocking);
    #[unsafe(link_section = ".text.ttmem_often")]
    CompileProgram: COMPILE = "_ZN2tt8tt_metal6detail11ProgramImpl20compile_and_allocateEPNS0_7IDeviceEb", compile(this, device, force);
    TrackCircularBuffer: TRACK_CIRCULAR_BUFFER = "_ZN2tt8tt_metal12GraphTracker17track_allocate_cbERKNS0_12CoreRangeSetEmmbPKNS0_7IDeviceE", track_circular_buffer(this, cores, address, bytes, backed, device);
    DataflowBuffers: DATAFLOW_BUFFERS = "_ZN2tt8tt_metal6detail11ProgramImpl25allocate_dataflow_buffersEPKNS0_7IDeviceE", place_dataflow_buffers(this, device);
    MarkAddress: MARK_ADDRESS = "_ZN2tt8tt_metal6detail11ProgramImpl23CircularBufferAllocator12mark_addressEmmm", mark_address(this, address, bytes, base);
    AttachTensors: ATTACH_TENSORS = "_ZN2tt8tt_metal12experimental24AttachBorrowedDFBBuffersERNS0_6detail11ProgramImplERKSt13unordered_mapINSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEPKNS0_10MeshTensorESt4hashISB_ESt8equal_toISB_ESaISt4pairIKSB_SE_EEEb", attach_tensors(program, tensors, flag);
    AttachTensors: ATTACH_ARGUMENTS = "_ZN2tt8tt_metal12experimental24AttachBorrowedDFBBuffersERNS0_6detail11ProgramImplESt4spanIKNS1_14ProgramRunArgs14TensorArgumentELm18446744073709551615EE", attach_arguments(program, arguments, count);
    UpdateSize: UPDATE_SIZE = "_ZN2tt8tt_metal29UpdateCircularBufferTotalSizeERNS0_7ProgramEmj", update_size(program, handle, size);
    UpdateSize: UPDATE_SIZE_OF_BUFFER = "_ZN2tt8tt_metal46UpdateDynamicCircularBufferAddressAndTotalSizeERNS0_7ProgramEmRKNS0_6BufferEj", update_address_and_size(program, handle, buffer, size);
    UpdateSize: UPDATE_SIZE_OF_TENSOR = "_ZN2tt8tt_metal46UpdateDynamicCircularBufferAddressAndTotalSizeERNS0_7ProgramEmRKNS0_10MeshTensorEj", update_address_and_size(program, handle, buffer, size);
    #[unsafe(link_section = ".text.ttmem_often")]
    NewTensor: NEW_TENSOR_COMPLETE = "_ZN2tt8tt_metal10MeshTensorC1ESt10shared_ptrINS0_11distributed10MeshBufferEENS0_10TensorSpecENS0_14TensorTopologyE", new_tensor(this, buffer, spec, topology);
    NewTensor: NEW_TENSOR_BASE = "_ZN2tt8tt_metal10MeshTensorC2ESt10shared_ptrINS0_11distributed10MeshBufferEENS0_10TensorSpecENS0_14TensorTopologyE", new_tensor(this, buffer, spec, topology);
    ValidateCircularBuffers: VALIDATE_CIRCULAR = "_ZN2tt8tt_metal6detail11ProgramImpl31validate_circular_buffer_regionEPKNS0_7IDeviceE", validate(this, device);
    ValidateDataflowBuffers: VALIDATE_DATAFLOW = "_ZN2tt8tt_metal6detail11ProgramImpl31validate_dataflow_buffer_regionEPKNS0_7IDeviceE", validate(this, device);
    #[unsafe(link_section = ".text.ttmem_often")]
    FinalizeOffsets: FINALIZE = "_ZN2tt8tt_metal11distributed16MeshWorkloadImpl16finalize_offsetsEPNS1_10MeshDeviceE", finalize(this, device);
    FinalizeKernels: FINALIZE_KERNELS = "_ZN2tt8tt_metal16program_dispatch20finalize_kernel_binsEPNS0_7IDeviceEjRKSt13unordered_mapIjSt10shared_ptrINS0_6KernelEESt4hashIjESt8equal_toIjESaISt4pairIKjS7_EEERSt6vectorIS5_INS0_11KernelGroupEESaISL_EEjRjSP_", finalize_kernels(device, core_type, kernels, groups, base, offset, size);
    AddRing: ADD_RING = "_ZN2tt8tt_metal21WorkerConfigBufferMgr15init_add_bufferEjj", add_ring(this, address, bytes);
    BeginTrace: BEGIN_TRACE = "_ZN2tt8tt_metal11distributed14MeshDeviceImpl16begin_mesh_traceEhRKN4ttsl10StrongTypeIjNS1_14MeshTraceIdTagEEE", begin_trace(this, queue, id);
    EndTrace: END_TRACE = "_ZN2tt8tt_metal11distributed14MeshDeviceImpl14end_mesh_traceEhRKN4ttsl10StrongTypeIjNS1_14MeshTraceIdTagEEE", end_trace(this, queue, id);
    ReplayTrace: REPLAY_TRACE = "_ZN2tt8tt_metal11distributed14MeshDeviceImpl17replay_mesh_traceEhRKN4ttsl10StrongTypeIjNS1_14MeshTraceIdTagEEEb", replay_trace(this, queue, id, blocking);
    ReleaseTrace: RELEASE_TRACE = "_ZN2tt8tt_metal11distributed14MeshDeviceImpl18release_mesh_traceERKN4ttsl10StrongTypeIjNS1_14MeshTraceIdTagEEE", release_trace(this, id);
    #[unsafe(link_section = ".text.ttmem_often")]
    LoadBinaries: LOAD_BINARIES = "_ZN2tt8tt_metal11distributed16MeshWorkloadImpl13load_binariesERNS1_16MeshCommandQueueE", load_binaries(this, queue);
    WriteTrace: WRITE_TRACE = "_ZN2tt8tt_metal11distributed9MeshTrace20populate_mesh_bufferERNS1_16MeshCommandQueueERSt10shared_ptrINS1_15MeshTraceBufferEE", write_trace(a, b, c, d, e, f);
    WriteTrace: WRITE_TRACE_2 = "_ZN2tt8tt_metal11distributed9MeshTrace20populate_mesh_bufferERNS1_16MeshCommandQueueERSt10shared_ptrINS1_15MeshTraceBufferEEmm", write_trace(a, b, c, d, e, f);
    WriteTrace: WRITE_TRACE_3 = "_ZN2tt8tt_metal11distributed9MeshTrace20populate_mesh_bufferERNS1_16MeshCommandQueueERSt10shared_ptrINS1_15MeshTraceBufferEEmmm", write_trace(a, b, c, d, e, f);
    OpenDevice: OPEN_DEVICE = "_ZN2tt8tt_metal6Device10initializeEhmmmSt4spanIKjLm18446744073709551615EEb", open_device(this, queues, l1_small, trace, worker_l1, minimal, remap, remap_length);
    CloseDevice: CLOSE_DEVICE = "_ZN2tt8tt_metal6Device5closeEv", close_device(this);
    OpenMesh: OPEN_MESH = "_ZN2tt8tt_metal11distributed14MeshDeviceImpl15initialize_implEPNS1_10MeshDeviceEhmmmSt4spanIKjLm18446744073709551615EEb", open_mesh(this, mesh, queues, l1_small, trace, worker_l1, remap, remap_length, minimal);
    OpenMesh: LEGACY_OPEN_MESH = "_ZN2tt8tt_metal11distributed10MeshDevice10initializeEhmmmSt4spanIKjLm18446744073709551615EEb", legacy_open_mesh(this, queues, l1_small, trace, worker_l1, minimal, remap, remap_length);
    CloseMesh: CLOSE_MESH = "_ZN2tt8tt_metal11distributed10MeshDevice5closeEv", close_mesh(this);
    PushContext: PUSH_CONTEXT = "_ZN2tt8tt_metal23push_allocation_contextESt17basic_string_viewIcSt11char_traitsIcEE", push_context(length, text);
    PopContext: POP_CONTEXT = "_ZN2tt8tt_metal22pop_allocation_contextEv", pop_context();
    ChipUniqueIds: CHIP_UNIQUE_IDS = "_ZNK2tt3umd17ClusterDescriptor19get_chip_unique_idsEv", chip_unique_ids(this);
    SubDevices: SUB_DEVICES_COMPLETE = "_ZN2tt8tt_metal16SubDeviceManagerC1ESt4spanIKNS0_9SubDeviceELm18446744073709551615EEmPNS0_7IDeviceE", sub_devices(this, list, count, l1, device);
    SubDevices: SUB_DEVICES_BASE = "_ZN2tt8tt_metal16SubDeviceManagerC2ESt4spanIKNS0_9SubDeviceELm18446744073709551615EEmPNS0_7IDeviceE", sub_devices(this, list, count, l1, device);
}

/// `GraphTracker::instance`: who calls it, and from where on the stack, is all that is of interest.
mod graph_tracker {
    use std::arch::naked_asm;
    use std::ptr::null_mut;
    use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

    use libc::c_void;

    use super::{HookedSymbol, handlers};
    use crate::ops::SiteClass;

    pub(super) static SYMBOL: HookedSymbol =
        HookedSymbol::new(c"_ZN2tt8tt_metal12GraphTracker8instanceEv");

    /// Return addresses that mean nothing, each in the one place that its low bits ask for. They hold in a forked child
    /// too. Every op has a dozen of them, so that they are distinguished before anything is called.
    static IGNORED: [AtomicU64; 1024] = [const { AtomicU64::new(0) }; 1024];
    /// The real function of the copy that is recorded, set when one of its call sites is known.
    static REAL: AtomicPtr<c_void> = AtomicPtr::new(null_mut());

    /// Passes its return address and the caller's stack pointer to [`note`], and goes on to the function that it
    /// returns as if it had never been there.
    // SAFETY: TT-Metal alone defines a function of this name, and gets the call. It has no parameters, so that no
    // register needs saving.
    #[cfg(target_arch = "x86_64")]
    #[unsafe(naked)]
    #[unsafe(export_name = "_ZN2tt8tt_metal12GraphTracker8instanceEv")]
    #[unsafe(link_section = ".text.ttmem_often")]
    extern "C" fn hook() {
        naked_asm!(
            "mov rdi, [rsp]",
            "mov eax, edi",
            "shr eax, 4",
            "and eax, 1023",
            "lea rcx, [rip + {ignored}]",
            "cmp [rcx + 8 * rax], rdi",
            "jne 2f",
            "jmp [rip + {real}]",
            "2:",
            "lea rsi, [rsp + 8]",
            "sub rsp, 8",
            "call {note}",
            "add rsp, 8",
            "jmp rax",
            ignored = sym IGNORED,
            real = sym REAL,
            note = sym note,
        );
    }

    #[unsafe(link_section = ".text.ttmem_often")]
    extern "C" fn note(return_address: u64, stack: u64) -> *mut c_void {
        let real = REAL.load(Ordering::Acquire);
        if real.is_null() {
            return note_new(return_address, stack);
        }
        // Only call sites of the recorded copy are known.
        match handlers::known_site(return_address, stack) {
            None => note_new(return_address, stack),
            Some(class) => {
                if class == SiteClass::Ignored {
                    let slot = &IGNORED[(return_address >> 4 & 1023) as usize];
                    slot.store(return_address, Ordering::Release);
                }
                real
            }
        }
    }

    /// A call site that is not known, or the first one that is.
    #[cold]
    fn note_new(return_address: u64, stack: u64) -> *mut c_void {
        let real = SYMBOL.real(usize::try_from(return_address).unwrap_or(0));
        if real.is_null() {
            return no_instance as extern "C" fn() -> u64 as *mut c_void;
        }
        if SYMBOL.is_recorded(real) {
            if handlers::known_site(return_address, stack).is_some() {
                REAL.store(real, Ordering::Release);
            } else {
                handlers::new_site(return_address, stack);
            }
        }
        real
    }

    extern "C" fn no_instance() -> u64 {
        0
    }
}
