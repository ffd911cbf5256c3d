//! `_exit` and `_Exit`: a process that calls them was not killed. Python's `os._exit` does, with which workers of
//! pytest-xdist and multiprocessing end.

use std::ffi::CStr;
use std::mem::transmute;
use std::sync::atomic::Ordering;

use libc::{RTLD_NEXT, c_int};
use ttmem_segment::AgentState;
use ttmem_segment::layout::Counter;

use super::mapping;

type Exit = unsafe extern "C" fn(c_int) -> !;

// SAFETY: the name is the C library's, and the function does what its own does.
#[unsafe(export_name = "_exit")]
extern "C" fn exit(code: c_int) -> ! {
    leave(c"_exit", code)
}

// SAFETY: as above.
#[unsafe(export_name = "_Exit")]
extern "C" fn capital_exit(code: c_int) -> ! {
    leave(c"_Exit", code)
}

/// Notes the end in the segment, and calls the next definition, which may belong to another library than the C library.
///
/// A child between `vfork` and `exec` has its parent's memory: it is known by its number.
fn leave(name: &CStr, code: c_int) -> ! {
    if let Some(process) = mapping::process(false)
        && process.pid.load(Ordering::Relaxed) == std::process::id()
        && let Some(word) = mapping::words(process).get(Counter::ExitCode as usize)
    {
        word.store(u64::from(code.cast_unsigned()), Ordering::Relaxed);
        mapping::note_state(AgentState::Left);
    }
    // SAFETY: the name ends in a zero.
    let next = unsafe { libc::dlsym(RTLD_NEXT, name.as_ptr()) };
    if !next.is_null() {
        // SAFETY: every definition of these names has this type.
        let next = unsafe { transmute::<*mut libc::c_void, Exit>(next) };
        // SAFETY: it gets what the caller passed.
        unsafe { next(code) }
    }
    // SAFETY: a plain call that does not return.
    unsafe { libc::syscall(libc::SYS_exit_group, code) };
    std::process::abort()
}
