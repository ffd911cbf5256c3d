//! Processes of a command that use TT-Metal where the agent does not see it, and the segments in containers.
//!
//! The processes are the descendants of ttmem. Their maps say whether TT-Metal and the agent are loaded, and whether
//! TT-Metal's memory region is open, which it is from the first open device on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, PipeReader, PipeWriter};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use ttmem_segment::parse_file_name;
use ttmem_sources::source::shared_memory::SHARED_MEMORY;

use super::segments::{Found, TOKEN, open};

/// The time from one look to the next.
const INTERVAL: Duration = Duration::from_millis(250);
/// The most processes that are looked at.
const MAX_PROCESSES: usize = 1024;
/// The room that a segment of the default size takes.
const SEGMENT_BYTES: u64 = 8 << 20;

/// What was observed until the command ended.
#[derive(Debug, Default)]
pub(super) struct Observed {
    /// A line for each process that used TT-Metal without being seen: the reason and the remedy.
    pub(super) unseen: Vec<String>,
    /// Segments in containers with a `/dev/shm` of their own.
    pub(super) found: Vec<Found>,
}

/// A thread that looks at the processes of the command.
pub(super) struct Observer {
    stop: PipeWriter,
    thread: JoinHandle<Looks>,
}

impl Observer {
    /// Starts to look. `None` if there is no thread or pipe to be had: then nothing is observed.
    pub(super) fn start() -> Option<Self> {
        let (reader, stop) = io::pipe().ok()?;
        let thread = thread::Builder::new().spawn(move || watch(&reader)).ok()?;
        Some(Self { stop, thread })
    }

    /// Ends the thread and returns what it observed.
    pub(super) fn finish(self) -> Observed {
        drop(self.stop);
        let looks = self.thread.join().unwrap_or_default();
        let unseen = looks.unseen.iter().map(|(pid, (name, reason))| {
            format!("process {pid} ({name}) used TT-Metal without being counted: {reason}")
        });
        Observed { unseen: unseen.collect(), found: looks.segments.into_values().collect() }
    }
}

fn watch(stop: &PipeReader) -> Looks {
    let mut looks = Looks::default();
    let timeout = Timespec { tv_sec: 0, tv_nsec: INTERVAL.subsec_nanos().into() };
    loop {
        let mut waiting = [PollFd::new(stop, PollFlags::IN)];
        let polled = poll(&mut waiting, Some(&timeout));
        if polled.is_err() || !waiting[0].revents().is_empty() {
            return looks;
        }
        looks.look();
    }
}

/// What the looks so far have found.
#[derive(Debug, Default)]
struct Looks {
    /// Name and reason, by process.
    unseen: BTreeMap<u32, (String, String)>,
    /// Segments in containers, by device and inode.
    segments: BTreeMap<(u64, u64), Found>,
}

impl Looks {
    fn look(&mut self) {
        for pid in descendants(std::process::id()) {
            let Ok(maps) = fs::read(format!("/proc/{pid}/maps")) else { continue };
            let maps = Maps::of(&String::from_utf8_lossy(&maps));
            let shared = PathBuf::from(format!("/proc/{pid}/root{SHARED_MEMORY}"));
            let has_segment = maps.agent && self.take_segments(pid, &shared);
            match maps.reason(pid, &shared).filter(|_| !has_segment) {
                Some(reason) => {
                    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
                    self.unseen.insert(pid, (name.trim_end().to_owned(), reason));
                }
                None => {
                    self.unseen.remove(&pid);
                }
            }
        }
    }

    /// Keeps the segments of a directory that is not this process's own open. True if one is of this process.
    fn take_segments(&mut self, pid: u32, shared: &Path) -> bool {
        let identity = |path: &Path| fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
        let is_own = identity(shared) == identity(Path::new(SHARED_MEMORY));
        let inner = inner_pid(pid);
        let mut has_segment = false;
        for entry in fs::read_dir(shared).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some((owner, _)) = name.to_str().and_then(parse_file_name) else { continue };
            if Some(owner) != inner {
                continue;
            }
            has_segment = true;
            let path = shared.join(&name);
            let Some(key) = identity(&path).filter(|_| !is_own) else { continue };
            if !self.segments.contains_key(&key)
                && let Ok(file) = open(&path)
            {
                self.segments.insert(key, Found::in_container(path, file));
            }
        }
        has_segment
    }
}

/// What is loaded into a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Maps {
    /// The agent.
    agent: bool,
    /// TT-Metal as a library of its own.
    library: bool,
    /// TT-Metal's memory region.
    region: bool,
}

impl Maps {
    fn of(maps: &str) -> Self {
        let has = |part: &str| maps.lines().any(|line| line.contains(part));
        Self {
            agent: has("libttmem_agent"),
            library: has("/libtt_metal"),
            region: has("/dev/shm/tt_device_"),
        }
    }

    /// Returns the reason why the agent of a process without a segment does not see TT-Metal, and the remedy.
    fn reason(self, pid: u32, shared: &Path) -> Option<String> {
        Some(match self {
            Self { agent: false, library: true, .. } | Self { agent: false, region: true, .. } => {
                without_agent(pid)
            }
            Self { region: false, .. } => return None,
            Self { .. } if room(shared).is_some_and(|room| room < SEGMENT_BYTES) => format!(
                "/dev/shm is full ({} bytes free) and the agent's segment takes 8 MiB; free some, mount it larger, \
                 or set TTMEM_SEGMENT_MB=1",
                room(shared).unwrap_or_default()
            ),
            Self { library: true, .. } => "its copy of TT-Metal was loaded so that its own functions come first \
                 (RTLD_DEEPBIND); load it without that"
                .to_owned(),
            Self { .. } => "TT-Metal is linked statically into its library, so the agent cannot see it; ttmem and \
                 ttmem record show the approximate figures of TT-Metal's own memory region"
                .to_owned(),
        })
    }
}

/// The reason why the agent is not loaded.
fn without_agent(pid: u32) -> String {
    let environment = fs::read(format!("/proc/{pid}/environ"));
    let prefix = format!("{TOKEN}=");
    match environment {
        Ok(bytes) if bytes.split(|byte| *byte == 0).any(|one| one.starts_with(prefix.as_bytes())) => {
            "the linker did not load the agent, as for set-user-ID programs; run ttmem run as that user".to_owned()
        }
        Ok(_) => "its environment was cleared, as env -i and sudo do; put ttmem run behind that, such as \
             sudo ttmem run -- CMD"
            .to_owned(),
        Err(_) => "another user's process does not inherit the environment, as with sudo; put ttmem run behind that, \
             such as sudo ttmem run -- CMD"
            .to_owned(),
    }
}

/// Free bytes of a file system.
fn room(directory: &Path) -> Option<u64> {
    let status = rustix::fs::statvfs(directory).ok()?;
    Some(status.f_bavail.saturating_mul(status.f_frsize))
}

/// The number of a process in its own namespace.
fn inner_pid(pid: u32) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    numbers.split_ascii_whitespace().next_back()?.parse().ok()
}

/// The children of a process, their children, and so on.
fn descendants(of: u32) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![of];
    while let Some(parent) = waiting.pop() {
        let tasks = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
        for task in tasks {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            for child in children.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()) {
                if found.len() < MAX_PROCESSES && found.insert(child) {
                    waiting.push(child);
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(agent: bool, library: bool, region: bool) -> Option<String> {
        Maps { agent, library, region }.reason(std::process::id(), Path::new("/proc"))
    }

    #[test]
    fn the_maps_of_a_process_say_what_is_loaded() {
        let maps = "7f00-7f01 r--p 0 00:1 1 /venv/lib/libtt_metal.so\n7f02-7f03 rw-s 0 00:1 2 /dev/shm/tt_device_7_memory\n";
        assert_eq!(Maps::of(maps), Maps { agent: false, library: true, region: true });
        assert_eq!(Maps::of("7f00-7f01 r--p 0 00:1 1 /usr/lib/libc.so.6\n"), Maps::default());
    }

    #[test]
    fn a_process_that_has_not_opened_a_device_is_no_case() {
        assert_eq!(reason(true, true, false), None);
        assert_eq!(reason(false, false, false), None);
    }

    #[test]
    fn each_case_has_its_remedy() {
        assert!(reason(false, true, false).unwrap().contains("env -i"));
        // A file system without room, such as /proc.
        assert!(reason(true, true, true).unwrap().contains("/dev/shm is full"));
        let with_room = |maps: Maps| maps.reason(1, &std::env::temp_dir()).unwrap();
        let maps = Maps { agent: true, library: true, region: true };
        assert!(with_room(maps).contains("RTLD_DEEPBIND"));
        assert!(with_room(Maps { library: false, ..maps }).contains("statically"));
    }
}
