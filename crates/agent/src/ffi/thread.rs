//! The sleeping thread: waits for a change, then for 50 ms more, then asks the allocators.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicU32, Ordering};

use libc::{FUTEX_PRIVATE_FLAG, FUTEX_WAIT, FUTEX_WAKE, SYS_futex, c_void};
use ttmem_segment::{AllocatorKind, Statistics};

use super::{call_sites, mapping, switch_off, system, tt_metal};
use crate::process::{Phase, Process};
use crate::recorder::Recorder;
use crate::refresh::{self, Ask};

/// The time that it waits for more changes.
const SETTLE_NANOSECONDS: u32 = 50_000_000;
/// The time after which it first checks the rate of events.
const FIRST_NANOSECONDS: u32 = 2_000_000;
/// Interval between events below which the hooks share one reading of the clock. Every 32nd event renews it.
const MANY_EVENTS_NANOSECONDS: u32 = 50_000;
/// Rounds that the thread waits for a fork or the destruction of an allocator, before it retries later.
const LOCK_PATIENCE: u32 = 1000;
/// Bytes of the thread's stack, on which TT-Metal's own code runs.
const STACK_BYTES: usize = 512 << 10;

/// Starts the sleeping thread. Without it everything is recorded but statistics.
pub(super) fn start(process: &'static Process) {
    if process.has_thread.swap(1, Ordering::AcqRel) != 0 {
        return;
    }
    // Signals are blocked while it is made, so that it never runs a handler of the process.
    system::without_signals(|| {
        // SAFETY: plain data, filled by the call that follows.
        let mut attributes = unsafe { std::mem::zeroed::<libc::pthread_attr_t>() };
        #[expect(
            clippy::multiple_unsafe_ops_per_block,
            reason = "one recipe: make a detached thread"
        )]
        // SAFETY: the pointers are valid for the calls. The thread gets a pointer to state that is never unmapped.
        unsafe {
            libc::pthread_attr_init(&raw mut attributes);
            libc::pthread_attr_setdetachstate(&raw mut attributes, libc::PTHREAD_CREATE_DETACHED);
            libc::pthread_attr_setstacksize(&raw mut attributes, STACK_BYTES);
            let mut thread = 0;
            let state = std::ptr::from_ref(process).cast_mut().cast::<c_void>();
            libc::pthread_create(&raw mut thread, &raw const attributes, run, state);
            libc::pthread_attr_destroy(&raw mut attributes);
        }
    });
}

/// Something changed. Costs a load, and a system call when the thread sleeps.
#[inline]
pub(super) fn wake(process: &Process) {
    if process.wake.load(Ordering::Relaxed) == 0 && process.wake.swap(1, Ordering::AcqRel) == 0 {
        futex(&process.wake, FUTEX_WAKE, 1);
    }
}

extern "C" fn run(state: *mut c_void) -> *mut c_void {
    // SAFETY: `start` passed a reference to state that is never unmapped.
    let process: &'static Process = unsafe { &*state.cast::<Process>() };
    let recorder = Recorder { process, words: mapping::words(process) };
    // SAFETY: the name ends in a zero.
    unsafe { libc::prctl(libc::PR_SET_NAME, c"ttmem-agent".as_ptr()) };
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        while process.phase() == Phase::Recording {
            if process.wake.load(Ordering::Acquire) == 0 {
                process.now.store(0, Ordering::Relaxed);
                wait(process);
                watch(recorder, FIRST_NANOSECONDS);
            }
            watch(recorder, SETTLE_NANOSECONDS);
            process.wake.swap(0, Ordering::AcqRel);
            if let Some(_lock) = process.statistics_lock.lock(LOCK_PATIENCE, system::pause) {
                call_sites::name_sites(recorder);
            } else {
                process.wake.store(1, Ordering::Release);
            }
            if refresh::round(recorder, &TtMetal) {
                // A call may be under way whose change is noted and not yet made: look again.
                process.wake.store(1, Ordering::Release);
            }
        }
    }));
    if outcome.is_err() {
        switch_off(recorder);
    }
    null_mut()
}

/// Sleeps until something changes.
fn wait(process: &Process) {
    while process.wake.load(Ordering::Acquire) == 0 {
        futex(&process.wake, FUTEX_WAIT, 0);
    }
}

/// Sleeps, and decides by the events since then whether the hooks keep a shared time.
fn watch(recorder: Recorder<'_>, nanoseconds: u32) {
    let before = recorder.events();
    system::sleep(nanoseconds.into());
    let events = recorder.events().wrapping_sub(before);
    let many = events >= u64::from(nanoseconds / MANY_EVENTS_NANOSECONDS);
    let now = if many { system::coarse_time() } else { 0 };
    recorder.process.now.store(now, Ordering::Relaxed);
}

/// The allocators of this process, as the refresh asks them.
struct TtMetal;

impl Ask for TtMetal {
    fn statistics(&self, allocator: u64, kind: AllocatorKind) -> Option<Statistics> {
        tt_metal::statistics(allocator, kind, system::time())
    }

    fn time(&self) -> u64 {
        system::time()
    }

    fn pause(&self) -> fn() {
        system::pause
    }
}

fn futex(word: &AtomicU32, operation: i32, value: u32) {
    let no_timeout = null::<libc::timespec>();
    // SAFETY: the word is valid for the call; the kernel compares or wakes, and writes nothing.
    unsafe {
        libc::syscall(SYS_futex, word.as_ptr(), operation | FUTEX_PRIVATE_FLAG, value, no_timeout)
    };
}
