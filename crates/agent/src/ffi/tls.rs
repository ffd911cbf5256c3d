//! State of this thread, at a fixed distance from the thread pointer.
//!
//! Rust's own thread-local variables in a shared library cost a call each time, in every hook. A library that is loaded at
//! the start of the program, as a preloaded one is, gets its share of the memory that each thread begins with; two
//! instructions find it there. That memory is zero when a thread begins, and lives as long as the thread.

use crate::ops::ThreadState;

/// Bytes set aside for each thread.
const STATE_BYTES: usize = 896;

const _: () = assert!(size_of::<ThreadState>() <= STATE_BYTES && align_of::<ThreadState>() <= 64);

#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    ".section .tbss.ttmem_thread_state,\"awT\",@nobits",
    ".balign 64",
    ".globl ttmem_thread_state",
    ".hidden ttmem_thread_state",
    ".type ttmem_thread_state,@tls_object",
    ".size ttmem_thread_state,{bytes}",
    "ttmem_thread_state:",
    ".zero {bytes}",
    ".previous",
    bytes = const STATE_BYTES,
);

/// Gives this thread's state to `use_it`.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn with_thread_state<T>(use_it: impl FnOnce(&ThreadState) -> T) -> T {
    let state: *const ThreadState;
    // SAFETY: reads the thread pointer and the variable's distance from it, which the loader has filled in.
    unsafe {
        std::arch::asm!(
            "mov {state}, qword ptr fs:[0]",
            "add {state}, qword ptr [rip + ttmem_thread_state@GOTTPOFF]",
            state = out(reg) state,
            options(pure, readonly, nostack),
        );
    }
    // SAFETY: the memory is this thread's, large and aligned enough, and zero when the thread begins, which is a valid
    // state. It is only shared with signal handlers of this thread, and consists of cells.
    use_it(unsafe { &*state })
}

/// Gives this thread's state to `use_it`.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn with_thread_state<T>(use_it: impl FnOnce(&ThreadState) -> T) -> T {
    thread_local! {
        static STATE: ThreadState = const { ThreadState::new() };
    }
    STATE.with(use_it)
}
