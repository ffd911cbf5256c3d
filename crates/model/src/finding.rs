//! Problems that were found, with their remedies.

use serde::{Deserialize, Serialize};

use crate::id::{ChipId, NamesChip, Pid};

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Finding {
    /// A stable name, such as `stale-memory`.
    pub id: String,
    /// The severity.
    pub severity: Severity,
    /// The id of the chip it is about, if it is about one and the id is known.
    pub chip: Option<ChipId>,
    /// The index of the chip, if it is still there. A snapshot before 2.3 has none.
    #[serde(default)]
    pub chip_index: Option<u32>,
    /// The process it is about, if it is about one.
    pub pid: Option<Pid>,
    /// The problem, in one line.
    pub text: String,
    /// The remedy, in one line.
    pub remedy: String,
}

impl NamesChip for Finding {
    fn settle(&mut self) {
        self.chip = self.chip.or(self.chip_index.map(ChipId::Unknown));
    }
}
