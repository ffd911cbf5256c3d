//! Ends the wait of a server from another thread.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// Wakes a server when it is told to, and when it is dropped: a thread that ends wakes the server, too.
#[derive(Debug)]
pub struct Waker(UnixStream);

impl Waker {
    /// Ends the server's wait, or the next one if it is not waiting.
    pub fn wake(&self) {
        match (&self.0).write_all(&[1]) {
            // Where nothing can be written it is going to wake already, or is gone.
            Ok(()) | Err(_) => {}
        }
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        self.wake();
    }
}

/// The server's end.
#[derive(Debug)]
pub(super) struct Wakes {
    received: UnixStream,
    sender: UnixStream,
}

impl Wakes {
    pub(super) fn new() -> io::Result<Self> {
        let (received, sender) = UnixStream::pair()?;
        received.set_nonblocking(true)?;
        sender.set_nonblocking(true)?;
        Ok(Self { received, sender })
    }

    pub(super) fn waker(&self) -> io::Result<Waker> {
        self.sender.try_clone().map(Waker)
    }

    /// Forgets that it was woken.
    pub(super) fn clear(&self) {
        let mut bytes = [0; 64];
        while (&self.received).read(&mut bytes).is_ok_and(|count| count == bytes.len()) {}
    }
}

impl AsFd for Wakes {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.received.as_fd()
    }
}
