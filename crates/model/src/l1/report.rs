//! The JSON of `ttmem l1 --json`: schema `ttmem/l1`, version 1.0. Names are stable; fields may be added.

use serde::{Deserialize, Serialize};

use super::core::{CircularBuffer, Coordinate, Core, CoreState, Dispatch, Grid, Processor};
use super::count::Count;
use super::map::{L1Map, L1Region, RegionKind};
use super::names::KernelNames;
use super::range::{ByteRange, RangeSet};
use super::totals::Totals;
use crate::board::Arch;
use crate::id::ChipId;
use crate::reading::Missing;

/// The name of the schema.
pub(crate) const SCHEMA: &str = "ttmem/l1";

/// The version of the schema.
pub(crate) const VERSION: &str = "1.0";

/// Everything that `ttmem l1` read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChipReport {
    /// The chip's id; `null` where the port does not know it, as in a capture.
    pub id: Option<ChipId>,
    /// Its architecture.
    pub(crate) arch: Arch,
    /// The layout by which its L1 was read, as in `0.81.1 (magic)`.
    pub layout: String,
    /// Its worker cores, columns and rows; `null` if no core says.
    pub grid: Option<Grid>,
    /// Its cores by state.
    pub(crate) totals: Totals,
    /// Its cores. Harvested ones are left out.
    pub cores: Vec<CoreReport>,
}

impl ChipReport {
    /// The report of cores with their maps.
    #[must_use]
    pub fn new(
        id: Option<ChipId>,
        arch: Arch,
        layout: &str,
        cores: &[(Core, L1Map)],
        names: &KernelNames,
    ) -> Self {
        Self {
            id,
            arch,
            layout: layout.to_owned(),
            grid: cores.iter().find_map(|(core, _)| core.grid),
            totals: Totals::of(cores),
            cores: cores.iter().map(|(core, map)| CoreReport::new(core, map, names)).collect(),
        }
    }
}

/// One worker core.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CoreReport {
    /// Its place in the grid; `null` if what it says of itself cannot be true.
    pub logical: Option<Coordinate>,
    /// Its place on the NOC.
    pub noc: Coordinate,
    /// The state.
    pub state: CoreState,
    /// The reason that it is torn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The number that the host gave its program; `null` if it has none.
    pub program: Option<u32>,
    /// Who started its program.
    pub dispatch: Dispatch,
    /// Where circular buffers begin; `null` like `logical`.
    pub unreserved: Option<u64>,
    /// The kernels of its program, in the order of the processors.
    pub kernels: Vec<KernelReport>,
    /// The circular buffers of its program.
    pub circular_buffers: Vec<CircularBuffer>,
    /// Bytes of circular buffers, each byte once.
    pub circular_buffer_bytes: Count,
    /// Bytes of kernel text.
    pub kernel_text_bytes: Count,
    /// Bytes that circular buffers share with allocator buffers.
    pub(crate) aliasing_bytes: Count,
    /// Bytes that are not free.
    pub(crate) used_bytes: Count,
    /// Every byte of its L1.
    pub regions: Vec<RegionReport>,
}

impl CoreReport {
    /// The report of a core with its map.
    #[must_use]
    pub fn new(core: &Core, map: &L1Map, names: &KernelNames) -> Self {
        let kernels = core.program.iter().flat_map(|program| &program.kernels);
        let kernels = kernels.map(|kernel| KernelReport {
            processor: kernel.processor,
            id: kernel.id,
            name: names.get(kernel.id).map(|name| name.name.clone()),
            system: names.is_system(kernel),
            text_bytes: kernel.text_bytes,
        });
        Self {
            logical: core.logical,
            noc: core.noc,
            state: core.state,
            detail: core.detail.clone(),
            program: core.program.as_ref().map(|program| program.id),
            dispatch: core.dispatch,
            unreserved: core.unreserved,
            kernels: kernels.collect(),
            circular_buffers: core
                .program
                .as_ref()
                .map(|program| program.circular_buffers.clone())
                .unwrap_or_default(),
            circular_buffer_bytes: core.circular_buffer_bytes(),
            kernel_text_bytes: core.kernel_text_bytes(),
            aliasing_bytes: map.aliasing_bytes().clone(),
            used_bytes: map.used_bytes(),
            regions: map.regions().iter().map(RegionReport::new).collect(),
        }
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
        if let Count::Missing(missing) = &self.circular_buffer_bytes {
            return Err(missing.clone());
        }
        if let Count::Missing(missing) = &self.used_bytes {
            return Err(missing.clone());
        }
        let Some(unreserved) = self.unreserved else {
            return Err(Missing::no_source("the core does not say where its buffers begin"));
        };
        let is_tensor = |region: &&RegionReport| {
            let is_small_or_l1 = matches!(region.kind, RegionKind::L1 | RegionKind::L1Small);
            is_small_or_l1 || region.shared_with.is_some()
        };
        let tensors = self.regions.iter().filter(is_tensor);
        let tensors: RangeSet =
            tensors.map(|region| ByteRange::new(region.start, region.end)).collect();
        let own = self.circular_buffers.iter().map(CircularBuffer::range);
        let own = own.filter(|range| !tensors.contains(*range));
        let top = own.map(|range| range.end).max().unwrap_or(unreserved);
        let lowest = tensors.ranges().first().map_or(self.l1_bytes(), |range| range.start);
        let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        Ok(signed(lowest).saturating_sub(signed(top)))
    }
}

/// A kernel of a core.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KernelReport {
    /// The processor that runs it.
    pub processor: Processor,
    /// Its number in TT-Metal's watcher and Inspector.
    pub id: u16,
    /// Its name; `null` if Inspector did not tell.
    pub name: Option<String>,
    /// True if it is TT-Metal's own; `null` like `name`.
    pub(crate) system: Option<bool>,
    /// Bytes of its text; `null` where the release does not say.
    pub text_bytes: Option<u64>,
}

/// A part of L1 of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RegionReport {
    /// Its first byte.
    pub start: u64,
    /// One past its last byte.
    pub end: u64,
    /// The kind.
    pub kind: RegionKind,
    /// The kind that circular buffers in it alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_with: Option<RegionKind>,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
}

impl RegionReport {
    /// Its bytes.
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
