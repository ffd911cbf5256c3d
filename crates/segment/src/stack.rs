//! The calls that led to an allocation.

use std::sync::Arc;

use super::entry::{checksum, high, low, pair};
use super::layout::{FUNCTION_WORDS, MAX_FUNCTIONS, STACK_FRAMES, STACK_WORDS, WORD_BYTES};

/// The calls that led to an allocation, the innermost first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stack {
    /// The frames, at least one.
    pub frames: Vec<Frame>,
    /// The outermost frames are missing: there were more than [`STACK_FRAMES`].
    pub is_cut: bool,
}

/// A call of a function.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    /// Name of the function: from Python 3.11 on its qualified name.
    pub function: Arc<str>,
    /// File of its source, as the interpreter has it. One that is too long begins with `…`.
    pub file: Arc<str>,
    /// Line that is running; `None` if the code has none.
    pub line: Option<u32>,
}

/// Bytes of the longest name of a function. A longer one is cut at its end.
pub(crate) const FUNCTION_NAME_BYTES: usize = 64;
/// Bytes of the longest file. A longer one is cut at its beginning.
pub(crate) const FILE_BYTES: usize = 168;
/// Lines above are taken as not known.
pub(crate) const MAX_LINE: u32 = (1 << LINE_BITS) - 1;

const LINE_BITS: u32 = 18;
const NAME_WORD: usize = 2;
const FILE_WORD: usize = NAME_WORD + FUNCTION_NAME_BYTES / WORD_BYTES;
const CHECKSUM_WORD: usize = FUNCTION_WORDS - 1;

const _: () = assert!(FILE_WORD + FILE_BYTES / WORD_BYTES <= CHECKSUM_WORD);
const _: () = assert!(MAX_FUNCTIONS <= 1 << (u32::BITS - LINE_BITS));
const _: () = assert!(2 + STACK_FRAMES / 2 <= STACK_WORDS);

/// A function of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionEntry {
    /// Name of the function.
    pub(crate) name: String,
    /// The file of its source.
    pub(crate) file: String,
}

impl FunctionEntry {
    /// Returns the entry as words of the file. What does not fit is cut.
    #[must_use]
    pub fn to_words(key: u64, name: &str, file: &str) -> [u64; FUNCTION_WORDS] {
        let mut words = [0; FUNCTION_WORDS];
        words[0] = key;
        let name = &name[..name.floor_char_boundary(FUNCTION_NAME_BYTES)];
        let mut cut = String::new();
        let file = if file.len() > FILE_BYTES {
            let start = file.ceil_char_boundary(file.len() - FILE_BYTES + '…'.len_utf8());
            cut.push('…');
            cut.push_str(&file[start..]);
            &cut
        } else {
            file
        };
        words[1] = (name.len() | file.len() << 8) as u64;
        put_bytes(&mut words[NAME_WORD..FILE_WORD], name.as_bytes());
        put_bytes(&mut words[FILE_WORD..CHECKSUM_WORD], file.as_bytes());
        words[CHECKSUM_WORD] = u64::from(checksum(&words[..CHECKSUM_WORD]));
        words
    }

    /// Decodes the entry from its words; `None` if the checksum does not match. Invalid UTF-8 is
    /// replaced.
    #[must_use]
    pub(crate) fn from_words(words: [u64; FUNCTION_WORDS]) -> Option<Self> {
        if u64::from(checksum(&words[..CHECKSUM_WORD])) != words[CHECKSUM_WORD] {
            return None;
        }
        let length = |shift: u32| (words[1] >> shift & 0xff) as usize;
        Some(Self {
            name: text(&words[NAME_WORD..FILE_WORD], length(0)),
            file: text(&words[FILE_WORD..CHECKSUM_WORD], length(8)),
        })
    }
}

fn put_bytes(words: &mut [u64], bytes: &[u8]) {
    for (word, bytes) in words.iter_mut().zip(bytes.chunks(WORD_BYTES)) {
        let mut padded = [0; WORD_BYTES];
        padded[..bytes.len()].copy_from_slice(bytes);
        *word = u64::from_le_bytes(padded);
    }
}

fn text(words: &[u64], length: usize) -> String {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let text = String::from_utf8_lossy(&bytes[..length.min(bytes.len())]);
    text.replace(char::is_control, "\u{fffd}")
}

/// A stack as the indexes of its functions, and lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackEntry {
    frames: [u32; STACK_FRAMES],
    depth: usize,
    /// True if there were more frames than fit.
    pub(crate) is_cut: bool,
}

impl StackEntry {
    /// A stack of these frames: index of the function, and line (0 if not known). More than [`STACK_FRAMES`] are cut.
    #[must_use]
    pub fn new(frames: impl IntoIterator<Item = (usize, u32)>, is_cut: bool) -> Self {
        let mut entry = Self { frames: [0; STACK_FRAMES], depth: 0, is_cut };
        for (function, line) in frames {
            let Some(slot) = entry.frames.get_mut(entry.depth) else {
                entry.is_cut = true;
                break;
            };
            let function = u32::try_from(function).unwrap_or(0) % (1 << (u32::BITS - LINE_BITS));
            *slot = function << LINE_BITS | if line > MAX_LINE { 0 } else { line };
            entry.depth += 1;
        }
        entry
    }

    /// The frames, the innermost first: index of the function, and line.
    pub(crate) fn frames(&self) -> impl Iterator<Item = (usize, u32)> + '_ {
        let frames = self.frames[..self.depth].iter();
        frames.map(|frame| ((frame >> LINE_BITS) as usize, frame & MAX_LINE))
    }

    /// Returns the entry as words of the file.
    #[must_use]
    pub fn to_words(&self, key: u64) -> [u64; STACK_WORDS] {
        let mut words = [0; STACK_WORDS];
        words[0] = key;
        words[1] = self.depth as u64 | u64::from(self.is_cut) << 8;
        for (word, two) in words[2..].iter_mut().zip(self.frames.chunks(2)) {
            *word = pair(two[0], two.get(1).copied().unwrap_or(0));
        }
        words[1] |= u64::from(checksum(&words)) << 32;
        words
    }

    /// Decodes the entry from its words; `None` if the checksum does not match.
    #[must_use]
    pub(crate) fn from_words(mut words: [u64; STACK_WORDS]) -> Option<Self> {
        let expected = high(words[1]);
        words[1] = u64::from(low(words[1]));
        let depth = (words[1] & 0xff) as usize;
        if checksum(&words) != expected || depth > STACK_FRAMES {
            return None;
        }
        let mut frames = [0; STACK_FRAMES];
        for (two, word) in frames.chunks_mut(2).zip(&words[2..]) {
            two[0] = low(*word);
            if let Some(second) = two.get_mut(1) {
                *second = high(*word);
            }
        }
        Some(Self { frames, depth, is_cut: words[1] >> 8 & 1 == 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_comes_back_from_its_words_and_a_long_file_keeps_its_end() {
        let words = FunctionEntry::to_words(9, "Model.forward", "/home/user/model.py");
        let entry = FunctionEntry::from_words(words).unwrap();
        assert_eq!((&*entry.name, &*entry.file), ("Model.forward", "/home/user/model.py"));
        let long = format!("/{}/käse/model.py", "ü".repeat(200));
        let entry = FunctionEntry::from_words(FunctionEntry::to_words(9, &"é".repeat(50), &long));
        let entry = entry.unwrap();
        assert_eq!(entry.name, "é".repeat(32));
        assert!(entry.file.starts_with('…') && entry.file.ends_with("/käse/model.py"));
        assert!(entry.file.len() <= FILE_BYTES);
        let mut torn = words;
        torn[5] ^= 1;
        assert_eq!(FunctionEntry::from_words(torn), None);
    }

    #[test]
    fn a_stack_comes_back_from_its_words_and_keeps_its_innermost_frames() {
        let frames = |count: usize| (1..=count).zip(7..);
        for count in [1, 2, 31, 32, 40] {
            let entry = StackEntry::new(frames(count), false);
            assert_eq!(StackEntry::from_words(entry.to_words(5)), Some(entry));
            let kept: Vec<_> = frames(count).take(STACK_FRAMES).collect();
            assert_eq!(entry.frames().collect::<Vec<_>>(), kept);
            assert_eq!(entry.is_cut, count > STACK_FRAMES);
        }
        let far = StackEntry::new([(3, MAX_LINE + 1)], true);
        assert_eq!(far.frames().collect::<Vec<_>>(), [(3, 0)]);
        let mut torn = far.to_words(5);
        torn[2] ^= 1 << 40;
        assert_eq!(StackEntry::from_words(torn), None);
    }
}
