//! The ranks of a job side by side.

use ttmem_analysis::run_report::{End, Rank, RankFailure, Ranks};
use ttmem_model::Kind;

use super::text;
use crate::output::amount::{date_time, duration, size};
use crate::output::page::Role;
use crate::output::sheet::Sheet;
use crate::output::text::legible;

/// Columns of the name of a host.
const HOST_COLUMNS: usize = 16;
/// Columns of the bytes of a kind.
const BYTES_COLUMNS: usize = 12;

/// Draws the peaks of each rank, how unequal they are, and what was refused first.
pub(super) fn draw(sheet: &mut Sheet<'_>, ranks: &Ranks) {
    let hosts = match ranks.hosts {
        0 => String::new(),
        1 => " on 1 host".to_owned(),
        count => format!(" on {count} hosts"),
    };
    let title = format!("{} ranks{hosts}, since {}", ranks.each.len(), date_time(ranks.since));
    text(sheet, Role::Strong, 0, &title);
    let kinds: Vec<Kind> = ranks.imbalance.iter().map(|row| row.kind).collect();
    let mut line = sheet.start();
    line.push_right(Role::Quiet, "Rank", 6);
    line.pad_to(8);
    line.push(Role::Quiet, "Host", 8 + HOST_COLUMNS);
    for (number, kind) in (1..).zip(&kinds) {
        let end = 8 + HOST_COLUMNS + number * BYTES_COLUMNS;
        line.push_right(Role::Quiet, kind.label(), end);
    }
    sheet.end(line);
    for rank in &ranks.each {
        draw_rank(sheet, rank, &kinds);
    }
    for row in ranks.imbalance.iter().filter(|row| row.least < row.most) {
        let above = format!(
            "{}: rank {} has {}, {:.0} % above the mean of {}; the least is {}",
            row.kind.label(),
            row.rank,
            size(row.most),
            (row.ratio - 1.0) * 100.0,
            size(row.mean),
            size(row.least)
        );
        text(sheet, Role::Plain, 2, &above);
    }
    match &ranks.first_failure {
        Some(failure) => draw_failure(sheet, failure, ranks),
        None => text(sheet, Role::Quiet, 2, "TT-Metal refused nothing to any rank."),
    }
}

fn draw_rank(sheet: &mut Sheet<'_>, rank: &Rank, kinds: &[Kind]) {
    let page = sheet.page();
    let mut line = sheet.start();
    line.push_right(Role::Strong, &rank.rank.to_string(), 6);
    line.pad_to(8);
    let host = rank.host.as_deref().unwrap_or(page.glyphs().dash);
    line.push(Role::Plain, &legible(host, page.charset), 7 + HOST_COLUMNS);
    for (number, kind) in (1..).zip(kinds) {
        let end = 8 + HOST_COLUMNS + number * BYTES_COLUMNS;
        line.pad_to(end - BYTES_COLUMNS);
        line.push_right(Role::Plain, &size(rank.bytes(*kind)), end);
    }
    line.pad_to(line.columns() + 2);
    let (role, end) = match rank.end {
        End::Running => (Role::Plain, "still runs"),
        End::Killed => (Role::Notice, "killed"),
        End::Off => (Role::Notice, "agent off"),
        End::Exited | End::Left | End::Ended => (Role::Quiet, "ended"),
    };
    line.push(role, end, page.width);
    sheet.end(line);
}

fn draw_failure(sheet: &mut Sheet<'_>, failure: &RankFailure, ranks: &Ranks) {
    let host = failure.host.as_deref().map(|host| format!(" on {host}")).unwrap_or_default();
    let op = failure.op.as_deref().map(|op| format!(" in {op}")).unwrap_or_default();
    let after = duration(failure.at_us.micros_since(ranks.since));
    let first = format!(
        "Rank {}{host} failed first{op}, {after} after the first rank began:",
        failure.rank
    );
    text(sheet, Role::Alarm, 2, &first);
    text(sheet, Role::Plain, 4, &failure.title);
}
