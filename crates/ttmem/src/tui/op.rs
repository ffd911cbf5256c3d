//! The columns of L1 by op, and the orders that they give.

use std::cmp::Ordering;

use ttmem_analysis::run_report::OpL1;

use crate::output::amount::size;

/// A column of L1 by op. Each is an order too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OpColumn {
    /// Dispatches, replays of traces included.
    Dispatches,
    /// Cores of a program.
    Cores,
    /// Circular buffers per core.
    CircularBuffers,
    /// Kernel text per core.
    KernelText,
    /// L1 tensors per core during a dispatch.
    Tensors,
    /// Circular buffers per core that are the memory of a tensor.
    Aliasing,
    /// L1 per core during a dispatch.
    #[default]
    Peak,
    /// Bytes between the highest circular buffer and the lowest L1 buffer, the least of all dispatches.
    Headroom,
    /// The name.
    Op,
}

impl OpColumn {
    /// Every column, from left to right.
    pub(crate) const ALL: [Self; 9] = [
        Self::Dispatches,
        Self::Cores,
        Self::CircularBuffers,
        Self::KernelText,
        Self::Tensors,
        Self::Aliasing,
        Self::Peak,
        Self::Headroom,
        Self::Op,
    ];

    /// Returns the heading.
    #[must_use]
    pub(crate) fn heading(self) -> &'static str {
        match self {
            Self::Dispatches => "DISPATCHES",
            Self::Cores => "CORES",
            Self::CircularBuffers => "CBS",
            Self::KernelText => "KERNELS",
            Self::Tensors => "TENSORS",
            Self::Aliasing => "ALIASING",
            Self::Peak => "PEAK",
            Self::Headroom => "HEADROOM",
            Self::Op => "OP",
        }
    }

    /// Returns the name in the configuration and in exports.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Dispatches => "dispatches",
            Self::Cores => "cores",
            Self::CircularBuffers => "circular_buffers",
            Self::KernelText => "kernel_text",
            Self::Tensors => "tensors",
            Self::Aliasing => "aliasing",
            Self::Peak => "peak",
            Self::Headroom => "headroom",
            Self::Op => "op",
        }
    }

    /// Returns the column with a name.
    #[must_use]
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.name() == name)
    }

    /// Returns the width on the screen, the sign of the order included.
    #[must_use]
    pub(crate) fn columns(self) -> u16 {
        match self {
            Self::Dispatches => 11,
            Self::Cores => 6,
            Self::CircularBuffers | Self::KernelText | Self::Tensors | Self::Peak => 8,
            Self::Aliasing | Self::Headroom => 9,
            Self::Op => 18,
        }
    }

    /// True if the column contains bytes.
    #[must_use]
    pub(crate) fn is_bytes(self) -> bool {
        !matches!(self, Self::Dispatches | Self::Cores | Self::Op)
    }

    /// Returns the number of an op; `None` if it is not known.
    #[must_use]
    pub(crate) fn number(self, op: &OpL1) -> Option<i128> {
        match self {
            Self::Dispatches => Some(op.dispatches.into()),
            Self::Cores => Some(op.cores.into()),
            Self::CircularBuffers => Some(op.circular_buffers.into()),
            Self::KernelText => op.kernel_text.map(i128::from),
            Self::Tensors => Some(op.tensors.into()),
            Self::Aliasing => Some(op.aliasing.into()),
            Self::Peak => op.peak.map(i128::from),
            Self::Headroom => op.headroom.map(i128::from),
            Self::Op => None,
        }
    }

    /// Returns the text of a cell; `None` if it is not known.
    #[must_use]
    pub(crate) fn text(self, op: &OpL1) -> Option<String> {
        if self == Self::Op {
            return Some(name(op).to_owned());
        }
        let number = self.number(op)?;
        let amount = u64::try_from(number.unsigned_abs()).unwrap_or(u64::MAX);
        let text = if self.is_bytes() { size(amount) } else { amount.to_string() };
        Some(if number < 0 { format!("-{text}") } else { text })
    }

    /// True if the smallest comes first: a name, or the headroom, of which little is remarkable.
    #[must_use]
    pub(crate) fn ascends(self) -> bool {
        matches!(self, Self::Op | Self::Headroom)
    }

    /// Returns the order of the next column to the right, and of the first after the last.
    #[must_use]
    pub(crate) fn next(self) -> Self {
        let index = Self::ALL.iter().position(|column| *column == self).unwrap_or(0);
        Self::ALL[(index + 1) % Self::ALL.len()]
    }

    /// Compares two ops. Unknown numbers come last.
    #[must_use]
    pub(crate) fn compare(self, one: &OpL1, other: &OpL1) -> Ordering {
        let by_name = || name(one).cmp(name(other));
        if self == Self::Op {
            return by_name();
        }
        let (first, second) = (self.number(one), self.number(other));
        let by_number = match (first, second) {
            (Some(first), Some(second)) if self.ascends() => first.cmp(&second),
            _ => second.cmp(&first),
        };
        by_number.then_with(by_name)
    }
}

/// Returns the name of an op.
#[must_use]
pub(crate) fn name(op: &OpL1) -> &str {
    op.op.as_deref().unwrap_or("unknown op")
}
