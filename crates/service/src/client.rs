//! A client of the server: gives snapshots as a collector does.
//!
//! The server is not trusted to be well: whatever it says or does not say, every call ends in time, and the memory that
//! it can make a client take is bounded.

mod line;

use std::io;
use std::path::Path;
use std::time::Duration;

use ttmem_model::Snapshot;
use ttmem_recording::wire::{FrameKind, Hello, LiveReader, PROTOCOL, Welcome, frame};
use ttmem_recording::{Damage, Moment};

use line::{Line, now};

/// How long a server may take to answer before it counts as not there. A frame that has begun must end in it too.
const ANSWER_US: u64 = 1_000_000;
/// The same where history is wanted, which is more to send.
const HISTORY_US: u64 = 3_000_000;
/// History that is kept of what a server sends.
const MAX_HISTORY_BYTES: usize = 64 << 20;

/// Why there is no snapshot from the server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// It is not there, or went away.
    #[error("no server: {0}")]
    Gone(#[from] io::Error),
    /// It closed the connection and said why.
    #[error("the server closed the connection: {0}")]
    Refused(String),
    /// It said what cannot be understood.
    #[error("cannot understand the server: {0}")]
    Damaged(#[from] Damage),
    /// It is of another age.
    #[error(
        "the server speaks version {0}, this ttmem {1}; install the same ttmem for both and restart the server"
    )]
    Version(u16, u16),
    /// It says nothing.
    #[error("the server does not answer in time")]
    Slow,
}

/// A connection to a server.
#[derive(Debug)]
pub struct Client {
    line: Line,
    reader: LiveReader,
    welcome: Welcome,
    history: Vec<Vec<u8>>,
    history_bytes: usize,
    /// Whether there is a state that was not given yet.
    is_new: bool,
}

impl Client {
    /// Connects, and takes as much history as is wanted and the first state.
    ///
    /// # Errors
    /// If no server answers.
    pub fn connect(socket: &Path, history: Duration) -> Result<Self, ClientError> {
        let until = now() + if history.is_zero() { ANSWER_US } else { HISTORY_US };
        let mut line = Line::connect(socket)?;
        let hello = Hello::new(u64::try_from(history.as_micros()).unwrap_or(u64::MAX));
        let hello = serde_json::to_vec(&hello).unwrap_or_default();
        line.say(&frame(FrameKind::Hello, &hello))?;
        let welcome: Welcome = match line.receive(until)? {
            (FrameKind::Welcome, content) => serde_json::from_slice(&content)
                .map_err(|error| Damage::Snapshot(error.to_string()))?,
            (FrameKind::Bye, why) => return Err(refused(&why)),
            _ => return Err(Damage::Impossible("the first frame is no welcome").into()),
        };
        if welcome.version.0 != PROTOCOL.0 {
            return Err(ClientError::Version(welcome.version.0, PROTOCOL.0));
        }
        let mut client = Self {
            line,
            reader: LiveReader::default(),
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

    /// The time from state to state.
    #[must_use]
    pub fn interval(&self) -> Duration {
        Duration::from_micros(self.welcome.interval_us)
    }

    /// The kernel's number of the start of the machine that the server looks at.
    #[must_use]
    pub fn boot(&self) -> Option<&str> {
        self.welcome.boot.as_deref()
    }

    /// The user that the server runs as.
    ///
    /// # Errors
    /// If the kernel does not say.
    pub fn uid(&self) -> io::Result<u32> {
        self.line.uid()
    }

    /// What was before the first state: blocks of a recording, each given once.
    pub fn history(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.history)
    }

    /// The newest snapshot. Does not wait where one is there that was not given yet; otherwise gives the last again.
    ///
    /// # Errors
    /// If the server went away.
    pub fn snapshot(&mut self) -> Result<Snapshot, ClientError> {
        self.take_all()?;
        self.is_new = false;
        Ok(self.moment()?.snapshot()?)
    }

    /// The newest snapshot that was not given yet. Where there is none, it waits until the machine has been awake for
    /// so many microseconds.
    ///
    /// # Errors
    /// If the server went away.
    pub fn newer(&mut self, until_us: u64) -> Result<Option<Snapshot>, ClientError> {
        self.take_all()?;
        while !self.is_new && self.line.wait(until_us)? {
            self.take(now() + ANSWER_US)?;
        }
        if !std::mem::take(&mut self.is_new) {
            return Ok(None);
        }
        Ok(Some(self.moment()?.snapshot()?))
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
        self.reader.moment().ok_or_else(|| Damage::Impossible("there is no state yet").into())
    }

    /// Takes what is there. A server that sends and sends does not hold the client up for long.
    fn take_all(&mut self) -> Result<(), ClientError> {
        let until = now() + ANSWER_US;
        while self.line.wait(0)? && now() < until {
            self.take(until)?;
        }
        Ok(())
    }

    fn take(&mut self, until_us: u64) -> Result<FrameKind, ClientError> {
        let (kind, content) = self.line.receive(until_us)?;
        match kind {
            FrameKind::Full => self.reader.full(&content)?,
            FrameKind::Change => self.reader.change(&content)?,
            FrameKind::History if self.history_bytes + content.len() <= MAX_HISTORY_BYTES => {
                self.history_bytes += content.len();
                self.history.push(content);
            }
            FrameKind::Bye => return Err(refused(&content)),
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
