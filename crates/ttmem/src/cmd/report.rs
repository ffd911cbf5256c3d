//! `ttmem report`: what a process did with memory, from the segment that its agent left.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use ttmem_collect::Collector;
use ttmem_collect::merge::buffers;
use ttmem_collect::run_report::{ProcessReport, RunReport};
use ttmem_collect::source::agent::Depth;
use ttmem_collect::source::process::Processes;
use ttmem_model::Pid;
use ttmem_model::segment::layout::MAX_SEGMENT_BYTES;
use ttmem_model::segment::{Reader, Segment};
use ttmem_model::snapshot::ProcessState;

use super::target::{Mode, deliver};
use crate::args::Target;
use crate::cli::ReportArgs;
use crate::exit::{Exit, Failure};
use crate::output::page::Page;
use crate::output::run_report::render;

/// Shows the report of the segments that are named.
///
/// # Errors
/// If a segment is not there or cannot be read, or if the output cannot be written.
pub fn run(request: &ReportArgs, collector: &mut Collector, page: &Page) -> Result<(), Failure> {
    let mut processes = Vec::new();
    for name in &request.segments {
        let (segment, is_running) = match name.to_str().and_then(|name| name.parse().ok()) {
            Some(pid) => of_process(collector, pid)?,
            None => {
                let segment = read(name)?;
                let is_running = runs(collector, &segment);
                (segment, is_running)
            }
        };
        processes.push(ProcessReport::of(&segment, is_running));
    }
    let report = RunReport::new(processes);
    let text = if request.json { to_json(&report)? } else { render(&report, page) };
    deliver(&Target::Standard, Mode::Append, text.as_bytes()).map(|_delivery| ())
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

/// Reads the segment in a file that the user names.
///
/// # Errors
/// If it is not there, cannot be read, or is no segment of this version.
pub fn read(path: &Path) -> Result<Segment, Failure> {
    let name = path.display();
    let mut bytes = Vec::new();
    let limit = MAX_SEGMENT_BYTES as u64;
    File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(
        |error| {
            let exit = match error.kind() {
                std::io::ErrorKind::NotFound => Exit::NotFound,
                std::io::ErrorKind::PermissionDenied => Exit::Permission,
                _ => Exit::Usage,
            };
            Failure {
                exit,
                message: format!("cannot read {name}: {error}; name a segment of the agent"),
            }
        },
    )?;
    Reader::parse(&bytes).map_err(|error| Failure::usage(format!("{name}: {error}")))
}

/// The segment of a process of the host.
fn of_process(collector: &mut Collector, pid: i32) -> Result<(Segment, bool), Failure> {
    let facts = collector.facts_at(Depth::Full);
    let list = buffers(&facts);
    let owner = list.processes.iter().rev().find(|process| process.pid == Pid(pid));
    let file =
        owner.and_then(|owner| facts.segments.iter().find(|file| file.path == owner.segment));
    let segment = file.and_then(|file| file.content.as_ref().ok().cloned());
    let is_running = owner.is_some_and(|owner| owner.state == ProcessState::Live);
    segment.map(|segment| (segment, is_running)).ok_or_else(|| {
        Failure::not_found(format!(
            "no segment of process {pid}; start it with ttmem run, and with --keep to see it after its end"
        ))
    })
}

/// Whether the process of a segment still runs.
fn runs(collector: &Collector, segment: &Segment) -> bool {
    let Ok(pid) = i32::try_from(segment.header.pid) else { return false };
    let mut processes = Processes::new(collector.root());
    processes.add(Pid(pid));
    let process = processes.get(Pid(pid));
    process.is_some_and(|process| process.start_time == Ok(segment.header.start_ticks))
}
