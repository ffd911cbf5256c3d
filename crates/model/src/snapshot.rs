//! One moment of one host: what `--json` prints, what every view draws.
//!
//! The names are a contract (`docs/snapshot.md`): fields may be added, none is renamed or removed within version 2.
//! Bytes and microseconds are integers. `used` and `capacity` are totals of a chip; `largest_free` is the largest
//! free block of one bank, as TT-Metal counts it.

mod earlier;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::board::{Arch, TrayPosition};
use crate::finding::Finding;
use crate::id::{ChipId, NamesChip, Pid, Timestamp, settled};
use crate::kind::PerKind;
use crate::metric::{Metric, Quantity};
use crate::reading::{Missing, Reading, SourceName};

/// The name of the format.
pub const SCHEMA: &str = "ttmem/snapshot";
/// The version of the format: a newer minor adds fields, a newer major breaks readers.
///
/// - 1.0: the first.
/// - 2.0: `stale` for `left_behind` and for the process state `left-behind`. Snapshots of 1.0 are still read.
/// - 2.1: `rank` and `job` of a process; name and command line of a stale process whose segment is there.
/// - 2.2: `job_user` and `pod` of a process.
/// - 2.3: `id` of a chip is `null` if it is not known; `index` of a process's chips, `chip_index` of a finding.
/// - 2.4: `reasons` of a chip.
pub const VERSION: &str = "2.4";

/// One moment of one host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Snapshot {
    /// Always `ttmem/snapshot`.
    pub schema: String,
    /// `major.minor` of the format.
    pub version: String,
    /// Time of the snapshot: microseconds since 1970, UTC.
    pub time_us: Timestamp,
    /// The machine.
    pub host: Host,
    /// True for the embedded demonstration host.
    pub demo: bool,
    /// The status of each source.
    pub sources: Vec<Source>,
    /// Every chip, by index: first those with a PCIe function, then the others.
    #[serde(deserialize_with = "settled")]
    pub chips: Vec<Chip>,
    /// Every process that holds device memory or a device.
    pub processes: Vec<Process>,
    /// The findings, worst first.
    #[serde(deserialize_with = "settled")]
    pub findings: Vec<Finding>,
}

/// The machine that a snapshot describes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Host {
    /// Name of the host, if it has one.
    pub name: Option<String>,
    /// The release of its Linux kernel.
    pub kernel: Option<String>,
    /// The version of the Tenstorrent kernel driver.
    pub driver: Option<String>,
    /// The version of the `ttmem` that took the snapshot.
    pub ttmem: String,
}

/// The status of a source as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SourceStatus {
    /// The source was read; single readings may still be missing.
    Ok,
    /// This host has no such source.
    Absent,
    /// Permission denied.
    Denied,
    /// The read failed: nothing that was read could be used.
    Failed,
    /// The source was not requested.
    NotRead,
}

impl SourceStatus {
    /// Returns the name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Absent => "absent",
            Self::Denied => "denied",
            Self::Failed => "failed",
            Self::NotRead => "not-read",
        }
    }
}

/// Status and cost of one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Source {
    /// Name of the source.
    pub name: SourceName,
    /// The status.
    pub status: SourceStatus,
    /// One line: what was read, or why not.
    pub detail: String,
    /// Microseconds of wall time that reading it took.
    pub cost_us: u64,
}

/// One ASIC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Chip {
    /// ASIC id; `null` if no source names it.
    pub id: ChipId,
    /// The origin of the id.
    pub id_source: IdSource,
    /// Index on this host: the driver's number where it has one, then counted on.
    pub index: u32,
    /// Architecture, where a source names it.
    pub arch: Option<Arch>,
    /// The driver's name of its board, such as `n150`.
    pub board: Option<String>,
    /// The board's serial number: 16 hex digits.
    pub serial: Option<String>,
    /// PCIe address, if the chip has a PCIe function.
    pub bdf: Option<String>,
    /// True if it is reached only through another chip of its board.
    pub remote: bool,
    /// The chip it is reached through, if it is remote and that is known.
    pub gateway: Option<ChipId>,
    /// The decimal id under which TT-Metal publishes its memory, if a region was found.
    pub region: Option<RegionLink>,
    /// Enabled worker cores.
    pub worker_cores: Reading<u64>,
    /// Memory by kind.
    pub memory: ChipMemory,
    /// Temperature, power, clocks and the like.
    pub telemetry: BTreeMap<Metric, Reading<Quantity>>,
    /// Firmware versions by the name of the driver's file, such as `bundle`.
    pub firmware: BTreeMap<String, String>,
    /// PCIe link, if the chip has a PCIe function.
    pub pcie: Option<PcieLink>,
    /// Processes that have the chip open.
    pub owners: Owners,
    /// Reasons of properties that are missing, by name: `arch`, `board`, `serial`, a version such as `bundle`, or `firmware` for all
    /// versions.
    #[serde(default)]
    pub reasons: BTreeMap<String, Missing>,
}

impl NamesChip for Chip {
    fn settle(&mut self) {
        self.id = self.id.beside(self.index);
    }
}

impl Chip {
    /// Returns the tray of a chip of a Galaxy, and its position there.
    #[must_use]
    pub fn tray(&self) -> Option<TrayPosition> {
        let is_galaxy = self.board.as_deref().is_some_and(|board| board.starts_with("galaxy-"));
        TrayPosition::of(self.arch.filter(|_| is_galaxy)?, self.bdf.as_deref()?)
    }

    /// Returns the id, if a source names it as that of the ASIC or of the chip; `None` if it was made from something else.
    #[must_use]
    pub fn asic_id(&self) -> Option<ChipId> {
        let is_other = matches!(self.id_source, IdSource::Serial | IdSource::Bdf);
        self.identity().filter(|_| !is_other)
    }

    /// Returns the id, if it identifies the chip beyond this snapshot.
    #[must_use]
    pub fn identity(&self) -> Option<ChipId> {
        self.id_source.identity(self.id)
    }
}

/// The origin of a chip's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum IdSource {
    /// The driver publishes the ASIC id.
    Driver,
    /// The name of its memory region.
    Region,
    /// TT-Metal, through the agent.
    Agent,
    /// The driver publishes no ASIC id: the board's serial number is used instead.
    Serial,
    /// The second ASIC of a board: its gateway's id with the upper half one higher.
    Gateway,
    /// The PCIe address, domain to function, because no source names an id.
    Bdf,
    /// No id: a process simulates the chip, or has it open and reports none.
    Simulator,
    /// No id: the chip is one of a capture.
    Capture,
}

impl IdSource {
    /// Returns an id from this source, if it identifies the chip beyond its snapshot.
    #[must_use]
    pub fn identity(self, id: ChipId) -> Option<ChipId> {
        // Before 2.3 a number of one process or one capture was in for an id that is not known.
        let is_number = matches!(self, Self::Simulator | Self::Capture);
        (!is_number && id.known().is_some()).then_some(id)
    }
}

/// The link between a chip and its memory region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RegionLink {
    /// The decimal number in the region's file name.
    pub id: u64,
    /// The logical device number that its last writer gave the chip.
    pub device_id: i32,
    /// Version of the region's layout.
    pub version: u32,
    /// The rule that joined them.
    pub joined_by: JoinedBy,
}

/// The rule that joined a region to a chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum JoinedBy {
    /// The region is named after the ASIC id.
    AsicId,
    /// The region is named after the board's serial number.
    Serial,
    /// The region is named after the serial number and the position on the board.
    SerialAndLocation,
    /// A process holds both, and the order of the devices is the same.
    Owner,
    /// The second ASIC of a board whose first is known.
    Gateway,
    /// No rule: the region is all that is known of the chip.
    Unmatched,
}

/// The memory of a chip, by kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ChipMemory {
    /// Allocator buffers in DRAM.
    pub dram: AllocatorMemory,
    /// Allocator buffers in L1.
    pub l1: AllocatorMemory,
    /// Allocator buffers in the `l1_small` region of L1.
    pub l1_small: AllocatorMemory,
    /// Traces in the trace region of DRAM.
    pub trace: AllocatorMemory,
    /// Circular buffers in L1.
    pub circular_buffers: CircularBufferMemory,
    /// Kernel text in L1.
    pub kernels: KernelMemory,
    /// Firmware, mailboxes and the kernel config ring in L1.
    pub reserved: ReservedMemory,
    /// All of L1.
    pub l1_total: L1Total,
}

impl ChipMemory {
    /// Returns the figures of the allocator kinds.
    #[must_use]
    pub fn allocators(&self) -> PerKind<&AllocatorMemory> {
        let Self { dram, l1, l1_small, trace, .. } = self;
        PerKind { dram, l1, l1_small, trace }
    }
}

/// One kind of allocator memory on one chip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AllocatorMemory {
    /// Bytes that the chip has for the kind: worker cores × L1, or banks × bank.
    pub capacity: Reading<u64>,
    /// Bytes that live processes hold.
    pub used: Reading<u64>,
    /// Bytes of the largest free block of one bank.
    pub largest_free: Reading<u64>,
    /// Banks.
    pub banks: Reading<u64>,
    /// Bytes that TT-Metal's bookkeeping still lists for processes that have ended. The memory is free.
    #[serde(alias = "left_behind")]
    pub stale: Reading<u64>,
    /// Bytes that TT-Metal's allocator can hand out, in all banks: the capacity without what is set aside.
    #[serde(default = "not_in_this_snapshot::<u64>")]
    pub allocatable: Reading<u64>,
    /// The share of a bank's free bytes outside its largest free block: 0 is one block, near 1 is many small ones.
    #[serde(default = "not_in_this_snapshot::<Quantity>")]
    pub fragmentation: Reading<Quantity>,
    /// The upstream region's figure for `used`, where `used` comes from a better source.
    #[serde(default)]
    pub upstream: Option<Reading<u64>>,
}

fn not_in_this_snapshot<T>() -> Reading<T> {
    Missing::no_source("the snapshot was taken by an older ttmem").into()
}

/// Circular buffers on one chip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CircularBufferMemory {
    /// Bytes resident in L1: what the last program of each core placed, ranges counted once.
    pub used: Reading<u64>,
    /// The bytes that belong to a running program.
    pub running: Reading<u64>,
    /// The upstream region's figure: the most over cached programs, without dataflow buffers.
    pub reported: Reading<u64>,
    /// The resident bytes that alias tensors.
    pub aliasing: Reading<u64>,
    /// The fewest bytes of a worker core between the end of what its last program placed, or of reserved memory, and its
    /// lowest L1 buffer, or the end of L1; 0 where a buffer was allocated lower since.
    #[serde(default = "not_in_this_snapshot::<u64>")]
    pub headroom: Reading<u64>,
}

/// Kernel text on one chip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct KernelMemory {
    /// Bytes of the application's kernels resident in L1.
    pub used: Reading<u64>,
    /// The bytes that belong to a running program.
    pub running: Reading<u64>,
    /// Bytes of dispatch and fabric kernels.
    pub system: Reading<u64>,
}

/// L1 that no program can have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ReservedMemory {
    /// Bytes of firmware, mailboxes and the kernel config ring.
    pub used: Reading<u64>,
}

/// All of a chip's L1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct L1Total {
    /// Enabled worker cores × L1 bytes per core.
    pub capacity: Reading<u64>,
    /// Bytes in use of any kind, ranges counted once.
    pub used: Reading<u64>,
}

/// A PCIe link and the slot it is plugged into.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PcieLink {
    /// Current gigatransfers per second of a lane.
    pub current_speed_gts: Reading<Quantity>,
    /// Highest gigatransfers per second of a lane.
    pub max_speed_gts: Reading<Quantity>,
    /// Current number of lanes.
    pub current_width: Reading<u64>,
    /// Highest number of lanes.
    pub max_width: Reading<u64>,
    /// The NUMA node, where the machine has more than one.
    pub numa_node: Reading<u64>,
}

/// Processes that have a chip open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Owners {
    /// Processes of this namespace, in ascending order, each once.
    pub pids: Vec<Pid>,
    /// Open files of processes outside this namespace. One process may hold several.
    pub outside_namespace: Reading<u64>,
}

/// The state of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ProcessState {
    /// The process runs.
    Live,
    /// The process has ended, and TT-Metal's bookkeeping still lists its memory.
    #[serde(alias = "left-behind")]
    Stale,
    /// The process runs where this pid namespace cannot see it.
    OutsideNamespace,
}

impl ProcessState {
    /// Returns the name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Stale => "stale",
            Self::OutsideNamespace => "outside-namespace",
        }
    }
}

/// One process. Its identity is (`pid`, `start_time`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Process {
    /// Process id; for an ended process, the number in its region; 0 outside the namespace.
    pub pid: Pid,
    /// Clock ticks between boot and its start (field 22 of `/proc/<pid>/stat`), 0 if not known.
    pub start_time: u64,
    /// Short name.
    pub name: String,
    /// Command line, arguments separated by spaces; empty if not known.
    pub command: String,
    /// The name of its user, or the number where no name is known.
    pub user: Option<String>,
    /// Container, as `docker:…`, `podman:…`, `containerd:…` or `pod:…`.
    pub container: Option<String>,
    /// State of the process.
    pub state: ProcessState,
    /// CPU time of all its threads, in microseconds.
    pub cpu_time_us: Reading<u64>,
    /// Host memory it occupies.
    pub host_memory_bytes: Reading<u64>,
    /// Memory on each chip.
    #[serde(deserialize_with = "settled")]
    pub chips: Vec<ProcessOnChip>,
    /// Rank in its job, or worker of pytest-xdist, if its agent found one.
    #[serde(default)]
    pub rank: Option<String>,
    /// The number of its job, if its agent, its environment or its control group has one.
    #[serde(default)]
    pub job: Option<String>,
    /// The user who submitted its job to Slurm.
    #[serde(default)]
    pub job_user: Option<String>,
    /// Kubernetes pod as `NAMESPACE/NAME`, where the kubelet's directories name it.
    #[serde(default)]
    pub pod: Option<String>,
}

/// The memory of a process on one chip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProcessOnChip {
    /// The id of the chip; `null` if it is not known.
    pub chip: ChipId,
    /// The index of the chip. A snapshot before 2.3 has none.
    #[serde(default)]
    pub index: Option<u32>,
    /// Bytes by kind.
    pub memory: ProcessMemory,
}

impl NamesChip for ProcessOnChip {
    fn settle(&mut self) {
        self.chip = self.index.map_or(self.chip, |index| self.chip.beside(index));
    }
}

/// The memory of a process on one chip, by kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProcessMemory {
    /// Bytes of DRAM buffers.
    pub dram: Reading<u64>,
    /// Bytes of L1 buffers.
    pub l1: Reading<u64>,
    /// Bytes of `l1_small` buffers.
    pub l1_small: Reading<u64>,
    /// Bytes of traces.
    pub trace: Reading<u64>,
    /// Circular buffers as the upstream region reports them: the most over cached programs, without dataflow buffers.
    pub circular_buffers_reported: Reading<u64>,
    /// The upstream region's requested bytes of the four allocator kinds, where they come from a better source.
    #[serde(default)]
    pub upstream: Option<PerKind<Reading<u64>>>,
}

impl ProcessMemory {
    /// Returns the bytes of the allocator kinds.
    #[must_use]
    pub fn allocators(&self) -> PerKind<&Reading<u64>> {
        let Self { dram, l1, l1_small, trace, .. } = self;
        PerKind { dram, l1, l1_small, trace }
    }
}
