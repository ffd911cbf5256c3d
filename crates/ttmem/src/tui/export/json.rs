//! JSON: the snapshot as `ttmem --json` prints it, or the values of the charts.

use serde_json::{Value, json};
use ttmem_analysis::run_report::ProcessOps;
use ttmem_model::Snapshot;
use ttmem_model::buffers::BufferList;
use ttmem_model::l1::report::L1Report;
use ttmem_model::snapshot::Chip;

use super::{lines, name_of, unit_of};
use crate::output::json::{Layout, escaped, text, write};
use crate::tui::app::App;
use crate::tui::track::Worst;

/// Exports the snapshot.
pub(super) fn snapshot(snapshot: &Snapshot) -> String {
    let mut bytes = Vec::new();
    match write(snapshot, Layout::Pretty, &mut bytes) {
        Ok(()) => String::from_utf8_lossy(&bytes).into_owned(),
        // Writing to memory cannot fail.
        Err(error) => json!({ "error": error.to_string() }).to_string(),
    }
}

/// Exports the buffers: `ttmem/buffers`, as `ttmem buffers --json` prints them.
pub(super) fn buffers(list: &BufferList) -> String {
    match text(list, Layout::Pretty) {
        Ok(text) => text,
        Err(error) => json!({ "error": error.to_string() }).to_string(),
    }
}

/// Exports L1 by op: `ttmem/ops` 1.0, the visible ops of each process in display order.
pub(super) fn ops(app: &App, snapshot: &Snapshot) -> String {
    let processes = app.ops.processes().iter().map(|process| {
        let ops = app.ops.shown().filter(|(its, _)| std::ptr::eq(*its, process));
        ProcessOps { ops: ops.map(|(_, op)| op.clone()).collect(), ..process.clone() }
    });
    let document = json!({
        "schema": "ttmem/ops", "version": "1.0", "time_us": snapshot.time_us,
        "processes": processes.collect::<Vec<_>>(),
    });
    match text(&document, Layout::Pretty) {
        Ok(text) => text,
        Err(error) => json!({ "error": error.to_string() }).to_string(),
    }
}

/// Exports the cores that were read: `ttmem/l1`, as `ttmem l1 --json` prints them.
pub(super) fn cores(app: &App) -> String {
    let report = |chip: &Chip| {
        let cores = app.cores.of(chip.id)?.as_ref().ok()?;
        Some(cores.clone())
    };
    let chips = app.chips().into_iter().filter_map(report).collect();
    match text(&L1Report::new(chips), Layout::Pretty) {
        Ok(text) => text,
        Err(error) => json!({ "error": error.to_string() }).to_string(),
    }
}

/// Exports the values of the charts: `ttmem/chart` 1.0. Times are microseconds since 1970, UTC; `null` is a gap. A
/// value is the worst of all samples in its time span.
pub(super) fn charts(app: &App) -> String {
    let window = app.charts.window;
    let lines: Vec<Value> = lines(app)
        .into_iter()
        .map(|line| {
            let points: Vec<Value> = app
                .points(line)
                .into_iter()
                .map(|(moment, number)| json!([moment.0, number]))
                .collect();
            let of = match line.track.worst() {
                Worst::Highest => "highest",
                Worst::Lowest => "lowest",
            };
            json!({
                "subject": name_of(line.subject), "metric": line.track.name(),
                "unit": unit_of(line.track), "of": of, "points": points,
            })
        })
        .collect();
    let document = json!({
        "schema": "ttmem/chart", "version": "1.0",
        "window_minutes": window.minutes(), "until_us": app.until().0, "lines": lines,
    });
    escaped(&format!("{document}\n")).into_owned()
}
