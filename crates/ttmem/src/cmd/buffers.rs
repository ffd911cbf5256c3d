//! `ttmem buffers`: live buffers of processes that run with the agent.

use std::collections::BTreeSet;

use ttmem_merge::{buffers, merge};
use ttmem_model::ChipId;
use ttmem_model::buffers::{AllocatorUse, BufferList};
use ttmem_model::facts::Facts;
use ttmem_model::order;
use ttmem_model::order::Gather as _;
use ttmem_model::snapshot::SourceStatus;
use ttmem_sources::Collector;
use ttmem_sources::source::agent::Depth;

use super::target::{Mode, deliver};
use crate::cli::buffers::{BuffersForm, BuffersRequest};
use crate::error::Error;
use crate::host::select::select;
use crate::output::buffers::{Listing, csv, render, why_none};
use crate::output::json;
use crate::output::page::Page;

/// Lists the requested buffers.
///
/// # Errors
/// If no process runs with the agent, a process or chip does not exist, or the output cannot be written.
pub(crate) fn run(
    request: &BuffersRequest,
    collector: &mut Collector,
    page: &Page,
) -> Result<(), Error> {
    let facts = collector.facts_at(Depth::Full);
    let mut list = buffers(&facts);
    if list.processes.is_empty() {
        return Err(no_agent(&facts));
    }
    choose_processes(&mut list, &request.pids, &facts)?;
    if !request.selectors.is_empty() {
        let selected = select(merge(&facts, None), &request.selectors)?;
        let chips = selected.chips.iter().map(|chip| chip.id).collect();
        keep_chips(&mut list, &chips);
    }
    order::sort_by(&mut list.buffers, |one, other| request.sort.compare(one, other));
    list.buffers.truncate(request.lines.unwrap_or(usize::MAX));
    let text = match (request.form, request.listing) {
        (BuffersForm::Table, listing) => render(&list, listing, page),
        (BuffersForm::Csv(form), Listing::Single) => csv::single(&list, form),
        (BuffersForm::Csv(form), Listing::ByOp) => csv::by_op(&list, form),
        (BuffersForm::Csv(form), Listing::Programs) => csv::programs(&list, form),
        (BuffersForm::Json, _) => {
            json::text(&list, json::Layout::Pretty).map_err(|error| Error::json(&error))?
        }
    };
    deliver(&request.target, Mode::Replace, text.as_bytes()).map(|_delivery| ())
}

/// Returns the error for a host without any agent.
fn no_agent(facts: &Facts) -> Error {
    let (status, message) = why_none(&facts.sources);
    match status {
        SourceStatus::Denied => Error::Permission(message),
        _ => Error::NoSource(message),
    }
}

fn choose_processes(list: &mut BufferList, pids: &[i32], facts: &Facts) -> Result<(), Error> {
    if pids.is_empty() {
        return Ok(());
    }
    for pid in pids {
        if list.processes.iter().any(|process| process.pid.0 == *pid) {
            continue;
        }
        let runs = facts.processes.keys().any(|known| known.0 == *pid);
        let others: Vec<String> =
            list.processes.iter().map(|process| process.pid.to_string()).collect();
        let state = if runs {
            "runs without the agent"
        } else {
            "does not exist, or does not use TT-Metal"
        };
        return Err(Error::not_found(format!(
            "process {pid} {state}; the agent is in {}",
            others.join(", ")
        )));
    }
    list.processes.retain(|process| pids.contains(&process.pid.0));
    list.allocators.retain(|allocator| pids.contains(&allocator.pid.0));
    list.buffers.retain(|buffer| pids.contains(&buffer.pid.0));
    list.programs.retain(|program| pids.contains(&program.pid.0));
    Ok(())
}

fn keep_chips(list: &mut BufferList, chips: &BTreeSet<ChipId>) {
    let has_chip =
        |allocator: &AllocatorUse| allocator.chips.iter().any(|chip| chips.contains(&chip.id));
    list.allocators.retain(has_chip);
    let kept: BTreeSet<_> =
        list.allocators.iter().map(|allocator| (allocator.pid, allocator.number)).gather();
    list.buffers.retain(|buffer| kept.contains(&(buffer.pid, buffer.allocator)));
    list.programs.retain(|program| program.chips.iter().any(|chip| chips.contains(&chip.id)));
    list.processes.retain(|process| kept.iter().any(|(pid, _)| *pid == process.pid));
}
