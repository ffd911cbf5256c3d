//! The rules that join regions to chips, in the order of their certainty.

use std::collections::BTreeSet;

use ttmem_model::facts::{Device, Facts, RegionContent};
use ttmem_model::order;
use ttmem_model::order::Gather as _;
use ttmem_model::snapshot::JoinedBy;
use ttmem_model::{Arch, Pid};

use super::chip::{JoinedChip, Link, NEXT_ON_BOARD, Origin, board_of};
use super::owner::Owner;

/// Bits of a Blackhole chip's id below the board id: its ASIC location (UMD `topology_discovery*.cpp`).
const LOCATION_BITS: u32 = 5;

/// Joins regions that are named after an id that the driver shows.
pub(super) fn join_by_id(facts: &Facts, chips: &mut [JoinedChip]) {
    for index in 0..facts.regions.len() {
        if let Some((joined_by, chip)) = rule_by_id(facts, chips, facts.regions[index].id) {
            chips[chip].regions.push(Link { region: index, joined_by });
        }
    }
}

/// Returns the index of the chip that TT-Metal gives this id.
pub(crate) fn by_id(facts: &Facts, chips: &[JoinedChip], id: u64) -> Option<usize> {
    rule_by_id(facts, chips, id).map(|(_, chip)| chip)
}

fn rule_by_id(facts: &Facts, chips: &[JoinedChip], id: u64) -> Option<(JoinedBy, usize)> {
    let rule = |chip: &JoinedChip| match chip.origin {
        Origin::Local { device } => local_rule(facts, &facts.devices[device], id),
        Origin::Remote { gateway } => {
            let gateway = facts.devices[gateway].asic_id.as_ref().ok()?;
            (gateway.checked_add(NEXT_ON_BOARD)? == id).then_some(JoinedBy::Gateway)
        }
        Origin::Unmatched => None,
    };
    chips.iter().enumerate().filter_map(|(chip, joined)| Some((rule(joined)?, chip))).min()
}

/// Returns the index of the chip that a process gives this number, if it has the devices open; `all` are the numbers that it
/// gives.
pub(crate) fn by_number(
    facts: &Facts,
    chips: &[JoinedChip],
    pid: Pid,
    (number, all): (u32, impl Iterator<Item = u32>),
) -> Option<usize> {
    Numbering::of(facts, chips, pid, all).0.get(usize::try_from(number).ok()?).copied()
}

fn local_rule(facts: &Facts, device: &Device, id: u64) -> Option<JoinedBy> {
    if device.asic_id.as_ref() == Ok(&id) {
        return Some(JoinedBy::AsicId);
    }
    let serial = *device.serial.as_ref().ok()?;
    let arch = device.arch.as_ref().ok().copied().or_else(|| Some(board_of(device)?.arch))?;
    let rule = match arch {
        Arch::Wormhole => (serial == id).then_some(JoinedBy::Serial),
        Arch::Blackhole => {
            let board = serial << LOCATION_BITS;
            let location_mask = (1_u64 << LOCATION_BITS) - 1;
            (id & !location_mask == board).then_some(JoinedBy::SerialAndLocation)
        }
    }?;
    let of_board = facts.devices.iter().filter(|other| other.serial.as_ref() == Ok(&serial));
    // A P300 has two chips with devices of their own, even where one of them is not there.
    let is_one_of_two = board_of(device).is_some_and(|board| board.name.starts_with("p300"));
    (of_board.count() == 1 && !is_one_of_two).then_some(rule)
}

/// Joins regions through the processes that hold both a slot and a device.
pub(super) fn join_by_owner(facts: &Facts, owners: &[Vec<Owner>], chips: &mut [JoinedChip]) {
    let pids: BTreeSet<Pid> = owners.iter().flatten().filter_map(Owner::live).gather();
    // What is joined for one process may settle what was open for another.
    loop {
        let before = count_joined(chips);
        for pid in &pids {
            join_regions_of(facts, owners, *pid, chips);
        }
        if count_joined(chips) == before {
            return;
        }
    }
}

fn count_joined(chips: &[JoinedChip]) -> usize {
    chips.iter().map(|chip| chip.regions.len()).sum()
}

fn join_regions_of(facts: &Facts, owners: &[Vec<Owner>], pid: Pid, chips: &mut [JoinedChip]) {
    let has_slot =
        |index: usize| owners.get(index).is_some_and(|slots| slots.contains(&Owner::Live(pid)));
    let is_its_alone = |index: &usize| {
        has_slot(*index) && owners[*index].iter().filter_map(Owner::live).all(|owner| owner == pid)
    };
    let its_own = (0..facts.regions.len()).filter(is_its_alone);
    let number =
        |index: usize| u32::try_from(facts.regions[index].content.as_ref().ok()?.device_id).ok();
    let numbering = Numbering::of(facts, chips, pid, its_own.filter_map(number));
    join_numbered(facts, owners, chips, &numbering, has_slot);
    // A process attaches to the regions of all its chips when it opens one, and gets a slot when it allocates.
    let with_slot = (0..facts.regions.len()).find(|index| has_slot(*index));
    let through = with_slot.map(|index| &facts.regions[index].through);
    join_numbered(facts, owners, chips, &numbering, |index| {
        let region = &facts.regions[index];
        let attached = |content: &RegionContent| content.reference_count > 0;
        Some(&region.through) == through && region.content.as_ref().is_ok_and(attached)
    });
}

/// The chips of one process in the order in which UMD numbers them: those with a PCIe function by address, then those
/// behind them. None if the process gives a higher number than it has chips: a device that it has open is not seen, as after
/// its removal, and which number is whose is not known.
struct Numbering(Vec<usize>);

impl Numbering {
    fn of(
        facts: &Facts,
        chips: &[JoinedChip],
        pid: Pid,
        mut numbers: impl Iterator<Item = u32>,
    ) -> Self {
        let held = |device: usize| holds(facts, device, pid);
        let mut chips: Vec<_> = chips
            .iter()
            .enumerate()
            .filter_map(|(chip, joined)| match joined.origin {
                Origin::Local { device } if held(device) => {
                    Some((false, &facts.devices[device].bdf, device, chip))
                }
                Origin::Remote { gateway } if held(gateway) => {
                    Some((true, &facts.devices[gateway].bdf, gateway, chip))
                }
                _ => None,
            })
            .collect();
        order::sort(&mut chips);
        if numbers.any(|number| usize::try_from(number).map_or(true, |index| index >= chips.len()))
        {
            return Self(Vec::new());
        }
        Self(chips.into_iter().map(|(.., chip)| chip).collect())
    }
}

/// True if a process has a device open.
fn holds(facts: &Facts, device: usize, pid: Pid) -> bool {
    let holders = facts.devices[device].holders.as_ref();
    holders.is_ok_and(|holders| holders.pids.binary_search(&pid).is_ok())
}

/// Joins each region that `applies` and that is of no chip yet to the chip of its device number, unless another
/// region has the same number, or a process that does not own that chip has a slot in it: the number is one of the
/// process that made the region, and processes that see different devices count differently.
fn join_numbered(
    facts: &Facts,
    owners: &[Vec<Owner>],
    chips: &mut [JoinedChip],
    numbering: &Numbering,
    applies: impl Fn(usize) -> bool,
) {
    let open: Vec<(usize, i32)> = (0..facts.regions.len())
        .filter(|index| applies(*index) && !is_joined(chips, *index))
        .filter_map(|index| Some((index, facts.regions[index].content.as_ref().ok()?.device_id)))
        .collect();
    for (index, number) in &open {
        let alone = open.iter().filter(|(_, other)| other == number).count() == 1;
        let chip = usize::try_from(*number).ok().and_then(|number| numbering.0.get(number));
        let Some(chip) = chip.filter(|chip| alone && chips[**chip].regions.is_empty()) else {
            continue;
        };
        let held_by_all = match chips[*chip].origin {
            Origin::Local { device } | Origin::Remote { gateway: device } => {
                owners[*index].iter().filter_map(Owner::live).all(|pid| holds(facts, device, pid))
            }
            Origin::Unmatched => false,
        };
        if held_by_all {
            chips[*chip].regions.push(Link { region: *index, joined_by: JoinedBy::Owner });
        }
    }
}

/// Joins the region of a board's second chip where the region of its first is joined.
pub(super) fn join_by_gateway(facts: &Facts, chips: &mut [JoinedChip]) {
    for index in 0..facts.regions.len() {
        let Some(first) = facts.regions[index].id.checked_sub(NEXT_ON_BOARD) else { continue };
        if is_joined(chips, index) {
            continue;
        }
        let gateway = chips.iter().find_map(|chip| match chip.origin {
            Origin::Local { device } => chip
                .regions
                .iter()
                .any(|link| facts.regions[link.region].id == first)
                .then_some(device),
            Origin::Remote { .. } | Origin::Unmatched => None,
        });
        let Some(gateway) = gateway else { continue };
        let free = chips
            .iter_mut()
            .find(|chip| chip.origin == Origin::Remote { gateway } && chip.regions.is_empty());
        if let Some(chip) = free {
            chip.regions.push(Link { region: index, joined_by: JoinedBy::Gateway });
        }
    }
}

/// Gives remote chips without a region of their own the row that their gateway's region has for them.
pub(super) fn add_rows_of_remote_chips(facts: &Facts, chips: &mut [JoinedChip]) {
    let mut used: BTreeSet<(usize, usize)> = BTreeSet::new();
    for position in 0..chips.len() {
        let Origin::Remote { gateway } = chips[position].origin else { continue };
        if !chips[position].regions.is_empty() {
            continue;
        }
        let is_gateway = |chip: &&JoinedChip| chip.origin == Origin::Local { device: gateway };
        let links = chips.iter().find(is_gateway).map(|chip| chip.regions.clone());
        let row = links.unwrap_or_default().into_iter().find_map(|link| {
            let content = facts.regions[link.region].content.as_ref().ok()?;
            let free =
                |row: &usize| content.chips[*row].remote && !used.contains(&(link.region, *row));
            (0..content.chips.len()).find(free).map(|row| (link.region, row))
        });
        used.extend(row);
        chips[position].row = row;
    }
}

/// Makes a chip of every region that belongs to none. Several regions of one id are one chip in several containers.
///
/// A region that cannot be read makes none where devices wait for a region: it is one of theirs, and which one only
/// its content could tell.
pub(super) fn add_unmatched(facts: &Facts, chips: &mut Vec<JoinedChip>) {
    let waiting = chips.iter().any(|chip| chip.regions.is_empty() && chip.row.is_none());
    for index in 0..facts.regions.len() {
        let region = &facts.regions[index];
        if is_joined(chips, index) || waiting && region.content.is_err() {
            continue;
        }
        let link = Link { region: index, joined_by: JoinedBy::Unmatched };
        let same = chips.iter_mut().find(|chip| {
            chip.origin == Origin::Unmatched
                && chip
                    .regions
                    .first()
                    .is_some_and(|first| facts.regions[first.region].id == region.id)
        });
        match same {
            Some(chip) => chip.regions.push(link),
            None => {
                let mut chip = JoinedChip::new(Origin::Unmatched);
                chip.regions.push(link);
                chips.push(chip);
            }
        }
    }
}

fn is_joined(chips: &[JoinedChip], index: usize) -> bool {
    chips.iter().any(|chip| chip.regions.iter().any(|link| link.region == index))
}
