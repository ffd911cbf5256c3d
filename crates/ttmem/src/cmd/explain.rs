//! `ttmem explain`: explanations of TT-Metal's memory errors and reports.

use std::io;
use std::path::Path;

use ttmem_analysis::explain::input::{Input, open_path};
use ttmem_analysis::explain::{Findings, LiveMap, Refused};
use ttmem_analysis::run_report::past_buffers;
use ttmem_merge::buffers;
use ttmem_model::Pid;
use ttmem_sources::Collector;
use ttmem_sources::source::agent::Depth;

use super::report::{Input as Segments, indexes_on_host};
use super::target::{Mode, deliver};
use crate::cli::explain::ExplainArgs;
use crate::error::Error;
use crate::output::json;
use crate::output::page::{Charset, FULL_WIDTH, Page};
use crate::output::text::legible;
use crate::terminal::notify;

/// Explains a log, a message or the reports in a folder. With agents on the host, blocking buffers are named.
///
/// # Errors
/// If the input cannot be read, [`Error::Unsupported`] if nothing in it is known, or if the output cannot be written.
pub(crate) fn run(
    args: &ExplainArgs,
    collector: &mut Collector,
    pages: impl Fn(usize) -> Page,
) -> Result<(), Error> {
    let path = args.input();
    let inputs = match path {
        Some(path) => open_path(path).map_err(|error| unreadable(path, &error))?,
        None => vec![Input::new("-", Box::new(io::stdin()))],
    };
    let is_empty_folder = inputs.is_empty();
    let (live, whole) = live(args, collector)?;
    let findings = Findings::of(inputs, Some(&live))
        .map_err(|error| unreadable(path.unwrap_or(Path::new("-")), &error))?;
    if findings.is_empty() {
        return Err(nothing_known(path, is_empty_folder));
    }
    let bytes = if args.json {
        let json = json::text(&findings, json::Layout::Pretty);
        json.map_err(|error| Error::json(&error))?.into_bytes()
    } else {
        let page = pages(FULL_WIDTH);
        let text = findings.render(page.width, page.charset == Charset::Ascii);
        text.lines()
            .flat_map(|line| [&*legible(line, page.charset), "\n"].concat().into_bytes())
            .collect()
    };
    deliver(&args.file.target(), Mode::Replace, &bytes)?;
    if findings.is_recognised() { whole } else { Err(nothing_known(path, false)) }
}

/// Buffers, and the error of a source that is damaged.
type Live = (LiveMap, Result<(), Error>);

/// The buffers that live now, and those that lived when TT-Metal refused something, by all segments that can be read.
fn live(args: &ExplainArgs, collector: &mut Collector) -> Result<Live, Error> {
    let facts = collector.facts_at(Depth::Full);
    let segments =
        || facts.segments.iter().filter_map(|file| Some((file.pid, file.content.as_ref().ok()?)));
    let refused = |pid: Pid| {
        let (_, segment) = segments().find(|(owner, _)| *owner == pid.0)?;
        Refused::of(&segment.programs.refusals)
    };
    let mut live = LiveMap::of(&buffers(&facts), refused);
    for (pid, segment) in segments() {
        let indexes = indexes_on_host(&facts, segment);
        let index_of = |id: u64| indexes.get(&id).copied();
        live.add(past_buffers(segment, &format!("process {pid}"), &index_of));
    }
    let named = Segments::read(args.sources.iter().map(AsRef::as_ref), collector)?;
    for note in &named.notes {
        notify(note);
    }
    for agent in &named.agents {
        let index_of = |id: u64| agent.indexes.get(&id).copied();
        live.add(past_buffers(&agent.segment, &format!("process {}", agent.pid), &index_of));
    }
    Ok((live, named.is_whole()))
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::reading(path, error, "name a log, a report, or - for standard input")
}

fn nothing_known(path: Option<&Path>, is_empty_folder: bool) -> Error {
    let name = path.map_or("standard input".to_owned(), |path| path.display().to_string());
    let message = if is_empty_folder {
        format!(
            "no memory report in {name}; their names are *memory_usage*.csv, *l1_usage_summary.csv and \
             memory_results.json"
        )
    } else {
        format!("no memory error, warning or report in {name} that ttmem knows")
    };
    Error::Unsupported(message)
}
