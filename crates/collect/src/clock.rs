//! The only place that reads the clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ttmem_model::Timestamp;

/// What time it is: the system's, or always the same for captures and tests.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The system's clocks.
    System,
    /// A clock that stands still.
    Fixed(Timestamp),
}

impl Clock {
    /// The time of day.
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

    /// Starts to measure how long something takes.
    #[must_use]
    pub fn start(self) -> Stopwatch {
        match self {
            Self::System => Stopwatch(Some(Instant::now())),
            Self::Fixed(_) => Stopwatch(None),
        }
    }
}

/// Measures how long something takes, apart from the time of day.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Option<Instant>);

impl Stopwatch {
    /// Microseconds since the start; 0 on a clock that stands still.
    #[must_use]
    pub fn micros(self) -> u64 {
        self.0.map_or(0, |start| micros(start.elapsed()))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
