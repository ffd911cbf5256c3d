//! Any bytes as facts from a server: `cargo +nightly fuzz run facts_frame`.
//!
//! Reading and merging them must not panic, and must not take memory that the bytes do not have.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ttmem_merge::merge;
use ttmem_model::Timestamp;
use ttmem_recording::wire::FactsReader;

fuzz_target!(|bytes: &[u8]| {
    // The first byte is the length of all facts; changes follow.
    let Some((length, rest)) = bytes.split_first() else { return };
    let (full, change) = rest.split_at(rest.len() * usize::from(*length) / 255);
    let mut reader = FactsReader::default();
    if reader.full(full).and_then(|()| reader.change(change)).is_err() {
        return;
    }
    // A change begins with its time, here of one byte.
    let time = Timestamp(change.first().copied().unwrap_or_default().into());
    if let Ok(Some(facts)) = reader.facts(time) {
        assert!(serde_json::to_string(&merge(&facts, None)).is_ok());
    }
});
