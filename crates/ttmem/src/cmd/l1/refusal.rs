//! Errors of `ttmem l1`.

use ttmem_model::facts::Field;
use ttmem_model::l1::Coordinate;
use ttmem_model::l1::report::ChipReport;
use ttmem_model::{Missing, MissingReason, Snapshot};

use crate::cli::l1::L1From;
use crate::error::Error;
use crate::output::l1::view::ChipView;

/// Returns the error for a look without any L1: the reason of the first chip, or a remedy if there is no chip.
pub(super) fn nothing_read(
    snapshot: &Snapshot,
    chips: &[(u32, Field<ChipReport>)],
    source: Option<L1From>,
) -> Error {
    let unread = chips.iter().find_map(|(index, report)| Some((index, report.as_ref().err()?)));
    let Some((index, missing)) = unread else {
        if source == Some(L1From::Agent) {
            let why = "no process with an agent found; start it with ttmem run";
            return Error::NotFound(why.to_owned());
        }
        let remedy = "start the process with ttmem run, name a capture with --capture DIR, or try ttmem l1 --demo";
        return match snapshot.chips.as_slice() {
            [] => Error::NoDriver(format!("no chip found; {remedy}")),
            _ => Error::NoSource(format!("no chip with readable L1 found; {remedy}")),
        };
    };
    let others = match chips.len() {
        1 => String::new(),
        count => format!(" (and {} more chips)", count - 1),
    };
    of_reason(missing, format!("chip {index}{others}: {}", missing.detail))
}

fn of_reason(missing: &Missing, message: String) -> Error {
    match missing.reason {
        MissingReason::Denied => Error::Permission(message),
        MissingReason::Unsupported => Error::Unsupported(message),
        MissingReason::NoSource => Error::NotFound(message),
        MissingReason::NotRead | MissingReason::Failed => Error::NoSource(message),
    }
}

/// Returns the error for a coordinate that no core has.
pub(super) fn no_such_core(core: Coordinate, views: &[ChipView<'_>]) -> Error {
    let Coordinate { x, y } = core;
    let grid = views.iter().find_map(|view| view.report.grid);
    let message = match grid {
        Some(grid) => format!(
            "no core ({x}, {y}); columns are 0 to {} and rows 0 to {}",
            grid.columns.saturating_sub(1),
            grid.rows.saturating_sub(1)
        ),
        None => format!("no core ({x}, {y}); no core reports its coordinate"),
    };
    Error::NotFound(message)
}
