//! The error for bytes that are no segment.

use std::fmt;

use super::super::layout::MAJOR;

/// The reason that bytes are no segment that this version reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SegmentError {
    /// Fewer bytes than a header, or fewer than the header gives.
    Short {
        /// Bytes needed.
        needed: u64,
        /// Bytes given.
        given: u64,
    },
    /// The first bytes are zero: the agent is just starting. Read it again in a moment.
    NotReady,
    /// The file does not begin as a segment does.
    NotASegment,
    /// A later major version.
    Version {
        /// Major version of the segment.
        major: u16,
        /// Minor version of the segment.
        minor: u16,
    },
    /// The header contradicts itself.
    Header,
    /// The file has holes: the agent reserves every byte.
    Sparse {
        /// Bytes needed.
        needed: u64,
        /// Bytes reserved.
        reserved: u64,
    },
}

impl fmt::Display for SegmentError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { needed, given } => {
                write!(formatter, "it needs {needed} bytes and has {given}")
            }
            Self::NotReady => formatter.write_str("the agent is just starting; read it again"),
            Self::NotASegment => formatter.write_str("it is not a segment of the ttmem agent"),
            Self::Version { major, minor } => write!(
                formatter,
                "it is version {major}.{minor} and this ttmem reads versions up to {MAJOR}.x; use the ttmem that came with the agent"
            ),
            Self::Sparse { needed, reserved } => write!(
                formatter,
                "only {reserved} of its {needed} bytes are reserved, and the agent reserves all"
            ),
            Self::Header => formatter.write_str("its header contradicts itself"),
        }
    }
}

impl std::error::Error for SegmentError {}
