//! A command with the agent in it and in its children, from its start to its end.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::segments::{self, Found, Watch};
use super::signals::{Forwarding, Signals};
use super::{inherited, library, reaper, say};
use crate::error::Error;

/// Exit code where the command is there and cannot be run, as shells have it.
const CANNOT_RUN: u8 = 126;
/// Exit code where the command is not there.
const NOT_THERE: u8 = 127;
/// A shell sees a process that a signal ended as this and the signal's number.
const SIGNALLED: i32 = 128;
/// The polling interval where the kernel does not notify about the end of a command.
const LOOK: Duration = Duration::from_millis(50);

/// A command that runs.
pub(in crate::cmd) struct Running {
    child: Child,
    end: Option<OwnedFd>,
    watch: Watch,
    forwarding: Forwarding,
}

/// A command that has ended.
pub(in crate::cmd) struct Ended {
    /// Process id of the command.
    pub(in crate::cmd) pid: u32,
    /// Exit code of the command, as a shell counts.
    pub(in crate::cmd) code: i32,
    /// The signal that ended it.
    pub(in crate::cmd) signal: Option<i32>,
    /// The segments of its processes.
    pub(in crate::cmd) found: Vec<Found>,
}

impl Running {
    /// Starts a command, or says why it cannot be and gives the exit code that a shell would.
    ///
    /// # Errors
    /// If the agent library is missing.
    pub(in crate::cmd) fn start(command: &[OsString]) -> Result<Result<Self, u8>, Error> {
        let preload = library::preload(&library::find()?)?;
        let watch = Watch::start();
        let signals = Signals::catch();
        Ok(match spawn(command, &preload, &watch.tokens()) {
            Ok(child) => {
                let forwarding = signals.forward_to(&child);
                reaper::start(&child);
                let end = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).ok();
                Ok(Self { child, end, watch, forwarding })
            }
            Err(error) => Err(not_spawned(command, &error)),
        })
    }

    /// Waits for the end, but not longer than this. True if it has ended.
    pub(in crate::cmd) fn wait_until(&mut self, then: Instant) -> bool {
        loop {
            // What cannot be asked is found out by waiting.
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            let left = then.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            match &self.end {
                Some(end) => {
                    let timeout = Timespec {
                        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                        tv_nsec: left.subsec_nanos().into(),
                    };
                    let polled = poll(&mut [PollFd::new(end, PollFlags::IN)], Some(&timeout));
                    if polled.is_err() {
                        thread::sleep(LOOK.min(left));
                    }
                }
                None => thread::sleep(LOOK.min(left)),
            }
        }
    }

    /// Waits for the end. Until `conclude` has run too, signals end nothing.
    ///
    /// # Errors
    /// If the system does not tell of the end.
    pub(in crate::cmd) fn wait<T>(
        mut self,
        conclude: impl FnOnce(i32) -> T,
    ) -> Result<(Ended, T), Error> {
        let status = self
            .child
            .wait()
            .map_err(|error| Error::System(format!("cannot wait for the command: {error}")))?;
        let code = code_of(status);
        let conclusion = conclude(code);
        self.forwarding.command_ended();
        let (pid, signal) = (self.child.id(), status.signal());
        Ok((Ended { pid, code, signal, found: self.watch.finish() }, conclusion))
    }
}

fn spawn(command: &[OsString], preload: &OsString, tokens: &OsString) -> io::Result<Child> {
    let (program, arguments) =
        command.split_first().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env(library::PRELOAD, preload)
        .env(library::SANITIZER, library::sanitizer_options())
        .env(segments::TOKEN, tokens);
    inherited::pass_on(&mut command);
    command.spawn()
}

fn not_spawned(command: &[OsString], error: &io::Error) -> u8 {
    say(&format!(
        "cannot run `{}`: {error}; give the command as a shell would find it",
        shown(command)
    ));
    if error.kind() == io::ErrorKind::NotFound { NOT_THERE } else { CANNOT_RUN }
}

/// A command as a line.
pub(in crate::cmd) fn shown(command: &[OsString]) -> String {
    command.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn code_of(status: ExitStatus) -> i32 {
    status.code().or_else(|| Some(SIGNALLED + status.signal()?)).unwrap_or(SIGNALLED)
}
