//! Hands states to a receiver elsewhere, such as an OpenTelemetry collector: one HTTP POST each, from a thread of its own.
//!
//! The collecting never waits for it. A state that the receiver did not take in time is replaced by the next one; one
//! that is down is asked ever more seldom, and is heard of when it goes and when it comes back.
//!
//! Plain HTTP, as much as a receiver on the same machine or in the same pod needs. What goes further should go through a
//! collector there, which encrypts, keeps and tries again; TLS would be more code than all of the server.

mod endpoint;

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use ttmem_model::Snapshot;

pub use endpoint::{BadEndpoint, Endpoint};
use ttmem_root::clock::Clock;

/// For each of connecting, sending and the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest time between two tries at a receiver that is down.
const LONGEST_US: u64 = 60_000_000;
/// What is read of an answer.
const MAX_ANSWER_BYTES: u64 = 16 << 10;

/// Makes the content of a request.
pub type Encode = Box<dyn Fn(&Snapshot) -> Vec<u8> + Send>;

/// Where to push, and how.
pub struct Options {
    /// The receiver.
    pub endpoint: Endpoint,
    /// The least time from one request to the next.
    pub interval: Duration,
    /// What type the content has.
    pub content_type: &'static str,
    /// Further headers, such as one with a token.
    pub headers: Vec<(String, String)>,
    /// Makes the content.
    pub encode: Encode,
    /// Told what there is to say, one line each.
    pub say: Box<dyn Fn(&str) + Send>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Headers may hold a secret.
        formatter.debug_struct("Options").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// Takes states and pushes the newest.
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
    /// Begins to push what it is offered, as long as the program runs.
    ///
    /// # Errors
    /// If there can be no more threads.
    pub fn start(options: Options) -> io::Result<Self> {
        let slot = Arc::new(Slot::default());
        let taken = Arc::clone(&slot);
        thread::Builder::new()
            .name("ttmem-push".to_owned())
            .spawn(move || push_for_ever(&options, &taken))?;
        Ok(Self { slot })
    }

    /// Offers a state, in place of one that was not pushed yet. Never waits.
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
                (options.say)(&format!("{name} takes metrics again"));
                failures = 0;
                interval
            }
            Ok(()) => interval,
            Err(error) => {
                if failures == 0 {
                    (options.say)(&format!("{name} does not take metrics: {error}; trying on"));
                }
                failures = failures.saturating_add(1);
                let longer = interval.saturating_mul(1 << failures.min(10));
                longer.min(LONGEST_US).max(interval)
            }
        };
        thread::sleep(Duration::from_micros(wait.saturating_sub(watch.micros())));
    }
}

/// Why a request did no good.
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
    // One that refuses before it has read all may still have said why.
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

/// What there is of an answer up to the end of its headers, in time and to a bound.
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
    let said = [code, words.next().unwrap_or_default()].join(" ");
    let line = said.chars().filter(|character| !character.is_control()).take(SHOWN);
    Err(PushError::Status(line.collect::<String>().trim_end().to_owned()))
}

#[cfg(test)]
mod tests;
