//! `ttmem pick`: free devices, or those that the user chooses, as the value of `TT_VISIBLE_DEVICES`.

mod choose;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Instant;

use serde::Serialize;
use ttmem_doctor::who::Use;
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

/// The variable by which UMD hides devices: a list of numbers of `/dev/tenstorrent`.
const VARIABLE: &str = "TT_VISIBLE_DEVICES";
/// The name and the version of the JSON: a newer minor adds fields, a newer major breaks readers.
const SCHEMA: &str = "ttmem/pick";
const VERSION: &str = "1.0";

/// Prints the picked devices.
///
/// # Errors
/// [`Error::Limit`] if too few devices are free, [`Error::Permission`] if too few are known to be free, and as `ttmem who`.
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
        match pick(args, &devices) {
            Ok(picked) => return print(args, &snapshot, &picked).map(|()| ExitCode::SUCCESS),
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
    /// DRAM in use; unknown counts as all.
    dram: u64,
    /// The tray of a Galaxy.
    tray: Option<u8>,
}

/// Takes a sample, and returns the devices among the selected chips.
fn devices_of(ids: &[String], collector: &mut Collector) -> Result<(Snapshot, Vec<Device>), Error> {
    let (who, snapshot) = look(ids, collector)?;
    let uses: Vec<(u32, Use)> = who.chips.iter().map(|chip| (chip.chip, chip.used)).collect();
    let devices = devices(&snapshot, &uses);
    Ok((snapshot, devices))
}

/// Returns the devices among the chips that `uses` has.
fn devices(snapshot: &Snapshot, uses: &[(u32, Use)]) -> Vec<Device> {
    let used = |chip: &Chip| uses.iter().find(|(index, _)| *index == chip.index).map(|(_, it)| *it);
    let behind = |id: ChipId| snapshot.chips.iter().filter(move |chip| chip.gateway == Some(id));
    let local = snapshot.chips.iter().filter(|chip| chip.bdf.is_some());
    let mut devices = Vec::new();
    for chip in local {
        let Some(own) = used(chip) else { continue };
        let chips = std::iter::once(chip).chain(behind(chip.id));
        let dram = chips
            .map(|chip| chip.memory.dram.used.value().copied().unwrap_or(u64::MAX))
            .fold(0, u64::saturating_add);
        devices.push(Device {
            number: chip.index,
            used: behind(chip.id).filter_map(used).fold(own, Use::max),
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
