//! The values of the last hour, in constant memory.
//!
//! There is one level per chart window. A level keeps [`POINTS`] spans of time, and for each line one value per span:
//! the worst of its samples. Spans have the times of their samples, so charts have a true time axis: a time without a
//! span was not measured.
//!
//! A line costs 4 bytes per point and level, from its first known value on: 3.75 KiB an hour. At most [`MOST_LINES`]
//! lines are kept; values that are dropped are counted.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use super::number::narrow;
use super::track::Line;

/// Values that a level keeps per line. A chart of 120 columns has two dots in each.
pub(crate) const POINTS: usize = 240;

/// The most lines that are kept: 15 of 32 chips, 7 of 32 processes, and 12 of 17 groups of chips. An hour of all of
/// them takes 3.4 MiB.
pub(crate) const MOST_LINES: usize = 908;

/// A sample later than this many intervals leaves a gap.
const LATE_INTERVALS: u64 = 2;

/// A time on the time line of the samples, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

impl Moment {
    /// Returns the microseconds since an earlier moment.
    #[must_use]
    pub(crate) fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Returns the moment this many microseconds before.
    #[must_use]
    pub(crate) fn before(self, microseconds: u64) -> Self {
        Self(self.0.saturating_sub(microseconds))
    }
}

/// The time window of a chart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Window {
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
    pub(crate) const ALL: [Self; 4] = [Self::Minute, Self::FiveMinutes, Self::Quarter, Self::Hour];

    /// Returns its length in minutes.
    #[must_use]
    pub(crate) fn minutes(self) -> u64 {
        match self {
            Self::Minute => 1,
            Self::FiveMinutes => 5,
            Self::Quarter => 15,
            Self::Hour => 60,
        }
    }

    /// Returns its length in microseconds.
    #[must_use]
    pub(crate) fn micros(self) -> u64 {
        self.minutes() * 60_000_000
    }

    /// Returns the window of this many minutes.
    #[must_use]
    pub(crate) fn of_minutes(minutes: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|window| window.minutes() == minutes)
    }

    /// Returns the next shorter window, or itself.
    #[must_use]
    pub(crate) fn shorter(self) -> Self {
        Self::ALL[self.level().saturating_sub(1)]
    }

    /// Returns the next longer window, or itself.
    #[must_use]
    pub(crate) fn longer(self) -> Self {
        Self::ALL[(self.level() + 1).min(Self::ALL.len() - 1)]
    }

    fn level(self) -> usize {
        self as usize
    }
}

/// The time span that a value covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: Moment,
    end: Moment,
    /// The time of its last sample.
    last: Moment,
}

#[derive(Debug)]
struct Level {
    bucket_micros: u64,
    spans: VecDeque<Span>,
    /// Spans that were dropped before the oldest one here.
    forgotten: u64,
}

impl Level {
    fn new(window: Window) -> Self {
        let bucket_micros = window.micros() / POINTS as u64;
        Self { bucket_micros, spans: VecDeque::new(), forgotten: 0 }
    }

    /// Returns the index of a span in the rings.
    fn slot(&self, position: usize) -> usize {
        let points = POINTS as u64;
        usize::try_from((self.forgotten + position as u64) % points).unwrap_or(0)
    }

    /// Starts or extends a span. Returns the slot of the sample, and true if it is a new one.
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

/// The rings of one line; a level's ring exists from the first known value on.
#[derive(Debug, Default)]
struct Rings {
    levels: [Option<Box<[f32]>>; Window::ALL.len()],
    seen: Moment,
}

/// The values of the last hour.
#[derive(Debug)]
pub(crate) struct History {
    levels: [Level; Window::ALL.len()],
    lines: BTreeMap<Line, Rings>,
    last: Option<Moment>,
    /// Values dropped because there were too many lines.
    refused: u64,
}

impl Default for History {
    fn default() -> Self {
        Self { levels: Window::ALL.map(Level::new), lines: BTreeMap::new(), last: None, refused: 0 }
    }
}

impl History {
    /// Stores the values of one sample. `interval` is the time to the next one, in microseconds. A sample that is not
    /// newer than the previous one is ignored.
    pub(crate) fn keep(
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
        self.drop_old_lines(at);
    }

    /// Drops lines without a value in the last hour.
    fn drop_old_lines(&mut self, now: Moment) {
        self.lines.retain(|_, rings| now.since(rings.seen) <= Window::Hour.micros());
    }

    /// Returns the number of values dropped because there were too many lines.
    #[must_use]
    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }

    /// Returns the time of the newest sample.
    #[must_use]
    pub(crate) fn last(&self) -> Option<Moment> {
        self.last
    }

    /// Returns the line in `columns` columns of equal time that end at `until`; `None` where nothing was measured.
    #[must_use]
    pub(crate) fn columns(
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
            let (Some(columns), false) = (axis.columns(span), number.is_nan()) else { continue };
            for column in &mut found[columns] {
                let worst = column.map_or(number, |other| line.track.worst().of(other, number));
                *column = Some(worst);
            }
        }
        found
    }

    /// Returns the worst value of a line within a window that ends now.
    #[must_use]
    pub(crate) fn worst(&self, line: Line, window: Window) -> Option<f32> {
        let level = &self.levels[window.level()];
        let ring = self.lines.get(&line)?.levels[window.level()].as_ref()?;
        let from = self.last?.before(window.micros());
        let spans = level.spans.iter().enumerate().filter(|(_, span)| span.end > from);
        let numbers = spans.map(|(position, _)| ring[level.slot(position)]);
        numbers
            .filter(|number| !number.is_nan())
            .reduce(|first, second| line.track.worst().of(first, second))
    }

    /// Returns the spans of a window and a line's values in them, the oldest first.
    pub(crate) fn points(
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

/// A time axis divided into columns.
struct Axis {
    from: Moment,
    until: Moment,
    columns: usize,
}

impl Axis {
    /// Returns the columns that a span covers, at least one if it is on the axis at all.
    fn columns(&self, span: &Span) -> Option<std::ops::Range<usize>> {
        if span.end <= self.from || span.start >= self.until || self.columns == 0 {
            // The newest sample is taken at the end of the axis.
            return (span.start == self.until && self.columns > 0)
                .then(|| self.columns - 1..self.columns);
        }
        let length = u128::from(self.until.since(self.from));
        let columns = self.columns as u128;
        let column = |moment: Moment| {
            let column = u128::from(moment.since(self.from)) * columns / length.max(1);
            usize::try_from(column).unwrap_or(self.columns).min(self.columns)
        };
        let start = column(span.start).min(self.columns - 1);
        let end = column(span.end.min(self.until));
        Some(start..end.max(start + 1))
    }
}

#[cfg(test)]
mod tests;
