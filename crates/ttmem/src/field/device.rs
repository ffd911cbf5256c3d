//! The fields of a chip.

use std::sync::OnceLock;

use ttmem_model::snapshot::{Chip, Snapshot};
use ttmem_model::{Metric, MissingReason, Quality, Reading};

use self::host::HOST;
pub(super) use self::link::asic_id;
use self::link::{dram_total, id_source, joined_by, pcie, region};
use super::Field;
use super::cell::{Cell, Number, untold};
use super::metric::Attribute::Point;
use super::metric::{Sample, otel as o, prometheus as p};
use super::telemetry;

mod host;
mod link;

/// A field of a chip.
pub(crate) type DeviceField = Field<DeviceRead>;

/// The reader of a chip's field.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DeviceRead {
    /// A value of the host, equal for every chip.
    Host(for<'a> fn(&'a Snapshot) -> Cell<'a>),
    /// The chip's own.
    Chip(for<'a> fn(&'a Chip) -> Cell<'a>),
    /// One of its telemetry readings.
    Telemetry(Metric),
    /// One of its firmware versions, by the name in the snapshot.
    Firmware(&'static str),
}

impl DeviceField {
    /// Returns the value for a chip.
    #[must_use]
    pub(crate) fn cell<'a>(&self, snapshot: &'a Snapshot, chip: &'a Chip) -> Cell<'a> {
        match self.read {
            DeviceRead::Host(read) => read(snapshot),
            _ => self.of_chip(chip),
        }
    }

    /// Returns the value of a field of the host; `None` for a field of the chip.
    #[must_use]
    pub(crate) fn of_host<'a>(&self, snapshot: &'a Snapshot) -> Option<Cell<'a>> {
        match self.read {
            DeviceRead::Host(read) => Some(read(snapshot)),
            _ => None,
        }
    }

    /// Returns the value for a chip, without its host; a field of the host is missing.
    #[must_use]
    pub(crate) fn of_chip<'a>(&self, chip: &'a Chip) -> Cell<'a> {
        match self.read {
            DeviceRead::Host(_) => Cell::Blank(MissingReason::NotRead, "a property of the host"),
            DeviceRead::Chip(read) => read(chip),
            DeviceRead::Telemetry(metric) => chip
                .telemetry
                .get(&metric)
                .map_or(Cell::Blank(MissingReason::NoSource, NOT_IN_SNAPSHOT), Cell::from),
            DeviceRead::Firmware(name) => {
                let version = chip.firmware.get(name).map(String::as_str);
                let why = || chip.reasons.get(name);
                let why = || why().or_else(|| chip.reasons.get("firmware"));
                version.map_or_else(|| Cell::missing(why(), NOT_PUBLISHED), Cell::text)
            }
        }
    }
}

/// Returns the bytes of the field of a name for a chip; without a source where no field has the name.
#[must_use]
pub(crate) fn figure(name: &str, chip: &Chip) -> Reading<u64> {
    get(name).map_or_else(untold, |field| field.of_chip(chip).into())
}

/// Returns every field of a chip, in the order of the outputs.
#[must_use]
pub(crate) fn fields() -> &'static [DeviceField] {
    static FIELDS: OnceLock<Vec<DeviceField>> = OnceLock::new();
    FIELDS.get_or_init(|| {
        let sections = [HOST, IDENTITY, FIRMWARE, DRAM, L1, L1_SMALL, TRACE, DRAM_TOTAL, RESIDENT];
        let mut fields: Vec<_> = sections.into_iter().flatten().cloned().collect();
        fields.extend(telemetry::fields());
        fields.extend([PCIE, OWNERS].into_iter().flatten().cloned());
        fields
    })
}

/// Returns the field of a name.
#[must_use]
pub(crate) fn get(name: &str) -> Option<&'static DeviceField> {
    fields().iter().find(|field| field.name == name)
}

/// The unit of values of one bank.
pub(crate) const PER_BANK: &str = "B/bank";

/// The attribute of a kind of memory in OpenTelemetry.
const KIND: &str = "ttmem.memory.kind";

macro_rules! chip {
    ($name:expr, $help:expr, $read:expr) => {
        Field::plain($name, $help, DeviceRead::Chip($read))
    };
}

macro_rules! bytes {
    ($name:expr, $help:expr, $read:expr) => {
        Field::bytes($name, $help, DeviceRead::Chip($read))
    };
}

macro_rules! firmware {
    ($name:literal, $help:literal) => {
        Field::plain(concat!("firmware.", $name), $help, DeviceRead::Firmware($name))
    };
}

macro_rules! allocator {
    ($kind:ident, $heading:literal, $what:literal $(, $convention:expr)?) => {
        &[
            bytes!(
                concat!("memory.", stringify!($kind), ".used"),
                concat!("Bytes of ", $what, " that live processes hold."),
                |chip| (&chip.memory.$kind.used).into()
            )
            .headed($heading)
            .exported(
                Sample::of(&p::USED)
                    .label("type", stringify!($kind))
                    .with_provenance(stringify!($kind)),
                Sample::of(&o::USAGE)
                    .label(KIND, stringify!($kind))
                    .with_provenance(stringify!($kind)),
            ),
            bytes!(
                concat!("memory.", stringify!($kind), ".capacity"),
                concat!("Bytes that the chip has for ", $what, "."),
                |chip| (&chip.memory.$kind.capacity).into()
            )
            .exported(
                Sample::of(&p::CAPACITY).label("type", stringify!($kind)),
                Sample::of(&o::LIMIT).label(KIND, stringify!($kind)),
            )$(.in_conventions(Sample::of($convention)))?,
            bytes!(
                concat!("memory.", stringify!($kind), ".free"),
                concat!("Bytes that the chip has for ", $what, " and no process holds."),
                |chip| {
                    let memory = &chip.memory.$kind;
                    free(&memory.capacity, &memory.used)
                }
            ),
            Field::with_unit(
                concat!("memory.", stringify!($kind), ".largest_free"),
                PER_BANK,
                concat!("Bytes of the largest free block for ", $what, " in one bank."),
                DeviceRead::Chip(|chip| (&chip.memory.$kind.largest_free).into()),
            )
            .headed(concat!($heading, " largest free"))
            .exported(
                Sample::of(&p::LARGEST_FREE).label("type", stringify!($kind)),
                Sample::of(&o::LARGEST_FREE).label(KIND, stringify!($kind)),
            ),
            chip!(
                concat!("memory.", stringify!($kind), ".banks"),
                concat!("Banks for ", $what, "."),
                |chip| (&chip.memory.$kind.banks).into()
            ),
            bytes!(
                concat!("memory.", stringify!($kind), ".stale"),
                concat!("Bytes of ", $what, " of processes that have ended: stale, and free."),
                |chip| (&chip.memory.$kind.stale).into()
            )
            .exported(
                Sample::of(&p::STALE).label("type", stringify!($kind)),
                Sample::of(&o::STALE).label(KIND, stringify!($kind)),
            ),
            bytes!(
                concat!("memory.", stringify!($kind), ".allocatable"),
                concat!("Bytes that TT-Metal's allocator can hand out for ", $what, "."),
                |chip| (&chip.memory.$kind.allocatable).into()
            ),
            chip!(
                concat!("memory.", stringify!($kind), ".fragmentation"),
                concat!("Share of the free bytes for ", $what, " outside the largest free block."),
                |chip| (&chip.memory.$kind.fragmentation).into()
            ),
            bytes!(
                concat!("memory.", stringify!($kind), ".upstream"),
                concat!("Bytes of ", $what, " by the upstream region, beside a better count."),
                |chip| upstream(chip.memory.$kind.upstream.as_ref())
            ),
            chip!(
                concat!("memory.", stringify!($kind), ".source"),
                concat!("Source of the figure for ", $what, "."),
                |chip| Cell::source_of(&chip.memory.$kind.used)
            ),
            chip!(
                concat!("memory.", stringify!($kind), ".quality"),
                concat!("Quality of the figure for ", $what, "."),
                |chip| Cell::quality_of(&chip.memory.$kind.used)
            ),
        ]
    };
}

const IDENTITY: &[DeviceField] = &[
    chip!("index", "The number of the chip on this host.", |chip| Cell::display(&chip.index))
        .headed("Chip")
        .labels("index"),
    chip!("id", "The ASIC id, or an id made from serial number or bus address.", |chip| {
        Cell::chip(&chip.id)
    })
    .attributes(&[Point("hw.id")]),
    chip!("asic_id", "The ASIC id.", asic_id).labels("asic_id"),
    chip!("id_source", "Origin of the id, such as driver, serial or bdf.", |chip| {
        Cell::text(id_source(chip.id_source))
    }),
    chip!("arch", "The architecture.", |chip| {
        property(chip, "arch", chip.arch.map(|arch| arch.as_str()), NO_BOARD)
    })
    .info("arch"),
    chip!("board", "The driver's name of the board.", |chip| {
        property(chip, "board", chip.board.as_deref(), NO_BOARD)
    })
    .info("board")
    .attributes(&[Point("hw.model")]),
    chip!("serial", "The serial number of the board.", |chip| {
        property(chip, "serial", chip.serial.as_deref(), NOT_PUBLISHED)
    })
    .info("serial")
    .attributes(&[Point("hw.parent")]),
    chip!("bdf", "The PCIe address.", |chip| match &chip.bdf {
        None if chip.remote => {
            Cell::Blank(MissingReason::Unsupported, "a remote chip has no PCIe function")
        }
        bdf => Cell::optional(bdf.as_deref(), "no driver knows the chip"),
    })
    .headed("Bus")
    .info("bdf"),
    chip!("tray", "The tray of a Galaxy and the position in it, such as 1:8.", |chip| {
        match chip.tray() {
            Some(at) => Cell::text(format!("{}:{}", at.tray, at.position)),
            None => Cell::Blank(MissingReason::Unsupported, "not a chip of a Galaxy"),
        }
    }),
    chip!("remote", "true for a chip that is reached through another one.", |chip| {
        Cell::text(if chip.remote { "true" } else { "false" })
    })
    .info("remote"),
    chip!("gateway", "The ASIC id of the chip that a remote chip is reached through.", |chip| {
        match &chip.gateway {
            Some(gateway) => Cell::display(gateway),
            None if chip.remote => Cell::Blank(MissingReason::NoSource, "its gateway is not known"),
            None => Cell::Blank(MissingReason::Unsupported, "not a remote chip"),
        }
    }),
    chip!("region.id", "The number in the name of its memory region.", |chip| {
        region(chip, |region| Cell::Number(Number::Whole(region.id), None))
    }),
    chip!("region.device_id", "The device number that the region's last writer used.", |chip| {
        region(chip, |region| Cell::display(&region.device_id))
    }),
    chip!("region.version", "The version of the region's layout.", |chip| {
        region(chip, |region| Cell::display(&region.version))
    }),
    chip!("region.joined_by", "The rule that joined the region to the chip.", |chip| {
        region(chip, |region| Cell::text(joined_by(region.joined_by)))
    }),
    chip!("worker_cores", "Enabled worker cores.", |chip| (&chip.worker_cores).into()),
];

const FIRMWARE: &[DeviceField] = &[
    firmware!("bundle", "The version of the firmware bundle.")
        .info("fw")
        .attributes(&[Point("hw.firmware_version")]),
    firmware!("m3_application", "The version of the board controller's application."),
    firmware!("m3_bootloader", "The version of the board controller's boot loader."),
    firmware!("arc", "The version of the management processor's firmware."),
    firmware!("ethernet", "The version of the Ethernet firmware."),
    firmware!("tt_flash", "The version of the tool that flashed the chip."),
];

const DRAM: &[DeviceField] = allocator!(dram, "DRAM", "DRAM buffers", &o::GPU_LIMIT);
const L1: &[DeviceField] = allocator!(l1, "L1 allocated", "L1 buffers");
const L1_SMALL: &[DeviceField] = allocator!(l1_small, "L1_SMALL", "L1_SMALL buffers");
const TRACE: &[DeviceField] = allocator!(trace, "Trace", "traces");

/// DRAM as a whole, for the names that every dashboard of accelerators knows. Other kinds are not in it, so that sums over
/// chips are right.
const DRAM_TOTAL: &[DeviceField] = &[
    bytes!(
        "memory.dram_total.used",
        "Bytes of DRAM that live processes hold, traces included.",
        dram_total
    )
    .headed("DRAM total")
    .in_conventions(Sample::of(&o::GPU_USAGE)),
    chip!(
        "memory.dram_total.utilization",
        "Share of the DRAM that live processes hold, 0 to 1.",
        |chip| dram_total(chip).share_of(&chip.memory.dram.capacity)
    )
    .in_conventions(Sample::of(&o::GPU_UTILIZATION)),
];

const RESIDENT: &[DeviceField] = &[
    bytes!(
        "memory.circular_buffers.used",
        "Bytes of circular buffers resident in L1, ranges counted once.",
        |chip| (&chip.memory.circular_buffers.used).into()
    )
    .headed("CBs")
    .exported(
        Sample::of(&p::USED).label("type", "cb").with_provenance("cb"),
        Sample::of(&o::USAGE).label(KIND, "circular_buffers").with_provenance("circular_buffers"),
    ),
    bytes!(
        "memory.circular_buffers.running",
        "Bytes of circular buffers of running programs.",
        |chip| (&chip.memory.circular_buffers.running).into()
    ),
    bytes!(
        "memory.circular_buffers.reported",
        "Bytes of circular buffers as the upstream region reports them.",
        |chip| (&chip.memory.circular_buffers.reported).into()
    )
    .headed("CBs reported")
    .in_prometheus(Sample::of(&p::REPORTED).label("type", "cb").with_provenance("cb_reported")),
    bytes!(
        "memory.circular_buffers.aliasing",
        "Bytes of resident circular buffers that are tensors at the same time.",
        |chip| (&chip.memory.circular_buffers.aliasing).into()
    ),
    bytes!(
        "memory.circular_buffers.headroom",
        "Fewest bytes of a core between the end of its circular buffers and its lowest L1 buffer.",
        |chip| (&chip.memory.circular_buffers.headroom).into()
    )
    .headed("Headroom")
    .exported(
        Sample::of(&p::HEADROOM).with_provenance("l1_headroom"),
        Sample::of(&o::HEADROOM).with_provenance("l1_headroom"),
    ),
    chip!("memory.circular_buffers.source", "Source of the figure for circular buffers.", |chip| {
        Cell::source_of(&chip.memory.circular_buffers.used)
    }),
    chip!(
        "memory.circular_buffers.quality",
        "Quality of the figure for circular buffers.",
        |chip| Cell::quality_of(&chip.memory.circular_buffers.used)
    ),
    bytes!("memory.kernels.used", "Bytes of the application's kernels resident in L1.", |chip| {
        (&chip.memory.kernels.used).into()
    })
    .headed("Kernels")
    .exported(
        Sample::of(&p::USED).label("type", "kernels").with_provenance("kernels"),
        Sample::of(&o::USAGE).label(KIND, "kernels").with_provenance("kernels"),
    ),
    bytes!("memory.kernels.running", "Bytes of kernels of running programs.", |chip| {
        (&chip.memory.kernels.running).into()
    }),
    bytes!("memory.kernels.system", "Bytes of dispatch and fabric kernels.", |chip| {
        (&chip.memory.kernels.system).into()
    }),
    chip!("memory.kernels.source", "Source of the figure for kernels.", |chip| {
        Cell::source_of(&chip.memory.kernels.used)
    }),
    chip!("memory.kernels.quality", "Quality of the figure for kernels.", |chip| {
        Cell::quality_of(&chip.memory.kernels.used)
    }),
    bytes!(
        "memory.reserved.used",
        "Bytes of firmware, mailboxes and the kernel config ring.",
        |chip| (&chip.memory.reserved.used).into()
    )
    .headed("Reserved")
    .exported(
        Sample::of(&p::USED).label("type", "reserved").with_provenance("reserved"),
        Sample::of(&o::USAGE).label(KIND, "reserved").with_provenance("reserved"),
    ),
    bytes!(
        "memory.l1_total.used",
        "Bytes of L1 in use of any kind, ranges counted once.",
        |chip| (&chip.memory.l1_total.used).into()
    )
    .headed("L1 total"),
    bytes!("memory.l1_total.capacity", "Bytes of L1 of all enabled worker cores.", |chip| {
        (&chip.memory.l1_total.capacity).into()
    }),
    bytes!("memory.l1_total.free", "Bytes of L1 in no use of any kind.", |chip| {
        free(&chip.memory.l1_total.capacity, &chip.memory.l1_total.used)
    }),
    chip!("memory.l1_total.source", "Source of the figure for all of L1.", |chip| {
        Cell::source_of(&chip.memory.l1_total.used)
    }),
    chip!("memory.l1_total.quality", "Quality of the figure for all of L1.", |chip| {
        Cell::quality_of(&chip.memory.l1_total.used)
    }),
];

const PCIE: &[DeviceField] = &[
    Field::with_unit(
        "pcie.current_speed_gts",
        "GT/s",
        "Current rate of a PCIe lane.",
        DeviceRead::Chip(|chip| pcie(chip, |link| (&link.current_speed_gts).into())),
    ),
    Field::with_unit(
        "pcie.max_speed_gts",
        "GT/s",
        "Highest rate of a PCIe lane.",
        DeviceRead::Chip(|chip| pcie(chip, |link| (&link.max_speed_gts).into())),
    ),
    chip!("pcie.current_width", "Current number of PCIe lanes.", |chip| {
        pcie(chip, |link| (&link.current_width).into())
    }),
    chip!("pcie.max_width", "Highest number of PCIe lanes.", |chip| {
        pcie(chip, |link| (&link.max_width).into())
    }),
    chip!("pcie.numa_node", "The NUMA node of the PCIe slot.", |chip| {
        pcie(chip, |link| (&link.numa_node).into())
    }),
];

const OWNERS: &[DeviceField] = &[
    chip!("owners.count", "Processes of this namespace that have the device open.", |chip| {
        unknown_owners(chip).unwrap_or_else(|| Cell::count(chip.owners.pids.len()))
    })
    .headed("Owners")
    .in_prometheus(Sample::of(&p::HOLDERS).label("scope", "visible")),
    chip!("owners.pids", "Their process ids.", |chip| {
        let pids: Vec<_> = chip.owners.pids.iter().map(ToString::to_string).collect();
        match unknown_owners(chip) {
            Some(missing) => missing,
            None if pids.is_empty() => Cell::None("none"),
            None => Cell::text(pids.join(" ")),
        }
    }),
    chip!("owners.outside_namespace", "Open files of processes outside this namespace.", |chip| {
        (&chip.owners.outside_namespace).into()
    })
    .in_prometheus(Sample::of(&p::HOLDERS).label("scope", "other_pid_ns")),
];

/// Reason that the owners of a chip are not known; `None` if some are, or the driver lists none.
fn unknown_owners(chip: &Chip) -> Option<Cell<'_>> {
    let outside = &chip.owners.outside_namespace;
    // Without a device the owners are those that its region or agent names.
    let is_unknown = chip.owners.pids.is_empty() && chip.bdf.is_some();
    match outside.missing().filter(|_| is_unknown) {
        Some(missing) => Some(Cell::Blank(missing.reason, &missing.detail)),
        None if is_unknown && outside.quality() == Some(Quality::Inferred) => Some(Cell::Blank(
            MissingReason::Denied,
            "the driver counts open files and names no process here",
        )),
        None => None,
    }
}

fn free<'a>(capacity: &'a Reading<u64>, used: &'a Reading<u64>) -> Cell<'a> {
    Cell::calculated(capacity, used, Reading::checked_sub, "more is used than the chip has")
}

/// A property of a chip, or the reason that the snapshot has for its absence.
fn property<'a>(
    chip: &'a Chip,
    name: &str,
    text: Option<&'a str>,
    otherwise: &'static str,
) -> Cell<'a> {
    text.map_or_else(|| Cell::missing(chip.reasons.get(name), otherwise), Cell::text)
}

/// The detail of a telemetry metric that an older ttmem did not record.
const NOT_IN_SNAPSHOT: &str = "the snapshot was taken by an older ttmem";
/// The detail of a property without a file of the driver.
const NOT_PUBLISHED: &str = "the driver publishes none that can be used";
/// The detail of a property that follows from the board.
const NO_BOARD: &str = "nothing names the board";

fn upstream(reading: Option<&Reading<u64>>) -> Cell<'_> {
    reading.map_or(Cell::Blank(MissingReason::NotRead, NO_BETTER_SOURCE), Cell::from)
}

/// Returns the reason that the upstream region's figure is missing.
pub(super) const NO_BETTER_SOURCE: &str = "no better source is in use";
