//! A run of moments with the same structure: which values change, and how.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;

use ttmem_model::order;

use super::bytes::{Reader, put_bytes, put_varint};
use super::column::{Change, Column};
use super::dictionary::Dictionary;
use super::error::Damage;
use super::structure::{self, Step};
use super::token::Token;

/// An epoch that is being recorded.
#[derive(Clone, Debug)]
pub(crate) struct Epoch {
    steps: Vec<Step>,
    moments: u32,
    columns: Vec<Column>,
    /// One more than the number of the column of each position; 0 where nothing has changed yet.
    by_position: Vec<u32>,
}

impl Epoch {
    /// An epoch that begins with these steps, over this number of tokens.
    pub(crate) fn new(steps: Vec<Step>, tokens: usize) -> Self {
        Self { steps, moments: 0, columns: Vec::new(), by_position: vec![0; tokens] }
    }

    /// Adds a moment of the same structure. Gives the bytes that it took.
    pub(crate) fn push(&mut self, old: &[Token], new: &[Token]) -> usize {
        let mut taken = 0;
        for (position, (old, new)) in old.iter().zip(new).enumerate() {
            if old != new {
                taken += self.change(position, *old, *new);
            }
        }
        self.moments += 1;
        taken
    }

    fn change(&mut self, position: usize, old: Token, new: Token) -> usize {
        let Some(number) = self.by_position.get_mut(position) else { return 0 };
        if *number == 0 {
            self.columns.push(Column::new(u32::try_from(position).unwrap_or(u32::MAX)));
            *number = u32::try_from(self.columns.len()).unwrap_or(u32::MAX);
        }
        let column = self.columns.get_mut(*number as usize - 1);
        column.map_or(0, |column| column.change(self.moments, old, new))
    }

    /// Appends the epoch: its steps, its moments, the positions of its columns, and each distinct row of changes once.
    /// Many values change together: the ages of all values of one pass, a chip's memory and its only process's.
    pub(crate) fn put(mut self, out: &mut Vec<u8>) {
        order::sort_by_key(&mut self.columns, |column| column.position);
        structure::put(&self.steps, out);
        put_varint(out, u64::from(self.moments));
        put_varint(out, self.columns.len() as u64);
        let mut next = 0;
        for column in &self.columns {
            put_varint(out, u64::from(column.position - next));
            next = column.position + 1;
        }
        let mut distinct: Vec<&[u8]> = Vec::new();
        let mut numbers: HashMap<&[u8], usize> = HashMap::new();
        for column in &self.columns {
            // 0 is a new row, 1 the newest: most columns are like the one before.
            let back = match numbers.entry(&column.codes) {
                Entry::Occupied(known) => distinct.len() - known.get(),
                Entry::Vacant(new) => {
                    new.insert(distinct.len());
                    distinct.push(&column.codes);
                    0
                }
            };
            put_varint(out, back as u64);
        }
        put_varint(out, distinct.len() as u64);
        distinct.iter().for_each(|codes| put_bytes(out, codes));
    }
}

/// An epoch that was read.
#[derive(Debug)]
pub(crate) struct ReadEpoch {
    pub(crate) steps: Vec<Step>,
    pub(crate) moments: usize,
    /// The position of each column and the number of its row of changes.
    columns: Vec<(usize, usize)>,
    /// Ranges of the rows of changes in the content.
    rows: Vec<Range<usize>>,
}

impl ReadEpoch {
    /// Reads what [`Epoch::put`] wrote.
    pub(crate) fn read(reader: &mut Reader<'_>, dictionary: &Dictionary) -> Result<Self, Damage> {
        let steps = structure::read(reader, dictionary)?;
        let moments = usize::try_from(reader.varint()?).unwrap_or(usize::MAX);
        let count = reader.count(1)?;
        let mut position = 0_usize;
        let mut positions = Vec::new();
        for _ in 0..count {
            position = position.saturating_add(reader.index(u32::MAX as usize)? as usize);
            positions.push(position);
            position = position.saturating_add(1);
        }
        let mut columns = Vec::new();
        let mut distinct = 0_usize;
        for position in positions {
            let back = reader.index(count)? as usize;
            if back == 0 {
                distinct += 1;
            }
            let row = if back == 0 { distinct - 1 } else { distinct.wrapping_sub(back) };
            columns.push((position, row));
        }
        let mut rows = Vec::new();
        for _ in 0..reader.count(1)? {
            let length = reader.count(1)?;
            let start = reader.position();
            reader.take(length)?;
            rows.push(start..start + length);
        }
        if columns.iter().any(|(_, row)| *row >= rows.len()) {
            return Err(Damage::Impossible("a row of changes that is not there"));
        }
        Ok(Self { steps, moments, columns, rows })
    }

    /// Changes the first tokens of the epoch into those of the moment after `changes` changes.
    pub(crate) fn advance(
        &self,
        content: &[u8],
        tokens: &mut [Token],
        changes: usize,
        dictionary: &Dictionary,
    ) -> Result<(), Damage> {
        let counts = dictionary.counts();
        let mut happened = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            let mut reader = Reader::new(content.get(row.clone()).unwrap_or(&[]));
            let mut change = Change::default();
            for _ in 0..changes {
                if reader.remaining() == 0 {
                    break;
                }
                change.read_more(&mut reader, counts)?;
            }
            happened.push(change);
        }
        for (position, row) in &self.columns {
            let (Some(token), Some(change)) = (tokens.get_mut(*position), happened.get(*row))
            else {
                return Err(Damage::Impossible("a change of a value that is not there"));
            };
            if token.is_container() {
                return Err(Damage::Impossible("a value instead of a container"));
            }
            *token = change.apply(*token)?;
        }
        Ok(())
    }
}
