//! The connection of a client: every call ends in time, whatever the other end does.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use ttmem_recording::Damage;
use ttmem_recording::wire::{FRAME_HEADER, FrameKind, frame_header};

use super::ClientError;
use ttmem_root::clock::Clock;

/// A connection with a deadline for every wait.
#[derive(Debug)]
pub(super) struct Line {
    stream: UnixStream,
}

impl Line {
    /// Connects. Does not wait for a server that does not accept.
    pub(super) fn connect(path: &Path) -> io::Result<Self> {
        let address = SocketAddrUnix::new(path)?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        rustix::net::connect(&socket, &address)?;
        Ok(Self { stream: UnixStream::from(socket) })
    }

    /// Returns the user that listens at the other end, as reported by the kernel.
    pub(super) fn uid(&self) -> io::Result<u32> {
        Ok(rustix::net::sockopt::socket_peercred(&self.stream)?.uid.as_raw())
    }

    /// Sends a short message, which fits the buffer of a new connection.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// True if data arrives before the machine was awake for that many microseconds.
    pub(super) fn wait(&self, until_us: u64) -> io::Result<bool> {
        loop {
            let left = until_us.saturating_sub(now());
            let timeout = Timespec {
                tv_sec: i64::try_from(left / 1_000_000).unwrap_or(i64::MAX),
                tv_nsec: i64::try_from(left % 1_000_000 * 1000).unwrap_or(0),
            };
            let mut watched = [PollFd::new(&self.stream, PollFlags::IN)];
            match poll(&mut watched, Some(&timeout)) {
                Ok(count) => return Ok(count > 0),
                Err(rustix::io::Errno::INTR) if left > 0 => {}
                Err(rustix::io::Errno::INTR) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Returns the next frame, which must be complete by the deadline.
    pub(super) fn receive(&mut self, until_us: u64) -> Result<(FrameKind, Vec<u8>), ClientError> {
        let mut header = Vec::new();
        self.fill(&mut header, FRAME_HEADER, until_us)?;
        let header = header.first_chunk().ok_or(Damage::Cut)?;
        let (kind, length) = frame_header(*header)?;
        let mut content = Vec::new();
        self.fill(&mut content, length, until_us)?;
        Ok((kind, content))
    }

    /// Memory is allocated as the bytes arrive, not as they are announced.
    fn fill(
        &mut self,
        bytes: &mut Vec<u8>,
        length: usize,
        until_us: u64,
    ) -> Result<(), ClientError> {
        let mut buffer = [0; 1 << 14];
        while bytes.len() < length {
            let wanted = (length - bytes.len()).min(buffer.len());
            match self.stream.read(buffer.get_mut(..wanted).unwrap_or_default()) {
                Ok(0) if bytes.is_empty() => {
                    return Err(io::Error::from(ErrorKind::UnexpectedEof).into());
                }
                Ok(0) => return Err(Damage::Cut.into()),
                Ok(count) => bytes.extend_from_slice(buffer.get(..count).unwrap_or(&[])),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if !self.wait(until_us)? {
                        return Err(ClientError::Slow);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
            // A peer that sends a byte now and then is as slow as one that sends nothing.
            if now() > until_us && bytes.len() < length {
                return Err(ClientError::Slow);
            }
        }
        Ok(())
    }
}

/// Returns the microseconds that the machine was awake.
pub(super) fn now() -> u64 {
    Clock::System.marks().awake_us
}
