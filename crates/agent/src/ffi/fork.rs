//! Handles a fork: the sleeping thread is kept out of TT-Metal and of the dynamic linker meanwhile.
//!
//! A forked child has no other thread, and whatever lock one had stays locked in it. TT-Metal's allocator has a lock,
//! which the sleeping thread takes when it reads statistics: without the agent possibly no thread of the program would
//! hold it.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{mapping, system};

/// Rounds that a fork waits for the sleeping thread: seconds, where a question takes microseconds.
const PATIENCE: u32 = 50_000;

/// Registers handlers that make every fork from now on wait for the sleeping thread. Runs once in a program.
pub(super) fn prepare() {
    static DONE: AtomicBool = AtomicBool::new(false);
    if !DONE.swap(true, Ordering::AcqRel) {
        // SAFETY: the functions live as long as the process, for a preloaded library is never unloaded. Both only use
        // atomic variables and sleep.
        unsafe { libc::pthread_atfork(Some(before), Some(after), None) };
    }
}

/// Takes the lock. The child needs no counterpart: its state of the agent is new.
extern "C" fn before() {
    if let Some(process) = mapping::process(false) {
        let lock = process.statistics_lock.lock(PATIENCE, system::pause);
        process.forking.store(lock.is_some(), Ordering::Relaxed);
        std::mem::forget(lock);
    }
}

/// Opens the lock in the parent.
extern "C" fn after() {
    if let Some(process) = mapping::process(false)
        && process.forking.swap(false, Ordering::Relaxed)
    {
        process.statistics_lock.unlock();
    }
}
