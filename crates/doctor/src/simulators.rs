//! The check for stale sockets of simulation servers.

use super::{Check, Inputs, count};

const ID: &str = "simulators";
/// Largest number of sockets that are named.
const MOST_NAMED: usize = 3;

/// One check if there is a socket on which nothing listens; none otherwise, as on most hosts.
pub(super) fn checks(inputs: &Inputs<'_>) -> Option<Check> {
    let dead = &inputs.dead_sockets;
    if dead.is_empty() {
        return None;
    }
    let named = dead.iter().take(MOST_NAMED).map(|path| path.display().to_string());
    let named: Vec<String> = named.collect();
    let more = if dead.len() > MOST_NAMED { ", …" } else { "" };
    Some(Check::warn(
        ID,
        format!(
            "{} of simulation servers that have ended: {}{more}",
            count(dead.len(), "socket"),
            named.join(", ")
        ),
        "remove the directory of each; TT-Metal makes new ones",
    ))
}
