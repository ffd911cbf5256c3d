//! The kinds of device memory, and the two memories of a chip.

use serde::{Deserialize, Serialize};

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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

impl From<ttmem_segment::BufferKind> for Kind {
    fn from(kind: ttmem_segment::BufferKind) -> Self {
        Self::ALLOCATOR[kind as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_a_segment_have_the_names_of_the_model() {
        for kind in ttmem_segment::BufferKind::ALL {
            assert_eq!(Kind::from(kind).as_str(), kind.as_str());
        }
    }
}
