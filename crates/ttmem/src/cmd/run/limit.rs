//! Checks of a run against its limits.

use ttmem_analysis::run_report::{Peak, ProcessReport, Uncounted};

use crate::output::amount;
use crate::output::run_report::{chips, region_chip};
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
    let (held, most) = distinct(held(peak), limit.bytes());
    Some(format!(
        "limit exceeded: process {} held {held}{scope} of {} on {}{op}; the limit is {most}",
        process.pid,
        limit.kind().label(),
        chips(peak.chips.get(..1).unwrap_or_default()),
    ))
}

/// Describes how the samples of a process exceeded a limit, in one line; `None` if they did not.
pub(super) fn sampled(limit: Limit, process: &Uncounted) -> Option<String> {
    let peaks = process.region.iter().flatten().filter(|peak| peak.kind == limit.kind());
    let peak = peaks.max_by_key(|peak| peak.bytes).filter(|peak| peak.bytes > limit.bytes())?;
    let (held, most) = distinct(peak.bytes, limit.bytes());
    (limit.scope() == Scope::Chip).then(|| {
        format!(
            "limit exceeded: process {} held ~{held} of {} on {} (approximate, from TT-Metal's memory region); the limit is \
             {most}",
            process.pid,
            limit.kind().label(),
            region_chip(peak),
        )
    })
}

/// The reason why limits are not checked for a process without an agent; `None` if they are, by samples.
pub(super) fn unchecked<'a>(limits: &[Limit], process: &'a Uncounted) -> Option<&'a str> {
    match process.region {
        None => Some(&process.reason),
        Some(_) if limits.iter().any(|limit| limit.scope() == Scope::Bank) => Some(
            "TT-Metal's memory region, the only source of a static TT-Metal, has no bytes per bank",
        ),
        Some(_) => None,
    }
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
    use ttmem_analysis::run_report::RegionPeak;
    use ttmem_model::Kind;
    use ttmem_model::reading::Quality;

    use super::*;

    #[test]
    fn samples_are_checked_per_chip_and_marked() {
        let peak = |bytes| RegionPeak {
            unique_id: 7,
            index: None,
            kind: Kind::Dram,
            bytes,
            quality: Quality::Approximate,
        };
        let region = Some(vec![peak(3 << 20), peak(5 << 20)]);
        let process =
            Uncounted { pid: 9, name: String::new(), reason: "static".to_owned(), region };
        let limit = |text: &str| text.parse::<Limit>().unwrap();
        assert_eq!(sampled(limit("dram=5MiB"), &process), None);
        assert_eq!(sampled(limit("l1=1MiB"), &process), None);
        let line = sampled(limit("dram=4MiB"), &process).unwrap();
        assert!(
            line.contains("~5.00 MiB of DRAM on chip 0x0000000000000007 (approximate"),
            "{line}"
        );
        assert_eq!(unchecked(&[limit("dram=4MiB")], &process), None);
        assert!(unchecked(&[limit("dram=4MiB/bank")], &process).unwrap().contains("per bank"));
        let unseen = Uncounted { region: None, ..process };
        assert_eq!(unchecked(&[limit("dram=4MiB")], &unseen), Some("static"));
    }

    #[test]
    fn sizes_that_round_to_the_same_text_are_exact() {
        assert_eq!(distinct(98_304, 10_240), ("96.0 KiB".to_owned(), "10.0 KiB".to_owned()));
        assert_eq!(distinct(98_304, 98_303), ("98304 bytes".to_owned(), "98303 bytes".to_owned()));
    }
}
