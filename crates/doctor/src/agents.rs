//! The agent library, and the segments of agents.

use ttmem_model::buffers::BufferOwner;
use ttmem_model::snapshot::ProcessState;
use ttmem_segment::{Hook, Segment};

use super::{Check, Inputs, count, findings};
use ttmem_merge::buffers;

/// The functions of which each release has one: the newer one first.
const NEEDED: [(&[Hook], &str); 7] = [
    (&[Hook::Allocate, Hook::LegacyAllocate], "allocations are not seen"),
    (&[Hook::Free, Hook::LegacyFree], "frees are not seen"),
    (&[Hook::FreeAll, Hook::LegacyFreeAll], "mass frees are not seen"),
    (&[Hook::DestroyAllocator, Hook::LegacyDestroyAllocator], "the end of allocators is not seen"),
    (&[Hook::OpenMesh], "the chips of a mesh are not known"),
    (&[Hook::LoadBinaries], "kernel binaries look like tensors"),
    (&[Hook::WriteTrace], "traces look like tensors"),
];

pub(super) fn checks(inputs: &Inputs<'_>) -> Vec<Check> {
    let mut checks: Vec<Check> = library(inputs).into_iter().collect();
    let first = checks.len();
    let owners = buffers(inputs.facts).processes;
    let is_gone = |owner: &&BufferOwner| owner.state == ProcessState::Stale;
    for owner in owners.iter().filter(|owner| !is_gone(owner)) {
        let file = inputs.facts.segments.iter().find(|file| file.path == owner.segment);
        if let Some(segment) = file.and_then(|file| file.content.as_ref().ok()) {
            checks.push(live(owner, segment));
        }
    }
    let gone: Vec<&BufferOwner> = owners.iter().filter(is_gone).collect();
    checks.extend(left(&gone));
    checks.extend(denied(inputs));
    let names = ["segment-unusable", "agent-off", "agent-blind", "agent-lossy", "agent-residual"];
    checks.extend(findings(inputs, "agents", &names));
    if checks.len() == first {
        checks.push(Check::pass("agents", "no process runs with the agent"));
    }
    checks
}

fn library(inputs: &Inputs<'_>) -> Option<Check> {
    Some(match inputs.library.as_ref()? {
        Ok(path) => Check::pass(
            "agent-library",
            format!("ttmem {}, agent library {path}", inputs.facts.host.ttmem),
        ),
        Err(why) => {
            let (text, remedy) = why.split_once("; ").unwrap_or((why, "see ttmem run --help"));
            Check::warn("agent-library", format!("ttmem run cannot work: {text}"), remedy)
        }
    })
}

/// A live process: which functions of TT-Metal its agent found.
fn live(owner: &BufferOwner, segment: &Segment) -> Check {
    let version = owner.tt_metal.as_deref().unwrap_or("of unknown version");
    let hooks = segment.header.hooks_resolved;
    let whose = format!("process {} ({}), TT-Metal {version}", owner.pid, owner.name);
    let missing: Vec<&str> = NEEDED
        .iter()
        .filter(|(any, _)| !any.iter().any(|hook| hooks.contains(*hook)))
        .map(|(_, consequence)| *consequence)
        .collect();
    if !missing.is_empty() {
        return Check::warn(
            "agents",
            format!("{whose}: {}", missing.join(", ")),
            "this release does not export the functions: the agent's figures are as good as TT-Metal's statistics",
        );
    }
    let called = segment.header.hooks_called.iter().count();
    let other = owner.agent != env!("CARGO_PKG_VERSION");
    let text = format!("{whose}: {} live, {called} called", count(hooks.iter().count(), "hook"));
    if other {
        return Check::warn(
            "agents",
            format!("{text}; its agent is version {}", owner.agent),
            "start the process with the ttmem run of this version",
        );
    }
    Check::pass("agents", text)
}

/// The segments whose processes are gone.
fn left(gone: &[&BufferOwner]) -> Option<Check> {
    /// Largest number of processes that are named; more are only counted.
    const NAMED: usize = 4;
    let (text, remedy) = match gone {
        [] => return None,
        [owner] => (
            format!("{} of process {}, which has ended", owner.segment, owner.pid),
            format!(
                "ttmem report {} shows what it did; ttmem doctor --clean removes it",
                owner.segment
            ),
        ),
        [first, ..] => {
            let mut names: Vec<&str> =
                gone.iter().take(NAMED).map(|owner| owner.segment.as_str()).collect();
            if gone.len() > NAMED {
                names.push("…");
            }
            let number = gone.len();
            (
                format!("{number} segments of processes that have ended: {}", names.join(", ")),
                format!(
                    "ttmem report {} shows what one did; ttmem doctor --clean removes them",
                    first.segment
                ),
            )
        }
    };
    Some(Check::warn("agents", text, remedy))
}

/// The segments that this user may not read, in one line.
fn denied(inputs: &Inputs<'_>) -> Option<Check> {
    let mut found = findings(inputs, "agents", &["segment-denied"]);
    let first = found.next()?;
    match found.count() {
        0 => Some(first),
        more => Some(Check { text: format!("{}, nor can {more} more", first.text), ..first }),
    }
}
