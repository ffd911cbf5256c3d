//! A port that counts what is asked of it, and reads neighbours in one call.

use ttmem_model::l1::{ByteRange, Coordinate};

use super::fault::Fault;
use super::launch::Block;
use super::reader::Cost;
use crate::port::{L1Port, PortError};

/// A port, and the cost of the reads so far.
pub(super) struct Counted<'a> {
    pub(super) port: &'a mut dyn L1Port,
    gap: u64,
    pub(super) cost: Cost,
}

impl<'a> Counted<'a> {
    pub(super) fn new(port: &'a mut dyn L1Port) -> Self {
        let gap = port.worthwhile_gap();
        Self { port, gap, cost: Cost::default() }
    }

    pub(super) fn read(
        &mut self,
        core: Coordinate,
        address: u64,
        buffer: &mut [u8],
    ) -> Result<(), PortError> {
        self.cost.reads += 1;
        self.cost.bytes += u64::try_from(buffer.len()).unwrap_or(u64::MAX);
        self.port.read(core, address, buffer)
    }

    /// The bytes of a range, with the range.
    pub(super) fn fetch(
        &mut self,
        core: Coordinate,
        range: ByteRange,
    ) -> Result<(ByteRange, Vec<u8>), PortError> {
        let mut bytes = vec![0; usize::try_from(range.bytes()).unwrap_or(0)];
        self.read(core, range.start, &mut bytes)?;
        Ok((range, bytes))
    }

    /// True if two ranges are read in one call.
    pub(super) fn joins(&self, one: ByteRange, other: ByteRange) -> bool {
        let (low, high) = if one <= other { (one, other) } else { (other, one) };
        high.start.saturating_sub(low.end) <= self.gap
    }

    /// Reads parts of a block, ascending; neighbours in one call where that is worthwhile.
    pub(super) fn read_parts(
        &mut self,
        core: Coordinate,
        block: &mut Block<'_>,
        parts: &[ByteRange],
    ) -> Result<(), Fault> {
        let mut parts = parts.iter().copied();
        let mut next = parts.next();
        while let Some(mut range) = next {
            next = parts.next();
            while let Some(part) = next.filter(|part| self.joins(range, *part)) {
                range.end = range.end.max(part.end);
                next = parts.next();
            }
            let buffer = block.part_mut(range).ok_or(Fault::CutOff)?;
            self.read(core, range.start, buffer)?;
        }
        Ok(())
    }
}
