//! Simulated chips: the sockets of their servers, found or named.

use std::path::{Path, PathBuf};

use ttmem_model::Pid;
use ttmem_model::facts::{L1Facts, L1Place};
use ttmem_model::reading::Missing;

use super::{Kernels, OpenChip};
use crate::port::simulator::{DEFAULT_TIMEOUT, SimulatorPort, find, find_of_process};
use ttmem_root::clock::Clock;
use ttmem_root::{Root, Status};

/// A socket, and which chip its name says is behind it.
struct Socket {
    path: PathBuf,
    chip: u32,
    /// True if the user named it: then its errors are reported, even that nothing listens.
    is_named: bool,
}

/// A socket whose server did not let us in.
#[derive(Debug)]
pub(super) struct Refused {
    path: PathBuf,
    chip: u32,
    why: Missing,
}

/// Opens the chips behind the sockets that are not open yet. `pids` is one process of each mount namespace that may
/// have a `/tmp` of its own. Captured hosts have no servers.
pub(super) fn open(
    root: &Root,
    named: Option<&Path>,
    pids: &[Pid],
    chips: &mut Vec<OpenChip>,
) -> Vec<Refused> {
    let mut refused = Vec::new();
    for Socket { path, chip, is_named } in sockets(root, named, pids) {
        if chips.iter().any(|open| Path::new(&open.port.chip().name) == path) {
            continue;
        }
        match SimulatorPort::connect(&path, DEFAULT_TIMEOUT) {
            Ok(port) => {
                let owner = port.owner();
                let kernels = Kernels::Of(owner.into_iter().collect());
                let place = L1Place::Simulated { chip, owner };
                chips.push(OpenChip::new(place, Box::new(port), kernels));
            }
            // A server that ended leaves its socket behind.
            Err(error) if !is_named && error.is_nobody() => {}
            Err(error) => {
                let why = Missing::failed(error.to_string());
                refused.push(Refused { path, chip, why });
            }
        }
    }
    refused
}

fn sockets(root: &Root, named: Option<&Path>, pids: &[Pid]) -> Vec<Socket> {
    let mut sockets: Vec<Socket> = named
        .map(|path| Socket { path: path.to_owned(), chip: number_in(path), is_named: true })
        .into_iter()
        .collect();
    if !root.is_system() {
        return sockets;
    }
    let mut seen: Vec<Status> = Vec::new();
    let others = pids.iter().flat_map(|pid| find_of_process(root, *pid));
    for found in find(root).into_iter().chain(others) {
        // Two namespaces may share a directory.
        let Ok(status) = root.status(&found.path) else { continue };
        let is_new = !seen.iter().any(|other| other.identity == status.identity);
        seen.push(status);
        let path = PathBuf::from(found.path);
        if is_new && sockets.iter().all(|socket| socket.path != path) {
            sockets.push(Socket { path, chip: found.chip, is_named: false });
        }
    }
    sockets
}

/// The chip's number in the name of a socket, 0 where it has another name.
fn number_in(path: &Path) -> u32 {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let digits = name.strip_prefix("tt-umd-sim-").and_then(|rest| rest.strip_suffix(".sock"));
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

impl Refused {
    /// The chip that could not be read.
    pub(super) fn facts(self, clock: Clock) -> L1Facts {
        L1Facts {
            place: L1Place::Simulated { chip: self.chip, owner: None },
            port: self.path.display().to_string(),
            arch: None,
            content: Err(self.why),
            names: Err(Missing::not_read("L1 was not read")),
            buffers: Err(Missing::not_read("agents were not asked")),
            read_at: clock.now(),
        }
    }
}
