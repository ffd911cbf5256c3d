//! Files that ended runs left: regions and segments that name no known chip.

use ttmem_model::facts::{Facts, RegionFile};

use super::Joined;
use super::chip::{JoinedChip, Origin};
use super::owner::Owner;

/// True if only files of ended processes name a chip. A run on a mock device or a simulator leaves its memory region, and if it
/// was killed its agent's segment.
pub(super) fn is_left(
    facts: &Facts,
    owners: &[Vec<Owner>],
    segment_owners: &[Owner],
    chip: &JoinedChip,
) -> bool {
    chip.origin == Origin::Unmatched
        && chip.l1.is_none()
        && chip.regions.iter().all(|link| is_stale(facts, owners, link.region))
        && chip
            .agents
            .iter()
            .all(|link| segment_owners.get(link.segment).is_some_and(Owner::is_gone))
}

/// True if a region has no living process. One that cannot be read may have one. A process is counted as it attaches and takes
/// a slot at its first allocation: if more are counted than have slots, one without may live. A killed one stays
/// counted, and so does its slot.
fn is_stale(facts: &Facts, owners: &[Vec<Owner>], region: usize) -> bool {
    let Some(Ok(content)) = facts.regions.get(region).map(|region| &region.content) else {
        return false;
    };
    let slots = owners.get(region).map(Vec::as_slice).unwrap_or_default();
    let attached = usize::try_from(content.reference_count).unwrap_or(usize::MAX);
    slots.iter().all(Owner::is_gone) && attached <= slots.len() && content.releasing == 0
}

/// The memory regions that belong to no device and list no living process. One may be attached that has not allocated yet.
#[must_use]
pub fn regions_left(facts: &Facts) -> Vec<&RegionFile> {
    let joined = Joined::new(facts);
    if facts.processes_outside {
        return Vec::new();
    }
    let of_no_device = joined.chips.iter().chain(&joined.left);
    let of_no_device = of_no_device.filter(|chip| chip.origin == Origin::Unmatched);
    let regions = of_no_device.flat_map(|chip| chip.regions.iter().map(|link| link.region));
    let is_left = |region: &usize| joined.owners_of(*region).iter().all(Owner::is_gone);
    let files = regions.filter(is_left).filter_map(|region| facts.regions.get(region));
    files.filter(|file| file.content.is_ok()).collect()
}
