//! Programs: what they place in L1, when they are handed to a command queue, and why TT-Metal refuses one.

use std::sync::atomic::Ordering;

use ttmem_segment::entry::Tags;
use ttmem_segment::layout::Counter;
use ttmem_segment::name::NAME_BYTES;
use ttmem_segment::owner::halves;
use ttmem_segment::program::{FootprintEntry, PartEntry};
use ttmem_segment::{CoreRange, Hook, NameSource, PartKind};

use super::super::{Start, circumstances, guarded, kernel_api, program_api, system, tt_metal};
use super::{note, note_call, stack_of};
use crate::handover::Handover;
use crate::names;
use crate::ops::ThreadState;
use crate::process::SpinGuard;
use crate::programs::{Borrowed, Draft, Mark, ProgramSlot, mix, placed_marks};
use crate::recorder::{Circumstances, Counts, Recorder, Tensors};
use crate::registry::Registry;

/// Rounds of waiting for the lock of the programs: it is held for microseconds.
const PATIENCE: u32 = 20_000;

/// Takes the lock of the programs.
pub(super) fn lock(recorder: Recorder<'_>) -> Option<SpinGuard<'_>> {
    recorder.process.programs_lock.lock(PATIENCE, system::pause)
}

/// `track_program`: an op announces a program of the workload that it will enqueue.
pub(in crate::ffi) fn track_program(
    hook: Hook,
    real: impl FnOnce(u64, u64, u64) -> u64,
    this: u64,
    program: u64,
    device: u64,
) -> u64 {
    note(hook);
    ThreadState::with(|thread| {
        let handover = &thread.handover;
        handover.new_announced.set(handover.new_announced.get() + 1);
        handover.announced.add(program);
        handover.device.set(device);
    });
    real(this, program, device)
}

/// `EnqueueMeshWorkload`: when it returns, the workload's programs are dispatched.
pub(in crate::ffi) fn enqueue(
    hook: Hook,
    real: impl FnOnce(u64, u64, u64) -> u64,
    queue: u64,
    workload: u64,
    blocking: u64,
) -> u64 {
    /// Ends the handover, whether the real function returns or throws.
    struct Scope;
    impl Drop for Scope {
        fn drop(&mut self) {
            ThreadState::with(|thread| thread.handover.end());
        }
    }
    let marker = 0_u8;
    let stack = stack_of(&marker);
    ThreadState::with(|thread| thread.handover.begin());
    let scope = Scope;
    let result = real(queue, workload, blocking);
    guarded(Start::No, |recorder, thread| {
        note_call(recorder, hook);
        let now = circumstances(recorder, thread, stack);
        hand_over(recorder, &thread.handover, workload, now);
    });
    drop(scope);
    result
}

/// Records the dispatch of every program of a workload.
#[inline(always)]
fn hand_over(recorder: Recorder<'_>, handover: &Handover, workload: u64, now: Circumstances) {
    let mut counts = Counts {
        workloads: 1,
        announced: handover.new_announced.replace(0),
        loads: handover.loads.replace(0),
    };
    let compiled = handover.compiled.len();
    let expected = program_api::programs_of(workload).unwrap_or(compiled);
    if compiled == expected {
        for program in handover.compiled.iter() {
            dispatch(recorder, handover, (program, workload), std::mem::take(&mut counts), now);
        }
        if counts != Counts::default() {
            recorder.count_workloads(counts);
        }
        return;
    }
    recorder.count_workloads(counts);
    hand_over_announced(recorder, handover, workload, expected, now);
}

/// Hands over a workload of several programs, some of which others compiled: its programs are those that the op
/// announced.
#[cold]
fn hand_over_announced(
    recorder: Recorder<'_>,
    handover: &Handover,
    workload: u64,
    expected: usize,
    now: Circumstances,
) {
    let mut dispatched = 0;
    for object in handover.announced.iter() {
        if program_api::is_in_workload(workload, object)
            && let Some(program) = program_api::implementation(object)
            && recorder.process.programs.find(program).is_some()
        {
            dispatch(recorder, handover, (program, workload), Counts::default(), now);
            dispatched += 1;
        }
    }
    let tensors = Tensors::default();
    (dispatched..expected).for_each(|_| recorder.dispatched_unknown(tensors, now));
}

/// Records a dispatch of a program of a workload: a few stores for a program that was dispatched before and places what it
/// placed then.
#[inline(always)]
fn dispatch(
    recorder: Recorder<'_>,
    handover: &Handover,
    (program, workload): (u64, u64),
    counts: Counts,
    now: Circumstances,
) {
    let device = handover.device.get();
    let known = recorder.process.programs.find(program).and_then(|slot| {
        let index = slot.footprint.load(Ordering::Relaxed).checked_sub(1)?;
        let is_same = slot.device.load(Ordering::Relaxed) == device
            && slot.changed.load(Ordering::Relaxed) == 0
            && (slot.has_backed.load(Ordering::Relaxed) == 0
                || slot.addresses.load(Ordering::Relaxed) == program_api::addresses(program));
        is_same.then(|| (index, slot.allocator.load(Ordering::Relaxed)))
    });
    let (index, allocator) = match known {
        Some((index, allocator)) => (Some(index), allocator),
        None => refresh(recorder, handover, program, workload, now),
    };
    let tensors = recorder.tensors(allocator, program_api::lowest_l1);
    let is_captured = recorder.process.capturing.load(Ordering::Relaxed) != 0
        && super::trace::capture(recorder, device, index, tensors, now);
    match index {
        Some(index) if !is_captured => recorder.dispatched(index, counts, tensors, now),
        _ => {
            recorder.count_workloads(counts);
            if !is_captured {
                recorder.dispatched_unknown(tensors, now);
            }
        }
    }
}

/// Finds or records the footprint of a program that is new, or places something else than before. Returns its index and
/// the allocator of the L1 buffers.
#[cold]
fn refresh(
    recorder: Recorder<'_>,
    handover: &Handover,
    program: u64,
    workload: u64,
    now: Circumstances,
) -> (Option<u32>, u8) {
    let device = handover.device.get();
    let Some(_lock) = lock(recorder) else { return (None, u8::MAX) };
    let Some(slot) = recorder.process.programs.find_or_add(program) else {
        return (None, u8::MAX);
    };
    if slot.is_placed.load(Ordering::Relaxed) == 0 {
        return (None, u8::MAX);
    }
    let registry = Registry(recorder);
    let mesh = registry.find_mesh(device);
    let allocator = mesh
        .map(|(mesh, _)| tt_metal::mesh_allocator(mesh))
        .filter(|allocator| *allocator != 0)
        .and_then(|allocator| recorder.process.allocator_index(allocator))
        .unwrap_or(u8::MAX);
    // An announced program may be gone, unless it is in the workload.
    let objects = handover.announced.iter();
    let object = { objects }.find(|object| {
        program_api::is_in_workload(workload, *object)
            && program_api::implementation(*object) == Some(program)
    });
    let (mesh, mut chips) = mesh.unwrap_or((0, 0));
    let devices = object.and_then(|object| program_api::devices_of(workload, mesh, object));
    let own = devices.map_or(0, |devices| registry.chips_of(&devices));
    if own != 0 {
        chips = own;
    }
    let addresses = program_api::addresses(program);
    let placement = mix(addresses, device);
    let changed = slot.changed.swap(0, Ordering::Relaxed) != 0;
    let index = slot.with_draft(|draft| {
        if changed {
            draft.forget_recent();
        }
        if let Some(index) = draft.recent(placement) {
            return Some(index);
        }
        let index = record(recorder, slot, draft, Target { program, mesh, chips }, now)?;
        draft.remember(placement, index);
        Some(index)
    });
    slot.device.store(device, Ordering::Relaxed);
    slot.addresses.store(addresses, Ordering::Relaxed);
    slot.allocator.store(allocator, Ordering::Relaxed);
    slot.footprint.store(index.map_or(0, |index| index + 1), Ordering::Relaxed);
    (index, allocator)
}

/// A program and where it runs.
#[derive(Clone, Copy)]
pub(super) struct Target {
    program: u64,
    mesh: u64,
    chips: u128,
}

impl Target {
    /// A program on all chips of a device or mesh.
    pub(super) fn new(recorder: Recorder<'_>, program: u64, device: u64) -> Self {
        let (mesh, chips) = Registry(recorder).find_mesh(device).unwrap_or((0, 0));
        Self { program, mesh, chips }
    }
}

/// Records a footprint, or finds an equal one. The caller holds the lock of the programs.
pub(super) fn record(
    recorder: Recorder<'_>,
    slot: &ProgramSlot,
    draft: &Draft,
    target: Target,
    now: Circumstances,
) -> Option<u32> {
    let Target { program, mesh, chips } = target;
    if draft.is_unknown || !program_api::lists_circular_buffers() {
        recorder.count(Counter::FootprintsDropped);
        return None;
    }
    let Some(mut parts) = placements(program, draft) else {
        recorder.count(Counter::FootprintsDropped);
        return None;
    };
    let has_backed = parts.iter().any(|part| part.is_backed);
    slot.has_backed.store(u8::from(has_backed), Ordering::Relaxed);
    let first_device = tt_metal::mesh_devices(mesh).first().copied();
    add_kernels(recorder, program, first_device, &mut parts);
    let first_core = parts.first().map(|part| part.cores.start);
    let mut key = halves(chips).into_iter().fold(1, mix);
    key = mix(key, u64::from(now.name));
    for part in &parts {
        key = part.to_words().into_iter().fold(key, mix);
    }
    let entry = FootprintEntry {
        key: key.max(1),
        program: program_api::program_id(program),
        chips,
        time: now.time,
        first_part: 0,
        parts: 0,
        name: now.name,
        thread: now.thread,
        config_bytes: program_api::config_bytes(program),
        semaphore_bytes: first_core.and_then(|core| program_api::semaphore_bytes(program, core)),
        pointer: program,
    };
    recorder.footprint(&entry, &parts)
}

/// The placements of a program, one part for each rectangle of cores; `None` if it is not known where a dataflow buffer is.
pub(super) fn placements(program: u64, draft: &Draft) -> Option<Vec<PartEntry>> {
    let mut parts = Vec::new();
    for buffer in program_api::circular_buffers(program) {
        let is_backed = !draft.own.contains(&(buffer.address, buffer.bytes));
        let part = part(PartKind::CircularBuffer, buffer.address, buffer.bytes);
        let part = PartEntry { is_backed, ..part };
        parts.extend(buffer.cores.iter().map(|cores| PartEntry { cores: *cores, ..part }));
    }
    for (cores, address, bytes) in dataflow_buffers(program, draft)? {
        parts.push(PartEntry { cores, ..part(PartKind::DataflowBuffer, address, bytes) });
    }
    for Borrowed { object, address, bytes } in &draft.borrowed {
        let part = part(PartKind::DataflowBuffer, *address, *bytes);
        let cores = program_api::dataflow_cores(program, *object);
        let backed = |cores| PartEntry { cores, is_backed: true, ..part };
        parts.extend(cores.into_iter().map(backed));
    }
    for scratchpad in kernel_api::scratchpads(program) {
        let part = part(PartKind::Scratchpad, scratchpad.address, scratchpad.bytes);
        parts.extend(scratchpad.cores.iter().map(|cores| PartEntry { cores: *cores, ..part }));
    }
    Some(parts)
}

/// The placements of the dataflow buffers that TT-Metal placed itself.
fn dataflow_buffers(program: u64, draft: &Draft) -> Option<Vec<Mark>> {
    if draft.dataflow.is_empty() {
        return Some(Vec::new());
    }
    // Where the marks are of ranges that share no cores, each is a placement.
    let ranges = program_api::dataflow_ranges(program);
    let is_apart =
        |range: &CoreRange| ranges.iter().filter(|other| range.intersects(**other)).count() == 1;
    if draft.dataflow.iter().all(|(cores, ..)| ranges.contains(cores) && is_apart(cores)) {
        return Some(draft.dataflow.clone());
    }
    let borrowed: Vec<u64> = draft.borrowed.iter().map(|buffer| buffer.object).collect();
    placed_marks(&draft.dataflow, &program_api::other_dataflow_buffers(program, &borrowed))
}

fn part(kind: PartKind, address: u32, bytes: u32) -> PartEntry {
    PartEntry {
        kind,
        is_backed: false,
        has_bytes: true,
        core_type: 0,
        name: 0,
        address,
        bytes,
        cores: CoreRange { start: (0, 0), end: (0, 0) },
        footprint: 0,
    }
}

fn add_kernels(
    recorder: Recorder<'_>,
    program: u64,
    device: Option<u64>,
    parts: &mut Vec<PartEntry>,
) {
    for kernel in kernel_api::kernels(program, device) {
        let text = &kernel.name[..kernel.name.len().min(NAME_BYTES)];
        let name = match text {
            [] => 0,
            text => names::intern(recorder, NameSource::Context, text),
        };
        let part = part(PartKind::Kernel, 0, kernel.text.unwrap_or(0));
        let part = PartEntry { name, has_bytes: kernel.text.is_some(), ..part };
        parts.extend(kernel.cores.iter().map(|cores| PartEntry { cores: *cores, ..part }));
    }
}

/// `compile_and_allocate`: a program of the workload that is being enqueued, also if nothing is left to do.
pub(in crate::ffi) fn compile(
    hook: Hook,
    real: impl FnOnce(u64, u64, u64) -> u64,
    this: u64,
    device: u64,
    force: u64,
) -> u64 {
    note_program(hook, this, device);
    real(this, device, force)
}

/// Notes a program of the workload that is being enqueued on this thread.
#[inline]
pub(super) fn note_program(hook: Hook, program: u64, device: u64) {
    note(hook);
    ThreadState::with(|thread| {
        let handover = &thread.handover;
        if handover.is_enqueueing.get() {
            handover.device.set(device);
            handover.compiled.add(program);
        }
    });
}

/// `~ProgramImpl`: its address may be another program's next.
pub(in crate::ffi) fn destroy_program(hook: Hook, real: impl FnOnce(u64) -> u64, this: u64) -> u64 {
    guarded(Start::No, |recorder, thread| {
        note_call(recorder, hook);
        recorder.count(Counter::ProgramsDestroyed);
        if recorder.process.programs.find(this).is_none() {
            return;
        }
        let Some(_lock) = lock(recorder) else { return };
        if let Some(index) = recorder.process.programs.remove(this) {
            let now = circumstances(recorder, thread, super::super::NOWHERE);
            recorder.footprint_destroyed(index, now.time);
        }
    });
    real(this)
}

const _: () = assert!(Tags::NO_ALLOCATOR == u8::MAX, "255 is no allocator");
