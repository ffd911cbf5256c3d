//! Frames over a socket: a length, then as many bytes. Nothing waits longer than it may.
//!
//! Source: tt-umd 0.9.14, `device/simulation/simulation_server_transport.cpp`. The other end is untrusted: the
//! socket is in UMD's directory in `/tmp`, which is open to all users.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv,
    send, socket_with, sockopt,
};
use ttmem_model::Pid;

use ttmem_root::clock::{Clock, Stopwatch};

/// A connection to a server.
#[derive(Debug)]
pub(super) struct Connection {
    socket: OwnedFd,
    timeout: Duration,
}

/// The reason that an exchange failed. The connection cannot be used any more then: an answer that comes late would be
/// taken for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The time was over.
    TimedOut,
    /// The server closed the connection.
    Closed,
    /// The answer would be longer than it can be.
    Oversized(u32),
    /// The system's error.
    System(Errno),
}

impl From<Errno> for Fault {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::PIPE | Errno::CONNRESET => Self::Closed,
            errno => Self::System(errno),
        }
    }
}

impl Connection {
    /// Connects to a server's socket. Does not wait: a server whose queue is full is busy (`EAGAIN`).
    pub(super) fn open(path: &Path, timeout: Duration) -> Result<Self, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        match SocketAddrUnix::new(path) {
            Ok(address) => connect(&socket, &address)?,
            Err(Errno::NAMETOOLONG) => connect_by_directory(&socket, path)?,
            Err(errno) => return Err(errno),
        }
        Ok(Self { socket, timeout })
    }

    /// Sets the time limit of an exchange.
    pub(super) fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The time limit of an exchange.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The process that made the socket, as we see it.
    pub(super) fn owner(&self) -> Option<Pid> {
        let peer = sockopt::socket_peercred(&self.socket).ok()?;
        Some(Pid(peer.pid.as_raw_nonzero().get()))
    }

    /// The number of the user of the process that made the socket.
    pub(super) fn user(&self) -> Option<u32> {
        sockopt::socket_peercred(&self.socket).ok().map(|peer| peer.uid.as_raw())
    }

    /// Sends a request and receives its answer of at most `limit` bytes, all within the timeout.
    pub(super) fn exchange(&self, request: &[u8], limit: u32) -> Result<Vec<u8>, Fault> {
        let watch = Clock::System.start();
        let length =
            u32::try_from(request.len()).map_err(|_too_long| Fault::System(Errno::MSGSIZE))?;
        // One send, so that no server sees half a frame unless its queue is full.
        let frame = [&length.to_le_bytes(), request].concat();
        self.send_all(&frame, watch)?;
        let mut length = [0; 4];
        self.receive_all(&mut length, watch)?;
        let length = u32::from_le_bytes(length);
        if length > limit {
            return Err(Fault::Oversized(length));
        }
        let mut answer = vec![0; usize::try_from(length).unwrap_or(0)];
        self.receive_all(&mut answer, watch)?;
        Ok(answer)
    }

    fn send_all(&self, mut bytes: &[u8], watch: Stopwatch) -> Result<(), Fault> {
        while !bytes.is_empty() {
            // No SIGPIPE, whatever the program does about it: a server that went away is an error like any other.
            match send(&self.socket, bytes, SendFlags::NOSIGNAL) {
                Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
                Err(Errno::AGAIN) => self.wait(PollFlags::OUT, watch)?,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    fn receive_all(&self, mut buffer: &mut [u8], watch: Stopwatch) -> Result<(), Fault> {
        while !buffer.is_empty() {
            // Before each piece, so that a server which sends byte by byte does not get all the time in the world.
            self.remaining(watch)?;
            match recv(&self.socket, &mut *buffer, RecvFlags::empty()) {
                Ok((_, 0)) => return Err(Fault::Closed),
                Ok((_, received)) => buffer = buffer.get_mut(received..).unwrap_or_default(),
                Err(Errno::AGAIN) => self.wait(PollFlags::IN, watch)?,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    /// Waits until the socket is ready or the time is over.
    fn wait(&self, events: PollFlags, watch: Stopwatch) -> Result<(), Fault> {
        let remaining = self.remaining(watch)?;
        let timespec =
            Timespec::try_from(remaining).map_err(|_too_long| Fault::System(Errno::INVAL))?;
        match poll(&mut [PollFd::new(&self.socket, events)], Some(&timespec)) {
            Ok(0) => Err(Fault::TimedOut),
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn remaining(&self, watch: Stopwatch) -> Result<Duration, Fault> {
        let spent = Duration::from_micros(watch.micros());
        self.timeout.checked_sub(spent).filter(|rest| !rest.is_zero()).ok_or(Fault::TimedOut)
    }
}

/// Connects to a path that is too long for a socket address (107 bytes), by way of its directory.
fn connect_by_directory(socket: &OwnedFd, path: &Path) -> Result<(), Errno> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Errno::NAMETOOLONG);
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(CWD, directory, flags, Mode::empty())?;
    let short = format!("/proc/self/fd/{}", directory.as_raw_fd());
    connect(socket, &SocketAddrUnix::new(Path::new(&short).join(name))?)
}
