//! Any bytes as an answer of a simulation server: `cargo +nightly fuzz run simulator_frame`.
//!
//! The reader must neither panic nor believe in a chip that cannot be.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ttmem_sources::port::simulator::understand;

fuzz_target!(|answer: &[u8]| {
    let (_is_read, chip) = understand(answer);
    let Some(chip) = chip else { return };
    assert!(!chip.cores.is_empty() && chip.cores.len() <= 1024);
    assert!(chip.l1_bytes <= 1 << 21);
});
