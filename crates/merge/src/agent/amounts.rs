//! The figures of an agent on a chip.
//!
//! There are two figures of the same bytes: the sum of the live buffers, which the hooks keep at every moment, and
//! TT-Metal's own statistics (MemoryReporter), which the agent reads up to a tenth of a second later. As long as the
//! two agreed when they were last compared, the sum is shown: it is of this very moment. Where they differed, a hook
//! has missed something, and TT-Metal's figure is shown with its age; once nothing moves any more the difference is a
//! finding.

use std::collections::BTreeMap;

use ttmem_model::facts::{Facts, Field, SegmentFile};
use ttmem_model::metric::Quantity;
use ttmem_model::order::Gather as _;
use ttmem_model::reading::{Missing, Quality, Reading, SourceName};
use ttmem_model::{AllocatorKind, Kind, MemorySpace, PerKind, Pid};
use ttmem_segment::{Allocator, AllocatorRole, Segment};

use super::super::join::{Joined, JoinedChip, Owner};
use super::super::memory::Limits;
use super::overlap::overlap;
use super::{AgentLink, age, main_allocator, open_allocators, sees_all, trusted};
use crate::figures;

/// The memory of a segment's process on a chip.
pub(crate) fn amounts(
    joined: &Joined<'_>,
    link: AgentLink,
    limits: &Limits,
) -> PerKind<Reading<u64>> {
    let file = &joined.facts.segments[link.segment];
    let is_gone = joined.segment_owner(link.segment).is_gone();
    let quality = if is_gone { Quality::Stale } else { Quality::Exact };
    PerKind::new(|kind| match held(joined.facts, file, link.chip, kind, limits) {
        Ok((bytes, age)) => Reading::new(bytes, SourceName::Agent, quality).aged(age),
        Err(missing) => missing.into(),
    })
}

/// The bytes of a kind in an allocator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AllocatorBytes<'a> {
    pub(crate) allocator: &'a Allocator,
    /// Bytes in one bank.
    pub(crate) per_bank: u64,
    /// The number of banks.
    pub(crate) banks: u64,
    /// Time at which TT-Metal counted them, in nanoseconds of the monotonic clock; `None` if the hooks counted them.
    pub(crate) counted: Option<u64>,
}

impl AllocatorBytes<'_> {
    /// Bytes in all banks.
    pub(crate) fn bytes(&self) -> u64 {
        self.per_bank.saturating_mul(self.banks)
    }
}

/// The bytes of a kind in each open allocator of a chip.
pub(crate) fn by_allocator<'a>(
    file: &'a SegmentFile,
    chip: usize,
    kind: AllocatorKind,
) -> Field<Vec<AllocatorBytes<'a>>> {
    let segment = trusted(file)?;
    let has_mesh =
        open_allocators(segment, chip).any(|allocator| allocator.role == AllocatorRole::Mesh);
    let of_allocator = |allocator: &'a Allocator| {
        // A device's allocator repeats in its statistics what the mesh took in modes that mirror it.
        let is_own = allocator.role == AllocatorRole::Mesh || !has_mesh;
        of_allocator(segment, allocator, kind, is_own)
    };
    open_allocators(segment, chip).map(of_allocator).collect()
}

/// Bytes of a kind on a chip that more than one allocator handed out.
pub(crate) fn counted_twice(segment: &Segment, chip: usize, kind: AllocatorKind) -> u64 {
    overlap(segment, chip, kind).map_or(0, |overlap| overlap.bytes)
}

/// Bytes and their age.
fn held(
    facts: &Facts,
    file: &SegmentFile,
    chip: usize,
    kind: AllocatorKind,
    limits: &Limits,
) -> Field<(u64, u64)> {
    let segment = trusted(file)?;
    let mut bytes = 0_u64;
    let mut oldest = facts.time.micros_since(file.read_at);
    for part in by_allocator(file, chip, kind)? {
        bytes = bytes.saturating_add(part.bytes());
        oldest = oldest.max(part.counted.map_or(0, |time| age(facts, segment, time)));
    }
    // Bytes that two allocators handed out are used once.
    bytes = bytes.saturating_sub(counted_twice(segment, chip, kind));
    let most = limits.most(Kind::from(kind).memory_space());
    if bytes > most {
        let text = format!("the agent's segment says {bytes}, above the {most} of the chip");
        return Err(Missing::failed(text));
    }
    Ok((bytes, oldest))
}

fn of_allocator<'a>(
    segment: &Segment,
    allocator: &'a Allocator,
    kind: AllocatorKind,
    statistics_are_own: bool,
) -> Field<AllocatorBytes<'a>> {
    let held = allocator.kind(kind);
    let of = |per_bank, counted| AllocatorBytes { allocator, per_bank, banks: held.banks, counted };
    let statistics = held.statistics.filter(|_| statistics_are_own);
    let differed = held.residual.is_some_and(|residual| residual != 0);
    match statistics {
        Some(statistics) if differed || !sees_all(segment) => {
            Ok(of(statistics.allocated, Some(statistics.time)))
        }
        None if !sees_all(segment) => Err(Missing::unsupported(
            "this release of TT-Metal has none of the functions that the agent counts by",
        )),
        _ => Ok(of(held.live_bytes, None)),
    }
}

/// The statistics of TT-Metal's allocator for a kind on one chip.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Geometry {
    pub(crate) banks: Reading<u64>,
    pub(crate) allocatable: Reading<u64>,
    pub(crate) largest_free: Reading<u64>,
    pub(crate) fragmentation: Reading<Quantity>,
}

/// Returns the statistics of the live process's allocator; of several, those with the smallest largest free block.
/// `None` if no live process with an agent has the chip open.
pub(crate) fn geometry(
    joined: &Joined<'_>,
    chip: &JoinedChip,
    kind: AllocatorKind,
) -> Option<Geometry> {
    let (file, segment, allocator) = main(joined, chip, kind)?;
    let held = allocator.kind(kind);
    // Statistics from before the last change have their own age; those that still hold are as fresh as the copy.
    let read = joined.facts.time.micros_since(file.read_at);
    let statistics_age =
        held.statistics.map_or(0, |statistics| age(joined.facts, segment, statistics.time));
    let free = figures::free(segment, allocator, kind);
    let age = if free.is_some_and(|(_, is_present)| is_present) { read } else { statistics_age };
    let given = held.statistics.zip(free).map(|(statistics, ((free, largest_free), _))| Given {
        total: statistics.total,
        free,
        largest_free,
    });
    let given = given.ok_or_else(|| figures::not_asked(segment, allocator));
    Some(of_main(held.banks, given, age))
}

/// Bytes that each bank of a memory has for its allocators on a chip, and the number of banks: of L1 all bytes of a core,
/// of DRAM what allocators hand out and the trace region. `None` if no live process with an agent has the chip open.
pub(crate) fn bank_bytes(
    joined: &Joined<'_>,
    chip: &JoinedChip,
    memory: MemorySpace,
) -> Option<(u64, u64)> {
    let (kind, set_aside) = match memory {
        MemorySpace::Dram => (AllocatorKind::Dram, AllocatorKind::Trace),
        MemorySpace::L1 => (AllocatorKind::L1, AllocatorKind::L1Small),
    };
    let (_, _, allocator) = main(joined, chip, kind)?;
    let held = allocator.kind(kind);
    let handed_out = || {
        let set_aside =
            allocator.kind(set_aside).statistics.map_or(0, |statistics| statistics.total);
        Some(held.statistics?.total.saturating_add(set_aside))
    };
    let core = allocator.l1_size.filter(|_| memory == MemorySpace::L1);
    let bytes = core.or_else(handed_out)?;
    (held.banks > 0).then_some((bytes, held.banks))
}

/// The allocator whose statistics [`geometry`] returns, with its segment.
pub(crate) fn main<'a>(
    joined: &Joined<'a>,
    chip: &JoinedChip,
    kind: AllocatorKind,
) -> Option<(&'a SegmentFile, &'a Segment, &'a Allocator)> {
    let mains = mains(joined, chip).map(|(_, file, segment, allocator)| (file, segment, allocator));
    mains.min_by_key(|(_, _, one)| {
        one.kind(kind).statistics.map_or(u64::MAX, |statistics| statistics.largest_free)
    })
}

/// The main allocators of the live processes with an agent on a chip, each with its process and segment.
fn mains<'a>(
    joined: &Joined<'a>,
    chip: &JoinedChip,
) -> impl Iterator<Item = (Pid, &'a SegmentFile, &'a Segment, &'a Allocator)> {
    chip.agents.iter().filter_map(|link| {
        let Owner::Live(pid) = joined.segment_owner(link.segment) else { return None };
        let file = &joined.facts.segments[link.segment];
        let segment = trusted(file).ok()?;
        Some((pid, file, segment, main_allocator(segment, link.chip)?))
    })
}

/// The number of DRAM banks that the chip has in each live process with an agent. It is the hardware's: processes that
/// differ have different chips.
pub(crate) fn dram_banks(joined: &Joined<'_>, chip: &JoinedChip) -> BTreeMap<Pid, u64> {
    let banks = mains(joined, chip)
        .map(|(pid, _, _, allocator)| (pid, allocator.kind(AllocatorKind::Dram).banks));
    banks.filter(|(_, banks)| *banks > 0).gather()
}

/// Bytes of one bank as TT-Metal's allocator gave them, or as they follow from that.
struct Given {
    total: u64,
    free: u64,
    largest_free: u64,
}

fn of_main(banks: u64, given: Field<Given>, age: u64) -> Geometry {
    let Given { total, free, largest_free } = match given {
        Ok(given) => given,
        Err(missing) => {
            return Geometry {
                banks: Reading::exact(banks, SourceName::Agent),
                allocatable: missing.clone().into(),
                largest_free: missing.clone().into(),
                fragmentation: missing.into(),
            };
        }
    };
    let exact = |bytes| Reading::exact(bytes, SourceName::Agent).aged(age);
    let fragmentation = if free == 0 {
        Missing::unsupported("nothing is free").into()
    } else {
        Reading::exact(Quantity(scattered(free, largest_free)), SourceName::Agent).aged(age)
    };
    Geometry {
        banks: Reading::exact(banks, SourceName::Agent),
        allocatable: exact(total.saturating_mul(banks)),
        largest_free: exact(largest_free),
        fragmentation,
    }
}

/// The share of the free bytes outside the largest free block, to a thousandth.
fn scattered(free: u64, largest: u64) -> f64 {
    let outside = u128::from(free.saturating_sub(largest)) * 1000 / u128::from(free.max(1));
    f64::from(u32::try_from(outside).unwrap_or(1000)) / 1000.0
}

impl Limits {
    /// The most that a chip can hold in a memory.
    fn most(&self, region: MemorySpace) -> u64 {
        match region {
            MemorySpace::Dram => self.dram,
            MemorySpace::L1 => self.l1,
        }
    }
}
