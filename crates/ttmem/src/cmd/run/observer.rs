//! Processes of a command that use TT-Metal where the agent does not see it, and the segments in containers.
//!
//! The processes are the descendants of ttmem. Their maps say whether TT-Metal and the agent are loaded, and whether
//! TT-Metal's memory region is open, which it is from the first open device on.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};
use std::fs;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use ttmem_analysis::run_report::{HostPeak, Uncounted};
use ttmem_model::Pid;
use ttmem_root::{OpenFile, Root};
use ttmem_segment::layout::HEADER_BYTES;
use ttmem_segment::{Identity, Reader, parse_file_name};
use ttmem_sources::source::process::runs_since;
use ttmem_sources::source::shared_memory::SHARED_MEMORY;

use super::host_memory::kib;
use super::region::RegionPeaks;
use super::segments::{Found, open, token};

mod maps;

use self::maps::{Maps, Segments, is_copy};

/// The time from one look to the next.
const INTERVAL: Duration = Duration::from_millis(250);
/// The time to the first look, which a short command needs, too. It is doubled up to [`INTERVAL`].
const FIRST: Duration = Duration::from_millis(15);
/// The time between two looks while a process runs whose memory is only known from samples.
const SAMPLING: Duration = Duration::from_millis(50);
/// The most processes that are looked at.
const MAX_PROCESSES: usize = 1024;
/// The most containers whose `/dev/shm` is open.
const MAX_SHARED: usize = 64;

/// The `/dev/shm` of containers, by device and inode: path, and the open directory, which can be read after the container ended.
type Shared = BTreeMap<(u64, u64), (String, OwnedFd)>;

/// Observations until the command ended.
#[derive(Debug, Default)]
pub(super) struct Observed {
    /// The processes that used TT-Metal without being seen.
    pub(super) uncounted: Vec<Uncounted>,
    /// Segments in containers with a `/dev/shm` of their own.
    pub(super) found: Vec<Found>,
    /// The process with the most host memory.
    pub(super) largest: Option<HostPeak>,
    /// The processes of the command.
    pub(super) pids: BTreeSet<u32>,
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
        let mut regions = looks.regions;
        let uncounted = looks.unseen.into_iter().map(|(pid, (name, reason))| Uncounted {
            pid,
            name,
            reason,
            region: regions.remove(&pid).and_then(RegionPeaks::finish),
        });
        Observed {
            uncounted: uncounted.collect(),
            found: looks
                .segments
                .into_values()
                .filter_map(|(path, file)| Found::new(path, Some(file)))
                .collect(),
            largest: looks.largest,
            pids: looks.pids,
        }
    }
}

fn watch(stop: &PipeReader) -> Looks {
    let mut looks = Looks::default();
    let mut interval = FIRST;
    loop {
        let timeout = Timespec { tv_sec: 0, tv_nsec: interval.subsec_nanos().into() };
        interval = INTERVAL.min(interval * 2);
        let mut waiting = [PollFd::new(stop, PollFlags::IN)];
        let polled = poll(&mut waiting, Some(&timeout));
        if polled.is_err() || !waiting[0].revents().is_empty() {
            looks.take_shared(Shared::new());
            return looks;
        }
        looks.look();
        if !looks.regions.is_empty() {
            interval = SAMPLING;
        }
    }
}

/// Results of the samples so far.
#[derive(Debug, Default)]
struct Looks {
    /// Name and reason, by process.
    unseen: BTreeMap<u32, (String, String)>,
    /// The samples of memory regions, by process.
    regions: BTreeMap<u32, RegionPeaks>,
    /// Segments in containers, by device and inode.
    segments: BTreeMap<(u64, u64), (PathBuf, OpenFile)>,
    /// The containers of the last look.
    shared: Shared,
    /// The process with the most host memory.
    largest: Option<HostPeak>,
    /// The processes that were seen.
    pids: BTreeSet<u32>,
    /// The maps of processes that are copies of their parents, which may close their devices first.
    copies: BTreeMap<u32, String>,
}

impl Looks {
    fn look(&mut self) {
        let mut present = Shared::new();
        for pid in descendants(std::process::id()) {
            self.take_memory(pid);
            // A process that is ending has no maps any more; what was seen of it stays.
            let Some(bytes) = read_maps(pid) else { continue };
            let text = String::from_utf8_lossy(&bytes);
            let inner = inner_pid(pid);
            let maps = Maps::of(&text, inner);
            let shared = format!("/proc/{pid}/root{SHARED_MEMORY}");
            let segments = match maps.agent {
                true => self.take_segments(pid, &shared, &mut present),
                false => Segments::None,
            };
            let reason = maps.reason(pid, Path::new(&shared), segments);
            // The parent is read after the child: what the child has from it is there.
            if reason.is_some() && self.is_copied(pid, &text) != Some(false) {
                continue;
            }
            if let Some(inner) = inner.filter(|_| maps.is_static(segments)) {
                self.regions.entry(pid).or_default().sample(pid, inner, &text);
            }
            if let Some(reason) = reason {
                let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
                self.unseen.insert(pid, (name.trim_end().to_owned(), reason));
            } else if segments == Segments::Some {
                self.unseen.remove(&pid);
            }
            // Else what was seen of it stays: it may have closed its devices, or be about to end.
        }
        self.take_shared(present);
    }

    /// Keeps the segments of this run in the containers of the look before open, of which all processes may have ended, and
    /// from then on the directories of the `present` containers.
    fn take_shared(&mut self, present: Shared) {
        for (path, directory) in std::mem::replace(&mut self.shared, present).values() {
            let open = format!("/proc/self/fd/{}", directory.as_raw_fd());
            for name in Root::system().list(&open).into_iter().flatten() {
                let is_segment = name.to_str().and_then(parse_file_name).is_some();
                let (path, open) = (Path::new(path).join(&name), Path::new(&open).join(&name));
                if is_segment
                    && identity_of(&open)
                        .is_some_and(|own| own.runs.iter().any(|run| run == token()))
                {
                    self.take(path, &open);
                }
            }
        }
    }

    /// Keeps a segment in a container open.
    fn take(&mut self, path: PathBuf, readable: &Path) {
        if let Ok(file) = open(readable)
            && let Some(key) = file.identity()
        {
            self.segments.entry(key).or_insert((path, file));
        }
    }

    /// True if a process is a copy of its parent, or was one and has mapped nothing of TT-Metal since. `None` if it has ended.
    fn is_copied(&mut self, pid: u32, maps: &str) -> Option<bool> {
        let parent = u32::try_from(status_of(pid, "PPid:")?).ok().and_then(read_maps);
        let parent = parent.unwrap_or_default();
        let is_copy = is_copy(maps, &String::from_utf8_lossy(&parent))
            || self.copies.get(&pid).is_some_and(|earlier| is_copy(maps, earlier));
        if is_copy && self.copies.len() < MAX_PROCESSES {
            self.copies.insert(pid, maps.to_owned());
        }
        Some(is_copy)
    }

    /// Keeps the peak of host memory of a process if it is the highest so far.
    fn take_memory(&mut self, pid: u32) {
        if self.pids.len() < MAX_PROCESSES {
            self.pids.insert(pid);
        }
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let Some(bytes) = kib(&status, "VmHWM:") else { return };
        if self.largest.as_ref().is_none_or(|largest| largest.bytes < bytes) {
            let name = status.lines().find_map(|line| line.strip_prefix("Name:"));
            let name = name.unwrap_or_default().trim().to_owned();
            self.largest = Some(HostPeak { pid, name, bytes });
        }
    }

    /// Keeps the segments of a process open that are in a directory which is not this process's own, and that directory.
    fn take_segments(&mut self, pid: u32, shared: &str, present: &mut Shared) -> Segments {
        let root = Root::system();
        let names = match root.list(shared) {
            Ok(names) => names,
            Err(error) if error.is_denied() => return Segments::Denied,
            Err(_) => return Segments::None,
        };
        let identity = |path: &str| root.status(path).map(|status| status.identity).ok();
        let (of_process, own) = (identity(shared), identity(SHARED_MEMORY));
        let is_own = of_process == own;
        if !is_own
            && present.len() < MAX_SHARED
            && let Some(key) = of_process
            && let Entry::Vacant(entry) = present.entry(key)
            && let Ok(directory) = root.hold_directory(shared)
        {
            entry.insert((shared.to_owned(), directory));
        }
        let inner = inner_pid(pid);
        let mut segments = Segments::None;
        for name in &names {
            let Some(name) = name.to_str() else { continue };
            let Some((owner, ticks)) = parse_file_name(name) else { continue };
            let is_its = Some(owner) == inner
                && i32::try_from(pid).is_ok_and(|pid| runs_since(&root, Pid(pid), ticks));
            let path = PathBuf::from(shared).join(name);
            if !is_its || segments != Segments::None && is_own {
                continue;
            }
            segments = match is_own {
                true if !names_a_run(&path) => Segments::WithoutRun,
                _ => Segments::Some,
            };
            if !is_own {
                self.take(path.clone(), &path);
            }
        }
        segments
    }
}

/// Returns the maps of a process; `None` if it has none.
fn read_maps(pid: u32) -> Option<Vec<u8>> {
    fs::read(format!("/proc/{pid}/maps")).ok().filter(|maps| !maps.is_empty())
}

/// True if the header of a segment names a run, cannot be read yet, or was written by an agent that writes no runs.
fn names_a_run(path: &Path) -> bool {
    identity_of(path).is_none_or(|own| !own.runs.is_empty() || own == Identity::default())
}

/// The identity in the header of a segment; `None` if it cannot be read yet.
fn identity_of(path: &Path) -> Option<Identity> {
    let mut header = vec![0; HEADER_BYTES];
    open(path).ok()?.read_at(0, &mut header).ok()?;
    Some(Reader::parse_header(&header).ok()?.identity)
}

/// The number of a process in its own namespace.
fn inner_pid(pid: u32) -> Option<i32> {
    status_of(pid, "NSpid:")
}

/// The last number in a line of a process's status.
fn status_of(pid: u32, label: &str) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let numbers = status.lines().find_map(|line| line.strip_prefix(label))?;
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

    #[test]
    fn a_process_that_has_ended_has_no_maps() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        // It is not waited for yet: its directory in /proc is there.
        while read_maps(pid).is_some() {
            std::thread::yield_now();
        }
        assert!(fs::read(format!("/proc/{pid}/maps")).is_ok_and(|maps| maps.is_empty()));
        child.wait().unwrap();
        assert!(read_maps(std::process::id()).is_some());
    }
}
