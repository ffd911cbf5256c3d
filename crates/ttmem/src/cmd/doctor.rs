//! `ttmem doctor`: what is in order and what is not, and the removal of what dead agents left.

use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use ttmem_doctor::{Patient, Status, examine, removable};
use ttmem_merge::merge;
use ttmem_model::facts::SegmentFile;
use ttmem_service::server::socket;
use ttmem_service::supply::probe;
use ttmem_sources::Collector;

use super::run::library;
use super::target::{Mode, deliver};
use crate::args::Target;
use crate::cli::DoctorArgs;
use crate::exit::{Exit, Failure};
use crate::output::doctor::render;
use crate::output::page::Page;

/// Looks, and cleans if that is asked for. The exit code says how bad it is.
///
/// # Errors
/// If the output cannot be written, or something cannot be removed.
pub fn run(
    request: &DoctorArgs,
    collector: &mut Collector,
    is_this_machine: bool,
    page: &Page,
) -> Result<ExitCode, Failure> {
    let facts = collector.facts();
    if request.clean {
        if !is_this_machine {
            return Err(Failure::usage(
                "only this machine is cleaned; leave out --demo, --root and --capture",
            ));
        }
        return clean(&removable(&facts), request.yes).map(|()| ExitCode::SUCCESS);
    }
    let snapshot = merge(&facts, None);
    let find = || {
        let found = library::find().map(|path| path.display().to_string());
        found.map_err(|failure| failure.message)
    };
    let library = is_this_machine.then(find);
    let root = collector.root();
    let servers = is_this_machine.then(|| {
        let places = socket::places(std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from));
        places.into_iter().map(|path| (path.clone(), probe(&path, root))).collect()
    });
    let diagnosis =
        examine(&Patient { root, facts: &facts, snapshot: &snapshot, library, servers });
    let text = if request.json {
        serde_json::to_string_pretty(&diagnosis)
            .map_err(|error| Failure::usage(format!("cannot write JSON: {error}")))?
            + "\n"
    } else {
        render(&diagnosis, facts.demo, page)
    };
    deliver(&Target::Standard, Mode::Append, text.as_bytes())?;
    Ok(ExitCode::from(match diagnosis.status {
        Status::Pass => 0,
        Status::Warn => 1,
        Status::Fail => 2,
    }))
}

/// Removes segments whose processes have ended.
fn clean(segments: &[&SegmentFile], without_asking: bool) -> Result<(), Failure> {
    if segments.is_empty() {
        return say("no agent left anything behind\n");
    }
    let mut text = String::new();
    for segment in segments {
        let owner = segment.user.as_deref().unwrap_or("unknown user");
        text += &format!("{}  process {}, gone, of {owner}\n", segment.path, segment.pid);
    }
    say(&text)?;
    if !without_asking && !agreed(segments.len())? {
        return say("nothing removed\n");
    }
    let mut removed = 0;
    let mut failed = None;
    for segment in segments {
        match fs::remove_file(&segment.path) {
            Ok(()) => removed += 1,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => failed = Some((segment, error)),
        }
    }
    say(&format!("removed {removed}\n"))?;
    match failed {
        None => Ok(()),
        Some((segment, error)) => Err(Failure {
            exit: Exit::Permission,
            message: format!(
                "cannot remove {}: {error}; run as its owner or as root",
                segment.path
            ),
        }),
    }
}

fn agreed(count: usize) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage("nobody is there to ask; --yes removes without asking"));
    }
    let noun = if count == 1 { "this file" } else { "these files" };
    say(&format!("remove {noun}? [y/N] "))?;
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    Ok(read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn say(text: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes()).and_then(|()| output.flush()).or_else(|error| {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Ok(());
        }
        Err(Failure::usage(format!("cannot write standard output: {error}; give it a place to go")))
    })
}
