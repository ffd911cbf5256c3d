//! The chip of a log, and the limits of all chips.

use ttmem_model::{Arch, Kind};

use super::message::Message;

/// Memory of one architecture, by TT-Metal's soc descriptors and HAL of the releases in `releases.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// The name in running text.
    pub(super) name: &'static str,
    /// Bytes of a worker core's L1.
    pub(super) l1: u64,
    /// The first address that programs and tensors may use, with the default `worker_l1_size`.
    pub(super) l1_base: u64,
    /// Worker cores of a chip without harvesting.
    pub(super) cores: u64,
    /// Bytes of a DRAM bank.
    pub(super) dram_bank: u64,
}

const WORMHOLE: Limits =
    Limits { name: "Wormhole", l1: 1_499_136, l1_base: 105_824, cores: 80, dram_bank: 1 << 30 };
const BLACKHOLE: Limits = Limits {
    name: "Blackhole",
    l1: 1_572_864,
    l1_base: 111_744,
    cores: 140,
    dram_bank: 4_278_190_080,
};

/// The limits of an architecture.
pub(super) fn limits(arch: Arch) -> Limits {
    match arch {
        Arch::Wormhole => WORMHOLE,
        Arch::Blackhole => BLACKHOLE,
    }
}

/// Every architecture.
pub(super) const ALL: [Limits; 2] = [WORMHOLE, BLACKHOLE];

/// Worker cores of the largest chip.
pub(super) const MOST_CORES: u64 = BLACKHOLE.cores;

/// Worker cores of the smallest chip: a Wormhole of an n300 with a row of dispatch cores.
pub(super) const FEWEST_CORES: u64 = 48;

/// The facts of a log about its chip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ChipFacts {
    /// The architecture, if all that is known agrees on one.
    pub(super) arch: Option<Arch>,
    /// Worker cores that L1 buffers can be spread over.
    pub(super) cores: Option<u64>,
}

impl ChipFacts {
    /// Collects what messages of one log tell.
    pub(super) fn of<'a>(messages: impl Iterator<Item = &'a Message> + Clone) -> Self {
        let archs = messages.clone().filter_map(arch_of);
        let mut arch = None;
        for next in archs {
            match arch {
                None => arch = Some(next),
                Some(known) if known != next => {
                    return Self { arch: None, cores: cores_of(messages) };
                }
                Some(_) => {}
            }
        }
        Self { arch, cores: cores_of(messages) }
    }

    /// The limits of the chip, if its architecture is known.
    pub(super) fn limits(self) -> Option<Limits> {
        self.arch.map(limits)
    }

    /// The most worker cores that the chip can have.
    pub(super) fn most_cores(self) -> u64 {
        self.cores.or(self.limits().map(|limits| limits.cores)).unwrap_or(BLACKHOLE.cores)
    }
}

/// The most bytes that a bank of any chip can hold, or a bank of the chip if it is known.
pub(super) fn largest_bank(kind: Kind, chip: ChipFacts) -> Option<u64> {
    let limits = chip.limits().unwrap_or(BLACKHOLE);
    match kind {
        Kind::Dram | Kind::Trace => Some(limits.dram_bank),
        Kind::L1 | Kind::L1Small => Some(limits.l1),
        _ => None,
    }
}

fn arch_of(message: &Message) -> Option<Arch> {
    let by_address = |address: Option<u64>| {
        address.filter(|address| *address > WORMHOLE.l1).map(|_| Arch::Blackhole)
    };
    let by_size = |size: Option<u64>| match size? {
        size if size == WORMHOLE.l1 => Some(Arch::Wormhole),
        size if size == BLACKHOLE.l1 => Some(Arch::Blackhole),
        _ => None,
    };
    // A Wormhole's grid has 8 columns.
    let wide = message.cores().is_some_and(|cores| cores.0.iter().any(|range| range.end.0 > 7));
    let by_grid = wide.then_some(Arch::Blackhole);
    match message {
        Message::BuffersClash(clash) => by_grid.or(by_address(clash.l1_address)),
        Message::BuffersBeyondL1(beyond) => by_size(beyond.l1_size).or(by_grid),
        Message::OutOfMemory(memory) => match (memory.kind()?, memory.banks?) {
            (Kind::Dram, 12) => Some(Arch::Wormhole),
            (Kind::Dram, 7 | 8) if memory.bank_size? > WORMHOLE.dram_bank => Some(Arch::Blackhole),
            (Kind::L1, 81..) => Some(Arch::Blackhole),
            _ => None,
        },
        Message::ShardGrid(grid) if grid.memory.as_deref() == Some("L1") => {
            grid.banks.filter(|banks| *banks > WORMHOLE.cores).map(|_| Arch::Blackhole)
        }
        _ => None,
    }
}

/// Worker cores by messages that name the banks of the whole device.
fn cores_of<'a>(messages: impl Iterator<Item = &'a Message>) -> Option<u64> {
    let cores = messages.filter_map(|message| match message {
        Message::ShardGrid(grid) if grid.memory.as_deref() == Some("L1") => grid.banks,
        // An interleaved buffer is spread over all cores. A sharded one that fills its shards may be on fewer.
        Message::OutOfMemory(memory) if memory.kind() == Some(Kind::L1) => {
            let whole =
                memory.per_bank.zip(memory.banks).and_then(|(bank, banks)| bank.checked_mul(banks));
            let grids = if memory.requested == whole { &FULL_GRIDS[..] } else { &WHOLE_CHIPS[..] };
            memory.banks.filter(|banks| grids.contains(banks))
        }
        _ => None,
    });
    cores.max()
}

/// Worker cores of chips as they are sold, with and without dispatch cores taken from them.
const WHOLE_CHIPS: [u64; 14] = [48, 54, 56, 63, 64, 70, 72, 80, 100, 110, 117, 120, 130, 140];

/// Those of [`WHOLE_CHIPS`] that are rare as shard grids on a larger chip.
const FULL_GRIDS: [u64; 5] = [64, 110, 120, 130, 140];
