//! The protocol between a server and its clients: frames of a length, a kind and a content.
//!
//! A client sends [`Hello`]. The server answers with [`Welcome`] and the whole state, then with changes. A client that asks
//! for facts gets those of a state directly before it. Kinds that the other end does not know are skipped; another major
//! version is refused with a reason.

mod facts;
mod live;

use serde::{Deserialize, Serialize};

pub use facts::{FactsReader, FactsWriter};
pub use live::{LiveReader, LiveWriter};

use crate::Damage;

/// The version of the protocol: another major cannot be understood, a newer minor adds kinds of frames.
///
/// - 1.0: the first.
/// - 1.1: facts, for a client that asks for them.
pub const PROTOCOL: (u16, u16) = (1, 1);

/// Most bytes of a frame's content: ten times the whole state of a Galaxy.
pub(crate) const MAX_FRAME_BYTES: usize = 8 << 20;

/// Bytes before the content: its length, four bytes lowest first, and its kind.
pub const FRAME_HEADER: usize = 5;

/// The content of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// A client's first: [`Hello`] as JSON.
    Hello,
    /// The server's first: [`Welcome`] as JSON.
    Welcome,
    /// The whole state.
    Full,
    /// The changes since the previous state.
    Change,
    /// A block of a recording: what was before the client came, command lines left out.
    History,
    /// The reason that the server closes the connection, as text.
    Bye,
    /// All facts of the state in the next frame.
    Facts,
    /// The changes of facts since those sent before, of the state in the next frame.
    FactsChange,
    /// A frame of a later version.
    Other(u8),
}

impl FrameKind {
    fn code(self) -> u8 {
        match self {
            Self::Hello => 1,
            Self::Welcome => 2,
            Self::Full => 3,
            Self::Change => 4,
            Self::History => 5,
            Self::Bye => 6,
            Self::Facts => 7,
            Self::FactsChange => 8,
            Self::Other(code) => code,
        }
    }

    fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Hello,
            2 => Self::Welcome,
            3 => Self::Full,
            4 => Self::Change,
            5 => Self::History,
            6 => Self::Bye,
            7 => Self::Facts,
            8 => Self::FactsChange,
            code => Self::Other(code),
        }
    }
}

/// The first message of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Always `ttmem`.
    pub protocol: String,
    /// Major and minor version.
    pub version: (u16, u16),
    /// The requested microseconds of history.
    #[serde(default)]
    pub history_us: u64,
    /// True if the facts of each state are requested.
    #[serde(default)]
    pub facts: bool,
}

impl Hello {
    /// The beginning of a client of this version that requests no facts.
    #[must_use]
    pub fn new(history_us: u64) -> Self {
        Self { protocol: "ttmem".to_owned(), version: PROTOCOL, history_us, facts: false }
    }
}

/// The answer of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Major and minor version.
    pub version: (u16, u16),
    /// The version of the server's `ttmem`.
    pub ttmem: String,
    /// Microseconds from state to state.
    pub interval_us: u64,
    /// The kernel's number of the start of the machine that it looks at; none for a made-up or captured one. A client
    /// knows by it that this is its own machine.
    #[serde(default)]
    pub boot: Option<String>,
}

/// A frame, ready to be sent.
#[must_use]
pub fn frame(kind: FrameKind, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(FRAME_HEADER + content.len());
    out.extend_from_slice(&u32::try_from(content.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.push(kind.code());
    out.extend_from_slice(content);
    out
}

/// The kind and the length of the content of a frame, from its first five bytes.
///
/// # Errors
/// If the content is longer than frames are.
pub fn frame_header(bytes: [u8; FRAME_HEADER]) -> Result<(FrameKind, usize), Damage> {
    let [a, b, c, d, code] = bytes;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    if length > MAX_FRAME_BYTES {
        return Err(Damage::Impossible("a frame longer than frames are"));
    }
    Ok((FrameKind::from_code(code), length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_tells_its_kind_and_length() {
        let bytes = frame(FrameKind::Bye, b"too slow");
        let header: [u8; FRAME_HEADER] = bytes[..FRAME_HEADER].try_into().unwrap();
        assert_eq!(frame_header(header), Ok((FrameKind::Bye, 8)));
        assert_eq!(frame_header([0, 0, 0, 0, 99]), Ok((FrameKind::Other(99), 0)));
        assert!(frame_header([0, 0, 0, 1, 3]).is_err());
    }

    #[test]
    fn greetings_of_later_versions_are_understood() {
        let hello = r#"{"protocol":"ttmem","version":[1,4],"history_us":5,"more":true}"#;
        let hello: Hello = serde_json::from_str(hello).unwrap();
        assert_eq!((hello.version, hello.history_us, hello.facts), ((1, 4), 5, false));
    }
}
