//! The findings and their remedies, worst first.

mod devices;
mod left;
mod shared;
mod simulators;

use std::collections::BTreeMap;

use ttmem_model::facts::{Bounded, Excess, Facts, ProcessFacts, RegionContent};
use ttmem_model::finding::{Finding, Severity};
use ttmem_model::order;
use ttmem_model::reading::MissingReason;
use ttmem_model::{AllocatorKind, Bytes, ChipId, Kind, Pid};

use super::agent;
use super::join::{Joined, JoinedChip, Origin, Owner};
use super::memory::{Amounts, Usage, sum_of};

/// Slots of a region (TT-Metal 0.70 to 0.81.1).
const REGION_SLOTS: usize = 64;

/// Finds what is wrong.
pub(super) fn find(
    joined: &Joined<'_>,
    amounts: &[Amounts],
    previous: Option<&Facts>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (chip, amounts) in joined.chips.iter().zip(amounts) {
        findings.extend(devices::find(joined, chip));
        findings.extend(simulators::find(joined, chip));
        findings.extend(refused(joined, chip, amounts));
        findings.extend(totals_that_disagree(joined, chip));
        findings.extend(full_regions(joined, chip));
        findings.extend(shared::find(joined, chip, amounts));
        findings.extend(owners_outside(joined, chip));
        findings.extend(openers_that_are_gone(joined, chip));
    }
    findings.extend(devices::incomplete_trays(joined.facts));
    findings.extend(regions_of_no_device(joined));
    findings.extend(stale_processes(joined, amounts));
    findings.extend(left::find(joined));
    findings.extend(unreadable_regions(joined));
    findings.extend(tracking_switched_off(joined));
    findings.extend(agent::find(joined, amounts));
    findings.extend(chips_that_went(joined, previous));
    findings.extend(joined.facts.excess.iter().map(excess));
    order::sort_by_key(&mut findings, |finding| std::cmp::Reverse(finding.severity));
    let index = |id| Some(joined.chips.iter().find(|chip| chip.id == id)?.index);
    for finding in &mut findings {
        finding.chip_index = finding.chip.and_then(index);
    }
    findings
}

pub(super) struct Subject {
    pub(super) chip: Option<ChipId>,
    pub(super) pid: Option<Pid>,
}

impl Subject {
    pub(super) fn process(pid: Pid) -> Self {
        Self { chip: None, pid: Some(pid) }
    }

    pub(super) fn chip(chip: &JoinedChip) -> Self {
        Self { chip: Some(chip.id), pid: None }
    }

    pub(super) fn finding(
        self,
        id: &str,
        severity: Severity,
        text: String,
        remedy: impl Into<String>,
    ) -> Finding {
        let Self { chip, pid } = self;
        Finding {
            id: id.to_owned(),
            severity,
            chip,
            chip_index: None,
            pid,
            text,
            remedy: remedy.into(),
        }
    }
}

/// Chips of the previous pass that have disappeared.
fn chips_that_went(joined: &Joined<'_>, previous: Option<&Facts>) -> Vec<Finding> {
    let gone = |number: &u32| joined.facts.devices.iter().all(|device| device.number != *number);
    let before = previous.into_iter().flat_map(|facts| &facts.devices).map(|device| device.number);
    before
        .filter(gone)
        .map(|number| {
            Subject { chip: None, pid: None }.finding(
                "chip-vanished",
                Severity::Error,
                format!("chip {number} was there at the last sample and is gone"),
                "a reset ends within a minute; if the chip stays away, read the kernel log",
            )
        })
        .collect()
}

/// One user has too much of something.
fn excess(excess: &Excess) -> Finding {
    let Excess { what, user, directory, count, read } = excess;
    let whose = user.as_deref().map_or("all users together", |user| user);
    let inside = if directory.is_empty() { String::new() } else { format!(" in {directory}") };
    let verb = if user.is_some() { "has" } else { "have" };
    let remedy = match (what, user) {
        (Bounded::Segments, _) => {
            "figures of the rest are not shown; ttmem doctor --clean removes those of ended processes, some at a time"
        }
        (_, None) => "figures of the rest are not shown; ask for the rest to be removed",
        _ => "figures of the rest are not shown; ask that user to remove what is not needed",
    };
    Subject { chip: None, pid: None }.finding(
        "too-many",
        Severity::Warning,
        format!("{whose} {verb} {count} {}{inside}, of which ttmem reads {read}", what.label()),
        remedy,
    )
}

/// Counters that cannot be true.
fn refused(joined: &Joined<'_>, chip: &JoinedChip, amounts: &Amounts) -> Vec<Finding> {
    let of_processes = amounts.refused.iter().map(|refused| {
        let pid = Some(Pid(refused.pid));
        let counter = format!("{} of process {}", refused.kind.label(), refused.pid);
        (pid, counter, &refused.why)
    });
    let of_chip = amounts.reported.missing().filter(|why| why.reason == MissingReason::Failed);
    let unread = joined.regions(chip).any(|(region, _)| region.content.is_err());
    let of_chip = of_chip.filter(|_| !unread && amounts.refused.is_empty());
    let of_chip = of_chip.map(|why| (None, "circular buffers in total".to_owned(), why));
    of_processes
        .chain(of_chip)
        .map(|(pid, counter, why)| {
            let id = if why.detail.contains("wrapped") { "counter-wrapped" } else { "counter-too-large" };
            Subject { chip: Some(chip.id), pid }.finding(
                id,
                Severity::Error,
                format!("chip {}, {counter}: {}", chip.index, why.detail),
                "the number is not used. A mesh and its submesh that both allocate on the chip are counted twice; otherwise the \
                 region is valid again when its processes have ended and it is removed",
            )
        })
        .collect()
}

/// Regions whose totals are not the sum of their slots.
fn totals_that_disagree(joined: &Joined<'_>, chip: &JoinedChip) -> Vec<Finding> {
    // While a slot is released its bytes may be on either side.
    let settled = joined.contents(chip).filter(|content| content.releasing == 0);
    settled
        .filter_map(|content| {
            let differences = differences(content);
            (!differences.is_empty()).then(|| {
                Subject::chip(chip).finding(
                    "totals-disagree",
                    Severity::Warning,
                    format!(
                        "the region of chip {} contradicts itself: {}",
                        chip.index,
                        differences.join("; ")
                    ),
                    "ttmem adds up the processes; the totals are right again when the region is recreated",
                )
            })
        })
        .collect()
}

fn differences(content: &RegionContent) -> Vec<String> {
    let difference = |(kind, total): (AllocatorKind, u64)| {
        let sum = sum_of(content.slots.iter().map(|slot| &slot.bytes), kind);
        let processes = match sum {
            Some(sum) if sum == total => return None,
            Some(sum) => format!("{} ({sum})", Bytes(sum)),
            None => "more than 2^64".to_owned(),
        };
        let kind = Kind::from(kind).label();
        Some(format!("{kind} total {} ({total}), processes {processes}", Bytes(total)))
    };
    content.totals.allocators().into_iter().filter_map(difference).collect()
}

fn full_regions(joined: &Joined<'_>, chip: &JoinedChip) -> Option<Finding> {
    let full = joined.contents(chip).any(|content| content.slots.len() >= REGION_SLOTS);
    full.then(|| {
        Subject::chip(chip).finding(
            "region-full",
            Severity::Warning,
            format!("all {REGION_SLOTS} slots of chip {}'s region are taken: further processes are not counted", chip.index),
            "end processes that are done; slots of killed ones are free again when the region is recreated",
        )
    })
}

fn owners_outside(joined: &Joined<'_>, chip: &JoinedChip) -> Option<Finding> {
    let outside = joined.holders(chip)?.outside;
    (outside > 0).then(|| {
        let files = if outside == 1 { "open file" } else { "open files" };
        Subject::chip(chip).finding(
            "owner-outside-namespace",
            Severity::Info,
            format!(
                "chip {} is in use outside this process namespace ({outside} {files})",
                chip.index
            ),
            "run ttmem on the host to see whose they are",
        )
    })
}

/// Finds openers that ended while another process still has the file open.
fn openers_that_are_gone(joined: &Joined<'_>, chip: &JoinedChip) -> Vec<Finding> {
    if joined.facts.processes_hidden {
        return Vec::new();
    }
    let listed = joined.holders(chip).map(|holders| holders.pids.as_slice()).unwrap_or_default();
    let gone = listed.iter().filter(|pid| !joined.facts.processes.contains_key(pid));
    gone.map(|pid| {
        Subject { chip: Some(chip.id), pid: Some(*pid) }.finding(
            "opener-gone",
            Severity::Warning,
            format!(
                "process {pid} opened chip {} and is gone; the driver still lists it",
                chip.index
            ),
            "a child of it may have the device open: do not reset the chip before you know",
        )
    })
    .collect()
}

/// Finds processes that have ended and still have bytes listed.
fn stale_processes(joined: &Joined<'_>, amounts: &[Amounts]) -> Vec<Finding> {
    let mut gone: BTreeMap<Owner, Vec<(&JoinedChip, &Usage)>> = BTreeMap::new();
    for (chip, amounts) in joined.chips.iter().zip(amounts) {
        for held in amounts.held.iter().filter(|held| held.holds_bytes()) {
            if held.is_gone() {
                gone.entry(held.holder).or_default().push((chip, held));
            }
        }
    }
    let finding = |(holder, usages): (Owner, Vec<(&JoinedChip, &Usage)>)| {
        let Owner::Gone { pid, reused, .. } = holder else { return None };
        let name = usages.first().map(|(_, held)| held.name.as_str()).unwrap_or_default();
        let name = if name.is_empty() { String::new() } else { format!(" ({name})") };
        let now = if reused { "; its pid belongs to another process now" } else { "" };
        let only = match usages.as_slice() {
            [(chip, _)] => Some(chip.id),
            _ => None,
        };
        let text =
            format!("process {pid}{name} has ended; {} are stale{now}", amounts_text(&usages));
        Some(Subject { chip: only, pid: Some(Pid(pid)) }.finding(
            "stale-memory",
            Severity::Warning,
            text,
            if usages.iter().any(|(_, held)| held.agent.is_some()) {
                format!("the memory is free; ttmem buffers -p {pid} lists it, ttmem doctor --clean deletes the segment")
            } else {
                "the memory is free; only TT-Metal's bookkeeping still lists it. Delete /dev/shm/tt_device_*_memory when the chip is idle".to_owned()
            },
        ))
    };
    gone.into_iter().filter_map(finding).collect()
}

/// `2.00 MiB DRAM, 1.00 MiB L1 on chip 0`; on several chips the sums.
fn amounts_text(usages: &[(&JoinedChip, &Usage)]) -> String {
    let held: Vec<&Usage> = usages.iter().map(|(_, held)| *held).collect();
    let chips: Vec<String> = usages.iter().map(|(chip, _)| chip.index.to_string()).collect();
    let noun = if chips.len() == 1 { "chip" } else { "chips" };
    format!("{} on {noun} {}", amounts_of(&held).join(", "), chips.join(", "))
}

/// `2.00 MiB DRAM`, `1.00 MiB L1`: the sums of the kinds that are held.
fn amounts_of(held: &[&Usage]) -> Vec<String> {
    let amount = |kind: AllocatorKind| {
        let all = held.iter().map(|held| held.reading(kind, 0).value().copied());
        let label = Kind::from(kind).label();
        let sum = all.into_iter().try_fold(0_u64, |sum, bytes| sum.checked_add(bytes?));
        match sum {
            Some(0) => None,
            Some(sum) => Some(format!("{} {label}", Bytes(sum))),
            None => Some(format!("unknown {label}")),
        }
    };
    AllocatorKind::ALL.into_iter().filter_map(amount).collect()
}

/// The most files of one user of which each has a finding of its own; the others share one.
pub(super) const FINDINGS_OF_USER: usize = 4;

fn unreadable_regions(joined: &Joined<'_>) -> Vec<Finding> {
    let mut denied: BTreeMap<Option<&str>, Vec<usize>> = BTreeMap::new();
    let mut unusable: BTreeMap<Option<&str>, usize> = BTreeMap::new();
    let mut findings = Vec::new();
    for (index, region) in joined.facts.regions.iter().enumerate() {
        let Err(missing) = &region.content else { continue };
        if missing.reason == MissingReason::Denied {
            denied.entry(region.user.as_deref()).or_default().push(index);
            continue;
        }
        let count = unusable.entry(region.user.as_deref()).or_default();
        *count += 1;
        if *count > FINDINGS_OF_USER {
            continue;
        }
        let remedy = match missing.reason {
            MissingReason::Unsupported => {
                "its numbers are not shown: use a ttmem that knows this version"
            }
            _ if joined.facts.processes_outside => {
                "its numbers are not shown; run ttmem on the host to see whether its owners have ended"
            }
            _ => {
                "its numbers are not shown; once its owners have ended, removing the file does no harm"
            }
        };
        let text = format!("{}: {}", region.path, missing.detail);
        let subject = region_subject(joined, &[index]);
        findings.push(subject.finding("region-unusable", Severity::Warning, text, remedy));
    }
    findings
        .extend(denied.into_iter().map(|(user, indexes)| denied_regions(joined, user, &indexes)));
    findings.extend(more_unusable("region-unusable", "regions", unusable));
    findings
}

/// One finding for the files of each user beyond [`FINDINGS_OF_USER`].
pub(super) fn more_unusable(
    id: &str,
    what: &str,
    counts: BTreeMap<Option<&str>, usize>,
) -> Vec<Finding> {
    let too_many = counts.into_iter().filter(|(_, count)| *count > FINDINGS_OF_USER);
    too_many
        .map(|(user, count)| {
            let (whose, more) = (user.unwrap_or("another user"), count - FINDINGS_OF_USER);
            let text = format!("{more} more {what} of {whose} are unusable");
            Subject { chip: None, pid: None }.finding(
                id,
                Severity::Warning,
                text,
                "their numbers are not shown; remove them once their processes have ended",
            )
        })
        .collect()
}

/// One finding for all the regions of one user.
fn denied_regions(joined: &Joined<'_>, user: Option<&str>, indexes: &[usize]) -> Finding {
    let whose = user.unwrap_or("another user");
    let first = indexes.first().map(|index| joined.facts.regions[*index].path.as_str());
    let first = first.unwrap_or_default();
    let text = match indexes.len() {
        1 => format!("{first} belongs to {whose} and cannot be read"),
        count => format!("{first} and {} more belong to {whose} and cannot be read", count - 1),
    };
    region_subject(joined, indexes).finding(
        "region-denied",
        Severity::Warning,
        text,
        "run ttmem as that user or as root: TT-Metal makes regions with mode 0600",
    )
}

/// Finds processes that have devices open and memory regions of chips that are none of them.
fn regions_of_no_device(joined: &Joined<'_>) -> Vec<Finding> {
    let mut counts: BTreeMap<Pid, usize> = BTreeMap::new();
    let unknown = joined.chips.iter().filter(|chip| chip.origin == Origin::Unmatched);
    for pid in unknown.flat_map(|chip| joined.pids(chip)) {
        *counts.entry(pid).or_default() += 1;
    }
    let holds = |pid: Pid| {
        let mut holders = joined.facts.devices.iter().filter_map(|one| one.holders.as_ref().ok());
        holders.any(|holders| holders.pids.contains(&pid))
    };
    let with_device = counts.into_iter().filter(|(pid, _)| holds(*pid));
    let finding = |(pid, count): (Pid, usize)| {
        let chips = if count == 1 { "a chip".to_owned() } else { format!("{count} chips") };
        Subject::process(pid).finding(
            "region-unassigned",
            Severity::Warning,
            format!(
                "process {pid} has memory on {chips} of which no device is known: one that it has open was removed or cannot be read, \
                 or another process numbered them"
            ),
            "the memory is listed beside the devices; if a device is missing, end the process and reset its board with tt-smi -r",
        )
    };
    with_device.map(finding).collect()
}

/// The chip of a region, if there is one region and its chip is known.
fn region_subject(joined: &Joined<'_>, indexes: &[usize]) -> Subject {
    let chip = match indexes {
        [index] => joined
            .chips
            .iter()
            .find(|chip| chip.regions.iter().any(|link| link.region == *index))
            .map(|chip| chip.id),
        _ => None,
    };
    Subject { chip, pid: None }
}

fn tracking_switched_off(joined: &Joined<'_>) -> Vec<Finding> {
    let is_off = |(_, process): &(&Pid, &ProcessFacts)| process.tracking_disabled == Ok(true);
    let holders = joined.facts.processes.iter().filter(is_off);
    holders
        .filter_map(|(pid, process)| {
            let chips: Vec<&JoinedChip> =
                joined.chips.iter().filter(|chip| joined.pids(chip).contains(pid)).collect();
            if chips.iter().any(|chip| joined.pids_with_agents(chip).contains(pid)) {
                return None;
            }
            let only = match chips.as_slice() {
                [] => return None,
                [chip] => Some(chip.id),
                _ => None,
            };
            Some(Subject { chip: only, pid: Some(*pid) }.finding(
                "tracking-disabled",
                Severity::Warning,
                format!("process {pid} ({}) does not report its memory: TT_METAL_SHM_TRACKING_DISABLED is set", process.name),
                "start it without that variable",
            ))
        })
        .collect()
}
