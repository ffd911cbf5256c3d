//! Sends states to a remote receiver, such as an OpenTelemetry collector: one HTTP POST each, from a thread of its own.
//!
//! Sampling never waits for it. A state that was not sent in time is replaced by the next one. A receiver that is down
//! is retried at growing intervals, and reported when it goes down and when it is back.
//!
//! Plain HTTP, which is enough for a receiver on the same machine or in the same pod. Remote receivers should be
//! reached through a local collector, which encrypts, buffers and retries; TLS would be more code than the whole
//! server.

mod endpoint;

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use ttmem_model::Snapshot;

pub use endpoint::{BadEndpoint, Endpoint};
use ttmem_root::clock::Clock;

/// The time limit for each of connecting, sending and the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest interval between retries.
const LONGEST_US: u64 = 60_000_000;
/// The most bytes of an answer.
const MAX_ANSWER_BYTES: u64 = 16 << 10;

/// Encodes the body of a request.
pub(crate) type Encode = Box<dyn Fn(&Snapshot) -> Vec<u8> + Send>;

/// The destination and form of a push.
pub struct Options {
    /// The receiver.
    pub endpoint: Endpoint,
    /// The shortest interval between requests.
    pub interval: Duration,
    /// The content type.
    pub content_type: &'static str,
    /// Additional headers, such as one with a token.
    pub headers: Vec<(String, String)>,
    /// Encodes the body.
    pub encode: Encode,
    /// Receives messages, one line each.
    pub say: Box<dyn Fn(&str) + Send>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Headers may contain a secret.
        formatter.debug_struct("Options").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// Receives states and pushes the newest.
#[derive(Debug)]
pub struct Pusher {
    slot: Arc<Slot>,
}

#[derive(Debug, Default)]
struct Slot {
    newest: Mutex<Option<Arc<Snapshot>>>,
    filled: Condvar,
}

impl Slot {
    fn take(&self) -> Arc<Snapshot> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match newest.take() {
                Some(snapshot) => return snapshot,
                None => {
                    newest = self.filled.wait(newest).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

impl Pusher {
    /// Starts pushing offered states, as long as the program runs.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub fn start(options: Options) -> io::Result<Self> {
        let slot = Arc::new(Slot::default());
        let taken = Arc::clone(&slot);
        thread::Builder::new()
            .name("ttmem-push".to_owned())
            .spawn(move || push_for_ever(&options, &taken))?;
        Ok(Self { slot })
    }

    /// Offers a state, replacing one that was not pushed yet. Never waits.
    pub fn offer(&self, snapshot: Arc<Snapshot>) {
        *self.slot.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(snapshot);
        self.slot.filled.notify_one();
    }
}

fn push_for_ever(options: &Options, slot: &Slot) {
    let interval = u64::try_from(options.interval.as_micros()).unwrap_or(u64::MAX);
    let mut failures = 0_u32;
    loop {
        let snapshot = slot.take();
        let watch = Clock::System.start();
        let content = (options.encode)(&snapshot);
        let name = &options.endpoint;
        let wait = match post(options, &content) {
            Ok(()) if failures > 0 => {
                (options.say)(&format!("{name} accepts metrics again"));
                failures = 0;
                interval
            }
            Ok(()) => interval,
            Err(error) => {
                if failures == 0 {
                    (options.say)(&format!("{name} does not accept metrics: {error}; retrying"));
                }
                failures = failures.saturating_add(1);
                let longer = interval.saturating_mul(1 << failures.min(10));
                longer.min(LONGEST_US).max(interval)
            }
        };
        thread::sleep(Duration::from_micros(wait.saturating_sub(watch.micros())));
    }
}

/// The reason that a request failed.
#[derive(Debug, thiserror::Error)]
enum PushError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it answers {0}")]
    Status(String),
    #[error("it does not speak HTTP")]
    NotHttp,
}

fn post(options: &Options, content: &[u8]) -> Result<(), PushError> {
    let endpoint = &options.endpoint;
    let mut stream = connect(endpoint)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut request = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: ttmem/{}\r\nContent-Type: {}\r\n\
         Content-Length: {}\r\nConnection: close\r\n",
        endpoint.path(),
        endpoint.authority(),
        env!("CARGO_PKG_VERSION"),
        options.content_type,
        content.len(),
    );
    for (name, value) in &options.headers {
        request += &format!("{name}: {value}\r\n");
    }
    request += "\r\n";
    let mut bytes = request.into_bytes();
    bytes.extend_from_slice(content);
    let written = stream.write_all(&bytes);
    // A receiver that refuses before it has read everything may still have sent a reason.
    let answer = answer(&stream);
    match written {
        Err(error) if answer.is_empty() => return Err(error.into()),
        _ => {}
    }
    status(&answer)
}

fn connect(endpoint: &Endpoint) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in (endpoint.host(), endpoint.port()).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Returns the answer up to the end of its headers, within limits of time and size.
fn answer(stream: &TcpStream) -> Vec<u8> {
    let watch = Clock::System.start();
    let patience = u64::try_from(PATIENCE.as_micros()).unwrap_or(u64::MAX);
    let mut taken = Vec::new();
    let mut buffer = [0; 1024];
    let mut limited = stream.take(MAX_ANSWER_BYTES);
    while watch.micros() < patience {
        match limited.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(count) => taken.extend_from_slice(buffer.get(..count).unwrap_or(&[])),
        }
        if taken.windows(4).any(|window| window == b"\r\n\r\n") {
            break;
        }
    }
    taken
}

fn status(answer: &[u8]) -> Result<(), PushError> {
    const SHOWN: usize = 80;
    let line = answer.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let mut words = line.splitn(3, ' ');
    let (Some("HTTP/1.1" | "HTTP/1.0"), Some(code)) = (words.next(), words.next()) else {
        return Err(PushError::NotHttp);
    };
    if code.len() == 3 && code.starts_with('2') {
        return Ok(());
    }
    let status = [code, words.next().unwrap_or_default()].join(" ");
    let line = status.chars().filter(|character| !character.is_control()).take(SHOWN);
    Err(PushError::Status(line.collect::<String>().trim_end().to_owned()))
}

#[cfg(test)]
mod tests;
