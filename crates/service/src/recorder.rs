//! Records snapshots: a queue, and a thread that compresses and writes blocks.
//!
//! Sampling never waits. If the disk is slower than the sampling, snapshots are dropped and counted in the recording.
//! If the file fails, the recording ends with what was written.

mod agents;
mod gap;
pub(crate) mod ring;
mod sink;
mod source;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ttmem_model::Snapshot;
use ttmem_model::facts::Facts;
use ttmem_recording::{Attachment, Header};

pub use agents::Agents;
pub(crate) use sink::{FileSink, Sink};
pub use source::FileSource;
use ttmem_root::clock::Marks;
use writer::Writer;

/// Snapshots that can wait for the disk: a second and a half at ten a second, 20 MB of a Galaxy's.
const QUEUE: usize = 16;

/// The content and destination of a recording.
#[derive(Clone, Debug)]
pub struct Options {
    /// The file; for a ring, the base of its file names.
    pub path: PathBuf,
    /// The header of the file.
    pub header: Header,
    /// The most bytes; for a ring, in memory and in each file.
    pub max_bytes: Option<u64>,
    /// Time span that a ring keeps in memory and writes out on an event.
    pub ring: Option<Duration>,
}

/// The result of offering a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfferResult {
    /// Queued.
    Taken,
    /// The queue is full.
    Dropped,
    /// The recording has ended by itself.
    Ended,
}

/// The result of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The files that were written, in order.
    pub files: Vec<PathBuf>,
    /// Snapshots in the files.
    pub moments: u64,
    /// Segments of agents in the files.
    pub agents: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Snapshots that were dropped because the disk was too slow.
    pub dropped: u64,
    /// The limit that ended the recording, if any.
    pub limit: Option<String>,
    /// The error that ended the recording, if any.
    pub failure: Option<String>,
    /// The errors of failed ring writes.
    pub unwritten: Vec<String>,
    /// Messages that are not reported yet, one line each.
    pub notices: Vec<String>,
}

enum Message {
    Snapshot(Box<Snapshot>, Option<Arc<Facts>>, Marks),
    Attach(Attachment, Vec<u8>),
    WriteOut(String),
    Stop(String),
}

/// A recording in progress, with its thread.
#[derive(Debug)]
pub struct Recorder {
    queue: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
    notices: Receiver<String>,
    thread: JoinHandle<Report>,
}

impl Recorder {
    /// Creates the file and starts. Segments that `agents` finds are attached. For a ring, which has no file yet, it
    /// checks that a file can be created: an error at the first event would be too late.
    ///
    /// # Errors
    /// If the file is there already or cannot be created.
    pub fn start(options: Options, agents: Option<Agents>) -> std::io::Result<Self> {
        let sink: Option<Box<dyn Sink>> = match options.ring {
            None => Some(Box::new(FileSink::create(&options.path)?)),
            Some(_) => {
                ring::try_place(&options.path)?;
                None
            }
        };
        Self::start_with(options, sink, agents)
    }

    /// Starts with a destination other than a file.
    ///
    /// # Errors
    /// If no thread can be started.
    pub(crate) fn start_with(
        options: Options,
        sink: Option<Box<dyn Sink>>,
        agents: Option<Agents>,
    ) -> std::io::Result<Self> {
        let (queue, messages) = sync_channel(QUEUE);
        let (notify, notices) = channel();
        let dropped = Arc::new(AtomicU64::new(0));
        let writer = Writer::new(options, sink, agents, (Arc::clone(&dropped), notify));
        let thread = thread::Builder::new()
            .name("ttmem-recorder".to_owned())
            .spawn(move || writer.run(&messages))?;
        Ok(Self { queue, dropped, notices, thread })
    }

    /// Offers a snapshot, and the facts that it was merged from where they are known, without waiting.
    pub fn offer(
        &self,
        snapshot: Snapshot,
        facts: Option<Arc<Facts>>,
        marks: Marks,
    ) -> OfferResult {
        match self.queue.try_send(Message::Snapshot(Box::new(snapshot), facts, marks)) {
            Ok(()) => OfferResult::Taken,
            Err(TrySendError::Full(_)) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                OfferResult::Dropped
            }
            Err(TrySendError::Disconnected(_)) => OfferResult::Ended,
        }
    }

    /// Writes a ring out. Without a ring, ends the block, so that everything recorded is in the file.
    pub fn write_out(&self, why: &str) {
        // An error means that the recording has ended, which the next offer returns.
        drop(self.queue.send(Message::WriteOut(why.to_owned())));
    }

    /// Attaches data that the recorder does not find by itself. Waits for room in the queue.
    pub fn attach(&self, attachment: Attachment, bytes: Vec<u8>) {
        drop(self.queue.send(Message::Attach(attachment, bytes)));
    }

    /// Takes the messages since the last call, one line each.
    pub fn notices(&self) -> Vec<String> {
        self.notices.try_iter().collect()
    }

    /// Ends the recording. Waits until everything is written.
    pub fn stop(self, why: &str) -> Report {
        drop(self.queue.send(Message::Stop(why.to_owned())));
        drop(self.queue);
        let failed = || Report {
            failure: Some("the recorder has stopped on an internal error".to_owned()),
            ..Report::default()
        };
        let mut report = self.thread.join().unwrap_or_else(|_panic| failed());
        report.dropped = self.dropped.load(Ordering::Relaxed);
        report.notices = self.notices.try_iter().collect();
        report
    }
}

#[cfg(test)]
mod tests;
