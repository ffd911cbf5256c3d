//! `--why`: the rule that made a reading, and its parts.

use ttmem_merge::{merge, why};
use ttmem_model::{Metric, Snapshot};
use ttmem_sources::Collector;
use ttmem_sources::source::kmd::telemetry_file;

use super::target::{Mode, deliver};
use crate::cli::snapshot::WhyRequest;
use crate::error::{Error, of_sources};
use crate::output::json;
use crate::output::page::{FULL_WIDTH, Page};
use crate::output::why::{Trace, at, paths};

/// The characters of a path that are compared with the paths of readings. No path is longer.
const COMPARED: usize = 100;

/// Prints the trace of the requested reading. `pages` returns the page, given the width to use if nothing else sets
/// one.
///
/// # Errors
/// [`Error::Usage`] if no reading has the path; else if no source could be read, or the output cannot be written.
pub(crate) fn run(
    request: &WhyRequest,
    collector: &mut Collector,
    pages: impl Fn(usize) -> Page,
) -> Result<(), Error> {
    let facts = collector.facts();
    let snapshot = merge(&facts, None);
    if let Some(error) = of_sources(&snapshot) {
        return Err(error);
    }
    let file = telemetry_file_at(&snapshot, &request.path);
    let snapshot = serde_json::to_value(&snapshot).map_err(|error| Error::json(&error))?;
    let paths = paths(&snapshot);
    let path = paths.iter().find(|path| **path == request.path);
    let found = path.and_then(|path| Some((at(&snapshot, path)?, why(&facts, path)?)));
    let Some((reading, why)) = found else { return Err(unknown(&request.path, &paths)) };
    let trace = Trace { path: &request.path, reading, file: file.as_deref(), why: &why };
    let text = if request.is_json {
        let mut bytes = Vec::new();
        let value = trace.to_json();
        json::write(&value, json::Layout::Pretty, &mut bytes)
            .map_err(|error| Error::json(&error))?;
        bytes
    } else {
        trace.render(&pages(FULL_WIDTH)).into_bytes()
    };
    deliver(&request.target, Mode::Replace, &text).map(|_delivery| ())
}

/// Returns the file of the telemetry at a path of a snapshot.
fn telemetry_file_at(snapshot: &Snapshot, path: &str) -> Option<String> {
    let (index, name) = path.strip_prefix("chips.")?.split_once(".telemetry.")?;
    let chip = snapshot.chips.get(index.parse::<usize>().ok()?)?;
    let metric = Metric::ALL.iter().find(|metric| metric.as_str() == name)?;
    telemetry_file(*metric, chip.index, chip.bdf.as_deref()?)
}

fn unknown(path: &str, paths: &[String]) -> Error {
    let typed: String = path.chars().take(COMPARED).collect();
    let nearest = paths.iter().min_by_key(|path| strsim::levenshtein(&typed, path));
    Error::usage(match nearest {
        Some(nearest) => {
            format!("no reading `{typed}`; did you mean `{nearest}`? ttmem --json has all")
        }
        None => format!("no reading `{typed}`: the snapshot has no chip and no process"),
    })
}
