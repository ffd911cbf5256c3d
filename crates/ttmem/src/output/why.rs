//! `--why`: the rule that made a reading, and its parts.

use serde_json::Value;
use ttmem_merge::{Part, Rule, Why};
use ttmem_model::trace::{self, TracePart, TraceRule};
use ttmem_model::{MissingReason, SourceName};

use super::amount;
use super::page::Page;
use super::text::{legible, wrap};

/// The column of the values.
const VALUES: usize = 10;
/// The narrowest column of values.
const LEAST_VALUE_COLUMNS: usize = 30;

/// Returns the paths of all readings and of all other numbers of a snapshot's JSON.
#[must_use]
pub(crate) fn paths(snapshot: &Value) -> Vec<String> {
    let mut found = Vec::new();
    add_paths(snapshot, "", &mut found);
    found
}

fn add_paths(value: &Value, path: &str, found: &mut Vec<String>) {
    let below =
        |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(_) if is_reading(value) => found.push(path.to_owned()),
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| add_paths(value, &below(name), found));
        }
        Value::Array(values) => {
            let numbered = values.iter().enumerate();
            numbered.for_each(|(index, value)| add_paths(value, &below(&index.to_string()), found));
        }
        Value::Number(_) => found.push(path.to_owned()),
        _ => {}
    }
}

/// True for a reading: an object with a value and its source, or with a missing reason.
fn is_reading(value: &Value) -> bool {
    let has = |name| value.get(name).is_some();
    has("value") && has("source") || has("missing") && has("detail")
}

/// Returns the value of a snapshot's JSON at a path of [`paths`].
#[must_use]
pub(crate) fn at<'a>(snapshot: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(snapshot, |value, name| match value {
        Value::Array(values) => values.get(name.parse::<usize>().ok()?),
        _ => value.get(name),
    })
}

/// A reading with its trace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trace<'a> {
    /// The path of the reading.
    pub(crate) path: &'a str,
    /// The reading, in JSON.
    pub(crate) reading: &'a Value,
    /// The file that it was read from, if it is not a sum of parts.
    pub(crate) file: Option<&'a str>,
    /// The rule and the parts.
    pub(crate) why: &'a Why,
}

impl Trace<'_> {
    /// Returns the trace as JSON has it.
    #[must_use]
    pub(crate) fn report(&self) -> trace::Trace {
        let Self { path, reading, file, why } = *self;
        let part = |part: &Part| TracePart {
            label: part.label.clone(),
            file: part.file.clone(),
            source: part.source,
            subtracted: part.is_subtracted,
            value: part.value.as_ref().ok().copied(),
            missing: part.value.as_ref().err().map(|missing| missing.reason),
            detail: part.value.as_ref().err().map(|missing| missing.detail.to_string()),
        };
        let Rule { name, text, sources } = *why.rule;
        trace::Trace {
            schema: trace::SCHEMA,
            version: trace::VERSION,
            path: path.to_owned(),
            reading: reading.clone(),
            rule: TraceRule { name, text },
            sources: sources.to_vec(),
            file: file.map(str::to_owned),
            sum: why.is_sum && !why.parts.is_empty(),
            parts: why.parts.iter().map(part).collect(),
        }
    }

    /// Draws the trace.
    #[must_use]
    pub(crate) fn render(&self, page: &Page) -> String {
        let Self { path, reading, file, why } = *self;
        let mut text = String::new();
        let mut entry = |label: &str, value: &str| add_entry(&mut text, label, value, page);
        let word = |name: &str| reading.get(name).and_then(Value::as_str).unwrap_or_default();
        entry("Path", path);
        if reading.is_number() {
            entry("Value", &number(reading, false));
        } else if let Some(value) = reading.get("value") {
            entry("Value", &number(value, is_bytes(path)));
            let age = reading.get("age_us").and_then(Value::as_u64).unwrap_or_default();
            entry("Source", &format!("{}, {}, {age} us old", word("source"), word("quality")));
        } else {
            entry("Missing", &format!("{}: {}", word("missing"), word("detail")));
            let is_unsupported = word("missing") == MissingReason::Unsupported.as_str();
            match why.rule.sources {
                [only] if is_unsupported => entry("Given by", &format!("{} only", only.as_str())),
                sources => {
                    for (index, source) in sources.iter().enumerate() {
                        entry(if index == 0 { "Given by" } else { "" }, how_to_get(*source));
                    }
                }
            }
        }
        entry("Rule", &format!("{}: {}", why.rule.name, why.rule.text));
        if let Some(file) = file {
            entry("File", file);
        }
        for (index, part) in why.parts.iter().enumerate() {
            entry(
                if index == 0 { "Parts" } else { "" },
                &part_in_words(part, why.is_sum && is_bytes(path)),
            );
        }
        text
    }
}

fn add_entry(text: &mut String, label: &str, value: &str, page: &Page) {
    let columns = page.width.saturating_sub(VALUES).max(LEAST_VALUE_COLUMNS);
    for (index, line) in wrap(&legible(value, page.charset), columns).iter().enumerate() {
        let label = if index == 0 { label } else { "" };
        text.push_str(&format!("{label:VALUES$}{line}"));
        text.push('\n');
    }
}

fn part_in_words(part: &Part, is_bytes: bool) -> String {
    let value = match &part.value {
        Ok(bytes) if is_bytes => bytes_in_words(*bytes),
        Ok(value) => value.to_string(),
        Err(missing) => format!("{}: {}", missing.reason.as_str(), missing.detail),
    };
    let file = part.file.as_deref().unwrap_or("table of ttmem");
    let sign = if part.is_subtracted { "-" } else { "" };
    format!("{sign}{value}: {}, {} ({file})", part.label, part.source.as_str())
}

/// Returns a number; of bytes with their size in binary units.
fn number(value: &Value, is_bytes: bool) -> String {
    match value.as_u64() {
        Some(bytes) if is_bytes => bytes_in_words(bytes),
        _ => value.to_string(),
    }
}

fn bytes_in_words(bytes: u64) -> String {
    if bytes < 1024 { format!("{bytes} B") } else { format!("{bytes} B ({})", amount::size(bytes)) }
}

fn is_bytes(path: &str) -> bool {
    let leaf = path.rsplit('.').next().unwrap_or(path);
    leaf == "host_memory_bytes"
        || path.contains(".memory.") && !matches!(leaf, "banks" | "fragmentation")
}

/// Returns a source, and how to make it available.
fn how_to_get(source: SourceName) -> &'static str {
    match source {
        SourceName::Kmd => "kmd: the files of the driver and of procfs",
        SourceName::Upstream => "upstream: the memory regions of TT-Metal 0.70 and newer",
        SourceName::Agent => "agent: start the process with ttmem run",
        SourceName::L1 => "l1: ttmem --l1 reads the cores",
        SourceName::Inspector => "inspector: the files of TT-Metal's Inspector",
        SourceName::Server => "server: ttmem serve",
    }
}
