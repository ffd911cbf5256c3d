//! Tables of FlatBuffers, as far as the simulator's protocol needs them: scalars, byte vectors, text.
//!
//! Written by hand because it is little: the crate would bring a builder, a verifier and generated code for three
//! messages, and its reader needs a schema before it checks a bound. Here every access is checked, and
//! nothing is followed but one offset from a table to a vector, so no message can make the reader loop or recurse.
//! Format: <https://flatbuffers.dev/internals/>. All numbers are little-endian; an offset to another object counts
//! from where the offset itself is.

/// The reason that a message is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Malformed(pub(super) &'static str);

/// A table: fields that may be absent, numbered in the order of the schema.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'a> {
    message: &'a [u8],
    /// Offset of the table in the message.
    start: usize,
    /// Bytes it has, by its own account.
    length: usize,
    /// Offset of each field in the table; 0 if it is absent.
    fields: &'a [u8],
}

impl<'a> Table<'a> {
    /// The table that a message consists of.
    pub(super) fn root(message: &'a [u8]) -> Result<Self, Malformed> {
        const CUT: Malformed = Malformed("the message ends within its table");
        let start = usize_of(number(message, 0).ok_or(CUT)?);
        // The table starts with the distance of its list of fields: before the table, or after it if negative.
        let back = i64::from(i32::from_le_bytes(number(message, start).ok_or(CUT)?.to_le_bytes()));
        let list = i64::try_from(start).ok().and_then(|start| start.checked_sub(back));
        let list = list.and_then(|list| usize::try_from(list).ok()).ok_or(CUT)?;
        let list_length = usize::from(short(message, list).ok_or(CUT)?);
        let length = usize::from(short(message, list.saturating_add(2)).ok_or(CUT)?);
        let all = list.checked_add(list_length).and_then(|end| message.get(list..end));
        let fields = all.and_then(|all| all.get(4..)).ok_or(CUT)?;
        if start.checked_add(length).is_none_or(|end| end > message.len()) {
            return Err(CUT);
        }
        Ok(Self { message, start, length, fields })
    }

    /// A field of `N` bytes; `None` if the sender left it at its default.
    pub(super) fn scalar<const N: usize>(
        &self,
        field: usize,
    ) -> Result<Option<[u8; N]>, Malformed> {
        let Some(offset) = self.offset_of(field, N)? else { return Ok(None) };
        let bytes = offset.checked_add(N).and_then(|end| self.message.get(offset..end));
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(Some).ok_or(Malformed("a field is outside the message"))
    }

    /// A vector of bytes, or the bytes of a text.
    pub(super) fn bytes(&self, field: usize) -> Result<Option<&'a [u8]>, Malformed> {
        const OUTSIDE: Malformed = Malformed("a vector is outside the message");
        let Some(start) = self.offset_of(field, 4)? else { return Ok(None) };
        let offset = usize_of(number(self.message, start).ok_or(OUTSIDE)?);
        let vector = start.checked_add(offset).ok_or(OUTSIDE)?;
        let length = usize_of(number(self.message, vector).ok_or(OUTSIDE)?);
        let first = vector.checked_add(4).ok_or(OUTSIDE)?;
        let end = first.checked_add(length).ok_or(OUTSIDE)?;
        self.message.get(first..end).map(Some).ok_or(OUTSIDE)
    }

    /// Returns the offset of a field in the message.
    fn offset_of(&self, field: usize, bytes: usize) -> Result<Option<usize>, Malformed> {
        let offset = field.checked_mul(2).and_then(|entry| short(self.fields, entry));
        let offset = usize::from(offset.unwrap_or(0));
        if offset == 0 {
            return Ok(None);
        }
        // The first four bytes are the way to the list of fields.
        if offset < 4 || offset.checked_add(bytes).is_none_or(|end| end > self.length) {
            return Err(Malformed("a field is outside its table"));
        }
        self.start.checked_add(offset).map(Some).ok_or(Malformed("a field is outside its table"))
    }
}

fn number(message: &[u8], offset: usize) -> Option<u32> {
    let bytes = message.get(offset..offset.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

fn short(message: &[u8], offset: usize) -> Option<u16> {
    let bytes = message.get(offset..offset.checked_add(2)?)?;
    Some(u16::from_le_bytes(bytes.try_into().ok()?))
}

/// A 32-bit number as an index. Where it does not fit, no message is that long either.
fn usize_of(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
