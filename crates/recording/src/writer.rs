//! Makes blocks of snapshots, and the frame around them.

use std::sync::Arc;

use serde::Serialize;

use super::block::{Block, MAX_MOMENTS};
use super::codec;
use super::error::FlattenError;
use super::event::Event;
use super::facts;
use super::frame::{
    BLOCK_HEADER, BlockHeader, BlockKind, Entry, Header, crc32, end_to_bytes, index_to_bytes,
};
use ttmem_model::facts::Facts;
use ttmem_model::{Snapshot, Timestamp};

/// Limits at which a block is full. Values of an unfinished block are lost when the recorder is killed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Number of moments, at most 1023.
    pub moments: usize,
    /// Microseconds between its first moment and its last.
    pub span_us: u64,
    /// Bytes before compression.
    pub bytes: usize,
    /// One block in this number has all facts of its first moment; the facts of the others continue those of the block
    /// before. 1 where blocks may be dropped.
    pub facts_every: u64,
}

impl Default for Limits {
    /// Ten seconds, as a compromise: half of it loses less at a kill and takes a third more room.
    fn default() -> Self {
        Self { moments: 128, span_us: 10_000_000, bytes: 1 << 20, facts_every: 12 }
    }
}

/// A finished block: bytes to append.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// The block, header included.
    pub bytes: Vec<u8>,
    header: BlockHeader,
}

impl Encoded {
    /// The latest time in it.
    #[must_use]
    pub fn last(&self) -> Timestamp {
        self.header.last
    }

    /// The earliest time in it.
    #[must_use]
    pub fn first(&self) -> Timestamp {
        self.header.first
    }

    /// Returns the number of moments.
    #[must_use]
    pub fn moments(&self) -> u32 {
        self.header.moments
    }
}

/// Takes moments and events and gives blocks.
#[derive(Clone, Debug)]
pub struct Encoder {
    limits: Limits,
    block: Block,
    /// The facts that were added last.
    previous: Option<Arc<Facts>>,
}

impl Encoder {
    /// An encoder of blocks that end at these limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let limits = Limits { moments: limits.moments.clamp(1, MAX_MOMENTS), ..limits };
        Self { limits, block: Block::default(), previous: None }
    }

    /// Adds a moment. Gives a block when one is full.
    ///
    /// # Errors
    /// If the value cannot be written as JSON. Nothing is added then.
    pub fn push<T: Serialize + ?Sized>(
        &mut self,
        time: Timestamp,
        value: &T,
    ) -> Result<Option<Encoded>, FlattenError> {
        let finished = if self.is_full(time) { self.flush() } else { None };
        self.block.push(time, value)?;
        Ok(finished)
    }

    /// Adds a snapshot with the facts that it was merged from. Gives a block when one is full.
    ///
    /// # Errors
    /// If the snapshot cannot be written. Nothing is added then.
    pub fn push_merged(
        &mut self,
        snapshot: &Snapshot,
        facts: Option<Arc<Facts>>,
    ) -> Result<Option<Encoded>, FlattenError> {
        let finished = self.push(snapshot.time_us, snapshot)?;
        self.block.push_facts(self.previous.as_deref(), facts.as_deref());
        self.previous = facts.or_else(|| self.previous.take());
        Ok(finished)
    }

    /// Adds an event. It belongs after the moment that was added last.
    pub fn event(&mut self, event: Event) {
        self.block.push_event(event);
    }

    /// True if the block must end before a moment of this time.
    fn is_full(&self, time: Timestamp) -> bool {
        let times = self.block.times();
        let span = times.first().map_or(0, |first| first.0.abs_diff(time.0));
        times.len() >= self.limits.moments
            || span >= self.limits.span_us
            || self.block.weight() >= self.limits.bytes
    }

    /// About how many bytes wait for their block, before compression.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.block.weight()
    }

    /// The block as it would be if it ended now; it stays open.
    #[must_use]
    pub fn unfinished(&self) -> Option<Encoded> {
        self.clone().flush()
    }

    /// Ends the block, full or not.
    pub fn flush(&mut self) -> Option<Encoded> {
        if self.block.is_empty() {
            return None;
        }
        let times = self.block.times();
        let first = times.iter().min().copied().unwrap_or_default();
        let last = times.iter().max().copied().unwrap_or_default();
        let counts = (times.len(), self.block.event_count());
        let content = self.block.finish(self.limits.facts_every);
        let header = BlockHeader {
            moments: u32::try_from(counts.0).unwrap_or(u32::MAX),
            events: u32::try_from(counts.1).unwrap_or(u32::MAX),
            ..BlockHeader::empty(first, last)
        };
        Some(encode(header, content))
    }
}

pub(super) fn encode(header: BlockHeader, content: Vec<u8>) -> Encoded {
    let raw = content.len();
    let (codec, stored) = codec::compress(content);
    let header = BlockHeader {
        codec,
        raw: u32::try_from(raw).unwrap_or(u32::MAX),
        stored: u32::try_from(stored.len()).unwrap_or(u32::MAX),
        checksum: crc32(&stored),
        ..header
    };
    let mut bytes = Vec::with_capacity(BLOCK_HEADER + stored.len());
    bytes.extend_from_slice(&header.to_bytes());
    bytes.extend_from_slice(&stored);
    Encoded { bytes, header }
}

/// Keeps the list of the blocks that were appended, which becomes the index at the end.
#[derive(Debug)]
pub struct Contents {
    entries: Vec<Entry>,
    size: u64,
}

impl Contents {
    /// Begins a recording: the bytes are its first.
    #[must_use]
    pub fn begin(header: &Header) -> (Self, Vec<u8>) {
        let bytes = header.to_bytes();
        (Self { entries: Vec::new(), size: bytes.len() as u64 }, bytes)
    }

    /// Notes a block that was appended.
    pub fn add(&mut self, block: &Encoded) {
        self.entries.push(Entry { offset: self.size, header: block.header.into() });
        self.size += block.bytes.len() as u64;
    }

    /// Returns the number of bytes so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// About how many bytes the end will take.
    #[must_use]
    pub fn end_size(&self) -> u64 {
        256 + 16 * self.entries.len() as u64
    }

    /// Ends the recording: the bytes are its last.
    #[must_use]
    pub fn end(&self) -> Vec<u8> {
        let times = self.entries.iter().map(|entry| entry.header);
        let first = times.clone().map(|times| times.first).min().unwrap_or_default();
        let last = times.map(|times| times.last).max().unwrap_or_default();
        let header = BlockHeader { kind: BlockKind::Index, ..BlockHeader::empty(first, last) };
        let mut bytes = encode(header, index_to_bytes(&self.entries)).bytes;
        bytes.extend(end_to_bytes(self.size));
        bytes
    }
}

/// A recording of one block with this content, true or not, and checksums that fit: for tests and fuzzing of what is
/// behind the checksums.
#[must_use]
pub fn unsealed(content: &[u8]) -> Vec<u8> {
    let whole = BlockHeader::empty(Timestamp(0), Timestamp(u64::MAX));
    sealed(BlockHeader { moments: 4, events: 1, ..whole }, content)
}

/// Adds a part of an attachment.
#[must_use]
pub fn unsealed_part(content: &[u8]) -> Vec<u8> {
    let whole = BlockHeader::empty(Timestamp(0), Timestamp(u64::MAX));
    sealed(BlockHeader { kind: BlockKind::Part, ..whole }, content)
}

/// A recording of two empty moments with these rows of facts, and checksums that fit.
#[must_use]
pub fn unsealed_facts(rows: &[u8]) -> Vec<u8> {
    let mut block = Block::default();
    for time in 0..2 {
        // A null is a moment that cannot fail to be written.
        drop(block.push(Timestamp(time), &()));
    }
    let mut content = block.finish(1);
    facts::put(rows, &mut content);
    let whole = BlockHeader::empty(Timestamp(0), Timestamp(1));
    sealed(BlockHeader { moments: 2, ..whole }, &content)
}

/// The rows that [`unsealed_facts`] takes, of these facts.
#[must_use]
pub fn facts_of(facts: &[Arc<Facts>]) -> Vec<u8> {
    facts::rows_of(facts)
}

fn sealed(header: BlockHeader, content: &[u8]) -> Vec<u8> {
    let (mut contents, mut bytes) = Contents::begin(&Header::default());
    let block = encode(header, content.to_vec());
    contents.add(&block);
    bytes.extend(block.bytes);
    bytes.extend(contents.end());
    bytes
}
