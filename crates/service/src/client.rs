//! A client of the server: a source of snapshots like a collector.
//!
//! The server is not trusted: every call ends in time, and the memory that a server can make a client allocate is
//! bounded.

mod line;

use std::io;
use std::path::Path;
use std::time::Duration;

use ttmem_model::facts::Facts;
use ttmem_model::{Snapshot, Timestamp};
use ttmem_recording::wire::{FactsReader, FrameKind, Hello, LiveReader, PROTOCOL, Welcome, frame};
use ttmem_recording::{Damage, Moment};

use line::{Line, now};

/// Microseconds for an answer. A frame that has begun must end in that time too.
const ANSWER_US: u64 = 1_000_000;
/// Microseconds for an answer with history or facts, which is longer.
const HISTORY_US: u64 = 3_000_000;
/// The most bytes of history that are kept.
const MAX_HISTORY_BYTES: usize = 64 << 20;

/// The reason that there is no snapshot from the server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The server is not running, or has ended.
    #[error("no server: {0}")]
    Gone(#[from] io::Error),
    /// The server closed the connection with a reason.
    #[error("the server closed the connection: {0}")]
    Refused(String),
    /// The server's message is invalid.
    #[error("invalid answer of the server: {0}")]
    Damaged(#[from] Damage),
    /// The server speaks another version of the protocol.
    #[error(
        "the server speaks version {0}, this ttmem {1}; install the same ttmem for both and restart the server"
    )]
    Version(u16, u16),
    /// The server does not answer.
    #[error("the server does not answer in time")]
    Slow,
}

/// A connection to a server.
#[derive(Debug)]
pub struct Client {
    line: Line,
    reader: LiveReader,
    /// The facts, if they were requested.
    facts: Option<FactsReader>,
    welcome: Welcome,
    history: Vec<Vec<u8>>,
    history_bytes: usize,
    /// True if there is a state that was not returned yet.
    is_new: bool,
}

impl Client {
    /// Connects, and receives the requested history and the first state.
    ///
    /// # Errors
    /// If no server answers.
    pub fn connect(socket: &Path, history: Duration) -> Result<Self, ClientError> {
        Self::connect_for(socket, history, false)
    }

    /// Connects as [`Self::connect`], and requests the facts of each state if `facts` is true. An older server sends none.
    ///
    /// # Errors
    /// If no server answers.
    pub(crate) fn connect_for(
        socket: &Path,
        history: Duration,
        facts: bool,
    ) -> Result<Self, ClientError> {
        let is_long = facts || !history.is_zero();
        let until = now() + if is_long { HISTORY_US } else { ANSWER_US };
        let mut line = Line::connect(socket)?;
        let history_us = u64::try_from(history.as_micros()).unwrap_or(u64::MAX);
        let hello = Hello { facts, ..Hello::new(history_us) };
        let hello = serde_json::to_vec(&hello).unwrap_or_default();
        line.send(&frame(FrameKind::Hello, &hello))?;
        let welcome: Welcome = match line.receive(until)? {
            (FrameKind::Welcome, content) => serde_json::from_slice(&content)
                .map_err(|error| Damage::Snapshot(error.to_string()))?,
            (FrameKind::Bye, why) => return Err(refused(&why)),
            _ => return Err(Damage::Impossible("the first frame is not a welcome").into()),
        };
        if welcome.version.0 != PROTOCOL.0 {
            return Err(ClientError::Version(welcome.version.0, PROTOCOL.0));
        }
        let mut client = Self {
            line,
            reader: LiveReader::default(),
            facts: facts.then(FactsReader::default),
            welcome,
            history: Vec::new(),
            history_bytes: 0,
            is_new: false,
        };
        while !client.is_new {
            client.take(until)?;
        }
        Ok(client)
    }

    /// Returns the interval between states.
    #[must_use]
    pub fn interval(&self) -> Duration {
        Duration::from_micros(self.welcome.interval_us)
    }

    /// Returns the boot id of the machine that the server samples.
    #[must_use]
    pub(crate) fn boot(&self) -> Option<&str> {
        self.welcome.boot.as_deref()
    }

    /// Returns the user that the server runs as.
    ///
    /// # Errors
    /// If the kernel does not report it.
    pub(crate) fn uid(&self) -> io::Result<u32> {
        self.line.uid()
    }

    /// Takes the history before the first state: blocks of a recording, each returned once.
    pub(crate) fn history(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.history)
    }

    /// Returns the newest snapshot. Does not wait if an unreturned one has arrived; otherwise returns the last one
    /// again.
    ///
    /// # Errors
    /// If the server went away.
    pub fn snapshot(&mut self) -> Result<Snapshot, ClientError> {
        self.take_all()?;
        self.is_new = false;
        Ok(self.moment()?.snapshot()?)
    }

    /// Returns the newest unreturned snapshot. If there is none, waits until the machine was awake for that many
    /// microseconds.
    ///
    /// # Errors
    /// If the server went away.
    pub(crate) fn newer(&mut self, until_us: u64) -> Result<Option<Snapshot>, ClientError> {
        self.take_all()?;
        while !self.is_new && self.line.wait(until_us)? {
            self.take(now() + ANSWER_US)?;
        }
        if !std::mem::take(&mut self.is_new) {
            return Ok(None);
        }
        Ok(Some(self.moment()?.snapshot()?))
    }

    /// Returns the facts of the state of this time; `None` if they were not requested, or the server has none that this
    /// version reads.
    pub(crate) fn facts(&self, time: Timestamp) -> Option<Facts> {
        // The state is whole without them.
        self.facts.as_ref()?.facts(time).ok().flatten()
    }

    /// Waits for the next state.
    ///
    /// # Errors
    /// If the server went away.
    pub fn wait(&mut self) -> Result<Moment, ClientError> {
        let until = now().saturating_add(self.welcome.interval_us.saturating_mul(3));
        while !matches!(
            self.take(until.saturating_add(ANSWER_US))?,
            FrameKind::Full | FrameKind::Change
        ) {}
        self.is_new = false;
        self.moment()
    }

    fn moment(&self) -> Result<Moment, ClientError> {
        self.reader.moment().ok_or_else(|| Damage::Impossible("no state yet").into())
    }

    /// Receives the available frames. A server that never stops sending does not delay the client for long.
    fn take_all(&mut self) -> Result<(), ClientError> {
        let until = now() + ANSWER_US;
        while self.line.wait(0)? && now() < until {
            self.take(until)?;
        }
        Ok(())
    }

    /// Receives a frame; facts, and the state that they belong to, at once.
    fn take(&mut self, until_us: u64) -> Result<FrameKind, ClientError> {
        let (mut kind, mut content) = self.line.receive(until_us)?;
        if matches!(kind, FrameKind::Facts | FrameKind::FactsChange) {
            match &mut self.facts {
                Some(facts) if kind == FrameKind::Facts => facts.full(&content)?,
                Some(facts) => facts.change(&content)?,
                None => {}
            }
            (kind, content) = self.line.receive(until_us)?;
        }
        match kind {
            FrameKind::Full => self.reader.full(&content)?,
            FrameKind::Change => self.reader.change(&content)?,
            FrameKind::History if self.history_bytes + content.len() <= MAX_HISTORY_BYTES => {
                self.history_bytes += content.len();
                self.history.push(content);
            }
            FrameKind::Bye => return Err(refused(&content)),
            FrameKind::Facts | FrameKind::FactsChange => {
                return Err(Damage::Impossible("facts without a state").into());
            }
            FrameKind::History | FrameKind::Hello | FrameKind::Welcome | FrameKind::Other(_) => {}
        }
        self.is_new |= matches!(kind, FrameKind::Full | FrameKind::Change);
        Ok(kind)
    }
}

fn refused(why: &[u8]) -> ClientError {
    const SHOWN: usize = 200;
    let text = String::from_utf8_lossy(why);
    let line = text.chars().filter(|character| !character.is_control()).take(SHOWN);
    ClientError::Refused(line.collect())
}
