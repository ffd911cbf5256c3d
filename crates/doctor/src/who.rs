//! `ttmem who`: which process has a chip, and what a reset of the chip would end.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use ttmem_model::facts::{Facts, Field};
use ttmem_model::order::Gather as _;
use ttmem_model::snapshot::{Chip, Process, ProcessMemory, ProcessState, Snapshot};
use ttmem_model::{ChipId, Pid, Reading, Timestamp};
use ttmem_root::Root;
use ttmem_sources::source::kmd::windows::Windows;
use ttmem_sources::source::locks::{Holder, Lock};
use ttmem_sources::source::process::Processes;

/// The name of the format.
pub(crate) const SCHEMA: &str = "ttmem/who";
/// The version of the format: a newer minor adds fields, a newer major breaks readers.
///
/// - 1.1: `has_ended` of the holder of a lock.
pub(crate) const VERSION: &str = "1.1";

/// The use of a chip, from free to in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Use {
    /// No process has the chip open.
    Free,
    /// The use is not known: other users' open files are hidden, or the driver does not answer.
    Unknown,
    /// A process has it open.
    InUse,
}

/// The input of the verdicts.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// The host's files.
    pub root: &'a Root,
    /// Facts of the sources.
    pub facts: &'a Facts,
    /// The snapshot of the facts, with the chips that are asked about.
    pub snapshot: &'a Snapshot,
    /// The locks of UMD.
    pub locks: &'a [Lock],
    /// Windows of each device by process, where the driver's list can be read.
    pub windows: &'a BTreeMap<u32, Field<Windows>>,
}

/// The verdicts on all chips.
#[derive(Clone, Debug, Serialize)]
pub struct Who {
    schema: &'static str,
    version: &'static str,
    /// One verdict per chip, in the order of the snapshot.
    pub chips: Vec<Verdict>,
}

/// The verdict on one chip.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// Index of the chip.
    pub chip: u32,
    /// The board.
    pub board: Option<String>,
    /// The PCIe address.
    pub bdf: Option<String>,
    /// Use of the chip.
    #[serde(rename = "use")]
    pub used: Use,
    /// The reason that the use is not known.
    pub reason: Option<String>,
    /// The processes that have it.
    pub owners: Vec<Owner>,
    /// True if a process outside this pid namespace has it open too.
    pub has_outside_owner: bool,
    /// UMD's locks of the chip that are held.
    pub locks: Vec<HeldLock>,
    /// Processes that have ended and whose memory is still recorded.
    pub stale: Vec<StaleOwner>,
    /// Indexes of the chips that are reset together with this one: those of its board.
    pub reset_chips: Vec<u32>,
    /// Processes that such a reset ends.
    pub reset_ends: Vec<Pid>,
}

/// A process that has a chip.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Owner {
    /// Process id.
    pub pid: Pid,
    /// Short name.
    pub name: String,
    /// Command line; empty if reading it is not permitted.
    pub(crate) command: String,
    /// User: the name, or the number where no name is known.
    pub user: Option<String>,
    /// Rank in its job, or worker of pytest-xdist, if its agent found one.
    pub rank: Option<String>,
    /// The number of its job, if its agent found one.
    pub job: Option<String>,
    /// Container or pod.
    pub container: Option<String>,
    /// The namespace and name of its Kubernetes pod, as `NAMESPACE/NAME`.
    pub pod: Option<String>,
    /// Start time, in microseconds since 1970.
    pub since_us: Option<Timestamp>,
    /// Memory on the chip; `None` if no source lists it.
    pub memory: Option<ProcessMemory>,
    /// Host memory that it occupies, in bytes.
    pub(crate) host_memory_bytes: Reading<u64>,
    /// The most host memory that it has occupied so far, in bytes; `None` if it is not shown to this user.
    pub peak_host_memory_bytes: Option<u64>,
    /// TLB windows that it has allocated, where the driver's list can be read.
    pub tlb_windows: Option<u64>,
}

/// A lock that a process holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HeldLock {
    /// Name of the lock, such as `CHIP_IN_USE_0_PCIe`.
    pub name: String,
    /// The holder; `None` if it has ended, or is not seen.
    pub holder: Option<Named>,
    /// True if the holder has ended.
    pub has_ended: bool,
    /// The holder's pid in its own namespace.
    pub holder_own_pid: i32,
    /// True if another process waits for it.
    pub is_awaited: bool,
    /// The processes that wait, where they can be seen.
    pub waiters: Vec<Named>,
}

/// A process by pid, name and user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Process id.
    pub(crate) pid: Pid,
    /// Short name.
    pub(crate) name: String,
    /// User: the name, or the number where no name is known.
    pub(crate) user: Option<String>,
}

/// A process that has ended and whose memory is still recorded.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StaleOwner {
    /// The pid that it had.
    pub pid: Pid,
    /// Short name.
    pub name: String,
    /// The memory that is recorded.
    pub memory: ProcessMemory,
}

impl std::fmt::Display for Named {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = if self.name.is_empty() { "name not shown" } else { &self.name };
        write!(formatter, "{} ({name}", self.pid)?;
        if let Some(user) = &self.user {
            write!(formatter, ", {user}")?;
        }
        formatter.write_str(")")
    }
}

impl Who {
    /// The worst of the chips.
    #[must_use]
    pub fn worst(&self) -> Use {
        self.chips.iter().map(|chip| chip.used).max().unwrap_or(Use::Free)
    }
}

/// Returns the verdict on each chip.
#[must_use]
pub fn conclude(evidence: &Evidence<'_>) -> Who {
    let chips = evidence.snapshot.chips.iter().map(|chip| verdict(evidence, chip)).collect();
    Who { schema: SCHEMA, version: VERSION, chips }
}

/// The processes that have a device open.
#[must_use]
pub fn device_owners(facts: &Facts) -> Vec<Pid> {
    let holders = facts.devices.iter().filter_map(|device| device.holders.as_ref().ok());
    let pids: BTreeSet<Pid> = holders.flat_map(|holders| holders.pids.iter().copied()).gather();
    pids.into_iter().collect()
}

/// The process that holds a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockHolder {
    Running(Pid),
    /// No process here is the holder, and others may be hidden or outside the namespace.
    Unseen,
    Ended,
}

impl LockHolder {
    /// Concludes from what is seen of the processes. A process that the driver lists runs, even where procfs hides it.
    pub(crate) fn of(facts: &Facts, holder: &Holder) -> Self {
        let listed = Some(Pid(holder.own_pid));
        let listed =
            listed.filter(|pid| facts.processes_hidden && device_owners(facts).contains(pid));
        match holder.pid.or(listed) {
            Some(pid) => Self::Running(pid),
            None if facts.processes_hidden || facts.processes_outside => Self::Unseen,
            None => Self::Ended,
        }
    }

    fn pid(self) -> Option<Pid> {
        match self {
            Self::Running(pid) => Some(pid),
            Self::Unseen | Self::Ended => None,
        }
    }
}

/// Names a process.
#[must_use]
pub fn name(root: &Root, facts: &Facts, pid: Pid) -> Named {
    let mut here = Processes::new(root);
    let process = facts.processes.get(&pid).cloned().or_else(|| {
        here.add(pid);
        here.get(pid).cloned()
    });
    let (name, user) = process.map(|process| (process.name, process.user)).unwrap_or_default();
    Named { pid, name, user }
}

fn verdict(evidence: &Evidence<'_>, chip: &Chip) -> Verdict {
    let device = device_number(evidence, chip);
    let locks: Vec<HeldLock> = evidence
        .locks
        .iter()
        .filter(|lock| lock.device.is_some() && lock.device == device)
        .filter_map(|lock| Some(held(evidence, lock, lock.holder.as_ref()?)))
        .collect();
    let owners: Vec<Owner> =
        chip.owners.pids.iter().map(|pid| owner(evidence, chip, device, *pid)).collect();
    let outside = chip.owners.outside_namespace.value().copied();
    let is_held =
        locks.iter().any(|lock| lock.name.starts_with("CHIP_IN_USE") && lock.holder.is_some());
    let unseen = unseen_owner(evidence, device);
    let (used, reason) = match (outside, chip.owners.outside_namespace.missing()) {
        _ if !owners.is_empty() || is_held => (Use::InUse, None),
        _ if unseen.is_some() => (Use::InUse, unseen),
        (Some(outside), _) if outside > 0 => (Use::InUse, None),
        _ if let Some(reason) = unreachable(evidence.snapshot, chip.id) => {
            (Use::Unknown, Some(reason))
        }
        _ if is_behind_one_in_use(evidence.snapshot, chip) => {
            (Use::Unknown, Some("a process that has its gateway open may use it".to_owned()))
        }
        // A chip without a device is a mock or simulated one: its owners are those that its region or agent names.
        (None, Some(missing)) if device.is_some() => {
            (Use::Unknown, Some(missing.detail.to_string()))
        }
        _ => (Use::Free, None),
    };
    let board = reset_group(evidence.snapshot, chip);
    let ends: BTreeSet<Pid> = board.iter().flat_map(|chip| chip.owners.pids.clone()).gather();
    Verdict {
        chip: chip.index,
        board: chip.board.clone(),
        bdf: chip.bdf.clone(),
        used,
        reason,
        owners,
        has_outside_owner: outside.is_some_and(|outside| outside > 0),
        locks,
        stale: stale(evidence.snapshot, chip.id),
        reset_chips: board.iter().map(|chip| chip.index).collect(),
        reset_ends: ends.into_iter().collect(),
    }
}

/// True if a process has the chip open that a remote chip is reached through.
fn is_behind_one_in_use(snapshot: &Snapshot, chip: &Chip) -> bool {
    let gateway = snapshot.chips.iter().find(|other| Some(other.id) == chip.gateway);
    gateway.is_some_and(|gateway| !gateway.owners.pids.is_empty())
}

/// Findings of a chip that does not answer: its files then do not prove that it is free.
const UNREACHABLE: [&str; 4] =
    ["chip-answers-ones", "chip-vanished", "device-late", "no-telemetry"];

/// The reason that nothing can be known of a chip, from its findings.
pub(crate) fn unreachable(snapshot: &Snapshot, chip: ChipId) -> Option<String> {
    let finding = snapshot
        .findings
        .iter()
        .find(|finding| finding.chip == Some(chip) && UNREACHABLE.contains(&finding.id.as_str()))?;
    Some(finding.words().to_owned())
}

/// Returns an owner that the driver lists and procfs does not: it ended while another process keeps its file open, or it
/// is hidden.
fn unseen_owner(evidence: &Evidence<'_>, device: Option<u32>) -> Option<String> {
    let facts = evidence.facts;
    let device = facts.devices.iter().find(|facts| Some(facts.number) == device)?;
    let holders = device.holders.as_ref().ok()?;
    if let Some(pid) = holders.pids.iter().find(|pid| !facts.processes.contains_key(pid)) {
        return Some(format!(
            "the driver lists process {pid} as an owner, and it is not seen here"
        ));
    }
    let is_open = holders.outside > 0 && !holders.complete;
    is_open.then(|| {
        let files = if holders.outside == 1 { "open file" } else { "open files" };
        format!("the driver counts {} {files} of processes that are not seen here", holders.outside)
    })
}

/// The number of the device that a chip is reached through.
fn device_number(evidence: &Evidence<'_>, chip: &Chip) -> Option<u32> {
    let local = |chip: &Chip| chip.bdf.as_ref().map(|_| chip.index);
    local(chip).or_else(|| {
        let gateway = chip.gateway?;
        evidence.snapshot.chips.iter().find(|other| other.id == gateway).and_then(local)
    })
}

/// Names a process, a hidden one as the snapshot does.
fn named(evidence: &Evidence<'_>, pid: Pid) -> Named {
    let mut named = name(evidence.root, evidence.facts, pid);
    if named.name.is_empty()
        && let Some(process) = live(evidence.snapshot, pid)
    {
        named.name.clone_from(&process.name);
    }
    named
}

fn live(snapshot: &Snapshot, pid: Pid) -> Option<&Process> {
    let is_it = |process: &&Process| process.pid == pid && process.state == ProcessState::Live;
    snapshot.processes.iter().find(is_it)
}

fn held(evidence: &Evidence<'_>, lock: &Lock, holder: &Holder) -> HeldLock {
    let named = |pid: Pid| named(evidence, pid);
    let state = LockHolder::of(evidence.facts, holder);
    HeldLock {
        name: lock.name.clone(),
        holder: state.pid().map(named),
        has_ended: state == LockHolder::Ended,
        holder_own_pid: holder.own_pid,
        is_awaited: holder.is_awaited,
        waiters: holder.waiters.iter().copied().map(named).collect(),
    }
}

fn owner(evidence: &Evidence<'_>, chip: &Chip, device: Option<u32>, pid: Pid) -> Owner {
    let facts = evidence.facts.processes.get(&pid);
    let process = live(evidence.snapshot, pid);
    let Named { name, user, .. } = named(evidence, pid);
    let container = facts.and_then(|facts| facts.container.clone());
    let windows = device.and_then(|device| evidence.windows.get(&device)?.as_ref().ok());
    Owner {
        pid,
        name,
        command: facts.map(|facts| facts.command.clone()).unwrap_or_default(),
        rank: process.and_then(|process| process.rank.clone()),
        job: process.and_then(|process| process.job.clone()),
        user,
        pod: facts.and_then(|facts| facts.pod.clone()),
        container,
        since_us: facts.and_then(|facts| facts.started.as_ref().ok().copied()),
        memory: process.and_then(|process| memory_on(process, chip.id)).cloned(),
        host_memory_bytes: process.map_or_else(
            || {
                ttmem_model::reading::Missing::denied("the process is not shown to this user")
                    .into()
            },
            |process| process.host_memory_bytes.clone(),
        ),
        peak_host_memory_bytes: facts
            .and_then(|facts| facts.peak_host_memory_bytes.as_ref().ok().copied()),
        tlb_windows: windows.map(|windows| windows.get(&pid).map_or(0, |ids| ids.len() as u64)),
    }
}

fn memory_on(process: &Process, chip: ChipId) -> Option<&ProcessMemory> {
    process.chips.iter().find(|on_chip| on_chip.chip == chip).map(|on_chip| &on_chip.memory)
}

fn stale(snapshot: &Snapshot, chip: ChipId) -> Vec<StaleOwner> {
    let ended = snapshot.processes.iter().filter(|process| process.state == ProcessState::Stale);
    let here = ended.filter_map(|process| {
        let memory = memory_on(process, chip)?.clone();
        Some(StaleOwner { pid: process.pid, name: process.name.clone(), memory })
    });
    here.collect()
}

/// The chips of a board, which are reset together.
fn reset_group<'a>(snapshot: &'a Snapshot, chip: &'a Chip) -> Vec<&'a Chip> {
    let is_with = |other: &&Chip| {
        other.id == chip.id || (chip.serial.is_some() && other.serial == chip.serial)
    };
    snapshot.chips.iter().filter(is_with).collect()
}

#[cfg(test)]
mod tests {
    use ttmem_fake::{Host, NOW};
    use ttmem_root::{Clock, Entry, Tree};
    use ttmem_sources::Collector;
    use ttmem_sources::source::locks;

    use super::*;

    fn who(tree: Tree) -> Who {
        let mut collector = Collector::new(Root::memory(tree)).with_clock(Clock::Fixed(NOW));
        let facts = collector.facts();
        let snapshot = ttmem_merge::merge(&facts, None);
        let locks = locks::read(collector.root(), &device_owners(&facts));
        let windows = collector.windows(&facts.devices);
        let (root, windows) = (collector.root(), &windows);
        conclude(&Evidence { root, facts: &facts, snapshot: &snapshot, locks: &locks, windows })
    }

    #[test]
    fn an_owner_is_named_with_what_it_has_and_what_a_reset_ends() {
        let verdict = who(Host::n300().into_tree()).chips.remove(0);
        assert_eq!(verdict.used, Use::InUse);
        let owner = &verdict.owners[0];
        assert_eq!((owner.pid, owner.name.as_str()), (Pid(4242), "python3"));
        assert_eq!(owner.user.as_deref(), Some("alice"));
        assert!(owner.since_us.is_some() && owner.memory.is_some());
        assert_eq!(verdict.locks[0].name, "CHIP_IN_USE_0_PCIe");
        assert_eq!((verdict.reset_chips, verdict.reset_ends), (vec![0, 1], vec![Pid(4242)]));
    }

    #[test]
    fn a_chip_without_an_owner_is_free() {
        let free = who(Host::new().board(ttmem_fake::Board::n150()).into_tree());
        assert_eq!(free.worst(), Use::Free);
        let outside = Host::new().board(ttmem_fake::Board::n150()).outside(0, 2).into_tree();
        let verdict = who(outside).chips.remove(0);
        assert!(verdict.used == Use::InUse && verdict.has_outside_owner);
    }

    #[test]
    fn a_chip_behind_one_in_use_is_not_called_free() {
        let host = Host::new().board(ttmem_fake::Board::n300());
        let open = host.process(ttmem_fake::Process::new(4242, "python3")).owner(0, 4242, 2);
        let unlocked = open.without("/dev/shm/TT_UMD_LOCK.CHIP_IN_USE_0_PCIe");
        let chips = who(unlocked.into_tree()).chips;
        assert_eq!([chips[0].used, chips[1].used], [Use::InUse, Use::Unknown]);
    }

    #[test]
    fn what_cannot_be_known_is_not_called_free() {
        let host = Host::new().board(ttmem_fake::Board::n150()).driver("2.4.0");
        let denied = Entry::Error(rustix::io::Errno::ACCESS);
        let verdict = who(host.file("/proc/1/fd", denied).into_tree()).chips.remove(0);
        assert_eq!(verdict.used, Use::Unknown);
        assert!(verdict.reason.is_some());
    }
}
