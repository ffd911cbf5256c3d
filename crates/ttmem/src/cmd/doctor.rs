//! `ttmem doctor`: checks of the host setup, and removal of what ended processes left.

use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use ttmem_doctor::{Inputs, Removable, Status, examine, removable};
use ttmem_merge::merge;
use ttmem_service::server::socket;
use ttmem_service::supply::probe;
use ttmem_sources::Collector;
use ttmem_sources::port::simulator::dead_sockets;

use super::run::library;
use super::target::{Mode, deliver};
use crate::cli::common::Target;
use crate::cli::doctor::DoctorArgs;
use crate::error::Error;
use crate::output::doctor::render;
use crate::output::json;
use crate::output::page::Page;

/// Checks the host, or removes what ended processes left. The exit code is 1 if a check warns or fails.
///
/// # Errors
/// If the output cannot be written, or a file cannot be removed.
pub(crate) fn run(
    request: &DoctorArgs,
    collector: &mut Collector,
    is_this_host: bool,
    page: &Page,
) -> Result<ExitCode, Error> {
    let facts = collector.facts();
    if request.clean {
        if !is_this_host {
            return Err(Error::usage(
                "--clean works on this host only; leave out --demo, --root and --capture",
            ));
        }
        return clean(&removable(collector.root(), &facts), request.yes)
            .map(|()| ExitCode::SUCCESS);
    }
    let snapshot = merge(&facts, None);
    let find = || {
        let found = library::find().map(|path| path.display().to_string());
        found.map_err(|error| error.message().to_owned())
    };
    let library = is_this_host.then(find);
    let windows = collector.windows(&facts.devices);
    let root = collector.root();
    let servers = is_this_host.then(|| {
        let paths = socket::paths(std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from));
        paths.into_iter().map(|path| (path.clone(), probe(&path, root))).collect()
    });
    let dead_sockets = dead_sockets(root, rustix::process::geteuid().as_raw());
    let diagnosis = examine(&Inputs {
        root,
        facts: &facts,
        snapshot: &snapshot,
        library,
        windows,
        servers,
        dead_sockets,
    });
    let text = if request.json {
        json::text(&diagnosis, json::Layout::Pretty).map_err(|error| Error::json(&error))?
    } else {
        render(&diagnosis, facts.demo, page)
    };
    deliver(&Target::Standard, Mode::Append, text.as_bytes())?;
    Ok(ExitCode::from(match diagnosis.status {
        Status::Pass => 0,
        Status::Warn | Status::Fail => 1,
    }))
}

/// Removes what ended processes left.
fn clean(files: &[Removable], without_asking: bool) -> Result<(), Error> {
    if files.is_empty() {
        return print("nothing is left of ended processes\n");
    }
    let lines = files.iter().map(|Removable { path, whose }| format!("{path}  {whose}\n"));
    print(&lines.collect::<String>())?;
    if !without_asking && !agreed(files.len())? {
        return print("nothing removed\n");
    }
    let mut removed = 0;
    let mut failed = None;
    for file in files {
        match fs::remove_file(&file.path) {
            Ok(()) => removed += 1,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => failed = Some((file, error)),
        }
    }
    print(&format!("removed {removed}\n"))?;
    match failed {
        None => Ok(()),
        Some((file, error)) => Err(Error::Permission(format!(
            "cannot remove {}: {error}; run as its owner or as root",
            file.path
        ))),
    }
}

fn agreed(count: usize) -> Result<bool, Error> {
    if !io::stdin().is_terminal() {
        return Err(Error::usage(
            "standard input is not a terminal; add --yes to remove without asking",
        ));
    }
    let noun = if count == 1 { "this file" } else { "these files" };
    print(&format!("remove {noun}? [y/N] "))?;
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    Ok(read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn print(text: &str) -> Result<(), Error> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes()).and_then(|()| output.flush()).or_else(|error| {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Ok(());
        }
        Err(Error::standard_output(&error))
    })
}
