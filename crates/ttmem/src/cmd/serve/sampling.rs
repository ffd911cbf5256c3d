//! Samples on a thread of their own, so that clients are answered while a source is slow.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;

use ttmem_service::server::Waker;
use ttmem_sources::L1Look;

/// Takes one sample after another on its thread.
#[derive(Debug)]
pub(super) struct Sampling {
    requests: SyncSender<()>,
    samples: Receiver<L1Look>,
    is_pending: bool,
}

impl Sampling {
    /// Starts the thread. `make` makes there what takes samples; `waker` wakes the server after each.
    ///
    /// # Errors
    /// If no thread can be started.
    pub(super) fn start<T>(
        make: impl FnOnce() -> Option<T> + Send + 'static,
        waker: Waker,
    ) -> io::Result<Self>
    where
        T: FnMut() -> L1Look,
    {
        let (requests, requested) = sync_channel::<()>(1);
        let (send, samples) = sync_channel(1);
        thread::Builder::new().name("ttmem-sampling".to_owned()).spawn(move || {
            // At its end the thread closes the channel, and then wakes the server, which notices.
            let (waker, send) = (waker, send);
            let Some(mut take) = make() else { return };
            // The thread ends when the other side does.
            while requested.recv().is_ok() && send.send(take()).is_ok() {
                waker.wake();
            }
        })?;
        Ok(Self { requests, samples, is_pending: false })
    }

    /// Requests a sample, unless one is under way.
    pub(super) fn request(&mut self) {
        if !self.is_pending {
            self.is_pending = self.requests.try_send(()).is_ok();
        }
    }

    /// Returns the sample that was requested, if it is there.
    ///
    /// # Errors
    /// If the thread has ended.
    pub(super) fn take(&mut self) -> io::Result<Option<L1Look>> {
        match self.samples.try_recv() {
            Ok(sample) => {
                self.is_pending = false;
                Ok(Some(sample))
            }
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(io::Error::other("sampling has ended")),
        }
    }

    /// Waits for the sample that was requested.
    ///
    /// # Errors
    /// If the thread has ended.
    pub(super) fn wait(&mut self) -> io::Result<L1Look> {
        self.is_pending = false;
        self.samples.recv().map_err(|_ended| io::Error::other("sampling has ended"))
    }
}
