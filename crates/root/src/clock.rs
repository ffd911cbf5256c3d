//! The only module that reads the clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, Timespec};
use ttmem_model::Timestamp;

/// A clock: the system's, or fixed for captures and tests.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The system's clocks.
    System,
    /// A fixed time.
    Fixed(Timestamp),
}

impl Clock {
    /// Returns the time of day.
    #[must_use]
    pub fn now(self) -> Timestamp {
        match self {
            #[expect(clippy::disallowed_methods, reason = "this is the one reader of the clock")]
            Self::System => Timestamp(micros(
                SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO),
            )),
            Self::Fixed(time) => time,
        }
    }

    /// Returns the current values of all clocks. With a fixed clock the monotonic ones are 0.
    #[must_use]
    pub fn marks(self) -> Marks {
        let read = |clock| match self {
            Self::System => nanoseconds(rustix::time::clock_gettime(clock)) / 1000,
            Self::Fixed(_) => 0,
        };
        Marks {
            wall: self.now(),
            awake_us: read(ClockId::Monotonic),
            since_boot_us: read(ClockId::Boottime),
        }
    }

    /// Starts a stopwatch.
    #[must_use]
    pub fn start(self) -> Stopwatch {
        match self {
            Self::System => Stopwatch(Some(Instant::now())),
            Self::Fixed(_) => Stopwatch(None),
        }
    }
}

/// The values of the machine's clocks at one moment. The differences between two of them show whether the time of day
/// was set and whether the machine slept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The time of day.
    pub wall: Timestamp,
    /// Microseconds that the machine was awake.
    pub awake_us: u64,
    /// Microseconds since boot, sleep included.
    pub since_boot_us: u64,
}

/// Measures durations, independent of the time of day.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Option<Instant>);

impl Stopwatch {
    /// Returns microseconds since the start; 0 on a fixed clock.
    #[must_use]
    pub fn micros(self) -> u64 {
        self.0.map_or(0, |start| micros(start.elapsed()))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn nanoseconds(time: Timespec) -> u64 {
    let part = |value: i64| u64::try_from(value).unwrap_or(0);
    part(time.tv_sec).saturating_mul(1_000_000_000).saturating_add(part(time.tv_nsec))
}
