//! Orders in which buffers are listed.

use std::cmp::Ordering;

use clap::ValueEnum;
use ttmem_model::buffers::LiveBuffer;
use ttmem_model::{Kind, Pid};

/// An order of buffers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum SortKey {
    /// The largest first.
    #[default]
    Size,
    /// The oldest first.
    Age,
    /// Order by the name of the op.
    Op,
    /// Order by kind and address.
    Address,
}

impl SortKey {
    /// Every order.
    pub(crate) const ALL: [Self; 4] = [Self::Size, Self::Age, Self::Op, Self::Address];

    /// The name in the configuration.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Age => "age",
            Self::Op => "op",
            Self::Address => "address",
        }
    }

    /// The order of that name.
    #[must_use]
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }

    /// The one after it, and the first after the last.
    #[must_use]
    pub(crate) fn next(self) -> Self {
        let index = Self::ALL.iter().position(|key| *key == self).unwrap_or(0);
        Self::ALL[(index + 1) % Self::ALL.len()]
    }

    /// Compares two buffers. Equal ones are ordered by process and address.
    #[must_use]
    pub(crate) fn compare(self, one: &LiveBuffer, other: &LiveBuffer) -> Ordering {
        let by_size = || other.bytes.cmp(&one.bytes);
        let first = match self {
            Self::Size => by_size(),
            // What was allocated before anything is known is older than all that is.
            Self::Age => age(other).cmp(&age(one)),
            Self::Op => one.op.cmp(&other.op).then_with(by_size),
            Self::Address => (one.kind, one.address).cmp(&(other.kind, other.address)),
        };
        first.then_with(|| identity(one).cmp(&identity(other)))
    }
}

fn age(buffer: &LiveBuffer) -> u64 {
    buffer.age_us.unwrap_or(u64::MAX)
}

fn identity(buffer: &LiveBuffer) -> (Pid, u64, Kind, u64) {
    (buffer.pid, buffer.allocator, buffer.kind, buffer.address)
}
