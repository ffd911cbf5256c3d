//! View 8: L1 by op of processes with an agent; L1 of a core during the selected op above the table.

mod rows;

use ratatui_core::layout::Rect;
use ttmem_analysis::run_report::{OpL1, ProcessOps};
use ttmem_model::snapshot::SourceStatus;

use crate::output::amount::{clock, percent, size};
use crate::output::buffers::{state_in_words, why_none};
use crate::output::naming::chip_list;
use crate::output::text::{width, wrap};
use crate::tui::app::{App, Only};
use crate::tui::look::Role;
use crate::tui::number::{cells, whole};
use crate::tui::op::{OpColumn, name};
use crate::tui::widget::bar::{Bar, Part, Rest};
use crate::tui::widget::canvas::Canvas;

/// The width of the name of the map.
const NAME: u16 = 14;
/// The maximum width of the map.
const MOST_PICTURE: u16 = 120;
/// The minimum width of a useful map.
const LEAST_PICTURE: u16 = 12;
/// The minimum height for a legend.
const LEGEND_ROWS: u16 = 10;

/// Draws the view.
pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    if app.ops.listed.get().is_none() || app.ops_lag() && app.ops.current().is_none() {
        let text = match app.ops.listed.silence(app.now, app.interval) {
            None => "reading programs …".to_owned(),
            Some(micros) => format!("no answer for {} s", micros / 1_000_000),
        };
        canvas.text(area.x + 2, area.y + 1, area.right(), Role::Quiet, &text);
        return;
    }
    if app.ops.processes().is_empty() {
        return draw_none(app, canvas, area);
    }
    let notes = notes(app);
    let below = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let Some((process, op)) = app.ops.current() else {
        let rows = draw_notes(canvas, below, &notes);
        let count: usize = app.ops.processes().iter().map(|process| process.ops.len()).sum();
        if count > 0 {
            let text =
                format!("None of {count} ops matches the selection or filter; Esc clears it.");
            canvas.text(area.x + 2, area.y + 1 + rows, area.right(), Role::Quiet, &text);
        }
        return;
    };
    draw_head(app, canvas, area, process, op);
    draw_core(app, canvas, super::row(area, area.y + 1), process, op);
    let body = Rect { y: area.y + 2, height: area.height.saturating_sub(2), ..area };
    let used = draw_notes(canvas, body, &notes);
    let body = Rect { y: body.y + used, height: body.height.saturating_sub(used), ..body };
    let legend = u16::from(body.height >= LEGEND_ROWS);
    rows::draw(app, canvas, Rect { height: body.height - legend, ..body });
    if legend > 0 {
        draw_legend(app, canvas, super::row(body, body.bottom() - 1));
    }
}

/// Draws the process of the selected op, and the number of ops.
fn draw_head(app: &App, canvas: &mut Canvas<'_>, area: Rect, process: &ProcessOps, op: &OpL1) {
    let count = count_in_words(app);
    let end = area.right() - 1;
    let start = end.saturating_sub(cells(width(&count)));
    canvas.text(start, area.y, end, Role::Quiet, &count);
    let end = start.saturating_sub(2);
    let owner = &process.owner;
    let title = format!("{} {}", owner.pid, owner.name);
    let x = canvas.text(area.x + 1, area.y, end, Role::Strong, title.trim_end());
    let state = state_in_words(owner).map(|state| (Role::Notice, state.to_owned()));
    let indexes: Vec<u32> = op.chips.iter().filter_map(|chip| chip.index).collect();
    let chips = match indexes.as_slice() {
        [] => None,
        [one] => Some(format!("chip {one}")),
        several => Some(format!("chips {}", chip_list(several))),
    };
    let dispatches = format!("{} dispatches", process.dispatches);
    let version = owner.tt_metal.as_ref().map(|it| (Role::Quiet, format!("TT-Metal {it}")));
    let parts = [
        Some((Role::Accent, name(op).to_owned())),
        state,
        chips.map(|chips| (Role::Plain, chips)),
        Some((Role::Plain, dispatches)),
        version,
    ];
    canvas.dotted(x, area.y, end, parts.into_iter().flatten());
}

/// Returns the number of ops, or the age of the list.
fn count_in_words(app: &App) -> String {
    if let Some(micros) = app.ops.listed.silence(app.now, app.interval) {
        return format!("read {} s ago", micros / 1_000_000);
    }
    if app.ops_lag() {
        let shown = app.snapshot().map(|snapshot| clock(snapshot.time_us)).unwrap_or_default();
        return format!("reading {shown} …");
    }
    let all: usize = app.ops.processes().iter().map(|process| process.ops.len()).sum();
    let shown = app.ops.shown().len();
    let of = if shown == all { String::new() } else { format!(" of {all}") };
    format!("{shown}{of} {}", if all == 1 { "op" } else { "ops" })
}

/// Draws L1 of a core during an op: what is reserved and placed from below, tensors from above.
fn draw_core(app: &App, canvas: &mut Canvas<'_>, row: Rect, process: &ProcessOps, op: &OpL1) {
    let (Some(all), Some(peak)) = (process.core_size, op.peak) else { return };
    let caption = core_in_words(op, all, peak, row.width);
    canvas.text(row.x + 1, row.y, row.x + NAME, Role::L1, "L1 of a core");
    let end = row.right() - 1;
    canvas.right(row.x + NAME, row.y, end, Role::Quiet, &caption);
    let beside = cells(width(&caption)) + 2;
    let columns = end.saturating_sub(row.x + NAME + beside).min(MOST_PICTURE);
    if columns < LEAST_PICTURE {
        return;
    }
    let placed = op.circular_buffers;
    let reserved = peak.saturating_sub(placed).saturating_sub(op.tensors);
    let parts = [
        Part { amount: reserved as f64, role: Role::Reserved },
        Part { amount: placed as f64, role: Role::CircularBuffers },
    ];
    let bar = Bar { parts: &parts, whole: all as f64, rest: Rest::Free, peak: None };
    let x = row.x + NAME;
    bar.draw(canvas, x, row.y, columns);
    let share = op.tensors as f64 / all.max(1) as f64 * f64::from(columns);
    let tensors = cells(whole(share.ceil())).min(columns);
    let style = canvas.look.style(Role::L1);
    let full = canvas.glyphs().steps.last().copied().unwrap_or_default();
    let sign = match app.look.is_mono() {
        true => canvas.fill(Role::L1).unwrap_or(full),
        false => full,
    };
    for column in columns - tensors..columns {
        canvas.sign(x + column, row.y, style, sign);
    }
}

/// Returns as much of the caption of the map as fits.
fn core_in_words(op: &OpL1, all: u64, peak: u64, columns: u16) -> String {
    let share = percent(peak, all).unwrap_or_default();
    let headroom = OpColumn::Headroom.text(op);
    let headroom = headroom.map(|text| format!(", headroom {text}")).unwrap_or_default();
    match columns {
        0..60 => share,
        60..100 => format!("peak {} {share}{headroom}", size(peak)),
        _ => format!("peak {} of {} {share}{headroom}", size(peak), size(all)),
    }
}

/// Returns what is not known of the processes, and why.
fn notes(app: &App) -> Vec<String> {
    let is_selected = |process: &&ProcessOps| match app.only {
        Only::Process(id) => process.owner.pid == id.pid,
        Only::All | Only::Chip(_) => true,
    };
    let text = |process: &ProcessOps| {
        let owner = &process.owner;
        let name = format!("{} {}", owner.pid, owner.name);
        let name = name.trim_end();
        let gap = owner.unknown.as_ref();
        let gap = gap.map(|why| format!("{name}: ops unknown at this time: {why}"));
        let unknown = process.unknown_reason.map(|why| {
            let (unknown, all) = (process.unknown_dispatches, process.dispatches);
            format!("{name}: the programs of {unknown} of {all} dispatches are not known: {why}")
        });
        let later = process.of_whole_run.then(|| {
            format!(
                "{name}: tensors, peak and headroom are of the whole run, for its oldest dispatches are overwritten; a \
                 larger TTMEM_SEGMENT_MB keeps more"
            )
        });
        [gap, unknown, later]
    };
    app.ops.processes().iter().filter(is_selected).flat_map(text).flatten().collect()
}

/// Draws notes, and returns the rows used.
fn draw_notes(canvas: &mut Canvas<'_>, area: Rect, notes: &[String]) -> u16 {
    /// Leave the remaining rows to the table.
    const MOST_ROWS: u16 = 4;
    super::draw_notes(canvas, area, notes, area.height.saturating_sub(4).min(MOST_ROWS))
}

/// Draws the meaning of the figures.
fn draw_legend(app: &App, canvas: &mut Canvas<'_>, row: Rect) {
    let texts = [
        "per core: CBs circular buffers without aliasing   tensors: L1 during a dispatch   peak: reserved memory, CBs and tensors   \
         headroom: lowest L1 buffer less the end of CBs",
        "per core: CBs circular buffers without aliasing   peak: reserved, CBs, tensors   headroom: lowest L1 buffer less CBs",
        "most per core, headroom least   CBs: circular buffers without aliasing",
        "per core; CBs: circular buffers without aliasing",
        "per core; CBs: circular buffers",
    ];
    let room = usize::from(row.width.saturating_sub(3));
    if let Some(text) = texts.iter().find(|text| width(text) <= room) {
        let text = super::overlay::in_charset(app, text);
        canvas.text(row.x + 2, row.y, row.right(), Role::Quiet, &text);
    }
}

/// Draws the reason for an empty list, and the remedy.
fn draw_none(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let sources = app.snapshot().map(|snapshot| snapshot.sources.as_slice()).unwrap_or_default();
    let (status, why) = why_none(sources);
    let (role, reason) = match status {
        SourceStatus::Denied | SourceStatus::Failed => (Role::Notice, why),
        _ if app.replay.is_some() => {
            (Role::Plain, "No process with an agent had run a program at this time.".to_owned())
        }
        _ => (Role::Plain, "No process with an agent has run a program.".to_owned()),
    };
    let more = "The agent records what every program places in L1 of its cores, and every dispatch. L1 is then known op by \
        op, and no device is opened.";
    let command = match app.replay {
        None => "ttmem run -- CMD",
        Some(_) => "ttmem record -- CMD",
    };
    let columns = usize::from(area.width.saturating_sub(4)).min(100);
    let mut y = area.y + 1;
    for (role, text) in [(role, reason.as_str()), (Role::Quiet, more), (Role::Accent, command)] {
        for line in wrap(text, columns) {
            if y < area.bottom() {
                canvas.text(area.x + 2, y, area.right(), role, &line);
            }
            y += 1;
        }
        y += 1;
    }
}
