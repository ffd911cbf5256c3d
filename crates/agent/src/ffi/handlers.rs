//! The actions of the hooks: here on buffers and allocators.
//!
//! Each gets the real function as `real`, which throws what TT-Metal throws, and calls it once.

mod device;
mod placing;
mod program;
mod refusal;
mod tensor;
mod trace;
mod work;

use std::sync::atomic::Ordering;

use ttmem_segment::layout::{Counter, KindWord};
use ttmem_segment::{AllocatorKind, AllocatorRole, EventKind, Hook, Origin, Statistics};

use super::{
    NOWHERE, Start, circumstances, guarded, mapping, python, recording, system, thread, tt_metal,
    unnamed_circumstances,
};
use crate::ops::ThreadState;
use crate::process::{SpinGuard, UnderWay, per_core};
use crate::recorder::{Circumstances, Recorder, kind_block};
use crate::registry::{KindShape, NewAllocator, Registry};

pub(super) use device::{
    close_device, close_mesh, create_allocator, legacy_open_mesh, open_device, open_mesh,
    sub_devices,
};
pub(super) use placing::{
    attach_arguments, attach_tensors, mark_address, place_circular_buffers, place_dataflow_buffers,
    track_circular_buffer, update_address_and_size, update_size,
};
pub(super) use program::{compile, destroy_program, enqueue, track_program};
pub(super) use refusal::{add_ring, finalize, finalize_kernels, validate};
pub(super) use tensor::new_tensor;
pub(super) use trace::{begin_trace, end_trace, release_trace, replay_trace, write_trace};
pub(super) use work::{
    chip_unique_ids, known_site, load_binaries, new_site, pop_context, push_context,
};

/// Rounds of waiting for the registry's lock, which is never held for long.
const REGISTRY_PATIENCE: u32 = 20_000;
/// Rounds that a destructor waits for the sleeping thread to finish its question: seconds.
const DESTROY_PATIENCE: u32 = 50_000;

/// `allocate_buffer`: the buffer counts once the real function has returned, as a failure if it throws.
pub(super) fn allocate(
    hook: Hook,
    real: impl FnOnce(u64, u64) -> u64,
    this: u64,
    buffer: u64,
) -> u64 {
    let marker = 0_u8;
    let stack = stack_of(&marker);
    let failure = FailedAllocation { this, buffer, stack };
    let _under_way = expect_change(buffer);
    let address = real(this, buffer);
    std::mem::forget(failure);
    guarded(Start::Yes, |recorder, thread| {
        note_call(recorder, hook);
        let Some(allocator) = holder_index(recorder, this, buffer) else { return };
        let slot = &recorder.process.allocators[usize::from(allocator)];
        let Some(facts) = tt_metal::buffer(buffer, address, slot) else { return };
        if !slot.has_seen(facts.kind) {
            first_of_kind(recorder, allocator, this, facts.kind);
        }
        let block = kind_block(allocator, facts.kind);
        thread.block.set(u32::try_from(block).unwrap_or(0));
        let now = allocating(recorder, thread, stack);
        thread.allocated.set(recorder.allocated(allocator, &facts, now));
        if thread.origin.get() == Origin::Trace {
            thread.trace_bytes.set(thread.trace_bytes.get() + facts.bytes_per_bank);
        }
        thread::wake(recorder.process);
    });
    address
}

/// Returns the circumstances of an allocation, for a call from this stack address.
#[inline(always)]
fn allocating(recorder: Recorder<'_>, thread: &ThreadState, stack: usize) -> Circumstances {
    let here = python::here(recorder, thread.context().is_none());
    let name = thread.allocating_name(stack, || here.op);
    Circumstances { stack: here.stack, name, ..unnamed_circumstances(recorder.process, thread) }
}

/// Fetches what the change of a buffer will write, and marks the call as under way.
#[inline(always)]
fn expect_change(buffer: u64) -> Option<UnderWay<'static>> {
    let process = recording(Start::No)?;
    let block = ThreadState::with(|thread| thread.block.get()) as usize;
    Recorder { process, words: mapping::words(process) }.expect_change(buffer, block);
    Some(process.begin_call())
}

/// Records a failure when it is dropped: that happens when the real function threw.
struct FailedAllocation {
    this: u64,
    buffer: u64,
    stack: usize,
}

impl Drop for FailedAllocation {
    fn drop(&mut self) {
        let Self { this, buffer, stack } = *self;
        guarded(Start::Yes, |recorder, thread| {
            let Some(allocator) = allocator_index(recorder, this, buffer) else { return };
            let slot = &recorder.process.allocators[usize::from(allocator)];
            let Some(mut facts) = tt_metal::buffer(buffer, 0, slot) else { return };
            // The allocator is asked on this thread, for its numbers are of use only at this very moment. It has
            // unlocked itself while the exception passed.
            let ask = |kind| tt_metal::statistics(this, kind, 0).unwrap_or_default();
            let mut statistics = ask(facts.kind);
            // A buffer without an address does not tell L1 and L1_SMALL apart before 0.80. It was the one without room.
            let fits = |told: Statistics| told.largest_free >= facts.bytes_per_bank;
            if slot.l1_small_start.load(Ordering::Relaxed) != 0
                && facts.kind == AllocatorKind::L1
                && fits(statistics)
            {
                let small = ask(AllocatorKind::L1Small);
                if !fits(small) {
                    (facts.kind, statistics) = (AllocatorKind::L1Small, small);
                }
            }
            let (facts, banks) = tt_metal::refused(this, &facts);
            let now = allocating(recorder, thread, stack);
            recorder.failed(
                allocator,
                &facts,
                (Statistics { time: now.time, ..statistics }, banks),
                now,
            );
        });
    }
}

/// `deallocate_buffer`: the buffer is gone before the real function is called. Another thread may get its address as soon
/// as that returns, and the sums must never be too large.
pub(super) fn free(hook: Hook, real: impl FnOnce(u64, u64) -> u64, this: u64, buffer: u64) -> u64 {
    let marker = 0_u8;
    let stack = stack_of(&marker);
    let _under_way = expect_change(buffer);
    guarded(Start::No, |recorder, thread| {
        note_call(recorder, hook);
        let now = circumstances(recorder, thread, stack);
        recorder.freed(buffer, now, || {
            recorder.process.allocator_index(this)?;
            let allocator = holder_index(recorder, this, buffer)?;
            let slot = &recorder.process.allocators[usize::from(allocator)];
            Some((allocator, tt_metal::buffer(buffer, tt_metal::address(buffer), slot)?))
        });
        thread::wake(recorder.process);
    });
    real(this, buffer)
}

/// `deallocate_buffers`, `clear`: all buffers of the allocator are gone.
pub(super) fn free_all(hook: Hook, real: impl FnOnce(u64) -> u64, this: u64) -> u64 {
    drop_buffers(hook, this);
    real(this)
}

/// `override_state`: what the allocator held is gone.
pub(super) fn override_state(
    hook: Hook,
    real: impl FnOnce(u64, u64) -> u64,
    this: u64,
    state: u64,
) -> u64 {
    drop_buffers(hook, this);
    real(this, state)
}

fn drop_buffers(hook: Hook, this: u64) {
    guarded(Start::No, |recorder, thread| {
        note_call(recorder, hook);
        for allocator in recorder.process.allocator_indexes(this) {
            recorder.all_freed(allocator, this, circumstances(recorder, thread, NOWHERE));
            recorder.process.allocators[usize::from(allocator)].note_change();
            thread::wake(recorder.process);
        }
    });
}

/// The destructor: the allocator is not queried from here on.
pub(super) fn destroy_allocator(hook: Hook, real: impl FnOnce(u64) -> u64, this: u64) -> u64 {
    guarded(Start::No, |recorder, thread| {
        note_call(recorder, hook);
        for allocator in recorder.process.allocator_indexes(this) {
            let now = circumstances(recorder, thread, NOWHERE);
            recorder.all_freed(allocator, this, now);
            // The sleeping thread may be asking this allocator. It does not ask again, whether it finished in time or not.
            let asking = recorder.process.statistics_lock.lock(DESTROY_PATIENCE, system::pause);
            if let Some(_registry) = lock_registry(recorder) {
                Registry(recorder).destroyed(allocator, now.time);
            }
            drop(asking);
            recorder.happened(EventKind::AllocatorDestroyed, allocator, this, now);
        }
    });
    real(this)
}

/// Index of an allocator; enters it if it is new. `None` if there is no room.
#[inline]
fn allocator_index(recorder: Recorder<'_>, allocator: u64, buffer: u64) -> Option<u8> {
    recorder
        .process
        .allocator_index(allocator)
        .or_else(|| find_allocator(recorder, allocator, buffer))
}

/// Index of the allocator that a buffer's bytes are counted in; enters it if it is new. `None` if there is no room.
#[inline]
fn holder_index(recorder: Recorder<'_>, allocator: u64, buffer: u64) -> Option<u8> {
    let index = allocator_index(recorder, allocator, buffer)?;
    let role = recorder.process.allocators[usize::from(index)].role.load(Ordering::Relaxed);
    if role == AllocatorRole::Device as u8 {
        return per_core_index(recorder, index, allocator, buffer);
    }
    Some(index)
}

/// Returns the index of the allocator that a buffer of a device is counted in: for a buffer that single cores
/// allocated, the device's allocator of buffers on as many cores; for any other, the device's allocator.
#[cold]
fn per_core_index(recorder: Recorder<'_>, device: u8, allocator: u64, buffer: u64) -> Option<u8> {
    let Some(cores) = tt_metal::own_cores(buffer) else { return Some(device) };
    let key = per_core(allocator, cores);
    if let Some(index) = recorder.process.allocator_index(key) {
        return Some(index);
    }
    let _lock = lock_registry(recorder)?;
    let known = recorder.process.allocator_index(key);
    known.or_else(|| Registry(recorder).per_core(device, key, cores, system::coarse_time()))
}

/// An unannounced allocator: finds its owner from the meshes, then from the buffer.
#[cold]
fn find_allocator(recorder: Recorder<'_>, allocator: u64, buffer: u64) -> Option<u8> {
    let _lock = lock_registry(recorder)?;
    let registry = Registry(recorder);
    if let Some(index) = recorder.process.allocator_index(allocator) {
        return Some(index);
    }
    let owner = registry.meshes().find(|(mesh, _)| tt_metal::mesh_allocator(*mesh) == allocator);
    if let Some((_, chips)) = owner {
        return enter_allocator(recorder, allocator, AllocatorRole::Mesh, chips);
    }
    match registry.find_mesh(tt_metal::device(buffer)) {
        Some((_, chips)) => enter_allocator(recorder, allocator, AllocatorRole::SubDevice, chips),
        None => enter_allocator(recorder, allocator, AllocatorRole::Unknown, 0),
    }
}

/// Enters an allocator with its own statistics. The caller holds the registry's lock.
fn enter_allocator(
    recorder: Recorder<'_>,
    allocator: u64,
    role: AllocatorRole,
    chips: u128,
) -> Option<u8> {
    let is_whole = matches!(role, AllocatorRole::Mesh | AllocatorRole::Device);
    let banks = |kind| if is_whole { tt_metal::banks(allocator, kind) } else { 0 };
    let new = recorder.process.allocator_index(allocator).is_none();
    let index = Registry(recorder).allocator(&NewAllocator {
        pointer: allocator,
        role,
        chips,
        kinds: AllocatorKind::ALL.map(|kind| KindShape { banks: banks(kind) }),
        l1_small_start: if is_whole && !tt_metal::tells_kinds() {
            tt_metal::l1_small_start(allocator)
        } else {
            0
        },
        alignments: tt_metal::alignments(allocator),
        time: system::coarse_time(),
    })?;
    if new {
        ThreadState::with(|thread| {
            let now = circumstances(recorder, thread, NOWHERE);
            recorder.happened(EventKind::AllocatorSeen, index, allocator, now);
        });
    }
    Some(index)
}

/// Records the first buffer of its kind: the allocator is now known to have such a region.
#[cold]
fn first_of_kind(recorder: Recorder<'_>, index: u8, allocator: u64, kind: AllocatorKind) {
    let seen = &recorder.process.allocators[usize::from(index)].kinds_seen;
    seen.fetch_or(1 << kind as u8, Ordering::Relaxed);
    let word = &recorder.words[kind_block(index, kind) + KindWord::Banks as usize];
    if word.load(Ordering::Relaxed) == 0 {
        word.store(tt_metal::banks(allocator, kind), Ordering::Relaxed);
    }
}

fn lock_registry(recorder: Recorder<'_>) -> Option<SpinGuard<'_>> {
    recorder.process.registry_lock.lock(REGISTRY_PATIENCE, system::pause)
}

/// True if a call of the hook was noted: then there is nothing to record but the work of this thread.
#[inline(always)]
fn is_noted(hook: Hook) -> bool {
    recording(Start::No)
        .is_some_and(|process| process.called.load(Ordering::Relaxed) & hook.bit() != 0)
}

/// Notes that a hook was called, where nothing else is to be recorded.
#[inline(always)]
fn note(hook: Hook) {
    if !is_noted(hook) {
        guarded(Start::No, |recorder, _| note_call(recorder, hook));
    }
}

/// Notes that a hook was called.
#[inline]
fn note_call(recorder: Recorder<'_>, hook: Hook) {
    if recorder.process.called.load(Ordering::Relaxed) & hook.bit() == 0 {
        note_first_call(recorder, hook);
    }
}

#[cold]
fn note_first_call(recorder: Recorder<'_>, hook: Hook) {
    recorder.process.called.fetch_or(hook.bit(), Ordering::Relaxed);
    recorder.words[Counter::HooksCalled as usize].fetch_or(hook.bit(), Ordering::Relaxed);
}

/// Returns the address of a local variable: about the stack pointer of its function.
#[inline]
fn stack_of(local: &u8) -> usize {
    std::ptr::from_ref(local) as usize
}
