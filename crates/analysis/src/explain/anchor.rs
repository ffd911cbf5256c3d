//! The words that a memory message cannot do without: a log is searched for them first, at the speed of memory.

use std::ops::Range;
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, Input, Span, packed};
use ttmem_model::order;

/// Words, or parts of words, of messages that are known by their wording, and of texts that look like memory errors. A
/// line end may be in one of them, so that a message has at least two.
const STRONG: &str = "\
    ut of Memory|ut of memory|OUT OF MEM|ut of device|ut of host|ut of L1|ut of DRAM|nsufficient space|\
    nsufficient mem|nsufficient DRAM|nable to alloc|n't allocate|llocation failed|memory overflow|memory exhausted|\
    buffer exhausted|buffers exhausted|Not enough|not enough|bank size|largest free|an address below|Statically|\
    clash with|buffer region ends|too large for|config buffer|trace buffers of|for trace region|Trace buffer at|\
    water mark|active trace|potentially unsafe|globally allocated buffer|circular buffer size|borrowed|shard grid|\
    shard core|put shard|zone full|ring is only|reserve_l1_to_top|number of shards|equal to total|shards along|not exceed number of|not exceed core grid|\
    Bounds-Error|outside of logical_grid|No core coordinate|number of semaphores|semaphore ID|emaphore id|\
    Reserved size must|less than bank size|worker_l1_size <=|region exhausted|successfully initialized if|\
    which is out of bounds|compute worker grid|get_trace_buffers_size|state.offset <|num_compute_banks|\
    bank_manager.cpp|bank exists|exists for core|overflowed by|in region|overflows region|reduce the size of|overlaps section|local L1 region|\
    emaphores in L1|fragment L1|TLB window|available TLB|of requested size|the TLB|tt_tlb_alloc|NOC address|ysmem|\
    inning pages|pin pages|Failed to pin|Failed pinning|RLIMIT_MEMLOCK|KMD lock|held by|for lock|ugepage|NumHost|\
    OOMKilled|OOM Killed|OOM killer|oom-kill|oom_kill|SIGKILL|=9/KILL|memory allocation of|pin_user_pages|could only pin| 137|:137|=137|exitcode|Killed|bad_alloc|MemoryError|due to memory|low on memory|sending SIG|annot allocate|ailed to allocate|\
    otal channel size|Leg::create|H2HSocket|page-rounded|args targeting|prefetcher command|DRAM downgrade|downgrading to DRAM|\
    max_total_pin_size|driver allows|MemoryView{|ttnn-0.|ttnn==0.";

/// Words that only a line with a shortage makes interesting.
const WEAK: &str = "\
    L1|CBs | CB |CB p|DFB|DRISC|service-core|l1_for_cb|ircular|buffer bank|CircularBuffer|OOM";

/// Words of a shortage.
const SHORTAGE: &str = "\
    exceed|clash|need|requir|only|budget|fit|enough|overlap|past|greater than|larger than|too small|OOM|capacity|\
    pressure|downgrade|no room|overflow|vailable L1|insufficient|Insufficient|cannot place|cannot hold";

/// No word has more bytes.
pub(super) const LONGEST_WORD: usize = 32;

/// The text is searched in blocks of so many bytes, for one kind of words after the other.
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

/// The vectorized searcher puts each sixteenth word into one group, and compares what may begin as one of the group does.
const GROUPS: usize = 16;

impl Words {
    fn new(words: &'static str) -> Option<Self> {
        // Words of a group that begin alike announce few false starts.
        let mut sorted: Vec<&str> = words.split('|').collect();
        order::sort(&mut sorted);
        let rows = sorted.len().div_ceil(GROUPS);
        let last = sorted.last().copied()?;
        sorted.resize(rows * GROUPS, last);
        let words: Vec<&str> =
            (0..sorted.len()).map(|index| sorted[index % GROUPS * rows + index / GROUPS]).collect();
        let packed =
            packed::Config::new().heuristic_pattern_limits(false).builder().extend(&words).build();
        let searcher = match packed {
            Some(packed) => Searcher::Packed(packed),
            None => Searcher::Automaton(AhoCorasick::new(&words).ok()?),
        };
        Some(Self { words, searcher })
    }

    /// The first word in a range, and where it is.
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
        let (strong, weak) = (Words::new(STRONG)?, Words::new(WEAK)?);
        Some(Self { strong, weak, shortage: AhoCorasick::new(SHORTAGE.split('|')).ok()? })
    }

    /// The first word from an offset on that ends before `end`.
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

/// Numbers and common words announce a message in few contexts only.
fn is_likely(text: &[u8], at: usize, word: &str) -> bool {
    let before = &text[at.saturating_sub(24)..at];
    let after = &text[at..text.len().min(at + 40)];
    let has = |part: &[u8], wanted: &str| {
        part.windows(wanted.len()).any(|window| window == wanted.as_bytes())
    };
    match word {
        " 137" | ":137" | "=137" => {
            ["xit", "status", "code", "Error"].iter().any(|word| has(before, word))
        }
        "exitcode" => has(after, "9"),
        "in region" => has(after, "RISC") || has(after, "REGION_APP") || has(after, "DM"),
        _ => true,
    }
}

/// The line around an offset with two lines before and after it: a message may be wrapped.
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
    fn no_word_is_longer_than_the_longest() {
        assert!(STRONG.split('|').chain(WEAK.split('|')).all(|word| word.len() <= LONGEST_WORD));
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
