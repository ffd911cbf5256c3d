//! Facts that depend on the release of TT-Metal, from `releases.toml`.

use std::sync::LazyLock;

use serde::Deserialize;

/// A release by its first two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Release {
    major: u32,
    minor: u32,
}

impl Release {
    /// Reads `0.81.1`, `0.81`, `v0.81.0-rc3`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.trim_start_matches('v').split('.');
        let major = numbers.next()?.parse().ok()?;
        let minor = numbers.next()?;
        let digits =
            minor.len() - minor.trim_start_matches(|digit: char| digit.is_ascii_digit()).len();
        Some(Self { major, minor: minor[..digits].parse().ok()? })
    }
}

/// The part of `releases.toml` that explanations use.
#[derive(Debug, Deserialize)]
struct Releases {
    explain: Facts,
}

#[derive(Debug, Deserialize)]
struct Facts {
    free_bytes_since: String,
    trace_region_per_bank_until: String,
}

static FACTS: LazyLock<Option<Facts>> = LazyLock::new(|| {
    let releases: Releases = toml::from_str(include_str!("../../../../releases.toml")).ok()?;
    Some(releases.explain)
});

/// The first release whose refusals name the free bytes.
pub(super) fn first_with_free_bytes() -> &'static str {
    FACTS.as_ref().map_or("later releases", |facts| facts.free_bytes_since.as_str())
}

/// True if `trace_region_size` counts one DRAM bank, false if it counts all together.
pub(super) fn trace_region_is_per_bank(release: Release) -> bool {
    FACTS
        .as_ref()
        .and_then(|facts| Release::parse(&facts.trace_region_per_bank_until))
        .is_some_and(|last| release <= last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read() {
        assert_eq!(first_with_free_bytes(), "0.66");
        let per_bank = |version| trace_region_is_per_bank(Release::parse(version).unwrap());
        assert_eq!(
            (per_bank("0.72.0"), per_bank("0.76.0"), per_bank("v0.81.1-rc2")),
            (true, false, false)
        );
        assert_eq!(Release::parse("main"), None);
    }
}
