//! The recorder's thread.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender};

use ttmem_model::facts::Facts;
use ttmem_model::{Snapshot, Timestamp};
use ttmem_recording::{
    Attachment, Contents, Encoded, Encoder, Event, EventKind, Limits, Parts, Tracker, civil::Civil,
};

use super::agents::{Agents, PendingSegment, Taken};
use super::ring::{DEFAULT_MAX_BYTES, Ring};
use super::sink::{FileDamage, Sink};
use super::{Message, Options, Report, gap};
use ttmem_root::clock::Marks;

/// Delay between a death and writing the ring: processes that end together, and their effects, are in one file.
const SETTLE_US: u64 = 2_000_000;

pub(super) struct Writer {
    options: Options,
    target: Target,
    encoder: Encoder,
    tracker: Tracker,
    agents: Option<Agents>,
    /// Segments that are partly written, with the blocks of the first that wait for the others.
    parcels: VecDeque<PendingSegment>,
    blocks: Vec<Encoded>,
    dropped: Arc<AtomicU64>,
    /// The number of dropped snapshots that the recording already contains.
    dropped_said: u64,
    notices: Sender<String>,
    before: Option<Marks>,
    /// The time and reason of the pending ring write.
    pending: Option<(Timestamp, String)>,
    report: Report,
}

/// The destination of finished blocks.
enum Target {
    File { sink: Box<dyn Sink>, contents: Option<Contents> },
    Ring(Ring),
}

/// The recording cannot continue. The reason is in the report.
struct Ended;

impl Writer {
    pub(super) fn new(
        options: Options,
        sink: Option<Box<dyn Sink>>,
        agents: Option<Agents>,
        (dropped, notices): (Arc<AtomicU64>, Sender<String>),
    ) -> Self {
        let (target, limits) = match sink {
            Some(sink) => (Target::File { sink, contents: None }, Limits::default()),
            None => {
                let max_bytes = options.max_bytes.unwrap_or(DEFAULT_MAX_BYTES);
                let ring = Ring::new(options.ring.unwrap_or_default(), max_bytes);
                let limits = ring.limits();
                (Target::Ring(ring), limits)
            }
        };
        Self {
            options,
            target,
            encoder: Encoder::new(limits),
            tracker: Tracker::default(),
            agents,
            parcels: VecDeque::new(),
            blocks: Vec::new(),
            dropped,
            dropped_said: 0,
            notices,
            before: None,
            pending: None,
            report: Report::default(),
        }
    }

    /// Handles messages until it is stopped or nothing more can be written.
    pub(super) fn run(mut self, messages: &Receiver<Message>) -> Report {
        let mut why = "ttmem ended".to_owned();
        let mut outcome = Ok(());
        for message in messages {
            outcome = match message {
                Message::Snapshot(snapshot, facts, marks) => self.record(&snapshot, facts, marks),
                Message::Attach(attachment, bytes) => self.attach_bytes(attachment, &bytes),
                Message::WriteOut(why) => self.write_out(&why),
                Message::Stop(reason) => {
                    why = reason;
                    break;
                }
            };
            outcome = outcome.and_then(|()| self.attach_next());
            if outcome.is_err() {
                break;
            }
        }
        if outcome.is_ok() {
            outcome = self.end(&why);
        }
        if outcome.is_err() {
            self.save();
        }
        self.report
    }

    fn record(
        &mut self,
        snapshot: &Snapshot,
        facts: Option<Arc<Facts>>,
        marks: Marks,
    ) -> Result<(), Ended> {
        let time = snapshot.time_us;
        self.begin(snapshot)?;
        let gaps = self.before.map(|before| gap::between(before, marks)).unwrap_or_default();
        self.before = Some(marks);
        match self.encoder.push_merged(snapshot, facts) {
            Ok(Some(block)) => self.put(block)?,
            Ok(None) => {}
            Err(error) => self.notify(format!("a snapshot was skipped: {error}")),
        }
        for event in gaps {
            self.notify(event.text.clone());
            self.encoder.event(event);
        }
        self.record_drops(time);
        for event in self.tracker.observe(snapshot) {
            if event.kind == EventKind::ProcessDied && self.pending.is_none() {
                self.pending = Some((time, event.text.clone()));
            }
            self.encoder.event(event);
        }
        let taken = self.agents.as_mut().map(|agents| agents.observe(snapshot)).unwrap_or_default();
        self.take_in(taken);
        match &self.pending {
            Some((since, why)) if self.is_ring() && time.0.abs_diff(since.0) >= SETTLE_US => {
                let why = why.clone();
                self.write_out(&why)
            }
            _ => Ok(()),
        }
    }

    fn is_ring(&self) -> bool {
        matches!(self.target, Target::Ring(_))
    }

    /// Writes the header with the name of the host, as soon as a snapshot has it.
    fn begin(&mut self, snapshot: &Snapshot) -> Result<(), Ended> {
        let Target::File { sink, contents } = &mut self.target else {
            self.options.header.host.clone_from(&snapshot.host.name);
            return Ok(());
        };
        if contents.is_some() {
            return Ok(());
        }
        self.options.header.host.clone_from(&snapshot.host.name);
        let (new, bytes) = Contents::begin(&self.options.header);
        let written = sink.append(&bytes);
        *contents = Some(new);
        self.report.files.push(self.options.path.clone());
        written.map_err(|error| self.fail(&error.to_string()))
    }

    fn record_drops(&mut self, time: Timestamp) {
        let dropped = self.dropped.load(Ordering::Relaxed);
        let new = dropped - self.dropped_said;
        if new > 0 {
            self.dropped_said = dropped;
            let text = format!("{new} snapshots were dropped: writing was too slow");
            self.notify(text.clone());
            let value = i64::try_from(new).unwrap_or(i64::MAX);
            self.encoder.event(Event::new(time, EventKind::Dropped, text).with_value(value));
        }
    }

    fn put(&mut self, block: Encoded) -> Result<(), Ended> {
        let (sink, contents) = match &mut self.target {
            Target::Ring(ring) => {
                ring.push(block);
                return Ok(());
            }
            Target::File { sink, contents } => (sink, contents),
        };
        let Some(contents) = contents else { return Ok(()) };
        if let Some(damage) = sink.damage(contents.size()) {
            return Err(self.lose(damage));
        }
        let size = contents.size() + block.bytes.len() as u64 + contents.end_size();
        if self.options.max_bytes.is_some_and(|max| size > max) {
            self.report.limit = Some(format!("{} bytes", contents.size()));
            return Err(Ended);
        }
        if let Err(error) = sink.append(&block.bytes) {
            return Err(self.fail(&error.to_string()));
        }
        contents.add(&block);
        self.report.moments += u64::from(block.moments());
        Ok(())
    }

    /// Queues segments to be attached.
    fn take_in(&mut self, taken: Vec<Taken>) {
        for segment in taken {
            match segment {
                Ok(parcel) => self.parcels.push_back(parcel),
                Err(why) => self.notify(why),
            }
        }
    }

    /// Compresses one part of the queue: more would delay snapshots.
    fn attach_next(&mut self) -> Result<(), Ended> {
        let Some(parcel) = self.parcels.front_mut() else { return Ok(()) };
        match parcel.next() {
            Some(Ok(block)) => {
                self.blocks.push(block);
                return Ok(());
            }
            Some(Err(why)) => {
                self.blocks.clear();
                self.notify(why);
            }
            None => {
                let blocks = std::mem::take(&mut self.blocks);
                let is_in = self.attach(blocks)?;
                self.report.agents += u64::from(is_in);
            }
        }
        self.parcels.pop_front();
        Ok(())
    }

    fn attach_bytes(&mut self, attachment: Attachment, bytes: &[u8]) -> Result<(), Ended> {
        let Some(mut parts) = Parts::of(attachment) else { return Ok(()) };
        let mut blocks = Vec::new();
        let mut rest = bytes;
        while let Some((part, behind)) =
            parts.wanted().and_then(|(_, length)| rest.split_at_checked(length))
        {
            blocks.push(parts.block(part));
            rest = behind;
        }
        self.attach(blocks).map(|_is_in| ())
    }

    /// Adds an attachment to the recording. Returns false if there is no room for it.
    fn attach(&mut self, blocks: Vec<Encoded>) -> Result<bool, Ended> {
        let (sink, contents) = match &mut self.target {
            Target::Ring(ring) => {
                ring.attach(blocks);
                return Ok(true);
            }
            Target::File { sink, contents } => (sink, contents),
        };
        let Some(contents) = contents else { return Ok(false) };
        let added: u64 = blocks.iter().map(|block| block.bytes.len() as u64).sum();
        let size = contents.size() + added + contents.end_size();
        if blocks.is_empty() {
            return Ok(false);
        }
        if let Some(damage) = sink.damage(contents.size()) {
            return Err(self.lose(damage));
        }
        if self.options.max_bytes.is_some_and(|max| size > max) {
            self.notify(format!(
                "{added} bytes beside the snapshots are skipped: --max-size is reached"
            ));
            return Ok(false);
        }
        for block in blocks {
            if let Err(error) = sink.append(&block.bytes) {
                return Err(self.fail(&error.to_string()));
            }
            contents.add(&block);
        }
        Ok(true)
    }

    /// Ends the current block, and writes a ring into a file.
    fn write_out(&mut self, why: &str) -> Result<(), Ended> {
        self.pending = None;
        if let Some(block) = self.encoder.flush() {
            self.put(block)?;
        }
        let time = self.before.map_or(Timestamp(0), |marks| marks.wall);
        while self.is_ring() && !self.parcels.is_empty() {
            self.attach_next()?;
        }
        let Target::Ring(ring) = &self.target else { return Ok(()) };
        let live = self.agents.as_ref().map(|agents| agents.now(time)).unwrap_or_default();
        let live: Vec<Encoded> = live.into_iter().flatten().flatten().collect();
        match ring.write_out(&self.options.path, &self.options.header, time, &live) {
            Ok((path, moments, bytes)) => {
                self.notify(format!("{why}: wrote {} ({moments} snapshots)", path.display()));
                self.report.files.push(path);
                self.report.moments += moments;
                self.report.bytes += bytes;
            }
            // The ring continues: the next write may succeed.
            Err(error) => {
                let text = format!("{why}: cannot write the ring: {error}");
                self.notify(text.clone());
                self.report.unwritten.push(text);
            }
        }
        Ok(())
    }

    fn end(&mut self, why: &str) -> Result<(), Ended> {
        let time = self.before.map_or(Timestamp(0), |marks| marks.wall);
        for event in self.tracker.finish() {
            self.encoder.event(event);
        }
        if let Some((_, died)) = self.pending.take().filter(|_| self.is_ring()) {
            return self.write_out(&died);
        }
        if !self.is_ring() && self.before.is_some() {
            self.encoder.event(Event::new(time, EventKind::Ended, why));
            self.write_out(why)?;
            let taken = self.agents.as_mut().map(|agents| agents.finish(time)).unwrap_or_default();
            self.take_in(taken);
            while !self.parcels.is_empty() {
                self.attach_next()?;
            }
            return self.write_end();
        }
        Ok(())
    }

    fn write_end(&mut self) -> Result<(), Ended> {
        let Target::File { sink, contents: Some(contents) } = &mut self.target else {
            return Ok(());
        };
        if let Some(damage) = sink.damage(contents.size()) {
            return Err(self.lose(damage));
        }
        let end = contents.end();
        self.report.bytes = contents.size() + end.len() as u64;
        sink.append(&end).map_err(|error| self.fail(&error.to_string()))
    }

    /// Saves the complete part after an error: truncates the partial block, and tries to write the end after the
    /// complete part.
    fn save(&mut self) {
        let Target::File { sink, contents: Some(contents) } = &mut self.target else { return };
        if self.report.files.is_empty() {
            return;
        }
        let (size, end) = (contents.size(), contents.end());
        self.report.bytes = size;
        match sink.cut(size).and_then(|()| sink.append(&end)) {
            Ok(()) => self.report.bytes += end.len() as u64,
            // Without its end the recording is found by scanning; a partial end is harmless, but none is cleaner.
            Err(_) => drop(sink.cut(size)),
        }
    }

    /// Another process removed written bytes. They cannot be restored, and truncating to the old size would pad with
    /// zeros.
    fn lose(&mut self, damage: FileDamage) -> Ended {
        self.report.files.clear();
        self.fail(match damage {
            FileDamage::Removed => "the file was removed",
            FileDamage::Cut => "another process truncated the file",
        })
    }

    fn fail(&mut self, why: &str) -> Ended {
        let now = self.before.map_or(Timestamp(0), |marks| marks.wall);
        self.report.failure = Some(format!("{why} (at {})", Civil::of(now)));
        Ended
    }

    fn notify(&self, text: String) {
        // The receiver is gone once the recorder is being stopped.
        drop(self.notices.send(text));
    }
}
