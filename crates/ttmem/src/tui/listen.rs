//! The threads that read the terminal and signals.
//!
//! A thread of its own waits for the terminal, since reading one that is gone may never return.

use std::io;
use std::sync::mpsc::SyncSender;
use std::thread;

use signal_hook::iterator::Signals;

use super::terminal::{self, TerminalEvent};

/// A message of the threads.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A key, the mouse, or another size.
    TerminalEvent(TerminalEvent),
    /// The number of a signal.
    Signal(i32),
    /// The terminal is gone.
    Closed,
}

/// Starts the threads. They end with the receiver.
///
/// # Errors
/// If signals cannot be caught or a thread cannot be started.
pub(crate) fn listen<M>(sender: SyncSender<M>, signals: &[i32]) -> io::Result<()>
where
    M: From<Heard> + Send + 'static,
{
    let mut signals = Signals::new(signals)?;
    let of_signals = sender.clone();
    small_thread("signals", move || {
        for signal in signals.forever() {
            if of_signals.send(Heard::Signal(signal).into()).is_err() {
                return;
            }
        }
    })?;
    small_thread("input", move || {
        loop {
            let heard = match crossterm::event::read() {
                Ok(input) => terminal::translate(&input),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => {
                    drop(sender.send(Heard::Closed.into()));
                    return;
                }
            };
            for heard in heard {
                if sender.send(Heard::TerminalEvent(heard).into()).is_err() {
                    return;
                }
            }
        }
    })
}

/// Starts a thread with a small stack.
///
/// # Errors
/// If the system starts no thread.
pub(crate) fn small_thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    const STACK_BYTES: usize = 128 << 10;
    let builder = thread::Builder::new().name(name.to_owned()).stack_size(STACK_BYTES);
    builder.spawn(work).map(|_running| ())
}
