//! Peaks, what was held, and the largest buffers.

use ttmem_analysis::run_report::{
    End, HeldGroup, L1Peak, LargeBuffer, Largest, Moment, Peak, Programs, Stacks,
};
use ttmem_model::Kind;
use ttmem_model::stack::caller;

use super::{chips, heading, text};
use crate::output::amount::{duration, percent, size};
use crate::output::bar;
use crate::output::line::Line;
use crate::output::page::{Page, Role};
use crate::output::sheet::Sheet;
use crate::output::tail::{Cells, Tail, cells};

/// Column at which the first column of every table begins.
const START: usize = 2;
/// Column at which the first column of every table ends.
const KIND_END: usize = 10;
/// Columns of the bar of a peak; a narrower page has none.
const BAR_COLUMNS: usize = 14;
/// Width from which a page has room for everything.
const ROOMY: usize = 76;

/// Draws the peaks. That of L1 contains circular buffers and kernels where they are known.
pub(super) fn draw_peaks(sheet: &mut Sheet<'_>, peaks: &[Peak], programs: Option<&Programs>) {
    let l1: &[L1Peak] = programs.map_or(&[], |programs| &programs.peaks);
    let Some(first) = peaks.first().map(|peak| &peak.chips).or(l1.first().map(|peak| &peak.chips))
    else {
        return;
    };
    let on_same_chips =
        peaks.iter().all(|peak| peak.chips == *first) && l1.iter().all(|peak| peak.chips == *first);
    let each = if first.len() > 1 { ", on each of them" } else { "" };
    let on_chips =
        if on_same_chips { format!(" on {}{each}", chips(first)) } else { String::new() };
    heading(sheet, &format!("Peaks{on_chips}"));
    let (before, others): (Vec<&Peak>, Vec<&Peak>) =
        peaks.iter().partition(|peak| peak.kind == Kind::Dram);
    for peak in before {
        draw_peak(sheet, peak, (peak.kind.label(), ""), on_same_chips);
    }
    for peak in l1 {
        draw_l1_peak(sheet, peak, on_same_chips);
    }
    for peak in others {
        let of_l1 = l1.iter().find(|all| peak.kind == Kind::L1 && all.chips == peak.chips);
        match of_l1.and_then(|all| Some((all, all.capacity?))) {
            // A part of L1 has the share of all of it, as the line above.
            Some((all, capacity)) => {
                let part = Peak { allocatable: Some(capacity), ..peak.clone() };
                let note = if peak.bytes > all.bytes { ", between programs" } else { "" };
                draw_peak(sheet, &part, ("tensors", note), on_same_chips);
            }
            None => draw_peak(sheet, peak, (peak.kind.label(), ""), on_same_chips),
        }
    }
    if l1.is_empty() && peaks.iter().any(|peak| peak.kind == Kind::L1) {
        let note = "L1 without circular buffers and kernels: the agent recorded no programs.";
        text(sheet, Role::Quiet, START, note);
    }
}

/// Draws the peak of L1 with its parts. The share is that of all worker cores.
fn draw_l1_peak(sheet: &mut Sheet<'_>, peak: &L1Peak, on_same_chips: bool) {
    let page = sheet.page();
    let mut line = sheet.start();
    line.pad_to(START);
    line.push(Role::Plain, Kind::L1.label(), KIND_END);
    line.push_right(Role::Strong, &size(peak.bytes), KIND_END + 10);
    line.pad_to(KIND_END + 12);
    let mut next = line.columns();
    if page.width >= ROOMY {
        if let Some(all) = peak.capacity {
            let (filled, track) = bar::bar(page, peak.bytes, all, BAR_COLUMNS);
            line.push(bar::role(peak.bytes, all), &filled, next + BAR_COLUMNS);
            line.push(Role::Quiet, &track, next + BAR_COLUMNS);
        }
        next += BAR_COLUMNS + 1;
    }
    let share = peak.capacity.and_then(|all| percent(peak.bytes, all)).unwrap_or_default();
    line.push_right(Role::Plain, &share, next + 4);
    line.pad_to(next + 6);
    let kernels = match peak.kernels {
        Some(bytes) => format!(", kernels {}", size(bytes)),
        None => ", kernels not known".to_owned(),
    };
    let chips_label =
        if on_same_chips { String::new() } else { format!("{}: ", chips(&peak.chips)) };
    let op = peak.op.as_deref().unwrap_or("unknown op");
    line.push(Role::Plain, &format!("{chips_label}{op}"), page.room);
    sheet.end(line);
    let scratchpads = match peak.scratchpads {
        0 => String::new(),
        bytes => format!(", scratchpads {}", size(bytes)),
    };
    let aliasing = match peak.aliasing {
        0 => String::new(),
        bytes => format!(" and {} aliasing tensors", size(bytes)),
    };
    let parts = format!(
        "tensors {}, circular buffers {}{aliasing}{scratchpads}{kernels}",
        size(peak.tensors),
        size(peak.circular_buffers)
    );
    text(sheet, Role::Quiet, KIND_END, &parts);
    if let Some((bytes, all)) = peak.bytes_per_core.zip(peak.core_size) {
        let core =
            format!("fullest core: {} of {}, reserved memory included", size(bytes), size(all));
        text(sheet, Role::Quiet, KIND_END, &core);
    }
}

fn draw_peak(sheet: &mut Sheet<'_>, peak: &Peak, (label, note): (&str, &str), on_same_chips: bool) {
    let page = sheet.page();
    let mut line = sheet.start();
    line.pad_to(START);
    line.push(Role::Plain, label, KIND_END);
    let mark = if peak.at_most { page.glyphs().at_most } else { "" };
    line.push_right(Role::Strong, &format!("{mark}{}", size(peak.bytes)), KIND_END + 10);
    line.pad_to(KIND_END + 12);
    let mut next = line.columns();
    if page.width >= ROOMY {
        if let Some(all) = peak.allocatable {
            let (filled, track) = bar::bar(page, peak.bytes, all, BAR_COLUMNS);
            line.push(bar::role(peak.bytes, all), &filled, next + BAR_COLUMNS);
            line.push(Role::Quiet, &track, next + BAR_COLUMNS);
        }
        next += BAR_COLUMNS + 1;
    }
    let share = peak.allocatable.and_then(|all| percent(peak.bytes, all)).unwrap_or_default();
    line.push_right(Role::Plain, &share, next + 4);
    line.pad_to(next + 6);
    let after = peak.after_us.map(|micros| format!("after {}", duration(micros)));
    let op = match (&peak.op, &after) {
        (Some(op), Some(after)) => format!("{op}, {after}"),
        (Some(op), None) => op.clone(),
        (None, after) => after.clone().unwrap_or_default(),
    };
    let chips_label =
        if on_same_chips { String::new() } else { format!("{}: ", chips(&peak.chips)) };
    line.push(Role::Plain, &format!("{chips_label}{op}{note}"), page.room);
    sheet.end(line);
}

/// Draws the memory that was held: first unfreed tensors, then TT-Metal's own.
pub(super) fn draw_held(sheet: &mut Sheet<'_>, held: &[HeldGroup], end: End) {
    let (last, tensors) = match end {
        End::Running => ("Held now", "tensors"),
        _ => ("Held at the end", "never freed"),
    };
    for (moment, title, tensors) in [
        (Moment::Closed, "Still held when the device was closed", "never freed"),
        (Moment::End, last, tensors),
    ] {
        let groups: Vec<&HeldGroup> = held.iter().filter(|group| group.moment == moment).collect();
        if groups.is_empty() {
            continue;
        }
        heading(sheet, title);
        let on_same_chips = groups.iter().all(|group| group.chips == groups[0].chips);
        for (origin, what) in [
            ("tensor", tensors),
            ("kernels", "program cache"),
            ("trace", "captured traces"),
            ("unlisted", "no room to list"),
        ] {
            let of_origin: Vec<&&HeldGroup> =
                groups.iter().filter(|group| group.origin == origin).collect();
            draw_origin(sheet, what, &of_origin, on_same_chips);
        }
    }
}

/// Most ops that are listed for each origin.
const MOST_GROUPS: usize = 12;

fn draw_origin(sheet: &mut Sheet<'_>, what: &str, groups: &[&&HeldGroup], on_same_chips: bool) {
    let page = sheet.page();
    let is_leak = what == "never freed";
    let shown = &groups[..groups.len().min(MOST_GROUPS)];
    let tails: Vec<Cells> =
        shown.iter().map(|group| held_cells(page, group, on_same_chips)).collect();
    let tail = Tail::of(&tails, page.room.saturating_sub(START + 43));
    for (index, (group, cells)) in shown.iter().zip(&tails).enumerate() {
        let mut line = sheet.start();
        line.pad_to(START);
        if index == 0 {
            let role = if is_leak { Role::Notice } else { Role::Quiet };
            line.push(role, what, START + 15);
        }
        line.pad_to(START + 17);
        line.push(Role::Plain, group.kind.label(), START + 25);
        line.push_right(Role::Plain, &size(group.bytes), START + 34);
        line.push_right(Role::Quiet, &format!("×{}", group.buffers), START + 41);
        line.pad_to(START + 43);
        tail.push(&mut line, cells, page.room);
        sheet.end(line);
    }
    if groups.len() > MOST_GROUPS {
        let rest = &groups[MOST_GROUPS..];
        let bytes = rest.iter().fold(0, |sum: u64, group| sum.saturating_add(group.bytes));
        let mut line = sheet.start();
        line.pad_to(START + 17);
        let noun = if on_same_chips { "ops" } else { "ops and chips" };
        let more = format!("{} of {} {noun} more", size(bytes), rest.len());
        line.push(Role::Quiet, &more, page.width);
        sheet.end(line);
    }
}

fn held_cells(page: &Page, group: &HeldGroup, on_same_chips: bool) -> Cells {
    let op = group.op.as_deref().unwrap_or(page.glyphs().dash);
    let chips_label =
        if on_same_chips { String::new() } else { format!("{}: ", chips(&group.chips)) };
    let caller = group.callers.split_first().map(|(first, others)| match others.len() {
        0 => first.frame.to_string(),
        count => format!("{} and {count} more", first.frame),
    });
    cells(page, &format!("{chips_label}{op}"), None, caller)
}

/// Draws the largest buffers of a kind.
pub(super) fn draw_largest(sheet: &mut Sheet<'_>, largest: &Largest) {
    let page = sheet.page();
    let label = largest.kind.label();
    let moment =
        if largest.at_peak { format!("at the {label} peak") } else { "at the end".to_owned() };
    let number = match largest.buffers.len() as u64 {
        shown if shown == largest.of => format!("all {shown}"),
        shown => format!("{shown} of {}", largest.of),
    };
    let title = match largest.of {
        1 => format!("The only {label} buffer {moment}: bytes, address, age"),
        _ => format!("Largest {label} buffers {moment} ({number}): bytes, address, age"),
    };
    heading(sheet, &title);
    let has_room = page.width >= ROOMY;
    let tails: Vec<Cells> = largest.buffers.iter().map(|buffer| tail_cells(page, buffer)).collect();
    let tail = Tail::of(&tails, page.room.saturating_sub(tail_start(has_room)));
    for (buffer, cells) in largest.buffers.iter().zip(&tails) {
        let mut line = sheet.start();
        push_amounts(&mut line, buffer, has_room);
        if tail.has_room() {
            tail.push(&mut line, cells, page.room);
            sheet.end(line);
            continue;
        }
        let [op, tensor, caller] = cells;
        line.push(Role::Plain, op, page.room);
        sheet.end(line);
        draw_below(sheet, [tensor, caller]);
    }
}

/// Draws what has no room beside the op on a line of its own, set in.
fn draw_below(sheet: &mut Sheet<'_>, cells: [&String; 2]) {
    let page = sheet.page();
    let mut line = sheet.start();
    for cell in cells.into_iter().filter(|cell| !cell.is_empty()) {
        line.pad_to(if line.columns() == 0 { KIND_END + 4 } else { line.columns() + 2 });
        line.push(Role::Quiet, cell, page.room);
    }
    if line.columns() > 0 {
        sheet.end(line);
    }
}

/// The column at which the op of a buffer begins.
fn tail_start(has_room: bool) -> usize {
    KIND_END + if has_room { 21 } else { 4 } + 19
}

fn push_amounts(line: &mut Line<'_>, buffer: &LargeBuffer, has_room: bool) {
    line.push_right(Role::Plain, &size(buffer.bytes), KIND_END + 2);
    line.pad_to(KIND_END + 4);
    if has_room {
        line.push_right(Role::Quiet, &size(buffer.bytes_per_bank), KIND_END + 12);
        line.push(Role::Quiet, " a bank", KIND_END + 19);
        line.pad_to(KIND_END + 21);
    }
    let next = line.columns();
    line.push(Role::Quiet, &format!("0x{:08x}", buffer.address), next + 12);
    line.pad_to(next + 12);
    if let Some(age) = buffer.age_us {
        line.push_right(Role::Quiet, &duration(age), next + 17);
    }
    line.pad_to(tail_start(has_room));
}

fn tail_cells(page: &Page, buffer: &LargeBuffer) -> Cells {
    let op = buffer.op.as_deref().unwrap_or(page.glyphs().dash);
    let op = match buffer.origin {
        "tensor" => op.to_owned(),
        origin => format!("{op} [{origin}]"),
    };
    let tensor = buffer.tensor.as_ref().map(ToString::to_string);
    cells(page, &op, tensor, caller(&buffer.stack).map(|caller| caller.to_string()))
}

/// Most lines of the user's code that are listed.
const MOST_CALLERS: usize = 8;

/// Draws the lines of the user's code that allocated the memory of the peaks.
pub(super) fn draw_callers(sheet: &mut Sheet<'_>, stacks: &Stacks) {
    for kind in [Kind::Dram, Kind::L1] {
        let callers = stacks.callers_at_peak(kind);
        if callers.is_empty() {
            continue;
        }
        heading(sheet, &format!("{} at the peak by line of Python", kind.label()));
        let page = sheet.page();
        for caller in callers.iter().take(MOST_CALLERS) {
            let mut line = sheet.start();
            line.push_right(Role::Plain, &size(caller.bytes), KIND_END + 2);
            line.push_right(Role::Quiet, &format!("×{}", caller.buffers), KIND_END + 9);
            line.pad_to(KIND_END + 11);
            line.push(Role::Plain, &caller.frame.to_string(), page.room);
            sheet.end(line);
        }
        if let Some(rest) = callers.get(MOST_CALLERS..).filter(|rest| !rest.is_empty()) {
            let bytes = rest.iter().fold(0, |sum: u64, one| sum.saturating_add(one.bytes));
            let mut line = sheet.start();
            line.push_right(Role::Quiet, &size(bytes), KIND_END + 2);
            line.pad_to(KIND_END + 11);
            line.push(Role::Quiet, &format!("{} lines more", rest.len()), page.width);
            sheet.end(line);
        }
    }
}
