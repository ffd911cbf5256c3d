//! The facts of the moments of a block, as rows beside those of the snapshots.
//!
//! A first row is large: everything that an agent lists. So blocks continue the rows of the block before, and one in
//! [`Limits::facts_every`](super::Limits::facts_every) starts without them.

use std::sync::Arc;

use super::bytes::{Reader, put_bytes, put_varint};
use super::error::Damage;
use super::fields;
use super::flatten::Names;
use super::rows::{ReadRows, Rows};
use ttmem_model::Timestamp;
use ttmem_model::facts::{FACTS_VERSION, Facts};

/// Blocks that may continue a block.
pub(crate) const MAX_CHAIN: u64 = 64;

/// The facts of a block that is being recorded. They are written as
///
/// - the version of facts;
/// - how many blocks ago the rows began, and the time of the first moment of that block, by which a reader recognizes
///   it;
/// - the length-prefixed rows: of the facts before the block, and of each of its moments. A row without facts is null.
///   Where the rows continue those of the block before, their first row is the last one there.
#[derive(Clone, Debug)]
pub(crate) struct BlockFacts {
    rows: Rows,
    /// Rows of moments of this block.
    moments: usize,
    link: Link,
}

/// The position of a block in a run of blocks whose rows continue each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// Number of blocks since the first block of the rows.
    pub(crate) blocks: u64,
    /// The first moment of that one.
    pub(crate) began: Timestamp,
}

impl BlockFacts {
    /// Begins with the facts before the first moment of a block.
    pub(crate) fn begin(previous: Option<&Facts>, began: Timestamp) -> Self {
        let rows = Rows::new(Names::LeftOut);
        let mut facts = Self { rows, moments: 0, link: Link { blocks: 0, began } };
        facts.push_row(previous);
        facts
    }

    /// Adds the facts of the moment with this number. Moments before it that are left out have none.
    pub(crate) fn push(&mut self, number: usize, facts: Option<&Facts>) {
        while self.moments < number {
            self.push_row(None);
            self.moments += 1;
        }
        self.push_row(facts);
        self.moments += 1;
    }

    /// Facts that are too large to be written are left out.
    fn push_row(&mut self, facts: Option<&Facts>) {
        if self.rows.push(&facts).is_err() {
            drop(self.rows.push(&None::<Facts>));
        }
    }

    /// True if a moment of this block has a row.
    pub(crate) fn is_used(&self) -> bool {
        self.moments > 0
    }

    pub(crate) fn weight(&self) -> usize {
        self.rows.weight()
    }

    /// Appends the rows, and returns what the next block may continue.
    pub(crate) fn put(mut self, most: u64, out: &mut Vec<u8>) -> Option<Self> {
        let mut content = Vec::with_capacity(self.weight());
        self.rows.put(&mut content);
        put_varint(out, FACTS_VERSION);
        put_varint(out, self.link.blocks);
        put_varint(out, self.link.began.0);
        put_bytes(out, &content);
        self.moments = 0;
        self.link.blocks += 1;
        self.rows.resume();
        (self.link.blocks < most.min(MAX_CHAIN)).then_some(self)
    }
}

/// Appends rows that continue none, as [`BlockFacts::put`] does.
pub(crate) fn put(rows: &[u8], out: &mut Vec<u8>) {
    for number in [FACTS_VERSION, 0, 0] {
        put_varint(out, number);
    }
    put_bytes(out, rows);
}

/// The rows of facts, as [`put`] takes them.
pub(crate) fn rows_of(facts: &[Arc<Facts>]) -> Vec<u8> {
    let mut block = BlockFacts::begin(None, Timestamp(0));
    for (number, facts) in facts.iter().enumerate() {
        block.push(number, Some(facts));
    }
    let mut out = Vec::new();
    block.rows.put(&mut out);
    out
}

/// The facts of a block as they are written.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) link: Link,
    content: Vec<u8>,
}

impl Part {
    /// Reads what [`BlockFacts::put`] wrote; `None` if there is nothing, or nothing that this version reads.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let version = reader.varint().ok()?;
        let blocks = reader.varint().ok()?;
        let began = Timestamp(reader.varint().ok()?);
        let content = reader.bytes().ok()?.to_vec();
        let link = Link { blocks, began };
        (version == FACTS_VERSION && blocks < MAX_CHAIN).then_some(Self { link, content })
    }

    /// The part that this one continues.
    pub(crate) fn continues(&self) -> Option<Link> {
        let blocks = self.link.blocks.checked_sub(1)?;
        Some(Link { blocks, ..self.link })
    }
}

/// The facts of a block that can be read, row by row.
#[derive(Debug)]
pub(crate) struct ReadFacts {
    rows: ReadRows,
    moments: usize,
    pub(crate) link: Link,
}

impl ReadFacts {
    /// Reads a part of a block with this number of moments, and the part that it continues, if it continues one.
    pub(crate) fn of(part: Part, moments: usize, base: Option<&Self>) -> Result<Self, Damage> {
        let base = base.map(|base| (&base.rows, base.moments));
        let (rows, _) = ReadRows::read(part.content, 0, base)?;
        Ok(Self { rows, moments, link: part.link })
    }

    /// The facts of a moment by its number in the block, and the facts before it.
    pub(crate) fn of_moment(
        &self,
        number: usize,
    ) -> Result<Option<(Facts, Option<Facts>)>, Damage> {
        let Some(facts) = self.row(number + 1)? else { return Ok(None) };
        for earlier in (0..=number).rev() {
            if let Some(previous) = self.row(earlier)? {
                return Ok(Some((facts, Some(previous))));
            }
        }
        Ok(Some((facts, None)))
    }

    fn row(&self, number: usize) -> Result<Option<Facts>, Damage> {
        fields::read(&self.rows.row(number)?, &self.rows.dictionary)
    }
}
