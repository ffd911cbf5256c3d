//! The L1 of chips as it is printed, drawn and recorded. Its JSON is that of `ttmem l1 --json`: schema `ttmem/l1`, version
//! 1.2. Names are stable; fields may be added.

use serde::{Deserialize, Serialize};

use super::banks::BankBuffers;
use super::core::{
    CircularBuffer, Coordinate, Core, CoreState, Dispatch, Grid, Kernel, Processor, Program,
};
use super::count::Count;
use super::map::{L1Map, L1Region, RegionKind};
use super::names::{KernelName, KernelNames};
use super::range::{ByteRange, RangeSet};
use super::totals::Totals;
use crate::board::Arch;
use crate::facts::{Field, L1Content, L1Cost};
use crate::id::ChipId;
use crate::reading::{Missing, SourceName};

/// The name of the schema.
pub(crate) const SCHEMA: &str = "ttmem/l1";

/// The version of the schema.
///
/// - 1.0: the first.
/// - 1.1: `source`; cores by agents, which do not know all that L1 says of itself; `headroom_bytes`.
/// - 1.2: `other_cores`; `operation` of a kernel.
pub(crate) const VERSION: &str = "1.2";

/// Everything that `ttmem l1` read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct L1Report {
    /// Always [`SCHEMA`].
    pub(crate) schema: String,
    /// Always [`VERSION`].
    pub(crate) version: String,
    /// The chips that were read.
    pub chips: Vec<ChipReport>,
}

impl L1Report {
    /// A report of chips.
    #[must_use]
    pub fn new(chips: Vec<ChipReport>) -> Self {
        Self { schema: SCHEMA.to_owned(), version: VERSION.to_owned(), chips }
    }
}

/// The worker cores of one chip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ChipReport {
    /// The chip's id; `null` where the port does not know it, as in a capture.
    pub id: Option<ChipId>,
    /// Architecture.
    pub(crate) arch: Arch,
    /// The source of what follows: `l1`, or `agent` where no device was read.
    #[serde(default = "l1")]
    pub source: SourceName,
    /// The layout by which its L1 was read, as in `0.81.1 (magic)`.
    pub layout: String,
    /// Worker cores, columns and rows; `null` if no core reports them.
    pub grid: Option<Grid>,
    /// Totals of the cores by state.
    pub(crate) totals: Totals,
    /// Worker cores. Harvested ones are left out.
    pub cores: Vec<CoreReport>,
    /// The number of further cores: harvested, or not worker cores. 0 from an agent.
    #[serde(default)]
    pub other_cores: u64,
    /// The cost of reading; `None` from an agent or a recording.
    #[serde(skip)]
    pub cost: Option<L1Cost>,
    /// The number of kernels that Inspector names, or the reason that there are no names; `None` from an agent or a recording.
    #[serde(skip)]
    pub names: Option<Field<usize>>,
}

/// The source of reports that do not name one.
fn l1() -> SourceName {
    SourceName::L1
}

impl ChipReport {
    /// The report of a chip that was read or recorded. Without the allocator's buffers, nothing is called free.
    #[must_use]
    pub fn new(
        (id, arch): (Option<ChipId>, Arch),
        content: &L1Content,
        names: &Field<KernelNames>,
        buffers: Option<&BankBuffers>,
    ) -> Self {
        let L1Content { layout, geometry, cores, other_cores, cost } = content;
        let map = |core| match buffers {
            Some(banks) => banks.map(core, geometry),
            None => L1Map::new(core, geometry, None),
        };
        let is_recorded = cores.iter().any(|core| core.recorded.is_some());
        let grid = cores.iter().find_map(|core| core.grid);
        let none = KernelNames::default();
        let known = names.as_ref().unwrap_or(&none);
        let report = |core| CoreReport::new(core, &map(core), known);
        let cores: Vec<CoreReport> = cores.iter().map(report).collect();
        Self {
            id,
            arch,
            source: if is_recorded { SourceName::Agent } else { SourceName::L1 },
            layout: layout.clone(),
            grid,
            totals: Totals::of(&cores, is_recorded),
            cores,
            other_cores: *other_cores,
            cost: (!is_recorded).then_some(*cost),
            names: (!is_recorded)
                .then(|| names.as_ref().map(|names| names.by_id.len()).map_err(Clone::clone)),
        }
    }

    /// Returns the core at a position of the grid.
    #[must_use]
    pub fn at(&self, position: Coordinate) -> Option<&CoreReport> {
        self.cores.iter().find(|core| core.logical == Some(position))
    }

    /// True if an agent recorded it, and no device was read.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.source == SourceName::Agent
    }
}

/// One worker core.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CoreReport {
    /// Position in the grid; `null` if the position in the core's mailbox is impossible.
    pub logical: Option<Coordinate>,
    /// Position on the NOC; `null` from an agent.
    pub noc: Option<Coordinate>,
    /// The state.
    pub state: CoreState,
    /// The reason that it is torn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The number that the host gave its program; `null` if it has none, and where TT-Metal's watcher has taken it away.
    pub program: Option<u32>,
    /// The op that dispatched its program, from an agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<String>,
    /// The side that started the program; `null` from an agent.
    pub dispatch: Option<Dispatch>,
    /// First address for circular buffers; `null` like `logical`.
    pub unreserved: Option<u64>,
    /// The kernels of its program, in the order of the processors.
    pub kernels: Vec<KernelReport>,
    /// The circular buffers of its program; from an agent scratchpads too.
    pub circular_buffers: Vec<CircularBufferReport>,
    /// Bytes of circular buffers, each byte once.
    pub circular_buffer_bytes: Count,
    /// Bytes of kernel text.
    pub kernel_text_bytes: Count,
    /// Bytes that circular buffers share with allocator buffers.
    pub aliasing_bytes: Count,
    /// Bytes that are not free; of a core that is no bank reserved memory and circular buffers.
    pub(crate) used_bytes: Count,
    /// Bytes between its highest circular buffer and its lowest tensor, negative if they overlap; `null` where
    /// `used_bytes` is missing, and on a core that is no bank.
    #[serde(default)]
    pub headroom_bytes: Option<i64>,
    /// Every byte of its L1.
    pub regions: Vec<RegionReport>,
}

impl CoreReport {
    /// The report of a core with its map.
    #[must_use]
    pub fn new(core: &Core, map: &L1Map, names: &KernelNames) -> Self {
        let is_read = core.recorded.is_none();
        let footprint = core.footprint().map(|(footprint, _)| footprint);
        let op = footprint.and_then(|footprint| footprint.op.as_ref());
        Self {
            logical: core.logical,
            noc: is_read.then_some(core.noc),
            state: core.state,
            detail: core.detail.clone(),
            program: core.program.as_ref().and_then(Program::number),
            op: op.map(|op| op.name.to_string()),
            dispatch: is_read.then_some(core.dispatch),
            unreserved: core.unreserved,
            kernels: KernelReport::all(core, names),
            circular_buffers: CircularBufferReport::all(core),
            circular_buffer_bytes: core.circular_buffer_bytes(),
            kernel_text_bytes: core.kernel_text_bytes(),
            aliasing_bytes: map.aliasing_bytes().clone(),
            used_bytes: map.used_bytes().clone(),
            headroom_bytes: map.headroom().ok(),
            regions: map.regions().iter().map(RegionReport::new).collect(),
        }
    }

    /// True if a program is on it.
    #[must_use]
    pub fn has_program(&self) -> bool {
        matches!(self.state, CoreState::Running | CoreState::Finished | CoreState::Resident)
    }

    /// True if the circular buffers may be those of the next program, as [`Core::may_be_of_the_next`].
    #[must_use]
    pub fn may_be_of_the_next(&self) -> bool {
        self.dispatch == Some(Dispatch::Slow)
            && self.state == CoreState::Finished
            && self.circular_buffer_bytes != Count::Known(0)
    }

    /// Bytes of its L1.
    #[must_use]
    pub fn l1_bytes(&self) -> u64 {
        self.regions.last().map_or(0, |region| region.end)
    }

    /// Bytes of a kind, as [`L1Map::bytes`] counts them.
    #[must_use]
    pub fn bytes(&self, kind: RegionKind) -> u64 {
        let own = self.regions.iter().filter(|region| region.kind == kind);
        own.fold(0, |sum: u64, region| sum.saturating_add(region.bytes()))
    }

    /// True if its program is TT-Metal's own; `None` if no name of its kernels is known.
    #[must_use]
    pub fn is_system(&self) -> Option<bool> {
        let known: Vec<bool> = self.kernels.iter().filter_map(|kernel| kernel.system).collect();
        (!known.is_empty()).then(|| known.contains(&true))
    }

    /// Returns [`L1Map::headroom`], computed from the regions.
    ///
    /// # Errors
    /// If the buffers are not known or the core is torn.
    pub fn headroom(&self) -> Result<i64, Missing> {
        if let Some(bytes) = self.headroom_bytes {
            return Ok(bytes);
        }
        if let Count::Missing(missing) = &self.circular_buffer_bytes {
            return Err(missing.clone());
        }
        if let Count::Missing(missing) = &self.used_bytes {
            return Err(missing.clone());
        }
        if self.regions.iter().any(|region| region.kind == RegionKind::Unknown) {
            return Err(Missing::no_source("the core is no bank of TT-Metal's allocator"));
        }
        let Some(unreserved) = self.unreserved else {
            return Err(Missing::no_source("the core does not report the start of its buffers"));
        };
        let is_tensor = |region: &&RegionReport| {
            let is_small_or_l1 = matches!(region.kind, RegionKind::L1 | RegionKind::L1Small);
            is_small_or_l1 || region.shared_with.is_some()
        };
        let tensors = self.regions.iter().filter(is_tensor);
        let tensors: RangeSet =
            tensors.map(|region| ByteRange::new(region.start, region.end)).collect();
        let own = self.circular_buffers.iter().map(CircularBufferReport::range);
        let own = own.filter(|range| !tensors.contains(*range));
        let top = own.map(|range| range.end).max().unwrap_or(unreserved);
        let lowest = tensors.ranges().first().map_or(self.l1_bytes(), |range| range.start);
        let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        Ok(signed(lowest).saturating_sub(signed(top)))
    }
}

/// A kernel of a core.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct KernelReport {
    /// The processor that runs it; `null` from an agent.
    pub processor: Option<Processor>,
    /// Kernel id in TT-Metal's watcher and Inspector; `null` from an agent, and where TT-Metal's watcher has cleared
    /// it.
    pub id: Option<u16>,
    /// Name of the kernel; `null` if neither Inspector nor an agent names it.
    pub name: Option<String>,
    /// True if it is TT-Metal's own; `null` like `name`.
    pub(crate) system: Option<bool>,
    /// Bytes of its text; `null` where the release does not say.
    pub text_bytes: Option<u64>,
    /// The folder of the operation that its source belongs to, such as `matmul`; absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
}

impl KernelReport {
    fn all(core: &Core, names: &KernelNames) -> Vec<Self> {
        if let Some((footprint, position)) = core.footprint() {
            let own = footprint.kernels.iter().filter(|kernel| kernel.cores.contains(position));
            let report = |kernel: &ttmem_segment::Kernel| Self {
                processor: None,
                id: None,
                name: kernel.name.as_deref().map(str::to_owned),
                system: None,
                text_bytes: kernel.text_bytes,
                operation: None,
            };
            return own.map(report).collect();
        }
        let kernels = core.program.iter().flat_map(|program| &program.kernels);
        let report = |kernel: &Kernel| {
            let name = kernel.number().and_then(|id| names.get(id));
            Self {
                processor: Some(kernel.processor),
                id: kernel.number(),
                name: name.map(|name| name.name.clone()),
                system: names.is_system(kernel),
                text_bytes: kernel.text_bytes,
                operation: name.and_then(KernelName::operation).map(str::to_owned),
            }
        };
        kernels.map(report).collect()
    }
}

/// A circular buffer, or from an agent a placement of any kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CircularBufferReport {
    /// Number of the circular buffer in its program; `null` from an agent.
    pub id: Option<u8>,
    /// First address.
    pub address: u64,
    /// Length in bytes.
    pub size: u64,
    /// The number of whole pages; `null` from an agent.
    pub pages: Option<u64>,
    /// Bytes of a page; `null` from an agent.
    pub page_size: Option<u64>,
    /// Address of the configuration page of a remote (global) circular buffer; absent for a local one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_address: Option<u64>,
    /// The kind from an agent: `circular_buffer`, `dataflow_buffer`, `scratchpad`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<String>,
    /// True if it is the memory of a tensor or a global circular buffer; from an agent only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) backed: Option<bool>,
}

impl CircularBufferReport {
    fn all(core: &Core) -> Vec<Self> {
        if let Some((footprint, position)) = core.footprint() {
            let report = |placement: &ttmem_segment::Placement| Self {
                id: None,
                address: placement.address,
                size: placement.bytes,
                pages: None,
                page_size: None,
                config_address: None,
                kind: Some(placement.kind.as_str().to_owned()),
                backed: Some(placement.is_backed),
            };
            return footprint.placements_on(position).into_iter().map(report).collect();
        }
        let buffers = core.program.iter().flat_map(|program| &program.circular_buffers);
        let report = |buffer: &CircularBuffer| Self {
            id: Some(buffer.id),
            address: buffer.address,
            size: buffer.size,
            pages: Some(buffer.pages),
            page_size: Some(buffer.page_size),
            config_address: buffer.config_address,
            kind: None,
            backed: None,
        };
        buffers.map(report).collect()
    }

    /// Returns the address range.
    #[must_use]
    pub fn range(&self) -> ByteRange {
        ByteRange::new(self.address, self.address.saturating_add(self.size))
    }
}

/// A part of L1 of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RegionReport {
    /// First address.
    pub start: u64,
    /// One past its last byte.
    pub end: u64,
    /// The kind.
    pub kind: RegionKind,
    /// The kind that circular buffers in it alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_with: Option<RegionKind>,
    /// Owner of the bytes: a firmware, a processor, numbers of circular buffers, the label of a buffer. May be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
}

impl RegionReport {
    /// Returns the length in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    fn new(region: &L1Region) -> Self {
        Self {
            start: region.range.start,
            end: region.range.end,
            kind: region.kind,
            shared_with: region.shared_with,
            label: region.label.clone(),
        }
    }
}
