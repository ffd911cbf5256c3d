//! `ttmem run`: a command with the agent in it and in its children, and what they did with memory.
//!
//! The command is a child in the same process group, with the same terminal and streams. Nothing stands between it and
//! its user but the wait for its end.

pub(super) mod command;
pub(super) mod library;
mod segments;
mod signals;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use ttmem_analysis::run_report::{ProcessReport, RunReport};

use self::command::{Ended, Running, shown};
use self::segments::Found;
use super::report::{segment as read, to_json};
use super::target::{Mode, deliver};
use crate::args::{ReportTarget, RunRequest, Target};
use crate::exit::{Exit, Failure};
use crate::limit::Limit;
use crate::output::html;
use crate::output::page::Page;
use crate::output::run_report::render;

/// Runs the command. The exit code is the command's, unless a limit was exceeded.
///
/// # Errors
/// If the agent library is missing, or the report cannot be written after a command that went well.
pub fn run(request: &RunRequest, page: &Page) -> Result<ExitCode, Failure> {
    let began = Instant::now();
    let command = match Running::start(&request.command)? {
        Ok(command) => command,
        Err(code) => return Ok(ExitCode::from(code)),
    };
    let (Ended { code, found }, ()) = command.wait(|_code| ())?;
    let report = RunReport {
        command: shown(&request.command),
        exit_code: Some(code),
        duration_us: u64::try_from(began.elapsed().as_micros()).ok(),
        ..report_of(&found, request)
    };
    let written = write_report(request, &report, page);
    clean(&found, request.keep);
    let verdict = check_limits(&request.limits, &report);
    conclude(code, written.and(verdict))
}

/// The exit code of a command that ended with `code`: its own, unless it went well and something else did not.
pub(super) fn conclude(code: i32, outcome: Result<(), Failure>) -> Result<ExitCode, Failure> {
    match (u8::try_from(code).unwrap_or(u8::MAX), outcome) {
        (0, outcome) => outcome.map(|()| ExitCode::SUCCESS),
        (code, outcome) => {
            if let Err(Failure { message, .. }) = outcome {
                say(&message);
            }
            Ok(ExitCode::from(code))
        }
    }
}

fn report_of(found: &[Found], request: &RunRequest) -> RunReport {
    let is_page = matches!(&request.report, Some(ReportTarget::File(path))
        if path.extension().is_some_and(|extension| extension == "html"));
    let mut processes = Vec::new();
    for segment in found {
        match read(&segment.path) {
            Ok(content) => {
                let report = ProcessReport::of(&content, segment.is_running);
                processes.push(if is_page { report.with_timeline(&content) } else { report });
            }
            Err(failure) => say(&failure.message),
        }
    }
    RunReport::new(processes)
}

fn write_report(request: &RunRequest, report: &RunReport, page: &Page) -> Result<(), Failure> {
    match &request.report {
        None => Ok(()),
        Some(ReportTarget::StandardError) => {
            let mut error = io::stderr().lock();
            // Standard error may be closed; then nobody wants to know.
            error.write_all(format!("\n{}", render(report, page)).as_bytes()).or(Ok(()))
        }
        Some(ReportTarget::File(path)) => {
            let plain = Page::plain(page.width);
            let text = match path.extension().and_then(|extension| extension.to_str()) {
                Some("json") => to_json(report)?,
                Some("html") => html::report("ttmem run", report, &[])
                    .map_err(|error| Failure::usage(format!("cannot make the page: {error}")))?,
                _ => render(report, &plain),
            };
            deliver(&Target::File(path.clone()), Mode::Replace, text.as_bytes()).map(|_delivery| ())
        }
    }
}

/// Removes the segments of processes that have ended.
pub(super) fn clean(found: &[Found], keep: bool) {
    for segment in found.iter().filter(|segment| !segment.is_running) {
        let path = segment.path.display();
        if keep {
            say(&format!("kept {path}; ttmem report {path} shows it"));
        } else if let Err(error) = std::fs::remove_file(&segment.path) {
            say(&format!("cannot remove {path}: {error}; ttmem doctor --clean tries again"));
        }
    }
}

fn check_limits(limits: &[Limit], report: &RunReport) -> Result<(), Failure> {
    if limits.is_empty() {
        return Ok(());
    }
    if report.processes.is_empty() {
        return Err(Failure::unsupported(
            "the limit was not checked: no process of the command used TT-Metal with the agent; see ttmem doctor",
        ));
    }
    let exceeded: Vec<String> = report
        .processes
        .iter()
        .flat_map(|process| limits.iter().filter_map(|limit| limit.exceeded_by(process)))
        .collect();
    let Some((last, others)) = exceeded.split_last() else { return Ok(()) };
    for message in others {
        say(message);
    }
    Err(Failure { exit: Exit::Limit, message: last.clone() })
}

/// A line of ttmem's own among what the command says.
pub(super) fn say(message: &str) {
    let mut error = io::stderr().lock();
    // There is nowhere left to say that standard error is closed.
    match writeln!(error, "ttmem: {message}") {
        Ok(()) | Err(_) => {}
    }
}
