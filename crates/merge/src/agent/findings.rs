//! Findings about agents, and about differences from the regions.

use std::collections::BTreeMap;

use ttmem_model::facts::SegmentFile;
use ttmem_model::finding::{Finding, Severity};
use ttmem_model::reading::MissingReason;
use ttmem_model::{AllocatorKind, Bytes, Kind, Pid};
use ttmem_segment::{AgentState, Allocator, Buffer, Segment};

use super::super::findings::{FINDINGS_OF_USER, Subject, more_unusable};
use super::super::join::{Joined, JoinedChip, Owner};
use super::super::l1;
use super::super::memory::{Amounts, Usage};
use super::super::words::allocator_in_words;
use super::overlap::{Overlap, overlap};
use super::{main_allocator, sees_all};
use crate::figures::is_settled;

/// A region is written just after the allocation: only figures that were constant for this long are compared.
const SETTLED_NS: u64 = 1_000_000_000;

/// Finds what is wrong.
pub(crate) fn find(joined: &Joined<'_>, amounts: &[Amounts]) -> Vec<Finding> {
    let mut findings = unreadable(joined);
    for segment in 0..joined.facts.segments.len() {
        findings.extend(of_agent(joined, segment));
    }
    for (chip, amounts) in joined.chips.iter().zip(amounts) {
        findings.extend(amounts.held.iter().filter_map(|held| disagreement(joined, chip, held)));
        findings.extend(missed(joined, chip));
        findings.extend(overlapping(joined, chip));
        findings.extend(differs_from_l1(joined, chip));
    }
    findings
}

/// Finds circular buffers that L1 and the agent place differently.
fn differs_from_l1(joined: &Joined<'_>, chip: &JoinedChip) -> Option<Finding> {
    let difference = l1::difference(joined, chip)?;
    let (x, y) = difference.core;
    let others = match difference.cores - 1 {
        0 => String::new(),
        1 => "; 1 more core differs".to_owned(),
        more => format!("; {more} more cores differ"),
    };
    let text = format!(
        "core ({x}, {y}) has {} bytes of circular buffers in L1, and the agent recorded {}{others}",
        difference.read, difference.recorded
    );
    let remedy = "L1 is shown; a program that another process ran, or that the agent missed, is the likely reason";
    Some(Subject::chip(chip).finding("agent-l1", Severity::Warning, text, remedy))
}

fn unreadable(joined: &Joined<'_>) -> Vec<Finding> {
    let mut denied: BTreeMap<Option<&str>, Vec<&SegmentFile>> = BTreeMap::new();
    let mut unusable: BTreeMap<Option<&str>, usize> = BTreeMap::new();
    let mut findings = Vec::new();
    for file in &joined.facts.segments {
        let Err(missing) = &file.content else { continue };
        if missing.reason == MissingReason::Denied {
            denied.entry(file.user.as_deref()).or_default().push(file);
            continue;
        }
        // Its agent is creating it.
        if missing.reason == MissingReason::NotRead {
            continue;
        }
        let count = unusable.entry(file.user.as_deref()).or_default();
        *count += 1;
        if *count > FINDINGS_OF_USER {
            continue;
        }
        let remedy = match missing.reason {
            MissingReason::Unsupported => {
                "its numbers are not shown; start the process with the ttmem run of this version"
            }
            _ if joined.facts.processes_outside => {
                "its numbers are not shown; ttmem doctor --clean on the host removes it once its process has ended"
            }
            _ => {
                "its numbers are not shown; ttmem doctor --clean removes it once its process has ended"
            }
        };
        let text = format!("{}: {}", file.path, missing.detail);
        let subject = Subject::process(Pid(file.pid));
        findings.push(subject.finding("segment-unusable", Severity::Warning, text, remedy));
    }
    findings.extend(denied.into_iter().map(|(user, files)| denied_segments(user, &files)));
    findings.extend(more_unusable("segment-unusable", "segments", unusable));
    findings
}

/// One finding for all the segments of one user.
fn denied_segments(user: Option<&str>, files: &[&SegmentFile]) -> Finding {
    let whose = user.unwrap_or("another user");
    let first = files.first().map(|file| file.path.as_str()).unwrap_or_default();
    let (pid, text) = match files {
        [file] => (Some(Pid(file.pid)), format!("{first} belongs to {whose} and cannot be read")),
        files => {
            let more = files.len() - 1;
            (None, format!("{first} and {more} more belong to {whose} and cannot be read"))
        }
    };
    Subject { chip: None, pid }.finding(
        "segment-denied",
        Severity::Warning,
        text,
        "run ttmem as that user or as root: the agent makes segments with mode 0600",
    )
}

/// Finds agents that are off or lost something.
fn of_agent(joined: &Joined<'_>, index: usize) -> Option<Finding> {
    let file = joined.facts.segments.get(index)?;
    let Owner::Live(pid) = joined.segment_owner(index) else { return None };
    let segment = file.content.as_ref().ok()?;
    let losses = &segment.losses;
    let (id, text, remedy) = if segment.header.state == AgentState::Off {
        (
            "agent-off",
            format!("the agent of process {pid} found a defect in itself and switched itself off"),
            "the upstream region's figures are shown where there are any; start the process again to count exactly",
        )
    } else if !sees_all(segment) && has_allocators(segment) {
        (
            "agent-blind",
            format!("the agent of process {pid} finds no function to count by in this TT-Metal"),
            "TT-Metal's own statistics are shown, up to a tenth of a second old; ttmem doctor lists the functions",
        )
    } else if losses.allocators_dropped + losses.reentrant_calls > 0 {
        (
            "agent-lossy",
            format!(
                "the agent of process {pid} could not record {} calls and {} allocators",
                losses.reentrant_calls, losses.allocators_dropped
            ),
            "its figures may be too small or too large by what these did",
        )
    } else {
        return None;
    };
    Some(Subject::process(pid).finding(id, Severity::Warning, text, remedy))
}

fn has_allocators(segment: &Segment) -> bool {
    segment.allocators.iter().any(|allocator| allocator.closed.is_none())
}

/// Finds differences between TT-Metal's allocator and the hooks, once nothing moves.
fn missed(joined: &Joined<'_>, chip: &JoinedChip) -> Vec<Finding> {
    let mut findings = Vec::new();
    for link in &chip.agents {
        let Owner::Live(pid) = joined.segment_owner(link.segment) else { continue };
        let Ok(segment) = &joined.facts.segments[link.segment].content else { continue };
        let Some(allocator) = main_allocator(segment, link.chip) else { continue };
        // A mesh is reported once, with its first chip.
        let is_first = allocator.chips.first().is_none_or(|first| *first == link.chip);
        if !is_first || !allocator.role.has_all_banks() || !sees_all(segment) {
            continue;
        }
        for kind in AllocatorKind::ALL {
            let held = allocator.kind(kind);
            let (Some(statistics), Some(residual)) = (held.statistics, held.residual) else {
                continue;
            };
            if residual == 0 || !is_settled(held) {
                continue;
            }
            let label = Kind::from(kind).label();
            findings.push(Subject { chip: Some(chip.id), pid: Some(pid) }.finding(
                "agent-residual",
                Severity::Warning,
                format!(
                    "process {pid}: TT-Metal's allocator has {} {label} a bank and the agent counted {} ({residual:+})",
                    statistics.allocated, held.live_bytes
                ),
                "TT-Metal's figure is shown; buffers allocated before the agent was loaded are not in its list",
            ));
        }
    }
    findings
}

/// Finds allocators of one process that handed out the same bytes of a chip.
fn overlapping(joined: &Joined<'_>, chip: &JoinedChip) -> Vec<Finding> {
    let mut findings = Vec::new();
    for link in &chip.agents {
        let Owner::Live(pid) = joined.segment_owner(link.segment) else { continue };
        let Ok(segment) = &joined.facts.segments[link.segment].content else { continue };
        for kind in AllocatorKind::ALL {
            let Some(Overlap { bytes, buffers: [one, other] }) = overlap(segment, link.chip, kind)
            else {
                continue;
            };
            let named = |(buffer, allocator): (&Buffer, &Allocator)| {
                let op = buffer.op.as_ref().map_or("a buffer", |op| &*op.name);
                format!(
                    "{op} at {}, {} a bank, of {}",
                    buffer.address,
                    buffer.bytes_per_bank,
                    allocator_in_words(allocator)
                )
            };
            findings.push(Subject { chip: Some(chip.id), pid: Some(pid) }.finding(
                "allocators-overlap",
                Severity::Error,
                format!(
                    "process {pid} on chip {}: two allocators handed out the same {} of {}: {}; {}",
                    chip.index,
                    Bytes(bytes),
                    Kind::from(kind).label(),
                    named(one),
                    named(other)
                ),
                "one tensor overwrites the other: allocate through the mesh or through its submesh, not through both",
            ));
        }
    }
    findings
}

/// The region counts requested bytes and the agent reservations, so the region may well count less, but never more; and
/// a region that counts nothing of memory in use has missed it.
fn disagreement(joined: &Joined<'_>, chip: &JoinedChip, held: &Usage) -> Option<Finding> {
    let Owner::Live(pid) = held.holder else { return None };
    // A slot that several share may count more than the agent of one.
    let agent = held.agent.as_ref().filter(|_| !held.is_shared)?;
    let settled =
        held.updated_ns.saturating_add(SETTLED_NS) < joined.facts.time.0.saturating_mul(1000);
    if !settled {
        return None;
    }
    let differs = |kind: AllocatorKind| {
        let exact = agent[kind].value()?;
        let region = held.bytes[kind].as_ref().ok()?;
        let wrong = region > exact || *region == 0 && *exact > 0;
        wrong.then(|| {
            format!(
                "{} {} by the region and {} by the agent",
                Kind::from(kind).label(),
                Bytes(*region),
                Bytes(*exact)
            )
        })
    };
    let differences: Vec<String> = AllocatorKind::ALL.into_iter().filter_map(differs).collect();
    if differences.is_empty() {
        return None;
    }
    Some(Subject { chip: Some(chip.id), pid: Some(pid) }.finding(
        "sources-disagree",
        Severity::Info,
        format!("process {pid} on chip {}: {}", chip.index, differences.join("; ")),
        "the agent's figure is shown: the region misses what other threads allocate, and drifts",
    ))
}
