//! A client of the server: gives snapshots as a collector does.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use ttmem_model::Snapshot;
use ttmem_model::recording::{Damage, Moment};
use ttmem_model::wire::{
    FRAME_HEADER, FrameKind, Hello, LiveReader, PROTOCOL, Welcome, frame, frame_header,
};

/// How long a server may take to answer before it counts as not there.
const ANSWER: Duration = Duration::from_secs(2);

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
}

/// A connection to a server.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    reader: LiveReader,
    welcome: Welcome,
    history: Vec<Vec<u8>>,
}

impl Client {
    /// Connects, and takes as much history as is wanted and the first state.
    ///
    /// # Errors
    /// If no server answers.
    pub fn connect(socket: &Path, history: Duration) -> Result<Self, ClientError> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.set_write_timeout(Some(ANSWER))?;
        let hello = Hello::new(u64::try_from(history.as_micros()).unwrap_or(u64::MAX));
        let hello = serde_json::to_vec(&hello).unwrap_or_default();
        stream.write_all(&frame(FrameKind::Hello, &hello))?;
        let welcome: Welcome = match receive(&mut stream)? {
            (FrameKind::Welcome, content) => serde_json::from_slice(&content)
                .map_err(|error| Damage::Snapshot(error.to_string()))?,
            (FrameKind::Bye, why) => return Err(refused(&why)),
            _ => return Err(Damage::Impossible("the first frame is no welcome").into()),
        };
        if welcome.version.0 != PROTOCOL.0 {
            return Err(ClientError::Version(welcome.version.0, PROTOCOL.0));
        }
        // From now on it waits as long as the server needs from state to state.
        let patience = ANSWER + 3 * Duration::from_micros(welcome.interval_us);
        stream.set_read_timeout(Some(patience))?;
        let mut client =
            Self { stream, reader: LiveReader::default(), welcome, history: Vec::new() };
        while client.reader.moment().is_none() {
            client.take()?;
        }
        Ok(client)
    }

    /// The time from state to state.
    #[must_use]
    pub fn interval(&self) -> Duration {
        Duration::from_micros(self.welcome.interval_us)
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
        while self.is_more_there()? {
            self.take()?;
        }
        Ok(self.moment()?.snapshot()?)
    }

    /// Waits for the next state.
    ///
    /// # Errors
    /// If the server went away.
    pub fn wait(&mut self) -> Result<Moment, ClientError> {
        while !matches!(self.take()?, FrameKind::Full | FrameKind::Change) {}
        self.moment()
    }

    fn moment(&self) -> Result<Moment, ClientError> {
        self.reader.moment().ok_or_else(|| Damage::Impossible("there is no state yet").into())
    }

    fn is_more_there(&self) -> io::Result<bool> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut watched = [PollFd::new(&self.stream, PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        Ok(poll(&mut watched, Some(&now))? > 0)
    }

    fn take(&mut self) -> Result<FrameKind, ClientError> {
        let (kind, content) = receive(&mut self.stream)?;
        match kind {
            FrameKind::Full => self.reader.full(&content)?,
            FrameKind::Change => self.reader.change(&content)?,
            FrameKind::History => self.history.push(content),
            FrameKind::Bye => return Err(refused(&content)),
            FrameKind::Hello | FrameKind::Welcome | FrameKind::Other(_) => {}
        }
        Ok(kind)
    }
}

fn receive(stream: &mut UnixStream) -> Result<(FrameKind, Vec<u8>), ClientError> {
    let mut header = [0; FRAME_HEADER];
    stream.read_exact(&mut header)?;
    let (kind, length) = frame_header(header)?;
    let mut content = Vec::new();
    // Memory is taken as the bytes come, not as they are announced.
    stream.take(length as u64).read_to_end(&mut content)?;
    if content.len() < length { Err(Damage::Cut.into()) } else { Ok((kind, content)) }
}

fn refused(why: &[u8]) -> ClientError {
    const SHOWN: usize = 200;
    let text = String::from_utf8_lossy(why);
    let line = text.chars().filter(|character| !character.is_control()).take(SHOWN);
    ClientError::Refused(line.collect())
}
