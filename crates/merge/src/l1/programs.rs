//! L1 of a chip as the agent in its only process recorded it: no device is opened.
//!
//! A core of the grid has the circular buffers and kernels of the program that was dispatched there last, and the
//! allocator's buffers at the same addresses as every other core. Cores outside the grid run TT-Metal's own kernels: only
//! their reserved memory is counted.

use ttmem_model::facts::{Field, SegmentFile};
use ttmem_model::l1::{ByteRange, Core, CoreState, RangeSet};
use ttmem_model::order;
use ttmem_model::reading::{Missing, Quality, Reading, SourceName};
use ttmem_model::snapshot::{CircularBufferMemory, KernelMemory, ReservedMemory};
use ttmem_segment::{Hook, PartKind, ProgramFootprint, Segment};

use super::super::agent::{AgentLink, all_have_agents, main_allocator, trusted};
use super::super::join::{Joined, JoinedChip, Owner};
use super::super::memory::Amounts;
use super::Resident;
use super::tensors::{Banks, without_overlap};

/// The most columns or rows of a grid. A segment with a larger one is refused.
const MAX_SIDE: u32 = 64;

/// Returns the contents of a chip's L1; `None` if no living process with an agent has it open.
pub(crate) fn resident(
    joined: &Joined<'_>,
    chip: &JoinedChip,
    amounts: &Amounts,
    capacity: &Reading<u64>,
) -> Option<Field<Resident>> {
    let found = by_core(joined, chip, amounts)?;
    Some(found.map(|(file, cores)| {
        let age = joined.facts.time.micros_since(file.read_at);
        readings(&cores, cores.outside(capacity), amounts, age)
    }))
}

/// The bytes in L1 of each core of a chip, and the segment that they are taken from. `None` as of [`resident`].
pub(crate) fn by_core<'a>(
    joined: &Joined<'a>,
    chip: &JoinedChip,
    amounts: &Amounts,
) -> Option<Field<(&'a SegmentFile, CoresByAgent)>> {
    let Placing { agent, others, is_only } = placing(joined, chip, amounts)?;
    Some(is_only.and_then(|()| {
        let cores = of_segment(agent, &others)?;
        Ok((agent.file, cores))
    }))
}

/// The agent whose programs are in L1 of a chip.
pub(super) struct Placing<'a> {
    /// The agent whose process ran programs, or any if none did: then no program is in L1.
    pub(super) agent: LiveAgent<'a>,
    /// The other agents: their buffers are in L1 too.
    pub(super) others: Vec<LiveAgent<'a>>,
    /// `Ok` if no other process can have run programs.
    pub(super) is_only: Field<()>,
}

/// Returns the agent whose programs are in L1 of a chip; `None` if no living process with an agent has the chip open, or
/// it is not known whether one ran programs. A process that has closed the chip left nothing.
pub(super) fn placing<'a>(
    joined: &Joined<'a>,
    chip: &JoinedChip,
    amounts: &Amounts,
) -> Option<Placing<'a>> {
    let ran = |agent: &LiveAgent<'_>| agent.segment.programs.dispatched > 0;
    let is_idle = |agent: &LiveAgent<'_>| {
        let header = &agent.segment.header;
        let is_hooked = header.hooks_resolved.contains(Hook::EnqueueWorkload);
        is_hooked && header.counts.workloads_enqueued == 0
    };
    let is_open = |agent: &LiveAgent<'_>| main_allocator(agent.segment, agent.link.chip).is_some();
    let all = live_agents(joined, chip);
    let mut open: Vec<LiveAgent<'a>> = all.iter().copied().filter(is_open).collect();
    order::sort_by_key(&mut open, |agent| !ran(agent));
    if !open.iter().any(ran) && !open.iter().all(is_idle) {
        // Its programs were not read, or TT-Metal has no function that shows when they run.
        return None;
    }
    if open.is_empty() {
        open.extend(all.into_iter().find(ran));
    }
    let others = open.split_off(open.len().min(1));
    let agent = open.pop()?;
    let other = others.first().filter(|other| ran(other));
    Some(Placing { agent, is_only: only(joined, chip, amounts, other), others })
}

/// The agent of a live process on a chip.
#[derive(Clone, Copy)]
pub(super) struct LiveAgent<'a> {
    pub(super) file: &'a SegmentFile,
    pub(super) segment: &'a Segment,
    pub(super) link: AgentLink,
}

/// Returns the usable agents of a chip whose processes live.
fn live_agents<'a>(joined: &Joined<'a>, chip: &JoinedChip) -> Vec<LiveAgent<'a>> {
    let agent = |link: &AgentLink| {
        let file = joined.facts.segments.get(link.segment)?;
        let segment = trusted(file).ok()?;
        let is_live = matches!(joined.segment_owner(link.segment), Owner::Live(_));
        is_live.then_some(LiveAgent { file, segment, link: *link })
    };
    chip.agents.iter().filter_map(agent).collect()
}

/// Checks that no process but one can have run programs on a chip.
fn only(
    joined: &Joined<'_>,
    chip: &JoinedChip,
    amounts: &Amounts,
    other: Option<&LiveAgent<'_>>,
) -> Field<()> {
    if other.is_some() {
        let why = "several processes ran programs on the chip, and their agents do not know whose was last";
        return Err(Missing::unsupported(why));
    }
    if !all_have_agents(joined, chip, &amounts.held) {
        let why = "another process without an agent may have run programs: start it with ttmem run";
        return Err(Missing::no_source(why));
    }
    Ok(())
}

/// The bytes in L1 of the cores of the grid.
pub(crate) struct CoresByAgent {
    /// Reserved bytes of each core.
    pub(crate) base: u64,
    /// Bytes of L1 of each core.
    size: u64,
    /// Address of the lowest L1 buffer, or the end of L1.
    pub(crate) lowest: u64,
    pub(crate) cores: Vec<CoreByAgent>,
}

/// The bytes in L1 of a core.
pub(crate) struct CoreByAgent {
    /// Column and row in logical coordinates.
    pub(crate) core: (u16, u16),
    pub(crate) circular_buffers: u64,
    pub(crate) aliasing: u64,
    /// `None` if the release does not report the length of kernel text.
    pub(crate) kernels: Option<u64>,
    pub(crate) used: u64,
    /// Bytes between the end of what its last program placed, or of reserved memory, and the lowest L1 buffer, or the end
    /// of L1.
    pub(crate) headroom: u64,
    /// True if a dataflow buffer is counted with the bytes of the tensor whose memory it is: it may be smaller.
    is_inferred: bool,
    /// True if such a buffer is at an address without a live tensor.
    is_used_inferred: bool,
}

impl CoresByAgent {
    /// The number of cores outside the grid, where the capacity of L1 is known.
    pub(crate) fn outside(&self, capacity: &Reading<u64>) -> Option<u64> {
        let capacity = capacity.value().copied();
        capacity
            .filter(|capacity| self.size > 0 && capacity.is_multiple_of(self.size))
            .and_then(|capacity| (capacity / self.size).checked_sub(self.cores.len() as u64))
    }

    fn sum(&self, of: impl Fn(&CoreByAgent) -> u64) -> u64 {
        self.cores.iter().map(of).fold(0, u64::saturating_add)
    }
}

/// The L1 of a chip as its allocator and its buffers divide it.
pub(super) struct Division {
    /// Bytes of each core that the allocator does not hand out.
    pub(super) base: u64,
    /// Bytes of L1 of each core.
    pub(super) size: u64,
    /// Columns and rows of the worker cores.
    pub(super) grid: (u32, u32),
    pub(super) banks: Banks,
}

/// Returns the division of L1 by the allocator of an agent, with the buffers of others.
pub(super) fn division(agent: LiveAgent<'_>, others: &[LiveAgent<'_>]) -> Field<Division> {
    let LiveAgent { segment, link, .. } = agent;
    let unknown =
        |what: &str| Missing::unsupported(format!("this release of TT-Metal does not say {what}"));
    let allocator = main_allocator(segment, link.chip)
        .ok_or_else(|| Missing::failed("the chip has no open allocator"))?;
    let base = allocator.l1_base.ok_or_else(|| unknown("where L1 that it hands out begins"))?;
    let size = allocator.l1_size.ok_or_else(|| unknown("how large L1 is"))?;
    let grid = allocator.grid.ok_or_else(|| unknown("how many worker cores there are"))?;
    let (columns, rows) = (grid.0.min(MAX_SIDE), grid.1.min(MAX_SIDE));
    let mut banks = Banks::default();
    banks.add(segment, link)?;
    others.iter().try_for_each(|other| banks.add(other.segment, other.link))?;
    if banks.buffers.buffers.is_empty() && banks.live_buffers > 0 {
        return Err(Missing::not_read("the agent's list of buffers was not read"));
    }
    if banks.number != u64::from(columns) * u64::from(rows) {
        return Err(Missing::unsupported(format!(
            "which of {columns} × {rows} cores are the allocator's {} banks is not known",
            banks.number
        )));
    }
    Ok(Division { base, size, grid: (columns, rows), banks })
}

fn of_segment(agent: LiveAgent<'_>, others: &[LiveAgent<'_>]) -> Field<CoresByAgent> {
    let Division { base, size, grid: (columns, rows), banks } = division(agent, others)?;
    let LiveAgent { segment, link, .. } = agent;
    let small = ByteRange::new(size.saturating_sub(banks.buffers.l1_small_bytes), size);
    let lowest = lowest_buffer(&banks, small).unwrap_or(size);
    let tensors: RangeSet =
        without_overlap(banks.buffers.buffers).iter().map(|buffer| buffer.range).collect();
    let always: RangeSet = [ByteRange::new(0, base), small].into_iter().collect();
    let always = always.union(&tensors);

    let programs = &segment.programs;
    let newest_first = programs.newest_first(link.chip);
    let of_core = |core| {
        let resident = resident_on(segment, &newest_first, link.chip, core)?;
        let buffers =
            resident.map_or_else(RangeSet::default, |footprint| circular_buffers(footprint, core));
        let all = resident.map_or_else(RangeSet::default, |footprint| placements(footprint, core));
        let end = resident.and_then(|footprint| footprint.end_on(core));
        let borrowed =
            resident.map_or_else(RangeSet::default, |footprint| borrowed(footprint, core));
        Ok(CoreByAgent {
            core,
            circular_buffers: buffers.bytes(),
            aliasing: buffers.intersection(&tensors).bytes(),
            kernels: resident.map_or(Some(0), |footprint| footprint.kernel_text_on(core)),
            used: always.union(&all).bytes(),
            headroom: lowest.saturating_sub(end.map_or(base, |end| end.max(base))),
            is_inferred: borrowed.bytes() > 0,
            is_used_inferred: borrowed.intersection(&tensors).bytes() < borrowed.bytes(),
        })
    };
    let cores = cores(columns, rows).map(of_core).collect::<Field<_>>()?;
    Ok(CoresByAgent { base, size, lowest, cores })
}

/// Address of the lowest L1 buffer. Those in L1_SMALL limit no program.
fn lowest_buffer(banks: &Banks, small: ByteRange) -> Option<u64> {
    let starts = banks.buffers.buffers.iter().map(|buffer| buffer.range.start);
    starts.filter(|start| *start < small.start).min()
}

pub(super) fn cores(columns: u32, rows: u32) -> impl Iterator<Item = (u16, u16)> {
    let side = |length: u32| 0..u16::try_from(length).unwrap_or(0);
    side(rows).flat_map(move |y| side(columns).map(move |x| (x, y)))
}

/// The program whose buffers are on a core.
pub(super) fn resident_on<'a>(
    segment: &Segment,
    newest_first: &[&'a ProgramFootprint],
    chip: usize,
    core: (u16, u16),
) -> Field<Option<&'a ProgramFootprint>> {
    let found = newest_first.iter().find(|footprint| footprint.is_on(core)).copied();
    let programs = &segment.programs;
    let cleared = programs.cleared.get(chip).copied().unwrap_or(0);
    let newest = found.map_or(0, |footprint| footprint.last_dispatch);
    if programs.losses.last_unknown_dispatch > cleared.max(newest) {
        return Err(Missing::failed(segment.unknown_programs()));
    }
    match found {
        Some(footprint) if footprint.is_torn => {
            Err(Missing::failed("a program was being recorded while the segment was read"))
        }
        found => Ok(found),
    }
}

fn readings(by_core: &CoresByAgent, outside: Option<u64>, amounts: &Amounts, age: u64) -> Resident {
    let reading = |field: Field<u64>, is_inferred: bool| {
        let quality = if is_inferred { Quality::Inferred } else { Quality::Exact };
        Reading::from_field(field, SourceName::Agent, quality).aged(age)
    };
    let exact = |field| reading(field, false);
    let is_inferred = by_core.cores.iter().any(|core| core.is_inferred);
    let is_used_inferred = by_core.cores.iter().any(|core| core.is_used_inferred);
    let running = || -> Reading<u64> {
        Missing::not_read("which programs run at this moment is known to L1 alone").into()
    };
    let text = by_core.cores.iter().map(|core| core.kernels);
    let text = text.reduce(|sum, text| Some(sum?.saturating_add(text?))).unwrap_or(Some(0));
    let kernels = text.ok_or_else(|| {
        Missing::unsupported("this release of TT-Metal does not publish the length of kernel text")
    });
    let (base, grid_cores) = (by_core.base, by_core.cores.len() as u64);
    let cores = outside.map(|outside| (outside, grid_cores.saturating_add(outside)));
    let cores = cores.ok_or_else(|| Missing::no_source("the number of worker cores is not known"));
    let reserved = cores.clone().map(|(_, all)| base.saturating_mul(all));
    let used = cores.map(|(outside, _)| {
        by_core.sum(|core| core.used).saturating_add(base.saturating_mul(outside))
    });
    let least = by_core.cores.iter().map(|core| core.headroom).min();
    Resident {
        circular_buffers: CircularBufferMemory {
            used: reading(Ok(by_core.sum(|core| core.circular_buffers)), is_inferred),
            running: running(),
            reported: amounts.reported.clone(),
            aliasing: reading(Ok(by_core.sum(|core| core.aliasing)), is_inferred),
            headroom: exact(least.ok_or_else(|| Missing::failed("the grid has no worker cores"))),
        },
        kernels: KernelMemory {
            used: exact(kernels),
            running: running(),
            system: Missing::not_read("kernels of TT-Metal's own are read from L1 alone").into(),
        },
        reserved: ReservedMemory { used: exact(reserved) },
        total_used: reading(used, is_used_inferred),
    }
}

/// Nanoseconds since the newest dispatch after which L1 and the agent are compared.
const SETTLED_NS: u64 = 1_000_000_000;

/// A difference between the circular buffers in L1 and those that the agent recorded.
pub(crate) struct Difference {
    /// Column and row of the first such core, in logical coordinates.
    pub(crate) core: (u16, u16),
    /// Bytes of circular buffers in L1 of that core.
    pub(crate) read: u64,
    /// Bytes by the agent.
    pub(crate) recorded: u64,
    /// The number of such cores.
    pub(crate) cores: u64,
}

/// Compares L1 with what an agent recorded, core by core. `None` if they agree, or cannot be compared: L1 or the agent was
/// not read, or a program was dispatched just before.
pub(crate) fn difference(joined: &Joined<'_>, chip: &JoinedChip) -> Option<Difference> {
    let l1 = joined.l1(chip)?;
    let content = l1.content.as_ref().ok()?;
    let mut live = chip.agents.iter().filter_map(|link| {
        let is_live = matches!(joined.segment_owner(link.segment), Owner::Live(_));
        let segment = trusted(&joined.facts.segments[link.segment]).ok()?;
        (is_live && segment.programs.dispatched > 0).then_some((segment, link.chip))
    });
    let (Some((segment, index)), None) = (live.next(), live.next()) else { return None };
    let programs = &segment.programs;
    let newest = programs.dispatches.last()?.time;
    let read_at = l1.read_at.0.saturating_mul(1000);
    if segment.header.to_real_time(newest).saturating_add(SETTLED_NS) > read_at {
        return None;
    }
    let newest_first = programs.newest_first(index);
    let differs = |core: &Core| {
        let logical = core.logical?;
        let position = (u16::from(logical.x), u16::from(logical.y));
        let recorded = resident_on(segment, &newest_first, index, position).ok()??;
        let recorded: RangeSet = circular_buffers(recorded, position);
        let read = core.circular_buffers();
        (core.state != CoreState::Torn && read != recorded)
            .then(|| (position, read.bytes(), recorded.bytes()))
    };
    let mut differences = content.cores.iter().filter_map(differs);
    let (core, read, recorded) = differences.next()?;
    Some(Difference { core, read, recorded, cores: 1 + differences.count() as u64 })
}

/// Returns the bytes of a program's circular buffers on a core. L1 lists these, and no scratchpads.
fn circular_buffers(footprint: &ProgramFootprint, core: (u16, u16)) -> RangeSet {
    let own = footprint.circular_buffers_on(core);
    own.map(|placement| ByteRange::new(placement.address, placement.end())).collect()
}

/// Returns the bytes of a program's dataflow buffers on a core that are the memory of tensors.
fn borrowed(footprint: &ProgramFootprint, core: (u16, u16)) -> RangeSet {
    let own = footprint.circular_buffers_on(core);
    let own = own.filter(|it| it.is_backed && it.kind == PartKind::DataflowBuffer);
    own.map(|placement| ByteRange::new(placement.address, placement.end())).collect()
}

/// Returns the bytes of a program's circular buffers and scratchpads on a core.
fn placements(footprint: &ProgramFootprint, core: (u16, u16)) -> RangeSet {
    let own = footprint.placements_on(core);
    own.iter().map(|placement| ByteRange::new(placement.address, placement.end())).collect()
}
