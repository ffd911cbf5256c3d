//! Devices, meshes, sub-devices: who has which allocator.

#![expect(clippy::too_many_arguments, reason = "they are those of the real functions")]

use std::sync::atomic::Ordering;

use ttmem_segment::entry::{Tags, pair};
use ttmem_segment::layout::{AllocatorWord, Counter};
use ttmem_segment::{AllocatorRole, EventKind, Hook};

use super::super::{NOWHERE, Start, circumstances, guarded, program_api, system, thread, tt_metal};
use super::{enter_allocator, lock_registry, note_call};
use crate::ops::ThreadState;
use crate::recorder::Recorder;
use crate::registry::{KindShape, NewAllocator, Registry, allocator_word};

/// The constructor, of interest while the sub-devices of a mesh are set up: their allocators name neither their role
/// nor, before 0.80, their owner.
pub(in crate::ffi) fn create_allocator(
    hook: Hook,
    real: impl FnOnce(u64, u64) -> u64,
    this: u64,
    config: u64,
) -> u64 {
    let result = real(this, config);
    guarded(Start::No, |recorder, thread| {
        note_call(recorder, hook);
        let owner = thread.sub_device_owner.get();
        let mesh = Registry(recorder).find_mesh(owner);
        let (Some((_, chips)), Some(_lock)) = (mesh, lock_registry(recorder)) else { return };
        Registry(recorder).allocator(&NewAllocator {
            pointer: this,
            role: AllocatorRole::SubDevice,
            chips,
            kinds: [KindShape::default(); 4],
            l1_small_start: 0,
            alignments: tt_metal::alignments(this),
            time: system::coarse_time(),
        });
    });
    result
}

/// `SubDeviceManager`'s constructor: allocators created inside it belong to the sub-devices of a mesh.
pub(in crate::ffi) fn sub_devices(
    hook: Hook,
    real: impl FnOnce(u64, u64, u64, u64, u64) -> u64,
    this: u64,
    list: u64,
    count: u64,
    l1: u64,
    device: u64,
) -> u64 {
    struct Scope;
    impl Drop for Scope {
        fn drop(&mut self) {
            ThreadState::with(|thread| thread.sub_device_owner.set(0));
        }
    }
    guarded(Start::No, |recorder, thread| {
        note_call(recorder, hook);
        thread.sub_device_owner.set(device);
    });
    let _scope = Scope;
    real(this, list, count, l1, device)
}

/// `Device::initialize`: registers the device's own allocator. Which chip it is comes with the mesh.
pub(in crate::ffi) fn open_device(
    hook: Hook,
    real: impl FnOnce(u64, u64, u64, u64, u64, u64, u64, u64) -> u64,
    this: u64,
    queues: u64,
    l1_small: u64,
    trace: u64,
    worker_l1: u64,
    minimal: u64,
    remap: u64,
    remap_length: u64,
) -> u64 {
    let result = real(this, queues, l1_small, trace, worker_l1, minimal, remap, remap_length);
    guarded(Start::Yes, |recorder, thread| {
        note_call(recorder, hook);
        let allocator = tt_metal::device_allocator(this);
        if let Some(_lock) = lock_registry(recorder) {
            Registry(recorder).device(this, allocator);
            if allocator != 0 {
                enter_allocator(recorder, allocator, AllocatorRole::Device, 0);
            }
        }
        let now = circumstances(recorder, thread, NOWHERE);
        recorder.happened(EventKind::DeviceOpened, Tags::NO_ALLOCATOR, this, now);
        thread::wake(recorder.process);
    });
    result
}

/// `Device::close`.
pub(in crate::ffi) fn close_device(hook: Hook, real: impl FnOnce(u64) -> u64, this: u64) -> u64 {
    guarded(Start::No, |recorder, thread| {
        note_call(recorder, hook);
        Registry(recorder).forget_device(this);
        let now = circumstances(recorder, thread, NOWHERE);
        recorder.happened(EventKind::DeviceClosed, Tags::NO_ALLOCATOR, this, now);
    });
    real(this)
}

/// `MeshDeviceImpl::initialize_impl`.
pub(in crate::ffi) fn open_mesh(
    hook: Hook,
    real: impl FnOnce(u64, u64, u64, u64, u64, u64, u64, u64, u64) -> u64,
    this: u64,
    mesh: u64,
    queues: u64,
    l1_small: u64,
    trace: u64,
    worker_l1: u64,
    remap: u64,
    remap_length: u64,
    minimal: u64,
) -> u64 {
    let result = real(this, mesh, queues, l1_small, trace, worker_l1, remap, remap_length, minimal);
    note_mesh(hook, mesh, this);
    note_trace_region(trace);
    result
}

/// `MeshDevice::initialize`, which does the work itself before 0.66.
pub(in crate::ffi) fn legacy_open_mesh(
    hook: Hook,
    real: impl FnOnce(u64, u64, u64, u64, u64, u64, u64, u64) -> u64,
    this: u64,
    queues: u64,
    l1_small: u64,
    trace: u64,
    worker_l1: u64,
    minimal: u64,
    remap: u64,
    remap_length: u64,
) -> u64 {
    let result = real(this, queues, l1_small, trace, worker_l1, minimal, remap, remap_length);
    if !tt_metal::has_mesh_implementation() {
        note_mesh(hook, this, this);
        note_trace_region(trace);
    }
    result
}

fn note_trace_region(bytes: u64) {
    guarded(Start::No, |recorder, _| {
        recorder.words[Counter::TraceRegionSize as usize].store(bytes, Ordering::Relaxed);
    });
}

/// Registers a mesh, its chips, its allocator and those of its devices.
fn note_mesh(hook: Hook, mesh: u64, implementation: u64) {
    guarded(Start::Yes, |recorder, thread| {
        note_call(recorder, hook);
        let ids = tt_metal::mesh_device_ids(mesh);
        let devices = tt_metal::mesh_devices(mesh);
        let allocator = tt_metal::mesh_allocator(mesh);
        if let Some(_lock) = lock_registry(recorder) {
            let registry = Registry(recorder);
            let chips = registry.chips(&ids);
            registry.mesh(mesh, implementation, chips);
            if allocator != 0
                && let Some(index) =
                    enter_allocator(recorder, allocator, AllocatorRole::Mesh, chips)
            {
                note_l1(recorder, index, allocator, mesh);
            }
            for (id, device) in ids.iter().zip(&devices) {
                if let Some(allocator) = registry.device_allocator(*device) {
                    let chips = registry.chips(&[*id]);
                    enter_allocator(recorder, allocator, AllocatorRole::Device, chips);
                }
            }
        }
        let now = circumstances(recorder, thread, NOWHERE);
        recorder.happened(EventKind::MeshOpened, Tags::NO_ALLOCATOR, mesh, now);
        thread::wake(recorder.process);
    });
}

/// Notes where L1 begins and ends, and the grid of worker cores.
fn note_l1(recorder: Recorder<'_>, index: u8, allocator: u64, mesh: u64) {
    let grid = program_api::grid(mesh).map(|(columns, rows)| pair(columns, rows));
    for (word, value) in [
        (AllocatorWord::L1Base, tt_metal::l1_base(allocator)),
        (AllocatorWord::L1Size, program_api::l1_size(mesh).map(u64::from)),
        (AllocatorWord::Grid, grid),
    ] {
        let value = value.unwrap_or(0);
        recorder.words[allocator_word(index) + word as usize].store(value, Ordering::Relaxed);
    }
}

/// `MeshDevice::close`.
pub(in crate::ffi) fn close_mesh(hook: Hook, real: impl FnOnce(u64) -> u64, this: u64) -> u64 {
    guarded(Start::No, |recorder, thread| {
        note_call(recorder, hook);
        if let Some(_lock) = lock_registry(recorder) {
            recorder.chips_cleared(Registry(recorder).chips_only_of(this));
            Registry(recorder).forget_mesh(this);
        }
        let now = circumstances(recorder, thread, NOWHERE);
        recorder.happened(EventKind::MeshClosed, Tags::NO_ALLOCATOR, this, now);
    });
    real(this)
}
