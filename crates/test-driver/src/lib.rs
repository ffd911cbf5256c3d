//! A stand-in for tt-kmd, to be preloaded (`LD_PRELOAD`) into a program that reads a device.
//!
//! It answers `open`, `ioctl`, `mmap`, `munmap` and `close` for `/dev/tenstorrent/N` from a directory, the *stage*, and
//! records every step outside the rules of `docs/safety.md` as a line that starts with `violation` in the stage's
//! report. A window is mapped from files with each core's L1, and addresses beyond L1 are not mapped: a read there ends
//! the program with status 86. With `trace=1` every single read is observed, with its address and width.
//!
//! It implements the driver's interface independently (tt-kmd 2.10.0, `ioctl.h`, as byte offsets), without the code
//! under test. `ttmem-test-support` prepares the stage and reads the report.
//!
//! Paths that exist below `root/` of the stage are opened there, so that a host can be made up around the device.
#![expect(unsafe_code, reason = "symbols of libc are replaced, and a program's memory is mapped")]
#![expect(
    clippy::missing_safety_doc,
    reason = "the contract of each function is that of the libc function it replaces"
)]

mod device;
mod message;
mod raw;
mod stage;
mod trace;

use libc::{c_char, c_int, c_uint, c_ulong, c_void, off64_t, size_t, ssize_t};

use device::Call;

/// `open(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: the caller's contract is that of `open`.
    unsafe { openat(libc::AT_FDCWD, path, flags, mode) }
}

/// `open(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: the caller's contract is that of `open`.
    unsafe { openat(libc::AT_FDCWD, path, flags, mode) }
}

/// `openat(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openat64(
    directory: c_int,
    path: *const c_char,
    flags: c_int,
    mode: c_uint,
) -> c_int {
    // SAFETY: the caller's contract is that of `openat`.
    unsafe { openat(directory, path, flags, mode) }
}

/// `openat(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openat(
    directory: c_int,
    path: *const c_char,
    flags: c_int,
    mode: c_uint,
) -> c_int {
    // SAFETY: the caller passes a text that ends with a zero.
    let text = unsafe { std::ffi::CStr::from_ptr(path) };
    match device::open(text, flags) {
        Call::Answer(answer) => finish(answer),
        Call::Elsewhere(other) => raw::openat(directory, &other, flags, mode),
        Call::NotOurs => raw::openat(directory, text, flags, mode),
    }
}

/// `ioctl(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioctl(file: c_int, request: c_ulong, argument: *mut c_void) -> c_int {
    match device::ioctl(file, request, argument) {
        Some(answer) => finish(answer.map(|()| 0)),
        None => raw::ioctl(file, request, argument),
    }
}

/// `mmap(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap64(
    address: *mut c_void,
    bytes: size_t,
    protection: c_int,
    flags: c_int,
    file: c_int,
    offset: off64_t,
) -> *mut c_void {
    match device::mmap(address, bytes, protection, flags, file, offset) {
        Some(Ok(mapping)) => mapping,
        Some(Err(errno)) => {
            raw::set_errno(errno);
            libc::MAP_FAILED
        }
        None => raw::mmap(address, bytes, protection, flags, file, offset),
    }
}

/// `mmap(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap(
    address: *mut c_void,
    bytes: size_t,
    protection: c_int,
    flags: c_int,
    file: c_int,
    offset: off64_t,
) -> *mut c_void {
    // SAFETY: the same function under another name.
    unsafe { mmap64(address, bytes, protection, flags, file, offset) }
}

/// `munmap(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn munmap(address: *mut c_void, bytes: size_t) -> c_int {
    device::munmap(address, bytes);
    raw::munmap(address, bytes)
}

/// `mprotect(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mprotect(address: *mut c_void, bytes: size_t, protection: c_int) -> c_int {
    device::mprotect(address, protection);
    raw::mprotect(address, bytes, protection)
}

/// `close(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn close(file: c_int) -> c_int {
    device::close(file);
    raw::close(file)
}

/// `read(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn read(file: c_int, buffer: *mut c_void, bytes: size_t) -> ssize_t {
    device::forbid(file, "read");
    raw::read(file, buffer, bytes)
}

/// `write(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(file: c_int, buffer: *const c_void, bytes: size_t) -> ssize_t {
    device::forbid(file, "write");
    raw::write(file, buffer, bytes)
}

/// `pwrite(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite64(
    file: c_int,
    buffer: *const c_void,
    bytes: size_t,
    offset: off64_t,
) -> ssize_t {
    device::forbid(file, "pwrite");
    raw::pwrite(file, buffer, bytes, offset)
}

/// `dup(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dup(file: c_int) -> c_int {
    device::forbid(file, "dup");
    raw::dup(file)
}

fn finish(answer: Result<c_int, c_int>) -> c_int {
    answer.unwrap_or_else(|errno| {
        raw::set_errno(errno);
        -1
    })
}
