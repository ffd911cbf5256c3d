//! The chips of a snapshot.

use std::collections::{BTreeMap, BTreeSet};

use ttmem_model::facts::{Device, Facts, Field};
use ttmem_model::metric::{Metric, Quantity};
use ttmem_model::order::Gather as _;
use ttmem_model::reading::{Missing, Quality, Reading, SourceName};
use ttmem_model::snapshot::{
    AllocatorMemory, Chip, ChipMemory, L1Total, Owners, PcieLink, RegionLink,
};
use ttmem_model::{AllocatorKind, Arch, Board, MemorySpace, Pid};

use super::agent::{self, Geometry};
use super::join::{Joined, JoinedChip, Origin};
use super::l1;
use super::memory::Amounts;

/// Bytes of a word of the PCIe counters (tt-kmd 2.10: one NOC word).
const PCIE_WORD_BYTES: f64 = 32.0;

/// Lays out every chip.
pub(super) fn lay_out(
    joined: &Joined<'_>,
    amounts: &[Amounts],
    previous: Option<&Facts>,
) -> Vec<Chip> {
    joined
        .chips
        .iter()
        .zip(amounts)
        .map(|(chip, held)| lay_out_one(joined, chip, held, previous))
        .collect()
}

fn lay_out_one(
    joined: &Joined<'_>,
    chip: &JoinedChip,
    amounts: &Amounts,
    previous: Option<&Facts>,
) -> Chip {
    let device = joined.device(chip);
    let board = joined.board(chip);
    let behind = device_behind(joined, chip);
    let named = behind.and_then(|device| device.card_type.as_ref().ok().cloned());
    let serial = behind.and_then(|device| device.serial.as_ref().ok());
    Chip {
        id: chip.id,
        id_source: chip.id_source,
        index: chip.index,
        arch: arch(joined, chip),
        board: board.map(|board| board.name.to_owned()).or(named),
        serial: serial.map(|serial| format!("{serial:016x}")),
        bdf: device.and_then(|device| device.bdf.clone()),
        remote: matches!(chip.origin, Origin::Remote { .. }),
        gateway: joined.gateway(chip),
        region: region_link(joined, chip),
        worker_cores: worker_cores(joined, chip, board, device),
        memory: memory(joined, chip, board, device, amounts),
        telemetry: telemetry(joined.facts, chip, device, previous),
        firmware: device.map(|device| device.firmware.clone()).unwrap_or_default(),
        pcie: device.map(|device| pcie(joined.facts, device)),
        owners: owners(joined, chip, amounts),
        reasons: reasons(joined, chip),
    }
}

/// The reason that the driver has no file of a chip.
fn no_device(chip: &JoinedChip) -> Missing {
    match chip.origin {
        Origin::Remote { .. } => Missing::unsupported("the driver does not see a remote chip"),
        _ => Missing::no_source("no driver knows this chip"),
    }
}

/// The reasons of the properties that are missing, by name.
fn reasons(joined: &Joined<'_>, chip: &JoinedChip) -> BTreeMap<String, Missing> {
    let mut missing = BTreeMap::new();
    if let Some(device) = device_behind(joined, chip) {
        let reasons = [
            ("arch", device.arch.as_ref().err()),
            ("board", device.card_type.as_ref().err()),
            ("serial", device.serial.as_ref().err()),
        ];
        let reasons = reasons.into_iter().filter_map(|(name, why)| Some((name, why?)));
        missing.extend(reasons.map(|(name, why)| (name.to_owned(), why.clone())));
    } else {
        missing.extend(["arch", "board", "serial"].map(|name| (name.to_owned(), no_device(chip))));
    }
    match joined.device(chip) {
        Some(device) => missing.extend(device.firmware_missing.clone()),
        None => drop(missing.insert("firmware".to_owned(), no_device(chip))),
    }
    if arch(joined, chip).is_some() {
        missing.remove("arch");
    }
    if joined.board(chip).is_some() {
        missing.remove("board");
    }
    missing
}

/// The driver's device of a chip, or of its gateway.
fn device_behind<'a>(joined: &Joined<'a>, chip: &JoinedChip) -> Option<&'a Device> {
    match chip.origin {
        Origin::Local { device } | Origin::Remote { gateway: device } => {
            joined.facts.devices.get(device)
        }
        Origin::Unmatched => None,
    }
}

/// The architecture of a chip.
pub(super) fn arch(joined: &Joined<'_>, chip: &JoinedChip) -> Option<Arch> {
    let by_device = || device_behind(joined, chip)?.arch.as_ref().ok().copied();
    let by_l1 = || joined.l1(chip)?.arch;
    joined.board(chip).map(|board| board.arch).or_else(by_device).or_else(by_l1)
}

fn device_age(facts: &Facts, device: Option<&Device>) -> u64 {
    device.map_or(0, |device| facts.time.micros_since(device.read_at))
}

fn region_link(joined: &Joined<'_>, chip: &JoinedChip) -> Option<RegionLink> {
    joined.regions(chip).find_map(|(region, link)| {
        let content = region.content.as_ref().ok()?;
        Some(RegionLink {
            id: region.id,
            device_id: content.device_id,
            version: content.version,
            joined_by: link.joined_by,
        })
    })
}

fn worker_cores(
    joined: &Joined<'_>,
    chip: &JoinedChip,
    board: Option<&Board>,
    device: Option<&Device>,
) -> Reading<u64> {
    if let Some(size) = l1::size(joined, chip) {
        return size.worker_cores;
    }
    from_board(chip, board, "worker cores", |board| board.worker_cores.map(u64::from))
        .aged(device_age(joined.facts, device))
}

/// A number that is the same on every board of a type.
fn from_board(
    chip: &JoinedChip,
    board: Option<&Board>,
    what: &str,
    number: impl Fn(&Board) -> Option<u64>,
) -> Reading<u64> {
    match (board, board.and_then(number)) {
        (_, Some(number)) => Reading::exact(number, SourceName::Kmd),
        (Some(board), None) => Missing::not_read(format!(
            "the {what} of a {} differ from board to board; only L1 tells",
            board.name
        ))
        .into(),
        (None, None) if chip.origin == Origin::Unmatched => {
            Missing::no_source("no driver knows this chip, so nothing names its board").into()
        }
        (None, None) => Missing::no_source("the driver does not name the board").into(),
    }
}

/// The capacity of L1 of a chip.
pub(super) fn l1_capacity(joined: &Joined<'_>, chip: &JoinedChip) -> Reading<u64> {
    let age = device_age(joined.facts, joined.device(chip));
    match l1::size(joined, chip) {
        Some(size) => size.bytes,
        None => {
            let nominal = from_board(chip, joined.board(chip), "worker cores", Board::l1_bytes);
            or_by_agent(joined, chip, MemorySpace::L1, nominal.aged(age))
        }
    }
}

/// Returns the nominal capacity of a memory, or where no board names it the banks of the agent's allocators.
fn or_by_agent(
    joined: &Joined<'_>,
    chip: &JoinedChip,
    memory: MemorySpace,
    nominal: Reading<u64>,
) -> Reading<u64> {
    if nominal.value().is_some() {
        return nominal;
    }
    match agent::bank_bytes(joined, chip, memory) {
        Some((bytes, banks)) => {
            Reading::new(bytes.saturating_mul(banks), SourceName::Agent, Quality::Inferred)
        }
        None => nominal,
    }
}

fn memory(
    joined: &Joined<'_>,
    chip: &JoinedChip,
    board: Option<&Board>,
    device: Option<&Device>,
    amounts: &Amounts,
) -> ChipMemory {
    let age = device_age(joined.facts, device);
    let dram = from_board(chip, board, "DRAM banks", Board::dram_bytes).aged(age);
    let dram = or_by_agent(joined, chip, MemorySpace::Dram, dram);
    let dram_banks =
        from_board(chip, board, "DRAM banks", |board| board.dram_banks.map(u64::from)).aged(age);
    let l1 = l1_capacity(joined, chip);
    let resident = l1::resident(joined, chip, amounts, &l1);
    let set_aside = |what: &str| -> Reading<u64> {
        Missing::no_source(format!("the process sets {what} at open, and only its agent tells"))
            .into()
    };
    let banks = || -> Reading<u64> {
        Missing::no_source(
            "which cores are banks is the process's choice, and only its agent tells",
        )
        .into()
    };
    let kind = |kind: AllocatorKind, capacity: Reading<u64>, banks: Reading<u64>| {
        let geometry = agent::geometry(joined, chip, kind);
        allocator_memory(kind, Own { capacity, banks }, geometry, amounts)
    };
    ChipMemory {
        dram: kind(AllocatorKind::Dram, dram, dram_banks.clone()),
        l1: kind(AllocatorKind::L1, l1.clone(), banks()),
        l1_small: kind(AllocatorKind::L1Small, set_aside("l1_small_size"), banks()),
        trace: kind(AllocatorKind::Trace, set_aside("trace_region_size"), dram_banks),
        circular_buffers: resident.circular_buffers,
        kernels: resident.kernels,
        reserved: resident.reserved,
        l1_total: L1Total { capacity: l1, used: resident.total_used },
    }
}

/// Returns the capacity of the chip for a kind.
struct Own {
    capacity: Reading<u64>,
    banks: Reading<u64>,
}

fn allocator_memory(
    kind: AllocatorKind,
    own: Own,
    told: Option<Geometry>,
    amounts: &Amounts,
) -> AllocatorMemory {
    let (used, stale) = (amounts.used[kind].clone(), amounts.stale[kind].clone());
    let upstream = amounts.upstream.as_ref().map(|upstream| upstream[kind].clone());
    let Some(Geometry { banks, allocatable, largest_free, fragmentation }) = told else {
        let missing = Missing::no_source("free blocks are known to the agent alone");
        return AllocatorMemory {
            capacity: own.capacity,
            used,
            largest_free: missing.clone().into(),
            banks: own.banks,
            stale,
            allocatable: Missing::no_source("what the process sets aside only its agent tells")
                .into(),
            fragmentation: missing.into(),
            upstream,
        };
    };
    let is_set_aside = matches!(kind, AllocatorKind::L1Small | AllocatorKind::Trace);
    AllocatorMemory {
        capacity: if is_set_aside { allocatable.clone() } else { own.capacity },
        used,
        largest_free,
        banks: if own.banks.value().is_some() { own.banks } else { banks },
        stale,
        allocatable,
        fragmentation,
        upstream,
    }
}

fn telemetry(
    facts: &Facts,
    chip: &JoinedChip,
    device: Option<&Device>,
    previous: Option<&Facts>,
) -> BTreeMap<Metric, Reading<Quantity>> {
    let age = device_age(facts, device);
    let read = |metric: Metric| match (device, metric) {
        (None, _) => Err(no_device(chip)),
        (Some(device), Metric::PcieHostToDevice) => {
            rate(facts, device, previous, |device| &device.pcie_words.host_to_device)
        }
        (Some(device), Metric::PcieDeviceToHost) => {
            rate(facts, device, previous, |device| &device.pcie_words.device_to_host)
        }
        (Some(device), metric) => device.telemetry.get(&metric).cloned().unwrap_or_else(|| {
            Err(Missing::unsupported("this driver or firmware does not publish it"))
        }),
    };
    let reading = |metric| {
        let reading = Reading::from_field(read(metric), SourceName::Kmd, Quality::Exact);
        reading.map(Quantity).aged(age)
    };
    Metric::ALL.iter().map(|metric| (*metric, reading(*metric))).gather()
}

/// Bytes per second between the pass before and this one.
fn rate(
    facts: &Facts,
    device: &Device,
    previous: Option<&Facts>,
    words: impl Fn(&Device) -> &Field<[u32; 2]>,
) -> Field<f64> {
    let now = words(device).as_ref().map_err(Clone::clone)?;
    let earlier = previous.and_then(|facts| {
        let same = |other: &&Device| {
            other.number == device.number
                && other.bdf == device.bdf
                && other.asic_id.as_ref().ok() == device.asic_id.as_ref().ok()
        };
        facts.devices.iter().find(same)
    });
    let Some(earlier) = earlier else {
        return Err(Missing::not_read("a rate needs two samples: use -l"));
    };
    let before = words(earlier).as_ref().map_err(Clone::clone)?;
    let micros = device.read_at.micros_since(earlier.read_at);
    if micros == 0 {
        let frozen = facts.demo || device.read_at == earlier.read_at;
        let why =
            if frozen { "no time passed between the samples" } else { "the clock was set back" };
        return Err(Missing::failed(why));
    }
    // A counter that went back wrapped at 2^32, or began again after a reset: the two look the same.
    let mut moved = 0;
    for (now, before) in now.iter().zip(before) {
        let words = now.checked_sub(*before).ok_or_else(|| {
            Missing::failed("the counter went back: it wrapped, or the chip was reset")
        })?;
        moved += u64::from(words);
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate is shown with three digits")]
    let rate = moved as f64 * PCIE_WORD_BYTES / (micros as f64 / 1e6);
    Ok(rate.round())
}

fn pcie(facts: &Facts, device: &Device) -> PcieLink {
    let age = device_age(facts, Some(device));
    let number = |field: &Field<u64>| {
        Reading::from_field(field.clone(), SourceName::Kmd, Quality::Exact).aged(age)
    };
    let speed = |field: &Field<f64>| {
        let field = field.clone().map(Quantity);
        Reading::from_field(field, SourceName::Kmd, Quality::Exact).aged(age)
    };
    PcieLink {
        current_speed_gts: speed(&device.pcie.current_speed_gts),
        max_speed_gts: speed(&device.pcie.max_speed_gts),
        current_width: number(&device.pcie.current_width),
        max_width: number(&device.pcie.max_width),
        numa_node: number(&device.pcie.numa_node),
    }
}

fn owners(joined: &Joined<'_>, chip: &JoinedChip, amounts: &Amounts) -> Owners {
    // A remote chip is opened through its gateway, so an owner of one may own the other.
    let device = match chip.origin {
        Origin::Local { device } | Origin::Remote { gateway: device } => {
            joined.facts.devices.get(device)
        }
        Origin::Unmatched => None,
    };
    let outside_namespace = match device {
        Some(device) => match &device.holders {
            Ok(holders) if holders.complete => Reading::exact(holders.outside, SourceName::Kmd)
                .aged(device_age(joined.facts, Some(device))),
            // Files that the driver counts and that no process here has open.
            Ok(holders) if holders.outside > 0 => {
                Reading::new(holders.outside, SourceName::Kmd, Quality::Inferred)
                    .aged(device_age(joined.facts, Some(device)))
            }
            Ok(_) => Missing::denied("other users' open files are not shown to this user").into(),
            Err(missing) => missing.clone().into(),
        },
        None => Missing::no_source("no driver knows this chip").into(),
    };
    let with_bytes = amounts.held.iter().filter_map(|held| held.holder.live());
    let pids: BTreeSet<Pid> = joined.pids(chip).into_iter().chain(with_bytes).gather();
    Owners { pids: pids.into_iter().collect(), outside_namespace }
}
