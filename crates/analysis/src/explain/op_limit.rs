//! Ops' own checks of L1, recognised by their form: a need and a limit, whatever the words around them.

mod shape;

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::form::Match;
use super::message::{Message, OpLimit};
use super::text::Joined;
use super::{number, pattern};
use shape::SHAPES;

/// The sentence has to name a memory of cores.
static MEMORY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern::compile(
        r"\bL1\b|\bL1_|l1_for_cb|\bCBs?\b|\bDFBs?\b|[Cc]ircular ?[Bb]uffer|[Dd]ataflow buffer|DRISC|service-core|ServiceCore|bank size|[Mm]emory map end|Ringbuffer|PrefetcherPipe|(?:out|in)put shard",
    )
});

/// Sentences about something else than memory that is missing.
static OTHER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern::compile(
        r"(?i-u)aligned to|\balignment|multiple of|divisible|memory[ _]layout|memory[ _]config|runtime-arg|semaphore ids?\b|program semaphores|uint(8|16|32)_t|page-count cap|Statically allocated|Not enough space|needs to store|but bank size is|bank size is only",
    )
});

/// Words of a warning: the op continues.
static WARNING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern::compile(
        r"DRAM downgrade|may regress|depth reduced|disabled|leaves only|[Ff]alling back",
    )
});

/// `known` of a check whose need and limit are both read.
pub(super) const COMPLETE: usize = 3;

/// A sentence is not longer.
const SENTENCE: usize = 900;

/// Finds such a check in one record of a log. The text before it may name the source file.
pub(super) fn find(joined: &Joined<'_>, record: std::ops::Range<usize>) -> Option<Match> {
    let text = joined.text.as_str();
    let end = record.end.min(record.start + SENTENCE);
    let sentence = &text[record.start..end];
    let is = |pattern: &LazyLock<Option<Regex>>| {
        pattern.as_ref().is_some_and(|pattern| pattern.is_match(sentence))
    };
    if !is(&MEMORY) || is(&OTHER) && !sentence.contains("L1 budget") {
        return None;
    }
    let (shape, captures) =
        SHAPES.iter().find_map(|shape| Some((shape, shape.captures(sentence)?)))?;
    let whole = captures.get(0)?;
    let lead = &sentence[..whole.start()];
    let op = op_name(&text[..record.start], lead, whole.as_str());
    let start = record.start
        + match (sentence_start(lead), op.as_ref().and_then(|(_, at)| *at)) {
            (Some(start), _) => start,
            (None, Some(named)) => named,
            (None, None) if joined.is_logged(record.start) => {
                lead.rfind(". ").map_or(0, |stop| stop + 2)
            }
            (None, None) => {
                let line = joined.line_start(record.start + whole.start());
                line.saturating_sub(record.start)
            }
        };
    let is_end = text[end..].trim().is_empty();
    let is_cut = |name: &str| {
        captures.name(name).is_some_and(|value| {
            let rest = &sentence[value.end()..];
            // A limit has seven digits, as the bytes of L1 have, or about as many as the need.
            let is_short = captures.name("need").is_some_and(|need| {
                name == "limit" && value.len() < 7 && value.len() + 1 < need.len()
            });
            rest.starts_with("...") || is_end && rest.trim().is_empty() && is_short
        })
    };
    let is_begun = |name: &str, begins_before: fn(&str) -> bool| {
        captures.name(name).is_some_and(|amount| begins_before(&sentence[..amount.start()]))
    };
    let starts_cut = [
        is_begun("need", begins_before) || is_begun("need", has_term) || is_begun("sum", has_term),
        is_begun("limit", begins_before),
    ];
    let need = need(&captures).filter(|_| !is_cut("need") && !starts_cut[0]);
    let limit = captures
        .name("limit")
        .filter(|_| !is_cut("limit") && !starts_cut[1])
        .and_then(|limit| number::read(limit.as_str()));
    let message = OpLimit {
        op: op.map(|(name, _)| name.replace("::", ".")),
        need,
        limit,
        is_warning: is(&WARNING),
        unit: shape.unit,
        cut: is_cut("need")
            || is_cut("limit")
            || starts_cut.contains(&true)
            || is_end && shape.is_cut(),
    };
    let digits = [message.need, message.limit].into_iter().flatten();
    let digits = digits.map(|number| number.to_string().len()).sum();
    let end = record.start + sentence_end(sentence, whole.end());
    Some(Match {
        known: 1 + usize::from(message.need.is_some()) + usize::from(message.limit.is_some()),
        message: Message::OpLimit(message),
        start,
        end,
        digits,
        is_front_cut: false,
    })
}

/// True if a number may begin before the text behind this: nothing is left of what was there, or it ends with digits, where a
/// terminal broke the line.
fn begins_before(text: &str) -> bool {
    let word = text.rsplit(' ').nth(1).filter(|_| text.ends_with(' ')).unwrap_or_default();
    let is_number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    text.trim().is_empty() || is_number
}

/// True if a text ends with the first terms of a sum, and the name of the next.
fn has_term(text: &str) -> bool {
    text.rfind('+').is_some_and(|plus| {
        text.len() < plus + 40
            && text[plus + 1..]
                .bytes()
                .all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b' ' | b'=' | b'_' | b'-'))
    })
}

/// The need of a check: a number, a sum, or a product.
fn need(captures: &Captures<'_>) -> Option<u64> {
    let value = |name: &str| captures.name(name).map(|value| number::read(value.as_str()));
    if let Some(sum) = captures.name("sum") {
        let amounts = AMOUNT.as_ref()?.captures_iter(sum.as_str());
        return amounts
            .map(|amount| number::read(amount.get(1)?.as_str()))
            .try_fold(0_u64, |sum, amount| sum.checked_add(amount?));
    }
    let mut need = value("need")??;
    for name in ["times", "twice"] {
        if let Some(factor) = value(name) {
            need = need.checked_mul(factor?)?;
        }
    }
    match value("plus") {
        Some(more) => need.checked_add(more?),
        None => Some(need),
    }
}

static AMOUNT: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern::compile(&format!(r"({}) ?(?:B|bytes)\b", number::PATTERN)));

/// Returns the start of the message, if it is after what TT-Metal puts before it.
fn sentence_start(before: &str) -> Option<usize> {
    ["TT_FATAL: ", "TT_THROW: ", "TT_ASSERT: ", "RuntimeError: ", "Error: ", "info: ", "what(): "]
        .iter()
        .filter_map(|mark| Some(before.rfind(mark)? + mark.len()))
        .max()
}

/// Returns the end of the message: before the position in TT-Metal's source, or at the next full stop.
fn sentence_end(sentence: &str, from: usize) -> usize {
    let rest = &sentence[from..];
    let stop =
        [" (assert.hpp", " backtrace:", ". "].iter().filter_map(|mark| rest.find(mark)).min();
    from + stop.unwrap_or_else(|| rest.trim_end().len()).min(240)
}

/// The op's name, and where in `lead` it is: the word before a colon, the folder of its source file in the text before,
/// or a word that only ops are called by. `lead` is the record up to the numbers.
fn op_name(before: &str, lead: &str, numbers: &str) -> Option<(String, Option<usize>)> {
    let patterns = OP_NAMES.as_ref()?;
    let within = |near: usize, pattern: &Regex, text: &str| {
        let from = text.len().saturating_sub(near);
        let words = pattern.captures_iter(&text[from..]).filter_map(|found| found.get(1));
        let word = words.filter(|word| !is_no_op(word.as_str())).last()?;
        Some((word.as_str().to_owned(), from + word.start()))
    };
    let last = |pattern: &Regex, text: &str| within(NEAR, pattern, text);
    let here = |found: Option<(String, usize)>| found.map(|(name, at)| (name, Some(at)));
    here(last(&patterns.compiled, &format!("{lead}{numbers}")))
        .or_else(|| here(last(&patterns.before_colon, lead)))
        .or_else(|| last(&patterns.folder, before).map(|(name, _)| (name, None)))
        .or_else(|| here(last(&patterns.camel_case, lead)))
        .or_else(|| here(last(&patterns.before_verb, &format!("{lead}{numbers}"))))
        .or_else(|| here(within(SENTENCE, &patterns.known, lead)))
        .map(|(name, at)| (name, at.filter(|at| *at < lead.len())))
}

/// An op is named at most so many bytes before its numbers, or before the message.
const NEAR: usize = 200;

/// True for words of logs that look like an op's name.
fn is_no_op(word: &str) -> bool {
    [
        "TT_",
        "Error",
        "Exception",
        "Worker",
        "Engine",
        "CircularBuffer",
        "DeviceOperation",
        "PrefetcherPipe",
    ]
    .iter()
    .any(|part| word.contains(part))
}

struct OpNames {
    compiled: Regex,
    before_colon: Regex,
    folder: Regex,
    camel_case: Regex,
    before_verb: Regex,
    known: Regex,
}

static OP_NAMES: LazyLock<Option<OpNames>> = LazyLock::new(|| {
    Some(OpNames {
        compiled: pattern::compile(r"(?:\bOperation |->)(ttnn\.\w{2,60})")?,
        before_colon: pattern::compile(
            r"\b(ttnn(?:\.|::)[a-z_][\w.:]{2,60}|[A-Za-z]\w{0,60}_\w{1,60}|[a-z]{3,30}\d[a-z]|[A-Z]\w{0,30}[A-Z]\w{1,40}): ",
        )?,
        folder: pattern::compile(r"operations/(?:\w+/)*?(\w+)/device/")?,
        camel_case: pattern::compile(r"\b([A-Z][a-z]+(?:[A-Z][a-z]+){1,3}(?:V\d)?)\b")?,
        before_verb: pattern::compile(r"\b([a-z]\w*_\w{2,60}) (?:needs|requires|delivers) ")?,
        known: pattern::compile(
            r"\b(SDPA|[Ee]mbedding|[Ll]ayer_?[Nn]orm|rms_?norm|conv[123]d|matmul|concat|untilize|tilize|reshape|softmax|spec_multi_pos\w*)\b",
        )?,
    })
});

#[cfg(test)]
mod tests {
    use super::super::text::{Broken, Lines};
    use super::*;

    fn of(text: &str) -> Option<(Option<u64>, Option<u64>)> {
        let lines = Lines::new(text.as_bytes());
        let joined = lines.join(Broken::Nowhere);
        match find(&joined, 0..joined.text.len())?.message {
            Message::OpLimit(limit) => Some((limit.need, limit.limit)),
            _ => None,
        }
    }

    #[test]
    fn every_pattern_compiles() {
        assert!(SHAPES.iter().all(|shape| shape.regex().is_some()));
        assert!(
            MEMORY.is_some()
                && OTHER.is_some()
                && WARNING.is_some()
                && OP_NAMES.is_some()
                && AMOUNT.is_some()
        );
    }

    #[test]
    fn needs_and_limits_are_told_apart_in_every_wording() {
        for (text, need, limit) in [
            (
                "LayerNorm streaming circular buffers require 900 bytes, but only 500 bytes of the allocator's L1 span are available",
                900,
                500,
            ),
            (
                "Exp ring joint SDPA CBs need 900 B but only 500 B of L1 are usable at this chunk shape (q_chunk=1, k_chunk=2)",
                900,
                500,
            ),
            (
                "conv3d: the static circular buffers need 900 B at out_subblock_h=3 (M_t=4, K_t=5) but only 500 B of L1 lie above",
                900,
                500,
            ),
            ("moe_fused_swiglu: needs 900 bytes of CB L1 but budget is 500 (x)", 900, 500),
            (
                "ttnn.concat: double-buffered tile-height chunk (2 x 3 x 150 = 900 B) exceeds L1 capacity (500 B)",
                900,
                500,
            ),
            (
                "ttnn.pad: padded row of 900 B does not fit in the per-core L1 budget (500 B)",
                900,
                500,
            ),
            (
                "ttnn.split: L1 budget exceeded (need ~900 B, have 500 B for 3 chunks); DRAM downgrade.",
                900,
                500,
            ),
            ("scratch=400 B + CBs=500 B exceed L1 budget (500 B)", 900, 500),
            (
                "H2DStreamService: data CB 300 B + metadata CB 200 B + scratch reserve 400 B exceeds service-core free L1 500 B",
                900,
                500,
            ),
            (
                "RM reshape dest staging does not fit in L1: need at least 400 B dest + 500 B source, have 500 B",
                900,
                500,
            ),
            (
                "non_zero_indices: indices staging buffer requires 900 L1 bytes but per-core L1 is 500 bytes; maximum supported volume is ~9 elements",
                900,
                500,
            ),
            (
                "the in half's circular buffers need 900 bytes of the shared L1 arena but a core owns only 500; either half",
                900,
                500,
            ),
            (
                "enable_secondary_dm was requested but the dataflow buffers need 900 B of the 500 B available in L1",
                900,
                500,
            ),
            (
                "Not enough L1 for even a single CB page: aligned_input_stick_nbytes=900 exceeds l1_for_cb=500",
                900,
                500,
            ),
            (
                "DFB 7: ring size (900 bytes) exceeds Tensix unreserved L1 size (500 bytes); reduce capacity",
                900,
                500,
            ),
            (
                "attn_res_gather_softmax needs 900 B of L1 per core at Wt 9 but the core has 500 B",
                900,
                500,
            ),
            (
                "Workload of Tiles 3 at Tile Size 150 (times 2 for output) exceeds L1 capacity 500",
                900,
                500,
            ),
        ] {
            assert_eq!(of(text), Some((Some(need), Some(limit))), "{text}");
        }
        assert_eq!(
            of(
                "Typecast requires sharded input page size (900 bytes) to be aligned to L1 (500 bytes)"
            ),
            None
        );
        assert_eq!(
            of(
                "CircularBuffer depth reduced due to L1 pressure (only 500 B available), performance may regress."
            ),
            Some((None, Some(500)))
        );
    }

    #[test]
    fn addresses_are_compared_with_the_end_of_l1() {
        for (text, need, limit) in [
            (
                "All-to-all fabric mux requires L1 through address 0x17e000, but each Tensix core has only 0x16e000 bytes",
                0x17e000,
                0x16e000,
            ),
            (
                "DPRINT dispatch L1 region (l1_cache 500 bytes after dispatch_s end 1459617) exceeds L1 size 1459700",
                1_460_117,
                1_459_700,
            ),
        ] {
            assert_eq!(of(text), Some((Some(need), Some(limit))), "{text}");
        }
    }

    #[test]
    fn numbers_that_count_something_else_are_no_bytes() {
        for text in [
            "DFB count 40 exceeds maximum 32",
            "DFB 3: capacity 70000 exceeds the maximum 65535 (HW BUFFER_CAPACITY is 16 bits); reduce num_entries.",
            "Output circular buffer index 40 exceeds maximum value 31",
            "Interm circular buffer index 40 exceeds maximum value 31",
            "Buffer index (33) exceeds max number of circular buffers per core (32)",
            "DFB 1: producer signal bit 12 exceeds MAX_PRODUCERS_PER_DFB 8 (signal region stride; DM0/DM1 reserved)",
            "DFB 1: stride (300) exceeds on-disk field width max 255 (8 bits)",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
