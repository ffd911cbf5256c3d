//! Core ranges as TT-Metal prints them.

use std::fmt;

use serde::Serialize;

/// A position in a text that moves forward.
pub(super) struct Cursor<'a> {
    text: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text: text.as_bytes(), position: 0 }
    }

    /// Steps over one given byte.
    fn eat(&mut self, byte: u8) -> bool {
        let eaten = self.text.get(self.position) == Some(&byte);
        self.position += usize::from(eaten);
        eaten
    }

    fn skip_space(&mut self) {
        while self.eat(b' ') || self.eat(b'\n') {}
    }

    /// A number of up to 32 bits.
    fn small_number(&mut self) -> Option<u32> {
        let rest = self.text.get(self.position..).unwrap_or_default();
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.position += length;
        std::str::from_utf8(&rest[..length]).ok()?.parse().ok()
    }
}

/// A rectangle of cores in logical coordinates, both corners included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CoreRange {
    /// The first corner, x and y.
    pub start: (u32, u32),
    /// The last corner, x and y.
    pub end: (u32, u32),
}

impl CoreRange {
    /// Returns the number of cores; 0 if its corners are swapped.
    #[must_use]
    pub(crate) fn count(&self) -> u64 {
        let side = |from: u32, to: u32| (u64::from(to) + 1).saturating_sub(u64::from(from));
        side(self.start.0, self.end.0).saturating_mul(side(self.start.1, self.end.1))
    }
}

/// The ranges that one message names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Cores(pub(crate) Vec<CoreRange>);

/// A range list longer than this is not a message of TT-Metal: no chip has more cores.
const MAX_RANGES: usize = 1024;

impl Cores {
    /// Returns the number of cores in all ranges.
    #[must_use]
    pub(crate) fn count(&self) -> u64 {
        self.0.iter().fold(0, |sum, range| sum.saturating_add(range.count()))
    }

    /// Reads a range or a set of ranges, in the form of any release: `[(x=0,y=0) - (x=7,y=7)]`, `[0-0 - 7-7]`,
    /// a set of these in braces, or a single core.
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        if !cursor.eat(b'{') {
            return Some(Self(vec![range(cursor)?]));
        }
        let mut ranges = Vec::new();
        loop {
            cursor.skip_space();
            if cursor.eat(b'}') {
                return Some(Self(ranges));
            }
            if ranges.len() == MAX_RANGES {
                return None;
            }
            ranges.push(range(cursor)?);
            cursor.skip_space();
            cursor.eat(b',');
        }
    }
}

fn range(cursor: &mut Cursor<'_>) -> Option<CoreRange> {
    if !cursor.eat(b'[') {
        let core = core(cursor)?;
        return Some(CoreRange { start: core, end: core });
    }
    cursor.skip_space();
    let start = core(cursor)?;
    cursor.skip_space();
    // Where a line ends here, the dash may be taken for the end of the next line's prefix.
    cursor.eat(b'-');
    cursor.skip_space();
    let end = core(cursor)?;
    cursor.skip_space();
    cursor.eat(b']').then_some(CoreRange { start, end })
}

/// `(x=0,y=0)`, `(0,0)` or `0-0`.
fn core(cursor: &mut Cursor<'_>) -> Option<(u32, u32)> {
    if !cursor.eat(b'(') {
        let x = cursor.small_number()?;
        cursor.eat(b'-').then_some(())?;
        return Some((x, cursor.small_number()?));
    }
    let x = coordinate(cursor, b'x')?;
    cursor.eat(b',').then_some(())?;
    cursor.skip_space();
    let y = coordinate(cursor, b'y')?;
    cursor.eat(b')').then_some((x, y))
}

fn coordinate(cursor: &mut Cursor<'_>, name: u8) -> Option<u32> {
    if cursor.eat(name) {
        cursor.eat(b'=').then_some(())?;
    }
    cursor.small_number()
}

impl fmt::Display for Cores {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, CoreRange { start, end }) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            if start == end {
                write!(formatter, "{comma}({},{})", start.0, start.1)?;
            } else {
                write!(formatter, "{comma}({},{}) to ({},{})", start.0, start.1, end.0, end.1)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Cores> {
        Cores::read(&mut Cursor::new(text))
    }

    #[test]
    fn every_form_of_a_range_is_read() {
        let whole = Cores(vec![CoreRange { start: (0, 0), end: (7, 6) }]);
        for text in
            ["[(x=0,y=0) - (x=7,y=6)]", "{[0-0 - 7-6]}", "[0-0 - 7-6]", "[ (0, 0)\n - (7,6) ]"]
        {
            assert_eq!(read(text), Some(whole.clone()), "{text}");
        }
        assert_eq!(whole.count(), 56);
        assert_eq!(whole.to_string(), "(0,0) to (7,6)");
        let two = read("{[(x=0,y=0) - (x=0,y=3)], [(x=2,y=2) - (x=2,y=2)]}").unwrap();
        assert_eq!((two.count(), two.to_string().as_str()), (5, "(0,0) to (0,3), (2,2)"));
        assert_eq!(read("3-4").unwrap().to_string(), "(3,4)");
        assert_eq!(read("{}"), Some(Cores::default()));
    }

    #[test]
    fn what_is_not_a_range_is_refused() {
        for text in ["", "[", "[0-0", "[0-0 - ", "{[0-0 - 1-1]", "(x=1)", "[99999999999-0 - 1-1]"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read("[5-5 - 0-0]").unwrap().count(), 0, "corners the wrong way round");
        assert_eq!(read("[0-0 - 4294967295-4294967295]").unwrap().count(), u64::MAX);
    }
}
