//! Port `simulator`: the L1 of a simulated chip, through the socket that UMD serves it over.
//!
//! A process that runs TT-Metal on a simulator, with `TT_METAL_SIMULATOR_SERVE_OVER_SOCKETS=1` (TT-Metal 0.81.1 and
//! newer), answers there. Two requests are ever sent: which device it is, and to read (`message`). Each has a
//! timeout, each answer a limit; after a fault the connection is not used again.
//!
//! Coordinates are those that the server's SoC descriptor lists: NOC 0, untranslated.

mod find;
mod flatbuffer;
mod message;
mod soc;
mod transport;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use ttmem_model::l1::Coordinate;
use ttmem_model::{Arch, Pid};
use ttmem_root::Root;

use super::{L1Port, PortChip, PortError};
use message::Request;
use transport::{Connection, Fault};

pub(crate) use find::find_of_process;
pub use find::{Found, find};

/// The time limit of an exchange. A busy simulator needs milliseconds; a stuck one must not stop a live view.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);

/// SoC descriptors are 2 to 10 KiB.
const MAX_INFO_BYTES: u32 = 1 << 20;

/// The overhead of an answer beyond the data: 32 bytes as UMD writes it.
const MAX_ANSWER_HEAD_BYTES: u32 = 256;

/// The largest L1 that is believed: the next power of two over Blackhole's.
const MAX_L1_BYTES: u64 = 1 << 21;

/// The reason that a simulated chip cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SimulatorError {
    /// The socket cannot be connected to.
    #[error("{}: {}", path.display(), connect_advice(*errno))]
    Connect {
        /// The socket.
        path: PathBuf,
        /// The kernel's error.
        errno: Errno,
    },
    /// The server took too long.
    #[error("the simulation server did not answer within {} ms; it may be stopped or stuck", timeout.as_millis())]
    TimedOut {
        /// The time that was waited.
        timeout: Duration,
    },
    /// The server went away.
    #[error(
        "the simulation server closed the connection; its process ended, or it did not understand the request"
    )]
    Closed,
    /// The answer is longer than it can be.
    #[error(
        "the simulation server announced an answer of {bytes} bytes where {limit} are the most"
    )]
    Oversized {
        /// Announced length in bytes.
        bytes: u32,
        /// The limit.
        limit: u32,
    },
    /// The answer cannot be understood.
    #[error(
        "the simulation server's answer cannot be understood: {detail}; ttmem knows the protocol of tt-umd 0.9.14"
    )]
    Malformed {
        /// The error.
        detail: String,
    },
    /// The server could not do it.
    #[error("the simulation server answered with status {status}")]
    Refused {
        /// Status in the answer.
        status: i32,
    },
    /// The chip's architecture is not known.
    #[error(
        "the simulated chip is of architecture {arch}; ttmem reads Wormhole (2) and Blackhole (3)"
    )]
    Architecture {
        /// Number of the architecture in tt-umd.
        arch: i32,
    },
    /// The system's error.
    #[error("reading from the simulation server: {0}")]
    System(Errno),
}

impl SimulatorError {
    /// True if nothing listens at the socket: its server is gone.
    #[must_use]
    pub(crate) fn is_nobody(&self) -> bool {
        matches!(self, Self::Connect { errno: Errno::NOENT | Errno::CONNREFUSED, .. })
    }
}

fn connect_advice(errno: Errno) -> String {
    match errno {
        Errno::NOENT => "no such socket; is TT_METAL_SIMULATOR_SERVE_OVER_SOCKETS=1 set where the simulator runs?".into(),
        Errno::CONNREFUSED => "stale socket: no server listens on it".into(),
        Errno::AGAIN => "the simulation server's queue is full; it may be stopped or stuck".into(),
        errno => errno.to_string(),
    }
}

/// The port of a simulated chip, through its socket.
#[derive(Debug)]
pub struct SimulatorPort {
    chip: PortChip,
    connection: Connection,
    requests: u64,
    greeting_bytes: u64,
    /// The reason that the connection cannot be used any more.
    broken: Option<SimulatorError>,
}

/// A connection to a server that was asked nothing yet.
#[derive(Debug)]
pub struct Dialed {
    path: PathBuf,
    connection: Connection,
}

impl Dialed {
    /// Connects to a server's socket, without waiting for the server.
    ///
    /// # Errors
    /// If nothing listens there, or its queue is full.
    pub(crate) fn connect(path: &Path) -> Result<Self, SimulatorError> {
        let connection = Connection::open(path, DEFAULT_TIMEOUT)
            .map_err(|errno| SimulatorError::Connect { path: path.to_owned(), errno })?;
        Ok(Self { path: path.to_owned(), connection })
    }

    /// The process that serves the chip, as we see it: the one that runs the workload.
    #[must_use]
    pub(crate) fn owner(&self) -> Option<Pid> {
        self.connection.owner()
    }

    /// The number of the user of that process.
    #[must_use]
    pub(crate) fn user(&self) -> Option<u32> {
        self.connection.user()
    }
}

/// The sockets in `/tmp` that servers of a user left there when they ended: nothing listens on them.
#[must_use]
pub fn dead_sockets(root: &Root, user: u32) -> Vec<PathBuf> {
    let found = if root.is_system() { find(root, Some(user)) } else { Vec::new() };
    let paths = found.into_iter().map(|found| PathBuf::from(found.path));
    let is_dead = |path: &PathBuf| {
        let refused = Dialed::connect(path).err();
        matches!(refused, Some(SimulatorError::Connect { errno: Errno::CONNREFUSED, .. }))
    };
    paths.filter(is_dead).collect()
}

impl SimulatorPort {
    /// Connects to a server's socket and asks which chip is behind it.
    ///
    /// # Errors
    /// If nothing listens there, or the answer is late, wrong or of an unknown architecture.
    pub fn connect(path: &Path, timeout: Duration) -> Result<Self, SimulatorError> {
        Self::ask(Dialed::connect(path)?, timeout)
    }

    /// Asks which chip is behind a connection.
    ///
    /// # Errors
    /// If the answer is late, wrong or of an unknown architecture.
    pub(crate) fn ask(dialed: Dialed, timeout: Duration) -> Result<Self, SimulatorError> {
        let Dialed { path, connection } = dialed;
        let connection = connection.with_timeout(timeout);
        let answer = exchange(&connection, Request::DeviceInfo, MAX_INFO_BYTES)?;
        let chip = read_chip(&path, &answer)?;
        let greeting_bytes = u64::try_from(answer.len()).unwrap_or(u64::MAX);
        Ok(Self { chip, connection, requests: 1, greeting_bytes, broken: None })
    }

    /// The process that serves the chip, as we see it: the one that runs the workload.
    #[must_use]
    pub fn owner(&self) -> Option<Pid> {
        self.connection.owner()
    }

    /// Requests sent so far: one round trip each.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Bytes of the answer that describes the chip.
    pub(crate) fn greeting_bytes(&self) -> u64 {
        self.greeting_bytes
    }

    fn fill(
        &mut self,
        core: Coordinate,
        address: u64,
        size: u32,
        buffer: &mut [u8],
    ) -> Result<(), SimulatorError> {
        let limit = size.saturating_add(MAX_ANSWER_HEAD_BYTES);
        self.requests += 1;
        let request = Request::Read { core, address, size };
        let answer = exchange(&self.connection, request, limit)?;
        let data = message::read_answer(&answer).map_err(malformed)?;
        let data = data.map_err(|status| SimulatorError::Refused { status })?;
        if data.len() != buffer.len() {
            let detail = format!("{} bytes were asked for, {} came", buffer.len(), data.len());
            return Err(SimulatorError::Malformed { detail });
        }
        buffer.copy_from_slice(data);
        Ok(())
    }
}

impl L1Port for SimulatorPort {
    fn chip(&self) -> &PortChip {
        &self.chip
    }

    fn read(&mut self, core: Coordinate, address: u64, buffer: &mut [u8]) -> Result<(), PortError> {
        let name = self.chip.name.clone();
        if !self.chip.cores.contains(&core) {
            return Err(PortError::NoSuchCore { name, core });
        }
        let bytes = buffer.len();
        let outside = PortError::Outside { name: name.clone(), core, address, bytes };
        let Ok(size) = u32::try_from(bytes) else { return Err(outside) };
        let end = address.checked_add(u64::from(size));
        if end.is_none_or(|end| end > self.chip.l1_bytes) {
            return Err(outside);
        }
        if size == 0 {
            return Ok(());
        }
        if let Some(error) = &self.broken {
            return Err(PortError::Failed { name, detail: error.to_string() });
        }
        match self.fill(core, address, size, buffer) {
            Ok(()) => Ok(()),
            // The server is well, it only cannot read this.
            Err(SimulatorError::Refused { .. }) => Err(outside),
            Err(error) => {
                let detail = error.to_string();
                self.broken = Some(error);
                Err(PortError::Failed { name, detail })
            }
        }
    }
}

fn exchange(
    connection: &Connection,
    request: Request,
    limit: u32,
) -> Result<Vec<u8>, SimulatorError> {
    connection.exchange(&request.encode(), limit).map_err(|fault| match fault {
        Fault::TimedOut => SimulatorError::TimedOut { timeout: connection.timeout() },
        Fault::Closed => SimulatorError::Closed,
        Fault::Oversized(bytes) => SimulatorError::Oversized { bytes, limit },
        Fault::System(errno) => SimulatorError::System(errno),
    })
}

fn read_chip(path: &Path, answer: &[u8]) -> Result<PortChip, SimulatorError> {
    let info = message::device_info(answer).map_err(malformed)?;
    let info = info.map_err(|status| SimulatorError::Refused { status })?;
    let arch = match info.arch {
        2 => Arch::Wormhole,
        3 => Arch::Blackhole,
        arch => return Err(SimulatorError::Architecture { arch }),
    };
    let cores = soc::worker_cores(&info.soc_descriptor);
    let cores = cores.map_err(|detail| SimulatorError::Malformed { detail })?;
    let l1_bytes = soc::worker_l1_bytes(&info.soc_descriptor);
    let l1_bytes = l1_bytes.unwrap_or_else(|| arch.l1_bytes_per_core());
    if l1_bytes > MAX_L1_BYTES {
        let detail = format!("it names an L1 of {l1_bytes} bytes");
        return Err(SimulatorError::Malformed { detail });
    }
    Ok(PortChip {
        name: path.display().to_string(),
        arch,
        noc_translation: info.noc_translation,
        harvesting: u64::from(info.tensix_harvesting),
        l1_bytes,
        cores,
    })
}

fn malformed(error: flatbuffer::Malformed) -> SimulatorError {
    SimulatorError::Malformed { detail: error.to_string() }
}

/// Understands an answer as both kinds there are; for the fuzzer, which wants no socket.
#[doc(hidden)]
pub fn understand(answer: &[u8]) -> (bool, Option<PortChip>) {
    let read = message::read_answer(answer).is_ok_and(|data| data.is_ok());
    (read, read_chip(Path::new("fuzz"), answer).ok())
}

#[cfg(test)]
mod tests;
