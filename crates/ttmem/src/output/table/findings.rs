//! The findings with their remedies.

use ttmem_model::snapshot::Snapshot;
use ttmem_model::{Finding, Severity};

use super::sides;
use crate::output::page::Role;
use crate::output::sheet::{Rule, Sheet};
use crate::output::text::{legible, width, wrap};

/// Columns of the longest severity and the space after it.
const SEVERITY_COLUMNS: usize = 9;

/// Draws the framed findings, if there are any.
pub(super) fn draw(sheet: &mut Sheet<'_>, snapshot: &Snapshot) {
    if snapshot.findings.is_empty() {
        return;
    }
    sheet.skip();
    let sides = sides(sheet.page());
    sheet.rule(Rule::Thin, &[], &sides);
    for finding in Finding::together(&snapshot.findings) {
        draw_finding(sheet, &finding, true);
    }
    sheet.rule(Rule::Thin, &sides, &[]);
}

/// Draws the findings without a frame.
pub(super) fn draw_unframed(sheet: &mut Sheet<'_>, snapshot: &Snapshot) {
    for finding in Finding::together(&snapshot.findings) {
        draw_finding(sheet, &finding, false);
    }
}

fn draw_finding(sheet: &mut Sheet<'_>, finding: &Finding, framed: bool) {
    let page = sheet.page();
    let (start, end) = if framed { (2, page.width - 2) } else { (0, page.width) };
    let text = start + SEVERITY_COLUMNS;
    let arrow = page.glyphs().arrow;
    let parts = [(text, &finding.text, ""), (text, &finding.remedy, arrow)];
    let mut severity = Some(finding.severity);
    for (column, part, sign) in parts {
        let indent = if sign.is_empty() { 0 } else { width(sign) + 1 };
        let part = legible(part, page.charset);
        for (index, piece) in wrap(&part, end - column - indent).into_iter().enumerate() {
            let mut line = if framed { sheet.start_row() } else { sheet.start() };
            if let Some(severity) = severity.take() {
                line.push(role(severity), severity.as_str(), column);
            }
            line.pad_to(column);
            if index == 0 {
                line.push(Role::Quiet, sign, end);
            }
            line.pad_to(column + indent);
            line.push(Role::Plain, &piece, end);
            if framed {
                line.rule_at(page.width - 1);
            }
            sheet.end(line);
        }
    }
}

fn role(severity: Severity) -> Role {
    match severity {
        Severity::Info => Role::Quiet,
        Severity::Warning => Role::Notice,
        Severity::Error => Role::Alarm,
    }
}
