//! What the samples said over the last hour, in constant memory.
//!
//! There is one level for each window of the charts. A level keeps [`POINTS`] spans of time, and each line one number
//! for each of them: the worst of its samples. Spans have the times of their samples, so a chart can be drawn on a true
//! time axis: where no span lies nothing was measured.
//!
//! A line costs 4 bytes for each point of each level, and only from its first known number on: 3.75 KiB an hour. At most
//! [`MOST_LINES`] lines are kept; what is not kept is counted.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use super::number::narrow;
use super::track::Line;

/// Numbers that a level keeps of a line. A chart of 120 columns has two dots in each.
pub const POINTS: usize = 240;

/// Lines that are kept: 15 of 32 chips, and 7 of 32 processes. All of them for an hour take 2.6 MiB.
pub const MOST_LINES: usize = 704;

/// A sample that is late by more than this many intervals leaves a gap.
const LATE_INTERVALS: u64 = 2;

/// A moment on the time line of the samples, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

impl Moment {
    /// Microseconds from an earlier moment to this one.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The moment this many microseconds before.
    #[must_use]
    pub fn before(self, microseconds: u64) -> Self {
        Self(self.0.saturating_sub(microseconds))
    }
}

/// How far back a chart looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Window {
    /// One minute.
    #[default]
    Minute,
    /// Five minutes.
    FiveMinutes,
    /// A quarter of an hour.
    Quarter,
    /// One hour.
    Hour,
}

impl Window {
    /// Every window, the shortest first.
    pub const ALL: [Self; 4] = [Self::Minute, Self::FiveMinutes, Self::Quarter, Self::Hour];

    /// Its length in minutes.
    #[must_use]
    pub fn minutes(self) -> u64 {
        match self {
            Self::Minute => 1,
            Self::FiveMinutes => 5,
            Self::Quarter => 15,
            Self::Hour => 60,
        }
    }

    /// Its length in microseconds.
    #[must_use]
    pub fn micros(self) -> u64 {
        self.minutes() * 60_000_000
    }

    /// The window of this many minutes.
    #[must_use]
    pub fn of_minutes(minutes: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|window| window.minutes() == minutes)
    }

    /// The next shorter one, or itself.
    #[must_use]
    pub fn shorter(self) -> Self {
        Self::ALL[self.level().saturating_sub(1)]
    }

    /// The next longer one, or itself.
    #[must_use]
    pub fn longer(self) -> Self {
        Self::ALL[(self.level() + 1).min(Self::ALL.len() - 1)]
    }

    fn level(self) -> usize {
        self as usize
    }
}

/// The time for which a number stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: Moment,
    end: Moment,
    /// When its last sample was taken.
    last: Moment,
}

#[derive(Debug)]
struct Level {
    bucket_micros: u64,
    spans: VecDeque<Span>,
    /// Spans that there were before the oldest one here.
    forgotten: u64,
}

impl Level {
    fn new(window: Window) -> Self {
        let bucket_micros = window.micros() / POINTS as u64;
        Self { bucket_micros, spans: VecDeque::new(), forgotten: 0 }
    }

    /// Where in the rings a span lies.
    fn slot(&self, position: usize) -> usize {
        let points = POINTS as u64;
        usize::try_from((self.forgotten + position as u64) % points).unwrap_or(0)
    }

    /// Begins or lengthens a span. Gives the slot of the sample, and whether it is a new one.
    fn advance(&mut self, at: Moment, interval: u64) -> (usize, bool) {
        let reach = Moment(at.0 + interval);
        if let Some(last) = self.spans.back_mut() {
            let in_time = at.since(last.last) <= interval.saturating_mul(LATE_INTERVALS);
            if in_time && last.start.0 / self.bucket_micros == at.0 / self.bucket_micros {
                (last.last, last.end) = (at, reach);
                return (self.slot(self.spans.len() - 1), false);
            }
            last.end = if in_time { at } else { last.end.min(at) };
        }
        if self.spans.len() == POINTS {
            self.spans.pop_front();
            self.forgotten += 1;
        }
        self.spans.push_back(Span { start: at, end: reach, last: at });
        (self.slot(self.spans.len() - 1), true)
    }
}

/// The rings of one line; a level's ring is there from the first known number on.
#[derive(Debug, Default)]
struct Rings {
    levels: [Option<Box<[f32]>>; Window::ALL.len()],
    seen: Moment,
}

/// The numbers of the last hour.
#[derive(Debug)]
pub struct History {
    levels: [Level; Window::ALL.len()],
    lines: BTreeMap<Line, Rings>,
    last: Option<Moment>,
    /// Numbers that were not kept because there were too many lines.
    refused: u64,
}

impl Default for History {
    fn default() -> Self {
        Self { levels: Window::ALL.map(Level::new), lines: BTreeMap::new(), last: None, refused: 0 }
    }
}

impl History {
    /// Keeps the numbers of one sample. `interval` is the time to the next one, in microseconds. A sample that is not
    /// newer than the one before is not kept.
    pub fn keep(
        &mut self,
        at: Moment,
        interval: u64,
        numbers: impl IntoIterator<Item = (Line, f64)>,
    ) {
        if self.last.is_some_and(|last| at <= last) {
            return;
        }
        self.last = Some(at);
        let interval = interval.max(1);
        let slots = self.levels.each_mut().map(|level| level.advance(at, interval));
        for rings in self.lines.values_mut() {
            for (ring, (slot, is_new)) in rings.levels.iter_mut().zip(slots) {
                if let (Some(ring), true) = (ring, is_new) {
                    ring[slot] = f32::NAN;
                }
            }
        }
        for (line, number) in numbers {
            if self.lines.len() >= MOST_LINES && !self.lines.contains_key(&line) {
                self.refused += 1;
                continue;
            }
            let rings = self.lines.entry(line).or_default();
            rings.seen = at;
            for (ring, (slot, _)) in rings.levels.iter_mut().zip(slots) {
                let ring = ring.get_or_insert_with(|| vec![f32::NAN; POINTS].into_boxed_slice());
                ring[slot] = line.track.worst().of(ring[slot], narrow(number));
            }
        }
        self.forget(at);
    }

    /// Lines of which nothing was heard for an hour.
    fn forget(&mut self, now: Moment) {
        self.lines.retain(|_, rings| now.since(rings.seen) <= Window::Hour.micros());
    }

    /// Numbers that were not kept because there were too many lines.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// The time of the newest sample.
    #[must_use]
    pub fn last(&self) -> Option<Moment> {
        self.last
    }

    /// The line in `columns` columns of equal time that end at `until`; `None` where nothing was measured.
    #[must_use]
    pub fn columns(
        &self,
        line: Line,
        window: Window,
        until: Moment,
        columns: usize,
    ) -> Vec<Option<f32>> {
        let mut found = vec![None; columns];
        let level = &self.levels[window.level()];
        let ring = self.lines.get(&line).and_then(|rings| rings.levels[window.level()].as_ref());
        let Some(ring) = ring else { return found };
        let axis = Axis { from: until.before(window.micros()), until, columns };
        for (position, span) in level.spans.iter().enumerate() {
            let number = ring[level.slot(position)];
            let (Some(places), false) = (axis.places(span), number.is_nan()) else { continue };
            for column in &mut found[places] {
                let worst = column.map_or(number, |other| line.track.worst().of(other, number));
                *column = Some(worst);
            }
        }
        found
    }

    /// The worst number of a line within a window that ends now.
    #[must_use]
    pub fn worst(&self, line: Line, window: Window) -> Option<f32> {
        let level = &self.levels[window.level()];
        let ring = self.lines.get(&line)?.levels[window.level()].as_ref()?;
        let from = self.last?.before(window.micros());
        let spans = level.spans.iter().enumerate().filter(|(_, span)| span.end > from);
        let numbers = spans.map(|(position, _)| ring[level.slot(position)]);
        numbers
            .filter(|number| !number.is_nan())
            .reduce(|first, second| line.track.worst().of(first, second))
    }

    /// The spans of a window and a line's numbers in them, the oldest first.
    pub fn points(
        &self,
        line: Line,
        window: Window,
    ) -> impl Iterator<Item = (Moment, Option<f32>)> + '_ {
        let level = &self.levels[window.level()];
        let ring = self.lines.get(&line).and_then(|rings| rings.levels[window.level()].as_ref());
        level.spans.iter().enumerate().map(move |(position, span)| {
            let number = ring.map(|ring| ring[level.slot(position)]);
            (span.start, number.filter(|number| !number.is_nan()))
        })
    }
}

/// A time axis of columns.
struct Axis {
    from: Moment,
    until: Moment,
    columns: usize,
}

impl Axis {
    /// The columns that a span covers, at least one if it lies on the axis at all.
    fn places(&self, span: &Span) -> Option<std::ops::Range<usize>> {
        if span.end <= self.from || span.start >= self.until || self.columns == 0 {
            // The newest sample is taken at the end of the axis.
            return (span.start == self.until && self.columns > 0)
                .then(|| self.columns - 1..self.columns);
        }
        let length = u128::from(self.until.since(self.from));
        let columns = self.columns as u128;
        let column = |moment: Moment| {
            let place = u128::from(moment.since(self.from)) * columns / length.max(1);
            usize::try_from(place).unwrap_or(self.columns).min(self.columns)
        };
        let start = column(span.start).min(self.columns - 1);
        let end = column(span.end.min(self.until));
        Some(start..end.max(start + 1))
    }
}

#[cfg(test)]
mod tests;
