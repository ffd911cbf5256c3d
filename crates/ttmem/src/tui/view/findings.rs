//! View 7: findings and their remedies, the newest first; the status of each source at the bottom.

use ratatui_core::layout::Rect;
use ttmem_model::snapshot::SourceStatus;
use ttmem_model::{Finding, Severity};

use crate::output::text::wrap;
use crate::tui::app::{App, Target};
use crate::tui::look::Role;
use crate::tui::number::cells;
use crate::tui::widget::canvas::Canvas;

/// The width before the text of a finding.
const INDENT: u16 = 11;

/// Draws the view.
pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let findings = app.findings();
    let sources = draw_sources(app, canvas, area);
    let area = Rect { height: area.height.saturating_sub(sources), ..area };
    if findings.is_empty() {
        let all = app.snapshot().map_or(0, |snapshot| snapshot.findings.len());
        let unread = app.snapshot().is_some_and(|snapshot| {
            let is_unread = |status| matches!(status, SourceStatus::Failed | SourceStatus::Denied);
            snapshot.sources.iter().any(|source| is_unread(source.status))
        });
        let text = match all {
            0 if unread => "No findings, but some sources could not be read.".to_owned(),
            0 => "No findings.".to_owned(),
            count => {
                format!("None of {count} findings matches the selection or filter; Esc clears it.")
            }
        };
        canvas.text(area.x + 2, area.y + 1, area.right(), Role::Quiet, &text);
        return;
    }
    let cursor = app.cursors.finding.min(findings.len() - 1);
    let blocks: Vec<Vec<(Role, String)>> =
        findings.iter().map(|finding| block(app, finding, area.width)).collect();
    // The block of the selected finding is always complete.
    let mut first = cursor;
    let mut height = blocks[cursor].len();
    while first > 0 && height + blocks[first - 1].len() <= usize::from(area.height) {
        first -= 1;
        height += blocks[first].len();
    }
    let mut y = area.y;
    for (index, finding) in findings.iter().enumerate().skip(first) {
        let rows = cells(blocks[index].len());
        if y + rows.min(2) > area.bottom() {
            break;
        }
        let block = Rect { y, height: rows.min(area.bottom() - y), ..area };
        draw_block(canvas, block, finding, &blocks[index]);
        if index == cursor {
            canvas.sign(area.x, y, canvas.look.style(Role::Accent), canvas.glyphs().pointer);
            canvas.cursor(super::row(area, y));
        }
        canvas.hit(Rect { y, height: rows, ..area }, Target::Finding(index));
        y += rows;
    }
}

/// Returns the rows of a finding after its severity: text, remedy and age.
fn block(app: &App, finding: &Finding, width: u16) -> Vec<(Role, String)> {
    let columns = usize::from(width.saturating_sub(INDENT + 2));
    let mut rows: Vec<(Role, String)> =
        wrap(&finding.text, columns).into_iter().map(|line| (Role::Plain, line)).collect();
    let arrow = app.look.glyphs().arrow;
    for (index, line) in wrap(&finding.remedy, columns - 3).into_iter().enumerate() {
        let lead = if index == 0 { arrow } else { "" };
        rows.push((Role::Quiet, format!("{lead:<2} {line}")));
    }
    let minutes = app.until().since(app.seen_first(finding)) / 60_000_000;
    let age = if minutes > 0 { format!("for {minutes} min") } else { String::new() };
    rows.push((Role::Frame, age));
    rows
}

fn draw_block(canvas: &mut Canvas<'_>, area: Rect, finding: &Finding, rows: &[(Role, String)]) {
    let (role, label) = match finding.severity {
        Severity::Info => (Role::Quiet, "info"),
        Severity::Warning => (Role::Notice, "warning"),
        Severity::Error => (Role::Alarm, "error"),
    };
    canvas.text(area.x + 2, area.y, area.x + INDENT, role, label);
    // The age may be dropped; a cut in the text or remedy must be visible.
    let is_cut = rows.len() > usize::from(area.height) + 1;
    for ((role, text), y) in rows.iter().zip(area.y..area.bottom()) {
        let end = canvas.text(area.x + INDENT, y, area.right() - 1, *role, text);
        if is_cut && y + 1 == area.bottom() {
            let ellipsis = canvas.glyphs().ellipsis;
            canvas.text(end.min(area.right() - 4), y, area.right() - 1, *role, ellipsis);
        }
    }
}

/// Draws the status of each source at the bottom. Returns the rows used.
fn draw_sources(app: &App, canvas: &mut Canvas<'_>, area: Rect) -> u16 {
    let Some(snapshot) = app.snapshot() else { return 0 };
    let count = cells(snapshot.sources.len());
    if area.height < count + 8 {
        return 0;
    }
    let top = area.bottom() - count - 1;
    canvas.text(area.x + 1, top, area.right(), Role::Quiet, "SOURCES");
    for (source, y) in snapshot.sources.iter().zip(top + 1..) {
        let role = match source.status {
            SourceStatus::Ok => Role::Plain,
            SourceStatus::Absent | SourceStatus::NotRead => Role::Quiet,
            SourceStatus::Denied => Role::Notice,
            SourceStatus::Failed => Role::Alarm,
        };
        let name = format!("{:10}", source.name.as_str());
        let x = canvas.text(area.x + 2, y, area.right(), Role::Plain, &name);
        canvas.text(x, y, x + 10, role, source.status.as_str());
        canvas.text(x + 10, y, area.right() - 1, Role::Quiet, &source.detail);
    }
    count + 2
}
