//! Any text as a log for `ttmem explain`: `cargo +nightly fuzz run explain`.
//!
//! The first byte is the size of the pieces in which the log is read, in units of 64 bytes.

#![no_main]

use std::io::{Cursor, Read};

use libfuzzer_sys::fuzz_target;
use ttmem_analysis::explain::input::Input;
use ttmem_analysis::explain::{Findings, text_of};

/// A reader that returns few bytes at a time.
struct Pieces(Cursor<Vec<u8>>, usize);

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = buffer.len().min(self.1);
        self.0.read(&mut buffer[..length])
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((size, log)) = data.split_first() else { return };
    let pieces = Pieces(Cursor::new(log.to_vec()), 64 * (1 + usize::from(*size)));
    let findings = Findings::of(vec![Input::new("fuzz", Box::new(pieces))], None).expect("memory can be read");
    assert!(!findings.render(80, true).contains('\u{1b}'));
    serde_json::to_string(&findings).expect("plain data");
    assert!(text_of(log).len() >= log.len() / 4);
});
