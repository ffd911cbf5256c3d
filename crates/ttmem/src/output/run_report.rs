//! The report of a run, for people.

mod failures;
mod host_memory;
mod overlaps;
mod programs;
mod ranks;
mod recording;
mod tables;

use ttmem_analysis::explain::words;
use ttmem_analysis::run_report::{
    End, Losses, ProcessReport, RegionPeak, ReportChip, RunReport, Uncounted,
};
use ttmem_model::order;
use ttmem_model::rank::rank_in_words;

use super::amount::{date_time, duration, size};
use super::naming::chip_list;
use super::page::{Charset, LEAST_WIDTH, Page, Role};
use super::sheet::Sheet;
use super::text::{legible, width, wrap_words};

/// The widest page that is drawn on.
const MOST_WIDTH: usize = 120;

/// Draws the report.
#[must_use]
pub(crate) fn render(report: &RunReport, page: &Page) -> String {
    let page = Page { width: page.width.clamp(LEAST_WIDTH, MOST_WIDTH), ..*page };
    let mut sheet = Sheet::new(&page);
    if !report.command.is_empty() {
        draw_command(&mut sheet, report);
    }
    if let Some(memory) = &report.host_memory {
        host_memory::draw(&mut sheet, memory, report.exit_code);
    }
    if let Some(ranks) = &report.ranks {
        ranks::draw(&mut sheet, ranks);
        sheet.skip();
    }
    for (index, recording) in report.recordings.iter().enumerate() {
        if index > 0 {
            sheet.skip();
        }
        recording::draw(&mut sheet, recording);
    }
    let parts: u64 = report.recordings.iter().map(|recording| recording.damaged_parts).sum();
    if report.processes.is_empty() && parts > 0 {
        let line = "The data of its agents is damaged: ops and buffers are unknown.";
        text(&mut sheet, Role::Alarm, 0, line);
    } else if report.processes.is_empty() && !report.recordings.is_empty() {
        text(
            &mut sheet,
            Role::Quiet,
            0,
            "No process in it ran with the agent: ops and buffers are unknown. ttmem record -- CMD records a \
             command with the agent.",
        );
    } else if report.processes.is_empty() && report.uncounted.is_empty() && report.ranks.is_none() {
        text(
            &mut sheet,
            Role::Notice,
            0,
            "No process of this command opened a device with TT-Metal. One that ran for less than a quarter of a second \
             without the agent may have gone unnoticed.",
        );
    }
    for process in &report.uncounted {
        text(&mut sheet, Role::Notice, 0, &uncounted(process, page.charset));
        for peak in process.region.iter().flatten() {
            text(&mut sheet, Role::Plain, 2, &region_peak(peak));
        }
    }
    for (index, process) in report.processes.iter().enumerate() {
        if index > 0 || !report.command.is_empty() || !report.recordings.is_empty() {
            sheet.skip();
        }
        draw_process(&mut sheet, process);
    }
    sheet.finish()
}

/// The line about a process that was not counted.
pub(crate) fn uncounted(process: &Uncounted, charset: Charset) -> String {
    let Uncounted { pid, name, reason, .. } = process;
    let name = legible(name, charset);
    format!("Process {pid} ({name}) used TT-Metal without being counted: {reason}")
}

/// The line about a peak in samples of a memory region.
fn region_peak(peak: &RegionPeak) -> String {
    let (kind, bytes) = (peak.kind.label(), size(peak.bytes));
    format!("{kind} ~{bytes} on {} at most (approximate, sampled)", region_chip(peak))
}

/// The chip of a memory region: its index on the host, or its unique id.
pub(crate) fn region_chip(peak: &RegionPeak) -> String {
    match peak.index {
        Some(index) => format!("chip {index}"),
        None => format!("chip 0x{:016x}", peak.unique_id),
    }
}

fn draw_command(sheet: &mut Sheet<'_>, report: &RunReport) {
    let page = sheet.page();
    let mut end = Vec::new();
    end.extend(report.exit_code.map(|code| format!("exit {code}")));
    end.extend(report.duration_us.map(|micros| format!("after {}", duration(micros))));
    let end = end.join(" ");
    let role = if report.exit_code == Some(0) { Role::Quiet } else { Role::Notice };
    let mut line = sheet.start();
    let room = page.room.saturating_sub(width(&end) + 2);
    line.push(Role::Strong, &format!("ttmem run {}", report.command), room);
    line.pad_to(page.width.saturating_sub(width(&end)).max(line.columns() + 2));
    line.push(role, &end, page.room);
    sheet.end(line);
}

fn draw_process(sheet: &mut Sheet<'_>, process: &ProcessReport) {
    draw_heading(sheet, process);
    let programs = process.programs.as_ref();
    if process.peaks.is_empty() && programs.is_none_or(|programs| programs.peaks.is_empty()) {
        text(sheet, Role::Quiet, 2, "It allocated no device memory.");
    } else {
        tables::draw_peaks(sheet, &process.peaks, programs);
    }
    failures::draw(sheet, &process.failures);
    overlaps::draw(sheet, &process.overlaps);
    if let Some(programs) = programs {
        programs::draw_refused(sheet, &programs.refused);
        programs::draw_ops(sheet, programs);
        if let Some(traces) = &programs.traces {
            programs::draw_traces(sheet, traces);
        }
    }
    if let Some(stacks) = &process.stacks {
        tables::draw_callers(sheet, stacks);
    }
    tables::draw_held(sheet, &process.held, process.end);
    for largest in &process.largest {
        tables::draw_largest(sheet, largest);
    }
    draw_losses(sheet, process);
}

fn draw_heading(sheet: &mut Sheet<'_>, process: &ProcessReport) {
    let page = sheet.page();
    let dot = page.glyphs().dot;
    let mut line = sheet.start();
    let name = process.name.as_deref().map(|name| legible(name, page.charset));
    let name = name.map(|name| format!(" {name}")).unwrap_or_default();
    line.push(Role::Strong, &format!("Process {}{name}", process.pid), page.width);
    let rank = rank_in_words(process.rank.as_deref(), process.job.as_deref());
    let rank = rank.map(|rank| legible(&rank, page.charset).into_owned());
    let (role, end) = end(process);
    let version = process.tt_metal.as_ref().map(|version| format!("TT-Metal {version}"));
    let since = format!("since {}", date_time(process.since));
    for (role, text) in [
        (Role::Strong, rank),
        (role, Some(end)),
        (Role::Quiet, version),
        (Role::Quiet, Some(since)),
    ] {
        let Some(text) = text else { continue };
        // What does not fit whole goes to a line of its own, set in.
        if line.columns() + 3 + width(&text) > page.width {
            sheet.end(line);
            line = sheet.start();
        } else {
            line.push(Role::Quiet, &format!(" {dot} "), page.width);
        }
        line.pad_to(2);
        line.push(role, &text, page.width);
    }
    sheet.end(line);
    if let Some(command) = &process.command {
        let mut line = sheet.start();
        line.pad_to(2);
        line.push(Role::Quiet, &legible(command, page.charset), page.room);
        sheet.end(line);
    }
}

/// The way in which a process ended.
fn end(process: &ProcessReport) -> (Role, String) {
    let with_code = |text: &str| match process.exit_code {
        Some(code) => format!("{text}({code})"),
        None => text.to_owned(),
    };
    match process.end {
        End::Running => (Role::Plain, "still runs".to_owned()),
        End::Exited => (Role::Plain, "exited normally".to_owned()),
        End::Left => (Role::Plain, with_code("left by _exit")),
        End::Ended => (Role::Plain, "ended after its devices were closed".to_owned()),
        End::Killed => (
            Role::Notice,
            match process.signal {
                Some(signal) => format!("killed by signal {signal}"),
                None => "ended without closing its devices".to_owned(),
            },
        ),
        End::Off => (Role::Notice, "its agent switched itself off".to_owned()),
    }
}

/// Draws the losses, or that there are none.
fn draw_losses(sheet: &mut Sheet<'_>, process: &ProcessReport) {
    sheet.skip();
    let Losses {
        events,
        events_overwritten,
        failures_overwritten,
        buffers_unlisted,
        unknown_frees,
        uncounted,
        panics,
    } = process.losses;
    let mut notes = Vec::new();
    if events_overwritten > 0 {
        notes.push(format!(
            "{events_overwritten} of them overwritten by newer ones (sums and peaks contain them; TTMEM_SEGMENT_MB keeps more)"
        ));
    }
    let lost = [
        (failures_overwritten, "older refused allocations not kept"),
        (buffers_unlisted, "buffers not listed, but counted"),
        (unknown_frees, "frees of buffers that the agent never saw"),
        (uncounted, "calls that are in no sum"),
        (panics, "defects of the agent"),
    ];
    let is_wrong = uncounted + panics > 0;
    notes.extend(
        lost.into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}")),
    );
    let dropped = if notes.is_empty() { "none dropped".to_owned() } else { notes.join("; ") };
    let role = if is_wrong { Role::Alarm } else { Role::Quiet };
    text(sheet, role, 0, &format!("{events} events recorded, {dropped}"));
}

/// The chips by their index on the host; by TT-Metal's numbers in the process where the host does not know one of them.
pub(crate) fn chips(chips: &[ReportChip]) -> String {
    let indexes: Option<Vec<u32>> = chips.iter().map(|chip| chip.index).collect();
    let (word, mut numbers) = match indexes {
        Some(indexes) => ("chip", indexes),
        None => ("TT-Metal device", chips.iter().map(|chip| chip.device).collect()),
    };
    order::sort(&mut numbers);
    match numbers.len() {
        0 => "unknown chip".to_owned(),
        1 => format!("{word} {}", chip_list(&numbers)),
        _ => format!("{word}s {}", chip_list(&numbers)),
    }
}

/// Draws a heading, set off from what is above it.
fn heading(sheet: &mut Sheet<'_>, title: &str) {
    sheet.skip();
    text(sheet, Role::Strong, 0, title);
}

/// Text on as many lines as it needs, each set in.
fn text(sheet: &mut Sheet<'_>, role: Role, indent: usize, text: &str) {
    hanging(sheet, (role, indent), "", text);
}

/// Adds text with a sign before the first line; the other lines are indented. A number and its unit stay together.
fn hanging(sheet: &mut Sheet<'_>, (role, indent): (Role, usize), sign: &str, text: &str) {
    let page = sheet.page();
    let text = legible(text, page.charset);
    let start = indent + width(sign);
    let words = words(&text);
    let lines = wrap_words(words.iter().map(String::as_str), page.width.saturating_sub(start));
    for (index, piece) in lines.into_iter().enumerate() {
        let mut line = sheet.start();
        line.pad_to(indent);
        if index == 0 {
            line.push(Role::Quiet, sign, page.width);
        }
        line.pad_to(start);
        line.push(role, &piece, page.width);
        sheet.end(line);
    }
}
