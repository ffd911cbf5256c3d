//! `ttmem pick`: free devices, or those that the user chooses, as the value of `TT_VISIBLE_DEVICES`.

mod choose;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Instant;

use serde::Serialize;
use ttmem_doctor::who::{Use, Verdict};
use ttmem_model::ChipId;
use ttmem_model::order;
use ttmem_model::order::Gather as _;
use ttmem_model::snapshot::{Chip, Snapshot};
use ttmem_sources::Collector;

use self::choose::Chosen;
use super::target::{Mode, deliver};
use super::top;
use super::who::{PAUSE, look};
use crate::cli::common::{CommonArgs, Target};
use crate::cli::pick::PickArgs;
use crate::error::Error;
use crate::signal::Signals;
use crate::terminal::notify;

/// The variable by which UMD hides devices: a list of numbers of `/dev/tenstorrent`.
const VARIABLE: &str = "TT_VISIBLE_DEVICES";
/// The name and the version of the JSON: a newer minor adds fields, a newer major breaks readers.
const SCHEMA: &str = "ttmem/pick";
const VERSION: &str = "1.0";

/// Prints the picked devices.
///
/// # Errors
/// [`Error::NotFound`] if there is no device, [`Error::Limit`] if too few are free, [`Error::Permission`] if too few are
/// known to be free, and as `ttmem who`.
pub(crate) fn run(
    args: &PickArgs,
    common: &CommonArgs,
    collector: &mut Collector,
) -> Result<ExitCode, Error> {
    if args.is_bare() && choose::has_terminal() {
        return match choose::choose(collector, top::look(common))? {
            Chosen::Devices(picked) => {
                print(args, &collector.snapshot(), &picked).map(|()| ExitCode::SUCCESS)
            }
            Chosen::Nothing(signal) => Ok(ExitCode::from(128_u8.saturating_add(signal))),
        };
    }
    let mut signals = None;
    loop {
        let (snapshot, devices) = devices_of(&args.chips.id, collector)?;
        if devices.is_empty() {
            return Err(none(&args.chips.id));
        }
        match pick(args, &devices) {
            Ok(picked) => {
                print(args, &snapshot, &picked)?;
                if let Some(note) = not_free(&devices, &picked) {
                    notify(&note);
                }
                return Ok(ExitCode::SUCCESS);
            }
            Err(error) if !args.wait => return Err(error),
            // Devices that do not exist never become free.
            Err(_) if devices.len() < args.count() => {
                return Err(too_few(args, &devices));
            }
            Err(_) => {}
        }
        if signals.is_none() {
            signals = Some(Signals::new().map_err(|error| Error::signals(&error))?);
        }
        let interrupted = signals.as_mut().and_then(|it| it.wait_until(Instant::now() + PAUSE));
        if interrupted.is_some() {
            return Ok(ExitCode::from(130));
        }
    }
}

/// A device that can be picked.
struct Device {
    /// The number of its node.
    number: u32,
    /// The worst use of its chips: a device brings the remote chips behind it.
    used: Use,
    /// The processes that have one of its chips.
    owners: BTreeSet<String>,
    /// DRAM in use; unknown counts as all.
    dram: u64,
    /// The tray of a Galaxy.
    tray: Option<u8>,
}

/// Takes a sample, and returns the devices among the selected chips.
fn devices_of(ids: &[String], collector: &mut Collector) -> Result<(Snapshot, Vec<Device>), Error> {
    let (who, snapshot) = look(ids, collector)?;
    let devices = devices(&snapshot, &who.chips);
    Ok((snapshot, devices))
}

/// The error where there is no device among the selected chips.
fn none(ids: &[String]) -> Error {
    let text = if ids.is_empty() {
        "there is no device to pick; ttmem doctor names what the driver did not find"
    } else {
        "none of these chips is a device; a remote chip comes with the device that it is reached through"
    };
    Error::NotFound(text.to_owned())
}

/// Returns the devices among the chips that have a verdict.
fn devices(snapshot: &Snapshot, verdicts: &[Verdict]) -> Vec<Device> {
    let verdict = |chip: &Chip| verdicts.iter().find(|verdict| verdict.chip == chip.index);
    let behind = |id: ChipId| snapshot.chips.iter().filter(move |chip| chip.gateway == Some(id));
    let local = snapshot.chips.iter().filter(|chip| chip.bdf.is_some());
    let mut devices = Vec::new();
    for chip in local {
        let Some(own) = verdict(chip) else { continue };
        let all = || std::iter::once(own).chain(behind(chip.id).filter_map(verdict));
        let owners = all().flat_map(|verdict| &verdict.owners);
        let chips = std::iter::once(chip).chain(behind(chip.id));
        let dram = chips
            .map(|chip| chip.memory.dram.used.value().copied().unwrap_or(u64::MAX))
            .fold(0, u64::saturating_add);
        devices.push(Device {
            number: chip.index,
            used: all().map(|verdict| verdict.used).fold(Use::Free, Use::max),
            owners: owners.map(|owner| format!("{} ({})", owner.pid, owner.name)).gather(),
            dram,
            tray: chip.tray().map(|at| at.tray),
        });
    }
    devices
}

/// Picks the numbers of devices: of one tray where that has enough, else the first.
fn pick(args: &PickArgs, devices: &[Device]) -> Result<Vec<u32>, Error> {
    let wanted = args.count();
    let only_free = args.free || args.wait;
    let mut open: Vec<&Device> =
        devices.iter().filter(|device| !only_free || device.used == Use::Free).collect();
    if open.len() < wanted {
        return Err(too_few(args, devices));
    }
    let trays: BTreeSet<Option<u8>> = open.iter().map(|device| device.tray).gather();
    let of = |tray: Option<u8>| open.iter().filter(move |device| device.tray == tray).count();
    if let Some(tray) = trays.into_iter().flatten().find(|tray| of(Some(*tray)) >= wanted)
        && only_free
    {
        open.retain(|device| device.tray == Some(tray));
    }
    order::sort_by_key(&mut open, |device| (device.used, device.dram, device.number));
    let mut picked: Vec<u32> = open.into_iter().take(wanted).map(|device| device.number).collect();
    order::sort(&mut picked);
    Ok(picked)
}

/// The picked devices that are in use or may be, in one line; None if all are free.
fn not_free(devices: &[Device], picked: &[u32]) -> Option<String> {
    let is_picked = |device: &&Device| picked.contains(&device.number) && device.used != Use::Free;
    let taken: Vec<&Device> = devices.iter().filter(is_picked).collect();
    let text = match taken.as_slice() {
        [] => return None,
        [Device { number, used: Use::Unknown, .. }] => {
            format!("whether device {number} is in use cannot be known")
        }
        [Device { number, owners, .. }] => match (owners.first(), owners.len()) {
            (None, _) => format!("device {number} is in use"),
            (Some(owner), 1) => format!("device {number} is in use by {owner}"),
            (Some(owner), all) => {
                format!("device {number} is in use by {owner} and {} more", all - 1)
            }
        },
        taken => {
            let numbers: Vec<String> =
                taken.iter().map(|device| device.number.to_string()).collect();
            let is_known = taken.iter().all(|device| device.used == Use::InUse);
            let state = if is_known { "in use" } else { "in use, or may be" };
            format!("devices {} are {state}", numbers.join(", "))
        }
    };
    Some(format!("note: {text}; --free picks free devices alone"))
}

fn too_few(args: &PickArgs, devices: &[Device]) -> Error {
    let count = |used: Use| devices.iter().filter(|device| device.used == used).count();
    let (free, unknown) = (count(Use::Free), count(Use::Unknown));
    let text = format!("{free} of {} devices free, {} wanted", devices.len(), args.count());
    if unknown > 0 && free + unknown >= args.count() {
        let text =
            format!("{text}; the use of {unknown} cannot be known: ttmem who has the reasons");
        return Error::Permission(text);
    }
    Error::Limit(text + "; ttmem who lists the owners, --wait waits")
}

#[derive(Serialize)]
struct Report {
    schema: &'static str,
    version: &'static str,
    variable: &'static str,
    value: String,
    devices: Vec<Picked>,
}

#[derive(Serialize)]
struct Picked {
    device: u32,
    board: Option<String>,
    bdf: Option<String>,
    /// The ASIC ids of the device's chips.
    chips: Vec<ChipId>,
}

fn print(args: &PickArgs, snapshot: &Snapshot, picked: &[u32]) -> Result<(), Error> {
    let value = picked.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let text = if args.json {
        let local = snapshot.chips.iter().filter(|chip| chip.bdf.is_some());
        let chosen = local.filter(|chip| picked.contains(&chip.index));
        let devices = chosen.map(|chip| {
            let behind = snapshot.chips.iter().filter(|other| other.gateway == Some(chip.id));
            let chips = std::iter::once(chip.id).chain(behind.map(|other| other.id)).collect();
            Picked { device: chip.index, board: chip.board.clone(), bdf: chip.bdf.clone(), chips }
        });
        let devices = devices.collect();
        let report =
            Report { schema: SCHEMA, version: VERSION, variable: VARIABLE, value, devices };
        serde_json::to_string_pretty(&report).map_err(|error| Error::json(&error))?
    } else {
        format!("{VARIABLE}={value}")
    };
    deliver(&Target::Standard, Mode::Append, format!("{text}\n").as_bytes()).map(|_delivery| ())
}
