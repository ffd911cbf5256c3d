//! What a recording tells besides what agents said: memory over time, and what happened.

use serde::Serialize;
use ttmem_model::recording::{AttachmentKind, Damage, Event, ReadAt, Recording};
use ttmem_model::segment::{Reader, Segment};
use ttmem_model::{Pid, Timestamp};

use crate::series::Series;

/// Events that a report has at most: the first half of them and the last.
const MAX_EVENTS: usize = 2000;

/// A recording as a report has it.
#[derive(Clone, Debug, Serialize)]
pub struct RecordingReport {
    /// Where it was read.
    pub file: String,
    /// The host that was recorded.
    pub host: Option<String>,
    /// The version of the `ttmem` that recorded.
    pub ttmem: String,
    /// Its first moment.
    pub from_us: Option<Timestamp>,
    /// Its last moment.
    pub to_us: Option<Timestamp>,
    /// How many snapshots it has.
    pub snapshots: u64,
    /// How many of them cannot be read.
    pub unreadable: u64,
    /// Microseconds from one to the next, as asked for.
    pub interval_us: u64,
    /// False if its end is missing.
    pub ended: bool,
    /// Bytes that are no part of any block.
    pub damaged_bytes: u64,
    /// Memory over time.
    pub series: Series,
    /// What happened, by time.
    pub events: Vec<Event>,
    /// How many events there are.
    pub events_of: u64,
}

/// A segment of a recording.
#[derive(Clone, Debug)]
pub struct RecordedSegment {
    /// Its process, as the recorded host counts.
    pub pid: Option<Pid>,
    /// Whether its process ran on when the recording ended.
    pub is_running: bool,
    /// The name of its file.
    pub name: String,
    /// What it says, or why it cannot be read.
    pub segment: Result<Segment, String>,
}

impl RecordingReport {
    /// Reads all of a recording. `file` is where it stands.
    ///
    /// # Errors
    /// If it cannot be read at all. What is damaged leaves a gap.
    pub fn of<R: ReadAt>(file: String, recording: &mut Recording<R>) -> Result<Self, Damage> {
        let mut series = Series::default();
        let mut unreadable = 0;
        for number in 0..recording.len() {
            match recording.moment(number) {
                Ok(Some(moment)) => match moment.snapshot() {
                    Ok(snapshot) => series.push(&snapshot),
                    Err(_) => unreadable += 1,
                },
                Ok(None) => {}
                Err(Damage::Read(error)) => return Err(Damage::Read(error)),
                Err(_) => unreadable += 1,
            }
        }
        let mut events = recording.events()?;
        events.sort_by_key(|event| event.time);
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
            unreadable,
            interval_us: header.interval_us,
            ended: recording.is_ended(),
            damaged_bytes: recording.damaged_bytes(),
            series,
            events,
            events_of,
        })
    }
}

/// The segments of agents that a recording holds.
pub fn recorded_segments<R: ReadAt>(recording: &Recording<R>) -> Vec<RecordedSegment> {
    let attached = recording.attachments().into_iter();
    let segments = attached.filter(|attached| attached.attachment.kind == AttachmentKind::Segment);
    let read = |attached: ttmem_model::recording::Attached| {
        let bytes = recording.attachment(&attached).map_err(|damage| damage.to_string());
        let segment =
            bytes.and_then(|bytes| Reader::parse(&bytes).map_err(|error| error.to_string()));
        let ttmem_model::recording::Attachment { pid, is_running, name, .. } = attached.attachment;
        RecordedSegment { pid, is_running, name, segment }
    };
    segments.map(read).collect()
}
