//! Snapshots from a server if one is running, else from a collector in this process.

use std::path::PathBuf;
use std::time::Duration;

use ttmem_model::Snapshot;
use ttmem_service::supply::{Choice, Supply};
use ttmem_sources::{Collector, L1Look};

use crate::cli::common::CommonArgs;
use crate::terminal::notify;

/// The most age of a server's snapshot that a single look accepts.
const FRESH_ENOUGH: Duration = Duration::from_secs(2);

/// Least time between two samples that read what agents recorded of programs.
const SLOW: Duration = Duration::from_secs(1);

/// Returns the server that the arguments choose.
#[must_use]
pub(crate) fn choice(common: &CommonArgs) -> Choice {
    match &common.server {
        Some(path) => Choice::Only(path.clone()),
        None if common.no_server || !common.is_this_host() || common.simulator.is_some() => {
            Choice::NoServer
        }
        None => Choice::usual(std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from)),
    }
}

/// Returns a supply of snapshots every `interval`. With `l1` it never uses a server, since devices are opened here.
#[must_use]
pub(crate) fn supply(
    collector: Collector,
    common: &CommonArgs,
    l1: bool,
    interval: Option<Duration>,
) -> Supply {
    let choice = if l1 { Choice::NoServer } else { choice(common) };
    Supply::new(with_programs(collector, interval), choice, interval.unwrap_or(FRESH_ENOUGH))
}

/// Lets a collector read what agents recorded of programs, unless its interval is short.
#[must_use]
pub(crate) fn with_programs(collector: Collector, interval: Option<Duration>) -> Collector {
    match interval.is_none_or(|interval| interval >= SLOW) {
        true => collector.with_programs(),
        false => collector,
    }
}

/// Returns the next snapshot, and prints notices about its source.
pub(crate) fn next(supply: &mut Supply) -> Snapshot {
    let snapshot = supply.snapshot();
    print_notices(supply);
    snapshot
}

/// Returns the next snapshot with the cores of every chip whose L1 is read here, and prints notices about its source.
pub(crate) fn next_look(supply: &mut Supply) -> L1Look {
    let look = supply.look();
    print_notices(supply);
    look
}

fn print_notices(supply: &mut Supply) {
    for notice in supply.notices() {
        notify(&notice);
    }
}
