//! Lines that look like memory errors and are none that is known.

use std::sync::LazyLock;

use regex::Regex;

use serde::Serialize;

use super::pattern;
use super::source_code::HOLE;

/// The lines of a log that look like memory errors and are not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Unknown {
    /// Number of the lines.
    pub(crate) count: usize,
    /// The first of them.
    pub(crate) examples: Vec<UnknownLine>,
}

/// One such line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct UnknownLine {
    /// Number of the line, from 1.
    pub(crate) line: usize,
    /// Text of the line, shortened.
    pub(crate) text: String,
}

/// Examples that are kept.
const MAX_EXAMPLES: usize = 5;

/// Characters of an example.
const MAX_TEXT: usize = 200;

static SUSPECT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern::compile(
        r"(?i-u:out of (?:device |host |l1 |dram )?memory|not enough (?:space|memory|l1|dram|room)|insufficient (?:space|memory|l1|dram)|(?:failed|unable) to allocate|cannot allocate|can't allocate|allocation failed|exceeds memory (?:size|capacity)|l1 overflow|(?:memory|buffers?) (?:overflow|exhausted))|(?-u:\bOOM\b|Statically allocated|clash with L1|beyond max L1|for trace region|kernel config buffer)",
    )
});

static HARMLESS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern::compile(&format!(
        "{}|{HOLE}",
        r"(?i-u:^(?:E|>)? *(?:#|//|def |class |import |assert |if |with |raise |return |--- |reason[:=])|pytest\.\w+\(|skip_reason|no out of memory|without oom|avoid oom|to avoid|oom[_-]score|oom[_-]?(?:policy|test|safe))"
    ))
});

/// True if a line looks like a memory error.
pub(super) fn is_suspect(line: &str) -> bool {
    let is = |pattern: &LazyLock<Option<Regex>>| {
        pattern.as_ref().is_some_and(|pattern| pattern.is_match(line))
    };
    is(&SUSPECT) && !is(&HARMLESS)
}

impl Unknown {
    pub(super) fn add(&mut self, line: usize, text: &str) {
        self.count += 1;
        if self.examples.len() < MAX_EXAMPLES {
            let text: String = text
                .trim()
                .chars()
                .filter(|character| !character.is_control())
                .take(MAX_TEXT)
                .collect();
            self.examples.push(UnknownLine { line, text });
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.count += other.count;
        let room = MAX_EXAMPLES.saturating_sub(self.examples.len());
        self.examples.extend(other.examples.into_iter().take(room));
    }
}
