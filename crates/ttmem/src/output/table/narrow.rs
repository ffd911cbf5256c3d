//! The unframed layout for narrow pages, from 40 columns on. What does not fit beside goes below; bars shrink first,
//! then the names of sources go, and what is left is never cut but for names.

use ttmem_model::snapshot::{Chip, Snapshot};
use ttmem_model::{Missing, MissingReason, Reading};

use super::breakdown::{self, LABEL_COLUMNS, MemoryLine, Sort};
use super::chips::{fill_role, reason_role};
use super::legend::Legend;
use super::processes::{self, ProcessRow, push_name};
use super::{compact, findings, header};
use crate::output::flow::flow;
use crate::output::page::Role;
use crate::output::sheet::Sheet;
use crate::output::{amount, bar, naming};

/// Columns by which what belongs to a chip or a process is set in.
const INDENT: usize = 1;
/// An amount with the sign of its quality.
const AMOUNT_COLUMNS: usize = 9;
/// ` / `, a capacity, and a share with a space before it.
const REST_COLUMNS: usize = 3 + 8 + 5;
/// The longest name of a source with a space before it.
const SOURCE_COLUMNS: usize = 9;
/// The shortest bar worth drawing.
const LEAST_BAR: usize = 4;

/// Draws everything.
pub(super) fn draw(
    sheet: &mut Sheet<'_>,
    snapshot: &Snapshot,
    is_compact: bool,
    legend: &mut Legend,
) {
    draw_head(sheet, snapshot);
    sheet.divide();
    if is_compact {
        compact::draw(sheet, snapshot, legend);
    } else {
        let missing = breakdown::missing_everywhere(&snapshot.chips);
        for chip in &snapshot.chips {
            draw_chip(sheet, snapshot, chip, &missing, legend);
        }
        legend.missing_everywhere(&missing);
    }
    if snapshot.chips.is_empty() {
        flow(sheet, 0, &[(Role::Plain, "No Tenstorrent chip found".to_owned())]);
    }
    sheet.divide();
    let rows = processes::rows(snapshot, is_compact);
    let shown = processes::shown(&rows);
    if is_compact && rows.iter().any(|row| row.chips.len() > 1) {
        legend.processes_together();
    }
    for row in &rows {
        draw_process(sheet, row, shown, legend);
    }
    if rows.is_empty() {
        for line in crate::output::text::wrap(processes::none(snapshot), sheet.page().width) {
            flow(sheet, 0, &[(Role::Quiet, line)]);
        }
    }
    sheet.divide();
    if !snapshot.findings.is_empty() {
        findings::draw_unframed(sheet, snapshot);
        sheet.divide();
    }
}

fn draw_head(sheet: &mut Sheet<'_>, snapshot: &Snapshot) {
    let end = sheet.page().width;
    let mut line = sheet.start();
    line.push(Role::Plain, &amount::date_time(snapshot.time_us), end);
    if snapshot.demo {
        let demo = if end < 48 { "DEMO" } else { header::DEMO };
        line.push_right(Role::Notice, demo, end);
    }
    sheet.end(line);
    let parts = [
        (Role::Strong, format!("ttmem {}", snapshot.host.ttmem)),
        (Role::Plain, header::driver(snapshot)),
        (Role::Plain, header::host(snapshot)),
        (Role::Plain, header::chip_count(snapshot)),
    ];
    flow(sheet, 0, &parts);
}

fn draw_chip(
    sheet: &mut Sheet<'_>,
    snapshot: &Snapshot,
    chip: &Chip,
    missing: &[(String, MissingReason)],
    legend: &mut Legend,
) {
    let page = sheet.page();
    let name = [
        (Role::Strong, chip.index.to_string()),
        (Role::Strong, naming::board(chip, 0)),
        (Role::Plain, naming::location(snapshot, chip).unwrap_or_default()),
    ];
    flow(sheet, 0, &name);
    let mut parts = vec![
        naming::temperature(page, chip),
        naming::power_of_limit(page, chip),
        (Role::Plain, naming::clock(page, chip)),
    ];
    if parts.iter().all(|(_, text)| text == page.glyphs().dash || text == "?") {
        let is_hidden = parts.iter().any(|(_, text)| text == "?");
        parts.clear();
        parts.extend(is_hidden.then(|| (Role::Notice, "telemetry ?".to_owned())));
    }
    if let Some(version) = naming::firmware(chip) {
        parts.push((Role::Plain, format!("fw {version}")));
    }
    parts.push((Role::Plain, naming::owners_in_words(chip)));
    flow(sheet, INDENT + 1, &parts);
    for memory in breakdown::lines(chip) {
        if !missing.iter().any(|(label, _)| *label == memory.label) {
            draw_memory(sheet, &memory, legend);
        }
    }
}

fn draw_memory(sheet: &mut Sheet<'_>, memory: &MemoryLine, legend: &mut Legend) {
    let page = sheet.page();
    let mut line = sheet.start();
    line.pad_to(INDENT + memory.sort.indent());
    let role = if memory.sort == Sort::NestedNotice { Role::Notice } else { Role::Plain };
    line.push(role, &memory.label, INDENT + LABEL_COLUMNS);
    line.pad_to(INDENT + LABEL_COLUMNS);
    let fixed = INDENT + LABEL_COLUMNS + 1 + AMOUNT_COLUMNS + REST_COLUMNS;
    let spare = page.width.saturating_sub(fixed);
    let source_columns = if spare >= SOURCE_COLUMNS { SOURCE_COLUMNS } else { 0 };
    let bar_columns = match spare - source_columns {
        columns if columns <= LEAST_BAR => 0,
        columns => columns - 1,
    };
    let amounts = memory.used.value().copied().zip(memory.capacity.value().copied());
    if bar_columns > 0 {
        line.pad_to(line.columns() + 1);
        let start = line.columns();
        if let Some((used, capacity)) = amounts {
            let (filled, track) = bar::bar(page, used, capacity, bar_columns);
            line.push(fill_role(memory, used, capacity), &filled, start + bar_columns);
            line.push(Role::Quiet, &track, start + bar_columns);
        }
        line.pad_to(start + bar_columns);
    }
    let amount_end = line.columns() + 1 + AMOUNT_COLUMNS;
    line.push_right(Role::Plain, &legend.long(page, &memory.used), amount_end);
    let rest_end = amount_end + REST_COLUMNS;
    match &memory.used {
        Reading::Missing(Missing { reason, .. }) => {
            line.pad_to(amount_end + 1);
            line.push(reason_role(page, &memory.used), reason.as_str(), rest_end);
        }
        Reading::Known { source, .. } => {
            if let Some(capacity) = &memory.own_capacity {
                let capacity = legend.unmarked(page, capacity);
                line.push(Role::Quiet, &format!(" / {capacity:>8}"), rest_end);
            }
            let percent = amounts.and_then(|(used, capacity)| amount::percent(used, capacity));
            line.push_right(Role::Plain, &percent.unwrap_or_default(), rest_end);
            if source_columns > 0 {
                line.pad_to(rest_end + 1);
                line.push(Role::Quiet, source.as_str(), rest_end + source_columns);
            }
        }
    }
    sheet.end(line);
}

fn draw_process(
    sheet: &mut Sheet<'_>,
    row: &ProcessRow<'_>,
    shown: [bool; processes::FIGURES],
    legend: &mut Legend,
) {
    let page = sheet.page();
    let mut line = sheet.start();
    let chips = match row.chips.as_slice() {
        [] => "no chip".to_owned(),
        [chip] => format!("chip {chip}"),
        chips => format!("chips {}", naming::chip_list(chips)),
    };
    line.push(Role::Plain, &chips, page.width);
    line.pad_to(line.columns() + 2);
    if row.process.pid.0 != 0 {
        line.push(Role::Plain, &format!("pid {}", row.process.pid), page.width);
        line.pad_to(line.columns() + 2);
    }
    push_name(&mut line, row.process, page.width);
    sheet.end(line);
    let mut parts: Vec<_> = processes::headings()
        .into_iter()
        .zip(&row.figures)
        .zip(shown)
        .filter(|(_, is_shown)| *is_shown)
        .map(|((name, figure), _)| (Role::Plain, format!("{name} {}", legend.long(page, figure))))
        .collect();
    parts.extend(row.process.user.iter().map(|user| (Role::Quiet, format!("user {user}"))));
    flow(sheet, INDENT + 1, &parts);
}
