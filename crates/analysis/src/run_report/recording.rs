//! The report of a recording beyond its agents: memory over time, and events.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use ttmem_model::order;
use ttmem_model::order::Gather as _;
use ttmem_model::{Pid, Timestamp};
use ttmem_recording::{AttachmentKind, Damage, DamageAccount, Event, EventKind, ReadAt, Recording};
use ttmem_segment::{Reader, Segment};

use crate::series::{COLUMNS, Series};

/// Snapshots that are read for a report: twice as many as a plot has columns. Reading all of an hour of a Galaxy at ten
/// a second would take a minute.
const MAX_SNAPSHOTS: u64 = 2 * COLUMNS as u64;
/// Events that a report has at most: the first half of them and the last.
const MAX_EVENTS: usize = 2000;

/// A recording as a report has it.
#[derive(Clone, Debug, Serialize)]
pub struct RecordingReport {
    /// Path that the recording was read from.
    pub file: String,
    /// The host that was recorded.
    pub host: Option<String>,
    /// The version of the `ttmem` that recorded.
    pub(crate) ttmem: String,
    /// Time of the first snapshot.
    pub from_us: Option<Timestamp>,
    /// Time of the last snapshot.
    pub to_us: Option<Timestamp>,
    /// The number of snapshots.
    pub snapshots: u64,
    /// Every n-th of them was read, this n, and those at which a chip held more of a kind than ever.
    pub(crate) read_every: u64,
    /// The number of unreadable snapshots.
    pub(crate) unreadable: u64,
    /// Microseconds from one to the next, as asked for.
    pub(crate) interval_us: u64,
    /// False if its end is missing.
    pub ended: bool,
    /// Damaged bytes, which are left out.
    pub(crate) damaged_bytes: u64,
    /// Snapshots in damaged blocks.
    pub(crate) damaged_snapshots: u64,
    /// Damaged parts of agent segments and maps of cores.
    pub damaged_parts: u64,
    /// Memory over time.
    pub series: Series,
    /// The events, by time.
    pub events: Vec<Event>,
    /// The number of events.
    pub events_of: u64,
}

/// A segment of a recording.
#[derive(Clone, Debug)]
pub struct RecordedSegment {
    /// Process that wrote the segment, by pid of the recorded host.
    pub pid: Option<Pid>,
    /// True if its process ran on when the recording ended.
    pub is_running: bool,
    /// The name of its file.
    pub name: String,
    /// The content, or the reason that it cannot be read.
    pub segment: Result<Segment, String>,
}

impl RecordingReport {
    /// Reads all of a recording. `file` is where it is.
    ///
    /// # Errors
    /// If it cannot be read at all. What is damaged leaves a gap.
    pub fn of<R: ReadAt>(file: String, recording: &mut Recording<R>) -> Result<Self, Damage> {
        let account = recording.account()?;
        let mut events = recording.events()?;
        let read_every = recording.len().div_ceil(MAX_SNAPSHOTS).max(1);
        let mut series = Series::default();
        let mut unreadable = 0;
        for number in numbers(recording, read_every, &events) {
            match recording.moment(number) {
                Ok(Some(moment)) => match crate::replay::snapshot(&moment) {
                    Ok(snapshot) => series.push(&snapshot),
                    Err(_) => unreadable += 1,
                },
                Ok(None) => {}
                Err(Damage::Read(error)) => return Err(Damage::Read(error)),
                Err(_) => unreadable += 1,
            }
        }
        order::sort_by_key(&mut events, |event| event.time);
        let events_of = events.len() as u64;
        if events.len() > MAX_EVENTS {
            events.drain(MAX_EVENTS / 2..events.len() - MAX_EVENTS / 2);
        }
        let (header, span) = (recording.header(), recording.span());
        Ok(Self {
            file,
            host: header.host.clone(),
            ttmem: header.ttmem.clone(),
            from_us: span.map(|(first, _)| first),
            to_us: span.map(|(_, last)| last),
            snapshots: recording.len(),
            read_every,
            unreadable,
            interval_us: header.interval_us,
            ended: recording.is_ended(),
            damaged_bytes: account.bytes,
            damaged_snapshots: account.snapshots,
            damaged_parts: account.parts,
            series,
            events,
            events_of,
        })
    }
}

impl RecordingReport {
    /// Returns the damage of the recording.
    #[must_use]
    pub fn damage(&self) -> DamageAccount {
        DamageAccount {
            bytes: self.damaged_bytes,
            snapshots: self.damaged_snapshots,
            parts: self.damaged_parts,
        }
    }
}

/// The numbers of the snapshots that are read.
fn numbers<R: ReadAt>(recording: &mut Recording<R>, each: u64, events: &[Event]) -> BTreeSet<u64> {
    let count = recording.len();
    let mut numbers: BTreeSet<u64> =
        (0..count).step_by(usize::try_from(each).unwrap_or(1)).gather();
    numbers.extend(count.checked_sub(1));
    if each == 1 {
        return numbers;
    }
    // The last peak of a chip and kind is its highest. The words before the number of bytes name the kind.
    let mut highest = BTreeMap::new();
    for event in events.iter().filter(|event| event.kind == EventKind::Peak) {
        let kind = event.text.rsplitn(3, ' ').nth(2);
        if highest.len() < MAX_EVENTS || highest.contains_key(&(event.chip, kind)) {
            highest.insert((event.chip, kind), event.time);
        }
    }
    for time in highest.into_values() {
        numbers.extend(recording.number_at(time).ok().flatten());
    }
    numbers
}

/// The segments of agents that a recording holds.
pub fn recorded_segments<R: ReadAt>(recording: &Recording<R>) -> Vec<RecordedSegment> {
    let attached = recording.attachments().into_iter();
    let segments = attached.filter(|attached| attached.attachment.kind == AttachmentKind::Segment);
    let read = |attached: ttmem_recording::Attached| {
        let bytes = recording.attachment(&attached).map_err(|damage| damage.to_string());
        let segment =
            bytes.and_then(|bytes| Reader::parse(&bytes).map_err(|error| error.to_string()));
        let ttmem_recording::Attachment { pid, is_running, name, .. } = attached.attachment;
        RecordedSegment { pid, is_running, name, segment }
    };
    segments.map(read).collect()
}

#[cfg(test)]
mod tests {
    use ttmem_model::facts::RegionBytes;
    use ttmem_recording::{Contents, Encoder, Header, Limits, Tracker};

    use super::*;
    use ttmem_fake::{BYTES, Board, Host, PID, Process};
    use ttmem_root::Root;
    use ttmem_sources::Collector;

    #[test]
    fn of_many_snapshots_every_nth_is_read_and_the_highest() {
        let snapshot = |dram| {
            let bytes = RegionBytes { dram, ..BYTES };
            let host = Host::new().board(Board::n150()).workload(Process::new(PID, "x"), bytes);
            Collector::new(Root::memory(host.into_tree())).snapshot()
        };
        let (low, high) = (snapshot(10), snapshot(99));
        let (mut contents, mut bytes) = Contents::begin(&Header::default());
        let (mut encoder, mut tracker) = (Encoder::new(Limits::default()), Tracker::default());
        let count = 5 * MAX_SNAPSHOTS / 2;
        for second in 0..count {
            let mut moment = if second == 1234 { high.clone() } else { low.clone() };
            moment.time_us = Timestamp(second * 1_000_000);
            if let Some(block) = encoder.push(moment.time_us, &moment).unwrap() {
                contents.add(&block);
                bytes.extend(block.bytes);
            }
            tracker.observe(&moment).into_iter().for_each(|event| encoder.event(event));
        }
        bytes.extend(encoder.flush().unwrap().bytes);
        let mut recording = Recording::open(bytes).unwrap();
        let report = RecordingReport::of("x".into(), &mut recording).unwrap();
        assert_eq!((report.snapshots, report.read_every), (count, 3));
        let dram = &report.series.chips()[0].kinds[0];
        assert_eq!((dram.peak, dram.peak_us), (99, Timestamp(1_234_000_000)));
        assert_eq!(numbers(&mut recording, 3, &[]).last(), Some(&(count - 1)));
    }
}
