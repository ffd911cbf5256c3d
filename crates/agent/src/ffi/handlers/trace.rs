//! Traces: capture, replay, release.

use std::sync::atomic::Ordering;

use ttmem_segment::layout::Counter;
use ttmem_segment::program::TraceEntry;
use ttmem_segment::{Hook, Origin};

use super::super::{NOWHERE, Start, circumstances, guarded, program_api, tt_metal};
use super::program::lock;
use super::{note_call, refusal};
use crate::ops::{OriginScope, ThreadState};
use crate::process::TraceSlot;
use crate::recorder::{Circumstances, Recorder, Tensors};
use crate::registry::Registry;

/// `begin_mesh_trace`: what is dispatched on the mesh from now on is captured, not run.
pub(in crate::ffi) fn begin_trace(
    hook: Hook,
    real: impl FnOnce(u64, u64, u64) -> u64,
    this: u64,
    queue: u64,
    id: u64,
) -> u64 {
    let result = real(this, queue, id);
    guarded(Start::No, |recorder, thread| {
        note_call(recorder, hook);
        let (mesh, chips) = Registry(recorder).find_mesh(this).unwrap_or((this, 0));
        let Some(_lock) = lock(recorder) else { return };
        let now = circumstances(recorder, thread, NOWHERE);
        let id = tt_metal::trace_id(id);
        let queue = (queue & 0xff) as u8;
        let entry = TraceEntry { serial: 0, id, queue, chips, begun: now.time };
        let serial = recorder.begin_trace(&entry);
        let is_free = |slot: &&TraceSlot| slot.mesh.load(Ordering::Relaxed) == 0;
        if let Some(slot) = recorder.process.traces.iter().find(is_free) {
            slot.mesh.store(mesh, Ordering::Relaxed);
            slot.id.store(id, Ordering::Relaxed);
            slot.serial.store(serial, Ordering::Relaxed);
        }
        drop(recorder.process.captured.take());
        recorder.process.capture.store(serial, Ordering::Relaxed);
        recorder.process.capturing.store(mesh, Ordering::Release);
    });
    result
}

/// Adds a dispatch to the trace that is being captured. False if it is on another mesh.
#[cold]
pub(super) fn capture(
    recorder: Recorder<'_>,
    device: u64,
    index: Option<u32>,
    tensors: Tensors,
    now: Circumstances,
) -> bool {
    let process = recorder.process;
    let (mesh, _) = Registry(recorder).find_mesh(device).unwrap_or((device, 0));
    let Some(_lock) = lock(recorder) else { return false };
    if process.capturing.load(Ordering::Acquire) != mesh {
        return false;
    }
    let mut list = process.captured.take().unwrap_or_default();
    let footprint = index.unwrap_or(u32::MAX);
    let held = list.iter().position(|(held, _)| *held == footprint);
    let dispatches = held.map_or(0, |position| list.remove(position).1);
    list.push((footprint, dispatches + 1));
    process.captured.put(list);
    recorder.captured(index, tensors, now);
    true
}

/// `end_mesh_trace`: writes the trace to the device.
pub(in crate::ffi) fn end_trace(
    hook: Hook,
    real: impl FnOnce(u64, u64, u64) -> u64,
    this: u64,
    queue: u64,
    id: u64,
) -> u64 {
    /// Ends the capture even if the trace is refused.
    struct Scope;
    impl Drop for Scope {
        fn drop(&mut self) {
            guarded(Start::No, |recorder, _| {
                recorder.process.capturing.store(0, Ordering::Release)
            });
        }
    }
    let before = program_api::trace_bytes(this);
    ThreadState::with(|thread| thread.trace_bytes.set(0));
    let scope = Scope;
    let result = real(this, queue, id);
    drop(scope);
    guarded(Start::No, |recorder, thread| {
        note_call(recorder, hook);
        let all = program_api::trace_bytes(this);
        let bytes = all.zip(before).map_or(0, |(all, before)| all.saturating_sub(before));
        let peak = u64::from(all.unwrap_or(0));
        recorder.words[Counter::TraceBytesPeak as usize].fetch_max(peak, Ordering::Relaxed);
        let Some(_lock) = lock(recorder) else { return };
        let list = recorder.process.captured.take().unwrap_or_default();
        let serial = recorder.process.capture.load(Ordering::Relaxed);
        let time = circumstances(recorder, thread, NOWHERE).time;
        if serial != 0 {
            let bytes = [thread.trace_bytes.get(), u64::from(bytes)];
            recorder.end_trace(serial, &list, bytes, time);
            recorder.process.live_traces.fetch_add(1, Ordering::Relaxed);
        }
    });
    result
}

/// `populate_mesh_buffer`: what is allocated meanwhile on this thread is a trace.
#[expect(clippy::too_many_arguments, reason = "they are those of the real function")]
pub(in crate::ffi) fn write_trace(
    hook: Hook,
    real: impl FnOnce(u64, u64, u64, u64, u64, u64) -> u64,
    a: u64,
    b: u64,
    c: u64,
    d: u64,
    e: u64,
    f: u64,
) -> u64 {
    guarded(Start::No, |recorder, _| {
        note_call(recorder, hook);
        recorder.count(Counter::TracesWritten);
    });
    let refused = refusal::RefusedTrace;
    let _scope = OriginScope::enter(Origin::Trace);
    let result = real(a, b, c, d, e, f);
    std::mem::forget(refused);
    result
}

/// `replay_mesh_trace`: all programs of the trace run.
pub(in crate::ffi) fn replay_trace(
    hook: Hook,
    real: impl FnOnce(u64, u64, u64, u64) -> u64,
    this: u64,
    queue: u64,
    id: u64,
    blocking: u64,
) -> u64 {
    let number = tt_metal::trace_id(id);
    let result = real(this, queue, id, blocking);
    guarded(Start::No, |recorder, thread| {
        note_call(recorder, hook);
        let (mesh, _) = Registry(recorder).find_mesh(this).unwrap_or((this, 0));
        let now = circumstances(recorder, thread, NOWHERE);
        let now = Circumstances { queue: (queue & 0xff) as u8, ..now };
        let allocator = tt_metal::mesh_allocator(mesh);
        let allocator = recorder.process.allocator_index(allocator).unwrap_or(u8::MAX);
        let tensors = recorder.tensors(allocator, program_api::lowest_l1);
        match slot(recorder, mesh, number) {
            Some(slot) => {
                recorder.replayed(slot.serial.load(Ordering::Relaxed), tensors, now);
            }
            None => recorder.dispatched_unknown(tensors, now),
        }
    });
    result
}

/// `release_mesh_trace`.
pub(in crate::ffi) fn release_trace(
    hook: Hook,
    real: impl FnOnce(u64, u64) -> u64,
    this: u64,
    id: u64,
) -> u64 {
    let number = tt_metal::trace_id(id);
    let result = real(this, id);
    guarded(Start::No, |recorder, thread| {
        note_call(recorder, hook);
        let (mesh, _) = Registry(recorder).find_mesh(this).unwrap_or((this, 0));
        let Some(_lock) = lock(recorder) else { return };
        if let Some(slot) = slot(recorder, mesh, number) {
            slot.mesh.store(0, Ordering::Relaxed);
            let time = circumstances(recorder, thread, NOWHERE).time;
            recorder.released(slot.serial.load(Ordering::Relaxed), time);
            let live = &recorder.process.live_traces;
            let one_less = |live: u32| live.checked_sub(1);
            live.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).ok();
        }
    });
    result
}

/// The slot of a live trace.
fn slot(recorder: Recorder<'_>, mesh: u64, id: u32) -> Option<&TraceSlot> {
    recorder.process.traces.iter().find(|slot| {
        mesh != 0
            && slot.mesh.load(Ordering::Relaxed) == mesh
            && slot.id.load(Ordering::Relaxed) == id
    })
}
