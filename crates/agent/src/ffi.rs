//! Everything unsafe: the functions that interpose TT-Metal's, the calls into TT-Metal, the mapping, the thread.
//!
//! Invariants:
//!
//! - **Pointers from C++ are only passed back.** The addresses of allocators, buffers and devices that hooks get are used
//!   as numbers, and as arguments of TT-Metal's own exported functions while the call that brought them is under way.
//! - **Signatures.** All parameters of the hooked functions are integers, references or pointers, of which each takes one
//!   register or stack slot, so that passing them on as words changes nothing. A compiler may leave garbage in parameters
//!   that the real function does not use: hooks therefore use none but `this` and buffers.
//! - **Exceptions.** Hooks are `extern "C-unwind"`: what the real function throws goes on to its caller. Code of our own is
//!   run by [`guarded`], out of which no panic comes.

mod boxed;
mod c_api;
mod call_sites;
mod cxx;
mod exit;
mod fork;
mod handlers;
mod hooks;
mod kernel_api;
mod mapping;
mod objects;
mod off;
mod program_api;
mod python;
mod symbols;
mod system;
mod tensor_api;
mod thread;
mod tls;
mod tt_metal;

pub(crate) use boxed::Boxed;
#[cfg(test)]
pub(crate) use mapping::new_process;
pub(crate) use system::{coarse_time, pause, prefetch_for_write};
pub(crate) use tls::with_thread_state;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

use ttmem_segment::AgentState;
use ttmem_segment::layout::Counter;

use crate::ops::ThreadState;
use crate::process::{Phase, Process};
use crate::recorder::{Circumstances, Recorder};

/// Permission of a call to start the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// The call shows that the process uses a device, and starts the agent.
    Yes,
    /// The call shows nothing of use yet, and does not start the agent.
    No,
}

/// Runs `record` if the agent records, or can be started. Nothing comes out of it: no panic, and no second call from a
/// signal handler on the same thread gets in.
#[inline(always)]
fn guarded(start: Start, record: impl FnOnce(Recorder<'static>, &ThreadState)) {
    let Some(process) = recording(start) else { return };
    let recorder = Recorder { process, words: mapping::words(process) };
    ThreadState::with(|thread| {
        if thread.busy.replace(true) {
            recorder.count(Counter::ReentrantCalls);
            return;
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            inject_fault(process);
            record(recorder, thread);
        }));
        thread.busy.set(false);
        if outcome.is_err() {
            switch_off(recorder);
        }
    });
}

/// The state of this process if the agent records now.
#[inline(always)]
fn recording(start: Start) -> Option<&'static Process> {
    let process = mapping::process(start == Start::Yes)?;
    match process.phase() {
        Phase::Recording => Some(process),
        Phase::Off => None,
        Phase::Idle | Phase::Starting => starting(process, start),
    }
}

#[cold]
fn starting(process: &'static Process, start: Start) -> Option<&'static Process> {
    if process.phase() == Phase::Idle {
        if start == Start::No {
            return None;
        }
        if process.claim_start() {
            let started = catch_unwind(|| mapping::start(process)).unwrap_or(Err(off::DEFECT));
            if let Err(why) = started {
                off::note(why);
            }
            process.enter(if started.is_ok() { Phase::Recording } else { Phase::Off });
            if started.is_ok() {
                thread::start(process);
            }
        }
    }
    // Another thread makes the segment: some milliseconds, once.
    for _ in 0..10_000 {
        match process.phase() {
            Phase::Recording => return Some(process),
            Phase::Off => return None,
            Phase::Idle | Phase::Starting => system::pause(),
        }
    }
    None
}

/// Switches the agent off because of a defect in it: notes that in the segment; every call is passed through from now
/// on.
#[cold]
fn switch_off(recorder: Recorder<'_>) {
    recorder.process.enter(Phase::Off);
    recorder.count(Counter::Panics);
    recorder.words[Counter::State as usize].store(AgentState::Off as u64, Ordering::Release);
}

/// A stack address above every op: for what is not about a buffer.
const NOWHERE: usize = usize::MAX;

/// Returns the circumstances of a call. The stack address shows whether an op's frame is still on the stack.
#[inline(never)]
#[unsafe(link_section = ".text.ttmem_often")]
fn circumstances(recorder: Recorder<'_>, thread: &ThreadState, stack: usize) -> Circumstances {
    Circumstances {
        name: thread.name(stack, || python::op(recorder)),
        ..unnamed_circumstances(recorder.process, thread)
    }
}

/// Who acts, and when, without the op.
#[inline(always)]
fn unnamed_circumstances(process: &Process, thread: &ThreadState) -> Circumstances {
    Circumstances {
        time: match process.now.load(Ordering::Relaxed) {
            0 => system::coarse_time(),
            now => now,
        },
        thread: thread.thread(process, system::thread_id),
        name: 0,
        origin: thread.origin.get(),
        queue: u8::MAX,
        stack: 0,
    }
}

/// Panics in the n-th recorded call, where `TTMEM_AGENT_FAULT` is n; only with the feature `fault-injection`.
#[inline]
fn inject_fault(process: &Process) {
    if cfg!(feature = "fault-injection") {
        let left = process.fault_countdown.load(Ordering::Relaxed);
        process.fault_countdown.store(left.saturating_sub(1), Ordering::Relaxed);
        assert!(left != 1, "injected");
    }
}
