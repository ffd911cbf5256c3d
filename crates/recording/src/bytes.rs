//! Numbers as bytes, and reading them back from bytes that may be cut, wrong or hostile.

use super::error::Damage;

/// Appends a number, seven bits a byte, the lowest first.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

/// Appends bytes after their length.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A signed number as an unsigned one that is small when the number is near 0.
pub(crate) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// The inverse of [`zigzag`].
pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// Reads bytes from the front to the back and never past the end.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, length: bytes.len() }
    }

    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Returns the number of bytes read.
    pub(crate) fn position(&self) -> usize {
        self.length - self.rest.len()
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Damage> {
        let (first, rest) = self.rest.split_first().ok_or(Damage::Cut)?;
        self.rest = rest;
        Ok(*first)
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], Damage> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Damage::Cut)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn varint(&mut self) -> Result<u64, Damage> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Damage::Impossible("a number above 64 bits"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Damage::Impossible("a number above 64 bits"))
    }

    /// A number of things that take at least `each` bytes: more than are left cannot be, whatever is claimed.
    pub(crate) fn count(&mut self, each: usize) -> Result<usize, Damage> {
        let claimed = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        if claimed > self.rest.len() / each.max(1) {
            return Err(Damage::Impossible("a count of more than there is"));
        }
        Ok(claimed)
    }

    /// Reads length-prefixed bytes.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Damage> {
        let length = self.count(1)?;
        self.take(length)
    }

    /// A number that names one of `limit` things.
    pub(crate) fn index(&mut self, limit: usize) -> Result<u32, Damage> {
        let value = self.varint()?;
        match u32::try_from(value) {
            Ok(index) if (index as usize) < limit => Ok(index),
            _ => Err(Damage::Impossible("a number of something that is not there")),
        }
    }
}

/// Four bytes at an offset of a header, lowest first; 0 past its end.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..at.saturating_add(4))
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u32::from_le_bytes)
}

/// Eight bytes at an offset of a header, lowest first; 0 past its end.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes
        .get(at..at.saturating_add(8))
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            assert_eq!(Reader::new(&bytes).varint(), Ok(value));
            for cut in 0..bytes.len() {
                assert_eq!(Reader::new(&bytes[..cut]).varint(), Err(Damage::Cut));
            }
        }
        for value in [0, -1, 1, i64::MIN, i64::MAX] {
            assert_eq!(unzigzag(zigzag(value)), value);
        }
    }

    #[test]
    fn a_number_of_eleven_bytes_is_refused() {
        assert!(Reader::new(&[0xff; 11]).varint().is_err());
        let mut above = [0xff; 10];
        above[9] = 2;
        assert!(Reader::new(&above).varint().is_err());
    }

    #[test]
    fn a_count_is_held_against_what_is_there() {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, 1 << 40);
        bytes.extend([0; 8]);
        assert!(Reader::new(&bytes).count(1).is_err());
        assert!(Reader::new(&bytes).bytes().is_err());
    }
}
