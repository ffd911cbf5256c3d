//! Snapshots and events over time, in one file or as many bytes: the format, its writer and its reader.
//!
//! Nothing here opens a file. An [`Encoder`] gives blocks to append and [`Contents`] the frame around them; a
//! [`Recording`] reads from anything that is [`ReadAt`]. `docs/recording.md` describes the bytes.
//!
//! - A recording is a header, blocks, and an index at its end. Without the index, as after a crash, the blocks are
//!   found by scanning: what was written whole can be read.
//! - A block can be read by itself: its first moment is whole, the others are changes.
//! - A moment comes back byte for byte, with fields that this version does not know, and with the facts that it was
//!   merged from where they are recorded.

mod access;
mod account;
mod attachment;
mod block;
mod bytes;
pub mod civil;
mod codec;
mod column;
mod dictionary;
mod epoch;
mod error;
mod event;
mod facts;
mod fields;
mod flatten;
mod frame;
mod moment;
mod reader;
mod rows;
mod structure;
mod token;
mod track;
mod typed;
pub mod wire;
mod writer;

/// The parts that the live protocol is made of too.
pub(crate) mod parts {
    pub(crate) use super::bytes::{Reader, put_varint};
    pub(crate) use super::column::{Change, put_change};
    pub(crate) use super::dictionary::Dictionary;
    pub(crate) use super::fields::read as read_unnamed;
    pub(crate) use super::flatten::{Names, flatten};
    pub(crate) use super::moment::{Moment, check};
    pub(crate) use super::structure::{
        apply, is_same, put as put_steps, read as read_steps, read_tokens, steps,
    };
    pub(crate) use super::token::Token;
}

use std::fmt;

pub use account::DamageAccount;
pub use attachment::{Attached, Attachment, AttachmentKind, MAX_ATTACHMENT_BYTES, Parts};
pub use error::{Damage, FlattenError, OpenError};
pub use event::{Event, EventKind};
pub use frame::Header;
pub use moment::{Moment, MomentFacts};
pub use reader::{ReadAt, Recording};
pub use track::Tracker;
pub use writer::{
    Contents, Encoded, Encoder, Limits, facts_of, unsealed, unsealed_facts, unsealed_part,
};

/// The version of the format: a newer minor adds what an older reader may leave out, a newer major cannot be read.
///
/// - 1.0: the first.
/// - 1.1: attachments, such as the segments of agents. They are in the index as blocks without moments and events, which
///   a reader of 1.0 ignores, and in blocks of a kind that it skips.
/// - 1.2: facts after the events of a block, which a reader of 1.1 ignores.
pub(crate) const VERSION: Version = Version { major: 1, minor: 2 };

/// A version of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Differs where older readers cannot read.
    pub(crate) major: u16,
    /// Differs where older readers leave out what is new.
    pub minor: u16,
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}
