//! Values that are followed over time: one table for the history, the charts and the exports.

use std::sync::LazyLock;

use ttmem_model::snapshot::{Chip, ChipMemory, Process, ProcessOnChip};
use ttmem_model::{ChipId, Metric, MissingReason, Pid, Reading};

use super::group::Group;
use crate::field::cell::Cell;
use crate::field::device::{self, DeviceField};

/// The unit of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Bytes.
    Bytes,
    /// Bytes per second.
    BytesPerSecond,
    /// Degrees Celsius.
    Celsius,
    /// Watts.
    Watts,
    /// Megahertz.
    Megahertz,
    /// CPU use in hundredths of one processor.
    Percent,
}

/// The worst of several samples in one column of a chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worst {
    /// The highest.
    Highest,
    /// The lowest.
    Lowest,
}

impl Worst {
    /// Returns the worse of two values. NaN is never worse.
    #[must_use]
    pub(crate) fn of(self, first: f32, second: f32) -> f32 {
        match self {
            Self::Highest => first.max(second),
            Self::Lowest => first.min(second),
        }
    }
}

macro_rules! tracks {
    ($($(#[doc = $doc:literal])+ $variant:ident => $name:literal, $label:literal, $unit:ident, $worst:ident, $field:literal, $ceiling:literal;)+) => {
        /// One value that changes over time.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) enum Track {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Track {
            /// Every track, in picker order.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the name in exports and in the configuration.
            #[must_use]
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// Returns the name on screen.
            #[must_use]
            pub(crate) fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }

            /// Returns the unit.
            #[must_use]
            pub(crate) fn unit(self) -> Unit {
                match self { $(Self::$variant => Unit::$unit),+ }
            }

            /// Returns which of several samples is shown.
            #[must_use]
            pub(crate) fn worst(self) -> Worst {
                match self { $(Self::$variant => Worst::$worst),+ }
            }

            /// Returns the name of the field of a chip; empty if chips have none.
            fn field(self) -> &'static str {
                match self { $(Self::$variant => $field),+ }
            }

            /// Returns the name of the field that is its highest value or its limit; empty if there is none.
            fn ceiling(self) -> &'static str {
                match self { $(Self::$variant => $ceiling),+ }
            }
        }
    };
}

tracks! {
    /// Allocator buffers in DRAM.
    Dram => "dram", "DRAM", Bytes, Highest, "memory.dram.used", "memory.dram.capacity";
    /// Allocator buffers in L1.
    L1 => "l1", "L1 buffers", Bytes, Highest, "memory.l1.used", "memory.l1.capacity";
    /// Allocator buffers in the `l1_small` region.
    L1Small => "l1_small", "L1_SMALL", Bytes, Highest, "memory.l1_small.used", "memory.l1.capacity";
    /// Traces.
    Trace => "trace", "trace", Bytes, Highest, "memory.trace.used", "memory.dram.capacity";
    /// Circular buffers resident in L1.
    CircularBuffers => "circular_buffers", "circular buffers", Bytes, Highest, "memory.circular_buffers.used", "memory.l1.capacity";
    /// Circular buffers resident in L1 that do not alias tensors.
    CircularBuffersAlone => "circular_buffers_alone", "circular buffers without tensors", Bytes, Highest, "memory.circular_buffers.used", "memory.l1.capacity";
    /// Circular buffers as the memory region reports them.
    Reported => "circular_buffers_reported", "CBs reported", Bytes, Highest, "memory.circular_buffers.reported", "memory.l1.capacity";
    /// Kernel text in L1.
    Kernels => "kernels", "kernels", Bytes, Highest, "memory.kernels.used", "memory.l1.capacity";
    /// Firmware, mailboxes and the kernel configuration ring.
    Reserved => "reserved", "reserved", Bytes, Highest, "memory.reserved.used", "memory.l1.capacity";
    /// The largest free block of a DRAM bank.
    DramLargestFree => "dram_largest_free", "largest free DRAM block/bank", Bytes, Lowest, "memory.dram.largest_free", "";
    /// The largest free block of an L1 bank.
    L1LargestFree => "l1_largest_free", "largest free L1 block/bank", Bytes, Lowest, "memory.l1.largest_free", "";
    /// Temperature of the ASIC.
    Temperature => "temperature", "temperature", Celsius, Highest, "telemetry.asic_temperature_c", "telemetry.asic_temperature_limit_c";
    /// Power that the ASIC draws.
    Power => "power", "power", Watts, Highest, "telemetry.power_w", "telemetry.power_limit_w";
    /// Clock of the Tensix cores.
    AiClock => "aiclk", "AICLK", Megahertz, Highest, "telemetry.aiclk_mhz", "";
    /// Bytes per second from the host to the chip.
    PcieIn => "pcie_in", "PCIe host to device", BytesPerSecond, Highest, "telemetry.pcie_host_to_device_bytes_per_s", "";
    /// Bytes per second from the chip to the host.
    PcieOut => "pcie_out", "PCIe device to host", BytesPerSecond, Highest, "telemetry.pcie_device_to_host_bytes_per_s", "";
    /// Processor time of a process.
    Cpu => "cpu", "CPU", Percent, Highest, "", "";
    /// Host memory of a process.
    HostMemory => "host_memory", "host memory", Bytes, Highest, "", "";
}

/// The identity of a process over time: pids are reused, so the start time is part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ProcessId {
    /// The pid.
    pub(crate) pid: Pid,
    /// Clock ticks between boot and its start; 0 if not known.
    pub(crate) start_time: u64,
}

impl ProcessId {
    /// Returns the identity of a process.
    #[must_use]
    pub(crate) fn of(process: &Process) -> Self {
        Self { pid: process.pid, start_time: process.start_time }
    }
}

/// The subject of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Subject {
    /// A chip.
    Chip(ChipId),
    /// A process, on all its chips together.
    Process(ProcessId),
    /// Chips whose values are shown as one.
    Group(Group),
}

/// One track of one subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Line {
    /// The subject.
    pub(crate) subject: Subject,
    /// The track.
    pub(crate) track: Track,
}

impl Track {
    /// Returns the tracks of a chip.
    pub(crate) const OF_CHIPS: &'static [Self] = &[
        Self::Dram,
        Self::L1,
        Self::L1Small,
        Self::Trace,
        Self::CircularBuffers,
        Self::CircularBuffersAlone,
        Self::Reported,
        Self::Kernels,
        Self::Reserved,
        Self::DramLargestFree,
        Self::L1LargestFree,
        Self::Temperature,
        Self::Power,
        Self::AiClock,
        Self::PcieIn,
        Self::PcieOut,
    ];

    /// Returns the tracks of a process.
    pub(crate) const OF_PROCESSES: &'static [Self] = &[
        Self::Dram,
        Self::L1,
        Self::L1Small,
        Self::Trace,
        Self::Reported,
        Self::HostMemory,
        Self::Cpu,
    ];

    /// Returns the track with a name.
    #[must_use]
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|track| track.name() == name)
    }

    /// Returns the field of a chip; `None` if chips have none. It is searched by name once.
    fn chip_field(self) -> Option<&'static DeviceField> {
        static FIELDS: LazyLock<Vec<Option<&DeviceField>>> =
            LazyLock::new(|| Track::ALL.iter().map(|track| device::get(track.field())).collect());
        FIELDS.get(self as usize).copied().flatten()
    }

    /// True if the values of chips are amounts that can be added up.
    #[must_use]
    pub(crate) fn adds_up(self) -> bool {
        match self.unit() {
            Unit::Celsius | Unit::Megahertz | Unit::Percent => false,
            Unit::Bytes | Unit::BytesPerSecond | Unit::Watts => self.worst() == Worst::Highest,
        }
    }

    /// Returns the value of a chip.
    #[must_use]
    pub(crate) fn of_chip(self, chip: &Chip) -> Option<f64> {
        match self {
            Self::CircularBuffersAlone => circular_buffers_alone(&chip.memory),
            _ => self.chip_field()?.of_chip(chip).number(),
        }
    }

    /// Returns the reason and detail of a chip's missing value; `None` if it is known, or if chips have no such value.
    #[must_use]
    pub(crate) fn missing_of_chip(self, chip: &Chip) -> Option<(MissingReason, &str)> {
        match self.chip_field()?.of_chip(chip) {
            Cell::Blank(reason, detail) => Some((reason, detail)),
            Cell::Text(_) | Cell::Number(..) | Cell::None(_) => None,
        }
    }

    /// Returns the highest possible value, or the limit that the value should not reach.
    #[must_use]
    pub(crate) fn ceiling_of_chip(self, chip: &Chip) -> Option<f64> {
        device::get(self.ceiling())?.of_chip(chip).number()
    }

    /// Returns the current value for a process, on all its chips together. CPU use needs two samples and is not
    /// included.
    #[must_use]
    pub(crate) fn of_process(self, process: &Process) -> Option<f64> {
        let pick: fn(&ProcessOnChip) -> &Reading<u64> = match self {
            Self::Dram => |chip| &chip.memory.dram,
            Self::L1 => |chip| &chip.memory.l1,
            Self::L1Small => |chip| &chip.memory.l1_small,
            Self::Trace => |chip| &chip.memory.trace,
            Self::Reported => |chip| &chip.memory.circular_buffers_reported,
            Self::HostMemory => {
                return process.host_memory_bytes.value().map(|bytes| *bytes as f64);
            }
            _ => return None,
        };
        if process.chips.is_empty() {
            return None;
        }
        // A partial sum is not the sum.
        process
            .chips
            .iter()
            .try_fold(0.0, |sum, chip| Some(sum + pick(chip).value().copied()? as f64))
    }
}

/// Returns circular buffers less those that alias tensors, which already count as buffers. If aliasing is not known,
/// returns the excess over the bytes of buffers, so that no byte counts twice.
#[must_use]
pub(crate) fn circular_buffers_alone(memory: &ChipMemory) -> Option<f64> {
    let used = *memory.circular_buffers.used.value()?;
    let buffers = || {
        let of = |reading: &Reading<u64>| reading.value().copied().unwrap_or(0);
        of(&memory.l1.used).saturating_add(of(&memory.l1_small.used))
    };
    let shared = memory.circular_buffers.aliasing.value().copied().unwrap_or_else(buffers);
    Some(used.saturating_sub(shared) as f64)
}

/// Returns a telemetry reading of a chip.
#[must_use]
pub(crate) fn metric(chip: &Chip, metric: Metric) -> Option<f64> {
    chip.telemetry.get(&metric).and_then(Reading::value).map(|quantity| quantity.0)
}

#[cfg(test)]
mod tests {
    use ttmem_model::{Missing, Quality, SourceName};

    use super::*;

    #[test]
    fn circular_buffers_that_are_tensors_count_once() {
        let known = |value| Reading::Known {
            value,
            source: SourceName::L1,
            quality: Quality::Exact,
            age_us: 0,
        };
        let snapshot = ttmem_sources::Collector::demo().snapshot();
        let mut chip = snapshot.chips[0].clone();
        chip.memory.circular_buffers.used = known(100);
        chip.memory.circular_buffers.aliasing = known(30);
        assert_eq!(Track::CircularBuffersAlone.of_chip(&chip), Some(70.0));
        chip.memory.circular_buffers.aliasing = Missing::no_source("no agent").into();
        (chip.memory.l1.used, chip.memory.l1_small.used) = (known(50), known(9));
        assert_eq!(Track::CircularBuffersAlone.of_chip(&chip), Some(41.0));
        chip.memory.l1.used = known(500);
        assert_eq!(Track::CircularBuffersAlone.of_chip(&chip), Some(0.0));
    }
}
