//! Names of ops: short texts in entries of fixed size, found by a key.

use super::entry::checksum;
use super::layout::{NAME_WORDS, WORD_BYTES};
use super::vocabulary::NameSource;

/// Bytes of the longest name. A longer one is cut.
pub const NAME_BYTES: usize = 160;

/// Word of the entry that claims it: a hash of the text or of the call site, never 0.
pub const KEY_WORD: usize = 0;
/// Word of the entry that is written last.
pub(crate) const CHECKSUM_WORD: usize = NAME_WORDS - 1;

const HEAD_WORD: usize = 1;
const OFFSET_WORD: usize = 2;
const TEXT_WORD: usize = 3;

/// Ends of the names of types by which a release of TT-Metal knows an op. Others have a part of them, or none.
const TYPE_ENDS: [&str; 5] =
    ["DeviceOperation", "OperationAttributes", "CodegenOperation", "Operation", "Codegen"];

/// The entry of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameEntry {
    /// The kind of the entry's owner.
    pub(crate) key: u64,
    /// Origin of the name.
    pub(crate) source: NameSource,
    /// Offset of a call site in its module; 0 for other names.
    pub(crate) offset: u64,
    /// The name. Empty as long as a call site is not resolved.
    pub text: String,
}

impl NameEntry {
    /// Returns the entry as words of the file. `text` is cut at a character's end.
    #[must_use]
    pub fn to_words(key: u64, source: NameSource, offset: u64, text: &[u8]) -> [u64; NAME_WORDS] {
        let length = text.len().min(NAME_BYTES);
        let mut words = [0; NAME_WORDS];
        words[KEY_WORD] = key;
        words[HEAD_WORD] = source as u64 | (length as u64) << 8;
        words[OFFSET_WORD] = offset;
        for (word, bytes) in words[TEXT_WORD..].iter_mut().zip(text[..length].chunks(WORD_BYTES)) {
            let mut padded = [0; WORD_BYTES];
            padded[..bytes.len()].copy_from_slice(bytes);
            *word = u64::from_le_bytes(padded);
        }
        words[CHECKSUM_WORD] = u64::from(checksum(&words[..CHECKSUM_WORD]));
        words
    }

    /// The name of the op, equal in every release of TT-Metal: `Matmul` of `MatmulDeviceOperation`. A label stays as it is.
    #[must_use]
    pub(crate) fn op(&self) -> &str {
        let mut name = &*self.text;
        if self.source != NameSource::Label {
            for end in TYPE_ENDS {
                let short = name.strip_suffix(end);
                name = short.filter(|short| short.ends_with(char::is_alphanumeric)).unwrap_or(name);
            }
        }
        name
    }

    /// Decodes the entry from its words; `None` if the checksum does not match. Invalid UTF-8 is
    /// replaced.
    #[must_use]
    pub fn from_words(words: [u64; NAME_WORDS]) -> Option<Self> {
        if u64::from(checksum(&words[..CHECKSUM_WORD])) != words[CHECKSUM_WORD] {
            return None;
        }
        let source = NameSource::from_number((words[HEAD_WORD] & 0xff) as u8)?;
        let length = ((words[HEAD_WORD] >> 8) & 0xff) as usize;
        let bytes: Vec<u8> =
            words[TEXT_WORD..CHECKSUM_WORD].iter().flat_map(|word| word.to_le_bytes()).collect();
        let text = String::from_utf8_lossy(&bytes[..length.min(NAME_BYTES)]);
        let text = text.trim_end_matches('\u{fffd}').replace(char::is_control, "\u{fffd}");
        Some(Self { key: words[KEY_WORD], source, offset: words[OFFSET_WORD], text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_op_has_one_name_in_every_release() {
        let op = |text: &str, source| {
            let words = NameEntry::to_words(9, source, 0, text.as_bytes());
            NameEntry::from_words(words).unwrap().op().to_owned()
        };
        for (text, name) in [
            ("MatmulDeviceOperation", "Matmul"),
            ("Matmul", "Matmul"),
            ("CloneOperation", "Clone"),
            ("UntilizeCodegenOperationAttributes", "Untilize"),
            ("program_cache: MatmulDeviceOperation", "program_cache: Matmul"),
            ("ttnn.gelu", "ttnn.gelu"),
            ("my::Operation", "my::Operation"),
            ("", ""),
        ] {
            assert_eq!(op(text, NameSource::CallSite), name, "{text}");
        }
        assert_eq!(op("MyOperation", NameSource::Label), "MyOperation");
    }
}
