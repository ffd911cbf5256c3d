//! Allocators of one chip that hand out the same addresses.
//!
//! A mesh and its submesh each have an allocator of the whole chip, and neither knows of the other's buffers (TT-Metal
//! 0.81.1): both place their first tensor at the same address. The bytes are used once, and one tensor overwrites the
//! other.

use ttmem_model::order;
use ttmem_segment::{Allocator, AllocatorKind, Buffer, Segment};

use super::open_allocators;

/// Two allocators with buffers on the same bytes of a chip.
#[derive(Clone, Copy, Debug)]
pub(super) struct Overlap<'a> {
    /// Bytes of all banks that are handed out more than once.
    pub(super) bytes: u64,
    /// The first two buffers that share bytes, each with its allocator.
    pub(super) buffers: [(&'a Buffer, &'a Allocator); 2],
}

/// Finds the bytes of a kind that more than one open allocator of a chip handed out. Needs the list of buffers; `None`
/// without it.
pub(super) fn overlap(segment: &Segment, chip: usize, kind: AllocatorKind) -> Option<Overlap<'_>> {
    // A sub-device's allocator has a range of its own inside that of its mesh, and a mesh knows what single cores hold.
    let allocators: Vec<&Allocator> =
        open_allocators(segment, chip).filter(|allocator| allocator.role.has_all_banks()).collect();
    if allocators.len() < 2 {
        return None;
    }
    let mut buffers: Vec<(&Buffer, &Allocator)> = segment
        .buffers
        .iter()
        .filter(|buffer| buffer.kind == kind && buffer.bytes_per_bank > 0)
        .filter_map(|buffer| {
            let own = allocators.iter().find(|allocator| allocator.index == buffer.allocator)?;
            Some((buffer, *own))
        })
        .collect();
    order::sort_by_key(&mut buffers, |(buffer, _)| buffer.address);
    let mut bytes = 0_u64;
    let mut first = None;
    let mut highest: Option<(u64, (&Buffer, &Allocator))> = None;
    for entry in buffers {
        let (buffer, allocator) = entry;
        let end = buffer.address.saturating_add(buffer.bytes_per_bank);
        if let Some((covered, before)) = highest
            && buffer.address < covered
        {
            let shared = covered.min(end) - buffer.address;
            let banks = allocator.kind(kind).banks.min(before.1.kind(kind).banks);
            bytes = bytes.saturating_add(shared.saturating_mul(banks));
            if before.1.index != allocator.index {
                first = first.or(Some([before, entry]));
            }
        }
        if highest.is_none_or(|(covered, _)| end > covered) {
            highest = Some((end, entry));
        }
    }
    first.map(|buffers| Overlap { bytes, buffers })
}
