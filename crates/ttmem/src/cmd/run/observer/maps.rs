//! TT-Metal and the agent in the mappings of a process, and the reason why a process is not counted.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rustix::io::Errno;
use ttmem_model::order::Gather as _;
use ttmem_segment::{Off, OffStep, parse_file_name};
use ttmem_sources::source::shared_memory::SHARED_MEMORY;

use super::super::segments::TOKEN;

/// A part of the path of TT-Metal where it is a library of its own.
const LIBRARY: &str = "/libtt_metal";
/// The beginning of the path of TT-Metal's memory regions.
const REGION: &str = "/dev/shm/tt_device_";

/// The segments of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Segments {
    /// The process has no segment.
    None,
    /// The `/dev/shm` of the process may not be listed.
    Denied,
    /// The process has a segment.
    Some,
    /// The process has a segment that belongs to no run.
    WithoutRun,
}

/// Mappings of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Maps {
    /// The agent.
    pub(super) agent: bool,
    /// TT-Metal as a library of its own.
    library: bool,
    /// TT-Metal's memory region.
    region: bool,
    /// True if it has only mappings from before the fork, and no segment of its own: it has opened no device.
    inherited: bool,
    /// A segment of its own.
    own: bool,
    /// The reason that the agent has no segment, if it left one.
    off: Option<Off>,
}

impl Maps {
    /// Reads the maps of a process that has the number `inner` in its own namespace.
    pub(super) fn of(maps: &str, inner: Option<i32>) -> Self {
        let has = |part: &str| maps.lines().any(|line| line.contains(part));
        let owners = || maps.lines().filter_map(segment_owner);
        let own = owners().any(|owner| Some(owner) == inner);
        Self {
            inherited: !own && owners().next().is_some(),
            own,
            agent: has("libttmem_agent"),
            library: has(LIBRARY),
            region: has(REGION),
            off: Off::in_maps(maps),
        }
    }

    /// True if TT-Metal is a part of another library, into which the agent cannot reach.
    pub(super) fn is_static(self, segments: Segments) -> bool {
        let is_unseen =
            segments == Segments::None && self.off.is_none() && !self.inherited && !self.own;
        is_unseen && self.agent && self.region && !self.library
    }

    /// Returns the reason why a process is not counted, and the remedy.
    pub(super) fn reason(self, pid: u32, shared: &Path, segments: Segments) -> Option<String> {
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
            Self { own: true, .. } => {
                "its segment was removed while it ran; leave the files ttmem-* in /dev/shm".to_owned()
            }
            Self { library: true, .. } => "its copy of TT-Metal was loaded so that its own functions come first \
                 (RTLD_DEEPBIND); load it without that"
                .to_owned(),
            Self { .. } => "TT-Metal is linked statically into its library, so the agent cannot see it; what is known is \
                 from samples of TT-Metal's memory region, and approximate"
                .to_owned(),
        })
    }
}

/// True if a process has nothing of TT-Metal but what its parent mapped before the fork, as between fork and exec.
pub(super) fn is_copy(maps: &str, parent: &str) -> bool {
    let parent: BTreeSet<&str> = parent.lines().gather();
    let mut own =
        maps.lines().filter(|line| [LIBRARY, REGION].iter().any(|part| line.contains(part)));
    own.all(|line| parent.contains(line))
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
            let removed =
                reason(Maps::of(&shared.replace("100\n", "100 (deleted)\n"), Some(8)), segments);
            let word = if segments == Segments::None { "removed" } else { "another namespace" };
            assert!(removed.unwrap().contains(word));
            let own = format!("{shared}7f05-7f06 rw-s 0 00:1 5 /dev/shm/ttmem-9-200\n");
            assert!(reason(Maps::of(&own, Some(9)), segments).is_some());
        }
    }

    #[test]
    fn a_child_before_exec_is_a_copy_of_its_parent() {
        let region = "7f02-7f03 rw-s 0 00:1 2 /dev/shm/tt_device_7_memory\n";
        let library = "7f00-7f01 r--p 0 00:1 1 /venv/lib/libtt_metal.so\n";
        let parent = format!("{library}{region}7f03-7f04 r-xp 0 00:1 3 /lib/libc.so.6\n");
        assert!(is_copy(&parent, &parent));
        // The parent has closed nothing, and the child has unmapped a library.
        assert!(is_copy(region, &parent));
        // A device that the child opened itself: at another address, and of another chip.
        assert!(!is_copy(
            &format!("{parent}{}", region.replace("7f02-7f03", "7f12-7f13")),
            &parent
        ));
        assert!(!is_copy(&region.replace("device_7", "device_8"), &parent));
        assert!(!is_copy(&parent, ""));
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
