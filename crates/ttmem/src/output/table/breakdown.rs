//! The lines of a chip's memory, equal and in the same order in every layout.

use ttmem_model::snapshot::Chip;
use ttmem_model::{MissingReason, Reading};

use crate::field::cell::is_above_zero;
use crate::field::device;

/// One line: an amount and its whole.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct MemoryLine {
    /// Name of the line, at most twelve columns.
    pub(super) label: String,
    /// The kind of line.
    pub(super) sort: Sort,
    /// Bytes in use.
    pub(super) used: Reading<u64>,
    /// The bytes that it is a part of.
    pub(super) capacity: Reading<u64>,
    /// The part of it in words.
    pub(super) own_capacity: Option<Reading<u64>>,
}

/// The kind of line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// A memory.
    Main,
    /// A kind that is kept apart in the memory of the line above.
    Kind,
    /// Detail of the line above it.
    Nested,
    /// A warning.
    NestedNotice,
}

/// The field of the line about DRAM.
pub(super) const DRAM: &str = "memory.dram.used";
/// The field of the line about what the allocator has handed out of L1.
pub(super) const L1_ALLOCATED: &str = "memory.l1.used";
/// The widest label with its indent.
pub(super) const LABEL_COLUMNS: usize = 13;

impl Sort {
    /// Columns by which the label is set in.
    pub(super) fn indent(self) -> usize {
        match self {
            Self::Main | Self::Kind => 0,
            Self::Nested | Self::NestedNotice => 1,
        }
    }
}

/// Returns the bytes that L1 has: of all worker cores, or else what the allocator has.
pub(super) fn l1_capacity(chip: &Chip) -> Reading<u64> {
    match device::figure("memory.l1_total.capacity", chip) {
        known @ Reading::Known { .. } => known,
        Reading::Missing(_) => device::figure("memory.l1.capacity", chip),
    }
}

/// Returns a main line by the name of its field.
pub(super) fn line(chip: &Chip, used: &str) -> MemoryLine {
    let capacity = match used {
        DRAM => device::figure("memory.dram.capacity", chip),
        _ => l1_capacity(chip),
    };
    main(heading(used), device::figure(used, chip), capacity)
}

/// Returns circular buffers and kernels together.
pub(super) fn circular_buffers_and_kernels(chip: &Chip) -> Reading<u64> {
    let buffers = device::figure("memory.circular_buffers.used", chip);
    buffers.checked_add(device::figure("memory.kernels.used", chip))
}

/// The name of the line about circular buffers and kernels.
pub(super) const RESIDENT: &str = "CBs + kernels";

/// Returns the lines of a chip's memory.
pub(super) fn lines(chip: &Chip) -> Vec<MemoryLine> {
    let figure = |name: &str| device::figure(name, chip);
    let dram = line(chip, DRAM);
    let dram_capacity = dram.capacity.clone();
    let mut lines = vec![dram];
    lines.extend(stale_line(figure("memory.dram.stale"), &dram_capacity));
    lines.extend(kind("memory.trace", chip, &dram_capacity));

    let l1 = l1_capacity(chip);
    lines.push(line(chip, L1_ALLOCATED));
    lines.extend(stale_line(figure("memory.l1.stale"), &l1));
    lines.extend(kind("memory.l1_small", chip, &l1));

    lines.push(line(chip, "memory.l1_total.used"));
    lines.push(main(RESIDENT.to_owned(), circular_buffers_and_kernels(chip), l1.clone()));
    if figure("memory.circular_buffers.used").value().is_none() {
        let reported = "memory.circular_buffers.reported";
        lines.extend(some(MemoryLine {
            label: heading(reported),
            sort: Sort::Nested,
            used: figure(reported),
            capacity: l1,
            own_capacity: None,
        }));
    }
    lines
}

/// Returns the main lines that are missing for every one of several chips, each with the reason.
pub(super) fn missing_everywhere(chips: &[Chip]) -> Vec<(String, MissingReason)> {
    if chips.len() < 2 {
        return Vec::new();
    }
    let total = heading("memory.l1_total.used");
    let totals: Vec<Reading<u64>> =
        chips.iter().map(|chip| device::figure("memory.l1_total.used", chip)).collect();
    let resident: Vec<Reading<u64>> = chips.iter().map(circular_buffers_and_kernels).collect();
    let kinds = [(total, same_reason(&totals)), (RESIDENT.to_owned(), same_reason(&resident))];
    kinds.into_iter().filter_map(|(label, reason)| Some((label, reason?))).collect()
}

/// Returns the reason for which every figure is missing, if it is one.
pub(super) fn same_reason(figures: &[Reading<u64>]) -> Option<MissingReason> {
    equal(figures.iter().map(|figure| figure.missing().map(|missing| missing.reason)))
}

/// Returns what all have in common.
pub(super) fn equal<T: PartialEq>(mut all: impl Iterator<Item = Option<T>>) -> Option<T> {
    let first = all.next()??;
    all.all(|other| other.as_ref() == Some(&first)).then_some(first)
}

/// Returns the heading of a field.
pub(super) fn heading(name: &str) -> String {
    device::get(name).map(|field| field.heading().into_owned()).unwrap_or_default()
}

fn main(label: String, used: Reading<u64>, capacity: Reading<u64>) -> MemoryLine {
    MemoryLine { label, sort: Sort::Main, used, own_capacity: Some(capacity.clone()), capacity }
}

/// Returns the line of a kind, and that of its stale bytes. Without a capacity of its own it is a share of the memory's.
fn kind(prefix: &str, chip: &Chip, memory: &Reading<u64>) -> Vec<MemoryLine> {
    let used = format!("{prefix}.used");
    let own = device::figure(&format!("{prefix}.capacity"), chip);
    let own_capacity = Some(own).filter(|own| own.value().is_some());
    let capacity = own_capacity.as_ref().unwrap_or(memory).clone();
    let stale = stale_line(device::figure(&format!("{prefix}.stale"), chip), &capacity);
    let own = MemoryLine {
        label: heading(&used),
        sort: Sort::Kind,
        used: device::figure(&used, chip),
        capacity,
        own_capacity,
    };
    let own = if stale.is_some() { Some(own) } else { some(own) };
    own.into_iter().chain(stale).collect()
}

fn stale_line(used: Reading<u64>, memory: &Reading<u64>) -> Option<MemoryLine> {
    let label = "stale".to_owned();
    let sort = Sort::NestedNotice;
    some(MemoryLine { label, sort, used, capacity: memory.clone(), own_capacity: None })
}

/// Returns the line if it has bytes.
fn some(line: MemoryLine) -> Option<MemoryLine> {
    Some(line).filter(|line| is_above_zero(&line.used))
}
