//! `ttmem report`: the memory use of processes, from recordings and agent segments.

mod input;
mod visualizer;

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use ttmem_analysis::run_report::{ProcessReport, RunReport};
use ttmem_sources::Collector;

use super::target::{Mode, deliver};
use crate::cli::common::Target;
use crate::cli::report::{ReportArgs, ReportFormat};
use crate::error::Error;
use crate::output::html;
use crate::output::json;
use crate::output::page::Page;
use crate::output::perfetto::{self, Traced};
use crate::output::run_report::render;
use crate::terminal::notify;
pub(crate) use input::{Agent, Input, damaged_file, indexes_on_host, segment_in};

/// Shows the report of the named files and processes.
///
/// # Errors
/// If one does not exist or cannot be read, or if the output cannot be written; after the output, if one is damaged.
pub(crate) fn run(args: &ReportArgs, collector: &mut Collector, page: &Page) -> Result<(), Error> {
    let target = target(args)?;
    let input = Input::read(args.files.iter().map(AsRef::as_ref), collector)?;
    input.has_content()?;
    for note in &input.notes {
        notify(note);
    }
    if let Some(directory) = &args.ttnn_visualizer {
        visualizer::write(directory, &input, &title(args))?;
        return input.is_whole();
    }
    let text = match args.format() {
        ReportFormat::Json => to_json(&input.report(false))?,
        ReportFormat::Html => html::report(&title(args), &input.report(true), &input.l1)
            .map_err(|error| Error::json(&error))?,
        ReportFormat::Perfetto => trace(&input).map_err(|error| Error::json(&error))?,
        ReportFormat::Text => render(&input.report(false), page),
    };
    deliver(&target, Mode::Replace, text.as_bytes())?;
    input.is_whole()
}

/// Returns the destination of the report, which must not be one of its inputs.
fn target(args: &ReportArgs) -> Result<Target, Error> {
    let target = Target::of(args.output.as_deref());
    let Target::File(path) = &target else { return Ok(target) };
    let identity = |path: &Path| path.metadata().ok().map(|status| (status.dev(), status.ino()));
    let own = identity(path);
    if own.is_some() && args.files.iter().any(|file| identity(file) == own) {
        let name = path.display();
        return Err(Error::usage(format!(
            "{name} is an input of the report; name another file with -o"
        )));
    }
    Ok(target)
}

fn trace(input: &Input) -> serde_json::Result<String> {
    let reports: Vec<ProcessReport> = input.agents.iter().map(Agent::report).collect();
    let traced = input.agents.iter().zip(&reports);
    let traced =
        traced.map(|(agent, report)| Traced { pid: agent.pid, report, segment: &agent.segment });
    perfetto::render(&input.recordings, &traced.collect::<Vec<_>>())
}

/// Returns the title of the report: the names of its files.
fn title(args: &ReportArgs) -> String {
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    args.files.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// Returns the report as JSON.
///
/// # Errors
/// [`Error::System`] if it cannot be written as JSON.
pub(crate) fn to_json(report: &RunReport) -> Result<String, Error> {
    json::text(report, json::Layout::Pretty).map_err(|error| Error::json(&error))
}
