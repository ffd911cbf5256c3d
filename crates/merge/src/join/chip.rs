//! The chips of a host: one for each device of the driver, one for each chip behind a device, one for each region
//! that belongs to neither.

use std::collections::BTreeSet;

use ttmem_model::facts::{Device, Facts, L1Location};
use ttmem_model::snapshot::{IdSource, JoinedBy};
use ttmem_model::{Board, ChipId};

use super::super::agent::{AgentLink, unique_id};

/// The distance of the ids of the two chips of an n300: the upper half counts the chips of a board (seen on a T3000
/// with TT-Metal 0.81.1: 0x2_6190302b and 0x3_6190302b).
pub(super) const NEXT_ON_BOARD: u64 = 1 << 32;

/// The origin of a chip. Devices are referenced by their index in the facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A chip with a PCIe function.
    Local { device: usize },
    /// A chip that is reached through the chip of a device.
    Remote { gateway: usize },
    /// A chip that only a region, an agent or the port to its L1 names.
    Unmatched,
}

/// A region of a chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// Index of the region in the facts.
    pub(crate) region: usize,
    /// The rule that joined them.
    pub(crate) joined_by: JoinedBy,
}

/// A chip and the regions that belong to it.
#[derive(Clone, Debug)]
pub(crate) struct JoinedChip {
    pub(crate) origin: Origin,
    pub(crate) id: ChipId,
    pub(crate) id_source: IdSource,
    pub(crate) index: u32,
    /// Several where containers have a `/dev/shm` of their own.
    pub(crate) regions: Vec<Link>,
    /// The region of its gateway and the row in it, if that is all there is of a remote chip.
    pub(crate) row: Option<(usize, usize)>,
    /// The chips of segments that it is.
    pub(crate) agents: Vec<AgentLink>,
    /// The index of its L1 in the facts.
    pub(crate) l1: Option<usize>,
}

impl JoinedChip {
    pub(crate) fn new(origin: Origin) -> Self {
        Self {
            origin,
            id: ChipId::Unknown(u32::MAX),
            id_source: IdSource::Bdf,
            index: 0,
            regions: Vec::new(),
            row: None,
            agents: Vec::new(),
            l1: None,
        }
    }
}

/// The board of a device, by its name or by its serial number.
pub(super) fn board_of(device: &Device) -> Option<&'static Board> {
    let by_name = device.card_type.as_ref().ok().and_then(|name| Board::by_name(name));
    by_name.or_else(|| Board::by_serial(*device.serial.as_ref().ok()?))
}

/// A chip for each device, followed by those that are reached through one.
pub(super) fn of_devices(facts: &Facts) -> Vec<JoinedChip> {
    let local = (0..facts.devices.len()).map(|device| Origin::Local { device });
    let remote = facts.devices.iter().enumerate().flat_map(|(gateway, device)| {
        let count = board_of(device).map_or(0, |board| usize::from(board.remote_asics));
        std::iter::repeat_n(Origin::Remote { gateway }, count)
    });
    local.chain(remote).map(JoinedChip::new).collect()
}

/// Assigns every chip a unique index and id.
pub(super) fn name(facts: &Facts, chips: &mut [JoinedChip]) {
    let mut taken = BTreeSet::new();
    let mut next_index =
        facts.devices.iter().map(|device| device.number.saturating_add(1)).max().unwrap_or(0);
    for position in 0..chips.len() {
        let (id, source) = match chips[position].origin {
            Origin::Local { device } => {
                let (id, source) = local_id(facts, device, &chips[position], &taken);
                (Some(id), source)
            }
            Origin::Remote { gateway } => {
                let (id, source) = remote_id(facts, gateway, position, chips, &taken);
                (Some(id), source)
            }
            Origin::Unmatched => unmatched_id(facts, &chips[position], &taken),
        };
        taken.extend(id);
        let chip = &mut chips[position];
        chip.index = match chip.origin {
            Origin::Local { device } => facts.devices[device].number,
            Origin::Remote { .. } | Origin::Unmatched => {
                let index = next_index;
                next_index = next_index.saturating_add(1);
                index
            }
        };
        chip.id = id.map_or(ChipId::Unknown(chip.index), ChipId::Known);
        chip.id_source = source;
    }
}

fn region_id(facts: &Facts, chip: &JoinedChip) -> Option<u64> {
    Some(facts.regions.get(chip.regions.first()?.region)?.id)
}

/// Returns the id of a chip that belongs to no device: that of its region, else the one that TT-Metal reported to an
/// agent. A port to L1 knows none.
fn unmatched_id(
    facts: &Facts,
    chip: &JoinedChip,
    taken: &BTreeSet<u64>,
) -> (Option<u64>, IdSource) {
    if let Some(id) = region_id(facts, chip).filter(|id| names(*id, taken)) {
        return (Some(id), IdSource::Region);
    }
    if let Some(id) = agent_id(facts, chip).filter(|id| names(*id, taken)) {
        return (Some(id), IdSource::Agent);
    }
    let source = match chip.l1.and_then(|l1| Some(facts.l1.get(l1)?.location)) {
        Some(L1Location::Captured(_)) => IdSource::Capture,
        Some(L1Location::Simulated { .. }) => IdSource::Simulator,
        _ if chip.agents.is_empty() || !chip.regions.is_empty() => IdSource::Region,
        _ => IdSource::Simulator,
    };
    (None, source)
}

/// True if a number can be the id of one more chip. TT-Metal writes 0 for a chip without an id, such as a mock device.
fn names(id: u64, taken: &BTreeSet<u64>) -> bool {
    id != 0 && !taken.contains(&id)
}

fn agent_id(facts: &Facts, chip: &JoinedChip) -> Option<u64> {
    chip.agents.iter().find_map(|link| unique_id(facts, *link))
}

fn local_id(
    facts: &Facts,
    device: usize,
    chip: &JoinedChip,
    taken: &BTreeSet<u64>,
) -> (u64, IdSource) {
    let facts_of_device = &facts.devices[device];
    let serial = facts_of_device.serial.as_ref().ok().copied();
    // The chips of a Galaxy tray share a serial number; then it names none of them.
    let unique = |serial: &u64| {
        facts.devices.iter().filter(|other| other.serial.as_ref() == Ok(serial)).count() == 1
    };
    let candidates = [
        (facts_of_device.asic_id.as_ref().ok().copied(), IdSource::Driver),
        (facts_of_device.last_asic_id, IdSource::Driver),
        (region_id(facts, chip), IdSource::Region),
        (agent_id(facts, chip), IdSource::Agent),
        (serial.filter(unique), IdSource::Serial),
    ];
    let free = candidates
        .into_iter()
        .find_map(|(id, source)| Some((id.filter(|id| names(*id, taken))?, source)));
    free.unwrap_or_else(|| (bdf_id(facts_of_device), IdSource::Bdf))
}

/// Domain, bus, device and function of a PCIe address, one below the other.
fn bdf_id(device: &Device) -> u64 {
    let Some(bdf) = &device.bdf else { return u64::from(device.number) };
    bdf.split([':', '.'])
        .filter_map(|part| u64::from_str_radix(part, 16).ok())
        .fold(0, |id, part| (id << 8) | (part & 0xFFFF))
}

fn remote_id(
    facts: &Facts,
    gateway: usize,
    position: usize,
    chips: &[JoinedChip],
    taken: &BTreeSet<u64>,
) -> (u64, IdSource) {
    if let Some(id) = region_id(facts, &chips[position]).filter(|id| names(*id, taken)) {
        return (id, IdSource::Region);
    }
    if let Some(id) = agent_id(facts, &chips[position]).filter(|id| names(*id, taken)) {
        return (id, IdSource::Agent);
    }
    let is_gateway = |chip: &&JoinedChip| chip.origin == Origin::Local { device: gateway };
    let gateway = chips.iter().find(is_gateway);
    // An id derived from a substitute of an ASIC id is no ASIC id either.
    let source = match gateway.map(|chip| chip.id_source) {
        Some(other @ (IdSource::Serial | IdSource::Bdf)) => other,
        _ => IdSource::Gateway,
    };
    let mut id = gateway.and_then(|chip| chip.id.known()).unwrap_or(0);
    loop {
        id = id.wrapping_add(NEXT_ON_BOARD);
        if !taken.contains(&id) {
            return (id, source);
        }
    }
}
