//! A reader that is a copy of this process. Starting the program again would cost some ten times as much.

#![expect(unsafe_code, reason = "neither the standard library nor rustix can copy a process")]

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rustix::process::{Pid, setpgid};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use super::{Program, read_files};

/// Name of the copy in lists of processes.
const NAME: &std::ffi::CStr = c"ttmem-reader";

/// Files that a copy closes one by one where the kernel cannot close them all (Linux before 5.9).
const FILES: i32 = 1024;

/// Starts a reader with these files as its standard input, output and error. `None` if this process has further threads,
/// of which one may hold a lock that would stay locked in the copy, or the kernel refuses it.
pub(super) fn start(program: &Program, standard: [&OwnedFd; 3]) -> Option<Pid> {
    if !is_possible() {
        return None;
    }
    // SAFETY: this is the only thread, so that no lock is held and no state is half changed in the copy.
    match unsafe { libc::fork() } {
        0 => {
            // A panic must not run what the stack of the parent holds.
            let is_done = catch_unwind(AssertUnwindSafe(|| read(program, standard).is_ok()));
            // SAFETY: ends the process without running anything that the parent registered for its end.
            unsafe { libc::_exit(i32::from(!is_done.unwrap_or(false))) }
        }
        pid => Pid::from_raw(pid),
    }
}

/// True if the kernel counts one thread: the directory of threads has a link for each, and two of its own.
pub(super) fn is_possible() -> bool {
    rustix::fs::stat("/proc/self/task").is_ok_and(|status| status.st_nlink == 3)
}

/// Becomes a reader, as the program that was started again.
fn read(program: &Program, [input, output, errors]: [&OwnedFd; 3]) -> std::io::Result<()> {
    setpgid(None, None)?;
    dup2_stdin(input)?;
    dup2_stdout(output)?;
    dup2_stderr(errors)?;
    close_all_others();
    // SAFETY: the name is a string that ends with 0.
    unsafe { libc::prctl(libc::PR_SET_NAME, NAME.as_ptr()) };
    read_files(program.arguments.get(1).map(|directory| -> &OsStr { directory }))
}

/// Closes all files but the standard ones. Files that variables of the parent own are not used any more.
fn close_all_others() {
    // SAFETY: no file that is closed is used again: this process ends without returning to its parent's functions.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) };
    if closed != 0 {
        for file in 3..FILES {
            // SAFETY: as above.
            unsafe { libc::close(file) };
        }
    }
}
