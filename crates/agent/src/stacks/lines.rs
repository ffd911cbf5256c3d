//! The line of an instruction, from the table of its code.

use super::{BYTES, Call, Interpreter, Memory, SIZE};

/// Bytes of the longest table that is read.
const MAX_TABLE: usize = 1 << 18;

impl<M: Memory> Interpreter<M> {
    /// The line that runs in a call; 0 if the code has none there.
    pub(super) fn line(&self, call: Call) -> u32 {
        self.find_line(call).unwrap_or(0)
    }

    fn find_line(&self, call: Call) -> Option<u32> {
        let first_line = self.memory.half(call.code + self.layout.first_line)?;
        let Ok(offset) = u64::try_from(call.offset) else { return Some(first_line) };
        let table = self.memory.word(call.code + self.layout.line_table)?;
        if table == 0 || !table.is_multiple_of(8) || !self.is_a(table, self.types.bytes).ok()? {
            return None;
        }
        let size = usize::try_from(self.memory.word(table + SIZE)?).ok()?;
        let mut bytes = vec![0; size.min(MAX_TABLE)];
        if !self.memory.bytes(table + BYTES, &mut bytes) {
            return None;
        }
        let line = if self.layout.minor < 11 {
            line_of_pairs(&bytes, offset)
        } else {
            line_of_locations(&bytes, offset)
        };
        u32::try_from(i64::from(first_line) + line?).ok()
    }
}

/// Line relative to the first in a table of 3.10 (`Objects/lnotab_notes.txt`): pairs of the bytes of instructions and the
/// change of the line before them.
pub(super) fn line_of_pairs(table: &[u8], offset: u64) -> Option<i64> {
    const NO_LINE: i8 = -128;
    let (mut end, mut line) = (0, 0);
    for pair in table.chunks_exact(2) {
        let change = pair[1].cast_signed();
        end += u64::from(pair[0]);
        if change != NO_LINE {
            line += i64::from(change);
        }
        if offset < end {
            return (change != NO_LINE).then_some(line);
        }
    }
    None
}

/// Line relative to the first in a table from 3.11 on (`Objects/locations.md`): entries that begin with a byte whose top bit
/// is set. Bits 3 to 6 are the form, bits 0 to 2 the code units less one, of two bytes each.
pub(super) fn line_of_locations(table: &[u8], offset: u64) -> Option<i64> {
    let (mut end, mut line) = (0, 0);
    let mut rest = table;
    while let Some((head, tail)) = rest.split_first() {
        let length = tail.iter().position(|byte| byte & 0x80 != 0).unwrap_or(tail.len());
        let (arguments, next) = tail.split_at(length);
        let form = head >> 3 & 15;
        let has_line = match form {
            15 => false,
            13 | 14 => {
                line += signed_varint(arguments)?;
                true
            }
            10..=12 => {
                line += i64::from(form - 10);
                true
            }
            _ => true,
        };
        end += (u64::from(head & 7) + 1) * 2;
        if offset < end {
            return has_line.then_some(line);
        }
        rest = next;
    }
    None
}

/// Six bits a byte, the lowest first; bit 6 says that there are more. The lowest bit of the number is its sign.
fn signed_varint(bytes: &[u8]) -> Option<i64> {
    let mut value: u64 = 0;
    for (index, byte) in bytes.iter().take(8).enumerate() {
        value |= u64::from(byte & 63) << (6 * index);
        if byte & 64 == 0 {
            let magnitude = (value >> 1).cast_signed();
            return Some(if value & 1 == 1 { -magnitude } else { magnitude });
        }
    }
    None
}
