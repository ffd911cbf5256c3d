//! The words that a memory message cannot do without: a log is searched for them first, at the speed of memory.

use std::ops::Range;
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, Input, Span, packed};

/// Words, or parts of words, of messages that are known by their wording, and of texts that look like memory errors. A
/// line end may be in one of them, so that a message has at least two.
///
/// In groups: the vectorized searcher compares the words of a group where each of four bytes is like that byte of any of
/// them. A group whose first four bytes are few or rare announces few false starts. Eight words of a group are
/// the most that the searcher takes; the first word of all fills up groups. A common word is in one of them once, and
/// `is_likely` has what is around it in a message.
const STRONG: [&str; 16] = [
    "could only pin|f shards|for lock|for mutex|for trace region|local alloc|low on memory|switch sub",
    "=9/KILL|global|max_total_pin_size|overflowed by|overflows region|overlaps section|per-receiver page|worker_l1_size <=",
    "Failed pinning|Failed to pin|Killed|No core coordinate|page-rounded|potentially unsafe|water mark|zone full",
    " 137|(137|Statically|exists for core|exitcode|outside of logical_grid|state.offset <|tt_tlb_",
    " exhausted| pinned memory|MemoryError|MemoryView{|held by|memory allocation of|memory limit|memory_util",
    "NOC address|OOM killer|e TLB|not exceed core grid|not exceed number of|oom-kill|pin pages|too large for",
    "annot allocate|args targeting|compute worker grid|config buffer|fragment L1|nable to alloc|oom_kill|otal channel size",
    "SIGKILL|active IOMMU|active trace|ailed to allocate|alloc_stats|beyond max|circular buffer size|needs to store",
    "H2HSocket|Leg::create|NumHost|Reserved size must|reserve_l1_to_top|sending SIG|successfully initialized if|ysmem",
    "@@ -|DRAM downgrade|get_trace_buffers_size|of requested size|shard core|shard grid|shards along|shared memory",
    ":137|KMD lock|OUT OF MEM|TLB window|ot enough|ttnn-0.|ttnn==0.|ut of ",
    "bank exists|bank size|bank_manager.cpp|clash with|innedMemory has|inning pages|l L1 region|llocation failed",
    "RLIMIT_MEMLOCK|bad_alloc|driver allows|exceeds mem|num_compute_banks|reduce the size of|shm_open|slot c",
    "=137|Bounds-Error|IOMMU disabled|an address below|borrowed|downgrading to DRAM|equal to total|in region",
    "Trace buffer at|buffer region ends|due to memory|n't allocate|prefetcher command|put shard|trace buffers of|trace-region capacity",
    "emaphore|largest free|mirror alloc|mmap failed|nsufficient |pin_user_pages|ring is only|ugepage",
];

/// Words that only a line with a shortage makes interesting, in groups by their first two bytes.
const WEAK: [&str; 8] = [
    "OOM",
    "service-core",
    "DRISC",
    " CB ",
    "L1|l1_for_cb",
    "buffer bank",
    "ircular",
    "CBs |CB p|DFB",
];

/// Words of a shortage.
const SHORTAGE: &str = "\
    exceed|clash|need|requir|only|budget|fit|enough|overlap|past|greater than|larger than|too small|OOM|capacity|\
    pressure|downgrade|no room|overflow|vailable L1|insufficient|Insufficient|cannot place|cannot hold";

/// Bytes of the longest word.
pub(super) const LONGEST_WORD: usize = 32;

/// Bytes of a block, in which one kind of words is searched for after the other.
const BLOCK: usize = 16 << 10;

/// Words in one searcher: a vectorized one where the processor allows it.
#[derive(Debug)]
struct Words {
    words: Vec<&'static str>,
    searcher: Searcher,
}

#[derive(Debug)]
enum Searcher {
    Packed(packed::Searcher),
    Automaton(AhoCorasick),
}

impl Words {
    fn new(groups: &[&'static str]) -> Option<Self> {
        // The searcher puts each word of a row into the next group.
        let filler = groups.first()?.split('|').next()?;
        let mut groups: Vec<_> = groups.iter().map(|group| group.split('|')).collect();
        let mut words = Vec::new();
        loop {
            let row: Vec<_> = groups.iter_mut().map(Iterator::next).collect();
            if row.iter().all(Option::is_none) {
                break;
            }
            words.extend(row.iter().map(|word| word.unwrap_or(filler)));
        }
        let packed =
            packed::Config::new().heuristic_pattern_limits(false).builder().extend(&words).build();
        let searcher = match packed {
            Some(packed) => Searcher::Packed(packed),
            None => Searcher::Automaton(AhoCorasick::new(&words).ok()?),
        };
        Some(Self { words, searcher })
    }

    /// Finds the first word in a range, and its own range.
    fn find(&self, text: &[u8], range: Range<usize>) -> Option<(&'static str, Range<usize>)> {
        let span = Span::from(range);
        let found = match &self.searcher {
            Searcher::Packed(packed) => packed.find_in(text, span),
            Searcher::Automaton(automaton) => automaton.find(Input::new(text).span(span)),
        }?;
        Some((self.words[found.pattern().as_usize()], found.range()))
    }
}

/// The compiled words.
#[derive(Debug)]
pub(super) struct Anchors {
    strong: Words,
    weak: Words,
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
    /// Word of a message.
    Message,
    /// Beginning of a memory state that a compiler's runtime logged.
    MemoryView,
    /// Name of a release of ttnn.
    Version,
    /// Beginning of the header of a hunk of a diff.
    Hunk,
}

/// Bytes of a line that are examined on each side of a weak word.
const LINE_REACH: usize = 700;

impl Anchors {
    /// Returns the compiled words, which are compiled once.
    pub(super) fn get() -> Option<&'static Self> {
        static ANCHORS: OnceLock<Option<Anchors>> = OnceLock::new();
        ANCHORS.get_or_init(Self::build).as_ref()
    }

    fn build() -> Option<Self> {
        let (strong, weak) = (Words::new(&STRONG)?, Words::new(&WEAK)?);
        Some(Self { strong, weak, shortage: AhoCorasick::new(SHORTAGE.split('|')).ok()? })
    }

    /// Finds the first word from an offset on that ends before `end`.
    pub(super) fn next(&self, text: &[u8], from: usize, end: usize) -> Option<Hit> {
        let mut position = from;
        let mut harmless_until = from;
        while position < end {
            let block = end.min(position + BLOCK);
            let strong = self.next_strong(text, position..block);
            let until = strong.map_or(block, |hit| hit.start);
            let weak = self.next_weak(text, position..until, &mut harmless_until);
            if weak.or(strong).is_some() {
                return weak.or(strong);
            }
            if block == end {
                break;
            }
            // A word may be on both sides of the end.
            position = block - LONGEST_WORD;
        }
        None
    }

    fn next_strong(&self, text: &[u8], mut range: Range<usize>) -> Option<Hit> {
        loop {
            let (word, Range { start, end }) = self.strong.find(text, range.clone())?;
            let kind = match word {
                "MemoryView{" => HitKind::MemoryView,
                "ttnn-0." | "ttnn==0." => HitKind::Version,
                "@@ -" => HitKind::Hunk,
                _ => HitKind::Message,
            };
            if is_likely(text, start, word) {
                return Some(Hit { start, end, kind });
            }
            range.start = end;
        }
    }

    fn next_weak(
        &self,
        text: &[u8],
        mut range: Range<usize>,
        harmless_until: &mut usize,
    ) -> Option<Hit> {
        range.start = range.start.max(*harmless_until);
        while !range.is_empty() {
            let (_, Range { start, end }) = self.weak.find(text, range.clone())?;
            let line = line_around(text, start);
            if self.shortage.is_match(&text[line.clone()]) {
                return Some(Hit { start, end, kind: HitKind::Message });
            }
            *harmless_until = line.end;
            range.start = line.end.max(end);
        }
        None
    }
}

/// What may be used up, behind the word for it and before it.
const OUT_OF: [&[u8]; 6] = [b"Memory", b"memory", b"device", b"host", b"L1", b"DRAM"];
const INSUFFICIENT: [&[u8]; 3] = [b"space", b"mem", b"DRAM"];
const EXHAUSTED: [&[u8]; 4] = [b"memory", b"region", b"buffer", b"buffers"];

/// What a circular buffer is that is on another's memory.
const GLOBAL: [&[u8]; 3] = [b"ly alloc", b" cb ", b"_cb "];

/// What of a semaphore there is no more, behind the word for it and before it.
const SEMAPHORE: [&[u8]; 7] =
    [b" id", b" ID", b" slot", b"s in L1", b", but", b"s, but", b"s (both"];
const SEMAPHORES: [&[u8]; 4] = [b"of s", b"nitialize s", b"program s", b"f S"];

/// True if a word announces a message where it is: numbers and common words do so in few contexts.
fn is_likely(text: &[u8], at: usize, word: &str) -> bool {
    let before = &text[at.saturating_sub(24)..at];
    let after = &text[at..text.len().min(at + 40)];
    let has = |part: &[u8], wanted: &str| {
        part.windows(wanted.len()).any(|window| window == wanted.as_bytes())
    };
    match word {
        " 137" | ":137" | "=137" | "(137" => {
            ["xit", "status", "code", "Error"].iter().any(|word| has(before, word))
        }
        "ut of " => {
            OUT_OF.iter().any(|word| after["ut of ".len()..].starts_with(word))
                || before.ends_with(b"which is o") && has(after, "bounds")
        }
        "nsufficient " => {
            INSUFFICIENT.iter().any(|word| after["nsufficient ".len()..].starts_with(word))
        }
        "emaphore" => {
            let after = &after["emaphore".len()..];
            SEMAPHORE.iter().any(|word| after.starts_with(word))
                || SEMAPHORES.iter().any(|word| before.ends_with(word))
        }
        "global" => GLOBAL.iter().any(|word| after["global".len()..].starts_with(word)),
        " exhausted" => EXHAUSTED.iter().any(|word| before.ends_with(word)),
        "exitcode" => has(after, "9"),
        "in region" => has(after, "RISC") || has(after, "REGION_APP") || has(after, "DM"),
        _ => true,
    }
}

/// Range of the line around an offset, with two lines before and after it: a message may be wrapped.
fn line_around(text: &[u8], at: usize) -> Range<usize> {
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
    fn no_group_is_larger_than_the_searcher_takes() {
        for words in [Words::new(&STRONG).unwrap(), Words::new(&WEAK).unwrap()] {
            assert!(words.words.len() <= 128, "{} words", words.words.len());
        }
    }

    #[test]
    fn no_word_is_longer_than_the_longest() {
        let groups = STRONG.iter().chain(&WEAK);
        assert!(groups.flat_map(|group| group.split('|')).all(|word| word.len() <= LONGEST_WORD));
    }

    /// Places of a text at which a group of words has to be compared, by the halves of the first bytes.
    fn false_starts(text: &[u8], groups: &[&str], bytes: usize) -> usize {
        let begins = |group: &str, start: &[u8]| {
            start.iter().enumerate().all(|(index, byte)| {
                let own = group.split('|').map(|word| word.as_bytes()[index]);
                let (mut low, mut high) = (own.clone(), own);
                low.any(|own| own % 16 == byte % 16) && high.any(|own| own / 16 == byte / 16)
            })
        };
        let starts = text.windows(bytes);
        starts.map(|start| groups.iter().filter(|group| begins(group, start)).count()).sum()
    }

    #[test]
    fn few_false_starts_are_announced() {
        let page = include_bytes!("../../../../README.md");
        let line =
            b"| debug | Op | Launching device operation number 1: program hash 5, cache hit, \
            attributes (dtype=BFLOAT16, layout=TILE)";
        for text in [&page[..], line] {
            let strong = false_starts(text, &STRONG, 4) * 1000 / text.len();
            let weak = false_starts(text, &WEAK, 2) * 1000 / text.len();
            assert!(strong < 40 && weak < 20, "{strong} and {weak} in 1000 bytes");
        }
    }

    #[test]
    fn weak_words_need_a_shortage_nearby() {
        let anchors = Anchors::get().unwrap();
        let next = |text: &str| anchors.next(text.as_bytes(), 0, text.len()).map(|hit| hit.start);
        assert_eq!(next("moved to L1\n\n\nneeds nothing"), None);
        assert_eq!(next("needs more\nL1"), Some(11));
        assert_eq!(next("this needs more L1"), Some(16));
        assert_eq!(next("step 137 of 200"), None);
        assert_eq!(next("exit code 137"), Some(9));
    }
}
