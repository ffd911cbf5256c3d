//! The samples of a command that may repeat.

use std::thread;
use std::time::Instant;

use crate::cli::common::Repeat;

/// One of the samples.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Number of the sample, from 0.
    pub(crate) number: u64,
    /// True if no other follows.
    pub(crate) is_last: bool,
}

impl Sample {
    /// True if it is the first.
    pub(crate) fn is_first(self) -> bool {
        self.number == 0
    }
}

/// Returns the samples to take: one, or the number of the repetition. All but the first wait for their time.
pub(crate) fn samples(repeat: Option<Repeat>) -> impl Iterator<Item = Sample> {
    let count = repeat.map_or(1, |repeat| repeat.count.unwrap_or(u64::MAX));
    let mut next = Instant::now();
    (0..count).map(move |number| {
        if let Some(repeat) = repeat.filter(|_| number > 0) {
            next = (next + repeat.interval.duration()).max(Instant::now());
            thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        Sample { number, is_last: number + 1 == count }
    })
}
