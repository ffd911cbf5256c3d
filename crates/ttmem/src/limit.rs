//! Limits that a run must not exceed, such as `dram=10GiB` or `l1=1MiB/bank`.

use std::fmt;
use std::str::FromStr;

use ttmem_analysis::run_report::{Peak, ProcessReport};
use ttmem_model::Kind;

use crate::cmd::quantity::Size;
use crate::output::amount;

/// The most that a process may hold of a kind on one chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    kind: Kind,
    bytes: u64,
    scope: Scope,
}

/// What the bytes of a limit are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// All banks of a chip together, as everything else that ttmem shows.
    Chip,
    /// One bank: for L1 a core.
    Bank,
}

/// What was typed is no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitError(String);

impl fmt::Display for LimitError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for LimitError {}

impl FromStr for Limit {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let wrong = |what: &str| LimitError(format!("{what}, such as dram=10GiB or l1=1MiB/bank"));
        let (name, size) = text.split_once('=').ok_or_else(|| wrong("a limit is KIND=SIZE"))?;
        let kind = Kind::ALLOCATOR
            .into_iter()
            .find(|kind| kind.as_str() == name.trim())
            .ok_or_else(|| wrong("KIND is dram, l1, l1_small or trace"))?;
        let (size, scope) = match size.trim().strip_suffix("/bank") {
            Some(size) => (size, Scope::Bank),
            None => (size.trim(), Scope::Chip),
        };
        let Size(bytes) = size.parse().map_err(|_error| wrong("SIZE is bytes with a unit"))?;
        Ok(Self { kind, bytes, scope })
    }
}

impl Limit {
    /// What a process did that it should not, in one line that names the culprit.
    #[must_use]
    pub fn exceeded_by(&self, process: &ProcessReport) -> Option<String> {
        let held = |peak: &Peak| match self.scope {
            Scope::Chip => peak.bytes,
            Scope::Bank => peak.bytes_per_bank,
        };
        let of_kind = process.peaks.iter().filter(|peak| peak.kind == self.kind);
        let peak = of_kind.max_by_key(|peak| held(peak)).filter(|peak| held(peak) > self.bytes)?;
        let each = match self.scope {
            Scope::Chip => "",
            Scope::Bank => " a bank",
        };
        let op = peak.op.as_deref().map(|op| format!(", reached by {op}")).unwrap_or_default();
        let chips: Vec<String> = peak.chips.iter().map(|chip| chip.device.to_string()).collect();
        let (held, limit) = different(held(peak), self.bytes);
        Some(format!(
            "limit exceeded: process {} held {held}{each} of {} on chip {}{op}; the limit is {limit}",
            process.pid,
            self.kind.label(),
            chips.first().map_or("unknown", String::as_str),
        ))
    }
}

/// Two sizes in words, to the byte where they would read the same.
fn different(held: u64, limit: u64) -> (String, String) {
    match (amount::size(held), amount::size(limit)) {
        (one, other) if one == other => (format!("{held} bytes"), format!("{limit} bytes")),
        sizes => sizes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_read_the_same_are_told_to_the_byte() {
        assert_eq!(different(98_304, 10_240), ("96.0 KiB".to_owned(), "10.0 KiB".to_owned()));
        assert_eq!(different(98_304, 98_303), ("98304 bytes".to_owned(), "98303 bytes".to_owned()));
    }

    #[test]
    fn a_limit_names_kind_size_and_scope() {
        let limit: Limit = "l1=1MiB/bank".parse().unwrap();
        assert_eq!(limit, Limit { kind: Kind::L1, bytes: 1 << 20, scope: Scope::Bank });
        for text in ["dram", "cb=1MiB", "dram=much", "dram=1MiB/core"] {
            assert!(text.parse::<Limit>().is_err(), "{text}");
        }
    }
}
