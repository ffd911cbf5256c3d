//! The trace of a number, as `--why --json` prints it.

use serde::Serialize;

use crate::reading::{MissingReason, SourceName};

/// The name of the format.
pub const SCHEMA: &str = "ttmem/why";
/// The version of the format: a newer minor adds fields, a newer major breaks readers.
pub const VERSION: &str = "1.0";

/// The rule that made a number of a snapshot, and its parts.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Trace {
    /// Always `ttmem/why`.
    pub schema: &'static str,
    /// `major.minor` of the format.
    pub version: &'static str,
    /// The path of the number in the snapshot's JSON.
    pub path: String,
    /// The reading as the snapshot has it, or a number that is none.
    pub reading: serde_json::Value,
    /// The rule.
    pub rule: TraceRule,
    /// The sources that can give the number, the best first.
    pub sources: Vec<SourceName>,
    /// The file that it was read from, if it is not made from parts.
    pub file: Option<String>,
    /// True if the number is the sum of its parts, less those that are subtracted.
    pub sum: bool,
    /// The parts of a number.
    pub parts: Vec<TracePart>,
}

/// A rule that makes numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TraceRule {
    /// A stable name.
    pub name: &'static str,
    /// One sentence.
    pub text: &'static str,
}

/// A part of a number: with `value`, or with `missing` and `detail`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TracePart {
    /// Name of the part, such as `slot 3, pid 4242`.
    pub label: String,
    /// The file that it was read from; none where a table of ttmem has it.
    pub file: Option<String>,
    /// The source of the file.
    pub source: SourceName,
    /// True if it is subtracted.
    pub subtracted: bool,
    /// The number, in the unit of the reading or of the label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<u64>,
    /// The class of the reason that it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<MissingReason>,
    /// The reason in one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}
