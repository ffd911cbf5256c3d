//! Restores the inheritance of the command that Rust changes: an ignored SIGPIPE.
//!
//! Rust's runtime ignores SIGPIPE before `main`, and has every child die of it again. A command that was started with
//! SIGPIPE ignored, under `nohup` or a server, would behave differently under `ttmem run`.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

static IGNORES_SIGPIPE: AtomicBool = AtomicBool::new(false);

#[expect(
    unsafe_code,
    reason = "only what runs before Rust's runtime sees what ttmem was started with"
)]
mod before_main {
    use super::{IGNORES_SIGPIPE, Ordering};

    // SAFETY: the section holds pointers to functions that the loader calls before `main`; this one asks the kernel and
    // stores a flag, which needs nothing of Rust's runtime.
    #[used]
    #[unsafe(link_section = ".init_array")]
    static NOTE: extern "C" fn() = note;

    extern "C" fn note() {
        // SAFETY: plain data, for which zero is valid.
        let mut action = unsafe { std::mem::zeroed::<libc::sigaction>() };
        // SAFETY: nothing is changed, and the pointer is valid for the call.
        let asked = unsafe { libc::sigaction(libc::SIGPIPE, std::ptr::null(), &raw mut action) };
        let is_ignored = asked == 0 && action.sa_sigaction == libc::SIG_IGN;
        IGNORES_SIGPIPE.store(is_ignored, Ordering::Relaxed);
    }
}

/// Makes a command ignore SIGPIPE if ttmem was started with SIGPIPE ignored.
#[expect(unsafe_code, reason = "the standard library has no other way to set a child's signals")]
pub(super) fn pass_on(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;

    if IGNORES_SIGPIPE.load(Ordering::Relaxed) {
        let ignore = || {
            // SAFETY: sets how this process, the child, treats one signal; no handler is given.
            unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
            Ok(())
        };
        // SAFETY: the closure makes one system call, which is allowed between fork and exec.
        unsafe { command.pre_exec(ignore) };
    }
}
