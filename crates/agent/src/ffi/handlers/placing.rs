//! Placements of programs in L1: circular buffers, dataflow buffers, the memory of tensors.

use std::sync::atomic::Ordering;

use ttmem_segment::Hook;
use ttmem_segment::layout::Counter;

use super::super::{Start, guarded, program_api};
use super::program::{lock, note_program};
use super::{note, note_call};
use crate::handover::Handover;
use crate::ops::ThreadState;
use crate::programs::{Borrowed, Draft, ProgramSlot};
use crate::recorder::Recorder;

/// Puts this thread into the placing of a program's buffers until it ends.
struct Placing;

impl Placing {
    fn of(program: u64) -> Self {
        ThreadState::with(|thread| {
            thread.handover.placing.set(program);
            thread.handover.has_placed.set(false);
        });
        Self
    }
}

impl Drop for Placing {
    fn drop(&mut self) {
        ThreadState::with(|thread| thread.handover.placing.set(0));
    }
}

/// `allocate_circular_buffers`: TT-Metal reports each inside, unless they are placed already.
pub(in crate::ffi) fn place_circular_buffers(
    hook: Hook,
    real: impl FnOnce(u64, u64) -> u64,
    this: u64,
    device: u64,
) -> u64 {
    note_program(hook, this, device);
    guarded(Start::No, |recorder, _| recorder.count(Counter::CircularBufferPlacements));
    let placing = Placing::of(this);
    let result = real(this, device);
    drop(placing);
    guarded(Start::No, |recorder, _| note_placed(recorder, this));
    result
}

/// Notes that the circular buffers of a program have addresses from now on.
fn note_placed(recorder: Recorder<'_>, program: u64) {
    let programs = &recorder.process.programs;
    let is_noted = |slot: &ProgramSlot| slot.is_placed.load(Ordering::Relaxed) != 0;
    if programs.find(program).is_some_and(is_noted) {
        return;
    }
    let Some(_lock) = lock(recorder) else { return };
    if let Some(slot) = programs.find_or_add(program) {
        slot.is_placed.store(1, Ordering::Relaxed);
    }
}

/// `track_allocate_cb`: a circular buffer got its address.
#[expect(clippy::too_many_arguments, reason = "they are those of the real function")]
pub(in crate::ffi) fn track_circular_buffer(
    hook: Hook,
    real: impl FnOnce(u64, u64, u64, u64, u64, u64) -> u64,
    this: u64,
    cores: u64,
    address: u64,
    bytes: u64,
    backed: u64,
    device: u64,
) -> u64 {
    guarded(Start::No, |recorder, thread| {
        note_call(recorder, hook);
        note_ranges(recorder, thread.handover.placing.get(), cores);
        let placed = (u32::try_from(address), u32::try_from(bytes));
        if let (Ok(address), Ok(bytes)) = placed
            && backed & 0xff == 0
        {
            add_placement(recorder, &thread.handover, |draft, is_first| {
                if is_first {
                    draft.own.clear();
                }
                // One call for each chip.
                if !draft.own.contains(&(address, bytes)) {
                    draft.own.push((address, bytes));
                }
            });
        }
    });
    real(this, cores, address, bytes, backed, device)
}

/// Notes the ranges of cores of a circular buffer of a program.
fn note_ranges(recorder: Recorder<'_>, program: u64, cores: u64) {
    if program == 0 {
        return;
    }
    let ranges = program_api::ranges_of(cores);
    let Some(_lock) = lock(recorder) else { return };
    if let Some(slot) = recorder.process.programs.find_or_add(program) {
        slot.with_draft(|draft| {
            for range in ranges {
                if !draft.ranges.contains(&range) {
                    draft.ranges.push(range);
                }
            }
        });
    }
}

/// `allocate_dataflow_buffers`: TT-Metal marks the memory of each inside, unless they are placed already.
pub(in crate::ffi) fn place_dataflow_buffers(
    hook: Hook,
    real: impl FnOnce(u64, u64) -> u64,
    this: u64,
    device: u64,
) -> u64 {
    struct Dataflow(Placing);
    impl Drop for Dataflow {
        fn drop(&mut self) {
            ThreadState::with(|thread| thread.handover.is_dataflow.set(false));
        }
    }
    note(hook);
    let dataflow = Dataflow(Placing::of(this));
    ThreadState::with(|thread| thread.handover.is_dataflow.set(true));
    let result = real(this, device);
    drop(dataflow);
    result
}

/// `mark_address`: memory of the cores of a list of placements is taken.
pub(in crate::ffi) fn mark_address(
    hook: Hook,
    real: impl FnOnce(u64, u64, u64, u64) -> u64,
    this: u64,
    address: u64,
    bytes: u64,
    base: u64,
) -> u64 {
    guarded(Start::No, |recorder, thread| {
        note_call(recorder, hook);
        let handover = &thread.handover;
        if !handover.is_dataflow.get() || handover.placing.get() == 0 {
            return;
        }
        let placed = (u32::try_from(address), u32::try_from(bytes));
        if let (Ok(address), Ok(bytes)) = placed
            && let Some(cores) = program_api::range_of_allocator(this)
        {
            add_placement(recorder, handover, |draft, is_first| {
                if is_first {
                    draft.dataflow.clear();
                }
                draft.dataflow.push((cores, address, bytes));
            });
        }
    });
    real(this, address, bytes, base)
}

/// Changes the draft of the program that is being placed; says whether it is the first change since the placing began.
fn add_placement(
    recorder: Recorder<'_>,
    handover: &Handover,
    change: impl FnOnce(&mut Draft, bool),
) {
    let program = handover.placing.get();
    if program == 0 {
        return;
    }
    let Some(_lock) = lock(recorder) else { return };
    if let Some(slot) = recorder.process.programs.find_or_add(program) {
        slot.changed.store(1, Ordering::Relaxed);
        slot.with_draft(|draft| change(draft, !handover.has_placed.replace(true)));
    }
}

/// `AttachBorrowedDFBBuffers`: dataflow buffers get the memory of tensors.
pub(in crate::ffi) fn attach_tensors(
    hook: Hook,
    real: impl FnOnce(u64, u64, u64) -> u64,
    program: u64,
    tensors: u64,
    flag: u64,
) -> u64 {
    let result = real(program, tensors, flag);
    guarded(Start::No, |recorder, _| {
        note_call(recorder, hook);
        let bindings = program_api::borrowed_bindings(program);
        if bindings.is_empty() {
            return;
        }
        let tensors = program_api::named_tensors(tensors);
        let borrowed: Vec<Borrowed> = bindings
            .iter()
            .filter_map(|(object, name)| {
                let (_, tensor) = tensors.iter().find(|(held, _)| held == name)?;
                let (address, bytes) = program_api::tensor_memory(*tensor)?;
                Some(Borrowed { object: *object, address, bytes })
            })
            .collect();
        let Some(_lock) = lock(recorder) else { return };
        let Some(slot) = recorder.process.programs.find_or_add(program) else { return };
        slot.with_draft(|draft| {
            if draft.borrowed != borrowed {
                draft.borrowed = borrowed;
                slot.changed.store(1, Ordering::Relaxed);
            }
        });
    });
    result
}

/// `AttachBorrowedDFBBuffers` before 0.76, which gets the tensors in a form that cannot be read: a program with a dataflow
/// buffer that is the memory of a tensor has no known footprint.
pub(in crate::ffi) fn attach_arguments(
    hook: Hook,
    real: impl FnOnce(u64, u64, u64) -> u64,
    program: u64,
    arguments: u64,
    count: u64,
) -> u64 {
    let result = real(program, arguments, count);
    note(hook);
    if !program_api::borrowed_bindings(program).is_empty() {
        give_up(program);
    }
    result
}

/// Notes that a program places something that is not known.
fn give_up(program: u64) {
    guarded(Start::No, |recorder, _| {
        let Some(_lock) = lock(recorder) else { return };
        if let Some(slot) = recorder.process.programs.find_or_add(program) {
            slot.changed.store(1, Ordering::Relaxed);
            slot.with_draft(|draft| draft.is_unknown = true);
        }
    });
}

/// `UpdateCircularBufferTotalSize`.
pub(in crate::ffi) fn update_size(
    hook: Hook,
    real: impl FnOnce(u64, u64, u64) -> u64,
    program: u64,
    handle: u64,
    size: u64,
) -> u64 {
    note_change(hook, program);
    real(program, handle, size)
}

/// `UpdateDynamicCircularBufferAddressAndTotalSize`.
pub(in crate::ffi) fn update_address_and_size(
    hook: Hook,
    real: impl FnOnce(u64, u64, u64, u64) -> u64,
    program: u64,
    handle: u64,
    buffer: u64,
    size: u64,
) -> u64 {
    note_change(hook, program);
    real(program, handle, buffer, size)
}

/// Notes that a circular buffer of a program gets another size: the placements are read again at its next dispatch.
fn note_change(hook: Hook, program: u64) {
    note(hook);
    guarded(Start::No, |recorder, _| {
        let implementation = program_api::implementation(program);
        let slot = implementation.and_then(|program| recorder.process.programs.find(program));
        if let Some(slot) = slot {
            slot.changed.store(1, Ordering::Relaxed);
        }
    });
}
