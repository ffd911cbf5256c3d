//! Any bytes as a recording: the reader must not panic, must not take memory that they do not have, and what it gives
//! must serialize. With sealed checksums, so that the fuzzer gets past them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ttmem_model::Timestamp;
use ttmem_recording::{Recording, unsealed, unsealed_part};

fn look(bytes: Vec<u8>) {
    let Ok(mut recording) = Recording::open(bytes) else { return };
    drop(recording.events());
    for attached in recording.attachments().iter().take(4) {
        if let Ok(bytes) = recording.attachment(attached) {
            drop(ttmem_segment::Reader::parse(&bytes));
        }
    }
    for number in 0..recording.len().min(4) {
        if let Ok(Some(moment)) = recording.moment(number) {
            assert!(serde_json::to_string(&moment).is_ok());
            drop(moment.snapshot());
        }
    }
    drop(recording.at(Timestamp(u64::MAX)));
}

fuzz_target!(|bytes: &[u8]| {
    look(bytes.to_vec());
    // The content of one block, without frame and compression.
    look(unsealed(bytes));
    look(unsealed_part(bytes));
});
