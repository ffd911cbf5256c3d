//! Drawing: pure functions from the state to a frame. Every view is readable at 80×24, shows more at 160×50, and has a
//! message for smaller screens.

mod buffers;
mod charts;
mod findings;
mod frame;
mod l1;
mod memory;
mod ops;
mod overlay;
mod overview;
mod processes;
mod table;
mod telemetry;

pub(super) use overview::owners;
use ratatui_core::layout::Rect;
use ratatui_core::terminal::Frame;

use super::app::App;
use super::look::Role;
use super::widget::canvas::{Canvas, Hit};
use crate::output::text::wrap;
use crate::tui::choice::View;

/// The smallest screen that is drawn on.
pub(crate) const LEAST: (u16, u16) = (40, 12);

/// Draws the state. Returns the mouse targets.
pub(crate) fn draw(app: &App, frame: &mut Frame<'_>) -> Vec<Hit> {
    let area = frame.area();
    let mut canvas = Canvas::new(frame.buffer_mut(), app.look);
    if area.width < LEAST.0 || area.height < LEAST.1 {
        draw_too_small(app, &mut canvas, area);
        return canvas.into_hits();
    }
    let body = frame::draw(app, &mut canvas, area);
    match app.view {
        _ if app.snapshot().is_none() => draw_waiting(app, &mut canvas, body),
        View::Overview => overview::draw(app, &mut canvas, body),
        View::Charts => charts::draw(app, &mut canvas, body),
        View::L1 => l1::draw(app, &mut canvas, body),
        View::Processes => processes::draw(app, &mut canvas, body),
        View::Buffers => buffers::draw(app, &mut canvas, body),
        View::Telemetry => telemetry::draw(app, &mut canvas, body),
        View::Findings => findings::draw(app, &mut canvas, body),
        View::Ops => ops::draw(app, &mut canvas, body),
    }
    overlay::draw(app, &mut canvas, area);
    canvas.into_hits()
}

/// Layout limits that hold at any size.
fn draw_too_small(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let count = app.snapshot().map_or(0, |snapshot| snapshot.findings.len());
    let lines = [
        format!("ttmem: {}x{} is too small", area.width, area.height),
        format!("needs {}x{}", LEAST.0, LEAST.1),
        format!("findings: {count}"),
        "q quits".to_owned(),
    ];
    let lines = lines.iter().flat_map(|line| wrap(line, usize::from(area.width)));
    for (y, line) in (area.y..area.bottom()).zip(lines) {
        canvas.text(area.x, y, area.right(), Role::Plain, &line);
    }
}

fn draw_waiting(app: &App, canvas: &mut Canvas<'_>, body: Rect) {
    let text = match app.silence() {
        None => "reading the host …".to_owned(),
        Some(micros) => format!("no answer for {} s", micros / 1_000_000),
    };
    canvas.text(body.x + 1, body.y + 1, body.right(), Role::Quiet, &text);
}

/// Returns the suffix of "no chip" or "no process" when some are hidden.
fn hidden(app: &App) -> &'static str {
    if app.hides() { " match the selection or filter; Esc clears it" } else { "" }
}

/// Draws notes in at most `most_rows` rows, and returns the rows used.
fn draw_notes(canvas: &mut Canvas<'_>, area: Rect, notes: &[String], most_rows: u16) -> u16 {
    let area = Rect { height: most_rows, ..area };
    draw_wrapped(canvas, area, Role::Notice, notes)
}

/// Draws texts below each other and returns the rows used. If a row is missing, the last one ends with an ellipsis.
fn draw_wrapped(canvas: &mut Canvas<'_>, area: Rect, role: Role, texts: &[String]) -> u16 {
    let columns = usize::from(area.width.saturating_sub(4));
    let mut lines = texts.iter().flat_map(|text| wrap(text, columns)).peekable();
    let mut rows = 0;
    while rows < area.height
        && let Some(line) = lines.next()
    {
        let y = area.y + rows;
        let end = canvas.text(area.x + 2, y, area.right(), role, &line);
        rows += 1;
        if rows == area.height && lines.peek().is_some() {
            canvas.text(end, y, area.right(), role, canvas.glyphs().ellipsis);
        }
    }
    rows
}

/// Returns a row of an area.
fn row(area: Rect, y: u16) -> Rect {
    Rect { y, height: 1, ..area }
}
