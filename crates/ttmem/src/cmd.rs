//! The commands. Each turns checked arguments into output and an exit code.

pub mod buffers;
pub mod capture;
pub mod config;
pub mod diff;
pub mod doctor;
pub mod explain;
pub mod l1;
pub mod mcp;
pub mod record;
pub mod replay;
pub mod report;
pub mod run;
pub mod serve;
pub mod snapshot;
pub mod target;
pub mod text;
pub mod top;
pub mod who;
pub mod why;

/// Returns an environment variable; invalid UTF-8 in it is replaced.
fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}
