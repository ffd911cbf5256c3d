//! Snapshots from a server, where there is one: the arguments, and the lines that are said about it.

use std::path::PathBuf;
use std::time::Duration;

use ttmem_model::Snapshot;
use ttmem_service::supply::{Choice, Supply};
use ttmem_sources::{Collector, L1Look};

use crate::args::Request;
use crate::cli::CommonArgs;
use crate::exit::Failure;
use crate::terminal::say;

/// A single look may be as old as this.
const FRESH_ENOUGH: Duration = Duration::from_secs(2);

/// True if the arguments name a server to a command that can use one.
///
/// # Errors
/// If they name one to another command.
pub fn check(request: &Request, common: &CommonArgs) -> Result<(), Failure> {
    let can = match request {
        Request::Snapshot(request) => !request.l1,
        Request::Top(_) | Request::Record(_) => true,
        _ => false,
    };
    if can || common.server.is_none() {
        return Ok(());
    }
    Err(Failure::usage(
        "--server goes with plain ttmem without --l1, with ttmem top and with ttmem record; leave it out here",
    ))
}

/// Which server the arguments choose.
#[must_use]
pub fn choice(common: &CommonArgs) -> Choice {
    match &common.server {
        Some(path) => Choice::Only(path.clone()),
        None if common.no_server || !common.is_this_machine() || common.simulator.is_some() => {
            Choice::Nobody
        }
        None => Choice::usual(std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from)),
    }
}

/// Where snapshots at an interval come from; with `l1`, of devices that are opened here.
#[must_use]
pub fn supply(
    collector: Collector,
    common: &CommonArgs,
    l1: bool,
    interval: Option<Duration>,
) -> Supply {
    let choice = if l1 { Choice::Nobody } else { choice(common) };
    Supply::new(collector, choice, interval.unwrap_or(FRESH_ENOUGH))
}

/// The next snapshot; says what there is to say of its source.
pub fn next(supply: &mut Supply) -> Snapshot {
    let snapshot = supply.snapshot();
    say_notices(supply);
    snapshot
}

/// The same with the cores of every chip whose L1 was read here.
pub fn next_look(supply: &mut Supply) -> L1Look {
    let look = supply.look();
    say_notices(supply);
    look
}

fn say_notices(supply: &mut Supply) {
    for notice in supply.notices() {
        say(&notice);
    }
}
