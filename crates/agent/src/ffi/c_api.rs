//! The C functions that a process calls on its own agent: see `include/ttmem_agent.h` for each.

use std::ffi::{CStr, c_char};
use std::sync::atomic::Ordering;

use ttmem_segment::entry::Tags;
use ttmem_segment::{AllocatorKind, EventKind, NameSource};

use super::{NOWHERE, Start, circumstances, guarded, mapping, recording};
use crate::names;
use crate::ops::ThreadState;
use crate::query::{L1Peak, Query, Use};
use crate::recorder::Recorder;

/// Version of the C interface: grows when something is added.
const ABI_VERSION: u32 = 2;

#[unsafe(no_mangle)]
extern "C" fn ttmem_abi_version() -> u32 {
    ABI_VERSION
}

#[unsafe(no_mangle)]
extern "C" fn ttmem_is_recording() -> i32 {
    i32::from(recording(Start::No).is_some())
}

#[unsafe(no_mangle)]
extern "C" fn ttmem_memory_allocated(chip: i32, kind: i32) -> u64 {
    ask(chip, kind).live
}

#[unsafe(no_mangle)]
extern "C" fn ttmem_max_memory_allocated(chip: i32, kind: i32) -> u64 {
    ask(chip, kind).peak
}

#[unsafe(no_mangle)]
extern "C" fn ttmem_max_l1_allocated(chip: i32) -> u64 {
    l1_peak(chip).chip
}

#[unsafe(no_mangle)]
extern "C" fn ttmem_max_l1_per_core(chip: i32) -> u64 {
    l1_peak(chip).core
}

#[unsafe(no_mangle)]
extern "C" fn ttmem_buffer_count(chip: i32, kind: i32) -> u64 {
    ask(chip, kind).buffers
}

#[unsafe(no_mangle)]
extern "C" fn ttmem_memory_capacity(chip: i32, kind: i32) -> u64 {
    ask(chip, kind).capacity
}

#[unsafe(no_mangle)]
extern "C" fn ttmem_reset_peak(chip: i32) {
    guarded(Start::No, |recorder, thread| {
        Query(recorder).reset_peak(u32::try_from(chip).ok());
        let now = circumstances(recorder, thread, NOWHERE);
        recorder.happened(EventKind::PeakReset, Tags::NO_ALLOCATOR, 0, now);
    });
}

#[unsafe(no_mangle)]
extern "C" fn ttmem_chip_count() -> i32 {
    recorder().map_or(0, |recorder| i32::try_from(Query(recorder).chips().count()).unwrap_or(0))
}

/// # Safety
/// `unique_id` is null or can be written to.
#[unsafe(no_mangle)]
unsafe extern "C" fn ttmem_chip(index: i32, unique_id: *mut u64) -> i32 {
    let chip = usize::try_from(index).ok().and_then(|index| Query(recorder()?).chips().nth(index));
    let Some(chip) = chip else { return -1 };
    if !unique_id.is_null() {
        // SAFETY: the caller says that it can be written to.
        unsafe { *unique_id = chip.unique_id.unwrap_or(0) };
    }
    i32::try_from(chip.device).unwrap_or(-1)
}

/// # Safety
/// `path` can be written to for `bytes` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn ttmem_segment_path(path: *mut c_char, bytes: usize) -> usize {
    let Ok(ticks) = mapping::start_ticks() else { return 0 };
    let Some(process) = recording(Start::No) else { return 0 };
    let number = process.segment_number.load(Ordering::Relaxed);
    let text = mapping::segment_path(std::process::id(), ticks, number);
    let text = text.to_bytes_with_nul();
    if text.len() <= bytes && !path.is_null() {
        // SAFETY: the caller guarantees that this number of bytes can be written; the two do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), path.cast(), text.len()) };
    }
    text.len()
}

/// # Safety
/// `name` is null or ends in a zero.
#[unsafe(no_mangle)]
unsafe extern "C" fn ttmem_push_label(name: *const c_char) {
    // SAFETY: the caller says that it ends in a zero.
    let name = if name.is_null() { c"" } else { unsafe { CStr::from_ptr(name) } };
    let mut pushed = false;
    guarded(Start::No, |recorder, thread| {
        thread.push(names::intern(recorder, NameSource::Label, name.to_bytes()));
        pushed = true;
    });
    if !pushed {
        ThreadState::with(|thread| thread.push(0));
    }
}

#[unsafe(no_mangle)]
extern "C" fn ttmem_pop_label() {
    ThreadState::with(ThreadState::pop);
}

fn ask(chip: i32, kind: i32) -> Use {
    let kind = usize::try_from(kind).ok().and_then(|kind| AllocatorKind::ALL.get(kind));
    match (recorder(), kind) {
        (Some(recorder), Some(kind)) => Query(recorder).kind(u32::try_from(chip).ok(), *kind),
        _ => Use::default(),
    }
}

fn l1_peak(chip: i32) -> L1Peak {
    recorder()
        .map_or_else(L1Peak::default, |recorder| Query(recorder).l1_peak(u32::try_from(chip).ok()))
}

fn recorder() -> Option<Recorder<'static>> {
    let process = recording(Start::No)?;
    Some(Recorder { process, words: mapping::words(process) })
}
