//! The part of the header that never changes.

use super::entry::{checksum, pair};
use super::layout::{HEADER_BYTES, MAGIC, MAJOR, MINOR, Plan, Section, WORD_BYTES, fixed};

/// The facts that the writer has when it creates a segment.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadFacts<'text> {
    /// Process id in the owner's own namespace.
    pub pid: u32,
    /// Start time of the process in clock ticks since boot.
    pub start_ticks: u64,
    /// Nanoseconds since 1970.
    pub real_time: u64,
    /// Monotonic nanoseconds at the same moment.
    pub monotonic_time: u64,
    /// GNU build id of TT-Metal's library; at most 32 bytes are kept.
    pub build_id: &'text [u8],
    /// TT-Metal's version; at most 32 bytes are kept.
    pub tt_metal_version: &'text str,
    /// The agent's version; at most 16 bytes are kept.
    pub agent_version: &'text str,
}

impl HeadFacts<'_> {
    /// The words of the fixed header. The first one makes the segment valid and is to be written last.
    #[must_use]
    pub fn to_words(&self, plan: &Plan) -> [u64; fixed::WORDS] {
        let mut words = [0; fixed::WORDS];
        words[fixed::MAGIC] = u64::from_le_bytes(MAGIC);
        words[fixed::VERSION] =
            pair(u32::from(MAJOR) | u32::from(MINOR) << 16, count(HEADER_BYTES));
        words[fixed::SEGMENT_BYTES] = plan.segment_bytes as u64;
        words[fixed::PID] = u64::from(self.pid);
        words[fixed::START_TICKS] = self.start_ticks;
        words[fixed::REAL_TIME] = self.real_time;
        words[fixed::MONOTONIC_TIME] = self.monotonic_time;
        words[fixed::BUILD_ID_BYTES] = self.build_id.len().min(32) as u64;
        put_bytes(&mut words[fixed::BUILD_ID..fixed::TT_METAL_VERSION], self.build_id);
        put_bytes(
            &mut words[fixed::TT_METAL_VERSION..fixed::AGENT_VERSION],
            self.tt_metal_version.as_bytes(),
        );
        put_bytes(&mut words[fixed::AGENT_VERSION..fixed::SECTIONS], self.agent_version.as_bytes());
        for section in Section::ALL {
            let table = plan.table(section);
            let index = section.header_word();
            words[index] = (table.first_word * WORD_BYTES) as u64;
            words[index + 1] = pair(count(table.entry_words * WORD_BYTES), count(table.entries));
        }
        words[fixed::CHECKSUM] = u64::from(checksum(&words[1..fixed::CHECKSUM]));
        let programs = &words[fixed::PROGRAM_SECTIONS..fixed::PROGRAM_CHECKSUM];
        words[fixed::PROGRAM_CHECKSUM] = u64::from(checksum(programs));
        let stacks = &words[fixed::STACK_SECTIONS..fixed::STACK_CHECKSUM];
        words[fixed::STACK_CHECKSUM] = u64::from(checksum(stacks));
        let shapes = &words[fixed::SHAPE_SECTION..fixed::SHAPE_CHECKSUM];
        words[fixed::SHAPE_CHECKSUM] = u64::from(checksum(shapes));
        words
    }
}

/// A number of bytes or entries, which is below [`super::layout::MAX_SEGMENT_BYTES`].
fn count(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Puts bytes into words, as many as fit.
fn put_bytes(words: &mut [u64], bytes: &[u8]) {
    for (word, bytes) in words.iter_mut().zip(bytes.chunks(WORD_BYTES)) {
        let mut padded = [0; WORD_BYTES];
        padded[..bytes.len()].copy_from_slice(bytes);
        *word = u64::from_le_bytes(padded);
    }
}
