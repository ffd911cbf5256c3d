//! The commands. Each turns checked arguments into output and an exit code.

pub(crate) mod buffers;
pub(crate) mod capture;
pub(crate) mod config;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod l1;
pub(crate) mod mcp;
pub(crate) mod pick;
pub(crate) mod rank;
pub(crate) mod record;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod run;
mod samples;
pub(crate) mod serve;
pub(crate) mod snapshot;
pub(crate) mod target;
pub(crate) mod text;
pub(crate) mod top;
pub(crate) mod who;
pub(crate) mod why;

/// Returns an environment variable; invalid UTF-8 in it is replaced.
fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}
