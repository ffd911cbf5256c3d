//! The checks of the doctor as text: one line for a passed check, two for others.

use std::collections::BTreeMap;

use ttmem_doctor::{Check, Diagnosis, Status};

use super::page::{LEAST_WIDTH, Page, Role};
use super::sheet::Sheet;
use super::table::header::DEMO;
use super::text::{legible, width, wrap};

/// The widest page that is drawn on.
const MOST_WIDTH: usize = 110;
/// Columns at which the name and the text of a check begin.
const NAME: usize = 6;
const TEXT: usize = 21;

/// Draws the checks and their sum.
#[must_use]
pub(crate) fn render(diagnosis: &Diagnosis, is_demo: bool, page: &Page) -> String {
    let page = Page { width: page.width.clamp(LEAST_WIDTH, MOST_WIDTH), ..*page };
    let mut sheet = Sheet::new(&page);
    if is_demo {
        let mut line = sheet.start();
        line.push(Role::Notice, DEMO, page.width);
        sheet.end(line);
    }
    let mut last = "";
    for check in &diagnosis.checks {
        draw(&mut sheet, check, check.id != last);
        last = check.id;
    }
    sheet.skip();
    let mut line = sheet.start();
    line.push(role(diagnosis.status), &sum(diagnosis), page.width);
    sheet.end(line);
    sheet.finish()
}

fn draw(sheet: &mut Sheet<'_>, check: &Check, is_first: bool) {
    let page = sheet.page();
    let name = if is_first { check.id } else { "" };
    let start = if page.width < 60 { NAME } else { TEXT };
    let text = legible(&check.text, page.charset);
    let mut pieces = wrap(&text, page.width.saturating_sub(start)).into_iter();
    let mut line = sheet.start();
    line.push(role(check.status), word(check.status), NAME);
    line.pad_to(NAME);
    line.push(Role::Strong, name, page.width);
    if start == NAME {
        // There is no room for both beside each other.
        sheet.end(line);
        line = sheet.start();
    }
    line.pad_to(start);
    line.push(Role::Plain, &pieces.next().unwrap_or_default(), page.width);
    sheet.end(line);
    for piece in pieces {
        let mut line = sheet.start();
        line.pad_to(start);
        line.push(Role::Plain, &piece, page.width);
        sheet.end(line);
    }
    let Some(remedy) = &check.remedy else { return };
    let arrow = format!("{} ", page.glyphs().arrow);
    let indent = start + width(&arrow);
    let remedy = legible(remedy, page.charset);
    for (index, piece) in wrap(&remedy, page.width.saturating_sub(indent)).into_iter().enumerate() {
        let mut line = sheet.start();
        line.pad_to(start);
        if index == 0 {
            line.push(Role::Quiet, &arrow, page.width);
        }
        line.pad_to(indent);
        line.push(Role::Plain, &piece, page.width);
        sheet.end(line);
    }
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Pass => "pass",
        Status::Warn => "warn",
        Status::Fail => "FAIL",
    }
}

fn role(status: Status) -> Role {
    match status {
        Status::Pass => Role::Quiet,
        Status::Warn => Role::Notice,
        Status::Fail => Role::Alarm,
    }
}

/// Counts checks by their subject: a check can have several results, of which the worst counts.
fn sum(diagnosis: &Diagnosis) -> String {
    let mut worst: BTreeMap<&str, Status> = BTreeMap::new();
    for check in &diagnosis.checks {
        let status = worst.entry(check.id).or_insert(check.status);
        *status = check.status.max(*status);
    }
    let count = |status| worst.values().filter(|worst| **worst == status).count();
    let (pass, warn, fail) = (count(Status::Pass), count(Status::Warn), count(Status::Fail));
    match (warn, fail) {
        (0, 0) => format!("All {pass} checks pass."),
        (1, 0) => format!("1 of {} checks warns.", pass + 1),
        (warn, 0) => format!("{warn} of {} checks warn.", pass + warn),
        (0, 1) => format!("1 of {} checks fails.", pass + 1),
        (0, fail) => format!("{fail} of {} checks fail.", pass + fail),
        (warn, 1) => format!("1 of {} checks fails, {warn} {}.", pass + warn + 1, verb(warn)),
        (warn, fail) => {
            format!("{fail} of {} checks fail, {warn} {}.", pass + warn + fail, verb(warn))
        }
    }
}

fn verb(warnings: usize) -> &'static str {
    if warnings == 1 { "warns" } else { "warn" }
}
