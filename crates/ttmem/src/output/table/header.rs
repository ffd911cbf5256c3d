//! The head of the framed table: when, what, where.

use ttmem_model::snapshot::Snapshot;

use super::sides;
use crate::output::amount;
use crate::output::page::Role;
use crate::output::sheet::{Rule, Sheet};

/// The note beside the date of a demonstration.
pub(in crate::output) const DEMO: &str = "DEMO: not this machine";

/// Draws the head, its frame still open below.
pub(super) fn draw(sheet: &mut Sheet<'_>, snapshot: &Snapshot) {
    let width = sheet.page().width;
    let mut line = sheet.start();
    line.push(Role::Plain, &amount::date_time(snapshot.time_us), width);
    if snapshot.demo {
        line.push_right(Role::Notice, DEMO, width);
    }
    sheet.end(line);
    sheet.rule(Rule::Thin, &[], &sides(sheet.page()));
    let mut line = sheet.start_row();
    line.push(Role::Strong, &format!("ttmem {}", snapshot.host.ttmem), 24);
    line.pad_to(26);
    line.push(Role::Plain, &driver(snapshot), 48);
    line.pad_to(50);
    line.push(Role::Plain, &host(snapshot), width - 17);
    line.push_right(Role::Plain, &chip_count(snapshot), width - 2);
    line.rule_at(width - 1);
    sheet.end(line);
}

/// The driver's version in words.
pub(super) fn driver(snapshot: &Snapshot) -> String {
    match &snapshot.host.driver {
        Some(version) => format!("Driver {version}"),
        None if snapshot.chips.iter().any(|chip| chip.bdf.is_some()) => "Driver ?".to_owned(),
        None => "No driver".to_owned(),
    }
}

/// The name of the host in words; empty if it has none.
pub(super) fn host(snapshot: &Snapshot) -> String {
    snapshot.host.name.as_deref().map(|name| format!("Host {name}")).unwrap_or_default()
}

/// The number of chips in words.
pub(super) fn chip_count(snapshot: &Snapshot) -> String {
    match snapshot.chips.len() {
        0 => "No chips".to_owned(),
        1 => "1 chip".to_owned(),
        count => format!("{count} chips"),
    }
}
