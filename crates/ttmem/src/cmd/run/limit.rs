//! Checks of a run against its limits.

use ttmem_analysis::run_report::{Peak, ProcessReport};

use crate::output::amount;
use crate::units::{Limit, Scope};

/// Describes how a process exceeded a limit, in one line; `None` if it did not.
pub(super) fn exceeded(limit: Limit, process: &ProcessReport) -> Option<String> {
    let held = |peak: &Peak| match limit.scope() {
        Scope::Chip => peak.bytes,
        Scope::Bank => peak.bytes_per_bank,
    };
    let of_kind = process.peaks.iter().filter(|peak| peak.kind == limit.kind());
    let peak = of_kind.max_by_key(|peak| held(peak)).filter(|peak| held(peak) > limit.bytes())?;
    let scope = match limit.scope() {
        Scope::Chip => "",
        Scope::Bank => " per bank",
    };
    let op = peak.op.as_deref().map(|op| format!(", reached by {op}")).unwrap_or_default();
    let chips: Vec<String> = peak.chips.iter().map(|chip| chip.device.to_string()).collect();
    let (held, most) = distinct(held(peak), limit.bytes());
    Some(format!(
        "limit exceeded: process {} held {held}{scope} of {} on chip {}{op}; the limit is {most}",
        process.pid,
        limit.kind().label(),
        chips.first().map_or("unknown", String::as_str),
    ))
}

/// Returns both sizes as text, exact to the byte if their rounded forms are equal.
fn distinct(held: u64, limit: u64) -> (String, String) {
    match (amount::size(held), amount::size(limit)) {
        (one, other) if one == other => (format!("{held} bytes"), format!("{limit} bytes")),
        sizes => sizes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_round_to_the_same_text_are_exact() {
        assert_eq!(distinct(98_304, 10_240), ("96.0 KiB".to_owned(), "10.0 KiB".to_owned()));
        assert_eq!(distinct(98_304, 98_303), ("98304 bytes".to_owned(), "98303 bytes".to_owned()));
    }
}
