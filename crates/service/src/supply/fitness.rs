//! Checks that a server can be trusted, and that it is useful.

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use ttmem_model::snapshot::{SCHEMA, SourceStatus};
use ttmem_model::{MissingReason, Snapshot};

use crate::client::{Client, ClientError};
use crate::server::socket;
use ttmem_root::Root;
use ttmem_root::clock::Clock;

/// The path of the kernel's boot id.
const BOOT: &str = "/proc/sys/kernel/random/boot_id";
/// A state is outdated if the next one is this many microseconds overdue.
const OVERDUE_US: u64 = 2_000_000;

/// The reason that a server is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// No server is running.
    Absent,
    /// A stale socket: no server answers.
    Dead,
    /// The socket denies access to this user.
    Closed,
    /// The server's answer is invalid.
    Broken(String),
    /// The server stopped answering.
    Silent,
    /// The server runs as an untrusted user.
    Stranger(u32),
    /// The server samples another host.
    Elsewhere,
    /// The server samples less often than requested.
    TooSlow(Duration),
    /// The server's state is this many seconds old.
    Old(u64),
    /// The server cannot read more than this user.
    SeesNoMore,
}

impl fmt::Display for Unfit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => formatter.write_str("is not there"),
            Self::Dead => formatter.write_str("is a stale socket: no server"),
            Self::Closed => formatter.write_str("denies access to this user: join its group"),
            Self::Broken(why) => write!(formatter, "is unusable: {why}"),
            Self::Silent => formatter.write_str("stopped answering"),
            Self::Stranger(uid) => write!(
                formatter,
                "runs as user {uid}, neither root nor you; use --server if you trust it"
            ),
            Self::Elsewhere => formatter.write_str("samples another host"),
            Self::TooSlow(every) => {
                write!(formatter, "samples only every {every:?}, less often than requested")
            }
            Self::Old(seconds) => write!(formatter, "has a state from {seconds} s ago"),
            Self::SeesNoMore => formatter.write_str("sees no more than this user"),
        }
    }
}

impl Unfit {
    /// True for errors; false for normal conditions.
    pub(super) fn is_worth_a_line(&self) -> bool {
        matches!(
            self,
            Self::Dead | Self::Broken(_) | Self::Silent | Self::Stranger(_) | Self::Old(_)
        )
    }

    pub(super) fn status(&self) -> SourceStatus {
        match self {
            Self::Absent | Self::Dead | Self::Broken(_) | Self::Silent | Self::Old(_) => {
                SourceStatus::Failed
            }
            Self::Closed
            | Self::Stranger(_)
            | Self::Elsewhere
            | Self::TooSlow(_)
            | Self::SeesNoMore => SourceStatus::NotRead,
        }
    }
}

impl From<ClientError> for Unfit {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Gone(error) => match error.kind() {
                ErrorKind::NotFound => Self::Absent,
                ErrorKind::ConnectionRefused => Self::Dead,
                ErrorKind::PermissionDenied => Self::Closed,
                ErrorKind::WouldBlock => Self::Broken("it accepts no more clients".to_owned()),
                _ => Self::Broken(error.to_string()),
            },
            other => Self::Broken(other.to_string()),
        }
    }
}

/// Connects, if there is a socket.
pub(super) fn connect(path: &Path, past: Duration, facts: bool) -> Result<Client, Unfit> {
    if !socket::is_there(path) {
        return Err(Unfit::Absent);
    }
    Client::connect_for(path, past, facts).map_err(Unfit::from)
}

/// Checks that the snapshot has a version that this program supports.
pub(super) fn is_snapshot(snapshot: &Snapshot) -> Result<(), Unfit> {
    let major = |version: &str| version.split('.').next().map(str::to_owned);
    let is_ours = snapshot.schema == SCHEMA
        && major(&snapshot.version) == major(ttmem_model::snapshot::VERSION);
    if is_ours {
        return Ok(());
    }
    Err(Unfit::Broken(format!(
        "its snapshots have another version than {}",
        ttmem_model::snapshot::VERSION
    )))
}

/// Checks that a server that was found at a default path is trusted.
pub(super) fn of_server(
    client: &Client,
    path: &Path,
    interval: Duration,
    root: &Root,
) -> Result<(), Unfit> {
    let own = rustix::process::geteuid().as_raw();
    let uid = client.uid().map_err(|error| Unfit::from(ClientError::from(error)))?;
    if uid != 0 && uid != own && Some(uid) != socket::system_owner(path) {
        return Err(Unfit::Stranger(uid));
    }
    if !is_here(client, root) {
        return Err(Unfit::Elsewhere);
    }
    if client.interval() > interval {
        return Err(Unfit::TooSlow(client.interval()));
    }
    Ok(())
}

/// Checks that it samples the machine at this root.
pub(super) fn is_here(client: &Client, root: &Root) -> bool {
    boot(root).is_some_and(|boot| client.boot() == Some(boot.as_str()))
}

/// Returns the boot id of the machine at a root.
pub fn boot(root: &Root) -> Option<String> {
    root.read_text(BOOT).ok().filter(|boot| !boot.is_empty())
}

/// Checks that a state is current.
pub(super) fn of_state(snapshot: &Snapshot, client: &Client) -> Result<(), Unfit> {
    let age = Clock::System.now().0.abs_diff(snapshot.time_us.0);
    if age > patience_us(client) { Err(Unfit::Old(age / 1_000_000)) } else { Ok(()) }
}

/// Returns the longest acceptable age of a server's state.
pub(super) fn patience_us(client: &Client) -> u64 {
    let interval = u64::try_from(client.interval().as_micros()).unwrap_or(u64::MAX);
    interval.saturating_mul(3).saturating_add(OVERDUE_US)
}

/// Returns the number of sources and files, listed in findings, that could not be read for missing permissions.
pub(super) fn blind_spots(snapshot: &Snapshot) -> usize {
    let sources = snapshot.sources.iter();
    let denied = sources.filter(|source| source.status == SourceStatus::Denied).count();
    let findings = snapshot.findings.iter();
    let files = findings.filter(|finding| finding.id.ends_with("-denied")).count();
    let hidden = snapshot.chips.iter().filter(|chip| {
        let missing = chip.owners.outside_namespace.missing();
        missing.is_some_and(|missing| missing.reason == MissingReason::Denied)
    });
    denied + files + hidden.count()
}
