//! Memory of the host during a run: what the kernel counted, and its own line about an OOM kill.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use ttmem_analysis::run_report::{HostMemory, HostPeak, LockedLimit};

use super::usage;

/// Mount point of cgroups of version 2 (systemd, Docker, Kubernetes).
const CGROUPS: &str = "/sys/fs/cgroup";
/// Most bytes of a record of the kernel log (`CONSOLE_EXT_LOG_MAX`, Linux 3.5 to 6.12).
const RECORD_BYTES: usize = 8192;
/// Most records that are read: a host that logs without end must not hold up the report.
const MOST_RECORDS: usize = 20_000;
/// Most characters of the kernel's line that are kept.
const LINE_CHARACTERS: usize = 400;

/// Counters before the run.
#[derive(Debug)]
pub(super) struct Before {
    oom_kills: Option<u64>,
    cgroup_oom_kills: Option<u64>,
    /// The kernel log, at its end.
    log: Option<File>,
}

impl Before {
    /// Reads the counters.
    pub(super) fn read() -> Self {
        Self { oom_kills: oom_kills(), cgroup_oom_kills: cgroup_oom_kills(), log: kernel_log() }
    }

    /// Reads the counters again after a command that ended with `code`. `pids` are the processes of the command that were
    /// seen.
    pub(super) fn finish(
        self,
        code: i32,
        largest: Option<HostPeak>,
        pids: &BTreeSet<u32>,
    ) -> HostMemory {
        let since = |now: Option<u64>, before: Option<u64>| now?.checked_sub(before?);
        let line = self.log.and_then(|log| oom_line(log, pids));
        let has_own_line = line.as_ref().is_some_and(|(is_own, _)| *is_own);
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let sampled = largest.as_ref().map(|largest| largest.bytes);
        HostMemory {
            peak_bytes: usage::peak_of_children().max(sampled),
            largest,
            total_bytes: kib(&meminfo, "MemTotal:"),
            hugepages_bytes: kib(&meminfo, "Hugetlb:"),
            cgroup_limit_bytes: cgroup_limit(),
            locked_limit: locked_limit(),
            oom_kills: since(oom_kills(), self.oom_kills),
            cgroup_oom_kills: since(cgroup_oom_kills(), self.cgroup_oom_kills),
            kernel_line: line.map(|(_, line)| line),
            cause: None,
        }
        .with_cause(code, has_own_line)
    }
}

/// A size of `/proc/meminfo` or `/proc/PID/status`, in bytes.
pub(super) fn kib(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_ascii_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// A counter of a file with a name and a number in each line.
fn counter(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

/// OOM kills of the host since it booted (Linux 4.13 and newer).
fn oom_kills() -> Option<u64> {
    counter(&fs::read_to_string("/proc/vmstat").ok()?, "oom_kill")
}

/// The directories of the cgroup of this process and of those above it, nearest first.
fn cgroups() -> Vec<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let Some(path) = own.lines().find_map(|line| line.strip_prefix("0::/")) else {
        return Vec::new();
    };
    let all = Path::new(path).ancestors().map(|path| Path::new(CGROUPS).join(path));
    all.filter(|path| path.starts_with(CGROUPS)).collect()
}

/// OOM kills in the nearest cgroup that counts them, with those below it.
fn cgroup_oom_kills() -> Option<u64> {
    let events = |path: PathBuf| fs::read_to_string(path.join("memory.events")).ok();
    cgroups().into_iter().find_map(events).and_then(|text| counter(&text, "oom_kill"))
}

fn cgroup_limit() -> Option<u64> {
    let limit = |path: PathBuf| {
        fs::read_to_string(path.join("memory.max")).ok()?.trim().parse::<u64>().ok()
    };
    cgroups().into_iter().filter_map(limit).min()
}

fn locked_limit() -> Option<LockedLimit> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max locked memory"))?;
    match line.split_ascii_whitespace().next()? {
        "unlimited" => Some(LockedLimit::Unlimited),
        bytes => bytes.parse().ok().map(LockedLimit::Bytes),
    }
}

/// Opens the kernel log at its end. It takes CAP_SYSLOG where `kernel.dmesg_restrict` is 1.
fn kernel_log() -> Option<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).ok()?;
    let mut log = OpenOptions::new().read(true).custom_flags(flags).open("/dev/kmsg").ok()?;
    log.seek(SeekFrom::End(0)).ok()?;
    Some(log)
}

/// The last line about an OOM kill, and whether it names one of these processes: such a line is preferred.
fn oom_line(mut log: File, pids: &BTreeSet<u32>) -> Option<(bool, String)> {
    let mut record = vec![0; RECORD_BYTES];
    let mut found = None;
    for _ in 0..MOST_RECORDS {
        match log.read(&mut record) {
            Ok(0) => break,
            Ok(count) => {
                let text = String::from_utf8_lossy(record.get(..count).unwrap_or_default());
                let Some((pid, line)) = killed(&text) else { continue };
                let is_own = pids.contains(&pid);
                if is_own || !matches!(found, Some((true, _))) {
                    found = Some((is_own, line));
                }
            }
            // Records were overwritten before they were read; the next read continues after them.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::PIPE.raw_os_error()) => {}
            Err(_) => break,
        }
    }
    found
}

/// Returns the process that was killed, by a record of the kernel log, and the line (Linux 3.5 to 6.12,
/// `mm/oom_kill.c`).
fn killed(record: &str) -> Option<(u32, String)> {
    let text = record.split_once(';')?.1.lines().next()?;
    let rest = text.split_once("Killed process ")?.1;
    let pid = rest.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()?;
    let is_printable = |character: &char| !character.is_control();
    Some((pid, text.chars().filter(is_printable).take(LINE_CHARACTERS).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_the_kernel_log_names_the_process() {
        let record = "3,1411,8911521563,-;Out of memory: Killed process 4242 (python3) total-vm:9035kB, anon-rss:8123kB\n \
                      SUBSYSTEM=memory\n";
        let (pid, line) = killed(record).unwrap();
        assert_eq!(pid, 4242);
        assert!(line.starts_with("Out of memory: Killed process 4242 (python3)"), "{line}");
        assert!(line.ends_with("anon-rss:8123kB"), "{line}");
        let group = "6,2,3,-;Memory cgroup out of memory: Killed process 7 (x), UID 0\n";
        assert_eq!(killed(group).unwrap().0, 7);
        assert_eq!(killed("6,2,3,-;eth0: link up\n"), None);
        assert_eq!(killed("Killed process 7"), None);
    }

    #[test]
    fn counters_and_sizes_are_read_by_their_whole_name() {
        assert_eq!(counter("oom_kill_disable 0\noom_kill 3\n", "oom_kill"), Some(3));
        assert_eq!(counter("oom 1\n", "oom_kill"), None);
        assert_eq!(kib("MemTotal:   16 kB\n", "MemTotal:"), Some(16384));
        assert_eq!(kib("VmHWM:\t x kB\n", "VmHWM:"), None);
    }
}
