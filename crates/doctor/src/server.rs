//! The check of the shared server.

use std::path::Path;

use super::{Check, Inputs};
use ttmem_service::supply::{Probed, Unfit};

const ID: &str = "server";

/// One check for each path at which a socket is.
pub(super) fn checks(inputs: &Inputs<'_>) -> Vec<Check> {
    let Some(servers) = &inputs.servers else { return Vec::new() };
    let there = servers.iter().filter(|(_, found)| found != &Err(Unfit::Absent));
    let mut checks: Vec<Check> = there
        .map(|(path, found)| match found {
            Ok(found) => running(path, found),
            Err(unfit) => not_used(path, unfit),
        })
        .collect();
    if checks.is_empty() {
        checks.push(Check::pass(ID, "none runs: each ttmem reads what its own user may read"));
    }
    checks
}

fn running(path: &Path, found: &Probed) -> Check {
    let Probed { ttmem, every, blind_spots } = found;
    let text = format!("{}: ttmem {ttmem}, every {every:?}", path.display());
    if ttmem != env!("CARGO_PKG_VERSION") {
        return Check::warn(
            ID,
            format!("{text}, and this is ttmem {}", env!("CARGO_PKG_VERSION")),
            "restart it: systemctl restart ttmem",
        );
    }
    if *blind_spots > 0 {
        return Check::warn(
            ID,
            format!("{text}, and it may not read everything"),
            "give it CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE, as contrib/systemd/ttmem.service does",
        );
    }
    Check::pass(ID, text)
}

fn not_used(path: &Path, unfit: &Unfit) -> Check {
    let remedy = match unfit {
        Unfit::Dead => "start it again, or remove the socket",
        Unfit::Closed => "join the group that the socket belongs to (ls -l), then log in again",
        Unfit::Stranger(_) => {
            "run it as root or as yourself, or name it with --server if you trust it"
        }
        Unfit::Elsewhere => "give a server of another host another --socket",
        _ => "restart it (systemctl restart ttmem), and see its journal",
    };
    let text = format!("the server at {} {unfit}", path.display());
    let text = text.chars().filter(|character| !character.is_control()).take(300);
    Check::warn(ID, text.collect::<String>(), remedy)
}
