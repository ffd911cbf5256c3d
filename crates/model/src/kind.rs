//! The kinds of device memory, and the two memories of a chip.

use std::array;
use std::iter::Zip;
use std::ops::Index;

use serde::{Deserialize, Serialize};
pub use ttmem_segment::AllocatorKind;

/// One of the two memories of a chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemorySpace {
    /// The DRAM banks.
    Dram,
    /// The static memory of the worker cores.
    L1,
}

/// A kind of device memory. Several kinds share one memory: [`Kind::memory_space`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Allocator buffers in DRAM. Kernel binaries and, by default, traces are among them.
    Dram,
    /// Allocator buffers in L1.
    L1,
    /// Allocator buffers in the region at the very top of L1 that `l1_small_size` sets aside.
    L1Small,
    /// Traces, in the part of DRAM that `trace_region_size` sets aside.
    Trace,
    /// Classic circular buffers and dataflow buffers: the same records in L1.
    CircularBuffers,
    /// Kernel text in the kernel config ring.
    Kernels,
    /// Firmware, mailboxes and the kernel config ring itself.
    Reserved,
}

impl Kind {
    /// The kinds that TT-Metal's allocator hands out.
    pub const ALLOCATOR: [Self; 4] = [Self::Dram, Self::L1, Self::L1Small, Self::Trace];

    /// Returns the kind as an allocator names it; `None` for the kinds that no allocator hands out.
    #[must_use]
    pub fn allocator(self) -> Option<AllocatorKind> {
        AllocatorKind::ALL.into_iter().find(|kind| Self::from(*kind) == self)
    }

    /// Returns the memory that contains the kind.
    #[must_use]
    pub fn memory_space(self) -> MemorySpace {
        match self {
            Self::Dram | Self::Trace => MemorySpace::Dram,
            Self::L1 | Self::L1Small | Self::CircularBuffers | Self::Kernels | Self::Reserved => {
                MemorySpace::L1
            }
        }
    }

    /// Returns the name on screen.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Dram => "DRAM",
            Self::L1 => "L1",
            Self::L1Small => "L1_SMALL",
            Self::Trace => "trace",
            Self::CircularBuffers => "circular buffers",
            Self::Kernels => "kernels",
            Self::Reserved => "reserved",
        }
    }

    /// Returns the name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dram => "dram",
            Self::L1 => "l1",
            Self::L1Small => "l1_small",
            Self::Trace => "trace",
            Self::CircularBuffers => "circular_buffers",
            Self::Kernels => "kernels",
            Self::Reserved => "reserved",
        }
    }
}

impl From<AllocatorKind> for Kind {
    fn from(kind: AllocatorKind) -> Self {
        Self::ALLOCATOR[kind as usize]
    }
}

/// One value for each kind that TT-Metal's allocator hands out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "PerKind_of_{T}"))]
pub struct PerKind<T> {
    /// Buffers in DRAM.
    pub dram: T,
    /// Buffers in L1.
    pub l1: T,
    /// Buffers in the `l1_small` region of L1.
    pub l1_small: T,
    /// Traces in the trace region of DRAM.
    pub trace: T,
}

impl<T> PerKind<T> {
    /// Makes the value of each kind, in the order of [`AllocatorKind::ALL`].
    pub fn new(value: impl FnMut(AllocatorKind) -> T) -> Self {
        let [dram, l1, l1_small, trace] = AllocatorKind::ALL.map(value);
        Self { dram, l1, l1_small, trace }
    }
}

impl<T> IntoIterator for PerKind<T> {
    type Item = (AllocatorKind, T);
    type IntoIter = Zip<array::IntoIter<AllocatorKind, 4>, array::IntoIter<T, 4>>;

    fn into_iter(self) -> Self::IntoIter {
        let Self { dram, l1, l1_small, trace } = self;
        AllocatorKind::ALL.into_iter().zip([dram, l1, l1_small, trace])
    }
}

impl<T> Index<AllocatorKind> for PerKind<T> {
    type Output = T;

    fn index(&self, kind: AllocatorKind) -> &T {
        match kind {
            AllocatorKind::Dram => &self.dram,
            AllocatorKind::L1 => &self.l1,
            AllocatorKind::L1Small => &self.l1_small,
            AllocatorKind::Trace => &self.trace,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_a_segment_have_the_names_of_the_model() {
        for kind in AllocatorKind::ALL {
            assert_eq!(Kind::from(kind).as_str(), kind.as_str());
        }
    }

    #[test]
    fn only_kinds_of_an_allocator_convert_to_one() {
        assert_eq!(Kind::ALLOCATOR.map(Kind::allocator), AllocatorKind::ALL.map(Some));
        for kind in [Kind::CircularBuffers, Kind::Kernels, Kind::Reserved] {
            assert_eq!(kind.allocator(), None);
        }
    }

    #[test]
    fn each_kind_has_its_own_value() {
        let names = PerKind::new(AllocatorKind::as_str);
        assert!(AllocatorKind::ALL.into_iter().all(|kind| names[kind] == kind.as_str()));
        assert!(names.into_iter().all(|(kind, name)| name == kind.as_str()));
    }
}
