//! The last minutes or hours of a host, in bounded memory: blocks of a recording.

use std::time::Duration;

use ttmem_model::{Snapshot, Timestamp};
use ttmem_recording::{Encoder, FlattenError};

use crate::recorder::ring::Ring;

/// A bounded history of snapshots.
#[derive(Debug)]
pub(crate) struct History {
    encoder: Encoder,
    ring: Ring,
}

impl History {
    /// Creates a history limited by a time span and by bytes.
    #[must_use]
    pub(crate) fn new(window: Duration, max_bytes: u64) -> Self {
        let ring = Ring::new(window, max_bytes);
        Self { encoder: Encoder::new(ring.limits()), ring }
    }

    /// Adds a snapshot.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub(crate) fn push(&mut self, snapshot: &Snapshot) -> Result<(), FlattenError> {
        if let Some(block) = self.encoder.push(snapshot.time_us, snapshot)? {
            self.ring.push(block);
        }
        Ok(())
    }

    /// Returns the number of the first block that reaches a time, for [`Self::block`]; it may be a future block.
    #[must_use]
    pub(crate) fn since(&self, time: Timestamp) -> u64 {
        let mut next = 0;
        for (number, block) in self.ring.blocks() {
            if block.last() >= time {
                return number;
            }
            next = number + 1;
        }
        next
    }

    /// Returns the snapshots after the last block, as a block. The block being filled continues: requests do not
    /// shorten blocks, which would take more memory for the same time.
    #[must_use]
    pub(crate) fn unfinished(&self) -> Option<Vec<u8>> {
        self.encoder.unfinished().map(|block| block.bytes)
    }

    /// Returns the block with a number, and the number of the next one. After a header, blocks are a recording. If the
    /// block is already dropped, returns the oldest one.
    #[must_use]
    pub(crate) fn block(&self, number: u64) -> Option<(&[u8], u64)> {
        let (number, block) = self.ring.block(number)?;
        Some((&block.bytes, number.saturating_add(1)))
    }
}
