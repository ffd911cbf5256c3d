//! Agent segments: opened when they appear, attached to the recording when their process or the recording ends.
//!
//! The program that started a process may remove its segment at exit. An open file stays readable, so that the final
//! state of the agent is kept. Segments of processes that ended before the recording began are ignored.

use std::collections::BTreeMap;

use ttmem_model::{Pid, Snapshot, Timestamp};
use ttmem_recording::{Attachment, AttachmentKind, Encoded, MAX_ATTACHMENT_BYTES, Parts};

use ttmem_root::{OpenFile, Root};
use ttmem_segment::parse_file_name;
use ttmem_sources::source::agent::find_writer;
use ttmem_sources::source::process::{runs_since, user_of};
use ttmem_sources::source::shared_memory::SharedMemory;

/// The most segments watched at a time: each is an open file.
const MAX_WATCHED: usize = 256;

/// Watches the segments of one host.
#[derive(Debug)]
pub struct Agents {
    root: Root,
    known: BTreeMap<Key, Known>,
    /// True if directories of containers are searched.
    has_observed: bool,
}

/// Device and inode of a segment's file, and its name: identical under every path.
type Key = ((u64, u64), String);

#[derive(Debug)]
enum Known {
    /// A segment whose process ran before or during the recording; it is not attached yet.
    Open(Watched),
    /// A segment that is attached, or does not belong to this recording.
    Done,
}

#[derive(Debug)]
struct Watched {
    held: OpenFile,
    name: String,
    start_ticks: u64,
    /// Process that wrote the segment, by pid of this host, while it runs.
    owner: Option<Pid>,
}

/// A segment to attach, or the reason that it cannot be read.
pub(super) type Taken = Result<PendingSegment, String>;

/// A segment that is no longer written, or that is copied as it is. It is read and compressed part by part, so that
/// snapshots are recorded in between.
#[derive(Debug)]
pub(super) struct PendingSegment {
    name: String,
    held: OpenFile,
    parts: Parts,
}

impl PendingSegment {
    /// Returns the next part; `None` after the last.
    pub(super) fn next(&mut self) -> Option<Result<Encoded, String>> {
        part(&self.name, &self.held, &mut self.parts)
    }
}

impl Agents {
    /// Creates a watch for the host at `root`. Segments whose process has already ended are ignored.
    #[must_use]
    pub fn new(root: Root) -> Self {
        let mut agents = Self { root, known: BTreeMap::new(), has_observed: false };
        agents.look(&[], |_is_own| true);
        agents
    }

    /// Finds new segments, and takes those whose process has ended.
    pub(super) fn observe(&mut self, snapshot: &Snapshot) -> Vec<Taken> {
        let pids: Vec<Pid> = snapshot.processes.iter().map(|process| process.pid).collect();
        // Segments of a container that is searched for the first time may be as old as the container.
        let is_first = !std::mem::replace(&mut self.has_observed, true);
        self.look(&pids, |is_own| is_first && !is_own);
        self.take(snapshot.time_us, |watched| watched.owner.is_none())
    }

    /// Takes the rest: the segments of processes that still run, and of short-lived ones that were not seen.
    pub(super) fn finish(&mut self, time: Timestamp) -> Vec<Taken> {
        self.look(&[], |_is_own| false);
        self.take(time, |_| true)
    }

    /// Copies the segments as they are now, and keeps watching those that still change.
    pub(super) fn now(&self, time: Timestamp) -> Vec<Result<Vec<Encoded>, String>> {
        self.open().map(|watched| watched.blocks(time)).collect()
    }

    fn open(&self) -> impl Iterator<Item = &Watched> {
        self.known.values().filter_map(|known| match known {
            Known::Open(watched) => Some(watched),
            Known::Done => None,
        })
    }

    /// Finds new segments. `passes_over` decides for those without a process, by whether they are in our own directory,
    /// that they are not of this recording.
    fn look(&mut self, processes: &[Pid], passes_over: impl Fn(bool) -> bool) {
        let memory = SharedMemory::list(&self.root, processes);
        for directory in &memory.directories {
            let is_own = directory.through.is_empty();
            for name in directory.names.iter().filter_map(|name| name.to_str()) {
                let Some((pid, start_ticks)) = parse_file_name(name) else { continue };
                let path = format!("{}/{name}", directory.path);
                let Ok(status) = self.root.status(&path) else { continue };
                let key = (status.identity, name.to_owned());
                if self.known.contains_key(&key) || self.open().count() >= MAX_WATCHED {
                    continue;
                }
                let limit = usize::try_from(MAX_ATTACHMENT_BYTES).unwrap_or(usize::MAX);
                let held = match self.root.hold(&path, limit) {
                    Ok(held) => held,
                    // It was just removed, or there are too many open files.
                    Err(error) if !error.is_denied() => continue,
                    Err(_) => {
                        self.known.insert(key, Known::Done);
                        continue;
                    }
                };
                let owner = find_writer(&self.root, (pid, start_ticks), Some(&held));
                let is_strange = self.root.has_owners()
                    && (held.is_sparse() || self.is_forged(status.uid, owner));
                if is_strange || owner.is_none() && passes_over(is_own) {
                    self.known.insert(key, Known::Done);
                    continue;
                }
                let watched = Watched { held, name: name.to_owned(), start_ticks, owner };
                self.known.insert(key, Known::Open(watched));
            }
        }
        let is_running = |pid: Pid, start: u64| runs_since(&self.root, pid, start);
        for known in self.known.values_mut() {
            if let Known::Open(Watched { owner, start_ticks, .. }) = known {
                *owner = owner.filter(|pid| is_running(*pid, *start_ticks));
            }
        }
    }

    /// True if a segment belongs to neither the user of its process nor root.
    fn is_forged(&self, uid: Option<u32>, owner: Option<Pid>) -> bool {
        let user = owner.and_then(|pid| user_of(&self.root, pid));
        uid.is_some_and(|uid| uid != 0 && user.is_some_and(|user| user != uid))
    }

    fn take(&mut self, time: Timestamp, is_wanted: impl Fn(&Watched) -> bool) -> Vec<Taken> {
        let mut taken = Vec::new();
        for known in self.known.values_mut() {
            let is_taken = matches!(known, Known::Open(watched) if is_wanted(watched));
            if is_taken && let Known::Open(watched) = std::mem::replace(known, Known::Done) {
                taken.push(watched.parcel(time));
            }
        }
        taken
    }
}

impl Watched {
    fn parts(&self, time: Timestamp) -> Result<Parts, String> {
        let bytes = self.held.size().map_err(|error| left_out(&self.name, &error))?;
        let own_pid = parse_file_name(&self.name).map(|(pid, _)| Pid(pid));
        Parts::of(Attachment {
            kind: AttachmentKind::Segment,
            name: self.name.clone(),
            pid: self.owner.or(own_pid),
            is_running: self.owner.is_some(),
            time,
            bytes,
        })
        .ok_or_else(|| {
            left_out(&self.name, &format!("{bytes} bytes are more than an attachment may have"))
        })
    }

    fn parcel(self, time: Timestamp) -> Taken {
        let parts = self.parts(time)?;
        Ok(PendingSegment { name: self.name, held: self.held, parts })
    }

    fn blocks(&self, time: Timestamp) -> Result<Vec<Encoded>, String> {
        let mut parts = self.parts(time)?;
        std::iter::from_fn(|| part(&self.name, &self.held, &mut parts)).collect()
    }
}

fn part(name: &str, held: &OpenFile, parts: &mut Parts) -> Option<Result<Encoded, String>> {
    let (offset, length) = parts.wanted()?;
    let mut buffer = vec![0; length];
    let read = held.read_at(offset, &mut buffer);
    Some(read.map(|()| parts.block(&buffer)).map_err(|error| left_out(name, &error)))
}

fn left_out(name: &str, why: &dyn std::fmt::Display) -> String {
    format!("{name} is not in the recording: {why}")
}

#[cfg(test)]
mod tests;
