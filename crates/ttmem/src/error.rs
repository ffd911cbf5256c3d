//! Errors of commands: one variant for each exit code, and one line of text.

use std::io;
use std::path::Path;

use ttmem_model::SourceName;
use ttmem_model::snapshot::{Snapshot, Source, SourceStatus};

/// An error that ends a command. The text is one line: the problem, then the remedy.
///
/// Exit codes are stable. They follow nvidia-smi where it has a code for the same condition: 2, 3, 4, 6 and 9.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Error {
    /// A limit was exceeded, or a check failed: exit code 1.
    Limit(String),
    /// Invalid arguments: exit code 2.
    Usage(String),
    /// Unsupported by this input, hardware, release or terminal: exit code 3.
    Unsupported(String),
    /// No permission: exit code 4.
    Permission(String),
    /// A file cannot be read or written, or is damaged: exit code 5.
    File(String),
    /// No such chip, core, process, moment or file: exit code 6.
    NotFound(String),
    /// The system refused a thread, a signal handler, a socket or a terminal: exit code 7.
    System(String),
    /// No driver, and no other source: exit code 9.
    NoDriver(String),
    /// Sources exist, but none could be read: exit code 12.
    NoSource(String),
}

/// The exit codes, as `--help` and the man page list them.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    success
  1    a limit was exceeded, a check of ttmem doctor did not pass, or a chip is in use
  2    invalid arguments
  3    not supported here
  4    permission denied
  5    a file cannot be read or written, or is damaged
  6    no such device, core, process, moment or file
  7    the system refused a thread, a signal handler or a socket
  9    no driver, and no memory region
  12   no source could be read
  130  interrupted";

impl Error {
    /// Returns the exit code of the process.
    #[must_use]
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Limit(_) => 1,
            Self::Usage(_) => 2,
            Self::Unsupported(_) => 3,
            Self::Permission(_) => 4,
            Self::File(_) => 5,
            Self::NotFound(_) => 6,
            Self::System(_) => 7,
            Self::NoDriver(_) => 9,
            Self::NoSource(_) => 12,
        }
    }

    /// Returns the text.
    #[must_use]
    pub(crate) fn message(&self) -> &str {
        match self {
            Self::Limit(text)
            | Self::Usage(text)
            | Self::Unsupported(text)
            | Self::Permission(text)
            | Self::File(text)
            | Self::NotFound(text)
            | Self::System(text)
            | Self::NoDriver(text)
            | Self::NoSource(text) => text,
        }
    }

    /// Creates an error about invalid arguments.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    /// Creates an error about something that is not supported here.
    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::Unsupported(message.into())
    }

    /// Creates an error about something that does not exist.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::NotFound(message.into())
    }

    /// Creates an error about a file that cannot be read. `remedy` says what to do instead.
    ///
    /// The variant follows from the cause: [`Self::NotFound`], [`Self::Permission`] or [`Self::File`].
    #[must_use]
    pub(crate) fn reading(path: &Path, error: &io::Error, remedy: &str) -> Self {
        let message = format!("cannot read {}: {error}; {remedy}", path.display());
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound(message),
            io::ErrorKind::PermissionDenied => Self::Permission(message),
            _ => Self::File(message),
        }
    }

    /// Creates an error about standard output that cannot be written.
    #[must_use]
    pub(crate) fn standard_output(error: &io::Error) -> Self {
        Self::File(format!(
            "cannot write standard output: {error}; redirect it to a place that takes it"
        ))
    }

    /// Creates an error about something that cannot be written as JSON.
    #[must_use]
    pub(crate) fn json(error: &impl std::fmt::Display) -> Self {
        Self::System(format!("cannot write JSON: {error}"))
    }

    /// Creates an error about signals that cannot be received.
    #[must_use]
    pub(crate) fn signals(error: &io::Error) -> Self {
        Self::System(format!("cannot install a signal handler: {error}"))
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.message())
    }
}

impl std::error::Error for Error {}

/// Returns an error if no source of a snapshot could be read.
///
/// The server is not counted as a source unless it is the only one: it reads for others.
#[must_use]
pub(crate) fn of_sources(snapshot: &Snapshot) -> Option<Error> {
    let is_other = |source: &&Source| source.name != SourceName::Server;
    let is_server_alone = !snapshot.sources.iter().any(|source| is_other(&source));
    let counts = |source: &&Source| is_server_alone || is_other(source);
    let with =
        |status| snapshot.sources.iter().filter(counts).find(|source| source.status == status);
    if with(SourceStatus::Ok).is_some() {
        return None;
    }
    Some(if let Some(server) = snapshot.sources.first().filter(|_| is_server_alone) {
        Error::NoSource(format!("no source could be read; {}", described(server)))
    } else if let Some(source) = with(SourceStatus::Denied) {
        let source = described(source);
        Error::Permission(format!(
            "no permission to read {source}; run as the workload's user or as root"
        ))
    } else if let Some(source) = with(SourceStatus::Failed) {
        Error::NoSource(format!("no source could be read; {}", described(source)))
    } else {
        Error::NoDriver(
            "no Tenstorrent driver and no memory region found; load tt-kmd, or try ttmem --demo"
                .to_owned(),
        )
    })
}

fn described(source: &Source) -> String {
    match source.detail.as_str() {
        "" => source.name.as_str().to_owned(),
        detail => format!("{}: {detail}", source.name.as_str()),
    }
}
