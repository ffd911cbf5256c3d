//! The allocator's buffers in L1, as agents list them: the bytes that they take of each core.
//!
//! They are known if every process on the chip has an agent that lists all of its buffers. The union of circular buffers
//! and tensors is then known too; their sum would count a tensor that is a circular buffer twice.

use ttmem_model::Arch;
use ttmem_model::facts::{Field, L1Content, L1Facts};
use ttmem_model::l1::{
    BankBuffers, Buffer, Buffers, ByteRange, Coordinate, Count, RangeSet, bank_grid,
};
use ttmem_model::order;
use ttmem_model::reading::Missing;
use ttmem_segment::{Allocator, AllocatorKind, Segment};

use super::super::agent::{AgentLink, all_have_agents, open_allocators, trusted};
use super::super::join::{Joined, JoinedChip, Owner};
use super::super::memory::Amounts;
use super::total_of;
use crate::figures::not_asked;

/// The buffers in the L1 of a chip.
pub(crate) fn buffers(
    joined: &Joined<'_>,
    chip: &JoinedChip,
    amounts: &Amounts,
) -> Field<BankBuffers> {
    let l1 = joined.l1(chip).ok_or_else(|| Missing::not_read("L1 was not read"))?;
    let content = l1.content.as_ref().map_err(Clone::clone)?;
    if !all_have_agents(joined, chip, &amounts.held) {
        return Err(Missing::no_source(
            "which bytes the L1 tensors hold is known to an agent alone: start the process with ttmem run",
        ));
    }
    let mut banks = Banks::default();
    for link in &chip.agents {
        if matches!(joined.segment_owner(link.segment), Owner::Live(_)) {
            let segment = trusted(&joined.facts.segments[link.segment])?;
            banks.add(segment, *link)?;
        }
    }
    let worker = content.cores.iter().find_map(|core| core.grid);
    let worker = worker.ok_or_else(|| Missing::failed("no core says how many there are"))?;
    let arch = l1.arch.unwrap_or(Arch::Wormhole);
    let grid = bank_grid(worker, banks.number, arch, &system_cores(l1, content));
    let grid = grid.ok_or_else(|| {
        let [columns, rows]: [u8; 2] = worker.into();
        Missing::unsupported(format!(
            "which of {columns} × {rows} cores are the allocator's {} banks is not known",
            banks.number
        ))
    })?;
    let Buffers { l1_small_bytes, buffers } = banks.buffers;
    let buffers = Buffers { l1_small_bytes, buffers: without_overlap(buffers) };
    Ok(BankBuffers { buffers, grid })
}

/// Removes the names of buffers that overlap, as those of two processes on a chip may. Their bytes stay.
pub(super) fn without_overlap(mut buffers: Vec<Buffer>) -> Vec<Buffer> {
    order::sort_by_key(&mut buffers, |buffer| buffer.range.start);
    let mut pairs = buffers.iter().zip(buffers.iter().skip(1));
    if pairs.all(|(one, next)| one.range.end <= next.range.start) {
        return buffers;
    }
    let union: RangeSet = buffers.iter().map(|buffer| buffer.range).collect();
    let nameless = |range: &ByteRange| Buffer { range: *range, label: String::new() };
    union.ranges().iter().map(nameless).collect()
}

/// The banks of a chip, as its agents report them.
#[derive(Default)]
pub(super) struct Banks {
    pub(super) number: u64,
    /// Live buffers in L1, as counted.
    pub(super) live_buffers: u64,
    pub(super) buffers: Buffers,
}

impl Banks {
    /// Adds the buffers of a segment.
    pub(super) fn add(&mut self, segment: &Segment, link: AgentLink) -> Field<()> {
        if segment.losses.buffers_dropped > 0 || segment.losses.torn > 0 {
            return Err(Missing::failed("the agent's list of buffers is not whole"));
        }
        for allocator in open_allocators(segment, link.chip) {
            self.add_allocator(segment, allocator)?;
        }
        Ok(())
    }

    fn add_allocator(&mut self, segment: &Segment, allocator: &Allocator) -> Field<()> {
        let of_kind = |kind| allocator.kind(kind);
        let (l1, small) = (of_kind(AllocatorKind::L1), of_kind(AllocatorKind::L1Small));
        if !allocator.role.has_all_banks() {
            let name = allocator.role.as_str();
            return match l1.live_buffers.saturating_add(small.live_buffers) {
                0 => Ok(()),
                _ => Err(Missing::unsupported(format!(
                    "a {name} allocator holds L1, and has cores of its own"
                ))),
            };
        }
        if l1.banks > 0 && self.number > 0 && l1.banks != self.number {
            return Err(Missing::unsupported("processes on the chip have different L1 banks"));
        }
        self.number = self.number.max(l1.banks);
        self.live_buffers = self.live_buffers.saturating_add(l1.live_buffers);
        let set_aside = match (small.banks, small.statistics) {
            (0, _) => 0,
            (_, Some(statistics)) => statistics.total,
            (_, None) => return Err(not_asked(segment, allocator)),
        };
        self.buffers.l1_small_bytes = self.buffers.l1_small_bytes.max(set_aside);
        let own = segment.buffers.iter().filter(|buffer| buffer.allocator == allocator.index);
        let in_l1 =
            own.filter(|buffer| matches!(buffer.kind, AllocatorKind::L1 | AllocatorKind::L1Small));
        self.buffers.buffers.extend(in_l1.map(|buffer| {
            let end = buffer.address.saturating_add(buffer.bytes_per_bank);
            let name = buffer.op.as_ref().map(|op| op.name.to_string()).unwrap_or_default();
            Buffer { range: ByteRange::new(buffer.address, end), label: name }
        }));
        Ok(())
    }
}

/// Returns the cores that are known to run TT-Metal's own kernels.
fn system_cores(l1: &L1Facts, content: &L1Content) -> Vec<Coordinate> {
    let Ok(names) = &l1.names else { return Vec::new() };
    let system = content.cores.iter().filter(|core| names.is_system_core(core) == Some(true));
    system.filter_map(|core| core.logical).collect()
}

/// Returns the bytes that circular buffers share with buffers, and the bytes in use of any kind.
pub(super) fn shared_and_used(
    content: &L1Content,
    buffers: &BankBuffers,
) -> (Field<u64>, Field<u64>) {
    let (shared, used): (Vec<Count>, Vec<Count>) =
        shared_and_used_by_core(content, buffers).unzip();
    (total_of(&content.cores, shared), total_of(&content.cores, used))
}

/// Returns [`shared_and_used`] of each core, in the order of the cores.
pub(crate) fn shared_and_used_by_core(
    content: &L1Content,
    buffers: &BankBuffers,
) -> impl Iterator<Item = (Count, Count)> {
    content.cores.iter().map(|core| {
        let map = buffers.map(core, &content.geometry);
        (map.aliasing_bytes().clone(), map.used_bytes().clone())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_that_overlap_keep_their_bytes() {
        let buffer = |start, end, label: &str| Buffer {
            range: ByteRange::new(start, end),
            label: label.to_owned(),
        };
        let apart = vec![buffer(20, 30, "b"), buffer(10, 20, "a")];
        let sorted = vec![buffer(10, 20, "a"), buffer(20, 30, "b")];
        assert_eq!(without_overlap(apart), sorted);
        let twice = vec![buffer(20, 30, "b"), buffer(10, 21, "a"), buffer(40, 50, "c")];
        assert_eq!(without_overlap(twice), [buffer(10, 30, ""), buffer(40, 50, "")]);
    }
}
