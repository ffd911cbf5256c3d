//! `index.json` of a capture.

use serde::{Deserialize, Serialize};
use ttmem_model::Arch;
use ttmem_model::l1::{ByteRange, Coordinate};
use ttmem_model::order;

use super::{MAX_BYTES, MAX_CORES, MAX_L1_BYTES, Part};
use crate::port::{PortChip, is_worker};

/// `tt::ARCH` of UMD, as captures have it.
const ARCH_WORMHOLE: u64 = 2;
/// The architecture number of Blackhole.
const ARCH_BLACKHOLE: u64 = 3;

/// One chip of the index.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct IndexChip {
    #[serde(default)]
    socket: String,
    arch: u64,
    #[serde(default)]
    noc_translation: bool,
    #[serde(default)]
    harvest: u64,
    worker_l1_size: u64,
    cores: Vec<IndexCore>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct IndexCore {
    noc: Coordinate,
    segments: Vec<Segment>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Segment {
    addr: u64,
    len: u64,
    offset: u64,
}

impl IndexChip {
    /// A chip without cores.
    pub(super) fn new(chip: &PortChip) -> Self {
        Self {
            socket: chip.name.clone(),
            arch: match chip.arch {
                Arch::Wormhole => ARCH_WORMHOLE,
                Arch::Blackhole => ARCH_BLACKHOLE,
            },
            noc_translation: chip.noc_translation,
            harvest: chip.harvesting,
            worker_l1_size: chip.l1_bytes,
            cores: Vec::new(),
        }
    }

    /// Adds a core with its parts: address, bytes, and where those are in the capture's.
    pub(super) fn add(
        &mut self,
        noc: Coordinate,
        parts: impl Iterator<Item = (u64, usize, usize)>,
    ) {
        let wide = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let segments = parts
            .map(|(addr, len, offset)| Segment { addr, len: wide(len), offset: wide(offset) })
            .collect();
        self.cores.push(IndexCore { noc, segments });
    }

    /// The parts of each core, ascending.
    pub(super) fn parts(&self) -> Result<Vec<Vec<Part>>, String> {
        let part = |segment: &Segment| {
            let stored = segment.stored()?;
            let index = |number: u64| usize::try_from(number).map_err(|error| error.to_string());
            Ok(Part {
                address: segment.address()?,
                stored: index(stored.start)?..index(stored.end)?,
            })
        };
        let core = |core: &IndexCore| {
            let mut parts = core.segments.iter().map(part).collect::<Result<Vec<_>, String>>()?;
            order::sort_by_key(&mut parts, |part| part.address);
            Ok(parts)
        };
        self.cores.iter().map(core).collect()
    }

    /// The chip as its port reported it.
    pub(super) fn into_port_chip(self) -> Result<PortChip, String> {
        Ok(PortChip {
            arch: self.arch()?,
            name: self.socket,
            noc_translation: self.noc_translation,
            harvesting: self.harvest,
            l1_bytes: self.worker_l1_size,
            cores: self.cores.into_iter().map(|core| core.noc).collect(),
        })
    }

    fn arch(&self) -> Result<Arch, String> {
        match self.arch {
            ARCH_WORMHOLE => Ok(Arch::Wormhole),
            ARCH_BLACKHOLE => Ok(Arch::Blackhole),
            arch => Err(format!("architecture {arch} is neither 2 (wormhole) nor 3 (blackhole)")),
        }
    }
}

impl Segment {
    /// Returns the addresses that the part covers.
    fn address(&self) -> Result<ByteRange, String> {
        ByteRange::from_start_and_bytes(self.addr, self.len)
            .filter(|range| range.end <= MAX_L1_BYTES)
            .ok_or_else(|| format!("{} bytes at address {} are not in any L1", self.len, self.addr))
    }

    /// Returns the range of the part among the bytes of the capture.
    fn stored(&self) -> Result<ByteRange, String> {
        ByteRange::from_start_and_bytes(self.offset, self.len)
            .filter(|range| range.end <= MAX_BYTES)
            .ok_or_else(|| format!("{} bytes at offset {} are too far out", self.len, self.offset))
    }
}

/// Checks an index as a whole and says how many bytes its capture must hold.
pub(super) fn check(chips: &[IndexChip]) -> Result<u64, String> {
    let mut ranges = Vec::new();
    for chip in chips {
        let arch = chip.arch()?;
        if !(1..=MAX_L1_BYTES).contains(&chip.worker_l1_size) {
            return Err(format!("no core has {} bytes of L1", chip.worker_l1_size));
        }
        if chip.cores.len() > MAX_CORES {
            return Err(format!("no chip has {} cores", chip.cores.len()));
        }
        let mut cores: Vec<_> = chip.cores.iter().map(|core| core.noc).collect();
        order::sort(&mut cores);
        if let Some([core, _]) = cores.array_windows().find(|[one, other]| one == other) {
            return Err(format!("core ({}, {}) is listed twice", core.x, core.y));
        }
        for core in &chip.cores {
            let addresses = core.segments.iter().map(Segment::address);
            let addresses = addresses.collect::<Result<Vec<_>, _>>()?;
            let Coordinate { x, y } = core.noc;
            if !is_worker(arch, core.noc) {
                return Err(format!("({x}, {y}) is no worker core of {}", arch.as_str()));
            }
            overlap(addresses, &format!("addresses of core ({x}, {y})"))?;
            for segment in &core.segments {
                ranges.push(segment.stored()?);
            }
        }
    }
    let needed = ranges.iter().map(|range| range.end).max().unwrap_or(0);
    overlap(ranges, "offsets")?;
    Ok(needed)
}

fn overlap(mut ranges: Vec<ByteRange>, what: &str) -> Result<(), String> {
    order::sort(&mut ranges);
    match ranges.array_windows().find(|[one, other]| !one.intersection(*other).is_empty()) {
        Some([one, other]) => Err(format!(
            "{what} {} to {} and {} to {} overlap",
            one.start, one.end, other.start, other.end
        )),
        None => Ok(()),
    }
}
