//! The budget and the cost of a sample.

use std::time::Duration;

use super::error::KmdPortError;
use ttmem_root::clock::{Clock, Stopwatch};

/// The budget of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes read from the device.
    pub bytes: u64,
    /// Time since the sample began.
    pub time: Duration,
}

impl Default for Budget {
    /// Twice what 140 cores with every circular buffer in use take (about 2 KiB each), and a second. A word takes about
    /// a microsecond over PCIe (a guess until it is measured on a device), so the bytes end a sample first.
    fn default() -> Self {
        Self { bytes: 560 << 10, time: Duration::from_secs(1) }
    }
}

/// The cost of reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Calls of the port.
    pub reads: u64,
    /// Bytes read from the device, four at a time.
    pub bytes: u64,
    /// Times the window was pointed somewhere else: one call of the driver each.
    pub(crate) aims: u64,
}

/// Counts a sample.
#[derive(Debug)]
pub(super) struct Meter {
    budget: Budget,
    clock: Clock,
    began: Stopwatch,
    cost: Cost,
}

impl Meter {
    pub(super) fn new(budget: Budget, clock: Clock) -> Self {
        Self { budget, clock, began: clock.start(), cost: Cost::default() }
    }

    /// Begins a sample.
    pub(super) fn restart(&mut self) {
        self.began = self.clock.start();
        self.cost = Cost::default();
    }

    pub(super) fn cost(&self) -> Cost {
        self.cost
    }

    /// Counts a call; refuses one that would take the sample over its budget.
    pub(super) fn begin_read(&mut self, bytes: u64) -> Result<(), KmdPortError> {
        if self.cost.bytes.saturating_add(bytes) > self.budget.bytes {
            return Err(self.over());
        }
        self.cost.reads += 1;
        Ok(())
    }

    /// Counts a word; ends the sample when its time is over.
    pub(super) fn count_word(&mut self) -> Result<(), KmdPortError> {
        /// Asking the clock takes 20 to 50 ns, a word about a microsecond: so the time is looked at every 64 bytes.
        const WORDS_BETWEEN_LOOKS: u64 = 16;
        self.cost.bytes += 4;
        let look = (self.cost.bytes / 4).is_multiple_of(WORDS_BETWEEN_LOOKS);
        if look && u128::from(self.began.micros()) > self.budget.time.as_micros() {
            return Err(self.over());
        }
        Ok(())
    }

    pub(super) fn count_aim(&mut self) {
        self.cost.aims += 1;
    }

    fn over(&self) -> KmdPortError {
        let Cost { reads, bytes, .. } = self.cost;
        KmdPortError::OverBudget { reads, bytes, micros: self.began.micros() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_that_does_not_fit_is_refused_before_it_is_made() {
        let budget = Budget { bytes: 100, time: Duration::MAX };
        let mut meter = Meter::new(budget, Clock::System);
        meter.begin_read(100).unwrap();
        (0..25).for_each(|_| meter.count_word().unwrap());
        let refused = meter.begin_read(1).unwrap_err();
        assert!(matches!(refused, KmdPortError::OverBudget { reads: 1, bytes: 100, .. }));
        meter.restart();
        meter.begin_read(100).unwrap();
        assert_eq!(meter.cost(), Cost { reads: 1, bytes: 0, aims: 0 });
    }

    #[test]
    fn a_slow_device_ends_the_sample() {
        let budget = Budget { bytes: u64::MAX, time: Duration::ZERO };
        let mut meter = Meter::new(budget, Clock::System);
        let words = (0..u64::MAX).take_while(|_| meter.count_word().is_ok()).count();
        assert!(words.is_multiple_of(16) || words % 16 == 15, "{words}");
    }
}
