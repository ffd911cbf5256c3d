//! The chips and events of a recording.

use std::collections::BTreeSet;

use ttmem_analysis::run_report::RecordingReport;
use ttmem_analysis::series::{ChipLines, KindLines, Series};
use ttmem_model::order;
use ttmem_model::{Kind, Timestamp};
use ttmem_recording::{Event, EventKind};

use super::{heading, text};
use crate::output::amount::{date_time, duration, percent, size};
use crate::output::bar;
use crate::output::naming::chip_list;
use crate::output::page::Role;
use crate::output::sheet::Sheet;
use crate::output::text::width;

/// Most events that are listed.
const MOST_EVENTS: usize = 20;
/// Most processes that are named beside a peak.
const MOST_HOLDERS: usize = 2;
const BAR_COLUMNS: usize = 14;
const ROOMY: usize = 76;

/// Draws one recording.
pub(super) fn draw(sheet: &mut Sheet<'_>, recording: &RecordingReport) {
    draw_heading(sheet, recording);
    if recording.series.chips().iter().all(|chip| chip.kinds.is_empty()) {
        text(sheet, Role::Quiet, 2, "It has no memory of any chip.");
    } else {
        heading(sheet, "Highest of each chip in the snapshots");
        let is_idle = |chip: &&ChipLines| chip.kinds.iter().all(|kind| kind.peak == 0);
        let mut listed = BTreeSet::new();
        for chip in recording.series.chips().iter().filter(|chip| !is_idle(chip)) {
            draw_chip(sheet, chip, recording);
            listed.insert(chip.index);
        }
        // Less than the peaks of agents, which see what is between snapshots.
        for (words, is_unknown) in [("nothing was held", false), ("no memory is known", true)] {
            let chips = recording.series.chips().iter().filter(is_idle);
            let chips = chips.filter(|chip| chip.kinds.is_empty() == is_unknown);
            // While its device is away, a chip behind it has the same index under another id.
            let idle: Vec<u32> =
                chips.map(|chip| chip.index).filter(|index| listed.insert(*index)).collect();
            if !idle.is_empty() {
                let chips = if idle.len() == 1 { "chip" } else { "chips" };
                let at = match recording.snapshots {
                    1 => "the only snapshot".to_owned(),
                    count => format!("the {count} snapshots"),
                };
                let line = format!("{chips} {}: {words} in {at}", chip_list(&idle));
                text(sheet, Role::Quiet, 2, &line);
            }
        }
    }
    draw_events(sheet, recording);
}

fn draw_heading(sheet: &mut Sheet<'_>, recording: &RecordingReport) {
    let page = sheet.page();
    let dot = page.glyphs().dot;
    let mut line = sheet.start();
    line.push(Role::Strong, &format!("Recording {}", recording.file), page.width);
    let span = recording.from_us.zip(recording.to_us);
    let facts = [
        recording.host.clone(),
        Some(format!("{} snapshots", recording.snapshots)),
        span.map(|(from, to)| {
            format!("{} from {}", duration(to.micros_since(from)), date_time(from))
        }),
    ];
    for fact in facts.into_iter().flatten() {
        if line.columns() + 3 + width(&fact) > page.width {
            sheet.end(line);
            line = sheet.start();
            line.pad_to(2);
        } else {
            line.push(Role::Quiet, &format!(" {dot} "), page.width);
        }
        line.push(Role::Plain, &fact, page.width);
    }
    sheet.end(line);
    if !recording.ended {
        text(
            sheet,
            Role::Notice,
            2,
            "Its end is missing: it is being recorded, or the recorder was killed.",
        );
    }
    let damage = recording.damage();
    if !damage.is_empty() {
        text(sheet, Role::Alarm, 2, &damage.to_string());
    }
}

fn draw_chip(sheet: &mut Sheet<'_>, chip: &ChipLines, recording: &RecordingReport) {
    let board = chip.board.as_deref().map(|board| format!(" {board}")).unwrap_or_default();
    let used = chip.kinds.iter().filter(|kind| kind.peak > 0);
    let name = format!("chip {}{board}", chip.index);
    for (number, kind) in used.enumerate() {
        draw_kind(sheet, if number == 0 { &name } else { "" }, kind, recording);
    }
}

fn draw_kind(sheet: &mut Sheet<'_>, name: &str, kind: &KindLines, recording: &RecordingReport) {
    let page = sheet.page();
    let mut line = sheet.start();
    line.pad_to(2);
    line.push(Role::Plain, name, 16);
    line.pad_to(17);
    line.push(Role::Plain, label(kind.kind), 28);
    line.push_right(Role::Strong, &size(kind.peak), 36);
    line.pad_to(38);
    let mut next = line.columns();
    if page.width >= ROOMY {
        if let Some(all) = kind.capacity {
            let (filled, track) = bar::bar(page, kind.peak, all, BAR_COLUMNS);
            line.push(bar::role(kind.peak, all), &filled, next + BAR_COLUMNS);
            line.push(Role::Quiet, &track, next + BAR_COLUMNS);
        }
        next += BAR_COLUMNS + 1;
    }
    let share = kind.capacity.and_then(|all| percent(kind.peak, all)).unwrap_or_default();
    line.push_right(Role::Plain, &share, next + 4);
    line.pad_to(next + 6);
    let after = recording.from_us.map(|from| duration(kind.peak_us.micros_since(from)));
    let after = after.map(|after| format!("after {after}"));
    let notes = [after, holders(kind, &recording.series)];
    let notes: Vec<String> = notes.into_iter().flatten().collect();
    line.push(Role::Quiet, &notes.join(", "), page.width);
    sheet.end(line);
}

/// The name of a kind, where there is room for ten columns.
fn label(kind: Kind) -> &'static str {
    match kind {
        Kind::CircularBuffers => "CBs",
        kind => kind.label(),
    }
}

/// Returns the processes that held most of it at the peak.
fn holders(kind: &KindLines, series: &Series) -> Option<String> {
    let column = kind.used.iter().position(|used| *used == Some(kind.peak))?;
    let mut held: Vec<(u64, &str, i32)> = kind
        .shares
        .iter()
        .filter_map(|share| {
            let process = series.processes().get(share.process)?;
            Some((*share.bytes.get(column)?, process.name.as_str(), process.pid.0))
        })
        .filter(|(bytes, ..)| *bytes > 0)
        .collect();
    order::sort_by_key(&mut held, |(bytes, ..)| std::cmp::Reverse(*bytes));
    let named: Vec<String> =
        held.iter().take(MOST_HOLDERS).map(|(_, name, pid)| format!("{name} {pid}")).collect();
    let more = match held.len().saturating_sub(MOST_HOLDERS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!named.is_empty()).then(|| named.join(", ") + &more)
}

fn is_notable(event: &&Event) -> bool {
    matches!(
        event.kind,
        EventKind::ProcessDied
            | EventKind::ChipVanished
            | EventKind::Failure
            | EventKind::Dropped
            | EventKind::ClockStepped
            | EventKind::Suspended
    )
}

fn draw_events(sheet: &mut Sheet<'_>, recording: &RecordingReport) {
    let notable: Vec<&Event> = recording.events.iter().filter(is_notable).collect();
    if !notable.is_empty() {
        heading(sheet, "Worth a look");
    }
    for event in notable.iter().take(MOST_EVENTS) {
        text(sheet, Role::Notice, 2, &format!("{}  {}", clock(event.time), event.text));
    }
    sheet.skip();
    let more = match notable.len().saturating_sub(MOST_EVENTS) {
        0 => String::new(),
        more => format!("{more} more of these; "),
    };
    let (events, them) = match recording.events_of {
        1 => ("1 event".to_owned(), "it"),
        count => (format!("{count} events"), "them"),
    };
    let all =
        format!("{more}{events} in all; ttmem replay --events {} lists {them}", recording.file);
    text(sheet, Role::Quiet, 0, &all);
}

/// The time of day.
fn clock(time: Timestamp) -> String {
    let all = date_time(time);
    all.split(' ').nth(1).unwrap_or(&all).to_owned()
}

#[cfg(test)]
mod tests {
    use ttmem_fake::{BYTES, Board, Host, NOW, PID, Process};
    use ttmem_model::facts::RegionBytes;
    use ttmem_recording::{Contents, Encoder, Header, Limits, Recording};
    use ttmem_root::{Clock, Root};
    use ttmem_sources::Collector;

    use super::*;
    use crate::output::page::{FULL_WIDTH, Page};

    /// The report of a chip of which no byte is used, and of one without a memory region.
    fn drawn(snapshots: u64) -> String {
        let host = Host::new().board(Board::n150());
        let host = host.workload(Process::new(PID, "x"), RegionBytes::default());
        let host = host.board(Board::n150().serial(7).asic_id(7));
        drawn_of(snapshots, vec![host])
    }

    /// The report of so many snapshots of each of some hosts.
    fn drawn_of(snapshots: u64, hosts: Vec<Host>) -> String {
        let hosts = hosts.into_iter().map(|host| {
            let root = Root::memory(host.into_tree());
            Collector::new(root).with_clock(Clock::Fixed(NOW)).snapshot()
        });
        let mut time = NOW;
        let (mut contents, mut bytes) = Contents::begin(&Header::default());
        let mut encoder = Encoder::new(Limits::default());
        let mut blocks = Vec::new();
        for mut moment in hosts {
            for _ in 0..snapshots {
                time = Timestamp(time.0 + 1_000_000);
                moment.time_us = time;
                blocks.extend(encoder.push(time, &moment).unwrap());
            }
        }
        blocks.extend(encoder.flush());
        for block in &blocks {
            contents.add(block);
            bytes.extend_from_slice(&block.bytes);
        }
        let mut recording = Recording::open(bytes).unwrap();
        let report = RecordingReport::of("x".into(), &mut recording).unwrap();
        let page = Page::plain(FULL_WIDTH);
        let mut sheet = Sheet::new(&page);
        draw(&mut sheet, &report);
        sheet.finish()
    }

    #[test]
    fn a_chip_with_no_memory_in_use_is_told_of_the_snapshots_alone() {
        assert!(drawn(3).contains("chip 0: nothing was held in the 3 snapshots"), "{}", drawn(3));
        assert!(drawn(1).contains("chip 0: nothing was held in the only snapshot"), "{}", drawn(1));
        assert!(drawn(1).contains("chip 1: no memory is known in the only"), "{}", drawn(1));
    }

    #[test]
    fn an_index_with_memory_has_no_chip_without() {
        let known = Host::new().board(Board::n150());
        let known = known.workload(Process::new(PID, "x"), BYTES);
        let other = Host::new().board(Board::n150().serial(7).asic_id(7));
        let text = drawn_of(2, vec![known, other]);
        assert!(text.contains("chip 0 n150") && !text.contains("no memory is known"), "{text}");
    }
}
