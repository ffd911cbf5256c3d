//! Calls to the system that need no state.

use std::ptr::null_mut;
use std::sync::atomic::AtomicU64;

use libc::{CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_REALTIME, SYS_gettid, c_int, timespec};

/// Monotonic nanoseconds, to a few milliseconds: 5 ns, no system call.
#[inline]
pub(crate) fn coarse_time() -> u64 {
    clock(CLOCK_MONOTONIC_COARSE)
}

/// Monotonic nanoseconds.
pub(super) fn time() -> u64 {
    clock(CLOCK_MONOTONIC)
}

/// Nanoseconds since 1970.
pub(super) fn real_time() -> u64 {
    clock(CLOCK_REALTIME)
}

#[inline]
fn clock(id: c_int) -> u64 {
    let mut time = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is valid for the call.
    unsafe { libc::clock_gettime(id, &raw mut time) };
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

/// The calling thread's id.
pub(super) fn thread_id() -> u32 {
    // SAFETY: the call takes no arguments and cannot fail.
    let id = unsafe { libc::syscall(SYS_gettid) };
    u32::try_from(id).unwrap_or(0)
}

/// Asks for the cache line of a word that will be written soon.
#[inline]
pub(crate) fn prefetch_for_write(word: &AtomicU64) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};
        // SAFETY: a hint; it reads and writes nothing.
        unsafe { _mm_prefetch::<_MM_HINT_ET0>(word.as_ptr().cast_const().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = word;
}

/// Lets other threads run for about 0.1 ms.
pub(crate) fn pause() {
    sleep(100_000);
}

/// Sleeps for nanoseconds, fewer than a second, and through signals.
pub(super) fn sleep(nanoseconds: i64) {
    let time = timespec { tv_sec: 0, tv_nsec: nanoseconds };
    // SAFETY: the pointer is valid for the call, and no remainder is asked for.
    unsafe { libc::nanosleep(&raw const time, std::ptr::null_mut()) };
}

/// Runs something while this thread gets no signals.
pub(super) fn without_signals<T>(run: impl FnOnce() -> T) -> T {
    // SAFETY: both are plain data, filled by the calls that follow.
    let (mut all, mut former) = unsafe { std::mem::zeroed::<(libc::sigset_t, libc::sigset_t)>() };
    // SAFETY: the pointer is valid for the call.
    unsafe { libc::sigfillset(&raw mut all) };
    // SAFETY: the pointers are valid for the call.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut former) };
    let result = run();
    // SAFETY: the pointer is valid for the call, to what the call above filled.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const former, null_mut()) };
    result
}
