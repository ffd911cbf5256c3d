//! What a server knows: how it was before the first sample, and when its samples were taken.

use std::time::Duration;

use ttmem_collect::Supply;
use ttmem_model::recording::{Contents, Header, Recording};
use ttmem_model::snapshot::SourceStatus;
use ttmem_model::{Snapshot, SourceName, Timestamp};

use super::app::{Event, Past, Sample};
use super::history::{Moment, POINTS, Window};

/// How far back the charts look, and what is asked of a server.
pub const PAST: Duration = Duration::from_secs(3600);

/// A server's time is the clock's of the machine, unless that was set; then the sample counts as of now.
const NOTABLE_US: u64 = 60_000_000;

/// When a snapshot was taken, on the time line on which it is `now`.
#[must_use]
pub fn taken(snapshot: &Snapshot, now: Moment) -> Moment {
    let time = Moment(snapshot.time_us.0);
    if is_served(snapshot) && time <= now && now.since(time) < NOTABLE_US { time } else { now }
}

fn is_served(snapshot: &Snapshot) -> bool {
    snapshot
        .sources
        .iter()
        .any(|source| source.name == SourceName::Server && source.status == SourceStatus::Ok)
}

/// What there is to tell beside a sample: lines about the server, and once what was before.
#[must_use]
pub fn events(supply: &mut Supply, sample: &Sample) -> Vec<Event> {
    let mut events: Vec<Event> =
        supply.notices().into_iter().map(|notice| Event::Done(Err(notice))).collect();
    let blocks = supply.history();
    if !blocks.is_empty() {
        events.extend(read(blocks, sample).map(|past| Event::Before(Box::new(past))));
    }
    events
}

/// What is remembered after the blocks of a recording and the sample that follows them; `None` if nothing can be read.
#[must_use]
pub fn read(blocks: Vec<Vec<u8>>, sample: &Sample) -> Option<Past> {
    let mut bytes = Contents::begin(&Header::default()).1;
    bytes.extend(blocks.into_iter().flatten());
    let mut recording = Recording::open(bytes).ok()?;
    let (first, _) = recording.span()?;
    let mut past = Past::default();
    let mut before = None;
    for (time, step) in steps(first, Timestamp(sample.at.0)) {
        // What is damaged leaves a gap.
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

/// The moments that are read, from `first` to `last`, and how far each is from the next: as close as the points of the
/// shortest chart that they are in, but no closer than a second. All would be too many.
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
