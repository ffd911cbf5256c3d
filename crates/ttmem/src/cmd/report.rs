//! `ttmem report`: what processes did with memory, from recordings and from the segments that their agents left.

mod input;

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use ttmem_analysis::run_report::{ProcessReport, RunReport};
use ttmem_sources::Collector;

use super::target::{Mode, deliver};
use crate::args::Target;
use crate::cli::ReportArgs;
use crate::exit::Failure;
use crate::output::html;
use crate::output::page::Page;
use crate::output::perfetto::{self, Traced};
use crate::output::run_report::render;
use crate::terminal::say;
pub use input::{Agent, Input, segment};

/// Shows the report of what is named.
///
/// # Errors
/// If it is not there or cannot be read, or if the output cannot be written.
pub fn run(request: &ReportArgs, collector: &mut Collector, page: &Page) -> Result<(), Failure> {
    let target = target(request)?;
    let input = Input::read(request.files.iter().map(AsRef::as_ref), collector)?;
    for note in &input.notes {
        say(note);
    }
    let text = if request.json {
        to_json(&input.report(false))?
    } else if request.html {
        let title = title(request);
        html::report(&title, &input.report(true), &input.l1)
            .map_err(|error| Failure::usage(format!("cannot make the page: {error}")))?
    } else if request.perfetto {
        trace(&input).map_err(|error| Failure::usage(format!("cannot make the trace: {error}")))?
    } else {
        render(&input.report(false), page)
    };
    deliver(&target, Mode::Replace, text.as_bytes()).map(|_delivery| ())
}

/// Where the report goes: never over what it is made of.
fn target(request: &ReportArgs) -> Result<Target, Failure> {
    let Some(path) = request.output.as_deref().filter(|path| *path != Path::new("-")) else {
        return Ok(Target::Standard);
    };
    let identity = |path: &Path| path.metadata().ok().map(|status| (status.dev(), status.ino()));
    let own = identity(path);
    if own.is_some() && request.files.iter().any(|file| identity(file) == own) {
        let name = path.display();
        return Err(Failure::usage(format!(
            "{name} is what the report is made of; name another file with -o"
        )));
    }
    Ok(Target::File(path.to_owned()))
}

fn trace(input: &Input) -> serde_json::Result<String> {
    let reports: Vec<ProcessReport> = input.agents.iter().map(Agent::report).collect();
    let traced = input.agents.iter().zip(&reports);
    let traced =
        traced.map(|(agent, report)| Traced { pid: agent.pid, report, segment: &agent.segment });
    perfetto::render(&input.recordings, &traced.collect::<Vec<_>>())
}

/// What is reported, by the names of its files.
fn title(request: &ReportArgs) -> String {
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    request.files.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// The report as JSON.
///
/// # Errors
/// If it cannot be written as JSON.
pub fn to_json(report: &RunReport) -> Result<String, Failure> {
    serde_json::to_string_pretty(report)
        .map(|text| text + "\n")
        .map_err(|error| Failure::usage(format!("cannot write JSON: {error}")))
}
