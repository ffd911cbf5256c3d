//! Structural changes of a snapshot: rows that were added or removed, a number that became missing.
//!
//! A change is a way through the old tokens: some are copied, some left out, some inserted. Rows of a list are matched
//! by their first leaf (the id of a chip, the pid of a process); a wrong match costs bytes, not truth.

use super::bytes::{Reader, put_varint};
use super::dictionary::Dictionary;
use super::error::Damage;
use super::moment::elements;
use super::token::{MAX_TOKENS, Token};

/// The distance within which a row of the old list is searched.
const LOOK_AHEAD: usize = 64;

/// One step on the way from the old tokens to the new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Keeps this number of tokens, whatever their values.
    Keep(usize),
    /// Removes this number of tokens.
    Drop(usize),
    /// Inserts these tokens.
    Insert(Vec<Token>),
}

/// True if both have the same containers at the same positions: then every leaf has its counterpart.
pub(crate) fn is_same(old: &[Token], new: &[Token]) -> bool {
    old.len() == new.len()
        && old
            .iter()
            .zip(new)
            .all(|(old, new)| old == new || (!old.is_container() && !new.is_container()))
}

/// The way from the old tokens to tokens with the structure of the new ones.
pub(crate) fn steps(old: &[Token], new: &[Token], dictionary: &Dictionary) -> Vec<Step> {
    let mut way = Way { old, new, dictionary, steps: Vec::new() };
    way.value(&mut 0, &mut 0);
    way.steps
}

struct Way<'a> {
    old: &'a [Token],
    new: &'a [Token],
    dictionary: &'a Dictionary,
    steps: Vec<Step>,
}

impl Way<'_> {
    /// Skips one value of each.
    fn value(&mut self, old: &mut usize, new: &mut usize) {
        let (Some(was), Some(is)) = (self.old.get(*old), self.new.get(*new)) else { return };
        let (was, is) = (*was, *is);
        if was == is || !(was.is_container() || is.is_container()) {
            self.keep();
            (*old, *new) = (*old + 1, *new + 1);
            let inside = elements(is, self.dictionary);
            if is_list(is) {
                self.rows(old, inside, new, inside);
            } else {
                (0..inside).for_each(|_| self.value(old, new));
            }
        } else if is_list(was) && is_list(is) {
            self.drop(1);
            self.insert(&[is]);
            let (before, after) = (elements(was, self.dictionary), elements(is, self.dictionary));
            (*old, *new) = (*old + 1, *new + 1);
            self.rows(old, before, new, after);
        } else {
            let (old_end, new_end) = (self.end(self.old, *old), self.end(self.new, *new));
            self.drop(old_end - *old);
            self.insert(self.new.get(*new..new_end).unwrap_or(&[]));
            (*old, *new) = (old_end, new_end);
        }
    }

    /// Skips all rows of a list.
    fn rows(&mut self, old: &mut usize, mut before: usize, new: &mut usize, after: usize) {
        for _ in 0..after {
            match self.find(*old, before, *new) {
                Some(skipped) => {
                    for _ in 0..skipped {
                        self.drop_value(old);
                    }
                    before -= skipped + 1;
                    self.value(old, new);
                }
                None => {
                    let end = self.end(self.new, *new);
                    self.insert(self.new.get(*new..end).unwrap_or(&[]));
                    *new = end;
                }
            }
        }
        (0..before).for_each(|_| self.drop_value(old));
    }

    /// Returns the number of rows of the old list before the one that equals the new row.
    fn find(&self, old: usize, rows: usize, new: usize) -> Option<usize> {
        let wanted = self.first_leaf(self.new, new)?;
        let mut position = old;
        for skipped in 0..rows.min(LOOK_AHEAD) {
            if self.first_leaf(self.old, position) == Some(wanted) {
                return Some(skipped);
            }
            position = self.end(self.old, position);
        }
        None
    }

    fn first_leaf(&self, tokens: &[Token], position: usize) -> Option<Token> {
        let rest = tokens.get(position..)?;
        rest.iter().find(|token| !token.is_container()).copied()
    }

    fn drop_value(&mut self, old: &mut usize) {
        let end = self.end(self.old, *old);
        self.drop(end - *old);
        *old = end;
    }

    /// Returns the position after the value at a position.
    fn end(&self, tokens: &[Token], position: usize) -> usize {
        let mut missing = 1_usize;
        let mut position = position;
        while missing > 0 {
            let Some(token) = tokens.get(position) else { return tokens.len() };
            missing = missing - 1 + elements(*token, self.dictionary);
            position += 1;
        }
        position
    }

    fn keep(&mut self) {
        match self.steps.last_mut() {
            Some(Step::Keep(count)) => *count += 1,
            _ => self.steps.push(Step::Keep(1)),
        }
    }

    fn drop(&mut self, more: usize) {
        match self.steps.last_mut() {
            Some(Step::Drop(count)) => *count += more,
            _ => self.steps.push(Step::Drop(more)),
        }
    }

    fn insert(&mut self, more: &[Token]) {
        match self.steps.last_mut() {
            Some(Step::Insert(tokens)) => tokens.extend_from_slice(more),
            _ => self.steps.push(Step::Insert(more.to_vec())),
        }
    }
}

fn is_list(token: Token) -> bool {
    matches!(token.value(), super::token::Value::List(_))
}

/// Goes the way: the old tokens in the new structure, where a leaf that stayed still has its old value.
pub(crate) fn apply(old: &[Token], steps: &[Step]) -> Result<Vec<Token>, Damage> {
    let mut rest = old;
    let mut new = Vec::with_capacity(old.len());
    for step in steps {
        match step {
            Step::Keep(count) => {
                let (kept, behind) = rest.split_at_checked(*count).ok_or(TOO_FAR)?;
                new.extend_from_slice(kept);
                rest = behind;
            }
            Step::Drop(count) => rest = rest.get(*count..).ok_or(TOO_FAR)?,
            Step::Insert(tokens) => new.extend_from_slice(tokens),
        }
        if new.len() > MAX_TOKENS {
            return Err(Damage::Impossible("more values than a snapshot may have"));
        }
    }
    Ok(new)
}

const TOO_FAR: Damage = Damage::Impossible("a change behind the end of what it changes");

const KEEP: u64 = 0;
const DROP: u64 = 1;
const INSERT: u64 = 2;

/// Appends the steps: a number of steps, and each as its length and kind in one number.
pub(crate) fn put(steps: &[Step], out: &mut Vec<u8>) {
    put_varint(out, steps.len() as u64);
    for step in steps {
        match step {
            Step::Keep(count) => put_varint(out, (*count as u64) << 2 | KEEP),
            Step::Drop(count) => put_varint(out, (*count as u64) << 2 | DROP),
            Step::Insert(tokens) => {
                put_varint(out, (tokens.len() as u64) << 2 | INSERT);
                tokens.iter().for_each(|token| token.put(out));
            }
        }
    }
}

/// Reads what [`put`] wrote.
pub(crate) fn read(reader: &mut Reader<'_>, dictionary: &Dictionary) -> Result<Vec<Step>, Damage> {
    let count = reader.count(1)?;
    let mut steps = Vec::new();
    for _ in 0..count {
        let word = reader.varint()?;
        let count = usize::try_from(word >> 2).unwrap_or(usize::MAX);
        steps.push(match word & 3 {
            KEEP => Step::Keep(count),
            DROP => Step::Drop(count),
            INSERT => Step::Insert(read_tokens(reader, count, dictionary)?),
            _ => return Err(Damage::Impossible("an unknown change of structure")),
        });
    }
    Ok(steps)
}

/// Reads a number of tokens.
pub(crate) fn read_tokens(
    reader: &mut Reader<'_>,
    count: usize,
    dictionary: &Dictionary,
) -> Result<Vec<Token>, Damage> {
    if count > reader.remaining() || count > MAX_TOKENS {
        return Err(Damage::Impossible("a count of more than there is"));
    }
    let (strings, shapes) = dictionary.counts();
    (0..count).map(|_| Token::read(reader, strings, shapes)).collect()
}
