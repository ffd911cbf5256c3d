//! The last minutes or hours of a host, in bounded memory: blocks of a recording.

use std::time::Duration;

use ttmem_model::{Snapshot, Timestamp};
use ttmem_recording::{Encoder, FlattenError};

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

    /// The number of the first block that reaches a time, for [`Self::block`]; it may be that of a block to come.
    #[must_use]
    pub fn since(&self, time: Timestamp) -> u64 {
        let mut next = 0;
        for (number, block) in self.ring.blocks() {
            if block.last() >= time {
                return number;
            }
            next = number + 1;
        }
        next
    }

    /// What is newer than all blocks, as a block. The one that is being filled goes on: those who ask do not make blocks
    /// shorter, which would take more room for the same time.
    #[must_use]
    pub fn unfinished(&self) -> Option<Vec<u8>> {
        self.encoder.unfinished().map(|block| block.bytes)
    }

    /// The block of a number and the number of the next one. Behind a header, blocks are a recording. Of blocks that
    /// are forgotten by now the oldest that is left is given instead.
    #[must_use]
    pub fn block(&self, number: u64) -> Option<(&[u8], u64)> {
        let (number, block) = self.ring.block(number)?;
        Some((&block.bytes, number.saturating_add(1)))
    }
}
