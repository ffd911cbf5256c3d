//! Processes, as procfs and `/etc/passwd` show them.

mod container;
mod job;
mod stat;
mod users;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use ttmem_model::facts::{Field, ProcessFacts, is_same_start};
use ttmem_model::order;
use ttmem_model::reading::Missing;
use ttmem_model::{Pid, Timestamp};

use ttmem_root::{Root, RootError};

use super::kmd::holders::has_device_file;

use job::{Job, Pods};
use stat::Stat;
pub use users::Users;

/// The most of a command line that is kept.
const MAX_COMMAND_BYTES: usize = 4096;
/// The most of an environment that is searched.
const MAX_ENVIRONMENT_BYTES: usize = 1 << 20;
/// The most of the list of a process's control groups.
const MAX_CONTROL_GROUPS_BYTES: usize = 64 << 10;
/// Switches the upstream region off (TT-Metal 0.70 and newer).
const TRACKING_SWITCH: &[u8] = b"TT_METAL_SHM_TRACKING_DISABLED=";

/// The numbers of all processes that procfs shows, ascending.
#[must_use]
pub fn pids(root: &Root) -> Vec<Pid> {
    let mut pids: Vec<Pid> = root
        .list("/proc")
        .unwrap_or_default()
        .iter()
        .filter_map(|name| name.to_str()?.parse().ok())
        .filter(|pid| *pid > 0)
        .map(Pid)
        .collect();
    order::sort(&mut pids);
    pids
}

/// Returns the start time of a process, in clock ticks since boot; `None` if it does not exist or has ended.
#[must_use]
pub fn start_ticks(root: &Root, pid: Pid) -> Option<u64> {
    let file = root.read(&format!("/proc/{pid}/stat"), 4096).ok()?;
    let stat = Stat::parse(&file.bytes).ok()?;
    (!stat.has_ended()).then_some(stat.start_ticks)
}

/// True if a process runs that started at this time, in clock ticks since boot as the process itself reads them: its time
/// namespace may shift them.
#[must_use]
pub fn runs_since(root: &Root, pid: Pid, ticks: u64) -> bool {
    let is_it = |start| start == ticks || is_same_start(start, start_shift(root, pid), ticks);
    start_ticks(root, pid).is_some_and(is_it)
}

/// Returns the number of the user of a process, if procfs shows it.
#[must_use]
pub fn user_of(root: &Root, pid: Pid) -> Option<u32> {
    let status = root.read(&format!("/proc/{pid}/status"), 16 << 10).ok()?;
    status_number(&String::from_utf8_lossy(&status.bytes), "Uid:")
}

/// Returns the clock ticks by which the time since boot in a process's time namespace is ahead of that in ttmem's (Linux
/// 5.6 and newer).
fn start_shift(root: &Root, pid: Pid) -> i64 {
    let offset = |process: &str| {
        let file = root.read(&format!("/proc/{process}/timens_offsets"), 4096).ok()?;
        let text = String::from_utf8_lossy(&file.bytes).into_owned();
        let line = text.lines().find_map(|line| line.strip_prefix("boottime"))?;
        let mut numbers = line.split_ascii_whitespace().map(str::parse::<i64>);
        let (seconds, nanoseconds) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        let micros = seconds.checked_mul(1_000_000)?.checked_add(nanoseconds / 1000)?;
        micros.checked_div_euclid(i64::try_from(stat::MICROS_PER_TICK).ok()?)
    };
    match (offset(&pid.to_string()), offset("self")) {
        (Some(theirs), Some(own)) => theirs.saturating_sub(own),
        _ => 0,
    }
}

/// Reads processes of one host: what does not change between two of them is read once.
#[derive(Debug)]
pub struct Processes<'a> {
    root: &'a Root,
    users: Users,
    pods: Pods,
    boot: Option<Timestamp>,
    found: BTreeMap<Pid, ProcessFacts>,
}

impl<'a> Processes<'a> {
    /// A reader that has read no process yet.
    #[must_use]
    pub fn new(root: &'a Root) -> Self {
        Self {
            root,
            users: Users::default(),
            pods: Pods::default(),
            boot: stat::boot_time(root),
            found: BTreeMap::new(),
        }
    }

    /// Reads a process, once. A process that is not there, or that ended and only waits to be reaped, is left out.
    pub fn add(&mut self, pid: Pid) {
        if self.found.contains_key(&pid) {
            return;
        }
        if let Some(process) = self.read(pid) {
            self.found.insert(pid, process);
        }
    }

    /// Reads the time namespaces of the processes that may have written a segment whose start time is another one: `pid`
    /// is their number in their own pid namespace.
    pub(crate) fn read_start_shifts(&mut self, pid: i32, ticks: u64) {
        let may_have = |process: &&mut ProcessFacts| {
            process.namespace_pids.last() == Some(&pid) && !process.has_start_time(ticks)
        };
        let root = self.root;
        for (pid, process) in &mut self.found {
            if may_have(&process) {
                process.start_shift = start_shift(root, *pid);
            }
        }
    }

    /// Reads whether processes that slots may mean and the driver does not list have a device open all the same.
    pub(crate) fn read_removed_devices(&mut self, slots: &BTreeSet<i32>, listed: &BTreeSet<Pid>) {
        let is_meant = |process: &ProcessFacts| {
            process.namespace_pids.last().is_some_and(|own| slots.contains(own))
        };
        let root = self.root;
        for (pid, process) in &mut self.found {
            if is_meant(process) && !listed.contains(pid) {
                process.has_removed_device = has_device_file(root, *pid);
            }
        }
    }

    /// A process that was read.
    #[must_use]
    pub fn get(&self, pid: Pid) -> Option<&ProcessFacts> {
        self.found.get(&pid)
    }

    /// Every process that was read.
    #[must_use]
    pub(crate) fn finish(self) -> BTreeMap<Pid, ProcessFacts> {
        self.found
    }

    fn read(&mut self, pid: Pid) -> Option<ProcessFacts> {
        let stat = match self.root.read(&format!("/proc/{pid}/stat"), 4096) {
            Ok(file) => Stat::parse(&file.bytes),
            Err(error) => {
                // A capture may have no `stat`; a process without a directory has ended.
                self.root.list(&format!("/proc/{pid}")).ok()?;
                Err(error.missing())
            }
        };
        if stat.as_ref().is_ok_and(Stat::has_ended) {
            return None;
        }
        let status = self.root.read(&format!("/proc/{pid}/status"), 16 << 10);
        let status = status.map(|file| String::from_utf8_lossy(&file.bytes).into_owned());
        let uid = status.as_ref().ok().and_then(|text| status_number(text, "Uid:"));
        let field = |name: fn(&Stat) -> u64| stat.as_ref().map(name).map_err(Clone::clone);
        let start_time = field(|stat| stat.start_ticks);
        let groups = self.root.read(&format!("/proc/{pid}/cgroup"), MAX_CONTROL_GROUPS_BYTES);
        let groups = groups.map(|file| String::from_utf8_lossy(&file.bytes).into_owned());
        let groups = groups.unwrap_or_default();
        let container = container::of(&groups);
        let environment = self.root.read(&format!("/proc/{pid}/environ"), MAX_ENVIRONMENT_BYTES);
        let environment = environment.map(|file| file.bytes).map_err(|error| error.missing());
        let job = Job::of(environment.as_deref().ok(), &groups);
        let submitter = job.user.or_else(|| job.uid.map(|uid| self.users.name(self.root, uid)));
        Some(ProcessFacts {
            started: self.started(&start_time),
            start_time,
            start_shift: 0,
            name: self.name(pid, stat.as_ref().ok()),
            command: self.command(pid),
            uid,
            user: uid.map(|uid| self.users.name(self.root, uid)),
            pod: container.as_deref().and_then(|own| self.pods.name(self.root, own)),
            container,
            namespace_pids: namespace_pids(status.as_deref().unwrap_or_default(), pid),
            mount_namespace: mount_namespace(self.root, pid),
            cpu_time_us: field(Stat::cpu_time_us),
            host_memory_bytes: host_memory(status.as_deref(), "VmRSS:"),
            peak_host_memory_bytes: host_memory(status.as_deref(), "VmHWM:"),
            tracking_disabled: environment.map(|environment| is_tracking_disabled(&environment)),
            job: job.id,
            job_user: submitter,
            pid_namespace: pid_namespace_inode(self.root, &pid.to_string()),
            has_removed_device: false,
        })
    }

    fn started(&self, start_time: &Field<u64>) -> Field<Timestamp> {
        let boot = self.boot.ok_or_else(|| Missing::failed("/proc/stat has no boot time"))?;
        let ticks = start_time.clone()?;
        Ok(Timestamp(boot.0.saturating_add(ticks.saturating_mul(stat::MICROS_PER_TICK))))
    }

    fn name(&self, pid: Pid, stat: Option<&Stat>) -> String {
        match self.root.read(&format!("/proc/{pid}/comm"), 256) {
            Ok(file) => String::from_utf8_lossy(&file.bytes).trim_end_matches('\n').to_owned(),
            Err(_) => stat.map(|stat| stat.name.clone()).unwrap_or_default(),
        }
    }

    fn command(&self, pid: Pid) -> String {
        let Ok(file) = self.root.read(&format!("/proc/{pid}/cmdline"), MAX_COMMAND_BYTES) else {
            return String::new();
        };
        // A process that gives itself another title fills the rest with zeros.
        let command = String::from_utf8_lossy(&file.bytes);
        command.trim_end_matches('\0').replace('\0', " ")
    }
}

/// True if an environment switches upstream tracking off.
fn is_tracking_disabled(environment: &[u8]) -> bool {
    let mut variables = environment.split(|byte| *byte == 0);
    let value = variables.find_map(|variable| variable.strip_prefix(TRACKING_SWITCH));
    value.is_some_and(|value| !value.is_empty() && value != b"0")
}

/// The mount namespace of a process, as the kernel names it; `None` if we may not know.
#[must_use]
pub(crate) fn mount_namespace(root: &Root, pid: Pid) -> Option<String> {
    namespace_link(root, &pid.to_string())
}

/// The pid namespace of a process, or of ours (`self`), as the kernel names it; `None` if we may not know.
#[must_use]
pub(crate) fn pid_namespace(root: &Root, process: &str) -> Option<PathBuf> {
    root.link(&format!("/proc/{process}/ns/pid")).ok()
}

/// Returns the inode of the pid namespace of a process, or of ours (`self`); `None` if we may not know.
#[must_use]
pub(crate) fn pid_namespace_inode(root: &Root, process: &str) -> Option<u64> {
    let link = pid_namespace(root, process)?;
    link.to_str()?.strip_prefix("pid:[")?.strip_suffix(']')?.parse().ok()
}

/// Our own mount namespace; `None` on a captured host.
#[must_use]
pub(crate) fn own_mount_namespace(root: &Root) -> Option<String> {
    namespace_link(root, "self")
}

fn namespace_link(root: &Root, process: &str) -> Option<String> {
    let target = root.link(&format!("/proc/{process}/ns/mnt")).ok()?;
    target.to_str().map(str::to_owned)
}

/// True if procfs is mounted so that other users' processes are not shown.
#[must_use]
pub fn are_hidden(root: &Root) -> bool {
    let Ok(mounts) = root.read("/proc/self/mounts", 1 << 20) else { return false };
    String::from_utf8_lossy(&mounts.bytes).lines().any(|line| {
        let mut fields = line.split(' ').skip(1);
        let is_proc = fields.next() == Some("/proc") && fields.next() == Some("proc");
        let options = fields.next().unwrap_or_default();
        is_proc
            && options.split(',').any(|option| {
                option.strip_prefix("hidepid=").is_some_and(|level| !matches!(level, "0" | "off"))
            })
    })
}

/// True if this process is in another pid namespace than the initial one, so that processes outside of it are not shown.
#[must_use]
pub(crate) fn is_in_inner_namespace(root: &Root) -> bool {
    /// The kernel's inode number of the initial pid namespace (`PROC_PID_INIT_INO`, Linux 3.8 and newer).
    const INITIAL: &str = "pid:[4026531836]";
    root.link("/proc/self/ns/pid").is_ok_and(|own| own.as_os_str() != INITIAL)
}

/// The first number after a key of `status`.
fn status_number(status: &str, key: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

fn namespace_pids(status: &str, pid: Pid) -> Vec<i32> {
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
    let pids: Vec<i32> =
        line.split_ascii_whitespace().filter_map(|number| number.parse().ok()).collect();
    if pids.is_empty() { vec![pid.0] } else { pids }
}

/// A size in `status`, such as `VmRSS:` (now) or `VmHWM:` (peak), in bytes.
fn host_memory(status: Result<&str, &RootError>, key: &str) -> Field<u64> {
    let status = status.map_err(RootError::missing)?;
    status_number(status, key)
        .map(|kib| u64::from(kib) * 1024)
        .ok_or_else(|| Missing::unsupported("the process has no resident memory of its own"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ttmem_root::{Entry, Tree};

    fn read(tree: Tree, pid: i32) -> Option<ProcessFacts> {
        let root = Root::memory(tree);
        let mut processes = Processes::new(&root);
        processes.add(Pid(pid));
        processes.finish().remove(&Pid(pid))
    }

    fn tree(state: char) -> Tree {
        let mut tree = Tree::new();
        tree.put_line("/proc/stat", "cpu 1 2 3\nbtime 1000\n");
        let fields = "0 0 0 0 0 0 0 0 0 0 150 50 0 0 20 0 1 0 700 0 0";
        tree.put_line("/proc/9/stat", format!("9 (a) b) {state} {fields}"));
        tree.put_line("/proc/9/comm", "a) b");
        tree.put("/proc/9/cmdline", Entry::file(b"python\0-c\0\xff\0".to_vec()));
        tree.put(
            "/proc/9/environ",
            Entry::file(b"A=1\0TT_METAL_SHM_TRACKING_DISABLED=1\0".to_vec()),
        );
        tree.put_line(
            "/proc/9/status",
            "Name:\tx\nUid:\t1000\t1000\t1000\t1000\nNSpid:\t9\t1\nVmHWM:\t     4096 kB\nVmRSS:\t     2048 kB",
        );
        tree.put_line("/etc/passwd", "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/:/bin/sh");
        tree
    }

    #[test]
    fn a_process_is_read_whole() {
        let process = read(tree('S'), 9).unwrap();
        assert_eq!(process.name, "a) b");
        assert_eq!(process.command, "python -c \u{fffd}");
        for (bytes, command) in [(&b"ray::IDLE\0\0\0"[..], "ray::IDLE"), (b"\0\0\0", "")] {
            let mut titled = tree('S');
            titled.put("/proc/9/cmdline", Entry::file(bytes.to_vec()));
            assert_eq!(read(titled, 9).unwrap().command, command);
        }
        assert_eq!(process.user.as_deref(), Some("alice"));
        assert_eq!(process.start_time, Ok(700));
        assert_eq!(process.started, Ok(Timestamp(1_007_000_000)));
        assert_eq!(process.cpu_time_us, Ok(2_000_000));
        assert_eq!(process.host_memory_bytes, Ok(2 << 20));
        assert_eq!(process.peak_host_memory_bytes, Ok(4 << 20));
        assert_eq!(process.namespace_pids, [9, 1]);
        assert_eq!(process.tracking_disabled, Ok(true));
    }

    #[test]
    fn a_process_that_waits_to_be_reaped_has_ended() {
        assert!(read(tree('Z'), 9).is_none());
        assert!(read(tree('S'), 10).is_none());
    }

    #[test]
    fn a_time_namespace_shifts_the_start_time() {
        let offsets = |seconds: i64, nanoseconds| {
            format!("monotonic           0         0\nboottime   {seconds:>10} {nanoseconds:>9}")
        };
        let mut tree = tree('S');
        tree.put_line("/proc/self/timens_offsets", offsets(0, 0));
        tree.put_line("/proc/9/timens_offsets", offsets(1000, 255_000_000));
        let root = Root::memory(tree);
        // Both the start and the offset are rounded to a tick.
        for (ticks, is_it) in [(700, true), (100_725, true), (100_726, true), (100_727, false)] {
            assert_eq!(runs_since(&root, Pid(9), ticks), is_it, "{ticks}");
            let mut processes = Processes::new(&root);
            processes.add(Pid(9));
            processes.read_start_shifts(1, ticks);
            assert_eq!(processes.get(Pid(9)).unwrap().has_start_time(ticks), is_it, "{ticks}");
        }
    }

    #[test]
    fn a_captured_process_may_lack_files() {
        let mut tree = Tree::new();
        tree.put_line("/proc/9/comm", "python");
        let process = read(tree, 9).unwrap();
        assert_eq!(process.name, "python");
        assert!(process.start_time.is_err() && process.host_memory_bytes.is_err());
        assert_eq!(process.namespace_pids, [9]);
    }
}
