//! Memory of the host during a run, and the most likely cause of exit code 137.

use serde::Serialize;

/// Exit code of a command that SIGKILL (9) ended, as a shell counts.
const KILLED: i32 = 137;

/// Memory of the host during a run, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HostMemory {
    /// The most memory of any process of the command, as the kernel counted it until its end. `None` if it is not known.
    pub peak_bytes: Option<u64>,
    /// The process with the highest `VmHWM` that was sampled while it ran. A short one may be missed.
    pub largest: Option<HostPeak>,
    /// Memory of the host (`MemTotal`).
    pub total_bytes: Option<u64>,
    /// Memory that hugepages of every size reserve (`Hugetlb`): no process gets it as ordinary memory.
    pub hugepages_bytes: Option<u64>,
    /// Lowest memory limit of the cgroups of ttmem, which the command inherits. `None` if there is none, or it is not
    /// readable.
    pub cgroup_limit_bytes: Option<u64>,
    /// Limit of locked memory of the command: a number of bytes, or `unlimited`.
    pub locked_limit: Option<LockedLimit>,
    /// Processes that the OOM killer ended on this host during the run (`oom_kill` of `/proc/vmstat`).
    pub oom_kills: Option<u64>,
    /// Processes that it ended in the cgroup of ttmem during the run (`memory.events`).
    pub cgroup_oom_kills: Option<u64>,
    /// The kernel's own line about it, if the kernel log may be read.
    pub kernel_line: Option<String>,
    /// The most likely cause, if a process was killed.
    pub cause: Option<KillCause>,
}

/// The highest `VmHWM` of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HostPeak {
    /// Process id.
    pub pid: u32,
    /// Short name.
    pub name: String,
    /// `VmHWM` in bytes.
    pub bytes: u64,
}

/// A limit of locked memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum LockedLimit {
    /// A number of bytes.
    Bytes(u64),
    /// No limit.
    #[serde(serialize_with = "unlimited")]
    Unlimited,
}

fn unlimited<S: serde::Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str("unlimited")
}

/// The most likely cause of a SIGKILL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KillCause {
    /// The kernel's OOM killer: its log names a process of the command, or the command's cgroup counted a kill.
    OomKiller,
    /// Probably the OOM killer: the host counted a kill during the run.
    ProbablyOomKiller,
    /// Probably the OOM killer, because nothing else is known.
    Unknown,
    /// Another process: the kernel counted no OOM kill during the run.
    OtherProcess,
}

impl HostMemory {
    /// Concludes what ended the command with this exit code. `has_own_line` is true if the kernel's line names a process
    /// of the command.
    #[must_use]
    pub fn with_cause(self, exit_code: i32, has_own_line: bool) -> Self {
        let counted = |kills: Option<u64>| kills.is_some_and(|kills| kills > 0);
        let cause = if has_own_line || counted(self.cgroup_oom_kills) {
            Some(KillCause::OomKiller)
        } else if exit_code != KILLED {
            None
        } else if counted(self.oom_kills) {
            Some(KillCause::ProbablyOomKiller)
        } else if self.oom_kills.is_some() {
            Some(KillCause::OtherProcess)
        } else {
            Some(KillCause::Unknown)
        };
        Self { cause, ..self }
    }
}

impl KillCause {
    /// Returns the cause in a sentence.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::OomKiller => {
                "The kernel's OOM killer ended a process of the command: the memory of the host, or of its cgroup, ran out."
            }
            Self::ProbablyOomKiller => {
                "Exit code 137 is SIGKILL, most likely of the kernel's OOM killer: it ended a process of this host during the run."
            }
            Self::Unknown => {
                "Exit code 137 is SIGKILL, most likely of the kernel's OOM killer: `dmesg | grep -i oom` confirms it."
            }
            Self::OtherProcess => {
                "Exit code 137 is SIGKILL. The kernel counted no OOM kill during the run, so another process sent it: kill -9, a \
                 time limit, a scheduler, or the end of a container."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_follows_from_what_the_kernel_counted() {
        let cause = |oom_kills, cgroup_oom_kills, code, has_own_line| {
            let memory = HostMemory { oom_kills, cgroup_oom_kills, ..HostMemory::default() };
            memory.with_cause(code, has_own_line).cause
        };
        assert_eq!(cause(Some(0), Some(0), 137, false), Some(KillCause::OtherProcess));
        assert_eq!(cause(Some(1), Some(0), 137, false), Some(KillCause::ProbablyOomKiller));
        assert_eq!(cause(Some(1), Some(1), 1, false), Some(KillCause::OomKiller));
        assert_eq!(cause(None, None, 1, true), Some(KillCause::OomKiller));
        assert_eq!(cause(None, None, 137, false), Some(KillCause::Unknown));
        assert_eq!(cause(Some(3), None, 0, false), None);
    }

    #[test]
    fn a_limit_is_a_number_or_unlimited() {
        let json = |limit| serde_json::to_string(&limit).unwrap();
        assert_eq!(json(LockedLimit::Bytes(65536)), "65536");
        assert_eq!(json(LockedLimit::Unlimited), "\"unlimited\"");
    }
}
