//! Values of nearly the same structure, one after the other: the first one whole, the others as changes.

use std::sync::Arc;

use serde::Serialize;

use super::bytes::{Reader, put_varint};
use super::dictionary::Dictionary;
use super::epoch::{Epoch, ReadEpoch};
use super::error::{Damage, FlattenError};
use super::flatten::{Names, flatten};
use super::moment;
use super::structure;
use super::token::Token;

/// The most rows that are read.
pub(crate) const MAX_ROWS: usize = 1024;

/// Rows that are being recorded. They are written as a dictionary, the first row (how many tokens, and the tokens), and
/// the epochs (how many, and each).
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    names: Names,
    dictionary: Dictionary,
    /// Strings, shapes and bytes of the dictionary that are in rows written before.
    known: (usize, usize),
    known_bytes: usize,
    /// The first row, as it is written; none where rows continue.
    first: Vec<u8>,
    /// The previous row and the current row.
    last: Vec<Token>,
    next: Vec<Token>,
    /// The epochs that are over, as they are written.
    epochs: Vec<u8>,
    epoch_count: u64,
    epoch: Option<Epoch>,
    /// About how many bytes the changes will take.
    changes: usize,
}

impl Rows {
    pub(crate) fn new(names: Names) -> Self {
        Self { names, ..Self::default() }
    }

    /// Adds a row.
    pub(crate) fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), FlattenError> {
        flatten(value, self.names, &mut self.dictionary, &self.last, &mut self.next)?;
        match &mut self.epoch {
            None => {
                put_varint(&mut self.first, self.next.len() as u64);
                self.next.iter().for_each(|token| token.put(&mut self.first));
                self.epoch = Some(Epoch::new(Vec::new(), self.next.len()));
            }
            Some(epoch) if structure::is_same(&self.last, &self.next) => {
                self.changes += epoch.push(&self.last, &self.next);
            }
            Some(_) => self.begin_epoch(),
        }
        std::mem::swap(&mut self.last, &mut self.next);
        Ok(())
    }

    fn begin_epoch(&mut self) {
        let steps = structure::steps(&self.last, &self.next, &self.dictionary);
        // The steps were found between the two, so that they lead from the one to the other.
        let carried = structure::apply(&self.last, &steps).unwrap_or_default();
        self.end_epoch();
        let mut epoch = Epoch::new(steps, carried.len());
        self.changes += epoch.push(&carried, &self.next);
        self.epoch = Some(epoch);
    }

    fn end_epoch(&mut self) {
        if let Some(epoch) = self.epoch.take() {
            epoch.put(&mut self.epochs);
            self.epoch_count += 1;
        }
    }

    /// About how many bytes they will take before compression.
    pub(crate) fn weight(&self) -> usize {
        let strings = self.dictionary.bytes() - self.known_bytes;
        strings + self.first.len() + self.epochs.len() + self.changes
    }

    /// Appends the rows.
    pub(crate) fn put(&mut self, out: &mut Vec<u8>) {
        self.end_epoch();
        self.dictionary.put_since(self.known, out);
        if self.first.is_empty() {
            put_varint(out, 0);
        }
        out.extend_from_slice(&self.first);
        put_varint(out, self.epoch_count);
        out.extend_from_slice(&self.epochs);
    }

    /// Begins again with nothing. The next rows are independent, but may guess from these.
    pub(crate) fn restart(&mut self) {
        *self = Self {
            names: self.names,
            last: Vec::with_capacity(self.last.len()),
            next: Vec::with_capacity(self.next.len()),
            ..Self::default()
        };
    }

    /// Continues after the rows that were written: the first of the next is the last of these.
    pub(crate) fn resume(&mut self) {
        let dictionary = std::mem::take(&mut self.dictionary);
        *self = Self {
            names: self.names,
            known: dictionary.counts(),
            known_bytes: dictionary.bytes(),
            dictionary,
            epoch: Some(Epoch::new(Vec::new(), self.last.len())),
            last: std::mem::take(&mut self.last),
            next: std::mem::take(&mut self.next),
            ..Self::default()
        };
    }
}

/// Rows that were read: nothing of them decoded but the first.
#[derive(Debug)]
pub(crate) struct ReadRows {
    content: Vec<u8>,
    pub(crate) dictionary: Arc<Dictionary>,
    first: Vec<Token>,
    epochs: Vec<ReadEpoch>,
}

impl ReadRows {
    /// Reads what [`Rows::put`] wrote at an offset of the content, and returns the offset after it. `base` are the rows
    /// that these continue, and the number of the last of them.
    pub(crate) fn read(
        content: Vec<u8>,
        from: usize,
        base: Option<(&Self, usize)>,
    ) -> Result<(Self, usize), Damage> {
        let mut reader = Reader::new(&content);
        reader.take(from)?;
        let mut dictionary =
            base.map_or_else(Dictionary::default, |(rows, _)| Dictionary::clone(&rows.dictionary));
        dictionary.read_more(&mut reader)?;
        let count = reader.count(1)?;
        let first = match base {
            Some((rows, last)) => rows.row(last)?,
            None => structure::read_tokens(&mut reader, count, &dictionary)?,
        };
        let mut epochs = Vec::new();
        for _ in 0..reader.count(1)?.min(MAX_ROWS) {
            epochs.push(ReadEpoch::read(&mut reader, &dictionary)?);
        }
        let behind = reader.position();
        Ok((Self { content, dictionary: Arc::new(dictionary), first, epochs }, behind))
    }

    pub(crate) fn content(&self) -> &[u8] {
        &self.content
    }

    /// Returns one of the rows. It is one whole value, not too deep.
    pub(crate) fn row(&self, number: usize) -> Result<Vec<Token>, Damage> {
        let mut tokens = self.first.clone();
        // The first row is no change, so that the first epoch has one change less than rows.
        let mut changes = number;
        for (index, epoch) in self.epochs.iter().enumerate() {
            if index > 0 {
                tokens = structure::apply(&tokens, &epoch.steps)?;
            }
            let own = changes.min(epoch.moments);
            epoch.advance(&self.content, &mut tokens, own, &self.dictionary)?;
            if changes <= epoch.moments {
                moment::check(&tokens, &self.dictionary)?;
                return Ok(tokens);
            }
            changes -= own;
        }
        Err(Damage::Impossible("fewer changes than moments"))
    }
}
