//! Programs: L1 by op, refused programs, traces.

use ttmem_analysis::run_report::{OpL1, Programs, Refused, Traces};
use ttmem_model::stack::caller;

use super::failures::draw_explanation;
use super::{chips, heading, text};
use crate::output::amount::{duration, size};
use crate::output::page::Role;
use crate::output::sheet::Sheet;
use crate::output::text::width;

/// Most ops that are listed.
const MOST_OPS: usize = 20;
/// The narrowest column of ops.
const LEAST_OP: usize = 14;
/// Name of an op that is not known.
const UNKNOWN: &str = "unknown op";
/// Columns of a figure, with the space before it.
const FIGURE: usize = 10;
/// A figure of an op: its name, and its value.
type Column = (&'static str, fn(&OpL1) -> Option<String>);
/// The figures, the most important first: a narrow page has fewer.
const COLUMNS: [Column; 8] = [
    ("peak", |op| op.peak.map(size)),
    ("headroom", |op| op.headroom.map(signed)),
    ("CBs", |op| Some(size(op.circular_buffers))),
    ("tensors", |op| Some(size(op.tensors))),
    ("runs", |op| Some(format!("\u{d7}{}", op.dispatches))),
    ("cores", |op| Some(op.cores.to_string())),
    ("kernels", |op| op.kernel_text.map(size)),
    ("aliasing", |op| Some(size(op.aliasing))),
];

/// Draws L1 by op, each figure of a core.
pub(super) fn draw_ops(sheet: &mut Sheet<'_>, programs: &Programs) {
    if programs.ops.is_empty() && programs.unknown_reason.is_none() {
        return;
    }
    heading(sheet, "L1 by op, per core");
    if programs.ops.is_empty() {
        return draw_unknown(sheet, programs);
    }
    let page = sheet.page();
    let room = page.room.saturating_sub(2 + LEAST_OP);
    let columns = &COLUMNS[..(room / FIGURE).clamp(1, COLUMNS.len())];
    let ops = programs.ops.iter().take(MOST_OPS);
    let longest = ops.map(|op| width(op.op.as_deref().unwrap_or(UNKNOWN))).max().unwrap_or(0);
    let wanted = (2 + longest + columns.len() * FIGURE).max(page.width);
    let first = wanted.min(page.room) - columns.len() * FIGURE;
    let mut line = sheet.start();
    line.pad_to(2);
    line.push(Role::Quiet, "op", first);
    for (index, (name, _)) in columns.iter().enumerate() {
        line.push_right(Role::Quiet, name, first + (index + 1) * FIGURE);
    }
    sheet.end(line);
    for op in programs.ops.iter().take(MOST_OPS) {
        let mut line = sheet.start();
        line.pad_to(2);
        line.push(Role::Plain, op.op.as_deref().unwrap_or(UNKNOWN), first);
        for (index, (name, value)) in columns.iter().enumerate() {
            let is_negative = *name == "headroom" && op.headroom.is_some_and(|bytes| bytes < 0);
            let role = if is_negative { Role::Alarm } else { Role::Plain };
            let text = value(op).unwrap_or_else(|| page.glyphs().dash.to_owned());
            line.push_right(role, &text, first + (index + 1) * FIGURE);
        }
        sheet.end(line);
    }
    let more = programs.ops.len().saturating_sub(MOST_OPS);
    if more > 0 {
        text(sheet, Role::Quiet, 2, &format!("{more} more; --json has all"));
    }
    text(sheet, Role::Quiet, 2, note(programs));
    draw_unknown(sheet, programs);
}

/// What the figures of circular buffers contain.
fn note(programs: &Programs) -> &'static str {
    if programs.ops.iter().any(|op| op.aliasing > 0) {
        "CBs: circular buffers without those aliasing tensors, which count as tensors; ttmem and ttmem l1 count both as CBs"
    } else {
        "CBs: circular buffers"
    }
}

/// Draws how many dispatches are in none of the figures, and why.
fn draw_unknown(sheet: &mut Sheet<'_>, programs: &Programs) {
    if let Some(why) = programs.unknown_reason {
        let (unknown, all) = (programs.unknown_dispatches, programs.dispatches);
        let note = format!("the programs of {unknown} of {all} dispatches are not known: {why}");
        text(sheet, Role::Notice, 2, &note);
    }
}

fn signed(bytes: i64) -> String {
    let amount = size(bytes.unsigned_abs());
    if bytes < 0 { format!("-{amount}") } else { amount }
}

/// Draws programs and traces that TT-Metal refused, why, and what to change.
pub(super) fn draw_refused(sheet: &mut Sheet<'_>, refused: &[Refused]) {
    if refused.is_empty() {
        return;
    }
    heading(sheet, "Refused programs");
    for one in refused {
        let title = match (&one.explanation, one.reason) {
            (Some(explanation), _) => explanation.title.clone(),
            (None, "trace_too_large") => match (one.end, one.limit) {
                (Some(needed), Some(limit)) => format!(
                    "A trace needs {} and trace_region_size is {}",
                    size(needed),
                    size(limit)
                ),
                _ => "A trace does not fit in trace_region_size".to_owned(),
            },
            (None, _) => "TT-Metal refused a program".to_owned(),
        };
        text(sheet, Role::Alarm, 2, &title);
        text(sheet, Role::Quiet, 4, &circumstances(one));
        match &one.explanation {
            Some(explanation) => draw_explanation(sheet, explanation),
            None => {
                if let Some(needed) = one.end.filter(|_| one.reason == "trace_too_large") {
                    let advice = format!("open the device with trace_region_size={needed}");
                    text(sheet, Role::Plain, 4, &advice);
                }
            }
        }
    }
}

fn circumstances(refused: &Refused) -> String {
    let times = match refused.count {
        1 => String::new(),
        count => format!("{count} times, first "),
    };
    let op = refused.op.as_deref().map(|op| format!(" in {op}")).unwrap_or_default();
    let caller = caller(&refused.stack).map(|caller| format!(" at {caller}")).unwrap_or_default();
    let program = match refused.program {
        0 => String::new(),
        number => format!(", program {number}"),
    };
    let when = duration(refused.after_us);
    format!("{times}after {when}{op}{caller}{program} on {}", chips(&refused.chips))
}

/// Draws what captured traces need.
pub(super) fn draw_traces(sheet: &mut Sheet<'_>, traces: &Traces) {
    heading(sheet, "Traces");
    for trace in &traces.traces {
        let bytes = trace.bytes.map_or_else(|| "unknown size".to_owned(), size);
        let released = if trace.is_released { ", released" } else { "" };
        let line = format!(
            "trace {}: {bytes}, {} dispatches, {} replays{released}",
            trace.id, trace.dispatches, trace.replays
        );
        text(sheet, Role::Plain, 2, &line);
    }
    if traces.needed > 0 {
        let region = format!(
            "trace_region_size {}; {} would have been enough",
            size(traces.region_size),
            size(traces.needed)
        );
        text(sheet, Role::Quiet, 2, &region);
    }
    for (memory, bytes, buffers) in [
        ("DRAM", traces.dram_allocated, traces.dram_buffers),
        ("L1", traces.l1_allocated, traces.l1_buffers),
    ] {
        if buffers > 0 {
            let warning = format!(
                "{buffers} buffers, {} per bank, were allocated in {memory} while a trace was live: a replay may \
                 overwrite them",
                size(bytes)
            );
            text(sheet, Role::Notice, 2, &warning);
        }
    }
}
