//! The history of a server: the samples before the first one, and their times.

use std::time::Duration;

use ttmem_model::snapshot::SourceStatus;
use ttmem_model::{Snapshot, SourceName, Timestamp};
use ttmem_recording::{Contents, Header, Recording};
use ttmem_service::Supply;

use super::app::{Event, Past, Sample};
use super::history::{Moment, POINTS, Window};

/// The time span of the charts, requested from a server.
pub(crate) const PAST: Duration = Duration::from_secs(3600);

/// A server's time is the clock's of the machine, unless that was set; then the sample counts as of now.
const NOTABLE_US: u64 = 60_000_000;

/// Converts the time of a snapshot to the time line on which the current time is `now`.
#[must_use]
pub(crate) fn taken(snapshot: &Snapshot, now: Moment) -> Moment {
    let time = Moment(snapshot.time_us.0);
    if is_served(snapshot) && time <= now && now.since(time) < NOTABLE_US { time } else { now }
}

fn is_served(snapshot: &Snapshot) -> bool {
    snapshot
        .sources
        .iter()
        .any(|source| source.name == SourceName::Server && source.status == SourceStatus::Ok)
}

/// Lines about the server to show beside a sample, and once the history.
#[must_use]
pub(crate) fn events(supply: &mut Supply, sample: &Sample) -> Vec<Event> {
    let mut events: Vec<Event> =
        supply.notices().into_iter().map(|notice| Event::Done(Err(notice))).collect();
    let blocks = supply.history();
    if !blocks.is_empty() {
        events.extend(read(blocks, sample).map(|past| Event::Before(Box::new(past))));
    }
    events
}

/// Builds the state from the blocks of a recording and the sample that follows; `None` if no block is readable.
#[must_use]
pub(crate) fn read(blocks: Vec<Vec<u8>>, sample: &Sample) -> Option<Past> {
    let mut bytes = Contents::begin(&Header::default()).1;
    bytes.extend(blocks.into_iter().flatten());
    let mut recording = Recording::open(bytes).ok()?;
    let (first, _) = recording.span()?;
    let mut past = Past::default();
    let mut before = None;
    for (time, step) in steps(first, Timestamp(sample.at.0)) {
        // Damaged blocks leave a gap.
        let Ok(Some(moment)) = recording.at(time) else { continue };
        if before.is_some_and(|before| before >= moment.time()) {
            continue;
        }
        before = Some(moment.time());
        if let Ok(snapshot) = moment.snapshot() {
            past.note(Moment(moment.time().0), step, &snapshot);
        }
    }
    let step = Window::Minute.micros() / POINTS as u64;
    past.note(sample.at, step, &sample.snapshot);
    Some(past)
}

/// Returns the moments to read between `first` and `last`, each with its distance to the next: as dense as the points
/// of the shortest chart that shows them, but at most one per second. Reading all would take too long.
fn steps(first: Timestamp, last: Timestamp) -> impl Iterator<Item = (Timestamp, u64)> {
    const LEAST_US: u64 = 1_000_000;
    let hour = last.0.saturating_sub(Window::Hour.micros()).max(first.0);
    let next = move |&(time, _): &(u64, u64)| {
        let age = last.0.saturating_sub(time);
        let window = Window::ALL.into_iter().find(|window| age <= window.micros())?;
        let step = (window.micros() / POINTS as u64).max(LEAST_US);
        time.checked_add(step).filter(|next| *next < last.0).map(|next| (next, step))
    };
    let all = std::iter::successors((hour < last.0).then_some((hour, LEAST_US)), next);
    all.map(|(time, step)| (Timestamp(time), step))
}

#[cfg(test)]
mod tests;
