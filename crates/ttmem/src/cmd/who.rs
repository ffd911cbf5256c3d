//! `ttmem who`: which process has a chip, whether another waits for it, and what a reset would end.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ttmem_doctor::who::{Evidence, HeldLock, Owner, Use, Verdict, Who, conclude, device_owners};
use ttmem_merge::merge;
use ttmem_model::Bytes;
use ttmem_model::order::Gather as _;
use ttmem_model::rank::rank_in_words;
use ttmem_model::snapshot::{ProcessMemory, Snapshot};
use ttmem_sources::Collector;
use ttmem_sources::source::locks;

use super::target::{Mode, deliver};
use crate::cli::common::Target;
use crate::cli::who::WhoArgs;
use crate::error::{Error, of_sources};
use crate::host::select::select;
use crate::output::amount::date_time;
use crate::output::json;
use crate::output::page::Page;
use crate::output::text::{legible, width, wrap};
use crate::signal::Signals;

/// Columns by which the lines below a chip are set in, and further lines of one of them again.
const INDENT: usize = 4;
/// Time between two samples of `--wait`.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// Prints the verdicts. The exit code is 0 if every chip is free, 1 if one is in use, 4 if the use of one is not known.
///
/// # Errors
/// If no source could be read, a selector matches no chip, or the output cannot be written.
pub(crate) fn run(
    args: &WhoArgs,
    collector: &mut Collector,
    page: &Page,
) -> Result<ExitCode, Error> {
    let (mut who, _) = look(&args.chips.id, collector)?;
    if args.wait && who.worst() != Use::Free {
        let signals = Signals::new().map_err(|error| Error::signals(&error))?;
        while who.worst() != Use::Free {
            if signals.wait_until(Instant::now() + PAUSE).is_some() {
                return Ok(ExitCode::from(130));
            }
            (who, _) = look(&args.chips.id, collector)?;
        }
    }
    let text = if args.json {
        json::text(&who, json::Layout::Pretty).map_err(|error| Error::json(&error))?
    } else {
        render(&who, page)
    };
    deliver(&Target::Standard, Mode::Append, text.as_bytes())?;
    Ok(ExitCode::from(match who.worst() {
        Use::Free => 0,
        Use::InUse => 1,
        Use::Unknown => 4,
    }))
}

/// Takes a sample, and concludes on the chips that are selected. The snapshot has all chips.
pub(super) fn look(ids: &[String], collector: &mut Collector) -> Result<(Who, Snapshot), Error> {
    let facts = collector.facts();
    let snapshot = merge(&facts, None);
    if let Some(error) = of_sources(&snapshot) {
        return Err(error);
    }
    let selected = select(snapshot.clone(), ids)?;
    let chips: BTreeSet<u32> = selected.chips.iter().map(|chip| chip.index).gather();
    let windows = collector.windows(&facts.devices);
    let root = collector.root();
    let locks = locks::read(root, &device_owners(&facts));
    // A reset concerns chips that are not selected, too.
    let mut who = conclude(&Evidence {
        root,
        facts: &facts,
        snapshot: &snapshot,
        locks: &locks,
        windows: &windows,
    });
    who.chips.retain(|chip| chips.contains(&chip.chip));
    Ok((who, snapshot))
}

/// Renders a paragraph for each chip that is in use, and a line for each other.
fn render(who: &Who, page: &Page) -> String {
    if who.chips.is_empty() {
        return "no chip was found; ttmem doctor names what the driver did not find\n".to_owned();
    }
    let mut text = String::new();
    for verdict in &who.chips {
        for (index, parts) in lines(verdict, page).iter().enumerate() {
            let indent = if index == 0 { 0 } else { INDENT };
            let parts: Vec<_> = parts.iter().map(|part| legible(part, page.charset)).collect();
            for (index, line) in fitted(&parts, page.room - 2 * INDENT).iter().enumerate() {
                let indent = if index == 0 { indent } else { indent + INDENT };
                text += &format!("{:indent$}{line}\n", "");
            }
        }
    }
    text
}

/// Parts side by side on lines of at most `columns`; only a part that is longer than a line is broken.
fn fitted(parts: &[Cow<'_, str>], columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        let whole = || vec![part.to_string()];
        let pieces = if width(part) <= columns { whole() } else { wrap(part, columns) };
        for (index, piece) in pieces.into_iter().enumerate() {
            match lines.last_mut().filter(|_| index == 0) {
                Some(line) if width(line) + 2 + width(&piece) <= columns => {
                    *line += "  ";
                    *line += &piece;
                }
                _ => lines.push(piece),
            }
        }
    }
    lines
}

/// The lines about a chip, each of parts that stay together.
fn lines(verdict: &Verdict, page: &Page) -> Vec<Vec<String>> {
    let index = format!("chip {}", verdict.chip);
    let state = match (verdict.used, &verdict.reason) {
        (Use::Free, _) => "free".to_owned(),
        (Use::InUse, Some(reason)) => format!("in use: {reason}"),
        (Use::InUse, None) => "in use".to_owned(),
        (Use::Unknown, Some(reason)) => format!("cannot tell: {reason}"),
        (Use::Unknown, None) => "cannot tell".to_owned(),
    };
    let named = [Some(index), verdict.board.clone(), verdict.bdf.clone(), Some(state)];
    let mut lines = Vec::new();
    if verdict.has_outside_owner {
        lines.push("a process in another namespace, or of another user".to_owned());
    }
    lines.extend(verdict.locks.iter().map(lock));
    lines.extend(verdict.stale.iter().map(|stale| {
        let memory = memory(&stale.memory, page);
        format!("stale: {memory} of process {} ({}), which has ended", stale.pid, stale.name)
    }));
    let ends = verdict.reset_ends.iter().map(ToString::to_string);
    let unseen = verdict.has_outside_owner.then(|| "a process that is not seen here".to_owned());
    let ends: Vec<String> = ends.chain(unseen).collect();
    if !ends.is_empty() {
        let chips: Vec<String> = verdict.reset_chips.iter().map(ToString::to_string).collect();
        let ends = ends.join(", ");
        lines.push(match chips.as_slice() {
            [] | [_] => format!("a reset ends {ends}"),
            chips => {
                format!("a reset of the board resets chips {} and ends {ends}", chips.join(", "))
            }
        });
    }
    let owners = verdict.owners.iter().map(|owner| line_of(owner, page));
    let first = named.into_iter().flatten().collect();
    std::iter::once(first).chain(owners).chain(lines.into_iter().map(|line| vec![line])).collect()
}

fn line_of(owner: &Owner, page: &Page) -> Vec<String> {
    let name = if owner.name.is_empty() { "name not shown" } else { &owner.name };
    let mut parts = vec![owner.pid.to_string(), name.to_owned()];
    parts.extend(rank_in_words(owner.rank.as_deref(), owner.job.as_deref()));
    parts.extend(owner.user.clone());
    parts.extend(owner.pod.clone().map(|pod| format!("pod {pod}")));
    parts.extend(owner.container.clone());
    parts.extend(owner.since_us.map(|since| format!("since {}", date_time(since))));
    parts.extend(owner.memory.as_ref().map(|held| memory(held, page)));
    let peak = owner.peak_host_memory_bytes;
    parts.extend(peak.map(|bytes| format!("host memory at most {}", Bytes(bytes))));
    parts.extend(owner.tlb_windows.map(|windows| match windows {
        1 => "1 TLB window".to_owned(),
        windows => format!("{windows} TLB windows"),
    }));
    parts
}

/// The kinds of which there is some, or may be.
fn memory(memory: &ProcessMemory, page: &Page) -> String {
    let kinds = [
        ("DRAM", &memory.dram),
        ("L1", &memory.l1),
        ("L1_SMALL", &memory.l1_small),
        ("trace", &memory.trace),
    ];
    let held = kinds.iter().filter_map(|(kind, reading)| {
        let Some(bytes) = reading.value() else { return Some(format!("{kind} not known")) };
        if *bytes == 0 {
            return None;
        }
        let mark = reading.quality().map_or("", |quality| page.mark(quality));
        Some(format!("{mark}{} {kind}", Bytes(*bytes)))
    });
    let held: Vec<String> = held.collect();
    let is_unknown = kinds.iter().all(|(_, reading)| reading.value().is_none());
    match held.as_slice() {
        _ if is_unknown => "memory not known".to_owned(),
        [] => "no memory".to_owned(),
        held => held.join(", "),
    }
}

fn lock(lock: &HeldLock) -> String {
    let holder = match &lock.holder {
        Some(holder) => holder.to_string(),
        None if lock.has_ended => format!("process {}, which has ended", lock.holder_own_pid),
        None => format!("process {}, which is not seen here", lock.holder_own_pid),
    };
    let waiters: Vec<String> = lock.waiters.iter().map(ToString::to_string).collect();
    let waiters = match (lock.is_awaited, waiters.as_slice()) {
        (false, _) => String::new(),
        (true, []) => "; another process waits for it".to_owned(),
        (true, [one]) => format!("; {one} waits for it"),
        (true, all) => format!("; {} wait for it", all.join(" and ")),
    };
    format!("lock {} held by {holder}{waiters}", lock.name)
}
