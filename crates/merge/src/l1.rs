//! The L1 of a chip: circular buffers, kernels, reserved memory, and its capacity.
//!
//! A number of a core is the length of a union of ranges, and no two cores share a byte: sums over cores are exact. A core
//! that could not be read makes the sum missing.

mod programs;
mod recorded;
mod tensors;

use ttmem_model::facts::{Field, L1Content, L1Facts};
use ttmem_model::l1::report::ChipReport;
use ttmem_model::l1::{BankBuffers, Core, CoreState, Count, KernelNames};
use ttmem_model::reading::{Missing, Quality, Reading, SourceName};
use ttmem_model::snapshot::{CircularBufferMemory, KernelMemory, ReservedMemory, SourceStatus};
use ttmem_model::{Arch, Pid};

use super::chips;
use super::join::{Joined, JoinedChip, Origin, simulator};
use super::memory::Amounts;

pub(crate) use programs::{CoreByAgent, by_core as cores_by_agent, difference};
pub(crate) use recorded::recorded;
pub(super) use tensors::{buffers, shared_and_used_by_core};

/// The report of a chip.
pub(super) fn report(
    joined: &Joined<'_>,
    chip: &JoinedChip,
    content: &L1Content,
    names: &Field<KernelNames>,
    buffers: Option<&BankBuffers>,
) -> ChipReport {
    let by_l1 = || Arch::from_l1_bytes_per_core(content.geometry.l1_bytes);
    let arch = joined.l1(chip).and_then(|l1| l1.arch).or_else(|| chips::arch(joined, chip));
    let arch = arch.or_else(by_l1).unwrap_or(Arch::Wormhole);
    ChipReport::new((chip.id_source.identity(chip.id), arch), content, names, buffers)
}

/// The readings of a chip that follow from its L1.
pub(super) struct Resident {
    pub(super) circular_buffers: CircularBufferMemory,
    pub(super) kernels: KernelMemory,
    pub(super) reserved: ReservedMemory,
    pub(super) total_used: Reading<u64>,
}

/// The size of a chip's L1.
pub(super) struct Size {
    pub(super) worker_cores: Reading<u64>,
    pub(super) bytes: Reading<u64>,
}

/// Returns the number of worker cores and the bytes of their L1, as the cores report them; `None` if L1 was not read.
pub(super) fn size(joined: &Joined<'_>, chip: &JoinedChip) -> Option<Size> {
    let l1 = joined.l1(chip)?;
    let content = l1.content.as_ref().ok()?;
    let grid = content.cores.iter().find_map(|core| core.grid)?;
    let cores = u64::from(grid.columns) * u64::from(grid.rows);
    let age = joined.facts.time.micros_since(l1.read_at);
    let exact = |number| Reading::exact(number, SourceName::L1).aged(age);
    Some(Size {
        worker_cores: exact(cores),
        bytes: exact(cores.saturating_mul(content.geometry.l1_bytes)),
    })
}

/// Returns the bytes that are resident in the L1 of a chip.
pub(super) fn resident(
    joined: &Joined<'_>,
    chip: &JoinedChip,
    amounts: &Amounts,
    capacity: &Reading<u64>,
) -> Resident {
    let reported = amounts.reported.clone();
    let is_read = joined.l1(chip).is_some_and(|l1| l1.content.is_ok());
    if !is_read && let Some(by_agent) = programs::resident(joined, chip, amounts, capacity) {
        return by_agent.unwrap_or_else(|missing| blank(&missing, reported));
    }
    match joined.l1(chip).map(|l1| (l1, l1.content.as_ref())) {
        Some((l1, Ok(content))) => {
            let tensors = buffers(joined, chip, amounts);
            let age = joined.facts.time.micros_since(l1.read_at);
            let by_agent = programs::resident(joined, chip, amounts, capacity);
            of_content(l1, content, tensors.as_ref(), (reported, by_agent), age)
        }
        Some((_, Err(missing))) => blank(missing, reported),
        None => blank(&not_read(joined, chip), reported),
    }
}

/// True if the agent of the chip's owner recorded the same bytes of circular buffers.
fn agrees(by_agent: Option<&Field<Resident>>, bytes: Option<&u64>) -> bool {
    let Some(Ok(by_agent)) = by_agent else { return false };
    by_agent.circular_buffers.used.value() == bytes
}

/// Returns the headroom of a chip whose L1 was read. Only an agent knows the addresses of tensors.
fn headroom(by_agent: Option<Field<Resident>>) -> Reading<u64> {
    match by_agent {
        Some(Ok(by_agent)) => by_agent.circular_buffers.headroom,
        Some(Err(missing)) => missing.into(),
        None => {
            let why = "where the lowest L1 buffer is is known to an agent alone: start the process with ttmem run";
            Missing::no_source(why).into()
        }
    }
}

fn not_read(joined: &Joined<'_>, chip: &JoinedChip) -> Missing {
    let l1 = joined.facts.sources.iter().find(|source| source.name == SourceName::L1);
    let is_asked = l1.is_some_and(|source| source.status != SourceStatus::NotRead);
    match chip.origin {
        Origin::Remote { .. } if is_asked => {
            Missing::unsupported("the L1 of a remote chip is not read: it is behind Ethernet")
        }
        Origin::Unmatched if let Some(pid) = simulating(joined, chip) => Missing::no_source(
            format!("the simulation servers of process {pid} have no socket for this chip"),
        ),
        _ => Missing::not_read("L1 was not read"),
    }
}

/// Returns a process that has the chip open and simulates others: UMD makes no socket for a remote chip.
fn simulating(joined: &Joined<'_>, chip: &JoinedChip) -> Option<Pid> {
    let users = joined.pids(chip);
    joined.facts.l1.iter().filter_map(simulator).find(|pid| users.contains(pid))
}

fn blank(missing: &Missing, reported: Reading<u64>) -> Resident {
    let blank = || -> Reading<u64> { missing.clone().into() };
    Resident {
        circular_buffers: CircularBufferMemory {
            used: blank(),
            running: blank(),
            reported,
            aliasing: blank(),
            headroom: blank(),
        },
        kernels: KernelMemory { used: blank(), running: blank(), system: blank() },
        reserved: ReservedMemory { used: blank() },
        total_used: blank(),
    }
}

fn of_content(
    l1: &L1Facts,
    content: &L1Content,
    tensors: Result<&BankBuffers, &Missing>,
    (reported, by_agent): (Reading<u64>, Option<Field<Resident>>),
    age: u64,
) -> Resident {
    let cores = &content.cores;
    let sum = |total: CoreTotal| total_of(cores, total.of_cores(l1, content));
    let reading =
        |field: Field<u64>, quality| Reading::from_field(field, SourceName::L1, quality).aged(age);
    let exact = |field| reading(field, Quality::Exact);
    let buffers = sum(CoreTotal::CircularBuffers);
    let is_certain = !cores.iter().any(Core::may_be_of_the_next)
        || agrees(by_agent.as_ref(), buffers.as_ref().ok());
    let quality = if is_certain { Quality::Exact } else { Quality::Inferred };
    let reserved = sum(CoreTotal::Reserved);
    let (shared, used) = match tensors {
        Ok(tensors) => tensors::shared_and_used(content, tensors),
        Err(why) => (aliasing(&buffers, why), Err(total_used(&reserved, &buffers, why))),
    };
    Resident {
        circular_buffers: CircularBufferMemory {
            used: reading(buffers.clone(), quality),
            running: exact(sum(CoreTotal::RunningCircularBuffers)),
            reported,
            aliasing: reading(shared, quality),
            headroom: headroom(by_agent),
        },
        kernels: kernels(l1, content, age),
        reserved: ReservedMemory { used: exact(reserved.clone()) },
        total_used: reading(used, quality),
    }
}

/// Returns the bytes that circular buffers share with unknown tensors: zero without circular buffers.
fn aliasing(buffers: &Field<u64>, why: &Missing) -> Field<u64> {
    match buffers {
        Ok(0) => Ok(0),
        Ok(_) => Err(why.clone()),
        Err(missing) => Err(missing.clone()),
    }
}

/// Returns the reason that the bytes in use are missing, and their minimum: reserved memory and circular buffers
/// never share a byte, while tensors and circular buffers may share all of them.
fn total_used(reserved: &Field<u64>, buffers: &Field<u64>, why: &Missing) -> Missing {
    match (reserved, buffers) {
        (Ok(reserved), Ok(buffers)) => Missing::new(
            why.reason,
            format!(
                "at least {} bytes are: reserved memory and circular buffers, which may be tensors, so that adding \
                 those would count bytes twice; {}",
                reserved.saturating_add(*buffers),
                why.detail
            ),
        ),
        (Err(missing), _) | (_, Err(missing)) => missing.clone(),
    }
}

/// Returns the bytes of kernels; those of TT-Metal's own kernels are separate where names distinguish them.
fn kernels(l1: &L1Facts, content: &L1Content, age: u64) -> KernelMemory {
    let (cores, names) = (&content.cores, &l1.names);
    let sum = |total: CoreTotal| total_of(cores, total.of_cores(l1, content));
    let all_known = cores.iter().all(|core| is_system(core, names).is_some());
    let all = total_of(cores, cores.iter().map(Core::kernel_text_bytes));
    // Without names, all text counts as the application's, and the reading is inferred.
    let quality = if all_known || all == Ok(0) { Quality::Exact } else { Quality::Inferred };
    let reading = |field, quality| Reading::from_field(field, SourceName::L1, quality).aged(age);
    let system = match (all_known, &all) {
        (true, _) | (_, Ok(0)) => sum(CoreTotal::SystemKernels),
        _ => Err(nameless(names)),
    };
    KernelMemory {
        used: reading(sum(CoreTotal::Kernels), quality),
        running: reading(sum(CoreTotal::RunningKernels), quality),
        system: reading(system, Quality::Exact),
    }
}

fn nameless(names: &Field<KernelNames>) -> Missing {
    match names {
        Err(missing) => Missing::new(
            missing.reason,
            format!("only their names tell the system's kernels apart: {}", missing.detail),
        ),
        Ok(_) => Missing::no_source(
            "only their names tell the system's kernels apart, and kernels.yaml does not list some of them",
        ),
    }
}

/// Returns the number of a core whose program is running, else 0; a torn core may be running.
fn at_work(core: &Core, number: Count) -> Count {
    match core.state {
        CoreState::Running | CoreState::Torn => number,
        CoreState::Finished | CoreState::Idle => Count::Known(0),
        CoreState::Resident => {
            Missing::not_read("an agent does not know which programs run").into()
        }
    }
}

/// A number of each core whose sum is a reading of the chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CoreTotal {
    CircularBuffers,
    RunningCircularBuffers,
    Reserved,
    Kernels,
    RunningKernels,
    SystemKernels,
}

impl CoreTotal {
    /// Returns the number of each core, in the order of the cores.
    pub(super) fn of_cores<'a>(
        self,
        l1: &'a L1Facts,
        content: &'a L1Content,
    ) -> impl Iterator<Item = Count> + use<'a> {
        content.cores.iter().map(move |core| self.of(core, &l1.names))
    }

    fn of(self, core: &Core, names: &Field<KernelNames>) -> Count {
        let text = |system: bool| match is_system(core, names) {
            Some(known) if known != system => Count::Known(0),
            _ => core.kernel_text_bytes(),
        };
        match self {
            Self::CircularBuffers => core.circular_buffer_bytes(),
            Self::RunningCircularBuffers => at_work(core, core.circular_buffer_bytes()),
            Self::Reserved => match core.unreserved {
                Some(bytes) => bytes.into(),
                None => core.circular_buffer_bytes(),
            },
            Self::Kernels => text(false),
            Self::RunningKernels => at_work(core, text(false)),
            Self::SystemKernels => text(true),
        }
    }
}

/// True if the program of a core is TT-Metal's own; `None` if its kernels have no names.
fn is_system(core: &Core, names: &Field<KernelNames>) -> Option<bool> {
    match (&core.program, names) {
        (None, _) => Some(false),
        (Some(_), Ok(names)) => names.is_system_core(core),
        (Some(_), Err(_)) => None,
    }
}

/// Returns how many cores of the chip's grid were not read, if any: such as a row that a capture does not list.
fn unlisted(cores: &[Core]) -> Option<String> {
    let grid = cores.iter().find_map(|core| core.grid)?;
    let all = usize::from(grid.columns) * usize::from(grid.rows);
    let number = all.checked_sub(cores.len()).filter(|number| *number > 0)?;
    Some(format!("{number} of the grid's {all} cores were not read"))
}

/// Adds up the numbers of all cores, in their order.
fn total_of(cores: &[Core], counts: impl IntoIterator<Item = Count>) -> Field<u64> {
    let mut known = 0_u64;
    let mut blanks = Vec::new();
    for (core, count) in cores.iter().zip(counts) {
        match count {
            Count::Known(bytes) => known = known.saturating_add(bytes),
            Count::Missing(missing) => blanks.push((core, missing)),
        }
    }
    let Some((core, first)) = blanks.first() else {
        return match unlisted(cores) {
            None => Ok(known),
            Some(missing) => {
                Err(Missing::failed(format!("{missing}; the others have {known} bytes")))
            }
        };
    };
    let position = core.logical.unwrap_or(core.noc);
    Err(Missing::new(
        first.reason,
        format!(
            "{} of {} cores do not tell; ({}, {}): {}; the others have {known} bytes",
            blanks.len(),
            cores.len(),
            position.x,
            position.y,
            first.detail
        ),
    ))
}
