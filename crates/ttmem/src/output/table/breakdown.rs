//! The lines of a chip's memory: what is shown of it and in which order, the same in every layout.

use ttmem_model::Reading;
use ttmem_model::snapshot::ChipMemory;

use crate::field::figure::Figure;

/// One line: an amount and what it is a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MemoryLine {
    /// Its name, at most twelve columns.
    pub(super) label: &'static str,
    /// The kind of line.
    pub(super) sort: Sort,
    /// Bytes in use.
    pub(super) used: Figure,
    /// Bytes that there are; for a nested line those of the line above it.
    pub(super) capacity: Figure,
    /// The part of it in words.
    pub(super) own_capacity: Option<Figure>,
}

/// The kind of line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// A memory, or the memory of one kind.
    Main,
    /// More about the line above it.
    Nested,
    /// A warning.
    NestedNotice,
}

/// The name of the line about DRAM.
pub(super) const DRAM: &str = "DRAM";
/// The name of the line about what the allocator has handed out of L1.
pub(super) const L1_ALLOCATED: &str = "L1 allocated";
/// The widest label with its indent.
pub(super) const LABEL_COLUMNS: usize = 13;

impl MemoryLine {
    /// A line about nothing.
    pub(super) fn blank() -> Self {
        main("", Figure::UNTOLD, Figure::UNTOLD)
    }
}

impl Sort {
    /// Columns by which the label is set in.
    pub(super) fn indent(self) -> usize {
        match self {
            Self::Main => 0,
            Self::Nested | Self::NestedNotice => 1,
        }
    }
}

/// The lines of a chip's memory.
pub(super) fn lines(memory: &ChipMemory) -> Vec<MemoryLine> {
    let dram = Figure::from(&memory.dram.capacity);
    let mut lines = vec![main(DRAM, (&memory.dram.used).into(), dram)];
    let trace = Figure::from(&memory.trace.used);
    lines.extend(nested("trace", trace, (&memory.trace.capacity).into(), dram));
    let left = Figure::from(&memory.dram.stale).plus((&memory.trace.stale).into());
    lines.extend(stale(left, dram));

    let l1 = known_or(&memory.l1_total.capacity, &memory.l1.capacity);
    let small = Figure::from(&memory.l1_small.used);
    lines.push(main(L1_ALLOCATED, Figure::from(&memory.l1.used).plus(small), l1));
    lines.extend(nested("L1_SMALL", small, (&memory.l1_small.capacity).into(), l1));
    let left = Figure::from(&memory.l1.stale).plus((&memory.l1_small.stale).into());
    lines.extend(stale(left, l1));

    lines.push(main("L1 total", (&memory.l1_total.used).into(), l1));
    let buffers = Figure::from(&memory.circular_buffers.used);
    lines.push(main("CBs + kernels", buffers.plus((&memory.kernels.used).into()), l1));
    if buffers.bytes().is_none() {
        let reported = (&memory.circular_buffers.reported).into();
        lines.extend(nested("CBs reported", reported, Figure::UNTOLD, l1));
    }
    lines
}

fn main(label: &'static str, used: Figure, capacity: Figure) -> MemoryLine {
    MemoryLine { label, sort: Sort::Main, used, capacity, own_capacity: Some(capacity) }
}

/// More about the line above, if there is any. Where it has no capacity of its own it is a share of that line's.
fn nested(label: &'static str, used: Figure, own: Figure, above: Figure) -> Option<MemoryLine> {
    let own_capacity = own.bytes().map(|_| own);
    let capacity = own_capacity.unwrap_or(above);
    let line = MemoryLine { label, sort: Sort::Nested, used, capacity, own_capacity };
    used.is_some_bytes().then_some(line)
}

fn stale(used: Figure, above: Figure) -> Option<MemoryLine> {
    let line = nested("stale", used, Figure::UNTOLD, above)?;
    Some(MemoryLine { sort: Sort::NestedNotice, ..line })
}

fn known_or(first: &Reading<u64>, second: &Reading<u64>) -> Figure {
    if first.value().is_some() { first.into() } else { second.into() }
}
