//! View 5: the live buffers of processes with an agent; a map of a bank above them, the details of one buffer beside or
//! below.

mod bank;
mod details;
mod rows;

use ratatui_core::layout::Rect;
use ttmem_model::buffers::{AllocatorUse, BufferList, BufferOwner, LiveBuffer};
use ttmem_model::snapshot::SourceStatus;

use crate::output::amount;
use crate::output::buffers::{allocator_in_words, state_in_words, why_none};
use crate::output::text::{width, wrap};
use crate::tui::app::{App, Only};
use crate::tui::look::Role;
use crate::tui::number::cells;
use crate::tui::widget::canvas::Canvas;

/// The minimum width for details beside the table.
const BESIDE_COLUMNS: u16 = 130;
/// The width of the details beside the table.
const DETAILS_COLUMNS: u16 = 48;
/// The minimum height for captions of the bank map on a line of their own.
const TALL_ROWS: u16 = 30;

/// Draws the view.
pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    // Nothing is drawn if the list belongs to another moment than the rest of the screen.
    let is_told = |_: &&BufferList| !app.buffers_lag() || app.buffers.current().is_some();
    let Some(list) = app.buffers.list().filter(is_told) else {
        let text = match app.buffers.listed.silence(app.now, app.interval) {
            None => "reading buffers …".to_owned(),
            Some(micros) => format!("no answer for {} s", micros / 1_000_000),
        };
        canvas.text(area.x + 2, area.y + 1, area.right(), Role::Quiet, &text);
        return;
    };
    if list.processes.is_empty() {
        return draw_none(app, canvas, area);
    }
    let unknown = unknown_in_words(app, list);
    let Some(buffer) = app.buffers.current() else {
        let rows = draw_unknown(canvas, Rect { y: area.y + 1, ..area }, &unknown);
        let text = match list.buffers.len() {
            0 if list.processes.iter().all(|owner| owner.unknown.is_some()) => String::new(),
            0 => "No live buffers.".to_owned(),
            count => {
                format!("None of {count} buffers matches the selection or filter; Esc clears it.")
            }
        };
        canvas.text(area.x + 2, area.y + 1 + rows, area.right(), Role::Quiet, &text);
        return;
    };
    let allocator = app.buffers.allocator((buffer.pid, buffer.allocator));
    let owner = app.buffers.owner(buffer.pid);
    draw_head(app, canvas, area, owner, allocator);
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let rows = draw_unknown(canvas, body, &unknown);
    let body = Rect { y: body.y + rows, height: body.height - rows, ..body };
    let (table, pane) = split(app, body);
    let rows = match allocator {
        Some(allocator) => bank::draw(app, canvas, table, allocator, buffer),
        None => 0,
    };
    let table = Rect { y: table.y + rows, height: table.height.saturating_sub(rows), ..table };
    rows::draw(app, canvas, table);
    if let Some(pane) = pane {
        details::draw(app, canvas, pane, buffer, (owner, allocator));
    }
}

/// Returns the areas of the table and, if visible, the details.
fn split(app: &App, body: Rect) -> (Rect, Option<Rect>) {
    if body.width >= BESIDE_COLUMNS {
        let width = body.width - DETAILS_COLUMNS;
        let pane = Rect { x: body.x + width, width: DETAILS_COLUMNS, ..body };
        return (Rect { width: width - 1, ..body }, Some(pane));
    }
    if !app.buffers.details {
        return (body, None);
    }
    let height = (body.height / 2).max(3);
    let pane = Rect { y: body.y + height, height: body.height - height, ..body };
    (Rect { height, ..body }, Some(pane))
}

/// Draws the allocator of the bank map, and the number of buffers.
fn draw_head(
    app: &App,
    canvas: &mut Canvas<'_>,
    area: Rect,
    owner: Option<&BufferOwner>,
    allocator: Option<&AllocatorUse>,
) {
    let count = count_in_words(app);
    let end = area.right() - 1;
    let start = end.saturating_sub(cells(width(&count)));
    canvas.text(start, area.y, end, Role::Quiet, &count);
    let end = start.saturating_sub(2);
    let Some(owner) = owner else { return };
    let name = format!("{} {}", owner.pid, owner.name);
    let x = canvas.text(area.x + 1, area.y, end, Role::Strong, name.trim_end());
    let state = state_in_words(owner).map(|state| (Role::Notice, state.to_owned()));
    let missing = (owner.unlisted > 0)
        .then(|| (Role::Notice, format!("{} more did not fit the agent's list", owner.unlisted)));
    let of_allocator = allocator.map(|allocator| (Role::Plain, allocator_in_words(allocator)));
    let several = app.buffers.allocators().len();
    let several = (several > 1).then(|| (Role::Quiet, format!("Tab: {several} allocators")));
    let version = owner.tt_metal.as_ref().map(|it| (Role::Quiet, format!("TT-Metal {it}")));
    let user = owner.user.clone().map(|user| (Role::Quiet, user));
    let parts = [state, missing, of_allocator, several, user, version];
    canvas.dotted(x, area.y, end, parts.into_iter().flatten());
}

/// Returns the number of buffers and their bytes on a chip, or the age of the list.
fn count_in_words(app: &App) -> String {
    if let Some(micros) = app.buffers.listed.silence(app.now, app.interval) {
        return format!("read {} s ago", micros / 1_000_000);
    }
    let list = app.buffers.list();
    if let Some(list) = list.filter(|_| app.buffers_lag()) {
        return format!("as of {}, reading …", amount::clock(list.time_us));
    }
    let all = list.map_or(0, |list| list.buffers.len());
    let shown = app.buffers.shown().len();
    let bytes = |buffer: &LiveBuffer| buffer.bytes;
    let bytes = app.buffers.shown().map(bytes).fold(0, u64::saturating_add);
    let of = if shown == all { String::new() } else { format!(" of {all}") };
    let noun = if all == 1 { "buffer" } else { "buffers" };
    format!("{shown}{of} {noun}, {}", amount::size(bytes))
}

/// Returns the processes whose buffers are missing in the recorded moment, and the reasons.
fn unknown_in_words(app: &App, list: &BufferList) -> Vec<String> {
    let is_selected = |owner: &&BufferOwner| match app.only {
        Only::Process(id) => owner.pid == id.pid,
        Only::All | Only::Chip(_) => true,
    };
    let text = |owner: &BufferOwner| {
        let why = owner.unknown.as_ref()?;
        let name = format!("{} {}", owner.pid, owner.name);
        Some(format!("{}: buffers unknown at this time: {why}", name.trim_end()))
    };
    list.processes.iter().filter(is_selected).filter_map(text).collect()
}

/// Draws them, and returns the rows used.
fn draw_unknown(canvas: &mut Canvas<'_>, area: Rect, unknown: &[String]) -> u16 {
    /// Leave the remaining rows to the table.
    const MOST_ROWS: u16 = 6;
    super::draw_notes(canvas, area, unknown, area.height.saturating_sub(1).min(MOST_ROWS))
}

/// Draws the reason for an empty list, and the remedy.
fn draw_none(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let sources = app.snapshot().map(|snapshot| snapshot.sources.as_slice()).unwrap_or_default();
    let (status, why) = why_none(sources);
    let role = match status {
        SourceStatus::Denied | SourceStatus::Failed => Role::Notice,
        _ => Role::Plain,
    };
    let more = "The agent is a library that is loaded into a TT-Metal process. It records every allocation and free with \
        address, size and op in a segment of shared memory. Without it only totals are known.";
    let columns = usize::from(area.width.saturating_sub(4)).min(100);
    let mut y = area.y + 1;
    let reason: String = match status {
        SourceStatus::Denied | SourceStatus::Failed => why,
        _ if app.replay.is_some() => "No process had an agent at this time.".to_owned(),
        _ => "No process has an agent.".to_owned(),
    };
    let (command, does) = match app.replay {
        None => ("ttmem run -- CMD", "runs a command with the agent"),
        Some(_) => ("ttmem record -- CMD", "runs a command with the agent and records it"),
    };
    for (role, text) in [(role, reason.as_str()), (Role::Quiet, more)] {
        for line in wrap(text, columns) {
            if y < area.bottom() {
                canvas.text(area.x + 2, y, area.right(), role, &line);
            }
            y += 1;
        }
        y += 1;
    }
    if y < area.bottom() {
        let x = canvas.text(area.x + 2, y, area.right(), Role::Accent, command);
        canvas.text(x + 2, y, area.right(), Role::Plain, does);
    }
}
