//! The words that a memory message cannot do without: a log is searched for them first, at the speed of memory.

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, Input};

/// Words, or parts of words, of messages that are known by their wording, and of texts that look like memory errors. A
/// line end may be in one of them, so that a message has at least two.
const STRONG: &[&str] = &[
    "ut of Memory",
    "ut of memory",
    "Not enough",
    "not enough",
    "bank size",
    "largest free",
    "an address below",
    "Statically",
    "clash with",
    "buffer region ends",
    "too large for",
    "config buffer",
    "trace buffers of",
    "for trace region",
    "Trace buffer at",
    "water mark",
    "active trace",
    "potentially unsafe",
    "globally allocated buffer",
    "circular buffer size",
    "borrowed",
    "shard grid",
    "shard core",
    "number of shards",
    "equal to total",
    "shards along",
    "not exceed number of",
    "not exceed core grid",
    "Bounds-Error",
    "outside of logical_grid",
    "No core coordinate",
    "number of semaphores",
    "semaphore ID",
    "emaphore id",
    "Reserved size must",
    "less than bank size",
    "worker_l1_size <=",
    "region exhausted",
    "successfully initialized if",
    "which is out of bounds",
    "compute worker grid",
    "get_trace_buffers_size",
    "state.offset <",
    "num_compute_banks",
    "bank_manager.cpp",
    "bank exists",
    "exists for core",
    "overflowed by",
    "in region",
    "overlaps section",
    "local L1 region",
    "emaphores in L1",
    "fragment L1",
    "TLB window",
    "available TLB",
    "of requested size",
    "the TLB",
    "tt_tlb_alloc",
    "NOC address",
    "ysmem",
    "inning pages",
    "pin pages",
    "Failed to pin",
    "Failed pinning",
    "RLIMIT_MEMLOCK",
    "KMD lock",
    "held by",
    "for lock",
    "ugepage",
    "NumHost",
    "OOMKilled",
    "oom-kill",
    "SIGKILL",
    "137",
    "exitcode",
    "Killed",
    "bad_alloc",
    "annot allocate",
    "ailed to allocate",
    "MemoryView{",
    "ttnn-0.",
    "ttnn==0.",
];

/// Words that only a line with a shortage makes interesting.
const WEAK: &[&str] = &[
    "L1",
    "CBs ",
    " CB ",
    "CB p",
    "DFB",
    "DRISC",
    "service-core",
    "l1_for_cb",
    "ircular",
    "buffer bank",
    "CircularBuffer",
];

/// Words of a shortage.
const SHORTAGE: &[&str] = &[
    "exceed",
    "clash",
    "need",
    "requir",
    "only",
    "budget",
    "fit",
    "enough",
    "overlap",
    "past",
    "greater than",
    "larger than",
    "too small",
    "OOM",
    "capacity",
    "pressure",
    "downgrade",
    "no room",
    "overflow",
    "vailable L1",
    "insufficient",
    "Insufficient",
    "cannot place",
    "cannot hold",
];

/// No word has more bytes.
pub(super) const LONGEST_WORD: usize = 32;

/// The compiled words.
#[derive(Debug)]
pub(super) struct Anchors {
    words: AhoCorasick,
    shortage: AhoCorasick,
}

/// One word in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: HitKind,
}

/// The kind of a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HitKind {
    /// A message.
    Message,
    /// A memory state of the compilers' runtime.
    MemoryView,
    /// The version of ttnn.
    Version,
}

/// A line is examined this far to both sides of a weak word.
const LINE_REACH: usize = 700;

impl Anchors {
    /// The one table.
    pub(super) fn get() -> Option<&'static Self> {
        static ANCHORS: OnceLock<Option<Anchors>> = OnceLock::new();
        ANCHORS.get_or_init(Self::build).as_ref()
    }

    fn build() -> Option<Self> {
        let words = AhoCorasick::new(STRONG.iter().chain(WEAK)).ok()?;
        Some(Self { words, shortage: AhoCorasick::new(SHORTAGE).ok()? })
    }

    /// The first word from an offset on that ends before `end`.
    pub(super) fn next(&self, text: &[u8], from: usize, end: usize) -> Option<Hit> {
        let mut position = from;
        let mut harmless_until = from;
        while position < end {
            let found = self.words.find(Input::new(text).span(position..end))?;
            let word = found.pattern().as_usize();
            if word < STRONG.len() {
                let kind = match STRONG[word] {
                    "MemoryView{" => HitKind::MemoryView,
                    "ttnn-0." | "ttnn==0." => HitKind::Version,
                    "137" | "exitcode" | "Killed" | "in region"
                        if !is_likely(text, found.start(), STRONG[word]) =>
                    {
                        position = found.end();
                        continue;
                    }
                    _ => HitKind::Message,
                };
                return Some(Hit { start: found.start(), end: found.end(), kind });
            }
            position = found.end();
            if found.start() < harmless_until {
                continue;
            }
            let line = line_around(text, found.start());
            if self.shortage.is_match(&text[line.clone()]) {
                return Some(Hit {
                    start: found.start(),
                    end: found.end(),
                    kind: HitKind::Message,
                });
            }
            harmless_until = line.end;
        }
        None
    }
}

/// Numbers and common words announce a message in few contexts only.
fn is_likely(text: &[u8], at: usize, word: &str) -> bool {
    let before = &text[at.saturating_sub(24)..at];
    let after = &text[at..text.len().min(at + 40)];
    let has = |part: &[u8], wanted: &str| {
        part.windows(wanted.len()).any(|window| window == wanted.as_bytes())
    };
    match word {
        "137" => has(before, "xit") || has(before, "status") || has(before, "code"),
        "exitcode" => has(after, "9"),
        "Killed" => true,
        _ => has(after, "RISC") || has(after, "REGION_APP") || has(after, "DM"),
    }
}

/// The line around an offset with two lines before and after it: a message may be wrapped.
fn line_around(text: &[u8], at: usize) -> std::ops::Range<usize> {
    let low = at.saturating_sub(LINE_REACH);
    let high = text.len().min(at + LINE_REACH);
    let start = memchr::memrchr_iter(b'\n', &text[low..at]).nth(2);
    let end = memchr::memchr_iter(b'\n', &text[at..high]).nth(2);
    start.map_or(low, |offset| low + offset + 1)..end.map_or(high, |offset| at + offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_is_longer_than_the_longest() {
        assert!(STRONG.iter().chain(WEAK).all(|word| word.len() <= LONGEST_WORD));
    }

    #[test]
    fn weak_words_need_a_shortage_nearby() {
        let anchors = Anchors::get().unwrap();
        let next = |text: &str| anchors.next(text.as_bytes(), 0, text.len()).map(|hit| hit.start);
        assert_eq!(next("moved to L1\n\n\nneeds nothing"), None);
        assert_eq!(next("needs more\nL1"), Some(11));
        assert_eq!(next("this needs more L1"), Some(16));
        assert_eq!(next("step 137 of 200"), None);
        assert_eq!(next("exit code 137"), Some(10));
    }
}
