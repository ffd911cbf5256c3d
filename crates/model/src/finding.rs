//! Problems that were found, with their remedies.

use serde::{Deserialize, Serialize};

use crate::id::{ChipId, Pid};

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know; every number is valid.
    Info,
    /// Some number is less than it could be.
    Warning,
    /// Some number is missing or cannot be true.
    Error,
}

impl Severity {
    /// Returns the name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing that is wrong or worth knowing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Finding {
    /// A stable name, such as `stale-memory`.
    pub id: String,
    /// The severity.
    pub severity: Severity,
    /// The chip it is about, if it is about one.
    pub chip: Option<ChipId>,
    /// The process it is about, if it is about one.
    pub pid: Option<Pid>,
    /// The problem, in one line.
    pub text: String,
    /// The remedy, in one line.
    pub remedy: String,
}
