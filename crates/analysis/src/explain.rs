//! `ttmem explain`: what TT-Metal's memory errors and memory reports mean, and what to change.
//!
//! [`explain`] finds every known message in a whole log or a pasted line and says of each what it means, how many bytes
//! are missing, whether the memory is full or fragmented, which cores are concerned and what to change. With a
//! [`LiveMap`] ([`explain_with`]) it names the buffer in the way. [`report`] reads the CSV files that
//! `ttnn.dump_device_memory_state` writes. [`Findings`] is both, as the command prints them; [`input::read_path`] gets
//! the text of a file or of a folder's reports. Only that function does I/O.
//!
//! Nothing found is an empty result: the caller says so.

mod advise;
mod breakdown;
mod cores;
pub mod input;
mod live;
mod message;
mod render;
pub mod report;
mod scan;
mod template;
mod text;
mod units;

use serde::Serialize;

pub use advise::{Advice, Figure, Fit};
pub use cores::{CoreRange, Cores};
pub use live::{Blocker, LiveBuffer, LiveChip, LiveMap};
pub use message::{
    BelowLimit, BuffersBeyondL1, BuffersClash, Message, OutOfMemory, ProgramPart, ProgramTooLarge,
    ServiceCoreClash, StaticBuffers,
};
pub use render::{render, render_reports};
pub use text::text_of;

use report::MemoryReport;
use template::Templates;
use text::Text;

/// One message, explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The message with its numbers.
    pub message: Message,
    /// Its wording, in one line.
    pub text: String,
    /// The line of the input where it first occurs, counted from 1.
    pub line: usize,
    /// The number of occurrences in the input: ranks and threads repeat it, and so do logs and tracebacks.
    pub count: usize,
    /// The event, in one line.
    pub title: String,
    /// The meaning.
    pub meaning: String,
    /// Full, fragmented, or what else.
    pub fit: Fit,
    /// Bytes of one bank or core that are missing; absent where the message does not tell.
    pub over_bytes: Option<u64>,
    /// The number of cores; absent if the message does not give it.
    pub core_count: Option<u64>,
    /// The numbers as they are shown.
    pub figures: Vec<Figure>,
    /// The changes, most effective first.
    pub advice: Vec<Advice>,
    /// Live buffers in the way; empty without a live map.
    pub blockers: Vec<Blocker>,
}

/// Finds and explains every known message of a text, in order of first occurrence.
#[must_use]
pub fn explain(text: &str) -> Vec<Explanation> {
    find(text).into_iter().map(|found| found.explained(None)).collect()
}

/// Like [`explain`], and names the live buffers in the way.
#[must_use]
pub fn explain_with(text: &str, live: &LiveMap) -> Vec<Explanation> {
    find(text).into_iter().map(|found| found.explained(Some(live))).collect()
}

/// Explains what is known by its numbers, such as a refused allocation that an agent recorded: its wording is empty.
#[must_use]
pub fn explain_message(message: Message, live: Option<&LiveMap>) -> Explanation {
    Found { message, text: String::new(), line: 0, count: 1 }.explained(live)
}

/// A message of the text, before anything is said of it.
struct Found {
    message: Message,
    text: String,
    line: usize,
    count: usize,
}

/// A text with more different messages than this is no log; the rest is left out, so that it cannot take all memory.
const MAX_MESSAGES: usize = 1000;

fn find(text: &str) -> Vec<Found> {
    let text = Text::new(text);
    let clean = text.as_str();
    let templates = Templates::new();
    let mut messages: Vec<Found> = Vec::new();
    let bytes = clean.as_bytes();
    let mut position = 0;
    while position < clean.len() {
        if !templates.can_begin(bytes[position]) {
            position += 1;
            continue;
        }
        let Some((message, wording_end, end)) = templates.match_at(clean, position) else {
            position += 1;
            continue;
        };
        if let Some(known) = messages.iter_mut().find(|known| known.message.is_same(&message)) {
            known.count += 1;
            known.message.complete(message);
        } else if messages.len() < MAX_MESSAGES {
            let wording = clean.get(position..wording_end).unwrap_or_default();
            let wording = wording.split_whitespace().collect::<Vec<_>>().join(" ");
            messages.push(Found { message, text: wording, line: text.line_of(position), count: 1 });
        }
        position = end.max(position + 1);
    }
    messages
}

impl Found {
    fn explained(self, live: Option<&LiveMap>) -> Explanation {
        let verdict = advise::verdict(&self.message, live);
        Explanation {
            core_count: self.message.cores().map(Cores::count),
            message: self.message,
            text: self.text,
            line: self.line,
            count: self.count,
            title: verdict.title,
            meaning: verdict.meaning,
            fit: verdict.fit,
            over_bytes: verdict.over,
            figures: verdict.figures,
            advice: verdict.advice,
            blockers: verdict.blockers,
        }
    }
}

/// Everything that was found in the inputs of one command. Its JSON:
///
/// ```text
/// { "schema": "ttmem/explain", "version": "1.0",
///   "explanations": [ { "message": { "kind": "buffers_clash" | "buffers_beyond_l1" | "service_core_clash" |
///                                            "out_of_memory" | "below_limit" | "program_too_large", …its numbers },
///       "text": "…", "line": N, "count": N, "title": "…", "meaning": "…",
///       "fit": "in_the_way" | "too_large" | "full" | "fragmented" | "no_region" | "unusable" | "unknown" | "contradictory",
///       "over_bytes": N | null, "core_count": N | null, "figures": [ { "name": "…", "value": "…" } ],
///       "advice": [ { "text": "…", "bytes": N | null } ],
///       "blockers": [ { "chip": "…", "address": N, "bytes": N, "label": "…", "opens": N | null } ] } ],
///   "reports": [ { "source": "…", "form": "summary" | "l1_summary" | "detailed", "unit": "bytes" | "kib",
///       "usages": [ { "program": N | null, "kind": "dram" | "l1" | "l1_small" | null, "place": "…" | null,
///           "banks": N | null, "capacity": N | null, "used": N | null, "free": N | null, "largest_free": N | null,
///           "fragmentation": 0.0 to 1.0 | null, "blocks": { … } | null } ] } ] }
/// ```
///
/// Fields may be added. All sizes are bytes of one bank or core, but `requested`, which is the whole buffer; cores are
/// `{ "start": [x, y], "end": [x, y] }`.
#[derive(Clone, Debug, Serialize)]
pub struct Findings {
    schema: &'static str,
    version: &'static str,
    /// The messages, explained.
    pub explanations: Vec<Explanation>,
    /// The memory reports.
    pub reports: Vec<MemoryReport>,
}

impl Findings {
    /// Examines inputs: each is either a memory report or a text with messages.
    #[must_use]
    pub fn of(inputs: &[input::Input], live: Option<&LiveMap>) -> Self {
        let mut findings = Self {
            schema: "ttmem/explain",
            version: "1.0",
            explanations: Vec::new(),
            reports: Vec::new(),
        };
        for input in inputs {
            match report::parse(&input.name, &input.text) {
                Some(report) => findings.reports.push(report),
                None => findings
                    .explanations
                    .extend(find(&input.text).into_iter().map(|found| found.explained(live))),
            }
        }
        findings
    }

    /// True if there was no known message and no report.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.explanations.is_empty() && self.reports.is_empty()
    }

    /// Both as text, wrapped to a width, in ASCII only if asked.
    #[must_use]
    pub fn render(&self, width: usize, ascii: bool) -> String {
        let messages = render(&self.explanations, width, ascii);
        let reports = render_reports(&self.reports, width, ascii);
        let between = if messages.is_empty() || reports.is_empty() { "" } else { "\n" };
        format!("{messages}{between}{reports}")
    }
}
