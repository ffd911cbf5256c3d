//! L1 out of a capture directory, and the making of one.
//!
//! A capture is `index.json`, which lists chips, their cores and the parts of L1 that were kept, and `l1.bin.gz`, which
//! holds the bytes of all parts. A read of anything else is an error: what was not kept is not zero. A capture may come
//! from anywhere, so everything in it is checked before memory is allocated for it.

mod index;
mod save;

use std::io::Read as _;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use ttmem_model::l1::{ByteRange, Coordinate};

use super::{L1Port, PortChip, PortError};
use index::IndexChip;
use ttmem_root::{Root, RootError};

pub use save::SaveError;
pub(crate) use save::save;

/// The list of a capture.
const INDEX: &str = "index.json";

/// The bytes of a capture.
const BYTES: &str = "l1.bin.gz";

/// Bytes of an index at most: 32 chips of 140 cores take about 500 kB.
const MAX_INDEX_BYTES: usize = 16 << 20;

/// Bytes of a packed capture at most. Whole L1 of 32 chips does not pack this badly.
const MAX_PACKED_BYTES: usize = 512 << 20;

/// Bytes of an unpacked capture at most: four Blackhole chips whole, or forty with mailbox and ring.
const MAX_BYTES: u64 = 1 << 30;

/// Bytes of L1 at most: more than any worker core has.
const MAX_L1_BYTES: u64 = 16 << 20;

/// The cores of one chip at most: the whole NOC grid of a Blackhole has 204.
const MAX_CORES: usize = 1024;

/// A part of a core's L1: where it starts, and its bytes.
pub(crate) type KeptPart = (u64, Vec<u8>);

/// One chip of a capture.
#[derive(Clone, Debug)]
pub struct ImagePort {
    chip: PortChip,
    /// The parts of each core, ascending; in the order of the chip's cores.
    parts: Vec<Vec<Part>>,
    bytes: Arc<[u8]>,
}

/// A part of a core's L1 that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    address: ByteRange,
    /// Range of the part among the bytes of the capture.
    stored: Range<usize>,
}

/// The reason that a capture cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// A file cannot be read.
    #[error(transparent)]
    Root(#[from] RootError),
    /// A file is larger than any capture.
    #[error("{file} has more than {limit} bytes; is this a capture?")]
    TooLarge {
        /// The file.
        file: &'static str,
        /// The limit.
        limit: u64,
    },
    /// The index is no list of chips.
    #[error("{INDEX} is no list of chips: {0}")]
    Syntax(#[from] serde_json::Error),
    /// The index says what cannot be.
    #[error("{INDEX}: {0}")]
    Index(String),
    /// The bytes cannot be unpacked.
    #[error("{BYTES} cannot be unpacked: {0}")]
    Packing(std::io::Error),
}

impl ImagePort {
    /// The chips of a capture directory.
    ///
    /// # Errors
    /// If a file is missing, too large or damaged, or the index says what cannot be.
    pub fn open(directory: &Path) -> Result<Vec<Self>, ImageError> {
        let root = Root::directory(directory)?;
        let read = |file: &'static str, limit: usize| {
            let bytes = root.read(file, limit.saturating_add(1))?.bytes;
            match bytes.len() <= limit {
                true => Ok(bytes),
                false => Err(ImageError::TooLarge {
                    file,
                    limit: u64::try_from(limit).unwrap_or(u64::MAX),
                }),
            }
        };
        Self::from_bytes(&read(INDEX, MAX_INDEX_BYTES)?, &read(BYTES, MAX_PACKED_BYTES)?)
    }

    /// The chips of a capture whose files are in memory: `index.json` and `l1.bin.gz`.
    ///
    /// # Errors
    /// Like [`ImagePort::open`].
    pub(crate) fn from_bytes(index: &[u8], packed: &[u8]) -> Result<Vec<Self>, ImageError> {
        let chips: Vec<IndexChip> = serde_json::from_slice(index)?;
        let needed = index::check(&chips).map_err(ImageError::Index)?;
        Self::with_chips(chips, unpack(packed, needed)?.into())
    }

    /// One chip whose parts of L1 are given: for each core, addresses and bytes.
    ///
    /// # Errors
    /// If parts of a core overlap or there is too much of anything.
    pub fn from_parts(
        chip: &PortChip,
        cores: &[(Coordinate, Vec<KeptPart>)],
    ) -> Result<Self, ImageError> {
        let mut bytes = Vec::new();
        let mut entry = IndexChip::new(chip);
        for (noc, parts) in cores {
            entry.add(
                *noc,
                parts.iter().map(|(address, part)| {
                    let offset = bytes.len();
                    bytes.extend_from_slice(part);
                    (*address, part.len(), offset)
                }),
            );
        }
        let chips = vec![entry];
        index::check(&chips).map_err(ImageError::Index)?;
        let mut ports = Self::with_chips(chips, bytes.into())?;
        ports.pop().ok_or_else(|| ImageError::Index("no chip".to_owned()))
    }

    /// Returns the chip with a subset of its cores.
    #[must_use]
    pub fn with_cores(&self, cores: &[Coordinate]) -> Self {
        let own = self.chip.cores.iter().zip(&self.parts);
        let kept = own.filter(|(core, _)| cores.contains(core));
        let (cores, parts) = kept.map(|(core, parts)| (*core, parts.clone())).unzip();
        let chip = PortChip { cores, ..self.chip.clone() };
        Self { chip, parts, bytes: Arc::clone(&self.bytes) }
    }

    fn with_chips(chips: Vec<IndexChip>, bytes: Arc<[u8]>) -> Result<Vec<Self>, ImageError> {
        let port = |chip: IndexChip| {
            let parts = chip.parts().map_err(ImageError::Index)?;
            let chip = chip.into_port_chip().map_err(ImageError::Index)?;
            Ok(Self { chip, parts, bytes: Arc::clone(&bytes) })
        };
        chips.into_iter().map(port).collect()
    }
}

/// Unpacks what the index needs and not a byte more, whatever the file claims to hold.
fn unpack(packed: &[u8], needed: u64) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    let mut decoder = MultiGzDecoder::new(packed).take(needed);
    decoder.read_to_end(&mut bytes).map_err(ImageError::Packing)?;
    let got = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if got < needed {
        let detail = format!("a part ends at {needed}, and {BYTES} holds {got} bytes");
        return Err(ImageError::Index(detail));
    }
    Ok(bytes)
}

impl L1Port for ImagePort {
    fn chip(&self) -> &PortChip {
        &self.chip
    }

    fn read(&mut self, core: Coordinate, address: u64, buffer: &mut [u8]) -> Result<(), PortError> {
        let index = self.chip.cores.iter().position(|own| *own == core);
        let parts = index.and_then(|index| self.parts.get(index));
        let Some(parts) = parts else {
            return Err(PortError::NoSuchCore { name: self.chip.name.clone(), core });
        };
        fill(parts, &self.bytes, address, buffer).ok_or_else(|| PortError::Outside {
            name: self.chip.name.clone(),
            core,
            address,
            bytes: buffer.len(),
        })
    }
}

/// Fills a buffer from parts that may follow each other without a gap.
fn fill(parts: &[Part], bytes: &[u8], address: u64, buffer: &mut [u8]) -> Option<()> {
    let mut rest = buffer;
    let mut next = address;
    while !rest.is_empty() {
        let part =
            parts.iter().find(|part| (part.address.start..part.address.end).contains(&next))?;
        let skip = usize::try_from(next - part.address.start).ok()?;
        let source = bytes.get(part.stored.clone())?.get(skip..)?;
        let count = source.len().min(rest.len());
        let (head, tail) = rest.split_at_mut_checked(count)?;
        head.copy_from_slice(source.get(..count)?);
        next = next.checked_add(u64::try_from(count).ok()?)?;
        rest = tail;
    }
    Some(())
}

#[cfg(test)]
#[path = "image/image_tests.rs"]
mod tests;
