//! Source `inspector`: what the kernels of a process are called, from the `kernels.yaml` that TT-Metal's Inspector
//! writes under `generated/inspector`.
//!
//! Kernel ids are numbers of one process, so a file counts only if it is that process's:
//!
//! - The file that the process has open is its own, wherever it is and even if it was deleted since. A process
//!   whose open files we may list and that has no such file has no Inspector.
//! - On a captured host without open files it is the one below `TT_METAL_LOGS_PATH` or the working directory, unless by
//!   `startup.yaml` beside it Inspector started before the process, so in an earlier run.
//!
//! `programs_log.yaml` has no names that `kernels.yaml` does not have, so it is not read.

use ttmem_model::facts::{Field, ProcessFacts};
use ttmem_model::l1::KernelNames;
use ttmem_model::reading::Missing;
use ttmem_model::{Pid, Timestamp};

use crate::l1::names;
use ttmem_root::Root;

/// Path of TT-Metal's files below its directory for logs.
const DIRECTORY: &str = "generated/inspector";
/// The names.
const KERNELS: &str = "kernels.yaml";
/// The file with the time at which Inspector started.
const STARTUP: &str = "startup.yaml";
/// Names the directory for logs; the working directory if it is not set.
const LOGS_VARIABLE: &[u8] = b"TT_METAL_LOGS_PATH=";
/// The most of a `kernels.yaml`: 65,536 ids of 500 bytes.
const MAX_KERNELS_BYTES: usize = 32 << 20;
/// The most of an environment that is searched.
const MAX_ENVIRONMENT_BYTES: usize = 1 << 20;
/// The time of boot is known in whole seconds, and the clock may have been set since.
const START_TOLERANCE_US: u64 = 2_000_000;

/// The `kernels.yaml` of a capture, which is beside its index.
///
/// # Errors
/// If there is none, or it cannot be read.
pub(crate) fn file_of_capture(capture: &Root) -> Field<Vec<u8>> {
    let file = capture.read(KERNELS, MAX_KERNELS_BYTES).map_err(|error| {
        if error.is_absent() {
            Missing::no_source(format!("the capture has no {KERNELS}"))
        } else {
            error.missing()
        }
    })?;
    Ok(file.bytes)
}

/// Reads the `kernels.yaml` of a process.
///
/// # Errors
/// If the process has none, it is another run's, or it cannot be read.
pub(crate) fn file_of_process(
    root: &Root,
    pid: Pid,
    process: Option<&ProcessFacts>,
) -> Field<Vec<u8>> {
    match root.list(&format!("/proc/{pid}/fd")) {
        Ok(files) => open_file(root, pid, files.iter().filter_map(|file| file.to_str())),
        Err(error) if error.is_denied() => Err(Missing::denied(format!(
            "the open files of process {pid} are hidden; run as its user or as root"
        ))),
        Err(_) => below_directories(root, pid, process),
    }
}

/// The names of the kernels of several processes that share a chip. An id that stands for different kernels in two of
/// them has no name: nothing in L1 identifies its process.
///
/// # Errors
/// If none of them has names: the reason of the first.
pub(crate) fn of_processes<'a>(
    root: &Root,
    processes: impl IntoIterator<Item = (Pid, Option<&'a ProcessFacts>)>,
) -> Field<KernelNames> {
    let mut all: Option<KernelNames> = None;
    let mut contradicted = Vec::new();
    let mut first_fault = None;
    for (pid, process) in processes {
        match file_of_process(root, pid, process) {
            Ok(bytes) => {
                let known = all.get_or_insert_default();
                for (id, name) in names::parse(&bytes).by_id {
                    match known.by_id.insert(id, name.clone()) {
                        Some(other) if other != name => contradicted.push(id),
                        _ => {}
                    }
                }
            }
            Err(missing) => first_fault = first_fault.or(Some(missing)),
        }
    }
    let unknown = || Missing::no_source("no process is known whose kernels these are");
    let mut all = all.ok_or_else(|| first_fault.unwrap_or_else(unknown))?;
    for id in contradicted {
        all.by_id.remove(&id);
    }
    Ok(all)
}

fn open_file<'a>(
    root: &Root,
    pid: Pid,
    mut files: impl Iterator<Item = &'a str>,
) -> Field<Vec<u8>> {
    let suffix = format!("/{DIRECTORY}/{KERNELS}");
    let is_it = |path: &String| {
        let target = root.link(path).ok();
        let target = target.as_deref().and_then(std::path::Path::to_str).unwrap_or_default();
        target.strip_suffix(" (deleted)").unwrap_or(target).ends_with(&suffix)
    };
    let path = files.find_map(|file| Some(format!("/proc/{pid}/fd/{file}")).filter(&is_it));
    let path = path.ok_or_else(|| {
        Missing::no_source(format!("process {pid} has no {KERNELS} open: its Inspector is off"))
    })?;
    let file = root.read(&path, MAX_KERNELS_BYTES).map_err(|error| error.missing())?;
    Ok(file.bytes)
}

fn below_directories(root: &Root, pid: Pid, process: Option<&ProcessFacts>) -> Field<Vec<u8>> {
    for directory in directories(root, pid) {
        let path = |file: &str| format!("{directory}/{DIRECTORY}/{file}");
        let Ok(file) = root.read(&path(KERNELS), MAX_KERNELS_BYTES) else { continue };
        let begun = root.read_text(&path(STARTUP)).ok().and_then(|text| system_clock(&text));
        let started = process.and_then(|process| process.started.as_ref().ok());
        return match (begun, started) {
            (None, _) => Err(Missing::no_source(format!(
                "{} has no start time, so it may be another run's",
                path(STARTUP)
            ))),
            (Some(begun), Some(started)) if begun.0 + START_TOLERANCE_US < started.0 => {
                Err(Missing::no_source(format!(
                    "{} is of a run that began before process {pid}",
                    path(KERNELS)
                )))
            }
            _ => Ok(file.bytes),
        };
    }
    Err(Missing::no_source(format!("process {pid} has no {DIRECTORY}/{KERNELS}")))
}

/// Returns the possible directories of a process's logs: the path as the process sees it, then as this namespace does.
fn directories(root: &Root, pid: Pid) -> Vec<String> {
    let working = format!("/proc/{pid}/cwd");
    let environment = root.read(&format!("/proc/{pid}/environ"), MAX_ENVIRONMENT_BYTES);
    let bytes = environment.map(|file| file.bytes).unwrap_or_default();
    let value = bytes.split(|byte| *byte == 0).find_map(|entry| entry.strip_prefix(LOGS_VARIABLE));
    let value = value.and_then(|value| std::str::from_utf8(value).ok()).unwrap_or_default();
    match value.trim_end_matches('/') {
        "" => vec![working],
        path if path.starts_with('/') => {
            vec![format!("/proc/{pid}/root{path}"), path.to_owned()]
        }
        path => vec![format!("{working}/{path}")],
    }
}

/// Returns the time at which Inspector started, from its `startup.yaml`.
fn system_clock(text: &str) -> Option<Timestamp> {
    let line = text.lines().find_map(|line| line.trim().strip_prefix("system_clock_ns:"))?;
    line.trim().parse::<u64>().ok().map(|nanoseconds| Timestamp(nanoseconds / 1000))
}

#[cfg(test)]
#[path = "inspector/inspector_tests.rs"]
mod tests;
