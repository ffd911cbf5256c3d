//! Every byte of a core's L1, with its kind.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::core::{CircularBuffer, Core, CoreState};
use super::count::Count;
use super::range::{ByteRange, RangeSet};
use crate::reading::Missing;

/// The kind of an L1 region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RegionKind {
    /// Firmware, mailboxes and whatever else is below the kernel config ring.
    Reserved,
    /// The part of the ring that holds arguments, semaphores and records of the program.
    KernelConfig,
    /// Kernel text, in the ring.
    Kernels,
    /// The part of the ring that the program does not use. No tensor can have it.
    KernelConfigFree,
    /// Circular buffers.
    CircularBuffers,
    /// Allocator buffers.
    L1,
    /// The region at the top that `l1_small_size` sets aside, used or not.
    L1Small,
    /// Memory that nothing uses.
    Free,
    /// Memory whose use is not known: the buffers are not known, or the core is torn.
    Unknown,
}

impl RegionKind {
    /// Returns the name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::KernelConfig => "kernel_config",
            Self::Kernels => "kernels",
            Self::KernelConfigFree => "kernel_config_free",
            Self::CircularBuffers => "circular_buffers",
            Self::L1 => "l1",
            Self::L1Small => "l1_small",
            Self::Free => "free",
            Self::Unknown => "unknown",
        }
    }

    /// Returns the precedence of the kind: of two layers that claim a byte, the one with the higher rank wins.
    fn rank(self) -> u8 {
        match self {
            Self::Reserved | Self::Free | Self::Unknown => 0,
            Self::KernelConfigFree => 1,
            Self::KernelConfig => 2,
            Self::Kernels => 3,
            Self::L1Small => 4,
            Self::L1 => 5,
            Self::CircularBuffers => 6,
        }
    }

    fn is_buffer(self) -> bool {
        matches!(self, Self::L1 | Self::L1Small)
    }
}

/// A part of L1 that is of one kind from its first byte to its last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct L1Region {
    /// Address range.
    pub range: ByteRange,
    /// The kind.
    pub kind: RegionKind,
    /// The kind that circular buffers in it alias: `l1` or `l1_small`.
    pub shared_with: Option<RegionKind>,
    /// Owner of the bytes: a firmware, a processor, numbers of circular buffers, the label of a buffer. May be empty.
    pub label: String,
}

/// The parts that every core of a chip shares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Geometry {
    /// Bytes of L1.
    pub l1_bytes: u64,
    /// First address of the kernel configuration ring.
    pub ring_start: u64,
    /// The parts below the ring: names and starts, ascending.
    pub reserved: Vec<(Cow<'static, str>, u64)>,
}

/// A live allocator buffer in the bank of a core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// Address range.
    pub range: ByteRange,
    /// The name in outputs; may be empty.
    pub label: String,
}

/// The allocator buffers in the bank of a core.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Buffers {
    /// Bytes that `l1_small_size` sets aside at the top of L1.
    pub l1_small_bytes: u64,
    /// The live buffers, in any order. Those in the `l1_small` region are of that kind.
    pub buffers: Vec<Buffer>,
}

impl Buffers {
    /// Bytes of the live buffers, each byte once.
    #[must_use]
    pub fn ranges(&self) -> RangeSet {
        self.buffers.iter().map(|buffer| buffer.range).collect()
    }

    /// Address of the lowest buffer that limits programs. TT-Metal lets them grow into L1_SMALL.
    fn lowest(&self, geometry: &Geometry) -> Option<u64> {
        let small = l1_small(self, geometry).start;
        self.buffers.iter().map(|buffer| buffer.range.start).filter(|start| *start < small).min()
    }
}

/// Every byte of a core's L1. Its regions are in ascending order, do not overlap and leave nothing out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct L1Map {
    regions: Vec<L1Region>,
    aliasing: Count,
    used: Count,
    headroom: Result<i64, Missing>,
}

struct Layer {
    range: ByteRange,
    kind: RegionKind,
    label: String,
}

impl L1Map {
    /// The map of a core. Without `buffers`, what is not known to be used is not called free.
    #[must_use]
    pub fn new(core: &Core, geometry: &Geometry, buffers: Option<&Buffers>) -> Self {
        let layers = layers(core, geometry, buffers);
        let regions = flatten(layers, geometry.l1_bytes);
        let tensors = buffers.map(|buffers| {
            let small = l1_small(buffers, geometry);
            buffers.ranges().union(&[small].into_iter().collect())
        });
        let aliasing = match (core.torn(), tensors) {
            (Some(missing), _) => missing.into(),
            (None, Some(tensors)) => core.circular_buffers().intersection(&tensors).bytes().into(),
            // Where there is no circular buffer, none is a tensor, whatever the tensors are.
            (None, None) if core.circular_buffer_bytes().value() == Some(0) => 0.into(),
            (None, None) => unknown_buffers().into(),
        };
        let used = match regions.iter().any(|region| region.kind == RegionKind::Unknown) {
            true => unknown_buffers().into(),
            false => used(&regions).into(),
        };
        Self { regions, aliasing, used, headroom: headroom(core, geometry, buffers) }
    }

    /// The map of a core that is no bank: TT-Metal's allocator has nothing there. What else is above its circular buffers is
    /// not known, so that nothing is called free; it counts as not used, like in the L1 total of the chip.
    #[must_use]
    pub(crate) fn outside_banks(core: &Core, geometry: &Geometry) -> Self {
        let map = Self::new(core, geometry, None);
        let circular_buffers = core.circular_buffer_bytes();
        let if_known = |bytes: u64| match &circular_buffers {
            Count::Known(_) => bytes.into(),
            Count::Missing(missing) => missing.clone().into(),
        };
        Self { aliasing: if_known(0), used: if_known(used(&map.regions)), ..map }
    }

    /// The regions, in ascending order.
    #[must_use]
    pub fn regions(&self) -> &[L1Region] {
        &self.regions
    }

    /// Bytes of a kind. Bytes that circular buffers share with buffers count as circular buffers only.
    #[must_use]
    pub fn bytes(&self, kind: RegionKind) -> u64 {
        self.regions
            .iter()
            .filter(|region| region.kind == kind)
            .map(|region| region.range.bytes())
            .sum()
    }

    /// Bytes that circular buffers share with allocator buffers.
    #[must_use]
    pub fn aliasing_bytes(&self) -> &Count {
        &self.aliasing
    }

    /// Bytes that no tensor or circular buffer can have any more: all that is not free. The whole ring and the
    /// whole `l1_small` region are among them.
    #[must_use]
    pub fn used_bytes(&self) -> &Count {
        &self.used
    }

    /// Bytes between the highest end of a circular buffer and the lowest allocator buffer: what the next program's
    /// circular buffers or the next tensor can grow by. Negative if they clash. A circular buffer that is wholly
    /// in allocator buffers is one of them and does not count.
    ///
    /// # Errors
    /// If the buffers are not known or the core is torn.
    pub fn headroom(&self) -> Result<i64, &Missing> {
        self.headroom.as_ref().copied()
    }
}

fn used(regions: &[L1Region]) -> u64 {
    let is_used =
        |region: &&L1Region| !matches!(region.kind, RegionKind::Free | RegionKind::Unknown);
    regions.iter().filter(is_used).map(|region| region.range.bytes()).sum()
}

fn unknown_buffers() -> Missing {
    Missing::no_source("the L1 buffers of this chip are not known")
}

fn l1_small(buffers: &Buffers, geometry: &Geometry) -> ByteRange {
    let start = geometry.l1_bytes.saturating_sub(buffers.l1_small_bytes);
    ByteRange::new(start, geometry.l1_bytes)
}

fn headroom(core: &Core, geometry: &Geometry, buffers: Option<&Buffers>) -> Result<i64, Missing> {
    if let Some(missing) = core.torn() {
        return Err(missing);
    }
    core.circular_buffer_bytes().into_result()?;
    let (Some(buffers), Some(unreserved)) = (buffers, core.unreserved) else {
        return Err(unknown_buffers());
    };
    let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    if core.recorded.is_some() {
        let top = core.footprint().and_then(|(footprint, position)| footprint.end_on(position));
        let top = top.map_or(unreserved, |end| end.max(unreserved));
        let lowest = buffers.lowest(geometry).unwrap_or(geometry.l1_bytes);
        return Ok(signed(lowest).saturating_sub(signed(top)));
    }
    let tensors = buffers.ranges();
    let own = core.program.iter().flat_map(|program| &program.circular_buffers);
    let own = own.map(CircularBuffer::range).filter(|range| !tensors.contains(*range));
    let top = own.map(|range| range.end).max().unwrap_or(unreserved);
    let small = l1_small(buffers, geometry).start;
    let lowest = tensors.ranges().first().map_or(small, |range| range.start.min(small));
    Ok(signed(lowest).saturating_sub(signed(top)))
}

fn layers(core: &Core, geometry: &Geometry, buffers: Option<&Buffers>) -> Vec<Layer> {
    use RegionKind as K;
    let Geometry { l1_bytes, ring_start, reserved } = geometry;
    let (l1_bytes, ring_start) = (*l1_bytes, *ring_start);
    let mut layers = Vec::new();
    let mut add = |start, end, kind, label: &str| {
        let label = label.to_owned();
        layers.push(Layer { range: ByteRange::new(start, end), kind, label });
    };
    let ring_end = core.unreserved.unwrap_or(ring_start);
    let torn = core.state == CoreState::Torn;
    let rest = if torn || buffers.is_none() { K::Unknown } else { K::Free };
    add(0, ring_start, K::Reserved, "");
    let ends = reserved.iter().skip(1).map(|(_, start)| *start).chain([ring_start]);
    for ((name, start), end) in reserved.iter().zip(ends) {
        add(*start, end.min(ring_start), K::Reserved, name);
    }
    add(ring_start, ring_end, if torn { K::Unknown } else { K::KernelConfigFree }, "");
    add(ring_end, l1_bytes, rest, "");
    if let Some(program) = &core.program {
        // Past the last known byte of a program nothing of the ring is called free.
        let end = program.config_end.unwrap_or(ring_end);
        add(program.config_start, end, K::KernelConfig, "");
        for kernel in &program.kernels {
            let end = kernel.text().map_or(kernel.text_start, |text| text.end);
            add(kernel.text_start, end, K::Kernels, kernel.processor.as_str());
        }
        for buffer in &program.circular_buffers {
            let range = buffer.range();
            add(range.start, range.end, K::CircularBuffers, &buffer.id.to_string());
        }
    }
    if let Some((footprint, position)) = core.footprint() {
        for placement in footprint.placements_on(position) {
            let label = placement.kind.label();
            add(placement.address, placement.end(), K::CircularBuffers, label);
        }
    }
    if let Some(buffers) = buffers {
        let small = l1_small(buffers, geometry);
        add(small.start, small.end, K::L1Small, "");
        for Buffer { range, label } in &buffers.buffers {
            let kind = if small.contains(*range) { K::L1Small } else { K::L1 };
            add(range.start, range.end, kind, label);
        }
    }
    layers
}

/// Turns layers that overlap into regions that do not.
fn flatten(mut layers: Vec<Layer>, l1_bytes: u64) -> Vec<L1Region> {
    let whole = ByteRange::new(0, l1_bytes);
    for layer in &mut layers {
        layer.range = layer.range.intersection(whole);
    }
    layers.retain(|layer| !layer.range.is_empty());
    // Later layers of one start are more specific; a stable sort keeps them later.
    layers.sort_by_key(|layer| layer.range.start);
    let mut bounds: Vec<u64> =
        layers.iter().flat_map(|layer| [layer.range.start, layer.range.end]).collect();
    bounds.extend([0, l1_bytes]);
    bounds.sort_unstable();
    bounds.dedup();

    let mut regions: Vec<L1Region> = Vec::new();
    let mut active: Vec<&Layer> = Vec::new();
    let mut waiting = layers.iter().peekable();
    for (start, end) in bounds.iter().zip(bounds.iter().skip(1)) {
        active.retain(|layer| layer.range.end > *start);
        while let Some(layer) = waiting.next_if(|layer| layer.range.start <= *start) {
            active.push(layer);
        }
        let region = piece(&active, ByteRange::new(*start, *end));
        match regions.last_mut() {
            Some(last) if last.is_like(&region) => last.range.end = region.range.end,
            _ => regions.push(region),
        }
    }
    regions
}

impl L1Region {
    fn is_like(&self, other: &Self) -> bool {
        (self.kind, self.shared_with, &self.label) == (other.kind, other.shared_with, &other.label)
    }
}

/// The region of a range that every layer of `active` covers.
fn piece(active: &[&Layer], range: ByteRange) -> L1Region {
    let highest =
        |layers: &mut dyn Iterator<Item = RegionKind>| layers.max_by_key(|kind| kind.rank());
    let kind = highest(&mut active.iter().map(|layer| layer.kind)).unwrap_or(RegionKind::Unknown);
    let mut buffers = active.iter().map(|layer| layer.kind).filter(|kind| kind.is_buffer());
    let shared_with = match kind {
        RegionKind::CircularBuffers => highest(&mut buffers),
        _ => None,
    };
    let mut labels: Vec<&str> = Vec::new();
    for layer in active.iter().filter(|layer| layer.kind == kind && !layer.label.is_empty()) {
        if !labels.contains(&layer.label.as_str()) {
            labels.push(&layer.label);
        }
    }
    L1Region { range, kind, shared_with, label: labels.join(", ") }
}

#[cfg(test)]
#[path = "map_tests.rs"]
mod tests;
