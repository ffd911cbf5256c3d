//! TT-Metal's files in shared memory: its regions, and UMD's locks.

use ttmem_model::Pid;

use super::who::LockHolder;
use super::{Check, Inputs, count, findings, who};
use ttmem_sources::source::locks::{self, Holder, Lock};

/// Findings about regions.
const REGION_FINDINGS: [&str; 9] = [
    "region-denied",
    "region-unusable",
    "region-full",
    "slot-shared",
    "totals-disagree",
    "counter-wrapped",
    "counter-too-large",
    "stale-memory",
    "stale-region",
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

/// Locks of UMD: those of processes that have ended, and those that another process waits for. Unheld locks persist and
/// are harmless.
fn locks(inputs: &Inputs<'_>) -> Vec<Check> {
    let owners = who::device_owners(inputs.facts);
    let locks = locks::read(inputs.root, &owners);
    let held: Vec<(&Lock, &Holder)> =
        locks.iter().filter_map(|lock| Some((lock, lock.holder.as_ref()?))).collect();
    let checks: Vec<Check> =
        held.iter().filter_map(|(lock, holder)| lock_check(inputs, lock, holder)).collect();
    if !checks.is_empty() {
        return checks;
    }
    let is_unseen = |holder: &Holder| LockHolder::of(inputs.facts, holder) == LockHolder::Unseen;
    let unseen = held.iter().filter(|(_, holder)| is_unseen(holder)).count();
    let running = match held.len() - unseen {
        0 => None,
        1 => Some("1 held by a process that runs".to_owned()),
        number => Some(format!("{number} held by processes that run")),
    };
    let unseen = match unseen {
        0 => None,
        1 => Some("1 held by a process that is not seen here".to_owned()),
        number => Some(format!("{number} held by processes that are not seen here")),
    };
    let live: Vec<String> = [running, unseen].into_iter().flatten().collect();
    let live = if live.is_empty() { "none held".to_owned() } else { live.join(", ") };
    let text = match locks.len() {
        0 => "no lock of UMD".to_owned(),
        all => format!("{} of UMD, {live}", count(all, "lock")),
    };
    vec![Check::pass("locks", text)]
}

fn lock_check(inputs: &Inputs<'_>, lock: &Lock, holder: &Holder) -> Option<Check> {
    let named = |pid: &Pid| who::name(inputs.root, inputs.facts, *pid).to_string();
    let name = &lock.name;
    let pid = match LockHolder::of(inputs.facts, holder) {
        LockHolder::Running(pid) => pid,
        LockHolder::Unseen => return None,
        LockHolder::Ended => {
            return Some(Check::warn(
                "locks",
                format!(
                    "TT_UMD_LOCK.{name} is held by process {}, which has ended",
                    holder.own_pid
                ),
                "the next process takes it over; if one hangs instead, remove the file while nothing uses the chip",
            ));
        }
    };
    holder.is_awaited.then(|| {
        let waiters: Vec<String> = holder.waiters.iter().map(named).collect();
        let waiters = match waiters.as_slice() {
            [] => "another process waits for it".to_owned(),
            [one] => format!("{one} waits for it"),
            all => format!("{} wait for it", all.join(" and ")),
        };
        Check::warn(
            "locks",
            format!("{name} is held by {} and {waiters}", named(&pid)),
            format!("if process {} hangs, end it: the next one takes the lock over", pid),
        )
    })
}
