//! Traces of allocator memory: slots, rows, allocators, boards.

use ttmem_model::facts::{RegionChip, RegionFile, SegmentFile};
use ttmem_model::{AllocatorKind, Kind, MemorySpace, SourceName};
use ttmem_segment::{Allocator, KindUse};

use super::{Part, View, Why, allocator_kind, rule};
use crate::agent::{AgentLink, AllocatorBytes, bank_bytes, by_allocator, counted_twice, main};
use crate::memory::{SlotLink, Usage, UsedRule, counted_row, reported_by};
use crate::{figures, l1};

/// Traces a reading of an allocator kind on a chip.
pub(super) fn of_allocator(view: &View<'_>, kind: AllocatorKind, leaf: &str) -> Option<Why> {
    match leaf {
        "used" => Some(used(view, kind)),
        "stale" => {
            let gone = view.amounts.held.iter().filter(|usage| usage.is_gone());
            let parts = gone.flat_map(|usage| of_usage(view, usage, kind)).collect();
            Some(Why::sum(&rule::STALE_PROCESSES, parts))
        }
        "upstream" if view.amounts.upstream.is_some() => Some(upstream(view, kind)),
        "capacity" => Some(match kind {
            AllocatorKind::Dram => dram_capacity(view),
            AllocatorKind::L1 => l1_capacity(view),
            AllocatorKind::L1Small | AllocatorKind::Trace => allocatable(view, kind),
        }),
        "allocatable" => Some(allocatable(view, kind)),
        "largest_free" => Some(Why::sum(&rule::STATISTICS, largest_free(view, kind))),
        "fragmentation" => {
            Some(Why { is_sum: false, ..Why::sum(&rule::FRAGMENTATION, free(view, kind)) })
        }
        "banks" => Some(banks(view, kind)),
        _ => None,
    }
}

fn used(view: &View<'_>, kind: AllocatorKind) -> Why {
    let of_live = |rule| {
        let live = view.amounts.held.iter().filter(|usage| !usage.is_gone());
        Why::sum(rule, live.flat_map(|usage| of_usage(view, usage, kind)).collect())
    };
    match view.amounts.used_by[kind] {
        UsedRule::Agents => of_live(&rule::LIVE_AGENTS),
        UsedRule::Processes => of_live(&rule::LIVE_PROCESSES),
        UsedRule::Row => row(view, kind),
        UsedRule::Unreadable => Why::of(&rule::UNREADABLE),
    }
}

fn upstream(view: &View<'_>, kind: AllocatorKind) -> Why {
    if counted_row(view.joined, view.chip).is_some() {
        return row(view, kind);
    }
    let live = view.amounts.held.iter().filter(|usage| !usage.is_gone());
    let parts = live.flat_map(|usage| of_slots(view, usage, kind.into())).collect();
    Why::sum(&rule::REGION_FIGURE, parts)
}

fn row(view: &View<'_>, kind: AllocatorKind) -> Why {
    let part = |(file, row): (&RegionFile, &RegionChip)| Part {
        label: format!("row of chip {}", row.chip_id),
        file: Some(file.path.clone()),
        source: SourceName::Upstream,
        value: Ok(row.bytes.allocators()[kind]),
        is_subtracted: false,
    };
    let counted = counted_row(view.joined, view.chip).flatten();
    Why::sum(&rule::REGION_ROW, counted.map(part).into_iter().collect())
}

/// Traces a reading of a process on a chip; `usage` is `None` if the process has no slot and no agent there.
pub(super) fn of_process(view: &View<'_>, usage: Option<&Usage>, field: &[&str]) -> Option<Why> {
    let slots = |rule, kind| match usage {
        Some(usage) => Why::sum(rule, of_slots(view, usage, kind)),
        None => Why::of(&rule::NO_SLOT),
    };
    match field {
        ["circular_buffers_reported"] => {
            Some(slots(&rule::SLOT_CIRCULAR_BUFFERS, Kind::CircularBuffers))
        }
        ["upstream", name] if usage.is_some_and(|usage| usage.agent.is_some()) => {
            Some(slots(&rule::PROCESS_SLOTS, allocator_kind(name)?.into()))
        }
        [name] => {
            let kind = allocator_kind(name)?;
            Some(match usage {
                Some(usage) if usage.is_by_agent(kind) => {
                    Why::sum(&rule::PROCESS_AGENT, of_usage(view, usage, kind))
                }
                Some(usage) if usage.rest.is_some() => {
                    Why::sum(&rule::SHARED_SLOT, of_rest(view, usage, kind))
                }
                _ => slots(&rule::PROCESS_SLOTS, kind.into()),
            })
        }
        _ => None,
    }
}

/// Returns the parts of [`Usage::reading`].
fn of_usage(view: &View<'_>, usage: &Usage, kind: AllocatorKind) -> Vec<Part> {
    match usage.segment {
        Some(link) if usage.is_by_agent(kind) => of_segment(view, link, kind),
        _ => of_rest(view, usage, kind),
    }
}

/// Returns the slots of a usage, less what agents of other processes in them count.
fn of_rest(view: &View<'_>, usage: &Usage, kind: AllocatorKind) -> Vec<Part> {
    let mut parts = of_slots(view, usage, kind.into());
    let counted = usage.counted_by_others(kind);
    if counted > 0 {
        let others = view.amounts.held.iter().filter(|other| !other.has_slot());
        let segment = others.filter_map(|other| other.segment).next();
        let file = segment.and_then(|link| view.joined.facts.segments.get(link.segment));
        parts.push(Part {
            label: "what agents of other processes in the slot count".to_owned(),
            file: file.map(|file| file.path.clone()),
            source: SourceName::Agent,
            value: Ok(counted),
            is_subtracted: true,
        });
    }
    parts
}

fn of_slots(view: &View<'_>, usage: &Usage, kind: Kind) -> Vec<Part> {
    let part = |link: &SlotLink| {
        let (region, slot, bytes) = link.read(view.joined, view.chip, kind)?;
        Some(Part {
            label: format!("slot {}, pid {}", slot.index, slot.pid),
            file: Some(region.path.clone()),
            source: SourceName::Upstream,
            value: bytes,
            is_subtracted: false,
        })
    };
    usage.slots.iter().filter_map(part).collect()
}

fn of_segment(view: &View<'_>, link: AgentLink, kind: AllocatorKind) -> Vec<Part> {
    let Some(file) = view.joined.facts.segments.get(link.segment) else { return Vec::new() };
    match by_allocator(file, link.chip, kind) {
        Ok(allocators) => {
            let of_allocator = |one: &AllocatorBytes<'_>| {
                let by = if one.counted.is_some() { ", by TT-Metal's statistics" } else { "" };
                let label = format!("{}, pid {}{by}", named(one.allocator), file.pid);
                in_banks(file, &label, one.per_bank, one.banks)
            };
            let twice = file.content.as_ref().map_or(0, |own| counted_twice(own, link.chip, kind));
            let shared = (twice > 0).then(|| Part {
                label: "addresses that two allocators handed out, counted once".to_owned(),
                file: Some(file.path.clone()),
                source: SourceName::Agent,
                value: Ok(twice),
                is_subtracted: true,
            });
            allocators.iter().map(of_allocator).chain(shared).collect()
        }
        Err(missing) => vec![Part {
            label: format!("allocators of pid {}", file.pid),
            file: Some(file.path.clone()),
            source: SourceName::Agent,
            value: Err(missing),
            is_subtracted: false,
        }],
    }
}

fn in_banks(file: &SegmentFile, label: &str, per_bank: u64, banks: u64) -> Part {
    Part {
        label: format!("{label}: {per_bank} B in each of {banks} banks"),
        file: Some(file.path.clone()),
        source: SourceName::Agent,
        value: Ok(per_bank.saturating_mul(banks)),
        is_subtracted: false,
    }
}

fn allocatable(view: &View<'_>, kind: AllocatorKind) -> Why {
    let part = main(view.joined, view.chip, kind).and_then(|(file, _, allocator)| {
        let held = allocator.kind(kind);
        let label = named(allocator);
        Some(in_banks(file, &label, held.statistics?.total, held.banks))
    });
    Why::sum(&rule::STATISTICS, part.into_iter().collect())
}

/// The main allocator of a kind on the chip, in words, with its segment's path and its figures.
fn main_of<'a>(
    view: &View<'a>,
    kind: AllocatorKind,
) -> Option<(String, &'a SegmentFile, &'a KindUse)> {
    let (file, _, allocator) = main(view.joined, view.chip, kind)?;
    let label = named(allocator);
    Some((label, file, allocator.kind(kind)))
}

/// The main allocator of a kind on the chip, in words, with its segment's path, and the free bytes of a bank and of its
/// largest free block.
fn main_free<'a>(
    view: &View<'a>,
    kind: AllocatorKind,
) -> Option<(String, &'a SegmentFile, (u64, u64))> {
    let (file, segment, allocator) = main(view.joined, view.chip, kind)?;
    let label = named(allocator);
    let (free, _) = figures::free(segment, allocator, kind)?;
    Some((label, file, free))
}

/// Role and number of an allocator.
fn named(allocator: &Allocator) -> String {
    format!("{} allocator {}", allocator.role.as_str(), allocator.serial)
}

fn of_main(file: &SegmentFile, label: String, value: u64, is_subtracted: bool) -> Part {
    let file = Some(file.path.clone());
    Part { label, file, source: SourceName::Agent, value: Ok(value), is_subtracted }
}

fn largest_free(view: &View<'_>, kind: AllocatorKind) -> Vec<Part> {
    let part = main_free(view, kind).map(|(what, file, (_, largest_free))| {
        of_main(file, format!("{what}: largest free block of a bank"), largest_free, false)
    });
    part.into_iter().collect()
}

fn free(view: &View<'_>, kind: AllocatorKind) -> Vec<Part> {
    let parts = main_free(view, kind).map(|(what, file, (free, largest_free))| {
        [
            of_main(file, format!("{what}: free bytes of a bank"), free, false),
            of_main(file, format!("{what}: largest free block"), largest_free, true),
        ]
    });
    parts.into_iter().flatten().collect()
}

fn banks(view: &View<'_>, kind: AllocatorKind) -> Why {
    if let (AllocatorKind::Dram | AllocatorKind::Trace, Some(board)) =
        (kind, view.joined.board(view.chip))
        && let Some(banks) = board.dram_banks
    {
        let label = format!("{}: DRAM banks", board.name);
        return Why::sum(&rule::BOARD, vec![constant(label, u64::from(banks))]);
    }
    let part = main_of(view, kind)
        .map(|(what, file, held)| of_main(file, format!("{what}: banks"), held.banks, false));
    Why::sum(&rule::STATISTICS, part.into_iter().collect())
}

fn dram_capacity(view: &View<'_>) -> Why {
    let part = view.joined.board(view.chip).and_then(|board| {
        let (banks, each) = (board.dram_banks?, board.arch.dram_bytes_per_bank());
        Some(constant(
            format!("{}: {banks} DRAM banks of {each} B", board.name),
            board.dram_bytes()?,
        ))
    });
    nominal_or_banks(view, MemorySpace::Dram, part)
}

/// Traces a capacity: a constant of the board, or the banks of the agent's allocators.
fn nominal_or_banks(view: &View<'_>, memory: MemorySpace, nominal: Option<Part>) -> Why {
    let kind = match memory {
        MemorySpace::Dram => AllocatorKind::Dram,
        MemorySpace::L1 => AllocatorKind::L1,
    };
    if let (None, Some((bytes, banks)), Some((what, file, _))) =
        (&nominal, bank_bytes(view.joined, view.chip, memory), main_of(view, kind))
    {
        return Why::sum(&rule::BANKS, vec![in_banks(file, &what, bytes, banks)]);
    }
    Why::sum(&rule::BOARD, nominal.into_iter().collect())
}

/// Traces the capacity of L1.
pub(super) fn l1_capacity(view: &View<'_>) -> Why {
    if let Some(size) = l1::size(view.joined, view.chip) {
        let port = view.joined.l1(view.chip).map(|l1| l1.port.clone());
        let cores = size.worker_cores.value().copied().unwrap_or_default();
        let part = size.bytes.value().map(|bytes| Part {
            label: format!("{cores} worker cores of {} B", bytes / cores.max(1)),
            file: port,
            source: SourceName::L1,
            value: Ok(*bytes),
            is_subtracted: false,
        });
        return Why::sum(&rule::CORE_GRID, part.into_iter().collect());
    }
    let part = view.joined.board(view.chip).and_then(|board| {
        let (cores, each) = (board.worker_cores?, board.arch.l1_bytes_per_core());
        Some(constant(
            format!("{}: {cores} worker cores of {each} B", board.name),
            board.l1_bytes()?,
        ))
    });
    nominal_or_banks(view, MemorySpace::L1, part)
}

pub(super) fn constant(label: String, value: u64) -> Part {
    Part { label, file: None, source: SourceName::Kmd, value: Ok(value), is_subtracted: false }
}

/// Returns the circular buffers that the regions of a chip report.
pub(super) fn reported(view: &View<'_>) -> Vec<Part> {
    let parts = reported_by(view.joined, view.chip).into_iter();
    let part = |(file, label, bytes): (&RegionFile, &str, u64)| Part {
        label: label.to_owned(),
        file: Some(file.path.clone()),
        source: SourceName::Upstream,
        value: Ok(bytes),
        is_subtracted: false,
    };
    parts.map(part).collect()
}
