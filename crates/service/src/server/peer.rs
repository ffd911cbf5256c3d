//! The server's state of one client.

use std::collections::VecDeque;
use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use rustix::net::{SendFlags, send};
use ttmem_recording::wire::{FRAME_HEADER, FrameKind, Hello, PROTOCOL, frame, frame_header};

use super::Viewer;
use super::view::FactsFrames;

/// The most bytes queued for a client, its first state excluded: two whole states of a Galaxy, or a thousand changes.
const MAX_QUEUED_BYTES: usize = 1 << 20;
/// The time limit for a greeting.
const HELLO_US: u64 = 5_000_000;
/// The time limit for reading the history.
const PAST_US: u64 = 60_000_000;
/// The most bytes of a greeting.
const MAX_HELLO_BYTES: usize = 4096;

/// One client.
#[derive(Debug)]
pub(super) struct Peer {
    stream: UnixStream,
    viewer: Viewer,
    uid: u32,
    since: u64,
    /// True if there may be something to read from it.
    is_readable: bool,
    /// The received part of its greeting.
    input: Vec<u8>,
    phase: Phase,
    queue: VecDeque<Arc<[u8]>>,
    /// The sent part of the first frame.
    sent: usize,
    queued: usize,
    /// The limit of the queue: higher while it receives its first state.
    allowed: usize,
    facts: PeerFacts,
}

/// The facts that a client has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PeerFacts {
    /// The client does not request facts.
    Unwanted,
    /// The client has no facts that changes could follow.
    Lost,
    /// The client has the facts of the previous state.
    Current,
}

/// The phase of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Waiting for its greeting.
    Greeting,
    /// Receiving history, block by block; the number is the next block's.
    Past(u64),
    /// Receiving changes after the whole state.
    Live,
}

/// The request of a client.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Nothing,
    Begin { history_us: u64 },
    Leave,
    Refuse(&'static str),
}

impl Peer {
    pub(super) fn new(stream: UnixStream, viewer: Viewer, uid: u32, now: u64) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            viewer,
            uid,
            since: now,
            is_readable: true,
            input: Vec::new(),
            phase: Phase::Greeting,
            queue: VecDeque::new(),
            sent: 0,
            queued: 0,
            allowed: MAX_QUEUED_BYTES,
            facts: PeerFacts::Unwanted,
        })
    }

    pub(super) fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Notes whether there may be something to read from it.
    pub(super) fn set_readable(&mut self, is_readable: bool) {
        self.is_readable = is_readable;
    }

    /// Returns its class of viewer.
    pub(super) fn viewer(&self) -> Viewer {
        self.viewer
    }

    /// Returns its user.
    pub(super) fn uid(&self) -> u32 {
        self.uid
    }

    /// True if it has not sent its greeting.
    pub(super) fn is_idle(&self) -> bool {
        self.phase == Phase::Greeting
    }

    /// True if it receives changes.
    pub(super) fn is_live(&self) -> bool {
        self.phase == Phase::Live
    }

    /// Returns the number of the block of history that it is ready to receive.
    pub(super) fn next_past(&self) -> Option<u64> {
        match self.phase {
            Phase::Past(number) if self.queue.is_empty() => Some(number),
            _ => None,
        }
    }

    /// Queues history, with another block to follow.
    pub(super) fn give_past(&mut self, frame: Arc<[u8]>, next: u64) {
        self.queue(frame);
        self.allow_queued();
        self.phase = Phase::Past(next);
    }

    /// Queues the whole state; changes follow.
    pub(super) fn go_live(&mut self, state: Arc<[u8]>) {
        self.queue(state);
        self.allow_queued();
        self.phase = Phase::Live;
    }

    pub(super) fn has_queued(&self) -> bool {
        !self.queue.is_empty()
    }

    pub(super) fn queue(&mut self, frame: Arc<[u8]>) {
        self.queued += frame.len();
        self.queue.push_back(frame);
    }

    /// True if it requests facts and has none.
    pub(super) fn needs_facts(&self) -> bool {
        self.facts == PeerFacts::Lost
    }

    /// True if it requests facts.
    pub(super) fn wants_facts(&self) -> bool {
        self.facts != PeerFacts::Unwanted
    }

    /// Queues the facts of the state that is queued next, if the client requests them. One that is still reading an earlier
    /// state gets none with this one: they are large, and a state does not need them.
    pub(super) fn queue_facts(&mut self, frames: &FactsFrames) {
        let frame = match self.facts {
            PeerFacts::Unwanted => return,
            _ if self.has_queued() => None,
            PeerFacts::Current if frames.change.is_some() => frames.change.clone(),
            PeerFacts::Current | PeerFacts::Lost => frames.full.clone(),
        };
        self.facts = if frame.is_some() { PeerFacts::Current } else { PeerFacts::Lost };
        if let Some(frame) = frame {
            self.queue(frame);
            self.allow_queued();
        }
    }

    /// Reads from the client if there may be something. Anything after its greeting is discarded.
    pub(super) fn receive(&mut self, now: u64) -> Wish {
        let mut buffer = [0; 1024];
        while self.is_readable {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Wish::Leave,
                Ok(count) if self.phase == Phase::Greeting => {
                    self.input.extend_from_slice(buffer.get(..count).unwrap_or(&[]));
                    match self.greeting() {
                        Wish::Nothing => {}
                        wish => return wish,
                    }
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_readable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Wish::Leave,
            }
        }
        let age = now.saturating_sub(self.since);
        match self.phase {
            Phase::Greeting if age > HELLO_US => Wish::Refuse("no greeting in time"),
            Phase::Past(_) if age > PAST_US => Wish::Refuse("its history was not read in time"),
            _ => Wish::Nothing,
        }
    }

    fn greeting(&mut self) -> Wish {
        const NOT_OURS: Wish = Wish::Refuse("this is a ttmem server: it expects a ttmem client");
        let Some((header, rest)) = self.input.split_first_chunk::<FRAME_HEADER>() else {
            return Wish::Nothing;
        };
        let Ok((FrameKind::Hello, length)) = frame_header(*header) else { return NOT_OURS };
        if length > MAX_HELLO_BYTES {
            return NOT_OURS;
        }
        let Some(content) = rest.get(..length) else { return Wish::Nothing };
        let Ok(hello) = serde_json::from_slice::<Hello>(content) else { return NOT_OURS };
        if hello.version.0 != PROTOCOL.0 {
            return Wish::Refuse(
                "client and server have different versions: install the same ttmem for both, and restart the server",
            );
        }
        self.phase = Phase::Past(u64::MAX);
        if hello.facts {
            self.facts = PeerFacts::Lost;
        }
        self.input = Vec::new();
        Wish::Begin { history_us: hello.history_us }
    }

    /// Sends what the client reads. Returns false if it is gone or too slow.
    pub(super) fn send(&mut self) -> bool {
        while let Some(frame) = self.queue.front() {
            let rest = frame.get(self.sent..).unwrap_or(&[]);
            match send(&self.stream, rest, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(count) if count < rest.len() => {
                    self.sent += count;
                    self.queued -= count;
                }
                Ok(count) => {
                    self.queued -= count;
                    self.sent = 0;
                    self.queue.pop_front();
                }
                Err(rustix::io::Errno::AGAIN) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return false,
            }
        }
        // A block or a state may exceed the limit while it shrinks.
        let is_slow = self.queued > self.allowed;
        self.allowed = self.allowed.min(self.queued.max(MAX_QUEUED_BYTES));
        !is_slow
    }

    /// Allows any time for the current queue.
    fn allow_queued(&mut self) {
        self.allowed = self.queued + MAX_QUEUED_BYTES;
    }

    /// Sends the reason for closing, without waiting.
    pub(super) fn refuse(&mut self, why: &str) {
        let bye = frame(FrameKind::Bye, why.as_bytes());
        match send(&self.stream, &bye, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            // The connection is closing: the error does not matter.
            Ok(_) | Err(_) => {}
        }
    }
}
