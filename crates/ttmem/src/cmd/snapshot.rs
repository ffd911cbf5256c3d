//! Plain `ttmem`: snapshots of chips and processes.

use ttmem_model::Snapshot;

use super::samples::{Sample, samples};
use super::target::{Delivery, Mode, deliver};
use crate::cli::snapshot::{SnapshotRequest, View};
use crate::error::{self, Error};
use crate::host::select::select;
use crate::output::page::{FULL_WIDTH, Page};
use crate::output::{detail, json, list, table};

/// Takes the requested snapshots and shows each. `pages` returns the page at that moment, given the width to use if
/// nothing else sets one.
///
/// # Errors
/// If no source could be read, a chip does not exist, or the output cannot be written.
pub(crate) fn run(
    request: &SnapshotRequest,
    mut take: impl FnMut() -> Snapshot,
    pages: impl Fn(usize) -> Page,
) -> Result<(), Error> {
    let mode = Mode::of(request.repeat);
    let mut outcome = Ok(());
    for sample in samples(request.repeat) {
        let snapshot = take();
        outcome = error::of_sources(&snapshot).map_or(Ok(()), Err);
        // A driver that is unloaded, and a chip that goes, may come back: only the first sample decides.
        if let (true, Err(Error::NoDriver(_))) = (sample.is_first(), &outcome) {
            return outcome;
        }
        let snapshot = match select(snapshot, &request.selectors) {
            Ok(snapshot) => snapshot,
            Err(missing) if sample.is_first() => return outcome.and(Err(missing.error())),
            Err(missing) => {
                outcome = outcome.and(Err(missing.error()));
                *missing.rest
            }
        };
        let page = pages(unbound_width(&request.view));
        let text = render(&request.view, &snapshot, &page, Position::of(sample, request))?;
        if deliver(&request.target, mode, &text)? == Delivery::Closed {
            return Ok(());
        }
    }
    outcome
}

/// Returns the width in a pipe: the full width of a table; no limit for details, so that `grep` finds whole lines.
fn unbound_width(view: &View) -> usize {
    if matches!(view, View::Detail) { usize::MAX } else { FULL_WIDTH }
}

/// The position of a sample in its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    Only,
    First,
    Later,
}

impl Position {
    fn of(sample: Sample, request: &SnapshotRequest) -> Self {
        match (request.repeat, sample.is_first()) {
            (None, _) => Self::Only,
            (Some(_), true) => Self::First,
            (Some(_), false) => Self::Later,
        }
    }
}

fn render(
    view: &View,
    snapshot: &Snapshot,
    page: &Page,
    position: Position,
) -> Result<Vec<u8>, Error> {
    let separator = if position == Position::Later { "\n" } else { "" };
    Ok(match view {
        View::Table(form) => {
            (separator.to_owned() + &table::render(snapshot, *form, page)).into_bytes()
        }
        View::Detail => (separator.to_owned() + &detail::render(snapshot, page)).into_bytes(),
        View::List => list::render(snapshot, page).into_bytes(),
        View::Json => {
            let layout =
                if position == Position::Only { json::Layout::Pretty } else { json::Layout::Line };
            let mut bytes = Vec::new();
            json::write(snapshot, layout, &mut bytes).map_err(|error| Error::json(&error))?;
            bytes
        }
        View::Devices(fields, csv) => {
            let header =
                if position == Position::Later { String::new() } else { csv.header(fields) };
            (header + &csv.chips(snapshot, fields)).into_bytes()
        }
        View::Processes(fields, csv) => {
            let header =
                if position == Position::Later { String::new() } else { csv.header(fields) };
            (header + &csv.processes(snapshot, fields)).into_bytes()
        }
    })
}
