//! The facts reported by the sources, without conclusions.
//!
//! Facts hold no clock and no opinion: whether a process is dead, which chip a region belongs to and how many bytes
//! are in use is concluded in one place, from facts alone, so that a capture gives the same answer as the host did.
//!
//! A recording stores facts field by field, without names (`docs/recording.md`). Fields may be added at the end of a type,
//! with `#[serde(default)]`; any other change raises [`FACTS_VERSION`].

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::board::Arch;
use crate::id::{Pid, Timestamp};
use crate::kind::PerKind;
use crate::l1::{Core, Geometry, KernelNames};
use crate::metric::Metric;
use crate::reading::Missing;
use crate::snapshot::{Host, Source};
use ttmem_segment::Segment;

/// One field of a source: its value, or the reason that it is missing.
pub type Field<T> = Result<T, Missing>;

/// The version of stored facts. Facts of another version are not read: the snapshots beside them are used.
pub const FACTS_VERSION: u64 = 1;

/// Everything that one pass over the sources delivered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Time at which the pass ended.
    pub time: Timestamp,
    /// True for the embedded demonstration host.
    pub demo: bool,
    /// The machine.
    pub host: Host,
    /// The status of each source.
    pub sources: Vec<Source>,
    /// The driver's devices, by number.
    pub devices: Vec<Device>,
    /// The memory regions that TT-Metal wrote.
    pub regions: Vec<RegionFile>,
    /// The segments that agents wrote.
    pub segments: Vec<SegmentFile>,
    /// The chips whose L1 was asked for.
    pub l1: Vec<L1Facts>,
    /// The processes that any of the above names and that run.
    #[serde(with = "crate::pairs")]
    pub processes: BTreeMap<Pid, ProcessFacts>,
    /// Things that are not read, because one user has too many.
    pub excess: Vec<Excess>,
    /// True if procfs hides other users' processes, or shows none: one that is not found may run all the same.
    pub processes_hidden: bool,
    /// True if ttmem is not in the initial pid namespace: a process that is not to be found may run outside of its own.
    pub processes_outside: bool,
    /// The inode of ttmem's own pid namespace, if it is known.
    #[serde(default)]
    pub pid_namespace: Option<u64>,
}

/// One PCIe function of the driver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// Number of the device node, as in `/dev/tenstorrent/N`.
    pub number: u32,
    /// PCIe address, such as `0000:01:00.0`.
    pub bdf: Option<String>,
    /// Architecture, from the PCI device number.
    pub arch: Field<Arch>,
    /// The driver's name of the board; where it gives none, that of the PCI function's subsystem.
    pub card_type: Field<String>,
    /// The board id.
    pub serial: Field<u64>,
    /// The ASIC id.
    pub asic_id: Field<u64>,
    /// The ASIC id that this number and PCIe address had last, where it cannot be read now.
    pub last_asic_id: Option<u64>,
    /// Firmware versions by name.
    pub firmware: BTreeMap<String, String>,
    /// Readings in the unit of the metric.
    pub telemetry: BTreeMap<Metric, Field<f64>>,
    /// Gigatransfers per second and lanes, now and at best.
    pub pcie: PcieFacts,
    /// Words moved over PCIe since the chip started.
    pub pcie_words: PcieWords,
    /// Processes that have the device open.
    pub holders: Field<DeviceOwners>,
    /// True if the chip answers reads with all ones: it is in reset, or its PCIe link is down.
    pub answers_ones: bool,
    /// Set if the driver did not answer before the deadline; what is here is then from an earlier sample, or missing.
    pub late: Option<Late>,
    /// The reason that the device was gone when its files were read, if it was.
    pub vanished: Option<Missing>,
    /// Time at which its files were read.
    pub read_at: Timestamp,
    /// Reasons of the firmware versions that are missing, by name.
    #[serde(default)]
    pub firmware_missing: BTreeMap<String, Missing>,
}

/// A read that is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Late {
    /// Time of the request.
    pub since: Timestamp,
}

/// The PCIe link of a device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PcieFacts {
    /// Current gigatransfers per second of a lane.
    pub current_speed_gts: Field<f64>,
    /// Highest gigatransfers per second of a lane.
    pub max_speed_gts: Field<f64>,
    /// Current number of lanes.
    pub current_width: Field<u64>,
    /// Highest number of lanes.
    pub max_width: Field<u64>,
    /// The NUMA node.
    pub numa_node: Field<u64>,
}

/// Counters of 32-byte words that crossed PCIe, one each for NOC 0 and NOC 1. They wrap at 2^32.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PcieWords {
    /// Written by the host to the chip (`slv_posted_wr_data_word_received`).
    pub host_to_device: Field<[u32; 2]>,
    /// Written by the chip to the host (`mst_posted_wr_data_word_sent`).
    pub device_to_host: Field<[u32; 2]>,
}

/// Processes that have a device open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceOwners {
    /// Processes of this namespace, ascending, each once.
    pub pids: Vec<Pid>,
    /// Open files of processes outside this namespace.
    pub outside: u64,
    /// All open files.
    pub open_files: u64,
    /// True if every open file is in the list; false if only those we may see are.
    pub complete: bool,
}

/// Bytes by kind as the upstream region counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionBytes {
    /// Requested bytes of DRAM buffers.
    pub dram: u64,
    /// Requested bytes of L1 buffers.
    pub l1: u64,
    /// Requested bytes of `l1_small` buffers.
    pub l1_small: u64,
    /// Requested bytes of trace buffers.
    pub trace: u64,
    /// Circular buffers: an upper envelope over cached programs.
    pub circular_buffers: u64,
}

impl RegionBytes {
    /// Returns the bytes of the allocator kinds.
    #[must_use]
    pub fn allocators(&self) -> PerKind<u64> {
        let Self { dram, l1, l1_small, trace, .. } = *self;
        PerKind { dram, l1, l1_small, trace }
    }

    /// True if every counter is 0.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One chip's row in a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionChip {
    /// The chip's number in the process that wrote the row.
    pub chip_id: u32,
    /// True if the chip is reached through the one that the region is named after.
    pub remote: bool,
    /// Bytes by kind. Rows are added to and never cleared, so they keep what exited processes held.
    pub bytes: RegionBytes,
}

/// One process's slot in a region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionSlot {
    /// Index of the slot in the region, from 0.
    pub index: u32,
    /// The number of the process in its own namespace.
    pub pid: i32,
    /// Bytes by kind.
    pub bytes: RegionBytes,
    /// Time of the process's last allocation or free: nanoseconds since 1970.
    pub updated_ns: u64,
    /// The name it gave itself; may be empty.
    pub name: SlotName,
}

/// A name as it is in a slot: up to the first zero, of whatever bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SlotName(pub [u8; 64]);

impl SlotName {
    /// Returns the name as text; bytes that are no UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> String {
        let name = self.0.split(|byte| *byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(name).into_owned()
    }
}

impl Serialize for SlotName {
    /// Writes the name as eight words, so that an unchanged name is eight unchanged numbers in a recording.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (words, _) = self.0.as_chunks::<8>();
        serializer.collect_seq(words.iter().map(|word| u64::from_le_bytes(*word)))
    }
}

impl<'de> Deserialize<'de> for SlotName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = <[u64; 8]>::deserialize(deserializer)?;
        let mut name = [0; 64];
        for (bytes, word) in name.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *bytes = word.to_le_bytes();
        }
        Ok(Self(name))
    }
}

impl fmt::Debug for SlotName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().fmt(formatter)
    }
}

/// The content of one region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionContent {
    /// Version of the layout: 2, 3 or 4.
    pub version: u32,
    /// Time of the last allocation or free by any process: nanoseconds since 1970.
    pub updated_ns: u64,
    /// The number of attached processes.
    pub reference_count: u32,
    /// The chip's unique id; 0 on some chips.
    pub asic_id: u64,
    /// The chip's number in the process that wrote last.
    pub device_id: i32,
    /// Bytes of all processes.
    pub totals: RegionBytes,
    /// The chips it has rows for.
    pub chips: Vec<RegionChip>,
    /// The processes it has slots for, in slot order; free slots and slots that are being released are left out.
    pub slots: Vec<RegionSlot>,
    /// Slots that are being released: their bytes may still be in the totals.
    pub releasing: u32,
}

/// One region file, read or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionFile {
    /// Path of the file on the host.
    pub path: String,
    /// The decimal number in its name.
    pub id: u64,
    /// The processes through whose roots it was found, one of each mount namespace; none for this namespace's own
    /// `/dev/shm`, which any process may see.
    pub through: Vec<Pid>,
    /// The number of the user who owns the file.
    pub uid: Option<u32>,
    /// The user who owns the file: the name, or the number where no name is known.
    pub user: Option<String>,
    /// Time at which it was read.
    pub read_at: Timestamp,
    /// The content.
    pub content: Field<RegionContent>,
}

/// A thing of which ttmem reads a limited number per user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Bounded {
    /// Memory regions in one directory.
    Regions,
    /// Segments of agents in one directory.
    Segments,
    /// Mount namespaces that may have a `/dev/shm` of their own.
    MountNamespaces,
    /// Sockets of simulated chips.
    SimulatorSockets,
}

impl Bounded {
    /// Returns the plural in a message.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Regions => "memory regions",
            Self::Segments => "agent segments",
            Self::MountNamespaces => "mount namespaces",
            Self::SimulatorSockets => "sockets of simulated chips",
        }
    }
}

/// Files, namespaces or sockets of one user, more than ttmem reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excess {
    /// Kind of the items.
    pub what: Bounded,
    /// The user: the name, or the number where no name is known; `None` for all users together.
    pub user: Option<String>,
    /// Directory of the items; empty if they are in no directory.
    pub directory: String,
    /// Number of items found.
    pub count: usize,
    /// The number that is read.
    pub read: usize,
}

/// One segment of an agent, read or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentFile {
    /// Path of the file on the host.
    pub path: String,
    /// The number of the process in its name: that of the process in its own namespace.
    pub pid: i32,
    /// The start time in its name: clock ticks between boot and the start of the process.
    pub start_ticks: u64,
    /// The processes through whose roots it was found, as of a region.
    pub through: Vec<Pid>,
    /// The number of the user who owns the file.
    pub uid: Option<u32>,
    /// The user who owns the file: the name, or the number where no name is known.
    pub user: Option<String>,
    /// Time at which it was read.
    pub read_at: Timestamp,
    /// The content; without buffers, events and names of ops unless they were requested.
    pub content: Field<Segment>,
}

impl SegmentFile {
    /// The inode of the pid namespace that its number is of, if the agent recorded it.
    #[must_use]
    pub fn pid_namespace(&self) -> Option<u64> {
        self.content.as_ref().ok()?.header.identity.pid_namespace
    }
}

/// The procfs facts of a process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessFacts {
    /// Clock ticks between boot and its start.
    pub start_time: Field<u64>,
    /// Clock ticks that the process itself reads more than [`Self::start_time`]: the offset of its time namespace less
    /// that of ttmem's. Read only for a process whose segment has another start time; else 0.
    pub start_shift: i64,
    /// Start time, where the time of boot is known.
    pub started: Field<Timestamp>,
    /// Short name (`comm`).
    pub name: String,
    /// Command line.
    pub command: String,
    /// The number of its user.
    pub uid: Option<u32>,
    /// The name of its user, where `/etc/passwd` has one.
    pub user: Option<String>,
    /// Container or pod.
    pub container: Option<String>,
    /// Process number in each namespace, from the outermost that ttmem sees to the process's own.
    pub namespace_pids: Vec<i32>,
    /// Mount namespace, as the kernel names it; `None` if reading it is not permitted.
    pub mount_namespace: Option<String>,
    /// CPU time of all its threads, in microseconds.
    pub cpu_time_us: Field<u64>,
    /// Host memory it occupies, in bytes.
    pub host_memory_bytes: Field<u64>,
    /// The most host memory that it has occupied so far, in bytes (`VmHWM`).
    pub peak_host_memory_bytes: Field<u64>,
    /// True if its environment switches upstream tracking off.
    pub tracking_disabled: Field<bool>,
    /// Kubernetes pod as `NAMESPACE/NAME`, where the kubelet's directories name it.
    #[serde(default)]
    pub pod: Option<String>,
    /// The number of its Slurm job, by its environment or its control group.
    #[serde(default)]
    pub job: Option<String>,
    /// The user who submitted that job.
    #[serde(default)]
    pub job_user: Option<String>,
    /// The inode of its pid namespace; `None` if reading it is not permitted.
    #[serde(default)]
    pub pid_namespace: Option<u64>,
    /// True if it has a device open that the driver's lists do not name, as after the device was removed, or may have, as its
    /// open files are not shown. Read only for a process that a slot may mean and no list names; else false.
    #[serde(default)]
    pub has_removed_device: bool,
}

impl ProcessFacts {
    /// True if the process is in the pid namespace that a segment records, false if it is in another; `None` if one of
    /// the two is not known.
    #[must_use]
    pub fn is_in_namespace_of(&self, segment: &SegmentFile) -> Option<bool> {
        Some(self.pid_namespace? == segment.pid_namespace()?)
    }

    /// True if the process reads this start time, in clock ticks since boot, in its own time namespace. A process whose
    /// start time is not known, as in a capture, may have any.
    #[must_use]
    pub fn has_start_time(&self, ticks: u64) -> bool {
        self.start_time_error(ticks).is_some()
    }

    /// The rank of a process among those that may have this start time, from 0 for the best; `None` if it has another.
    #[must_use]
    pub fn start_time_error(&self, ticks: u64) -> Option<u64> {
        const UNKNOWN: u64 = 3;
        let error = |start: &u64| start_error(*start, self.start_shift, ticks);
        self.start_time.as_ref().map_or(Some(UNKNOWN), error)
    }
}

/// True if a start time in clock ticks is another one in a time namespace that shifts it. Each is rounded by itself.
#[must_use]
pub fn is_same_start(start: u64, shift: i64, other: u64) -> bool {
    start_error(start, shift, other).is_some()
}

/// The ticks by which a shifted start time misses another, at most 1; 2 if it is the other without the shift.
fn start_error(start: u64, shift: i64, other: u64) -> Option<u64> {
    let missed = start.saturating_add_signed(shift).abs_diff(other);
    let is_rounded = missed <= u64::from(shift != 0);
    if is_rounded { Some(missed) } else { (start == other).then_some(2) }
}

/// The L1 of one chip, read or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct L1Facts {
    /// The chip that was read.
    pub location: L1Location,
    /// The name of its port: a device file, a socket, an entry of a capture.
    pub port: String,
    /// Architecture, where a source names it.
    pub arch: Option<Arch>,
    /// The content of its L1.
    pub content: Field<L1Content>,
    /// Inspector's names of its kernels.
    pub names: Field<KernelNames>,
    /// Time at which L1 was read.
    pub read_at: Timestamp,
}

/// The chip that a port reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum L1Location {
    /// The driver's device of this number.
    Device(u32),
    /// A simulated chip: its number in the process that simulates it, and that process, where it is known.
    Simulated {
        /// The chip's number in its server.
        chip: u32,
        /// The process, which runs the workload too.
        owner: Option<Pid>,
    },
    /// A chip of a capture, by its index there.
    Captured(u32),
}

/// The content of the worker cores of a chip, and what reading it took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct L1Content {
    /// The layout by which it was read, as in `0.81.1 (magic)`.
    pub layout: String,
    /// The parts that all cores share.
    pub geometry: Geometry,
    /// The cores that are there.
    pub cores: Vec<Core>,
    /// The number of further cores of the port: harvested, or not worker cores.
    pub other_cores: u64,
    /// The cost of reading.
    pub cost: L1Cost,
}

/// The cost of reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct L1Cost {
    /// Calls of the port.
    pub reads: u64,
    /// Bytes that they asked for.
    pub bytes: u64,
    /// Microseconds of wall time.
    pub micros: u64,
}
