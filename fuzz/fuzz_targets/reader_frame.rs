//! Any bytes as frames between ttmem and its reader processes: `cargo +nightly fuzz run reader_frame`.
//!
//! Neither side may panic, and no frame may be understood that is longer than the bytes that came.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ttmem_root::batch::understand;

fuzz_target!(|bytes: &[u8]| {
    // A frame has a length of four bytes and may be understood as a request and as an answer.
    assert!(understand(bytes) <= 2 * (bytes.len() / 4));
});
