//! Slots, rows and totals of memory regions, as far as they count for one chip.

use ttmem_model::facts::{Field, RegionBytes, RegionChip, RegionContent, RegionFile, RegionSlot};
use ttmem_model::reading::{Missing, Quality, checked_sum};
use ttmem_model::{AllocatorKind, Kind};

use super::super::join::{Joined, JoinedChip, Owner};
use super::Limits;

/// A slot of a region that counts for a chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotLink {
    /// The index of the region in the facts.
    pub(crate) region: usize,
    /// The row of the chip, if it has no region of its own.
    pub(crate) row: Option<usize>,
    /// The index of the slot in the region's content.
    pub(crate) slot: usize,
}

impl SlotLink {
    /// Returns the region, the slot, and its bytes of a kind that count for the chip: of circular buffers if no
    /// allocator hands out the kind.
    pub(crate) fn read<'a>(
        self,
        joined: &Joined<'a>,
        chip: &JoinedChip,
        kind: Kind,
    ) -> Option<(&'a RegionFile, &'a RegionSlot, Field<u64>)> {
        let region = joined.facts.regions.get(self.region)?;
        let content = region.content.as_ref().ok()?;
        let slot = content.slots.get(self.slot)?;
        let limits = Limits::of(joined, chip);
        let bytes = match kind.allocator() {
            Some(kind) => Share::of(content, self.row).checked(slot, kind, &limits),
            None => limits.check(kind, slot.bytes.circular_buffers),
        };
        Some((region, slot, bytes))
    }
}

/// Divides the figures of a region's slots between the chip it is named after and the chips behind that.
pub(super) enum Share<'a> {
    /// Slots that count this chip alone.
    Alone,
    /// One slot for all the chips: the row of this chip is its share.
    Row(&'a RegionBytes),
    /// Slots that count all the chips together.
    Unknown,
}

impl<'a> Share<'a> {
    /// `row` names the row of a chip that has no region of its own.
    pub(super) fn of(content: &'a RegionContent, row: Option<usize>) -> Self {
        let together = slots_speak_for_all_rows(content);
        let own = match row {
            Some(row) => content.chips.get(row),
            None => content.chips.iter().find(|chip| !chip.remote),
        };
        match (row, own) {
            (None, _) if !together => Self::Alone,
            (_, Some(own)) if together && content.slots.len() == 1 => Self::Row(&own.bytes),
            _ => Self::Unknown,
        }
    }

    pub(super) fn checked(
        &self,
        slot: &RegionSlot,
        kind: AllocatorKind,
        limits: &Limits,
    ) -> Field<u64> {
        limits.check(kind.into(), self.of_slot(slot, kind)?)
    }

    pub(super) fn of_slot(&self, slot: &RegionSlot, kind: AllocatorKind) -> Field<u64> {
        let bytes = match self {
            Self::Alone => &slot.bytes,
            Self::Row(row) => row,
            Self::Unknown => {
                return Err(Missing::no_source(
                    "the region gives one figure for this chip and those behind it",
                ));
            }
        };
        Ok(bytes.allocators()[kind])
    }
}

/// True if a region's slots add up to the rows of its own and of remote chips, and the latter hold something.
fn slots_speak_for_all_rows(content: &RegionContent) -> bool {
    let remote = content.chips.iter().filter(|chip| chip.remote);
    if remote.clone().all(|chip| chip.bytes.is_empty()) {
        return false;
    }
    let rows = content.chips.iter().map(|chip| &chip.bytes);
    let slots = content.slots.iter().map(|slot| &slot.bytes);
    AllocatorKind::ALL.into_iter().all(|kind| {
        let sum = sum_of(slots.clone(), kind);
        sum.is_some() && sum == sum_of(rows.clone(), kind)
    })
}

/// Adds up the bytes of a kind; `None` above 2^64.
pub(crate) fn sum_of<'a>(
    mut parts: impl Iterator<Item = &'a RegionBytes>,
    kind: AllocatorKind,
) -> Option<u64> {
    parts.try_fold(0_u64, |sum, bytes| sum.checked_add(bytes.allocators()[kind]))
}

/// The total of a chip that is counted in rows, where its slots do not say it.
pub(super) fn row_total(
    joined: &Joined<'_>,
    chip: &JoinedChip,
    kind: AllocatorKind,
    limits: &Limits,
) -> Option<Field<u64>> {
    match counted_row(joined, chip)? {
        None => Some(Ok(0)),
        Some((_, own)) => Some(limits.check(kind.into(), own.bytes.allocators()[kind])),
    }
}

/// The row that counts for a chip, with its region; `Some(None)` if no process of the region lives. `None` if the chip
/// is not counted in rows.
pub(crate) fn counted_row<'a>(
    joined: &Joined<'a>,
    chip: &JoinedChip,
) -> Option<Option<(&'a RegionFile, &'a RegionChip)>> {
    let (region, row) = match chip.row {
        Some((region, row)) => (region, Some(row)),
        None => (chip.regions.first()?.region, None),
    };
    let file = joined.facts.regions.get(region)?;
    let content = file.content.as_ref().ok()?;
    if row.is_none() && !slots_speak_for_all_rows(content) {
        return None;
    }
    if joined.owners_of(region).iter().all(Owner::is_gone) {
        return Some(None);
    }
    let own = match row {
        Some(row) => content.chips.get(row)?,
        None => content.chips.iter().find(|chip| !chip.remote)?,
    };
    Some(Some((file, own)))
}

/// Circular buffers as the regions report them for the whole chip.
pub(super) fn reported(
    joined: &Joined<'_>,
    chip: &JoinedChip,
    limits: &Limits,
) -> (Field<u64>, Quality) {
    let alive = joined.slots(chip).iter().any(|(_, owner)| !owner.is_gone());
    let quality = if alive { Quality::HighWater } else { Quality::Stale };
    let quality = if chip.row.is_some() { Quality::HighWater } else { quality };
    let checked = |(_, _, bytes)| limits.check(Kind::CircularBuffers, bytes);
    (checked_sum(reported_by(joined, chip).into_iter().map(checked)), quality)
}

/// The regions that report circular buffers of a chip, with the part of the region and its bytes.
pub(crate) fn reported_by<'a>(
    joined: &Joined<'a>,
    chip: &JoinedChip,
) -> Vec<(&'a RegionFile, &'static str, u64)> {
    if let Some((region, row)) = chip.row {
        let file = joined.facts.regions.get(region);
        let of_row = |file: &'a RegionFile| {
            let row = file.content.as_ref().ok()?.chips.get(row)?;
            Some((file, "row of the chip", row.bytes.circular_buffers))
        };
        return file.and_then(of_row).into_iter().collect();
    }
    let of_total = |(file, _): (&'a RegionFile, _)| {
        let content = file.content.as_ref().ok()?;
        Some((file, "total of the region", content.totals.circular_buffers))
    };
    joined.regions(chip).filter_map(of_total).collect()
}
