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

    /// The blocks since a time, the oldest first. Behind a header they are a recording.
    pub fn since(&mut self, time: Timestamp) -> Vec<Vec<u8>> {
        if let Some(block) = self.encoder.flush() {
            self.ring.push(block);
        }
        let blocks = self.ring.blocks().filter(|block| block.last() >= time);
        blocks.map(|block| block.bytes.clone()).collect()
    }
}
