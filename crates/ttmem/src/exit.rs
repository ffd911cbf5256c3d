//! How `ttmem` ends: documented codes, and errors that are one line.

use ttmem_model::SourceName;
use ttmem_model::snapshot::{Snapshot, Source, SourceStatus};

/// An exit code. The numbers are a contract, listed in `--help` and the man page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All went well.
    Ok = 0,
    /// A limit that was asked for is passed, or a check warns.
    Limit = 1,
    /// The arguments make no sense, a file cannot be read or written, or a check fails.
    Usage = 2,
    /// It cannot be had from this input, this hardware or this release.
    Unsupported = 3,
    /// The permission to read every source is lacking.
    Permission = 4,
    /// No such chip, core, process or moment.
    NotFound = 6,
    /// No driver, and no other source either.
    NoDriver = 9,
    /// There are sources, and none could be read.
    NoSource = 12,
}

/// The codes as `--help` and the man page list them.
pub const CODES: &str = "\
Exit codes:
  0    all went well
  1    a limit that was asked for is passed, or ttmem doctor warns
  2    usage, a file that cannot be read or written, or ttmem doctor finds a fault
  3    not supported here
  4    no permission to read any source
  6    no such device, core, process or moment
  9    no driver, and no memory region either
  12   no source could be read
  130  interrupted";

/// Why `ttmem` ends otherwise than asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How it ends.
    pub exit: Exit,
    /// What is wrong and what to do, in one line.
    pub message: String,
}

impl Failure {
    /// Arguments that make no sense.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into() }
    }

    /// Something that is not there.
    #[must_use]
    pub fn not_found(message: impl Into<String>) -> Self {
        Self { exit: Exit::NotFound, message: message.into() }
    }

    /// Something that cannot be done here.
    #[must_use]
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self { exit: Exit::Unsupported, message: message.into() }
    }
}

/// What the sources say about the snapshot as a whole: whether it says anything, and if not, why.
#[must_use]
pub fn of_sources(snapshot: &Snapshot) -> Option<Failure> {
    // A server reads for others: without it the sources are those of this machine, unless there is nothing else.
    let is_other = |source: &&Source| source.name != SourceName::Server;
    let is_server_alone = !snapshot.sources.iter().any(|source| is_other(&source));
    let counts = |source: &&Source| is_server_alone || is_other(source);
    let with =
        |status| snapshot.sources.iter().filter(counts).find(|source| source.status == status);
    if with(SourceStatus::Ok).is_some() {
        return None;
    }
    let (exit, message) = if let Some(server) = snapshot.sources.first().filter(|_| is_server_alone)
    {
        (Exit::NoSource, format!("no source could be read; {}", about(server)))
    } else if let Some(source) = with(SourceStatus::Denied) {
        let why = about(source);
        (
            Exit::Permission,
            format!("no permission to read {why}; run as the workload's user or as root"),
        )
    } else if let Some(source) = with(SourceStatus::Failed) {
        (Exit::NoSource, format!("no source could be read; {}", about(source)))
    } else {
        let message =
            "no Tenstorrent driver and no memory region found; load tt-kmd, or try ttmem --demo";
        (Exit::NoDriver, message.to_owned())
    };
    Some(Failure { exit, message })
}

fn about(source: &Source) -> String {
    match source.detail.as_str() {
        "" => source.name.as_str().to_owned(),
        detail => format!("{}: {detail}", source.name.as_str()),
    }
}
