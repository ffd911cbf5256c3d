//! `ttmem run`: a command with the agent, and the memory use of its processes.
//!
//! The command is a child in the same process group, with the same terminal and streams.

pub(super) mod command;
mod host_memory;
mod inherited;
pub(super) mod library;
mod limit;
mod observer;
mod reaper;
mod region;
pub(super) mod segments;
mod signals;
mod usage;

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use ttmem_analysis::run_report::{ProcessReport, RunReport, Uncounted};
use ttmem_model::facts::Facts;
use ttmem_model::order::Gather as _;
use ttmem_root::Root;
use ttmem_sources::Collector;

use self::command::{Ended, Running, shown};
use self::observer::{Observed, Observer};
use self::segments::Found;
use super::report::to_json;
use super::target::{Mode, deliver};
use crate::cli::common::Target;
use crate::cli::run::{ReportTarget, RunArgs};
use crate::error::Error;
use crate::output::html;
use crate::output::page::Page;
use crate::output::run_report::{render, uncounted};
use crate::units::Limit;

/// Runs the command. The exit code is the command's, unless a limit was exceeded.
///
/// # Errors
/// If the agent library is missing, or the report cannot be written after a command that went well.
pub(crate) fn run(args: &RunArgs, page: &Page) -> Result<ExitCode, Error> {
    let began = Instant::now();
    let is_counted = args.report_target().is_some() || !args.limit.is_empty();
    let before = is_counted.then(host_memory::Before::read);
    let command = match Running::start(&args.command)? {
        Ok(command) => command,
        Err(code) => return Ok(ExitCode::from(code)),
    };
    let observer = is_counted.then(Observer::start).flatten();
    let (Ended { pid, code, signal, mut found }, ()) = command.wait(|_code| ())?;
    let observed = observer.map(Observer::finish);
    let host_memory = observed
        .as_ref()
        .zip(before)
        .map(|(observed, before)| before.finish(code, observed.largest.clone(), &observed.pids));
    let Observed { uncounted: uncounted_processes, found: contained, .. } =
        observed.unwrap_or_default();
    found.extend(contained);
    let duration_us = u64::try_from(began.elapsed().as_micros()).ok();
    let indexes = Indexes::default();
    let mut counted = report_of(&found, args, &indexes);
    let own_code = signal.is_none().then_some(code);
    // Of a process that called exec, the last program.
    let own = counted.processes.iter_mut().filter(|process| process.pid == pid);
    if let Some(process) = own.max_by_key(|process| process.since) {
        process.set_status(own_code, signal);
    }
    let report = RunReport {
        command: shown(&args.command),
        exit_code: Some(code),
        duration_us,
        host_memory,
        uncounted: indexes.set(without_counted(uncounted_processes, &counted)),
        ..counted
    };
    let written = write_report(args, &report, page);
    clean(&found, args.keep);
    if !matches!(args.report_target(), Some(ReportTarget::StandardError)) {
        report.uncounted.iter().for_each(|process| say(&uncounted(process, page.charset)));
    }
    let verdict = check_limits(&args.limit, &report);
    finish(code, written.and(verdict))
}

/// The exit code of a command that ended with `code`: its own, unless it went well and something else did not.
pub(super) fn finish(code: i32, outcome: Result<(), Error>) -> Result<ExitCode, Error> {
    match (u8::try_from(code).unwrap_or(u8::MAX), outcome) {
        (0, outcome) => outcome.map(|()| ExitCode::SUCCESS),
        (code, outcome) => {
            if let Err(error) = outcome {
                say(error.message());
            }
            Ok(ExitCode::from(code))
        }
    }
}

/// The processes that have no segment in the report: one may have been seen before it had one, or after it removed it.
fn without_counted(mut uncounted: Vec<Uncounted>, report: &RunReport) -> Vec<Uncounted> {
    uncounted.retain(|seen| report.processes.iter().all(|process| process.pid != seen.pid));
    uncounted
}

/// Indexes of chips on the host, which is asked once, and only if there is something to report.
#[derive(Default)]
struct Indexes(OnceCell<Facts>);

impl Indexes {
    fn of(&self, id: u64) -> Option<u32> {
        ttmem_merge::host_index(self.0.get_or_init(|| Collector::new(Root::system()).facts()), id)
    }

    /// Sets the indexes of the chips of memory regions.
    fn set(&self, mut uncounted: Vec<Uncounted>) -> Vec<Uncounted> {
        for peak in uncounted.iter_mut().filter_map(|process| process.region.as_mut()).flatten() {
            peak.index = self.of(peak.unique_id);
        }
        uncounted
    }
}

fn report_of(found: &[Found], args: &RunArgs, indexes: &Indexes) -> RunReport {
    let is_page = matches!(args.report_target(), Some(ReportTarget::File(path))
        if path.extension().is_some_and(|extension| extension == "html"));
    let host = Root::system().read_text("/proc/sys/kernel/hostname").ok();
    let mut processes = Vec::new();
    for segment in found {
        match segment.read() {
            Ok(content) => {
                let report = ProcessReport::of(&content, segment.is_running);
                let report = ProcessReport { host: host.clone(), ..report }
                    .with_indexes(&|id| indexes.of(id));
                processes.push(if is_page { report.with_timeline(&content) } else { report });
            }
            Err(error) => say(error.message()),
        }
    }
    RunReport::new(processes)
}

fn write_report(args: &RunArgs, report: &RunReport, page: &Page) -> Result<(), Error> {
    match args.report_target() {
        None => Ok(()),
        Some(ReportTarget::StandardError) => {
            let mut error = io::stderr().lock();
            // Standard error may be closed; then the message is lost.
            error.write_all(format!("\n{}", render(report, page)).as_bytes()).or(Ok(()))
        }
        Some(ReportTarget::File(path)) => {
            let plain = Page::plain(page.width);
            let text = match path.extension().and_then(|extension| extension.to_str()) {
                Some("json") => to_json(report)?,
                Some("html") => {
                    html::report("ttmem run", report, &[]).map_err(|error| Error::json(&error))?
                }
                _ => render(report, &plain),
            };
            deliver(&Target::File(path), Mode::Replace, text.as_bytes()).map(|_delivery| ())
        }
    }
}

/// Removes the segments of processes that have ended.
pub(super) fn clean(found: &[Found], keep: bool) {
    let left = found.iter().filter(|segment| !segment.is_running && segment.path.exists());
    // Several segments had the name of one that others replaced.
    for left in left.map(|segment| &segment.path).gather::<BTreeSet<_>>() {
        let path = left.display();
        if keep {
            say(&format!("kept {path}; ttmem report {path} shows it"));
        } else if let Err(error) = std::fs::remove_file(left) {
            say(&format!("cannot remove {path}: {error}; ttmem doctor --clean tries again"));
        }
    }
}

fn check_limits(limits: &[Limit], report: &RunReport) -> Result<(), Error> {
    if limits.is_empty() {
        return Ok(());
    }
    let unchecked: Vec<_> =
        report.uncounted.iter().filter_map(|process| limit::unchecked(limits, process)).collect();
    if report.processes.is_empty() && unchecked.len() == report.uncounted.len() {
        let reason = unchecked
            .first()
            .copied()
            .unwrap_or("no process of the command opened a device with TT-Metal");
        return Err(Error::unsupported(format!("the limit was not checked: {reason}")));
    }
    let counted = report
        .processes
        .iter()
        .flat_map(|process| limits.iter().filter_map(|limit| limit::exceeded(*limit, process)));
    let sampled = report
        .uncounted
        .iter()
        .flat_map(|process| limits.iter().filter_map(|limit| limit::sampled(*limit, process)));
    let exceeded: Vec<String> = counted.chain(sampled).collect();
    let Some((last, others)) = exceeded.split_last() else {
        if unchecked.len() < report.uncounted.len() {
            say(
                "the limit was checked against samples of TT-Metal's memory region, which are approximate",
            );
        }
        return match unchecked.len() {
            0 => Ok(()),
            1 => Err(Error::unsupported(
                "the limit was not checked for a process that was not counted".to_owned(),
            )),
            uncounted => Err(Error::unsupported(format!(
                "the limit was not checked for {uncounted} processes that were not counted"
            ))),
        };
    };
    for message in others {
        say(message);
    }
    Err(Error::Limit(last.clone()))
}

/// Prints a line of ttmem among the output of the command.
pub(super) fn say(message: &str) {
    let mut error = io::stderr().lock();
    // There is nowhere left to say that standard error is closed.
    match writeln!(error, "ttmem: {message}") {
        Ok(()) | Err(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use ttmem_fake::segment::Segment as Fake;
    use ttmem_segment::Reader;

    use super::*;

    #[test]
    fn a_process_with_a_segment_is_counted() {
        let segment = Reader::parse(&Fake::wormhole(7, 70, 5).image()).unwrap();
        let report = RunReport::new(vec![ProcessReport::of(&segment, false)]);
        let text = |text: &str| text.to_owned();
        let seen =
            |pid| Uncounted { pid, name: text("python3"), reason: text("a copy"), region: None };
        let left = without_counted(vec![seen(7), seen(8)], &report);
        assert_eq!(left.iter().map(|seen| seen.pid).collect::<Vec<_>>(), [8]);
    }
}
