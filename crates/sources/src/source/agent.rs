//! Source `agent`: the segments that `libttmem_agent.so` writes inside TT-Metal processes.
//!
//! One file per process, `/dev/shm/ttmem-<pid>-<start time>`, mode 0600, that outlives the process. Files are read,
//! never mapped: their writer may truncate them. Their words change while they are read; entries carry checksums, and a
//! copy with torn entries is taken again.

use ttmem_model::facts::{Bounded, Excess, Field, SegmentFile};
use ttmem_model::reading::{Missing, MissingReason};
use ttmem_model::snapshot::{Source, SourceStatus};
use ttmem_model::{Pid, SourceName};
use ttmem_segment::layout::HEADER_BYTES;
use ttmem_segment::{Reader, Segment, SegmentError, parse_file_name};

use crate::source::bound::{FILES_OF_USER, bound};
use crate::source::process::{Users, pid_namespace, pid_namespace_inode, pids, runs_since};
use crate::source::shared_memory::{Directory, SharedMemory};
use ttmem_root::clock::Clock;
use ttmem_root::{OpenFile, Root};

mod copy;

use self::copy::{MAX_PAUSES_MS, pause_within, read_whole};

/// The depth to which each segment is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// Header, chips and allocators: all that sums need, and little to read. Where two allocators have memory of one
    /// chip, as [`Depth::Full`]: they may have handed out the same addresses.
    #[default]
    Summary,
    /// Depth by content: [`Depth::Full`] for a process that has run programs or holds L1, else [`Depth::Summary`].
    Programs,
    /// Buffers, events, failures, names and programs too.
    Full,
}

/// The segments of a host.
#[derive(Debug)]
pub(crate) struct Segments {
    /// The segments of one host.
    pub(crate) files: Vec<SegmentFile>,
    /// Segments that are not read, because one user has too many.
    pub(crate) excess: Vec<Excess>,
    /// The state of the source.
    pub(crate) source: Source,
}

/// Microseconds after which no further segment is read in one sample. A busy host or a slow mount of a container can
/// make each read wait.
const BUDGET_US: u64 = 2_000_000;

/// Microseconds that a file may be incomplete while its process runs: the agent reserves all of it before the header,
/// which takes milliseconds.
const STARTING_US: u64 = 3_000_000;

/// Reads the segments of one host.
pub(crate) fn read(root: &Root, clock: Clock, memory: &SharedMemory, depth: Depth) -> Segments {
    read_within(root, clock, memory, depth, BUDGET_US)
}

/// Reads segments until `budget_us` microseconds are over. The rest is missing, with that as its reason.
fn read_within(
    root: &Root,
    clock: Clock,
    memory: &SharedMemory,
    depth: Depth,
    budget_us: u64,
) -> Segments {
    let watch = clock.start();
    let mut users = Users::default();
    let mut segments = Vec::new();
    let mut excess = Vec::new();
    let mut pauses_left = MAX_PAUSES_MS;
    for directory in &memory.directories {
        let (names, too_many) = bound(root, directory, Bounded::Segments, names(root, directory));
        excess.extend(too_many);
        for name in names {
            let Some((pid, start_ticks)) = parse_file_name(name) else { continue };
            let path = format!("{}/{name}", directory.path);
            let spent = watch.micros();
            let read = if spent >= budget_us {
                Some((Err(late(spent)), None))
            } else {
                let is_new = || is_starting(root, clock, &path, directory, (pid, start_ticks));
                let is_written = || root.is_system() && runs(root, directory, (pid, start_ticks));
                let mut pause = |ms: u64| pause_within(&mut pauses_left, ms, is_written);
                read_segment(root, &path, (pid, start_ticks), depth, is_new, &mut pause)
            };
            let Some((content, uid)) = read else { continue };
            segments.push(SegmentFile {
                path,
                pid,
                start_ticks,
                through: directory.through.clone(),
                uid,
                user: uid.map(|uid| users.name(root, uid)),
                read_at: clock.now(),
                content,
            });
        }
    }
    let (status, detail) = status(&segments);
    let source = Source { name: SourceName::Agent, status, detail, cost_us: watch.micros() };
    Segments { files: segments, excess, source }
}

/// The names of segments in a directory, each with whether a process of that number runs. Only where there are many it
/// matters which processes run.
fn names<'a>(root: &Root, directory: &'a Directory) -> Vec<(&'a str, bool)> {
    let names = directory.names.iter().filter_map(|name| name.to_str());
    let pid = |name| Some((name, parse_file_name(name)?.0));
    let names: Vec<(&str, i32)> = names.filter_map(pid).collect();
    let is_asked = names.len() > FILES_OF_USER && directory.through.is_empty();
    let running = if is_asked { pids(root) } else { Vec::new() };
    let runs = |pid| running.binary_search(&Pid(pid)).is_ok();
    names.into_iter().map(|(name, pid)| (name, runs(pid))).collect()
}

/// Reads a segment and its owner; `None` if it was removed. `is_new` decides on a file without content whether its
/// agent is creating it; `pause` waits some milliseconds before a torn copy is taken again, or says that it is no use.
fn read_segment(
    root: &Root,
    path: &str,
    owner: (i32, u64),
    depth: Depth,
    is_new: impl Fn() -> bool,
    pause: &mut dyn FnMut(u64) -> bool,
) -> Option<(Field<Segment>, Option<u32>)> {
    let mut uid = None;
    let content = match read_whole(root, path, depth, &mut uid, pause) {
        Ok(content) => content,
        Err(error) if error.is_absent() => return None,
        Err(error) if error.is_irregular() => return Some((Err(error.missing()), None)),
        Err(error) => {
            let why = match error.is_denied() {
                true => denied(path),
                false => Missing::failed(error.errno.to_string()),
            };
            return Some((Err(why), root.status(path).ok().and_then(|status| status.uid)));
        }
    };
    let content = match content {
        Ok(segment) => check_owner(segment, owner),
        Err(SegmentError::NotReady | SegmentError::Short { given: 0, .. }) if is_new() => {
            Err(Missing::not_read(SegmentError::NotReady.to_string()))
        }
        Err(error) => Err(missing(&error)),
    };
    Some((content, uid))
}

/// True if a file was created just now and its process runs.
fn is_starting(
    root: &Root,
    clock: Clock,
    path: &str,
    directory: &Directory,
    (pid, start_ticks): (i32, u64),
) -> bool {
    let is_new = root.entry_status(path).is_ok_and(|status| {
        let changed_us = u64::try_from(status.changed_ns / 1000).unwrap_or(0);
        clock.now().0.saturating_sub(changed_us) < STARTING_US
    });
    is_new && runs(root, directory, (pid, start_ticks))
}

/// True if the writer of a segment runs. In a container it has another number, and the directory was reached through a running
/// process.
fn runs(root: &Root, directory: &Directory, (pid, start_ticks): (i32, u64)) -> bool {
    !directory.through.is_empty() || runs_since(root, Pid(pid), start_ticks)
}

/// A segment that was copied under another name is not that process's.
fn check_owner(segment: Segment, (pid, start_ticks): (i32, u64)) -> Field<Segment> {
    let header = &segment.header;
    if i32::try_from(header.pid) == Ok(pid) && header.start_ticks == start_ticks {
        return Ok(segment);
    }
    Err(Missing::failed(format!(
        "the segment names process {} that started at tick {}, its file name another one",
        header.pid, header.start_ticks
    )))
}

/// Returns the missing reason for bytes that are not a segment.
#[must_use]
pub(crate) fn missing(error: &SegmentError) -> Missing {
    match error {
        SegmentError::Version { .. } => Missing::unsupported(error.to_string()),
        _ => Missing::failed(error.to_string()),
    }
}

fn late(spent_us: u64) -> Missing {
    Missing::failed(format!("not read: the segments before it took {} ms", spent_us / 1000))
}

fn denied(path: &str) -> Missing {
    Missing::denied(format!(
        "{path}: permission denied; it belongs to another user (mode 0600): run as that user or as root"
    ))
}

fn status(segments: &[SegmentFile]) -> (SourceStatus, String) {
    let count = |reason: fn(&Missing) -> bool| {
        segments.iter().filter(|file| file.content.as_ref().is_err_and(reason)).count()
    };
    let denied = count(|missing| missing.reason == MissingReason::Denied);
    let starting = count(|missing| missing.reason == MissingReason::NotRead);
    let read = segments.iter().filter(|file| file.content.is_ok()).count();
    let unusable = segments.len() - read - denied - starting;
    let status = match (segments.len() - starting, read) {
        (0, _) => SourceStatus::Absent,
        (_, 1..) => SourceStatus::Ok,
        (total, 0) if denied == total => SourceStatus::Denied,
        _ => SourceStatus::Failed,
    };
    let mut detail = match read {
        0 if segments.is_empty() => {
            "no process with the agent found; ttmem run -- CMD starts one".to_owned()
        }
        1 => "1 segment".to_owned(),
        count => format!("{count} segments"),
    };
    if starting > 0 {
        detail += &format!("; {starting} being created");
    }
    if denied > 0 {
        detail += &format!("; {denied} of another user");
    }
    if unusable > 0 {
        detail += &format!("; {unusable} not usable");
    }
    (status, detail)
}

/// Processes of this host by their number in their own namespace, where that is another one than ours. For segments in
/// a directory that containers share with the host.
#[must_use]
pub fn find_in_other_namespaces(root: &Root, wanted: &[i32]) -> Vec<Pid> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let own = pid_namespace(root, "self");
    let is_elsewhere = |pid: &Pid| own.is_none() || pid_namespace(root, &pid.to_string()) != own;
    with_inner_number(root, pids(root).into_iter().filter(is_elsewhere), wanted)
}

/// Returns the running process that wrote a segment, by the number and start time in the name of its file. The file records
/// the namespace of the number, if its agent knew it.
#[must_use]
pub fn find_writer(
    root: &Root,
    (pid, start_ticks): (i32, u64),
    file: Option<&OpenFile>,
) -> Option<Pid> {
    let recorded = file.and_then(recorded_namespace);
    let is_it = |pid: &Pid| {
        let own = || pid_namespace_inode(root, &pid.to_string());
        let is_elsewhere = || recorded.zip(own()).is_some_and(|(recorded, own)| recorded != own);
        runs_since(root, *pid, start_ticks) && !is_elsewhere()
    };
    let here = Some(Pid(pid)).filter(is_it);
    here.or_else(|| find_in_other_namespaces(root, &[pid]).into_iter().find(is_it))
}

/// The inode of the pid namespace that a segment's header records.
fn recorded_namespace(file: &OpenFile) -> Option<u64> {
    let mut header = [0; HEADER_BYTES];
    file.read_at(0, &mut header).ok()?;
    Reader::parse_header(&header).ok()?.identity.pid_namespace
}

/// The processes that have one of these numbers in their own namespace.
pub(crate) fn with_inner_number(
    root: &Root,
    processes: impl Iterator<Item = Pid>,
    wanted: &[i32],
) -> Vec<Pid> {
    let is_wanted = |pid: &Pid| {
        let Ok(status) = root.read(&format!("/proc/{pid}/status"), 16 << 10) else { return false };
        let status = String::from_utf8_lossy(&status.bytes);
        let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
        let inner = numbers.and_then(|numbers| numbers.split_ascii_whitespace().next_back());
        inner.and_then(|inner| inner.parse().ok()).is_some_and(|inner| wanted.contains(&inner))
    };
    processes.filter(is_wanted).collect()
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use ttmem_model::Timestamp;
    use ttmem_root::{Entry, Tree};

    use super::*;
    use ttmem_segment::Reader;

    const NAME: &str = "/dev/shm/ttmem-42-7";

    fn detail(root: &Root) -> String {
        let memory = SharedMemory::list(root, &[]);
        let segments = read(root, Clock::Fixed(Timestamp(0)), &memory, Depth::Full);
        segments.files[0].content.as_ref().unwrap_err().detail.to_string()
    }

    #[test]
    fn no_process_is_looked_at_if_none_is_sought() {
        let mut tree = Tree::new();
        tree.put_line("/proc/42/status", "NSpid:\t42\t1");
        let root = Root::memory(tree).capturing();
        assert_eq!(find_in_other_namespaces(&root, &[]), []);
        assert_eq!(root.captured().iter().count(), 0);
        assert_eq!(find_in_other_namespaces(&root, &[1]), [Pid(42)]);
    }

    #[test]
    fn the_writer_is_in_the_namespace_that_the_segment_records() {
        use ttmem_fake::{Container, Host, Process, segment};
        let process = |pid| Process::new(pid, "python3").container(Container::Docker, 1);
        let ticks = process(500).start_ticks();
        // Each process of the fake host is in a namespace of its own: 4026540000 and its pid.
        let found = |namespace: Option<u64>| {
            let segment = segment::Segment::wormhole(1, ticks, 1);
            let segment = match namespace {
                Some(inode) => segment.pid_namespace(inode),
                None => segment,
            };
            let host = Host::new().process(process(500)).process(process(600));
            let root = Root::memory(host.segment_of(500, segment).into_tree());
            let file = root.hold(&format!("/dev/shm/ttmem-1-{ticks}"), 1 << 30).unwrap();
            find_writer(&root, (1, ticks), Some(&file))
        };
        assert_eq!(found(Some(4_026_540_500)), Some(Pid(500)));
        assert_eq!(found(Some(4_026_540_600)), Some(Pid(600)));
        assert_eq!(found(Some(4_026_540_700)), None);
        assert_eq!(found(None), Some(Pid(500)));
    }

    #[test]
    fn segments_that_are_read_late_are_missing_with_the_reason() {
        let mut tree = Tree::new();
        tree.put(NAME, Entry::file("x"));
        let root = Root::memory(tree);
        let memory = SharedMemory::list(&root, &[]);
        let clock = Clock::Fixed(Timestamp(0));
        let segments = read_within(&root, clock, &memory, Depth::Full, 0);
        let why = segments.files.first().and_then(|file| file.content.as_ref().err()).unwrap();
        assert!(why.detail.starts_with("not read: the segments before it took"), "{}", why.detail);
        assert_eq!(segments.source.status, SourceStatus::Failed);
    }

    #[test]
    fn a_file_that_its_agent_is_creating_is_not_unusable() {
        let folder = tempfile::tempdir().unwrap();
        let ticks = ttmem_fake::Process::new(42, "python3").start_ticks();
        let whole = ttmem_fake::segment::Segment::wormhole(42, ticks, 1).image();
        let path = folder.path().join(format!("dev/shm/ttmem-42-{ticks}"));
        let stat = folder.path().join("proc/42/stat");
        for file in [&path, &stat] {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        }
        let runs = || std::fs::write(&stat, stat_line(ticks)).unwrap();
        let root = Root::directory(folder.path()).unwrap();
        let read = |clock: Clock| {
            let memory = SharedMemory::list(&root, &[]);
            let mut read = read(&root, clock, &memory, Depth::Full);
            (read.files.remove(0).content.map_err(|missing| missing.reason), read.source)
        };
        runs();
        for zeros in [0, whole.len() / 2, whole.len()] {
            std::fs::write(&path, vec![0; zeros]).unwrap();
            let (content, source) = read(Clock::System);
            assert_eq!(content, Err(MissingReason::NotRead), "{zeros}");
            assert_eq!(source.status, SourceStatus::Absent);
            assert!(source.detail.ends_with("; 1 being created"), "{}", source.detail);
            let later = Clock::Fixed(Timestamp(Clock::System.now().0 + STARTING_US + 1));
            assert_eq!(read(later).0, Err(MissingReason::Failed), "{zeros}");
            std::fs::remove_file(&stat).unwrap();
            assert_eq!(read(Clock::System).0, Err(MissingReason::Failed), "{zeros}");
            runs();
        }
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert_eq!(read(Clock::System).0, Err(MissingReason::Failed), "the header comes last");
        std::fs::write(&path, &whole).unwrap();
        assert!(read(Clock::System).0.is_ok());
    }

    /// `/proc/PID/stat` of a running process: proc_pid_stat(5).
    fn stat_line(ticks: u64) -> String {
        format!("42 (python3) S {} {ticks} 0\n", ["0"; 18].join(" "))
    }

    #[test]
    fn a_link_is_not_followed() {
        let mut tree = Tree::new();
        tree.put("/home/eve/file", Entry::file("x"));
        tree.put(NAME, Entry::Link("/home/eve/file".to_owned()));
        assert_eq!(detail(&Root::memory(tree)), "ttmem-42-7 is not a regular file");
    }

    #[test]
    fn a_file_with_holes_is_no_segment() {
        let Ok(folder) = tempfile::tempdir_in("/dev/shm") else { return };
        let path = folder.path().join("ttmem-42-7");
        let header = ttmem_fake::segment::Segment::wormhole(42, 7, 1).image();
        let write = |bytes: &[u8]| {
            let mut file = File::create(&path).unwrap();
            std::io::Write::write_all(&mut file, bytes).unwrap();
            file.set_len(header.len() as u64).unwrap();
        };
        let read = |depth| {
            let mut uid = None;
            read_whole(&Root::system(), path.to_str().unwrap(), depth, &mut uid, &mut |_| false)
                .unwrap()
        };
        write(&header);
        assert!(read(Depth::Full).is_ok());
        write(&header[..Reader::SUMMARY_BYTES]);
        for depth in [Depth::Summary, Depth::Full] {
            assert!(matches!(read(depth), Err(SegmentError::Sparse { .. })), "{depth:?}");
        }
    }

    #[test]
    fn a_huge_file_is_read_no_further_than_its_header_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(&NAME[1..]);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let root = Root::directory(folder.path()).unwrap().capturing();
        assert!(!detail(&root).is_empty());
        let captured = root.captured();
        let file = captured.iter().find_map(|(path, entry)| match entry {
            Entry::File { bytes, .. } if path == NAME => Some(bytes.len()),
            _ => None,
        });
        assert_eq!(file, Some(Reader::SUMMARY_BYTES));
    }
}
