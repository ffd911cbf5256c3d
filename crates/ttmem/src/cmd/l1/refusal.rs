//! Why `ttmem l1` shows nothing, and with which exit code it ends.

use ttmem_model::facts::L1Facts;
use ttmem_model::l1::Coordinate;
use ttmem_model::{Missing, MissingReason, Snapshot};

use crate::exit::{Exit, Failure};
use crate::output::l1::view::ChipView;

/// No chip's L1 could be read: why not that of the first, or what there is to do where there is none.
pub(super) fn nothing_read(snapshot: &Snapshot, chips: &[(u32, L1Facts)]) -> Failure {
    let fault =
        chips.iter().find_map(|(index, facts)| Some((index, facts.content.as_ref().err()?)));
    let Some((index, missing)) = fault else {
        let (exit, what) = match snapshot.chips.as_slice() {
            [] => (Exit::NoDriver, "no chip found"),
            _ => (Exit::NoSource, "no chip here whose L1 could be read"),
        };
        let message = format!("{what}; name a capture with --capture DIR, or try ttmem l1 --demo");
        return Failure { exit, message };
    };
    let others = match chips.len() {
        1 => String::new(),
        count => format!(" (and {} more chips)", count - 1),
    };
    Failure { exit: exit_of(missing), message: format!("chip {index}{others}: {}", missing.detail) }
}

fn exit_of(missing: &Missing) -> Exit {
    match missing.reason {
        MissingReason::Denied => Exit::Permission,
        MissingReason::Unsupported => Exit::Unsupported,
        MissingReason::NoSource => Exit::NotFound,
        MissingReason::NotRead | MissingReason::Failed => Exit::NoSource,
    }
}

/// No chip has a core at the place.
pub(super) fn no_such_core(place: Coordinate, views: &[ChipView<'_>]) -> Failure {
    let Coordinate { x, y } = place;
    let grid = views.iter().find_map(ChipView::grid);
    let message = match grid {
        Some(grid) => format!(
            "no core ({x}, {y}); columns go from 0 to {} and rows from 0 to {}",
            grid.columns.saturating_sub(1),
            grid.rows.saturating_sub(1)
        ),
        None => format!("no core ({x}, {y}); no core says where it is"),
    };
    Failure { exit: Exit::NotFound, message }
}
