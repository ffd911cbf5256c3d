//! The table of names: each text or call site has one entry, found by its key.

use std::sync::atomic::Ordering;

use ttmem_segment::NameSource;
use ttmem_segment::layout::{Counter, NAMES, Plan, Section};
use ttmem_segment::name::{KEY_WORD, NAME_BYTES, NameEntry};

use crate::recorder::Recorder;

/// Largest distance of a name from the entry that its key hashes to.
const PROBES: usize = 32;

/// Index of the name of a text; 0 if there is no room. Costs a hash of the text when the name is known.
pub(crate) fn intern(recorder: Recorder<'_>, source: NameSource, text: &[u8]) -> u16 {
    let text = &text[..text.len().min(NAME_BYTES)];
    let key = hash(text) ^ source as u64;
    match claim(recorder, key.max(1)) {
        Some((index, true)) => {
            put(recorder, index, source, 0, text);
            index
        }
        Some((index, false)) => index,
        None => 0,
    }
}

/// Index of the name of a call site, whose text follows later; 0 if there is no room.
pub(crate) fn reserve(recorder: Recorder<'_>, offset: u64) -> u16 {
    match claim(recorder, offset | 1 << 63) {
        Some((index, true)) => {
            put(recorder, index, NameSource::CallSite, offset, b"");
            index
        }
        Some((index, false)) => index,
        None => 0,
    }
}

/// Writes an entry that this thread has claimed.
pub(crate) fn put(
    recorder: Recorder<'_>,
    index: u16,
    source: NameSource,
    offset: u64,
    text: &[u8],
) {
    let first = entry_word(index);
    let key = recorder.words[first + KEY_WORD].load(Ordering::Relaxed);
    recorder.store(first, NameEntry::to_words(key, source, offset, text));
}

/// The entry with a key, and whether it is new: then the caller writes it.
fn claim(recorder: Recorder<'_>, key: u64) -> Option<(u16, bool)> {
    let start = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize;
    for probe in 0..PROBES {
        // Entry 0 means that there is no name.
        let index = 1 + (start + probe) % (NAMES - 1);
        let index = u16::try_from(index).ok()?;
        let word = &recorder.words[entry_word(index) + KEY_WORD];
        let held = match word.load(Ordering::Acquire) {
            0 => word
                .compare_exchange(0, key, Ordering::AcqRel, Ordering::Acquire)
                .unwrap_or_else(|held| held),
            held if held == key => return Some((index, false)),
            _ => continue,
        };
        match held {
            0 => return Some((index, true)),
            held if held == key => return Some((index, false)),
            _ => {}
        }
    }
    recorder.count(Counter::NamesDropped);
    None
}

fn entry_word(index: u16) -> usize {
    Plan::FIRST_NAME_WORD + usize::from(index) % NAMES * Section::Names.entry_words()
}

/// FNV-1a, for texts of some dozen bytes.
fn hash(text: &[u8]) -> u64 {
    text.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// True if the entry has a text already.
pub(crate) fn has_text(recorder: Recorder<'_>, index: u16) -> bool {
    let words = recorder.load(entry_word(index));
    NameEntry::from_words(words).is_some_and(|name| !name.text.is_empty())
}
