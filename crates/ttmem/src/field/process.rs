//! The fields of a process on a chip.

use std::sync::OnceLock;

use ttmem_model::snapshot::{Chip, Process, ProcessOnChip, ProcessState, Snapshot};
use ttmem_model::{MissingReason, Reading};

use super::Field;
use super::cell::{Cell, Number, untold};
use super::device::{NO_BETTER_SOURCE, asic_id};
use super::metric::{Sample, prometheus as p};

/// A field of a process.
pub(crate) type ProcessField = Field<ProcessRead>;

/// The reader of a process's field.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ProcessRead {
    /// A value of the host, equal for every process.
    Host(for<'a> fn(&'a Snapshot) -> Cell<'a>),
    /// A value of the process, equal on every chip.
    Process(for<'a> fn(&'a Process) -> Cell<'a>),
    /// A value of the process on each chip.
    OnChip(for<'a> fn(&'a Snapshot, &'a ProcessOnChip) -> Cell<'a>),
}

impl ProcessField {
    /// Reads the field of a process, on one of its chips if it has any.
    #[must_use]
    pub(crate) fn cell<'a>(
        &self,
        snapshot: &'a Snapshot,
        process: &'a Process,
        chip: Option<&'a ProcessOnChip>,
    ) -> Cell<'a> {
        match self.read {
            ProcessRead::Host(read) => read(snapshot),
            ProcessRead::Process(read) => read(process),
            ProcessRead::OnChip(read) => chip.map_or(
                Cell::Blank(MissingReason::NoSource, "the process is not known to hold a chip"),
                |chip| read(snapshot, chip),
            ),
        }
    }
}

/// Returns every field of a process, in the order of the outputs.
#[must_use]
pub(crate) fn fields() -> &'static [ProcessField] {
    static FIELDS: OnceLock<Vec<ProcessField>> = OnceLock::new();
    FIELDS.get_or_init(|| {
        let sections = [PROCESS, DRAM, L1, L1_SMALL, TRACE, CIRCULAR_BUFFERS, UPSTREAM];
        sections.into_iter().flatten().cloned().collect()
    })
}

/// The metric of a kind of memory.
const USED: Sample = Sample::of(&p::PROCESS_USED);

macro_rules! process {
    ($name:literal, $help:literal, $read:expr) => {
        Field::plain($name, $help, ProcessRead::Process($read))
    };
}

macro_rules! kind {
    ($kind:ident, $heading:literal, $what:literal $(, $sample:expr)?) => {
        &[
            Field::bytes(
                concat!("memory.", stringify!($kind)),
                concat!("Bytes of ", $what, " that the process holds on the chip."),
                ProcessRead::OnChip(|_, chip| (&chip.memory.$kind).into()),
            ).headed($heading)$(.in_prometheus(
                $sample.label("type", stringify!($kind)).with_provenance(stringify!($kind)),
            ))?,
            Field::plain(
                concat!("memory.", stringify!($kind), ".source"),
                concat!("Source of the figure for ", $what, "."),
                ProcessRead::OnChip(|_, chip| Cell::source_of(&chip.memory.$kind)),
            ),
            Field::plain(
                concat!("memory.", stringify!($kind), ".quality"),
                concat!("Quality of the figure for ", $what, "."),
                ProcessRead::OnChip(|_, chip| Cell::quality_of(&chip.memory.$kind)),
            ),
        ]
    };
}

const PROCESS: &[ProcessField] = &[
    Field::plain(
        "timestamp",
        "When the snapshot was taken, UTC.",
        ProcessRead::Host(|snapshot| Cell::time(snapshot.time_us)),
    ),
    Field::plain(
        "chip",
        "The id of the chip.",
        ProcessRead::OnChip(|_, on_chip| Cell::chip(&on_chip.chip)),
    ),
    Field::plain(
        "chip.index",
        "The number of the chip on this host.",
        ProcessRead::OnChip(|snapshot, on_chip| {
            chip_of(snapshot, on_chip).map_or(NO_CHIP, |chip| Cell::display(&chip.index))
        }),
    )
    .labels("index"),
    Field::plain(
        "chip.asic_id",
        "The ASIC id of the chip.",
        ProcessRead::OnChip(|snapshot, on_chip| {
            chip_of(snapshot, on_chip).map_or(NO_CHIP, asic_id)
        }),
    )
    .labels("asic_id"),
    process!("pid", "The number of the process; 0 outside the namespace.", |process| {
        Cell::display(&process.pid)
    })
    .labels("pid"),
    process!("start_time", "Clock ticks between boot and its start.", |process| {
        match process.start_time {
            0 => unknown(process),
            ticks => Cell::Number(Number::Whole(ticks), None),
        }
    }),
    process!("name", "Its short name.", |process| match process.name.as_str() {
        "" if process.state == ProcessState::OutsideNamespace => unknown(process),
        "" => Cell::None("no name"),
        name => Cell::text(name),
    })
    .labels("comm"),
    process!("command", "Its command line.", |process| match process.command.as_str() {
        "" => unknown(process),
        command => Cell::text(command),
    }),
    process!(
        "rank",
        "Its rank in its job, or its worker of pytest-xdist, as its agent found it.",
        |process| { agents(process.rank.as_deref()) }
    )
    .info("rank"),
    process!(
        "job",
        "The number of its job, as its agent, its environment or its control group has it.",
        |process| { agents(process.job.as_deref()) }
    )
    .info("batch_job"),
    process!("job_user", "The user who submitted its job to Slurm.", |process| {
        agents(process.job_user.as_deref())
    })
    .info("batch_user"),
    process!("pod", "The name of its Kubernetes pod.", |process| {
        agents(pod(process).map(|(_, name)| name))
    })
    .info("k8s_pod_name"),
    process!("namespace", "The Kubernetes namespace of its pod.", |process| {
        agents(pod(process).map(|(namespace, _)| namespace))
    })
    .info("k8s_namespace_name"),
    process!("user", "Its user.", |process| match process.user.as_deref() {
        None | Some("") => unknown(process),
        Some(user) => Cell::text(user),
    })
    .info("user"),
    process!("container", "Its container; empty if it is in none.", |process| {
        match process.container.as_deref() {
            Some(container) => Cell::text(container),
            None if process.state == ProcessState::Live => Cell::None("not in a container"),
            None => unknown(process),
        }
    })
    .info("container"),
    process!("state", "live, stale or outside-namespace.", |process| {
        Cell::text(process.state.as_str())
    })
    .labels("state"),
    Field::with_unit(
        "cpu_time_us",
        "us",
        "CPU time of all its threads.",
        ProcessRead::Process(|process| (&process.cpu_time_us).into()),
    ),
    Field::bytes(
        "host_memory_bytes",
        "Host memory that it occupies.",
        ProcessRead::Process(|process| (&process.host_memory_bytes).into()),
    ),
];

const DRAM: &[ProcessField] = kind!(dram, "DRAM", "DRAM buffers", USED);
const L1: &[ProcessField] = kind!(l1, "L1", "L1 buffers", USED);
const L1_SMALL: &[ProcessField] = kind!(l1_small, "L1_SMALL", "L1_SMALL buffers", USED);
const TRACE: &[ProcessField] = kind!(trace, "Trace", "traces", USED);
macro_rules! upstream {
    ($($kind:ident, $what:literal;)+) => {
        &[$(Field::bytes(
            concat!("memory.upstream.", stringify!($kind)),
            concat!(
                "Bytes of ",
                $what,
                " by the upstream region, beside a better count."
            ),
            ProcessRead::OnChip(|_, chip| match &chip.memory.upstream {
                Some(upstream) => (&upstream.$kind).into(),
                None => Cell::Blank(MissingReason::NotRead, NO_BETTER_SOURCE),
            }),
        )),+]
    };
}

const UPSTREAM: &[ProcessField] = upstream! {
    dram, "DRAM buffers";
    l1, "L1 buffers";
    l1_small, "L1_SMALL buffers";
    trace, "traces";
};
const CIRCULAR_BUFFERS: &[ProcessField] = kind!(
    circular_buffers_reported,
    "CBs reported",
    "circular buffers as the upstream region reports them"
);

/// The cell of a chip that the snapshot does not list.
const NO_CHIP: Cell<'static> = Cell::Blank(MissingReason::NoSource, "not a chip of this snapshot");

fn chip_of<'a>(snapshot: &'a Snapshot, on_chip: &ProcessOnChip) -> Option<&'a Chip> {
    snapshot.chips.iter().find(|chip| chip.id == on_chip.chip)
}

/// A text that only an agent finds.
fn agents(text: Option<&str>) -> Cell<'_> {
    text.map_or(Cell::None("none known"), Cell::text)
}

/// The namespace and the name of its pod.
fn pod(process: &Process) -> Option<(&str, &str)> {
    process.pod.as_deref()?.split_once('/')
}

/// Returns the reason that a property of a process is missing.
fn unknown<'a>(process: &Process) -> Cell<'a> {
    match process.state {
        ProcessState::Live => Cell::Blank(MissingReason::NoSource, "procfs does not show it"),
        ProcessState::Stale => Cell::Blank(MissingReason::NoSource, "the process has ended"),
        ProcessState::OutsideNamespace => {
            Cell::Blank(MissingReason::Denied, "outside this process namespace")
        }
    }
}

/// Returns the labels that identify a process, on one of its chips if one is given.
pub(crate) fn labels<'a>(
    snapshot: &'a Snapshot,
    process: &'a Process,
    chip: Option<&'a ProcessOnChip>,
) -> impl Iterator<Item = (&'static str, Cell<'a>)> {
    Field::labelled(fields(), move |field| field.cell(snapshot, process, chip))
}

/// The pairs of process and chip that a query prints, one row each; a process without a chip has one row.
pub(crate) fn rows(
    snapshot: &Snapshot,
) -> impl Iterator<Item = (&Process, Option<&ProcessOnChip>)> {
    snapshot.processes.iter().flat_map(|process| {
        let chipless = process.chips.is_empty().then_some((process, None));
        process.chips.iter().map(move |chip| (process, Some(chip))).chain(chipless)
    })
}

/// The fields of a process's memory that tables show, in the order of their columns.
pub(crate) const MEMORY: [&str; 5] = [
    "memory.dram",
    "memory.l1",
    "memory.l1_small",
    "memory.trace",
    "memory.circular_buffers_reported",
];

/// Returns the field of a name.
#[must_use]
pub(crate) fn get(name: &str) -> Option<&'static ProcessField> {
    fields().iter().find(|field| field.name == name)
}

/// Returns the bytes of [`MEMORY`] for a process on a chip.
#[must_use]
pub(crate) fn figures(
    snapshot: &Snapshot,
    process: &Process,
    chip: &ProcessOnChip,
) -> [Reading<u64>; 5] {
    MEMORY.map(|name| {
        get(name).map_or_else(untold, |field| field.cell(snapshot, process, Some(chip)).into())
    })
}
