//! `ttmem doctor`: checks the host setup and finds stale files.
//!
//! It looks as everything else does, through the [`Root`] and at facts, opens no device and changes nothing.

mod agents;
mod bus;
mod clean;
mod devices;
mod host;
mod server;
mod shared_memory;
mod simulators;
pub mod who;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;
use ttmem_model::facts::{Facts, Field};
use ttmem_model::{Finding, Severity, Snapshot};

use ttmem_root::Root;
use ttmem_service::supply::{Probed, Unfit};
use ttmem_sources::source::kmd::windows::Windows;

pub use clean::{Removable, removable};

/// The name of the format.
pub(crate) const SCHEMA: &str = "ttmem/doctor";
/// The version of the format: a newer minor adds fields, a newer major breaks readers.
pub(crate) const VERSION: &str = "1.0";

/// The status of a check, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The check found no problem.
    Pass,
    /// Something is less than it could be.
    Warn,
    /// Something does not work.
    Fail,
}

/// The result of one check of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The subject, in one stable word.
    pub id: &'static str,
    /// The status.
    pub status: Status,
    /// The result, in one line.
    pub text: String,
    /// The remedy; `None` if there is nothing to do.
    pub remedy: Option<String>,
}

impl Check {
    fn pass(id: &'static str, text: impl Into<String>) -> Self {
        Self { id, status: Status::Pass, text: text.into(), remedy: None }
    }

    fn warn(id: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { id, status: Status::Warn, text: text.into(), remedy: Some(remedy.into()) }
    }

    fn fail(id: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { id, status: Status::Fail, text: text.into(), remedy: Some(remedy.into()) }
    }
}

/// Everything that is looked at.
#[derive(Debug)]
pub struct Inputs<'a> {
    /// The host's files.
    pub root: &'a Root,
    /// The facts of the sources.
    pub facts: &'a Facts,
    /// The merged snapshot.
    pub snapshot: &'a Snapshot,
    /// Path of the agent library, or the reason that it was not found; `None` where that does not matter, as for a
    /// captured host.
    pub library: Option<Result<String, String>>,
    /// Windows of each device by process, where the driver's list can be read.
    pub windows: BTreeMap<u32, Field<Windows>>,
    /// The status of the servers at the default paths; `None` where that does not matter, as for a captured host.
    pub servers: Option<Vec<(PathBuf, Result<Probed, Unfit>)>>,
    /// Stale sockets of this user's simulation servers.
    pub dead_sockets: Vec<PathBuf>,
}

/// Everything that was found.
#[derive(Clone, Debug, Serialize)]
pub struct Diagnosis {
    schema: &'static str,
    version: &'static str,
    /// The worst status of all checks.
    pub status: Status,
    /// The checks, in a fixed order.
    pub checks: Vec<Check>,
}

/// Runs every check on a host.
#[must_use]
pub fn examine(inputs: &Inputs<'_>) -> Diagnosis {
    let mut checks = Vec::new();
    checks.extend(devices::checks(inputs));
    checks.extend(host::checks(inputs));
    checks.extend(shared_memory::checks(inputs));
    checks.extend(agents::checks(inputs));
    checks.extend(server::checks(inputs));
    checks.extend(simulators::checks(inputs));
    let status = checks.iter().map(|check| check.status).max().unwrap_or(Status::Pass);
    Diagnosis { schema: SCHEMA, version: VERSION, status, checks }
}

/// The findings of a snapshot with one of these names, as checks. What is merely good to know is left out.
fn findings(inputs: &Inputs<'_>, id: &'static str, names: &[&str]) -> impl Iterator<Item = Check> {
    let found = Finding::together(&inputs.snapshot.findings).into_iter();
    let wanted = found.filter(|finding| names.contains(&finding.id.as_str()));
    wanted.filter_map(move |finding| match finding.severity {
        Severity::Info => None,
        Severity::Warning => Some(Check::warn(id, &finding.text, &finding.remedy)),
        Severity::Error => Some(Check::fail(id, &finding.text, &finding.remedy)),
    })
}

/// `1 region`, `3 regions`.
fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests;
