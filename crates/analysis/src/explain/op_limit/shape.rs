//! The forms in which ops word their checks.

use std::sync::OnceLock;

use regex::{Captures, Regex};

use crate::explain::message::OpUnit;
use crate::explain::{number, pattern};

/// A form of such a check. `need`, `plus`, `times` and `limit` are its numbers.
pub(super) struct Shape {
    pub(super) unit: OpUnit,
    /// Texts of which one is in every such sentence, divided by bars, for a fast check.
    keys: &'static str,
    pattern: &'static str,
    compiled: OnceLock<Option<Regex>>,
}

impl Shape {
    const fn new(unit: OpUnit, keys: &'static str, pattern: &'static str) -> Self {
        Self { unit, keys, pattern, compiled: OnceLock::new() }
    }

    pub(super) fn regex(&self) -> Option<&Regex> {
        let compile = || {
            let text = self.pattern.replace("NUM", number::PATTERN);
            pattern::compile(&text.replace("UNIT", r" ?(?:B|[Bb]ytes)\b"))
        };
        self.compiled.get_or_init(compile).as_ref()
    }

    /// True for the form of a sentence that ends within its limit.
    pub(super) fn is_cut(&self) -> bool {
        self.pattern.ends_with(r"\d+$")
    }

    pub(super) fn captures<'t>(&self, sentence: &'t str) -> Option<Captures<'t>> {
        let may_fit = self.keys.split('|').any(|key| sentence.contains(key));
        if may_fit { self.regex()?.captures(sentence) } else { None }
    }
}

/// Every shape; the first that fits counts.
pub(super) static SHAPES: [Shape; 35] = [
    Shape::new(
        OpUnit::Bytes,
        "ring is only",
        r"(?P<need>NUM)UNIT \(NUM tiles .{0,60}?ring is only (?P<limit>NUM)UNIT",
    ),
    // Rows of a shard: what is missing is a larger shard.
    Shape::new(
        OpUnit::Shard,
        " rows of ",
        r"(?P<need>NUM) rows of (?P<times>NUM)UNIT (?:do not|does not|cannot|will not) fit in(?:to)? (?:the|a|its) (?P<limit>NUM)UNIT (?:output |input )?shard",
    ),
    Shape::new(
        OpUnit::Addresses,
        "but the global",
        r"needs? NUMUNIT,? \(?end(?:s|ing) at (?P<need>NUM)\)?,? but the global.semaphores?(?: region)? starts? at (?P<limit>NUM)",
    ),
    Shape::new(
        OpUnit::Addresses,
        "L1 through address",
        r"requires L1 through address (?P<need>NUM), but each \w+ core has only (?P<limit>NUM)UNIT",
    ),
    Shape::new(
        OpUnit::Addresses,
        "after dispatch_s end",
        r"l1_cache (?P<plus>NUM)UNIT after dispatch_s end (?P<need>NUM)\) exceeds L1 size (?P<limit>NUM)\b",
    ),
    Shape::new(
        OpUnit::Addresses,
        "lowest occupied address",
        r"base (?:allocator )?address (?P<need>NUM) >= lowest occupied address (?P<limit>NUM)",
    ),
    Shape::new(
        OpUnit::Addresses,
        "emory map end address",
        r"[Mm]emory map end address:? (?P<need>NUM) (?:is greater than|exceeds) (?:allocated |usable )?(?:worker )?L1 end address:? (?P<limit>NUM)",
    ),
    Shape::new(
        OpUnit::Addresses,
        "extends past L1 end",
        r"\((?:start: NUM, end: )?(?P<need>NUM)\) extends past L1 end \(size:? (?P<limit>NUM)\)",
    ),
    Shape::new(
        OpUnit::Addresses,
        "must exceed base",
        r"L1 ceiling \((?P<limit>NUM)\) must exceed base \((?P<need>NUM)\)",
    ),
    Shape::new(
        OpUnit::Addresses,
        "overlaps with L1 tensor",
        r"end=(?P<need>NUM)\] overlaps with L1 tensor (?P<limit>NUM)",
    ),
    Shape::new(
        OpUnit::Addresses,
        "overlaps an existing L1",
        r"L1 region \[NUM, ?(?P<need>NUM)\) overlaps an existing L1 allocation at (?P<limit>NUM)",
    ),
    Shape::new(
        OpUnit::Bytes,
        " plus ",
        r"needs? (?P<need>NUM) x (?P<times>NUM)UNIT plus (?P<plus>NUM)UNIT .{0,40}?, in (?P<limit>NUM)UNIT",
    ),
    Shape::new(
        OpUnit::Bytes,
        "at Tile Size",
        r"Tiles (?P<need>NUM) at Tile Size (?P<times>NUM) \(times (?P<twice>NUM) for output\) exceeds L1 capacity (?P<limit>NUM)",
    ),
    Shape::new(
        OpUnit::Bytes,
        "totalL1Usage",
        r"totalL1Usage: (?P<need>NUM) .{0,160}?limit: (?P<limit>NUM)",
    ),
    Shape::new(
        OpUnit::Bytes,
        "l1Usage",
        r"Not enough L1 memory\. .{0,700}?\bl1Usage: (?P<need>NUM)",
    ),
    Shape::new(OpUnit::Bytes, "too small", r"L1 budget (?P<limit>NUM)UNIT too small"),
    Shape::new(
        OpUnit::Bytes,
        "cannot hold the",
        r"(?P<limit>NUM)UNIT of L1 .{0,60}?cannot hold the (?P<need>NUM)UNIT",
    ),
    Shape::new(
        OpUnit::Bytes,
        "minimum estimated CB size",
        r"L1 budget NUM%: (?P<limit>NUM)UNIT; minimum estimated CB size(?: \([^)]{0,40}\))?: (?P<need>NUM)UNIT",
    ),
    Shape::new(
        OpUnit::Bytes,
        "require|need|take|use",
        r"(?:requires?|needs?|needed|takes?|uses?)(?: at least| about| roughly)?:? ~?(?P<need>NUM) ?(?:L1 |CB )?(?:B|[Bb]ytes)\b(?: \w{1,12})?(?: ?\+ (?P<plus>NUM)UNIT(?: \w{1,12})?)?.{0,200}?(?:but only|, only|; only|owns only|only|but budget is|budget(?: is)?|have|core has|core L1 is|bank size is|capacity(?: is)?|limit(?: is)?|available(?: is)?:?|of the|but there (?:is|are)|but got|in) ~?\(?(?P<limit>NUM)UNIT",
    ),
    Shape::new(
        OpUnit::Bytes,
        "require|need",
        r"(?:requires?|needs?) ~?(?P<need>NUM) ?(?:L1 |CB )?(?:B|[Bb]ytes)\b.{0,120}?(?:budget is|budget|limit is|limit|capacity is|L1 is|only) ~?\(?(?P<limit>NUM)\b",
    ),
    Shape::new(
        OpUnit::Bytes,
        " exceed",
        r"(?P<sum>(?:[A-Za-z][\w -]{0,30}[ =]NUMUNIT ?\+ ){1,4}[A-Za-z][\w -]{0,30}[ =]NUMUNIT) exceeds? .{0,60}?(?P<limit>NUM)UNIT",
    ),
    Shape::new(
        OpUnit::Bytes,
        " exceed| fit| than| beyond|overflow",
        r"(?P<need>NUM)(?:UNIT)?\)?(?: for NUM tiles\))? (?:exceeds?|would not fit|does not fit|do not fit|won't fit|cannot fit|can't fit|(?:which )?is (?:greater|larger|more) than|(?:which )?is beyond|overflows?)(?: (?:in|into|on))?(?: [\w.'-]+){0,9}?:?[ =]\(?(?P<limit>NUM)UNIT",
    ),
    Shape::new(
        OpUnit::Bytes,
        "minimum_bytes=",
        r"minimum_bytes=(?P<need>NUM), budget=(?P<limit>NUM)",
    ),
    Shape::new(OpUnit::Bytes, " exceeds ", r"=(?P<need>NUM) exceeds (?:\w+)=(?P<limit>NUM)"),
    Shape::new(
        OpUnit::Bytes,
        " exceed| than",
        r"(?P<need>NUM)\)? (?:exceeds?|is (?:greater|larger) than)(?: [\w.'-]+){0,6}? \w*(?:L1|[Ss]ize|[Bb]ytes|[Bb]udget|[Ss]pace|[Mm]emory|[Aa]vailable|[Ll]imit|[Cc]apacity)\w*(?: \w+)?:? \(?(?P<limit>NUM)\b",
    ),
    Shape::new(
        OpUnit::Bytes,
        " fit ",
        r"(?:can ?not|does not|do not|would not) fit .{0,140}?(?P<need>NUM)UNIT\)? in(?:to)? .{0,60}?\(?(?P<limit>NUM)UNIT",
    ),
    Shape::new(
        OpUnit::Bytes,
        ") too small for ",
        r"\((?P<limit>NUM)UNIT\) too small for [^.;(]{0,60}(?:\((?P<need>NUM)UNIT\))?",
    ),
    Shape::new(
        OpUnit::Bytes,
        "config tensor page size",
        r"page size (?P<limit>NUM) should be greater than the config tensor page size (?P<need>NUM)",
    ),
    Shape::new(OpUnit::Bytes, " leaves only ", r"(?P<need>NUM)UNIT leaves only NUM CB slot"),
    Shape::new(
        OpUnit::Bytes,
        " fit",
        r"(?P<need>NUM)[- ]bytes? [\w -]{0,50}(?:does not|do not|cannot|would not) fit",
    ),
    Shape::new(
        OpUnit::Bytes,
        "bytes requested)",
        r"(?:OOM|out of memory) on core .{1,30}?\((?P<need>NUM) bytes requested\)",
    ),
    // Cut within the limit.
    Shape::new(
        OpUnit::Bytes,
        "exceed|only|have|capacity|limit|budget|fit",
        r"(?P<need>NUM)UNIT.{0,120}?(?:exceeds?|only|have|capacity|limit|budget|fit) .{0,60}?[ (]\d+$",
    ),
    Shape::new(
        OpUnit::Bytes,
        "only |budget|vailable",
        r"(?:only |budget:? |[Aa]vailable L1: |L1 available: )(?P<limit>NUM)UNIT",
    ),
    Shape::new(
        OpUnit::Bytes,
        "require|need",
        r"(?:requires?|needs?) ~?(?P<need>NUM)UNIT(?: of)? (?:L1|CB|DFB)",
    ),
    Shape::new(
        OpUnit::Bytes,
        "Cannot fit|TT_FATAL: Does not fit|ot enough|exceeds L1 capacity|overflowed L1|too small|invalid worker L1|L1 pressure|budget exceeded|could not reserve|persistent L1|zone full",
        r"Cannot fit \w+ operation in L1|TT_FATAL: Does not fit in L1|[Nn]ot enough (?:L1|circular buffer)(?: space| memory)?|exceeds L1 capacity|overflowed L1 with access|DRISC L1 [a-z ]{0,24}too small|invalid worker L1 budget|due to L1 pressure|L1 budget exceeded|could not reserve \[NUM, ?NUM\) on core|[Cc]annot allocate persistent L1|DRISC L1 [\w ]{0,20}zone full",
    ),
];
