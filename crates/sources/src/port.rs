//! Ways to the L1 of a chip.
//!
//! A port can read and nothing else: the trait has no way to write, and no type that implements it may get one.

pub mod image;
pub mod kmd;
pub mod simulator;

use ttmem_model::Arch;
use ttmem_model::l1::Coordinate;

/// The chip's properties, known before any L1 is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortChip {
    /// The port's name of the chip: a socket, a device file, an entry of a capture.
    pub name: String,
    /// The architecture.
    pub arch: Arch,
    /// True if NOC coordinates are translated.
    pub noc_translation: bool,
    /// The harvesting mask as the port reports it: rows on Wormhole, columns on Blackhole.
    pub harvesting: u64,
    /// Bytes of L1 of a worker core, as the port reports it.
    pub l1_bytes: u64,
    /// The cores that may be asked, harvested ones among them where the port cannot tell.
    pub cores: Vec<Coordinate>,
}

/// A way to read the L1 of one chip's worker cores.
pub trait L1Port {
    /// Returns the chip that the port reads.
    fn chip(&self) -> &PortChip;

    /// Fills `buffer` with the L1 of a core from `address` on.
    ///
    /// # Errors
    /// If the core cannot be asked or the bytes are not all there. The buffer then holds anything.
    fn read(&mut self, core: Coordinate, address: u64, buffer: &mut [u8]) -> Result<(), PortError>;

    /// The gap in bytes up to which one read is cheaper than two. A port that pays for each call, as a
    /// socket does, keeps the default; one that pays for each word, as a window over PCIe does, returns less.
    fn worthwhile_gap(&self) -> u64 {
        4096
    }
}

/// The reason that a read gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PortError {
    /// The chip has no such core, or it must not be asked.
    #[error("{name} has no core at ({}, {})", core.x, core.y)]
    NoSuchCore {
        /// The port.
        name: String,
        /// The core.
        core: Coordinate,
    },
    /// The bytes are not all there.
    #[error(
        "{name} does not hold {bytes} bytes at {address} of core ({}, {})", core.x, core.y
    )]
    Outside {
        /// The port.
        name: String,
        /// The core.
        core: Coordinate,
        /// The first byte.
        address: u64,
        /// The number of requested bytes.
        bytes: usize,
    },
    /// The sample took more than it may. What was read before is right.
    #[error("{name}: {detail}")]
    OverBudget {
        /// The port.
        name: String,
        /// The cost of the sample.
        detail: String,
    },
    /// The way to the chip is broken: the next read would fail as well.
    #[error("{name}: {detail}")]
    Failed {
        /// The port.
        name: String,
        /// The error.
        detail: String,
    },
}

impl PortError {
    /// True if other reads may still succeed.
    #[must_use]
    pub fn is_local(&self) -> bool {
        !matches!(self, Self::Failed { .. })
    }
}

/// True if a chip may have a worker core at a NOC coordinate. Translated ones of Wormhole have columns and rows of their own (SoC
/// descriptors and `docs/COORDINATE_SYSTEMS.md` of tt-umd 0.9.14).
fn is_worker(arch: Arch, noc: Coordinate) -> bool {
    match arch {
        Arch::Wormhole => {
            matches!((noc.x, noc.y), (1..=4 | 6..=9, 1..=5 | 7..=11) | (18..=25, 18..=27))
        }
        Arch::Blackhole => matches!((noc.x, noc.y), (1..=7 | 10..=16, 2..=11)),
    }
}
