//! The segments of a command and of its children.
//!
//! A segment appears with the first call into TT-Metal. Its header names the runs that its process is part of: the
//! agent takes them from the environment, which the process inherits from ttmem and passes on to its children. Segments
//! of an older agent are known by the environment that the kernel shows, which a process may overwrite.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirEntryExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use rustix::io::Errno;
use ttmem_model::Pid;
use ttmem_root::{OpenFile, Root, RootError};
use ttmem_segment::layout::{HEADER_BYTES, MAX_SEGMENT_BYTES};
use ttmem_segment::{Identity, Reader, Segment, SegmentError, parse_file_name};
use ttmem_sources::source::agent::{find_in_other_namespaces, find_writer};
use ttmem_sources::source::shared_memory::SHARED_MEMORY;

use crate::cmd::report::segment_in;
use crate::error::Error;

/// The variable that marks the processes of one `ttmem run`.
pub(super) const TOKEN: &str = "TTMEM_RUN";

/// Longest time between two reads of the directory, also without notifications.
const INTERVAL: Duration = Duration::from_millis(250);
/// Time in which no command has loaded TT-Metal. One that ends before is not watched for new files: the kernel takes some 7 ms to close a watch.
const LOADING: Duration = Duration::from_millis(20);

/// The most segments that are kept open.
const KEPT_OPEN: usize = 256;

/// A segment of the command or of one of its children.
#[derive(Debug)]
pub(in crate::cmd) struct Found {
    /// File of the segment.
    pub(in crate::cmd) path: PathBuf,
    /// True if its process outlived the command.
    pub(in crate::cmd) is_running: bool,
    /// The open file: a nested `ttmem run` removes its segments when it ends.
    file: Option<OpenFile>,
}

impl Found {
    /// A segment, with its open file if it has one: the path of one in a container ends with the container. `None` if its path
    /// is none of a segment.
    pub(super) fn new(path: PathBuf, file: Option<OpenFile>) -> Option<Self> {
        let owner = path.file_name()?.to_str().and_then(parse_file_name)?;
        let is_running = find_writer(&Root::system(), owner, file.as_ref()).is_some();
        Some(Self { path, is_running, file })
    }

    /// Reads the segment, even if its file was removed.
    ///
    /// # Errors
    /// If it cannot be read, or is not a segment of this version.
    pub(in crate::cmd) fn read(&self) -> Result<Segment, Error> {
        match &self.file {
            Some(file) => segment_in(&self.path, file.reader()),
            None => {
                let file = open(&self.path).map_err(|error| {
                    Error::File(format!("cannot read {}: {}", self.path.display(), error.errno))
                })?;
                segment_in(&self.path, file.reader())
            }
        }
    }
}

/// Process that wrote a segment.
#[derive(Debug)]
enum Owner {
    /// A process of the command, with the segment's file if not too many files are open.
    Command(Option<OpenFile>),
    /// Any other process.
    Other,
    /// A process that has not written the header yet. Its file is open: the name may go, or be another's, until it has.
    Pending(OpenFile),
}

/// Looks out for segments on a thread of its own.
pub(super) struct Watch {
    token: String,
    /// Closed to end the thread.
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<Seen>>,
}

/// Returns the token of this run, by which segments name it.
pub(in crate::cmd) fn token() -> &'static str {
    static OWN: OnceLock<String> = OnceLock::new();
    OWN.get_or_init(|| format!("{}-{}", std::process::id(), nanoseconds()))
}

impl Watch {
    /// Starts to look. What is there already is not the command's.
    pub(super) fn start() -> Self {
        let token = token().to_owned();
        let mut seen = Seen { token: token.clone(), segments: BTreeMap::new() };
        seen.segments.extend(names().into_iter().map(|name| (name, Owner::Other)));
        let (stop, thread) = match io::pipe() {
            Ok((reader, writer)) => {
                (Some(writer), Some(thread::spawn(move || watch(seen, &reader))))
            }
            Err(_) => (None, None),
        };
        Self { token, stop, thread }
    }

    /// The value of [`TOKEN`] that marks the command's processes: also as those of the runs around this one.
    pub(super) fn tokens(&self) -> OsString {
        let mut tokens = std::env::var_os(TOKEN).unwrap_or_default();
        if !tokens.is_empty() {
            tokens.push(Identity::SEPARATOR.to_string());
        }
        tokens.push(&self.token);
        tokens
    }

    /// Looks a last time and says what was found.
    pub(super) fn finish(mut self) -> Vec<Found> {
        drop(self.stop.take());
        let seen = self.thread.take().and_then(|thread| thread.join().ok());
        seen.map(|seen| seen.found()).unwrap_or_default()
    }
}

/// A number that no other run of this process id has.
fn nanoseconds() -> u128 {
    let clock = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u128::from(clock.tv_sec.unsigned_abs()) * 1_000_000_000
        + u128::from(clock.tv_nsec.unsigned_abs())
}

/// The segments seen so far, by name and inode: after `exec` a process replaces its own.
struct Seen {
    token: String,
    segments: BTreeMap<(String, u64), Owner>,
}

fn watch(mut seen: Seen, stop: &PipeReader) -> Seen {
    let within = |time: Duration| Timespec { tv_sec: 0, tv_nsec: time.subsec_nanos().into() };
    let is_over = poll(&mut [PollFd::new(stop, PollFlags::IN)], Some(&within(LOADING)));
    let news = matches!(is_over, Ok(0)).then(news).flatten();
    seen.look();
    let timeout = within(INTERVAL);
    loop {
        let mut waiting = vec![PollFd::new(stop, PollFlags::IN)];
        if let Some(news) = &news {
            waiting.push(PollFd::new(news, PollFlags::IN));
        }
        let polled = poll(&mut waiting, Some(&timeout));
        let is_over = polled.is_err() || !waiting[0].revents().is_empty();
        drop(waiting);
        if let Some(news) = &news {
            drain(news);
        }
        seen.look();
        if is_over {
            return seen;
        }
    }
}

/// A descriptor that reports new files.
fn news() -> Option<OwnedFd> {
    let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
    let news = inotify::init(flags).ok()?;
    inotify::add_watch(&news, SHARED_MEMORY, inotify::WatchFlags::CREATE).ok()?;
    Some(news)
}

fn drain(news: &OwnedFd) {
    let mut buffer = [0_u8; 4096];
    while rustix::io::read(news, &mut buffer).is_ok_and(|bytes| bytes > 0) {}
}

/// The names of segments, each with the inode of its file.
fn names() -> Vec<(String, u64)> {
    let entries = fs::read_dir(SHARED_MEMORY).into_iter().flatten().flatten();
    let names =
        entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.ino())));
    names.filter(|(name, _)| parse_file_name(name).is_some()).collect()
}

impl Seen {
    fn look(&mut self) {
        for key in names() {
            let path = Path::new(SHARED_MEMORY).join(&key.0);
            let opened = || open(&path).map_or(Owner::Other, Owner::Pending);
            self.segments.entry(key).or_insert_with(opened);
        }
        let mut kept = self.segments.values().filter(|it| matches!(it, Owner::Command(_))).count();
        for ((name, _), owner) in &mut self.segments {
            if matches!(owner, Owner::Pending(_))
                && let Owner::Pending(file) = std::mem::replace(owner, Owner::Other)
            {
                *owner = owner_of(&self.token, name, file, kept < KEPT_OPEN);
                kept += usize::from(matches!(owner, Owner::Command(_)));
            }
        }
    }

    fn found(self) -> Vec<Found> {
        let mut files = BTreeSet::new();
        let found = self.segments.into_iter().filter_map(|((name, inode), owner)| {
            let Owner::Command(file) = owner else { return None };
            let path = Path::new(SHARED_MEMORY).join(name);
            let is_there = || path.symlink_metadata().is_ok_and(|now| now.ino() == inode);
            // A name may become another file's between its listing and its opening.
            let is_first = match file.as_ref().and_then(OpenFile::identity) {
                Some(opened) => files.insert(opened),
                None => is_there(),
            };
            if !is_first {
                return None;
            }
            Found::new(path, file)
        });
        found.collect()
    }
}

/// The owner of a segment, by its header or environment.
fn owner_of(token: &str, name: &str, file: OpenFile, keeps: bool) -> Owner {
    let mut header = vec![0; HEADER_BYTES];
    let header = match file.read_at(0, &mut header) {
        Ok(()) => Reader::parse_header(&header),
        Err(_) => Err(SegmentError::NotReady),
    };
    match header {
        Ok(header) if header.identity.runs.iter().any(|run| run == token) => {
            Owner::Command(keeps.then_some(file))
        }
        Ok(header) if header.identity == Identity::default() && is_in_environment(token, name) => {
            Owner::Command(None)
        }
        Err(SegmentError::NotReady) => Owner::Pending(file),
        Ok(_) | Err(_) => Owner::Other,
    }
}

/// True if the owner of a segment has the token of a run in its environment.
fn is_in_environment(token: &str, name: &str) -> bool {
    let Some((pid, _)) = parse_file_name(name) else { return false };
    candidates(pid).into_iter().any(|pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| {
            let value = variable.strip_prefix(TOKEN.as_bytes());
            let tokens = value.and_then(|value| value.strip_prefix(b"="));
            tokens.is_some_and(|tokens| {
                tokens.split(|byte| *byte == b',').any(|held| held == token.as_bytes())
            })
        })
    })
}

/// The processes that a number may mean: in another namespace a process has another number here.
fn candidates(pid: i32) -> Vec<Pid> {
    let mut candidates = vec![Pid(pid)];
    candidates.extend(find_in_other_namespaces(&Root::system(), &[pid]));
    candidates
}

/// Opens a regular file of unknown origin: no link is followed, and no device is opened.
pub(super) fn open(path: &Path) -> Result<OpenFile, RootError> {
    let limit = MAX_SEGMENT_BYTES;
    match path.to_str() {
        Some(path) => Root::system().hold(path, limit),
        None => Err(RootError { path: path.display().to_string(), errno: Errno::INVAL }),
    }
}
