//! The segments of a command and of its children.
//!
//! A segment appears with the first call into TT-Metal, when its process runs. A process of this command has a mark
//! in its environment, which it inherits from ttmem and passes on to its children, however they are started.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use ttmem_model::Pid;
use ttmem_root::Root;
use ttmem_segment::parse_file_name;
use ttmem_sources::source::agent::find_in_other_namespaces;
use ttmem_sources::source::process::Processes;
use ttmem_sources::source::shared_memory::SHARED_MEMORY;

/// The variable that marks the processes of one `ttmem run`.
pub(super) const TOKEN: &str = "TTMEM_RUN";

/// Also without news the directory is looked at this often.
const INTERVAL: Duration = Duration::from_millis(250);

/// A segment of the command or of one of its children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cmd) struct Found {
    /// Its file.
    pub(in crate::cmd) path: PathBuf,
    /// True if its process outlived the command.
    pub(in crate::cmd) is_running: bool,
}

/// Looks out for segments on a thread of its own.
pub(super) struct Watch {
    token: String,
    /// Closed to end the thread.
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<Seen>>,
}

impl Watch {
    /// Starts to look. What is there already is not the command's.
    pub(super) fn start() -> Self {
        let token = format!("{}-{}", std::process::id(), nanoseconds());
        let mut seen = Seen { token: token.clone(), segments: BTreeMap::new() };
        seen.segments.extend(names().into_iter().map(|name| (name, None)));
        let (stop, thread) = match io::pipe() {
            Ok((reader, writer)) => {
                (Some(writer), Some(thread::spawn(move || watch(seen, &reader))))
            }
            Err(_) => (None, None),
        };
        Self { token, stop, thread }
    }

    /// The mark of the command's processes.
    pub(super) fn token(&self) -> &str {
        &self.token
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

/// The names seen so far, each with the process it belongs to if that is one of the command's.
struct Seen {
    token: String,
    segments: BTreeMap<String, Option<Pid>>,
}

fn watch(mut seen: Seen, stop: &PipeReader) -> Seen {
    let news = news();
    let timeout = Timespec { tv_sec: 0, tv_nsec: INTERVAL.subsec_nanos().into() };
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

/// A descriptor that tells of new files.
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

fn names() -> Vec<String> {
    let entries = fs::read_dir(SHARED_MEMORY).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| parse_file_name(name).is_some()).collect()
}

impl Seen {
    fn look(&mut self) {
        for name in names() {
            if self.segments.contains_key(&name) {
                continue;
            }
            let owner = parse_file_name(&name).and_then(|(pid, _)| self.owner(pid));
            self.segments.insert(name, owner);
        }
    }

    /// The process of a segment, if it is one of the command's. In another namespace it has another number here.
    fn owner(&self, pid: i32) -> Option<Pid> {
        let wanted = format!("{TOKEN}={}", self.token);
        let is_ours = |pid: &Pid| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
        };
        Some(Pid(pid))
            .filter(is_ours)
            .or_else(|| find_in_other_namespaces(&Root::system(), &[pid]).into_iter().find(is_ours))
    }

    fn found(self) -> Vec<Found> {
        let root = Root::system();
        let mut processes = Processes::new(&root);
        let mut found = Vec::new();
        for (name, owner) in self.segments {
            let (Some(owner), Some((_, start_ticks))) = (owner, parse_file_name(&name)) else {
                continue;
            };
            let path = Path::new(SHARED_MEMORY).join(&name);
            if !path.exists() {
                continue;
            }
            processes.add(owner);
            let process = processes.get(owner);
            let is_running = process.is_some_and(|process| process.start_time == Ok(start_ticks));
            found.push(Found { path, is_running });
        }
        found
    }
}
