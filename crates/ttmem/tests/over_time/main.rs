//! The binary over time: it records, is killed, is looked into.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod damage;
mod diff;
mod kill;
mod late;
mod malformed;
mod namespaces;
mod otlp;
mod record;
mod replay;
mod report;
mod serve;
mod served;

use std::io::{BufRead as _, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

/// A host with eight chips, in a folder.
fn host(folder: &Path) -> String {
    let host = folder.join("host");
    ttmem_fake::Host::t3000().into_tree().write_to(&host).unwrap();
    host.to_str().unwrap().to_owned()
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ttmem"));
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    command
}

/// Runs to the end.
fn run(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

/// Runs, must succeed, and gives what it printed.
fn print(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Asserts that the command fails with this code; returns its one line.
fn fail(folder: &Path, arguments: &[&str], code: i32) -> String {
    let output = run(folder, arguments);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
    assert_eq!(error.trim_end().lines().count(), 1, "{error}");
    error.trim_end().trim_start_matches("ttmem: ").to_owned()
}

/// Starts, and waits until it says its first line.
fn start(folder: &Path, arguments: &[&str]) -> (Child, Lines<BufReader<ChildStderr>>) {
    start_command(&mut command(folder, arguments))
}

/// Starts a command that [`command`] made, and waits until it says its first line.
fn start_command(command: &mut Command) -> (Child, Lines<BufReader<ChildStderr>>) {
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = lines(&mut child);
    let first = lines.next().unwrap().unwrap();
    assert!(first.starts_with("ttmem: "), "{first}");
    (child, lines)
}

/// The standard error of a child.
fn lines(child: &mut Child) -> Lines<BufReader<ChildStderr>> {
    BufReader::new(child.stderr.take().unwrap()).lines()
}

fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, signal).unwrap();
}
