//! Signals on their way to the command.
//!
//! What the terminal sends (Ctrl-C and the like) goes to the whole process group, and so to the command: ttmem only
//! outlives it. What a process sends to ttmem alone is passed on. `timeout` sends each signal twice, to its child and
//! to the group: of two that come at once from there one is passed on, for the other has reached the command too. What
//! ttmem was started to ignore stays ignored, here and in the command. Ctrl-Z stops both, as it does any group.

use std::os::fd::OwnedFd;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::raw::WithRawSiginfo;
use signal_hook::low_level::emulate_default_handler;

/// Signals that are passed on.
const FORWARDED: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];
/// `si_code` of a signal that the kernel sent, such as one from the terminal's keys.
const FROM_THE_KERNEL: i32 = 0x80;

/// Signals of one number from `timeout` that come closer together than this were sent to the process and to its group.
const AT_ONCE: Duration = Duration::from_millis(10);

/// Signals that wait for the command to be there.
pub(super) struct Signals(Option<SignalsInfo<WithRawSiginfo>>);

/// Signals that are passed on.
pub(super) struct Forwarding {
    has_ended: Arc<AtomicBool>,
}

impl Signals {
    /// Keeps signals from ending ttmem before its command.
    pub(super) fn catch() -> Self {
        let ignored = ignored();
        let wanted = FORWARDED.iter().filter(|signal| ignored >> (**signal - 1) & 1 == 0);
        // Where handlers cannot be set, signals end ttmem, and the command continues as under nohup.
        Self(SignalsInfo::new(wanted).ok())
    }

    /// Passes on what came and what comes.
    pub(super) fn forward_to(self, command: &Child) -> Forwarding {
        let has_ended = Arc::new(AtomicBool::new(false));
        let pid = Pid::from_child(command);
        // A pid may be reused; a descriptor never refers to another process.
        let descriptor = pidfd_open(pid, PidfdFlags::empty()).ok();
        if let Some(mut signals) = self.0 {
            let ended = Arc::clone(&has_ended);
            thread::spawn(move || {
                let sends_twice = is_child_of_timeout();
                let mut newest: Option<(i32, Instant)> = None;
                for info in signals.forever() {
                    let is_double = newest.take().is_some_and(|(number, time)| {
                        sends_twice && number == info.si_signo && time.elapsed() < AT_ONCE
                    });
                    if ended.load(Ordering::Acquire) {
                        // The command is gone: from here on ttmem is a program like any other.
                        if emulate_default_handler(info.si_signo).is_err() {
                            return;
                        }
                    } else if info.si_code != FROM_THE_KERNEL && !is_double {
                        newest = Some((info.si_signo, Instant::now()));
                        send(descriptor.as_ref(), pid, info.si_signo);
                    }
                }
            });
        }
        Forwarding { has_ended }
    }
}

impl Forwarding {
    /// Stops passing signals on.
    pub(super) fn command_ended(&self) {
        self.has_ended.store(true, Ordering::Release);
    }
}

fn send(descriptor: Option<&OwnedFd>, pid: Pid, number: i32) {
    let Some(signal) = Signal::from_named_raw(number) else { return };
    let sent = match descriptor {
        Some(descriptor) => pidfd_send_signal(descriptor, signal),
        None => kill_process(pid, signal),
    };
    // It has just ended: there is no process to signal.
    match sent {
        Ok(()) | Err(_) => {}
    }
}

/// True if coreutils' `timeout` started ttmem.
fn is_child_of_timeout() -> bool {
    let parent = std::os::unix::process::parent_id();
    std::fs::read(format!("/proc/{parent}/comm")).is_ok_and(|name| name == b"timeout\n")
}

/// The set of signals that this process ignores, by number less one.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
