//! `ttmem explain`: the meaning of memory messages and memory reports, and what to change.
//!
//! [`explain`] finds the memory messages of TT-Metal, its ops, its driver and its compilers in a log or a pasted line. An
//! [`Explanation`] has the cause, the missing bytes, the cores, and what to change. With a [`LiveMap`] it names the buffers
//! that block an allocation. [`report`] reads the CSV files that `ttnn.dump_device_memory_state`
//! writes. [`Findings`] is all of it, as the command prints it.
//!
//! A log is searched for the words of `anchor` first, and only what surrounds them is examined: its size does not
//! matter, and memory is constant. `table` has the messages with a wording of their own; `op_limit` recognises ops'
//! own checks by their form.

mod advise;
mod anchor;
mod breakdown;
mod channel;
mod chip;
mod clean;
mod cores;
mod fixed;
mod form;
mod hunk;
pub mod input;
mod live;
mod message;
mod number;
mod op_limit;
mod pattern;
mod prefix;
mod prose;
mod reading;
mod release;
mod render;
pub mod report;
mod same;
mod scan;
mod source_code;
mod spaces;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod units;
mod unknown;
mod view;

use std::io::{self, Read};

use serde::Serialize;

pub(crate) use advise::{Advice, Figure, Fit};
pub use cores::CoreRange;
pub(crate) use cores::Cores;
pub(crate) use live::{Blocker, LiveBuffer};
pub use live::{LiveChip, LiveMap, Refused};
pub use message::{BuffersBeyondL1, KernelMemory};
pub(crate) use message::{BuffersClash, Message, OutOfMemory, ProgramTooLarge, StaticBuffers};
pub use render::words;
pub(crate) use render::{render, render_reports};
pub use text::text_of;
pub(crate) use unknown::Unknown;
pub(crate) use view::{MemoryCourse, MemoryState};

use advise::Context;
use chip::ChipFacts;
use release::Release;
use report::MemoryReport;
use scan::{Found, Scanned, Scanner};

/// A message of a log with its meaning, its figures and what to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The message with its numbers.
    pub(crate) message: Message,
    /// Wording of the message, in one line.
    pub(crate) text: String,
    /// The line of the input where it occurs first, counted from 1.
    pub(crate) line: usize,
    /// Times that it happened: ranks and threads repeat a message. What TT-Metal logs and then throws counts once.
    pub(crate) count: usize,
    /// True if the message ends before its last number, or a number is redacted.
    pub(crate) cut: bool,
    /// The event, in one line.
    pub title: String,
    /// The meaning.
    pub meaning: String,
    /// Full, fragmented, or what else.
    pub(crate) fit: Fit,
    /// Bytes of one bank or core that are missing; absent where the message does not tell.
    pub(crate) over_bytes: Option<u64>,
    /// Cores concerned; absent where the message does not tell.
    pub(crate) core_count: Option<u64>,
    /// The numbers as they are shown.
    pub figures: Vec<Figure>,
    /// The changes, most effective first.
    pub advice: Vec<Advice>,
    /// Buffers that block it; empty without a live map.
    pub(crate) blockers: Vec<Blocker>,
}

/// Finds and explains every known message of a text, in the order in which they occur first.
#[must_use]
pub fn explain(text: &str) -> Vec<Explanation> {
    explained(scan_text(text.as_bytes()), None).explanations
}

/// Explains like [`explain`], and names the live buffers that block an allocation.
#[must_use]
#[cfg(test)]
pub(crate) fn explain_with(text: &str, live: &LiveMap) -> Vec<Explanation> {
    explained(scan_text(text.as_bytes()), Some(live)).explanations
}

/// Explains what is known by its numbers, such as a refused allocation that an agent recorded: its wording is empty.
#[must_use]
pub(crate) fn explain_message(message: Message, live: Option<&LiveMap>) -> Explanation {
    let chip = ChipFacts::of(std::iter::once(&message));
    explanation(Found::of(message), &Context { live, chip, ..Context::default() })
}

/// The contents of one log.
struct Log {
    explanations: Vec<Explanation>,
    courses: Vec<MemoryCourse>,
    unknown: Unknown,
}

fn scan_text(text: &[u8]) -> Scanned {
    let mut scanner = Scanner::default();
    scanner.push(text);
    scanner.finish()
}

fn scan_reader(head: &[u8], reader: &mut dyn Read) -> io::Result<Scanned> {
    let mut scanner = Scanner::default();
    scanner.push(head);
    while scanner.read(reader)? > 0 {}
    Ok(scanner.finish())
}

fn explained(scanned: Scanned, live: Option<&LiveMap>) -> Log {
    let Scanned { found, courses, unknown, release } = scanned;
    let semaphores = found.iter().find(|found| found.message == Message::SemaphoresInL1);
    let mut chip = ChipFacts::of(found.iter().map(|found| &found.message));
    let courses = courses.finish();
    let l1 = courses.iter().find(|course| course.memory == ttmem_model::Kind::L1);
    chip.cores = chip.cores.or(l1.and_then(|course| course.last.banks));
    let context = Context {
        live,
        chip,
        release: release.as_deref().and_then(Release::parse),
        semaphores_line: semaphores.map(|found| found.line),
    };
    let explanations = found.into_iter().map(|found| explanation(found, &context)).collect();
    Log { explanations, courses, unknown }
}

/// Sentence after the meaning of a message that does not have all of its numbers.
const CUT: &str = " The message was cut, or numbers of it are redacted: what is here follows from the rest. Look for another \
    copy of it in the log.";

fn explanation(found: Found, context: &Context<'_>) -> Explanation {
    let mut verdict = advise::verdict(&found.message, context);
    if found.message.is_cut() && verdict.fit != Fit::Contradictory {
        verdict.meaning += CUT;
    }
    Explanation {
        core_count: found.message.cores().map(Cores::count),
        count: found.count(),
        cut: found.message.is_cut(),
        message: found.message,
        text: found.text,
        line: found.line,
        title: verdict.title,
        meaning: verdict.meaning,
        fit: verdict.fit,
        over_bytes: verdict.over,
        figures: verdict.figures,
        advice: verdict.advice,
        blockers: verdict.blockers,
    }
}

/// Everything that was found in the inputs of one command. Its JSON:
///
/// ```text
/// { "schema": "ttmem/explain", "version": "2.0",
///   "explanations": [ { "message": { "kind": "buffers_clash" | "out_of_memory" | "op_limit" | …, …its numbers },
///       "text": "…", "line": N, "count": N, "cut": BOOL, "title": "…", "meaning": "…",
///       "fit": "blocked" | "too_large" | "full" | "fragmented" | "no_region" | "unusable" | "unknown" |
///              "contradictory" | "invalid" | "warning" | "not_device_memory",
///       "over_bytes": N | null, "core_count": N | null, "figures": [ { "name": "…", "value": "…" } ],
///       "advice": [ { "text": "…", "bytes": N | null } ],
///       "blockers": [ { "chip": "…", "address": N, "bytes": N, "label": "…", "opens": N | null } ] } ],
///   "courses": [ { "memory": "dram" | "l1" | …, "count": N, "first": STATE, "peak": STATE, "last": STATE,
///       "before_failure": STATE | null } ],
///   "unknown": { "count": N, "examples": [ { "line": N, "text": "…" } ] },
///   "reports": [ { "source": "…", "form": "summary" | "l1_summary" | "detailed" | "results", "unit": "bytes" | "kib",
///       "usages": [ { "program": N | null, "kind": "dram" | "l1" | "l1_small" | null, "place": "…" | null,
///           "banks": N | null, "capacity": N | null, "used": N | null, "free": N | null, "largest_free": N | null,
///           "total_capacity": N | null, "total_used": N | null, "total_free": N | null,
///           "fragmentation": 0.0 to 1.0 | null, "blocks": { … } | null } ] } ] }
/// ```
///
/// Fields and kinds may be added. Sizes are bytes of one bank or core, but `requested`, the sizes of traces and
/// `total_…`, which are of the whole device; cores are `{ "start": [x, y], "end": [x, y] }`.
#[derive(Clone, Debug, Serialize)]
pub struct Findings {
    schema: &'static str,
    version: &'static str,
    /// The messages, explained.
    pub(crate) explanations: Vec<Explanation>,
    /// The memory states that compilers' runtimes logged.
    pub(crate) courses: Vec<MemoryCourse>,
    /// Lines that look like memory errors and are not known.
    pub(crate) unknown: Unknown,
    /// The memory reports.
    pub(crate) reports: Vec<MemoryReport>,
}

impl Findings {
    /// Examines inputs: each is either a memory report or a log with messages.
    ///
    /// # Errors
    /// What the system reports for an input that cannot be read.
    pub fn of(inputs: Vec<input::Input>, live: Option<&LiveMap>) -> io::Result<Self> {
        let mut findings = Self {
            schema: "ttmem/explain",
            version: "2.0",
            explanations: Vec::new(),
            courses: Vec::new(),
            unknown: Unknown::default(),
            reports: Vec::new(),
        };
        for input in inputs {
            match input.open()? {
                input::Opened::Report(report) => findings.reports.push(report),
                input::Opened::Log { head, mut rest } => {
                    let log = explained(scan_reader(&head, &mut *rest)?, live);
                    findings.explanations.extend(log.explanations);
                    findings.courses.extend(log.courses);
                    findings.unknown.merge(log.unknown);
                }
            }
        }
        Ok(findings)
    }

    /// True if a message, a memory state or a report was recognised.
    #[must_use]
    pub fn is_recognised(&self) -> bool {
        !(self.explanations.is_empty() && self.courses.is_empty() && self.reports.is_empty())
    }

    /// True if nothing was recognised, and no line looks like a memory error.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.is_recognised() && self.unknown.count == 0
    }

    /// Renders all of it as text, wrapped to a width, in ASCII only if asked.
    #[must_use]
    pub fn render(&self, width: usize, ascii: bool) -> String {
        let parts = [
            render(&self.explanations, width, ascii),
            render::courses(&self.courses, width, ascii),
            render_reports(&self.reports, width, ascii),
            render::unknown(&self.unknown, width, ascii),
        ];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
    }
}
