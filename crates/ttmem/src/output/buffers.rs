//! `ttmem buffers`: the live buffers of each allocator, with a picture of a bank for each kind.

pub(crate) mod bank;
pub(crate) mod csv;
mod groups;
mod none;
mod order;
mod overlap;
mod programs;
pub(crate) mod rows;

use ttmem_model::buffers::{AllocatorUse, BufferList, BufferOwner, LiveBuffer};
use ttmem_model::rank::rank_in_words;
use ttmem_model::snapshot::ProcessState;
use ttmem_segment::AllocatorRole;

use super::amount;
use super::page::{LEAST_WIDTH, Page, Role};
use super::sheet::Sheet;
use super::table::header::DEMO;
use super::text::width;
use crate::output::naming::chip_list;

pub(crate) use groups::{Group, groups};
pub(crate) use none::why_none;
pub(crate) use order::SortKey;

/// The maximum page width: wider pages are hard to read.
const MOST_WIDTH: usize = 120;

/// The options of a list of buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listing {
    /// A line for each buffer.
    Single,
    /// Added up by op.
    ByOp,
    /// Buffers of the programs resident in L1.
    Programs,
}

/// Draws the list.
#[must_use]
pub(crate) fn render(list: &BufferList, listing: Listing, page: &Page) -> String {
    let page = Page { width: page.width.clamp(LEAST_WIDTH, MOST_WIDTH), ..*page };
    let mut sheet = Sheet::new(&page);
    let date = amount::date_time(list.time_us);
    let has_room = width(&date) + width(DEMO) + 2 <= page.width;
    let mut line = sheet.start();
    line.push(Role::Plain, &date, page.width);
    if list.demo && !has_room {
        sheet.end(line);
        line = sheet.start();
    }
    if list.demo {
        line.push_right(Role::Notice, DEMO, page.width);
    }
    sheet.end(line);
    let is_empty = |owner: &&BufferOwner| held_nothing(list, owner, listing);
    let empty: Vec<&BufferOwner> = list.processes.iter().filter(is_empty).collect();
    // Several share a line.
    let is_one_line = empty.len() > 1;
    for owner in list.processes.iter().filter(|owner| !(is_one_line && is_empty(owner))) {
        draw_owner(&mut sheet, list, owner, listing);
    }
    if is_one_line {
        let pids: Vec<String> = empty.iter().map(|owner| owner.pid.to_string()).collect();
        sheet.skip();
        let text =
            format!("{} processes are gone and held nothing: {}", pids.len(), pids.join(", "));
        note(&mut sheet, Role::Quiet, &text);
    }
    if listing != Listing::Programs {
        draw_legend(&mut sheet, list);
    }
    sheet.finish()
}

/// True if a process is gone, and there is nothing to say of it but that.
fn held_nothing(list: &BufferList, owner: &BufferOwner, listing: Listing) -> bool {
    let is_its = |allocator: &&AllocatorUse| allocator.pid == owner.pid;
    let mut kinds = list.allocators.iter().filter(is_its).flat_map(|allocator| &allocator.kinds);
    let has_program = list.programs.iter().any(|program| program.pid == owner.pid);
    owner.state == ProcessState::Stale
        && kinds.all(|kind| kind.buffers == 0)
        && owner.unlisted == 0
        && owner.unknown.is_none()
        && !(listing == Listing::Programs && (has_program || owner.programs_missing.is_some()))
}

fn draw_owner(sheet: &mut Sheet<'_>, list: &BufferList, owner: &BufferOwner, listing: Listing) {
    let allocators: Vec<&AllocatorUse> =
        list.allocators.iter().filter(|allocator| allocator.pid == owner.pid).collect();
    let is_used = |allocator: &&&AllocatorUse| allocator.kinds.iter().any(|kind| kind.buffers > 0);
    let used: Vec<&&AllocatorUse> = allocators.iter().filter(is_used).collect();
    sheet.skip();
    draw_heading(sheet, owner, &used);
    if listing == Listing::Programs {
        return programs::draw(sheet, list, owner);
    }
    if used.is_empty() {
        note(sheet, Role::Quiet, "no live buffer");
    }
    for allocator in &used {
        if used.len() > 1 {
            note(sheet, Role::Plain, &allocator_in_words(allocator));
        }
        for kind in allocator.kinds.iter().filter(|kind| kind.buffers > 0) {
            bank::draw(sheet, kind);
        }
        let buffers: Vec<&LiveBuffer> = buffers_of(list, allocator).collect();
        match listing {
            Listing::Single => {
                rows::draw(sheet, &buffers);
                draw_rest(sheet, allocator, buffers.len() as u64 + owner.unlisted);
            }
            Listing::Programs => {}
            Listing::ByOp => groups::draw(sheet, &groups(buffers.iter().copied()), allocator),
        }
    }
    for text in overlap::sentences(list, owner.pid) {
        note(sheet, Role::Notice, &text);
    }
    if owner.unlisted > 0 {
        let text = format!(
            "{} buffers found no room in the agent's list; the sums contain them (TTMEM_SEGMENT_MB makes it larger)",
            owner.unlisted
        );
        note(sheet, Role::Notice, &text);
    }
}

/// Returns the number of hidden buffers.
fn draw_rest(sheet: &mut Sheet<'_>, allocator: &AllocatorUse, shown: u64) {
    let all = allocator.kinds.iter().fold(0, |sum: u64, kind| sum.saturating_add(kind.buffers));
    if all > shown {
        note(sheet, Role::Quiet, &format!("and {} more", all - shown));
    }
}

fn buffers_of<'a>(
    list: &'a BufferList,
    allocator: &'a AllocatorUse,
) -> impl Iterator<Item = &'a LiveBuffer> {
    list.buffers
        .iter()
        .filter(|buffer| (buffer.pid, buffer.allocator) == (allocator.pid, allocator.number))
}

/// Draws the heading with the owner of the buffers.
fn draw_heading(sheet: &mut Sheet<'_>, owner: &BufferOwner, used: &[&&AllocatorUse]) {
    let page = sheet.page();
    let dot = page.glyphs().dot;
    let mut line = sheet.start();
    line.push(Role::Strong, &format!("Process {}", owner.pid), page.width);
    if !owner.name.is_empty() {
        line.push(Role::Strong, &format!(" {}", owner.name), page.width);
    }
    let state = state_in_words(owner);
    let rank = rank_in_words(owner.rank.as_deref(), owner.job.as_deref());
    let version = owner.tt_metal.as_ref().map(|version| format!("TT-Metal {version}"));
    let chips = match used {
        [only] => Some(chips_in_words(only)),
        _ => None,
    };
    let rest = [
        (Role::Strong, rank),
        (Role::Plain, chips),
        (Role::Notice, state.map(str::to_owned)),
        (Role::Plain, owner.user.clone()),
        (Role::Quiet, owner.container.clone()),
        (Role::Quiet, version),
    ];
    for (role, text) in rest {
        let Some(text) = text else { continue };
        // What does not fit whole goes to a line of its own, set in.
        if line.columns() + 3 + width(&text) > page.width {
            sheet.end(line);
            line = sheet.start();
            line.pad_to(1);
        } else {
            line.push(Role::Quiet, &format!(" {dot} "), page.width);
        }
        line.pad_to(2);
        line.push(role, &text, page.width);
    }
    sheet.end(line);
}

/// Returns the note about a process that does not run here.
#[must_use]
pub(crate) fn state_in_words(owner: &BufferOwner) -> Option<&'static str> {
    match owner.state {
        ProcessState::Live => None,
        ProcessState::Stale => Some("gone; what it held then"),
        ProcessState::OutsideNamespace => Some("outside namespace"),
    }
}

/// The chips that an allocator is on.
#[must_use]
pub(crate) fn chips_in_words(allocator: &AllocatorUse) -> String {
    let indexes: Vec<u32> = allocator.chips.iter().map(|chip| chip.index).collect();
    match indexes.len() {
        0 => "unknown chip".to_owned(),
        1 => format!("chip {}", chip_list(&indexes)),
        _ => format!("all of it on each of chips {}", chip_list(&indexes)),
    }
}

/// Returns the role and chips of an allocator.
#[must_use]
pub(crate) fn allocator_in_words(allocator: &AllocatorUse) -> String {
    let role = match allocator.role {
        AllocatorRole::Unknown => "allocator",
        role => role.as_str(),
    };
    format!("{role} {}, {}", allocator.number, chips_in_words(allocator))
}

fn note(sheet: &mut Sheet<'_>, role: Role, text: &str) {
    for (index, part) in super::text::wrap(text, sheet.page().width - 2).into_iter().enumerate() {
        let mut line = sheet.start();
        line.pad_to(if index == 0 { 0 } else { 2 });
        line.push(role, &part, sheet.page().width);
        sheet.end(line);
    }
}

fn draw_legend(sheet: &mut Sheet<'_>, list: &BufferList) {
    let is_inferred = |buffer: &LiveBuffer| buffer.op_quality.as_deref() == Some("inferred");
    let inferred = list.buffers.iter().any(is_inferred);
    let cached = list.buffers.iter().any(|buffer| buffer.origin != "tensor");
    if !(inferred || cached) {
        return;
    }
    sheet.skip();
    if inferred {
        note(sheet, Role::Quiet, "Op: inferred from the code that was entered last");
    }
    if cached {
        note(
            sheet,
            Role::Quiet,
            "[kernels]: binaries kept with the program cache; [trace]: a captured trace",
        );
    }
}

/// An op's name, and in brackets what it was for if that was no tensor.
#[must_use]
pub(crate) fn op_in_words(dash: &str, op: Option<&str>, origin: &str) -> String {
    let op = op.unwrap_or(dash);
    match origin {
        "tensor" => op.to_owned(),
        origin => format!("{op} [{origin}]"),
    }
}
