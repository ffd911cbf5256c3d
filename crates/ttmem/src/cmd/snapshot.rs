//! Plain `ttmem`: takes snapshots and shows them.

use std::thread;
use std::time::Instant;

use ttmem_model::Snapshot;

use super::target::{Delivery, Mode, deliver};
use crate::args::{SnapshotRequest, View};
use crate::exit::{self, Exit, Failure};
use crate::output::page::{FULL_WIDTH, Page};
use crate::output::{detail, json, list, table};
use crate::select::select;

/// Takes as many snapshots as asked for and shows each. `pages` says what the output is drawn on at that moment, given
/// the width that it has where nothing says one.
///
/// # Errors
/// If no source could be read, a chip is not there, or the output cannot be written.
pub fn run(
    request: &SnapshotRequest,
    mut take: impl FnMut() -> Snapshot,
    pages: impl Fn(usize) -> Page,
) -> Result<(), Failure> {
    let mode = if request.repeat.is_some() { Mode::Append } else { Mode::Replace };
    let count = match request.repeat {
        None => 1,
        Some(repeat) => repeat.count.unwrap_or(u64::MAX),
    };
    let mut next = Instant::now();
    let mut outcome = Ok(());
    for sample in 0..count {
        let snapshot = take();
        outcome = exit::of_sources(&snapshot).map_or(Ok(()), Err);
        if let Err(Failure { exit: Exit::NoDriver, .. }) = outcome {
            return outcome;
        }
        let snapshot = match select(snapshot, &request.selectors) {
            Ok(snapshot) => snapshot,
            Err(missing) => return outcome.and(Err(missing.into())),
        };
        let page = pages(unbound_width(&request.view));
        let text = render(&request.view, &snapshot, &page, Place::of(sample, request))?;
        if deliver(&request.target, mode, &text)? == Delivery::Closed {
            return Ok(());
        }
        if let Some(repeat) = request.repeat.filter(|_| sample + 1 < count) {
            next = (next + repeat.interval.duration()).max(Instant::now());
            thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    }
    outcome
}

/// In a pipe a table has its reference width, and a detail stays on one line for `grep`.
fn unbound_width(view: &View) -> usize {
    if matches!(view, View::Detail) { usize::MAX } else { FULL_WIDTH }
}

/// Where a sample stands in its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Only,
    First,
    Later,
}

impl Place {
    fn of(sample: u64, request: &SnapshotRequest) -> Self {
        match (request.repeat, sample) {
            (None, _) => Self::Only,
            (Some(_), 0) => Self::First,
            (Some(_), _) => Self::Later,
        }
    }
}

fn render(view: &View, snapshot: &Snapshot, page: &Page, place: Place) -> Result<Vec<u8>, Failure> {
    let separator = if place == Place::Later { "\n" } else { "" };
    Ok(match view {
        View::Table => (separator.to_owned() + &table::render(snapshot, page)).into_bytes(),
        View::Detail => (separator.to_owned() + &detail::render(snapshot, page)).into_bytes(),
        View::List => list::render(snapshot, page).into_bytes(),
        View::Json => {
            let layout =
                if place == Place::Only { json::Layout::Pretty } else { json::Layout::Line };
            let mut bytes = Vec::new();
            json::write(snapshot, layout, &mut bytes)
                .map_err(|error| Failure::usage(format!("cannot write JSON: {error}")))?;
            bytes
        }
        View::Devices(fields, csv) => {
            let header = if place == Place::Later { String::new() } else { csv.header(fields) };
            (header + &csv.chips(snapshot, fields)).into_bytes()
        }
        View::Processes(fields, csv) => {
            let header = if place == Place::Later { String::new() } else { csv.header(fields) };
            (header + &csv.processes(snapshot, fields)).into_bytes()
        }
    })
}
