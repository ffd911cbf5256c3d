//! The last minutes or hours of a host, in bounded memory: blocks of a recording.

use std::time::Duration;

use ttmem_model::recording::{Encoder, FlattenError};
use ttmem_model::{Snapshot, Timestamp};

use crate::recorder::ring::Ring;

/// Remembers snapshots for those who come later.
#[derive(Debug)]
pub struct History {
    encoder: Encoder,
    ring: Ring,
}

impl History {
    /// A history of so much time in so many bytes at most, whichever is less.
    #[must_use]
    pub fn new(window: Duration, max_bytes: u64) -> Self {
        let ring = Ring::new(window, max_bytes);
        Self { encoder: Encoder::new(ring.limits()), ring }
    }

    /// Remembers a snapshot.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn push(&mut self, snapshot: &Snapshot) -> Result<(), FlattenError> {
        if let Some(block) = self.encoder.push(snapshot.time_us, snapshot)? {
            self.ring.push(block);
        }
        Ok(())
    }

    /// The number of the first block that reaches a time, for [`Self::block`]. Ends the block that is being filled.
    pub fn since(&mut self, time: Timestamp) -> u64 {
        if let Some(block) = self.encoder.flush() {
            self.ring.push(block);
        }
        let mut blocks = self.ring.blocks();
        blocks.find(|(_, block)| block.last() >= time).map_or(u64::MAX, |(number, _)| number)
    }

    /// The block of a number and the number of the next one. Behind a header, blocks are a recording. Of blocks that
    /// are forgotten by now the oldest that is left is given instead.
    #[must_use]
    pub fn block(&self, number: u64) -> Option<(&[u8], u64)> {
        let (number, block) = self.ring.block(number)?;
        Some((&block.bytes, number.saturating_add(1)))
    }
}
