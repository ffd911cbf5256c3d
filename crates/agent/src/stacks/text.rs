//! Texts of the interpreter.

use super::{Interpreter, Memory, SIZE, TEXT_FORM, Unreadable, combine};

/// Characters of the longest text that is read.
const MAX_CHARACTERS: usize = 4096;
/// Bit of a text's form: the characters follow its head.
const COMPACT: u64 = 1 << 5;
/// Bit of a text's form: all characters are ASCII.
const ASCII: u64 = 1 << 6;
/// Words at a text's end that distinguish it from others. A notebook names its cells by a hash before `.py`.
const TAIL_WORDS: usize = 4;

/// Address, number and width of the characters of a text.
struct Characters {
    address: u64,
    count: u64,
    /// Bytes of a character: 1, 2 or 4.
    width: u64,
}

impl<M: Memory> Interpreter<M> {
    /// The text in an object; `None` if the object is no text of a known form.
    pub(super) fn text(&self, object: u64) -> Option<String> {
        let Characters { address, count, width } = self.characters(object).ok()??;
        let count = usize::try_from(count).ok()?.min(MAX_CHARACTERS);
        let width = usize::try_from(width).ok()?;
        let mut bytes = vec![0; count * width];
        if !self.memory.bytes(address, &mut bytes) {
            return None;
        }
        let character = |bytes: &[u8]| {
            let code = bytes.iter().rev().fold(0_u32, |code, byte| code << 8 | u32::from(*byte));
            char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
        };
        Some(bytes.chunks_exact(width).map(character).collect())
    }

    /// A number that distinguishes a text by its length and its last bytes; 0 if it is no text.
    #[inline]
    pub(super) fn text_key(&self, object: u64) -> Result<u64, Unreadable> {
        let Some(Characters { address, count, width }) = self.characters(object)? else {
            return Ok(0);
        };
        let bytes = count * width;
        let mut tail = [bytes; TAIL_WORDS + 1];
        for (word, place) in (1..).zip(&mut tail[1..]).take_while(|(word, _)| 8 * word <= bytes) {
            *place = self.memory.word(address + bytes - 8 * word).ok_or(Unreadable)?;
        }
        Ok(combine(tail))
    }

    #[inline]
    fn characters(&self, object: u64) -> Result<Option<Characters>, Unreadable> {
        if object == 0 || !object.is_multiple_of(8) || !self.is_a(object, self.types.text)? {
            return Ok(None);
        }
        let count = self.memory.word(object + SIZE).ok_or(Unreadable)?;
        let form = self.memory.word(object + TEXT_FORM).ok_or(Unreadable)?;
        let width = form >> 2 & 7;
        if form & COMPACT == 0 || !matches!(width, 1 | 2 | 4) || count > 1 << 40 {
            return Ok(None);
        }
        let offset = if form & ASCII == 0 { self.layout.characters } else { self.layout.ascii };
        Ok(Some(Characters { address: object + offset, count, width }))
    }
}
