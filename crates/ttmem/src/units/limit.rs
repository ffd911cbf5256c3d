//! Limits of a run: `dram=10GiB`, `l1=1MiB/bank`.

use std::fmt;
use std::str::FromStr;

use ttmem_model::Kind;

use super::Size;

/// The most bytes of a kind that a process may hold on one chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    kind: Kind,
    bytes: u64,
    scope: Scope,
}

/// The memory that the bytes of a limit are counted over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All banks of a chip.
    Chip,
    /// One bank; of L1, the bank of one core.
    Bank,
}

/// An error from parsing a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LimitError(String);

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
    /// Returns the kind of memory that is limited.
    #[must_use]
    pub(crate) fn kind(self) -> Kind {
        self.kind
    }

    /// Returns the most bytes allowed.
    #[must_use]
    pub(crate) fn bytes(self) -> u64 {
        self.bytes
    }

    /// Returns the memory that the bytes are counted over.
    #[must_use]
    pub(crate) fn scope(self) -> Scope {
        self.scope
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_kind_size_and_scope() {
        let limit: Limit = "l1=1MiB/bank".parse().unwrap();
        assert_eq!(limit, Limit { kind: Kind::L1, bytes: 1 << 20, scope: Scope::Bank });
        for text in ["dram", "cb=1MiB", "dram=much", "dram=1MiB/core"] {
            assert!(text.parse::<Limit>().is_err(), "{text}");
        }
    }
}
