//! The reason why there is no segment, where `ttmem run` finds it: as the name of a mapping.

use std::ffi::CString;
use std::io;
use std::ptr::null_mut;

use libc::{MADV_DONTFORK, MAP_FAILED, MAP_SHARED, MFD_CLOEXEC, PROT_NONE};
use ttmem_segment::{Off, OffStep};

/// A panic at the start.
pub(super) const DEFECT: Off = Off { step: OffStep::Defect, errno: 0 };

/// Returns the reason for a step that failed.
pub(super) fn because(step: OffStep) -> impl Fn(io::Error) -> Off {
    move |error| Off { step, errno: error.raw_os_error().unwrap_or(0) }
}

/// Leaves the reason in `/proc/self/maps`. It takes an address range and no memory, and a forked child does not have it.
pub(super) fn note(off: Off) {
    const BYTES: usize = 4096;
    let name = CString::new(off.to_name()).unwrap_or_default();
    // SAFETY: the name ends in a zero.
    let file = unsafe { libc::memfd_create(name.as_ptr(), MFD_CLOEXEC) };
    if file < 0 {
        return;
    }
    // SAFETY: a new mapping, wherever the kernel likes, that is never accessed.
    let mapping = unsafe { libc::mmap(null_mut(), BYTES, PROT_NONE, MAP_SHARED, file, 0) };
    // SAFETY: the descriptor was just opened and has no other users; the mapping stays.
    unsafe { libc::close(file) };
    if mapping != MAP_FAILED {
        // SAFETY: the mapping was just made.
        unsafe { libc::madvise(mapping, BYTES, MADV_DONTFORK) };
    }
}
