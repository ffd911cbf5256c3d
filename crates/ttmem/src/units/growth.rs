//! GrowthLimits on growth between two runs: `dram=100MiB,l1=64KiB`.

use std::str::FromStr;

use ttmem_model::Kind;

use super::Size;

/// The most bytes that each kind may grow by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GrowthLimits(Vec<(Kind, u64)>);

impl GrowthLimits {
    /// Returns the most bytes that a kind may grow by, or `None` if it has no limit.
    #[must_use]
    pub(crate) fn allowed(&self, kind: Kind) -> Option<i128> {
        self.0.iter().find(|(known, _)| *known == kind).map(|(_, bytes)| i128::from(*bytes))
    }
}

impl FromStr for GrowthLimits {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let limit = |part: &str| {
            let (name, size) =
                part.split_once('=').ok_or("write KIND=SIZE, such as dram=100MiB")?;
            let kind = Kind::ALLOCATOR.into_iter().find(|kind| kind.as_str() == name.trim());
            let kind = kind.ok_or("the kinds are dram, l1, l1_small and trace")?;
            Ok((kind, size.parse::<Size>()?.0))
        };
        let limits: Result<Vec<_>, &str> = text.split(',').map(limit).collect();
        Ok(Self(limits?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_limits() {
        let limits: GrowthLimits = "dram=1MiB,l1=5".parse().unwrap();
        assert_eq!(limits.allowed(Kind::Dram), Some(1 << 20));
        assert_eq!((limits.allowed(Kind::L1), limits.allowed(Kind::Trace)), (Some(5), None));
        for text in ["", "dram", "gold=1", "dram=x", "dram=1,"] {
            assert!(text.parse::<GrowthLimits>().is_err(), "{text}");
        }
    }
}
