//! `--why`: the rule that made a reading, and its parts.

use std::thread;
use std::time::Duration;

use ttmem_merge::{Tracer, merge};
use ttmem_model::order;
use ttmem_model::snapshot::ProcessState;
use ttmem_model::{Metric, Snapshot};
use ttmem_root::Clock;
use ttmem_sources::Collector;
use ttmem_sources::source::kmd::{pcie_file, telemetry_file};

use super::target::{Mode, deliver};
use crate::cli::snapshot::WhyRequest;
use crate::error::{Error, of_sources};
use crate::output::json;
use crate::output::page::{FULL_WIDTH, Page};
use crate::output::why::{Trace, at, paths};

/// The characters of a path that are compared with the paths of readings. No path is longer.
const COMPARED: usize = 100;
/// The number of paths that are suggested for one that does not exist.
const SUGGESTED: usize = 3;
/// The time between the two samples that a rate is taken from.
const BETWEEN: Duration = Duration::from_secs(1);

/// Prints the trace of the requested reading. `pages` returns the page, given the width to use if nothing else sets
/// one.
///
/// # Errors
/// [`Error::Usage`] if no number has the path; else if no source could be read, or the output cannot be written.
pub(crate) fn run(
    request: &WhyRequest,
    collector: &mut Collector,
    pages: impl Fn(usize) -> Page,
) -> Result<(), Error> {
    let mut facts = collector.facts();
    let mut previous = None;
    if is_rate(&request.path) {
        if matches!(collector.clock(), Clock::System) {
            thread::sleep(BETWEEN);
        }
        previous = Some(std::mem::replace(&mut facts, collector.facts()));
    }
    let snapshot = merge(&facts, previous.as_ref());
    if let Some(error) = of_sources(&snapshot) {
        return Err(error);
    }
    let file = file_at(&snapshot, &request.path);
    let snapshot = serde_json::to_value(&snapshot).map_err(|error| Error::json(&error))?;
    let paths = paths(&snapshot);
    let of_reading = request.path.strip_suffix(".value").unwrap_or(&request.path);
    let path = paths.iter().find(|path| **path == of_reading || **path == request.path);
    let tracer = Tracer::new(&facts, previous.as_ref());
    let found = path.and_then(|path| Some((at(&snapshot, path)?, tracer.why(path)?)));
    let Some((reading, why)) = found else { return Err(unknown(&request.path, &paths)) };
    let trace = Trace { path: &request.path, reading, file: file.as_deref(), why: &why };
    let text = if request.is_json {
        let mut bytes = Vec::new();
        let value = trace.report();
        json::write(&value, json::Layout::Pretty, &mut bytes)
            .map_err(|error| Error::json(&error))?;
        bytes
    } else {
        trace.render(&pages(FULL_WIDTH)).into_bytes()
    };
    deliver(&request.target, Mode::Replace, &text).map(|_delivery| ())
}

/// True for a number that is calculated from two samples.
fn is_rate(path: &str) -> bool {
    let name = path.split(".telemetry.").nth(1).unwrap_or_default();
    [Metric::PcieHostToDevice, Metric::PcieDeviceToHost]
        .iter()
        .any(|metric| name.strip_suffix(".value").unwrap_or(name) == metric.as_str())
}

/// Returns the file of a number that is read from one file, by its path in the snapshot.
fn file_at(snapshot: &Snapshot, path: &str) -> Option<String> {
    let names: Vec<&str> = path.split('.').collect();
    let chip = |index: &str| snapshot.chips.get(index.parse::<usize>().ok()?);
    match names.as_slice() {
        ["chips", index, "telemetry", name, ..] => {
            let metric = Metric::ALL.iter().find(|metric| metric.as_str() == *name)?;
            telemetry_file(*metric, chip(index)?.index, chip(index)?.bdf.as_deref()?)
        }
        ["chips", index, "pcie", name, ..] => pcie_file(name, chip(index)?.bdf.as_deref()?),
        ["processes", index, name, ..] => {
            let process = snapshot.processes.get(index.parse::<usize>().ok()?)?;
            let file = match *name {
                "cpu_time_us" | "start_time" => "stat",
                "host_memory_bytes" => "status",
                _ => return None,
            };
            let is_live = process.state == ProcessState::Live;
            is_live.then(|| format!("/proc/{}/{file}", process.pid))
        }
        _ => None,
    }
}

fn unknown(path: &str, paths: &[String]) -> Error {
    let typed: String = path.chars().take(COMPARED).collect();
    // A name alone is looked for at the end of the paths.
    let distance = |path: &&String| {
        let name = path.rsplit('.').next().unwrap_or(path);
        strsim::levenshtein(&typed, path).min(strsim::levenshtein(&typed, name))
    };
    let mut nearest: Vec<&String> = paths.iter().collect();
    order::sort_by_key(&mut nearest, distance);
    let quoted: Vec<String> =
        nearest.iter().take(SUGGESTED).map(|path| format!("`{path}`")).collect();
    Error::usage(match quoted.split_last() {
        Some((last, [])) => {
            format!("no number `{typed}`; did you mean {last}? ttmem --json has all")
        }
        Some((last, others)) => format!(
            "no number `{typed}`; did you mean {} or {last}? ttmem --json has all",
            others.join(", ")
        ),
        None => format!("no number `{typed}`: the snapshot is empty"),
    })
}
