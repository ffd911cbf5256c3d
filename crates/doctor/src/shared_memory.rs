//! TT-Metal's files in shared memory: its regions, and UMD's locks.

use ttmem_model::Pid;

use super::{Check, Inputs, count, findings};
use ttmem_sources::source::agent::find_in_other_namespaces;
use ttmem_sources::source::process::Processes;
use ttmem_sources::source::shared_memory::SHARED_MEMORY;

/// The name pattern of UMD's locks.
const LOCK: &str = "TT_UMD_LOCK.";
/// A lock: a robust mutex of glibc, a magic number, and its owner (UMD `robust_mutex.cpp`, x86-64).
const LOCK_BYTES: usize = 56;
const MAGIC_OFFSET: usize = 40;
const MAGIC: [u8; 8] = 0x5454_554d_444d_5458_u64.to_le_bytes();
const OWNER_OFFSET: usize = 52;
/// Bits of the mutex' first word that hold the thread that has it.
const HOLDER: u32 = 0x3fff_ffff;

/// Findings about regions.
const REGION_FINDINGS: [&str; 7] = [
    "region-denied",
    "region-unusable",
    "region-full",
    "totals-disagree",
    "counter-wrapped",
    "counter-too-large",
    "stale-memory",
];

pub(super) fn checks(inputs: &Inputs<'_>) -> Vec<Check> {
    let mut checks: Vec<Check> = findings(inputs, "regions", &REGION_FINDINGS).collect();
    if checks.is_empty() {
        checks.push(Check::pass("regions", regions(inputs)));
    }
    let disabled: Vec<Check> = findings(inputs, "tracking", &["tracking-disabled"]).collect();
    if disabled.is_empty() {
        checks.push(Check::pass("tracking", "no owner has upstream tracking switched off"));
    }
    checks.extend(disabled);
    checks.extend(locks(inputs));
    checks
}

fn regions(inputs: &Inputs<'_>) -> String {
    let regions = &inputs.facts.regions;
    let is_used = |region: &&ttmem_model::facts::RegionFile| {
        region.content.as_ref().is_ok_and(|content| !content.slots.is_empty())
    };
    match regions.len() {
        0 => "TT-Metal has written no memory region".to_owned(),
        all => {
            format!(
                "{}, {} in use",
                count(all, "memory region"),
                regions.iter().filter(is_used).count()
            )
        }
    }
}

/// Locks that a process holds. Unheld locks persist and are harmless.
fn locks(inputs: &Inputs<'_>) -> Vec<Check> {
    let names = inputs.root.list(SHARED_MEMORY).unwrap_or_default();
    let names: Vec<&str> = names
        .iter()
        .filter_map(|name| name.to_str())
        .filter(|name| name.starts_with(LOCK))
        .collect();
    let held: Vec<(&str, i32)> = names
        .iter()
        .filter_map(|name| Some((*name, holder(inputs, &format!("{SHARED_MEMORY}/{name}"))?)))
        .collect();
    let stale: Vec<&(&str, i32)> = held.iter().filter(|(_, pid)| !runs(inputs, *pid)).collect();
    let mut checks: Vec<Check> = stale
        .iter()
        .map(|(name, pid)| {
            Check::warn(
                "locks",
                format!("{name} is held by process {pid}, which is gone"),
                "the next process takes it over; if one hangs instead, remove the file while nothing uses the chip",
            )
        })
        .collect();
    if checks.is_empty() {
        let live = match held.len() {
            0 => "none held".to_owned(),
            1 => "1 held by a process that runs".to_owned(),
            number => format!("{number} held by processes that run"),
        };
        let text = match names.len() {
            0 => "no lock of UMD".to_owned(),
            all => format!("{} of UMD, {live}", count(all, "lock")),
        };
        checks.push(Check::pass("locks", text));
    }
    checks
}

/// The process that holds a lock, as its own namespace counts.
fn holder(inputs: &Inputs<'_>, path: &str) -> Option<i32> {
    let bytes = inputs.root.read(path, LOCK_BYTES).ok()?.bytes;
    let word =
        |offset: usize| bytes.get(offset..offset + 4)?.try_into().ok().map(u32::from_le_bytes);
    if bytes.get(MAGIC_OFFSET..MAGIC_OFFSET + 8)? != MAGIC || word(0)? & HOLDER == 0 {
        return None;
    }
    i32::try_from(word(OWNER_OFFSET)?).ok().filter(|pid| *pid > 0)
}

fn runs(inputs: &Inputs<'_>, pid: i32) -> bool {
    let mut processes = Processes::new(inputs.root);
    processes.add(Pid(pid));
    processes.get(Pid(pid)).is_some()
        || inputs.facts.processes_hidden
        || !find_in_other_namespaces(inputs.root, &[pid]).is_empty()
}
