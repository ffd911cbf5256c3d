//! Raw system calls, bypassing the symbols that this library replaces.

use std::ffi::{CStr, CString};

use libc::{c_int, c_long, c_uint, c_ulong, c_void, off64_t, size_t, ssize_t};

/// Sets `errno`.
pub(crate) fn set_errno(errno: c_int) {
    // SAFETY: no contract; `errno` belongs to this thread.
    let location = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    unsafe { *location = errno };
}

/// Makes a system call of up to six arguments. The result fits the type in the call's documentation.
macro_rules! system {
    ($number:expr $(, $argument:expr)*) => {{
        // SAFETY: the caller of the replaced function answers for the arguments.
        let result: c_long = unsafe { libc::syscall($number $(, $argument)*) };
        result
    }};
}

fn int(result: c_long) -> c_int {
    c_int::try_from(result).unwrap_or(-1)
}

pub(crate) fn openat(directory: c_int, path: &CStr, flags: c_int, mode: c_uint) -> c_int {
    int(system!(libc::SYS_openat, directory, path.as_ptr(), flags, mode))
}

pub(crate) fn ioctl(file: c_int, request: c_ulong, argument: *mut c_void) -> c_int {
    int(system!(libc::SYS_ioctl, file, request, argument))
}

pub(crate) fn mmap(
    address: *mut c_void,
    bytes: size_t,
    protection: c_int,
    flags: c_int,
    file: c_int,
    offset: off64_t,
) -> *mut c_void {
    let mapping = system!(libc::SYS_mmap, address, bytes, protection, flags, file, offset);
    mapping as *mut c_void
}

pub(crate) fn munmap(address: *mut c_void, bytes: size_t) -> c_int {
    int(system!(libc::SYS_munmap, address, bytes))
}

pub(crate) fn mprotect(address: *mut c_void, bytes: size_t, protection: c_int) -> c_int {
    int(system!(libc::SYS_mprotect, address, bytes, protection))
}

pub(crate) fn close(file: c_int) -> c_int {
    int(system!(libc::SYS_close, file))
}

pub(crate) fn read(file: c_int, buffer: *mut c_void, bytes: size_t) -> ssize_t {
    ssize_t::try_from(system!(libc::SYS_read, file, buffer, bytes)).unwrap_or(-1)
}

pub(crate) fn write(file: c_int, buffer: *const c_void, bytes: size_t) -> ssize_t {
    ssize_t::try_from(system!(libc::SYS_write, file, buffer, bytes)).unwrap_or(-1)
}

pub(crate) fn pwrite(
    file: c_int,
    buffer: *const c_void,
    bytes: size_t,
    offset: off64_t,
) -> ssize_t {
    ssize_t::try_from(system!(libc::SYS_pwrite64, file, buffer, bytes, offset)).unwrap_or(-1)
}

pub(crate) fn dup(file: c_int) -> c_int {
    int(system!(libc::SYS_dup, file))
}

/// Creates a file in memory with this content, positioned at its start.
pub(crate) fn memory_file(content: &[u8]) -> c_int {
    let file = int(system!(libc::SYS_memfd_create, c"stage".as_ptr(), libc::MFD_CLOEXEC));
    pwrite(file, content.as_ptr().cast(), content.len(), 0);
    file
}

/// Opens a file for reading; `None` if that fails.
pub(crate) fn open_to_read(path: &str) -> Option<c_int> {
    let path = CString::new(path).ok()?;
    let file = openat(libc::AT_FDCWD, &path, libc::O_RDONLY | libc::O_CLOEXEC, 0);
    (file >= 0).then_some(file)
}

/// Appends to a file, in one write.
pub(crate) fn append(path: &str, text: &str) {
    let Ok(path) = CString::new(path) else { return };
    let flags = libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT | libc::O_CLOEXEC;
    let file = openat(libc::AT_FDCWD, &path, flags, 0o644);
    write(file, text.as_ptr().cast(), text.len());
    close(file);
}

/// Reads a small file; empty if it cannot be read.
pub(crate) fn content(path: &str) -> String {
    let mut bytes = vec![0; 1 << 16];
    let Some(file) = open_to_read(path) else { return String::new() };
    let length = usize::try_from(read(file, bytes.as_mut_ptr().cast(), bytes.len())).unwrap_or(0);
    close(file);
    bytes.truncate(length);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// True if the path exists.
pub(crate) fn exists(path: &CStr) -> bool {
    system!(libc::SYS_faccessat, libc::AT_FDCWD, path.as_ptr(), libc::F_OK) == 0
}

/// Ends the process at once.
pub(crate) fn exit(status: c_int) -> ! {
    // SAFETY: nothing runs after it.
    unsafe { libc::_exit(status) }
}
