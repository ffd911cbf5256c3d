//! The errors of a recording.

use crate::Version;

/// The reason that bytes are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// The bytes end in the middle of something.
    #[error("it ends in the middle of something")]
    Cut,
    /// The bytes do not have the checksum that is beside them.
    #[error("a checksum does not fit")]
    Checksum,
    /// The bytes say what cannot be.
    #[error("{0}")]
    Impossible(&'static str),
    /// The bytes do not decompress.
    #[error("a block does not decompress: {0}")]
    Compression(String),
    /// The content is not a snapshot.
    #[error("a moment is not a snapshot: {0}")]
    Snapshot(String),
    /// The content is not facts.
    #[error("a moment has no facts: {0}")]
    Facts(String),
    /// The bytes could not be read.
    #[error("{0}")]
    Read(String),
}

/// The reason that a recording cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file does not begin like a recording.
    #[error("not a ttmem recording")]
    NotARecording,
    /// The file is shorter than the header of a recording.
    #[error("the recording ends in its header: nothing was recorded yet, or the file is cut")]
    Cut,
    /// The checksum of the header does not match.
    #[error("the header of the recording is damaged")]
    Header,
    /// A newer `ttmem` wrote it, in a way that this one cannot read.
    #[error(
        "recording is version {found}, this ttmem reads up to {supported}; use ttmem {writer} or newer"
    )]
    TooNew {
        /// The version of the recording.
        found: Version,
        /// The newest version that can be read.
        supported: Version,
        /// The `ttmem` that wrote it.
        writer: String,
    },
    /// The file could not be read.
    #[error("{0}")]
    Read(String),
}

/// The reason that a snapshot cannot be recorded: it holds something that JSON cannot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot record this: {0}")]
pub struct FlattenError(pub(crate) String);

impl serde::ser::Error for FlattenError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}
