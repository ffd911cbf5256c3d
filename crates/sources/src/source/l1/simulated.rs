//! Simulated chips: the sockets of their servers, found or named.

use std::path::{Path, PathBuf};

use ttmem_model::facts::{Bounded, Excess, L1Facts, L1Location};
use ttmem_model::reading::Missing;
use ttmem_model::{Pid, Timestamp};

use super::late::Late;
use super::simulators::Simulators;
use crate::port::simulator::{Dialed, Found, find, find_of_process};
use crate::source::process::Users;
use ttmem_root::clock::Clock;
use ttmem_root::{Root, Status};

/// A socket, and the chip that its name gives, if it gives one.
#[derive(Clone, Debug)]
pub(super) struct Socket {
    pub(super) path: PathBuf,
    chip: Option<u32>,
    /// True if the user named it: then its errors are reported, even that nothing listens.
    is_named: bool,
}

/// A socket whose server refused the connection.
#[derive(Debug)]
pub(super) struct Refused {
    path: PathBuf,
    location: L1Location,
    why: Missing,
}

/// The most sockets that are asked, besides the one that the user names.
const MAX_SOCKETS: usize = 64;

/// The circumstances of a pass over the sockets.
pub(super) struct Pass<'a> {
    pub(super) root: &'a Root,
    pub(super) now: Timestamp,
    /// The socket that the user names.
    pub(super) named: Option<&'a Path>,
    /// True if sockets of other users are asked too, which only root may.
    pub(super) all_users: bool,
    /// One process of each mount namespace that may have a `/tmp` of its own.
    pub(super) pids: &'a [Pid],
}

/// Opens the chips behind the sockets that are not open yet. Captured hosts have no servers. Returns the sockets that could
/// not be opened, and what is not asked because there are too many.
pub(super) fn open(
    pass: &Pass<'_>,
    chips: &mut Simulators,
    late: &mut Late,
) -> (Vec<Refused>, Option<Excess>) {
    let mut refused = Vec::new();
    let (sockets, excess) = sockets(pass);
    late.retain(|path| sockets.iter().any(|socket| socket.path == path));
    for socket in sockets {
        if chips.has(&socket.path) {
            continue;
        }
        let (path, is_named) = (socket.path.clone(), socket.is_named);
        let location = socket.location(None);
        if let Some(why) = late.reason(&path, pass.now).filter(|_| !is_named) {
            refused.push(Refused { path, location, why });
            continue;
        }
        let why = match Dialed::connect(&path) {
            Ok(dialed) if is_named || pass.all_users || dialed.user() == Some(own_user()) => {
                match chips.add(socket, dialed) {
                    Ok(()) => continue,
                    Err(error) => format!("no thread can be started for it: {error}"),
                }
            }
            Ok(_) => continue,
            // A server that ended leaves a stale socket.
            Err(error) if !is_named && error.is_nobody() => continue,
            Err(error) => error.to_string(),
        };
        let why = Missing::failed(why);
        late.note(&path, pass.now, why.clone());
        refused.push(Refused { path, location, why });
    }
    (refused, excess)
}

fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn sockets(pass: &Pass<'_>) -> (Vec<Socket>, Option<Excess>) {
    let Pass { root, named, all_users, pids, .. } = *pass;
    let mut sockets: Vec<Socket> = named
        .map(|path| Socket { path: path.to_owned(), chip: number_in(path), is_named: true })
        .into_iter()
        .collect();
    if !root.is_system() {
        return (sockets, None);
    }
    let user = (!all_users).then(own_user);
    let mut seen: Vec<Status> = Vec::new();
    let others = pids.iter().flat_map(|pid| find_of_process(root, *pid, user));
    let found: Vec<Found> = find(root, user).into_iter().chain(others).collect();
    let count = found.len();
    for found in found.into_iter().take(MAX_SOCKETS) {
        // Two namespaces may share a directory.
        let Ok(status) = root.status(&found.path) else { continue };
        let is_new = !seen.iter().any(|other| other.identity == status.identity);
        seen.push(status);
        let path = PathBuf::from(found.path);
        if is_new && sockets.iter().all(|socket| socket.path != path) {
            sockets.push(Socket { path, chip: Some(found.chip), is_named: false });
        }
    }
    let excess = (count > MAX_SOCKETS).then(|| Excess {
        what: Bounded::SimulatorSockets,
        user: user.map(|uid| Users::default().name(root, uid)),
        directory: "/tmp".to_owned(),
        count,
        read: MAX_SOCKETS,
    });
    (sockets, excess)
}

impl Socket {
    /// The chip behind the socket. A socket of another name does not identify a chip, so its owner is left out.
    pub(super) fn location(&self, owner: Option<Pid>) -> L1Location {
        let owner = owner.filter(|_| self.chip.is_some());
        L1Location::Simulated { chip: self.chip.unwrap_or(0), owner }
    }
}

/// The chip's number in the name of a socket.
fn number_in(path: &Path) -> Option<u32> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let digits = name.strip_prefix("tt-umd-sim-").and_then(|rest| rest.strip_suffix(".sock"));
    digits.and_then(|digits| digits.parse().ok())
}

impl Refused {
    /// The chip that could not be read.
    pub(super) fn facts(self, clock: Clock) -> L1Facts {
        L1Facts {
            location: self.location,
            port: self.path.display().to_string(),
            arch: None,
            content: Err(self.why),
            names: Err(Missing::not_read("L1 was not read")),
            read_at: clock.now(),
        }
    }
}
