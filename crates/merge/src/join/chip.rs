//! The chips of a host: one for each device of the driver, one for each chip behind a device, one for each region
//! that belongs to neither.

use std::collections::BTreeSet;

use ttmem_model::facts::{Device, Facts, L1Place};
use ttmem_model::snapshot::{IdSource, JoinedBy};
use ttmem_model::{Board, ChipId};

use super::super::agent::{AgentLink, device_number, unique_id};

/// The distance of the ids of the two chips of an n300: the upper half counts the chips of a board (seen on a T3000
/// with TT-Metal 0.81.1: 0x2_6190302b and 0x3_6190302b).
pub(super) const NEXT_ON_BOARD: u64 = 1 << 32;

/// The origin of a chip. Devices are referenced by their index in the facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It has a PCIe function.
    Local { device: usize },
    /// It is reached through the chip of a device.
    Remote { gateway: usize },
    /// Only a region or an agent names it, or the port to its L1.
    Unmatched,
}

/// A region of a chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// Its place in the facts.
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
    /// The place of its L1 in the facts.
    pub(crate) l1: Option<usize>,
}

impl JoinedChip {
    pub(crate) fn new(origin: Origin) -> Self {
        Self {
            origin,
            id: ChipId(0),
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

/// Gives every chip its id and its index. No two have the same.
pub(super) fn name(facts: &Facts, chips: &mut [JoinedChip]) {
    let mut taken = BTreeSet::new();
    let mut next_index =
        facts.devices.iter().map(|device| device.number.saturating_add(1)).max().unwrap_or(0);
    for position in 0..chips.len() {
        let (id, source) = match chips[position].origin {
            Origin::Local { device } => local_id(facts, device, &chips[position], &taken),
            Origin::Remote { gateway } => remote_id(facts, gateway, position, chips, &taken),
            Origin::Unmatched => match region_id(facts, &chips[position]) {
                Some(id) => (id, IdSource::Region),
                None if chips[position].agents.is_empty() => {
                    port_id(facts, &chips[position], &taken)
                }
                None => (agent_id(facts, &chips[position], &taken), IdSource::Agent),
            },
        };
        taken.insert(id);
        let chip = &mut chips[position];
        chip.id = ChipId(id);
        chip.id_source = source;
        chip.index = match chip.origin {
            Origin::Local { device } => facts.devices[device].number,
            Origin::Remote { .. } | Origin::Unmatched => {
                let index = next_index;
                next_index = next_index.saturating_add(1);
                index
            }
        };
    }
}

fn region_id(facts: &Facts, chip: &JoinedChip) -> Option<u64> {
    Some(facts.regions.get(chip.regions.first()?.region)?.id)
}

/// Returns the id that TT-Metal reported to an agent, or else the process's number of the chip, or the next free one.
fn agent_id(facts: &Facts, chip: &JoinedChip, taken: &BTreeSet<u64>) -> u64 {
    let links = || chip.agents.iter().copied();
    let told = links().find_map(|link| unique_id(facts, link));
    let number = || links().find_map(|link| device_number(facts, link)).map(u64::from);
    let mut id = told.or_else(number).unwrap_or(0);
    while taken.contains(&id) {
        id = id.wrapping_add(1);
    }
    id
}

/// A number that is in where only a port leads to the chip.
fn port_id(facts: &Facts, chip: &JoinedChip, taken: &BTreeSet<u64>) -> (u64, IdSource) {
    let place = chip.l1.and_then(|l1| Some(facts.l1.get(l1)?.place));
    let (number, source) = match place {
        Some(L1Place::Captured(number)) => (number, IdSource::Capture),
        Some(L1Place::Simulated { chip, .. }) => (chip, IdSource::Simulator),
        Some(L1Place::Device(_)) | None => (0, IdSource::Region),
    };
    let mut free = (u64::from(number)..).filter(|id| !taken.contains(id));
    (free.next().unwrap_or(u64::from(number)), source)
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
        (chip.agents.iter().find_map(|link| unique_id(facts, *link)), IdSource::Agent),
        (serial.filter(unique), IdSource::Serial),
    ];
    let free = candidates
        .into_iter()
        .find_map(|(id, source)| Some((id.filter(|id| !taken.contains(id))?, source)));
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
    if let Some(id) = region_id(facts, &chips[position]).filter(|id| !taken.contains(id)) {
        return (id, IdSource::Region);
    }
    let told = chips[position].agents.iter().find_map(|link| unique_id(facts, *link));
    if let Some(id) = told.filter(|id| !taken.contains(id)) {
        return (id, IdSource::Agent);
    }
    let is_gateway = |chip: &&JoinedChip| chip.origin == Origin::Local { device: gateway };
    let mut id = chips.iter().find(is_gateway).map_or(0, |chip| chip.id.0);
    loop {
        id = id.wrapping_add(NEXT_ON_BOARD);
        if !taken.contains(&id) {
            return (id, IdSource::Gateway);
        }
    }
}
