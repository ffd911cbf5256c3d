//! A server of UMD's simulation protocol that serves a capture, correctly or with one of many errors.
//!
//! ```no_run
//! use ttmem_test_support::capture::Chip;
//! use ttmem_test_support::simulator::{Behaviour, Server};
//!
//! let server = Server::start(Chip::load("wormhole/matmul"), Behaviour::Good);
//! // … read from server.path() …
//! assert!(server.requests().iter().all(|request| request.data.is_empty()));
//! ```

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::capture::Chip;
use crate::wire::{DeviceInfo, Request, response};

/// The behaviour of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Correct.
    Good,
    /// Correct for device requests; reads fail as in `Bad`.
    BadReads(Bad),
    /// Fails as in `Bad` from the start.
    Bad(Bad),
}

/// The form of a bad answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bad {
    /// A status that is not 0.
    Status,
    /// Bytes that are not a message.
    Malformed,
    /// The right length, and half of the content; then the connection is closed.
    Truncated,
    /// A length of 4 GiB.
    Oversized,
    /// A byte at a time, one each 20 ms.
    Slow,
    /// No answer at all.
    Silent,
    /// The connection is closed.
    Closing,
    /// Fewer bytes than were asked for.
    Short,
    /// A device of an unknown architecture, or the answer to another read.
    Foreign,
}

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub struct Server {
    directory: tempfile::TempDir,
    path: PathBuf,
    log: Arc<Mutex<Vec<Request>>>,
    stopping: Arc<AtomicBool>,
    held: Arc<AtomicBool>,
    chip: Arc<Mutex<Chip>>,
    listener: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server in a directory of its own, with the names that UMD gives.
    #[must_use]
    pub fn start(chip: Chip, behaviour: Behaviour) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = directory.path().join("tmp/tt-umd-sim-server-0");
        std::fs::create_dir_all(&server).unwrap();
        let path = server.join("tt-umd-sim-0.sock");
        let socket = UnixListener::bind(&path).unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let stopping = Arc::new(AtomicBool::new(false));
        let held = Arc::new(AtomicBool::new(false));
        let chip = Arc::new(Mutex::new(chip));
        let session = Session {
            chip: Arc::clone(&chip),
            behaviour,
            log: Arc::clone(&log),
            held: Arc::clone(&held),
        };
        let stop = Arc::clone(&stopping);
        let listener = std::thread::spawn(move || {
            for connection in socket.incoming() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let session = session.clone();
                std::thread::spawn(move || session.serve(&connection.unwrap()));
            }
        });
        Self { directory, path, log, stopping, held, chip, listener: Some(listener) }
    }

    /// Returns the socket.
    #[must_use]
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Returns a directory in which `/tmp` has the socket: a root for finding it.
    #[must_use]
    pub fn root(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// Lets requests wait, as while the simulator runs an op, or answers them.
    pub fn hold(&self, is_held: bool) {
        self.held.store(is_held, Ordering::Relaxed);
    }

    /// Replaces the content of the chip from now on.
    pub fn show(&self, chip: Chip) {
        *self.chip.lock().unwrap() = chip;
    }

    /// Returns every request so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.hold(false);
        // Wakes the listener.
        drop(UnixStream::connect(&self.path));
        if let Some(listener) = self.listener.take() {
            drop(listener.join());
        }
    }
}

#[derive(Clone, Debug)]
struct Session {
    chip: Arc<Mutex<Chip>>,
    behaviour: Behaviour,
    log: Arc<Mutex<Vec<Request>>>,
    held: Arc<AtomicBool>,
}

impl Session {
    /// Answers until the peer disconnects, or a bad answer is the last one.
    fn serve(&self, mut connection: &UnixStream) {
        let mut length = [0; 4];
        while connection.read_exact(&mut length).is_ok() {
            let mut message = vec![0; usize::try_from(u32::from_le_bytes(length)).unwrap()];
            if connection.read_exact(&mut message).is_err() {
                return;
            }
            let request = Request::parse(&message).unwrap();
            self.log.lock().unwrap().push(request.clone());
            while self.held.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(2));
            }
            let bad = match self.behaviour {
                Behaviour::Good => None,
                Behaviour::BadReads(bad) => (request.command == 0).then_some(bad),
                Behaviour::Bad(bad) => Some(bad),
            };
            let sent = match bad {
                None => send(connection, &self.answer(&request, None)),
                Some(bad) => self.misbehave(connection, &request, bad),
            };
            if sent.is_err() {
                return;
            }
        }
    }

    fn answer(&self, request: &Request, bad: Option<Bad>) -> Vec<u8> {
        let chip = self.chip.lock().unwrap();
        let status = if bad == Some(Bad::Status) { -1 } else { 0 };
        if request.command == 2 {
            let arch = if bad == Some(Bad::Foreign) { 4 } else { i32::from(chip.arch) };
            let harvesting = [chip.harvesting, 0, 0, 0, 0];
            let yaml = chip.soc_descriptor();
            return DeviceInfo { status, arch, yaml, noc_translation: true, harvesting }.encode();
        }
        let coordinate = u8::try_from(request.x).ok().zip(u8::try_from(request.y).ok());
        let core = coordinate.and_then(|coordinate| chip.core(coordinate));
        let address = usize::try_from(request.address).unwrap();
        let size = usize::try_from(request.size).unwrap();
        match core {
            Some(core) if request.command == 0 && status == 0 => {
                let mut data = core.read(address, size);
                data.truncate(if bad == Some(Bad::Short) { size / 2 } else { size });
                data.extend(vec![0; if bad == Some(Bad::Foreign) { 1 } else { 0 }]);
                response(0, &data)
            }
            _ => response(-1, &[]),
        }
    }

    fn misbehave(
        &self,
        mut connection: &UnixStream,
        request: &Request,
        bad: Bad,
    ) -> std::io::Result<()> {
        let answer = self.answer(request, Some(bad));
        let length = u32::try_from(answer.len()).unwrap().to_le_bytes();
        let end = || Err(std::io::Error::other("the last answer"));
        match bad {
            Bad::Status | Bad::Short | Bad::Foreign => send(connection, &answer),
            Bad::Malformed => send(connection, &[0xA5; 40]),
            Bad::Truncated => {
                connection.write_all(&length)?;
                connection.write_all(&answer[..answer.len() / 2])?;
                end()
            }
            Bad::Oversized => {
                connection.write_all(&u32::MAX.to_le_bytes())?;
                connection.write_all(&answer)
            }
            Bad::Slow => {
                let frame = [&length[..], &answer].concat();
                for byte in frame {
                    std::thread::sleep(Duration::from_millis(20));
                    connection.write_all(&[byte])?;
                }
                Ok(())
            }
            Bad::Silent => Ok(()),
            Bad::Closing => end(),
        }
    }
}

/// Sends a frame.
fn send(mut connection: &UnixStream, answer: &[u8]) -> std::io::Result<()> {
    connection.write_all(&u32::try_from(answer.len()).unwrap().to_le_bytes())?;
    connection.write_all(answer)
}
