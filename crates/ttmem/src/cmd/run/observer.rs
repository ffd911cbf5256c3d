//! Processes of a command that use TT-Metal where the agent does not see it, and the segments in containers.
//!
//! The processes are the descendants of ttmem. Their maps say whether TT-Metal and the agent are loaded, and whether
//! TT-Metal's memory region is open, which it is from the first open device on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, PipeReader, PipeWriter};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use ttmem_analysis::run_report::{HostPeak, Uncounted};
use ttmem_model::Pid;
use ttmem_root::Root;
use ttmem_segment::layout::HEADER_BYTES;
use ttmem_segment::{Identity, Off, OffStep, Reader, parse_file_name};
use ttmem_sources::source::process::runs_since;
use ttmem_sources::source::shared_memory::SHARED_MEMORY;

use super::host_memory::kib;
use super::region::RegionPeaks;
use super::segments::{Found, TOKEN, open};

/// The time from one look to the next.
const INTERVAL: Duration = Duration::from_millis(250);
/// The time to the first look, which a short command needs, too. It is doubled up to [`INTERVAL`].
const FIRST: Duration = Duration::from_millis(15);
/// The time between two looks while a process runs whose memory is only known from samples.
const SAMPLING: Duration = Duration::from_millis(50);
/// The most processes that are looked at.
const MAX_PROCESSES: usize = 1024;
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
            found: looks.segments.into_values().collect(),
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
    /// What was sampled in memory regions, by process.
    regions: BTreeMap<u32, RegionPeaks>,
    /// Segments in containers, by device and inode.
    segments: BTreeMap<(u64, u64), Found>,
    /// The process with the most host memory.
    largest: Option<HostPeak>,
    /// The processes that were seen.
    pids: BTreeSet<u32>,
}

impl Looks {
    fn look(&mut self) {
        for pid in descendants(std::process::id()) {
            self.take_memory(pid);
            // A process that is ending has no maps any more; what was seen of it stays.
            let Some(bytes) = read_maps(pid) else { continue };
            let text = String::from_utf8_lossy(&bytes);
            let inner = inner_pid(pid);
            let maps = Maps::of(&text, inner);
            let shared = format!("/proc/{pid}/root{SHARED_MEMORY}");
            let segments = match maps.agent {
                true => self.take_segments(pid, &shared),
                false => Segments::None,
            };
            if let Some(inner) = inner.filter(|_| maps.is_static(segments)) {
                self.regions.entry(pid).or_default().sample(pid, inner, &text);
            }
            match maps.reason(pid, Path::new(&shared), segments) {
                Some(reason) => {
                    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
                    self.unseen.insert(pid, (name.trim_end().to_owned(), reason));
                }
                // A static TT-Metal that has closed its devices is as unseen as before.
                None if self.regions.contains_key(&pid) => {}
                None => {
                    self.unseen.remove(&pid);
                }
            }
        }
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

    /// Keeps the segments of a process open that are in a directory which is not this process's own.
    fn take_segments(&mut self, pid: u32, shared: &str) -> Segments {
        let root = Root::system();
        let names = match root.list(shared) {
            Ok(names) => names,
            Err(error) if error.is_denied() => return Segments::Denied,
            Err(_) => return Segments::None,
        };
        let identity = |path: &str| root.status(path).map(|status| status.identity).ok();
        let is_own = identity(shared) == identity(SHARED_MEMORY);
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
            if !is_own
                && let Ok(file) = open(&path)
                && let Some(key) = file.identity()
            {
                self.segments.entry(key).or_insert_with(|| Found::in_container(path, file));
            }
        }
        segments
    }
}

/// Returns the maps of a process; `None` if it has none.
fn read_maps(pid: u32) -> Option<Vec<u8>> {
    fs::read(format!("/proc/{pid}/maps")).ok().filter(|maps| !maps.is_empty())
}

/// The segments of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Segments {
    /// There is none.
    None,
    /// Its `/dev/shm` may not be listed.
    Denied,
    /// There is one.
    Some,
    /// There is one that is of no run.
    WithoutRun,
}

/// True if the header of a segment names a run, cannot be read yet, or is of an agent that writes no runs.
fn names_a_run(path: &Path) -> bool {
    let mut header = vec![0; HEADER_BYTES];
    let read = open(path).is_ok_and(|file| file.read_at(0, &mut header).is_ok());
    let identity = Reader::parse_header(&header).map(|header| header.identity);
    !read || !identity.is_ok_and(|own| own.runs.is_empty() && own != Identity::default())
}

/// Mappings of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Maps {
    /// The agent.
    agent: bool,
    /// TT-Metal as a library of its own.
    library: bool,
    /// TT-Metal's memory region.
    region: bool,
    /// Only mappings from before the fork, and no segment of its own: it has opened no device.
    inherited: bool,
    /// The reason that the agent has no segment, if it left one.
    off: Option<Off>,
}

impl Maps {
    /// Reads the maps of a process that has the number `inner` in its own namespace.
    fn of(maps: &str, inner: Option<i32>) -> Self {
        let has = |part: &str| maps.lines().any(|line| line.contains(part));
        let mut owners = maps.lines().filter_map(segment_owner).peekable();
        Self {
            inherited: owners.peek().is_some() && owners.all(|owner| Some(owner) != inner),
            agent: has("libttmem_agent"),
            library: has("/libtt_metal"),
            region: has("/dev/shm/tt_device_"),
            off: Off::in_maps(maps),
        }
    }

    /// True if TT-Metal is a part of another library, into which the agent cannot reach.
    fn is_static(self, segments: Segments) -> bool {
        let is_unseen = segments == Segments::None && self.off.is_none() && !self.inherited;
        is_unseen && self.agent && self.region && !self.library
    }

    /// Returns the reason why a process is not counted, and the remedy.
    fn reason(self, pid: u32, shared: &Path, segments: Segments) -> Option<String> {
        if let Some(off) = self.off.filter(|_| segments != Segments::Some) {
            return Some(switched_off(off, shared));
        }
        Some(match self {
            _ if segments == Segments::Some => return None,
            _ if segments == Segments::WithoutRun => format!(
                "its agent counts, but {TOKEN} was removed from its environment; keep that variable, or see ttmem \
                 buffers -p {pid}"
            ),
            Self { agent: false, library: true, .. } | Self { agent: false, region: true, .. } => {
                without_agent(pid)
            }
            Self { region: false, .. } | Self { inherited: true, .. } => return None,
            _ if segments == Segments::Denied => "it is in another namespace whose /dev/shm cannot be read; put ttmem \
                 run inside, or run it as root"
                .to_owned(),
            Self { library: true, .. } => "its copy of TT-Metal was loaded so that its own functions come first \
                 (RTLD_DEEPBIND); load it without that"
                .to_owned(),
            Self { .. } => "TT-Metal is linked statically into its library, so the agent cannot see it; what is known is \
                 from samples of TT-Metal's memory region, and approximate"
                .to_owned(),
        })
    }
}

/// The process that a segment in a line of maps belongs to, by the name of its file.
fn segment_owner(line: &str) -> Option<i32> {
    let path = line.split_ascii_whitespace().nth(5)?.strip_prefix(SHARED_MEMORY)?;
    Some(parse_file_name(path.strip_prefix('/')?)?.0)
}

/// The reason why an agent has no segment, in its own words.
fn switched_off(Off { step, errno }: Off, shared: &Path) -> String {
    let error = || std::io::Error::from_raw_os_error(errno);
    match step {
        OffStep::Reserve | OffStep::Create if errno == Errno::NOSPC.raw_os_error() => {
            let free = room(shared).map(|room| format!(" ({room} bytes free)")).unwrap_or_default();
            format!(
                "/dev/shm is full{free} and the agent's segment takes 9 MiB; free some, mount it larger, or set \
                 TTMEM_SEGMENT_MB=1"
            )
        }
        OffStep::Create if errno == Errno::EXIST.raw_os_error() => {
            "other processes have taken all 64 names of its segment in /dev/shm; remove what has ended with ttmem \
             doctor --clean"
                .to_owned()
        }
        OffStep::Create => format!(
            "its agent cannot create a segment in /dev/shm ({}); make /dev/shm a tmpfs that its user may write to",
            error()
        ),
        OffStep::Limit => "its limit on the size of files (ulimit -f) is below the segment's 9 MiB; raise it, or set \
             TTMEM_SEGMENT_MB=1"
            .to_owned(),
        OffStep::Reserve => format!(
            "its agent cannot reserve 9 MiB in /dev/shm ({}); mount a tmpfs there, or set TTMEM_SEGMENT_MB=1",
            error()
        ),
        OffStep::Map => format!(
            "its agent cannot map its segment ({}); raise the limit on memory (ulimit -v), or set TTMEM_SEGMENT_MB=1",
            error()
        ),
        OffStep::Process => format!(
            "its agent cannot read its start time in /proc/self/stat ({}); mount /proc where it runs",
            error()
        ),
        OffStep::Defect => {
            "its agent found a defect in itself when it started; report this with the version of TT-Metal".to_owned()
        }
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

    fn reason(maps: Maps, segments: Segments) -> Option<String> {
        maps.reason(std::process::id(), Path::new("/proc"), segments)
    }

    #[test]
    fn the_maps_of_a_process_say_what_is_loaded() {
        let maps = "7f00-7f01 r--p 0 00:1 1 /venv/lib/libtt_metal.so\n7f02-7f03 rw-s 0 00:1 2 /dev/shm/tt_device_7_memory\n";
        let off = "7f04-7f05 ---s 0 00:1 3 /memfd:ttmem-agent-off-limit-27 (deleted)\n";
        let found = Maps { library: true, region: true, ..Maps::default() };
        assert_eq!(Maps::of(maps, Some(9)), found);
        let off = Maps::of(&format!("{maps}{off}"), Some(9)).off;
        assert_eq!(off, Some(Off { step: OffStep::Limit, errno: 27 }));
        assert_eq!(Maps::of("7f00-7f01 r--p 0 00:1 1 /usr/lib/libc.so.6\n", None), Maps::default());
    }

    #[test]
    fn a_forked_child_that_opens_no_device_is_no_case() {
        let shared = "7f00-7f01 r-xp 0 00:1 1 /venv/lib/libtt_metal.so\n7f02-7f03 rw-s 0 00:1 2 /dev/shm/tt_device_7_memory\n\
                      7f03-7f04 r-xp 0 00:1 3 /venv/lib/libttmem_agent.so\n7f04-7f05 rw-s 0 00:1 4 /dev/shm/ttmem-8-100\n";
        for segments in [Segments::None, Segments::Denied] {
            assert_eq!(reason(Maps::of(shared, Some(9)), segments), None);
            // The segment of the process itself, removed by another process.
            assert!(
                reason(Maps::of(&shared.replace("100\n", "100 (deleted)\n"), Some(8)), segments)
                    .is_some()
            );
            let own = format!("{shared}7f05-7f06 rw-s 0 00:1 5 /dev/shm/ttmem-9-200\n");
            assert!(reason(Maps::of(&own, Some(9)), segments).is_some());
        }
    }

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

    #[test]
    fn a_process_that_has_not_opened_a_device_is_no_case() {
        let agent = Maps { agent: true, library: true, ..Maps::default() };
        assert_eq!(reason(agent, Segments::None), None);
        assert_eq!(reason(agent, Segments::Denied), None);
        assert_eq!(reason(Maps::default(), Segments::None), None);
    }

    #[test]
    fn each_case_has_its_remedy() {
        let library = Maps { library: true, ..Maps::default() };
        assert!(reason(library, Segments::None).unwrap().contains("env -i"));
        let maps = Maps { agent: true, region: true, ..library };
        assert!(reason(maps, Segments::None).unwrap().contains("RTLD_DEEPBIND"));
        assert!(reason(maps, Segments::Denied).unwrap().contains("another namespace"));
        assert!(reason(maps, Segments::WithoutRun).unwrap().contains("TTMEM_RUN"));
        assert_eq!(reason(maps, Segments::Some), None);
        let linked = Maps { library: false, ..maps };
        assert!(reason(linked, Segments::None).unwrap().contains("statically"));
        assert!(linked.is_static(Segments::None) && !maps.is_static(Segments::None));
        for (step, errno, word) in [
            (OffStep::Reserve, Errno::NOSPC, "/dev/shm is full (0 bytes free)"),
            (OffStep::Create, Errno::NOENT, "No such file"),
            (OffStep::Create, Errno::EXIST, "64 names"),
            (OffStep::Limit, Errno::FBIG, "ulimit -f"),
            (OffStep::Map, Errno::NOMEM, "ulimit -v"),
        ] {
            let off = Some(Off { step, errno: errno.raw_os_error() });
            let text = reason(Maps { off, ..maps }, Segments::None).unwrap();
            assert!(text.contains(word), "{text}");
        }
    }
}
