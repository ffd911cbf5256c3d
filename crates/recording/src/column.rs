//! The changes of one value over time: a row of differences, one for each moment.

use super::bytes::{Reader, put_varint, unzigzag, zigzag};
use super::error::Damage;
use super::token::Token;

/// The value stays.
const SAME: u64 = 0;
/// The value is replaced by the one that follows.
const REPLACED: u64 = 1;

/// Appends the change from one value to another one.
pub(crate) fn put_change(old: Token, new: Token, out: &mut Vec<u8>) {
    let difference = new.difference(old).map(zigzag).filter(|code| *code < u64::MAX - 1);
    match difference {
        // 0 is no difference and cannot come here, so that the codes begin at 2.
        Some(code) if code > 0 => put_varint(out, code + 1),
        _ => {
            put_varint(out, REPLACED);
            new.put(out);
        }
    }
}

/// The outcome of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Change {
    replaced: Option<Token>,
    difference: i64,
}

impl Change {
    /// Reads one change and adds it to those before. `counts` are those of the dictionary.
    pub(crate) fn read_more(
        &mut self,
        reader: &mut Reader<'_>,
        (strings, shapes): (usize, usize),
    ) -> Result<(), Damage> {
        match reader.varint()? {
            SAME => {}
            REPLACED => {
                let token = Token::read(reader, strings, shapes)?;
                if token.is_container() {
                    return Err(Damage::Impossible("a container instead of a value"));
                }
                *self = Self { replaced: Some(token), difference: 0 };
            }
            code => self.difference = self.difference.wrapping_add(unzigzag(code - 1)),
        }
        Ok(())
    }

    /// The value that came of it.
    pub(crate) fn apply(self, old: Token) -> Result<Token, Damage> {
        let token = self.replaced.unwrap_or(old);
        if self.difference == 0 { Ok(token) } else { token.plus(self.difference) }
    }
}

/// The changes of one value over the moments of an epoch.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// The position of the value among the tokens.
    pub(crate) position: u32,
    /// Number of moments that `codes` covers.
    moments: u32,
    /// One code a moment; what is missing at the end is [`SAME`].
    pub(crate) codes: Vec<u8>,
}

impl Column {
    pub(crate) fn new(position: u32) -> Self {
        Self { position, moments: 0, codes: Vec::new() }
    }

    /// Adds the change at a moment; those since the last change are filled up. Gives the bytes that it took.
    pub(crate) fn change(&mut self, moment: u32, old: Token, new: Token) -> usize {
        let before = self.codes.len();
        let same = moment.saturating_sub(self.moments) as usize;
        self.codes.resize(before + same, 0);
        put_change(old, new, &mut self.codes);
        self.moments = moment + 1;
        self.codes.len() - before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_changes_comes_back() {
        let values = [
            Token::unsigned(5),
            Token::unsigned(u64::MAX),
            Token::unsigned(u64::MAX),
            Token::NULL,
            Token::float(0.85, None),
            Token::float(0.75, None),
            Token::unsigned(0),
            Token::unsigned(1 << 63),
        ];
        let mut column = Column::new(3);
        for (moment, pair) in values.windows(2).enumerate() {
            if pair[0] != pair[1] {
                column.change(u32::try_from(moment).unwrap(), pair[0], pair[1]);
            }
        }
        let mut reader = Reader::new(&column.codes);
        let mut change = Change::default();
        for value in &values[1..] {
            change.read_more(&mut reader, (0, 0)).unwrap();
            assert_eq!(change.apply(values[0]), Ok(*value));
        }
        assert_eq!(reader.remaining(), 0);
    }

    #[test]
    fn a_difference_to_a_blank_is_refused() {
        let change = Change { replaced: None, difference: 1 };
        assert!(change.apply(Token::NULL).is_err());
    }
}
