//! Signals, as messages.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Instant;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals as Incoming;

/// The request of a signal to a running command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// A request to end (SIGINT, SIGTERM, SIGHUP).
    End,
    /// A request to write out what is recorded (SIGUSR1).
    WriteOut,
}

/// Receiver of signals.
#[derive(Debug)]
pub(crate) struct Signals {
    messages: Receiver<Signal>,
}

impl Signals {
    /// Starts to receive signals as messages; from now on they end nothing by themselves.
    ///
    /// # Errors
    /// If the system refuses it.
    pub(crate) fn new() -> io::Result<Self> {
        Self::with(|| ())
    }

    /// As [`Self::new`]; `notify` is called on a thread of its own after each of them.
    ///
    /// # Errors
    /// If the system refuses it.
    pub(crate) fn with(notify: impl Fn() + Send + 'static) -> io::Result<Self> {
        let mut incoming = Incoming::new([SIGINT, SIGTERM, SIGHUP, SIGUSR1])?;
        let (sender, messages) = channel();
        thread::Builder::new().name("ttmem-signals".to_owned()).spawn(move || {
            for signal in incoming.forever() {
                let signal = if signal == SIGUSR1 { Signal::WriteOut } else { Signal::End };
                if sender.send(signal).is_err() {
                    return;
                }
                notify();
            }
        })?;
        Ok(Self { messages })
    }

    /// The next signal, or nothing until then.
    #[must_use]
    pub(crate) fn wait_until(&self, then: Instant) -> Option<Signal> {
        let left = then.saturating_duration_since(Instant::now());
        match self.messages.recv_timeout(left) {
            Ok(signal) => Some(signal),
            Err(RecvTimeoutError::Timeout) => None,
            // The thread is gone: no signal can end the command any more.
            Err(RecvTimeoutError::Disconnected) => Some(Signal::End),
        }
    }
}
