//! The frame around every view: host, tabs, findings and keys; for a recording, the timeline.

mod timeline;

use ratatui_core::layout::Rect;
use ttmem_model::Severity;
use ttmem_model::snapshot::{Snapshot, Source, SourceStatus};

use crate::output::text::width;
use crate::tui::app::{App, Only, Overlay, Target};
use crate::tui::choice::View;
use crate::tui::key::BINDINGS;
use crate::tui::look::Role;
use crate::tui::number::cells;
use crate::tui::track::Subject;
use crate::tui::widget::canvas::Canvas;
use crate::tui::widget::figure::interval;

/// Height below which the rule under the tabs gives its row to the view.
const RULE_HEIGHT: u16 = 18;

/// Draws the frame. Returns the area of the view.
pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) -> Rect {
    draw_title(app, canvas, area);
    draw_tabs(app, canvas, Rect { y: area.y + 1, ..area });
    draw_foot(app, canvas, Rect { y: area.bottom() - 1, height: 1, ..area });
    let top = if area.height >= RULE_HEIGHT { 3 } else { 2 };
    if top == 3 {
        canvas.rule(super::row(area, area.y + 2));
    }
    let mut foot = 1;
    if let Some(replay) = &app.replay {
        foot += 1;
        timeline::draw(app, canvas, super::row(area, area.bottom() - foot), replay);
    }
    Rect { y: area.y + top, height: area.height - top - foot, ..area }
}

fn draw_title(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let mut start = area.right();
    for (role, text) in badges(app) {
        let columns = cells(width(&text));
        start = start.saturating_sub(columns + 2);
        canvas.text(start, area.y, area.right(), role, &text);
    }
    let end = start.saturating_sub(1);
    let mut x = canvas.text(area.x + 1, area.y, end, Role::Strong, "ttmem");
    let Some(snapshot) = app.snapshot() else { return };
    let file = app.replay.as_ref().map(|replay| replay.name.clone());
    for text in file.into_iter().chain(identity(snapshot)) {
        if x + 3 + cells(width(&text)) > end {
            break;
        }
        x = canvas.text(x + 1, area.y, end, Role::Frame, canvas.glyphs().dot);
        x = canvas.text(x + 1, area.y, end, Role::Quiet, &text);
    }
}

/// Returns the host's names, the most important first.
fn identity(snapshot: &Snapshot) -> Vec<String> {
    let count = |number: usize, one: &str, many: &str| {
        format!("{number} {}", if number == 1 { one } else { many })
    };
    let host = snapshot.host.name.clone();
    let driver = snapshot.host.driver.as_ref().map(|driver| format!("driver {driver}"));
    let chips = count(snapshot.chips.len(), "chip", "chips");
    let processes = count(snapshot.processes.len(), "process", "processes");
    host.into_iter().chain([chips, processes]).chain(driver).collect()
}

/// Returns the notes at the right edge, from the right: age, findings, demo.
fn badges(app: &App) -> Vec<(Role, String)> {
    let mut badges = Vec::new();
    badges.push(match app.silence() {
        _ if app.replay.is_some() => (Role::Notice, "RECORDING".to_owned()),
        Some(micros) => (Role::Alarm, format!("no answer for {} s", micros / 1_000_000)),
        None if app.frozen => (Role::Notice, "frozen".to_owned()),
        None => (Role::Quiet, format!("every {}", interval(app.interval))),
    });
    let Some(snapshot) = app.snapshot() else { return badges };
    let worst = snapshot.findings.iter().map(|finding| finding.severity).max();
    if let Some(worst) = worst {
        let role = match worst {
            Severity::Info => Role::Quiet,
            Severity::Warning => Role::Notice,
            Severity::Error => Role::Alarm,
        };
        let sign = app.look.glyphs().warning;
        badges.push((role, format!("{sign} {}", snapshot.findings.len())));
    }
    let failed = |source: &&Source| source.status == SourceStatus::Failed;
    for source in snapshot.sources.iter().filter(failed) {
        badges.push((Role::Alarm, format!("{} failed", source.name.as_str())));
    }
    if snapshot.demo {
        badges.push((Role::Notice, "DEMO".to_owned()));
    }
    if app.past.history.refused() > 0 {
        badges.push((Role::Notice, "history full".to_owned()));
    }
    badges
}

fn draw_tabs(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let text = tags(app).join("  ");
    let (length, gap) = fitting_tabs(app, area, cells(width(&text)));
    let mut x = area.x + 1;
    for view in View::ALL {
        let is_open = view == app.view;
        let text = tab(view, is_open, length);
        let style = if is_open { canvas.open() } else { canvas.look.style(Role::Quiet) };
        let end = canvas.styled(x, area.y, area.right(), style, &text);
        canvas.hit(Rect { x, y: area.y, width: end - x, height: 1 }, Target::View(view));
        x = end + gap;
    }
    if !text.is_empty() {
        canvas.right(x, area.y, area.right() - 1, Role::Notice, &text);
    }
}

/// Returns the letters of a tab's label and the gap between tabs that leave these columns free.
fn fitting_tabs(app: &App, area: Rect, tags: u16) -> (usize, u16) {
    /// Letters of a short label.
    const SHORT: usize = 4;
    let columns = |(length, gap): (usize, u16)| {
        let tabs = View::ALL.map(|view| cells(tab(view, view == app.view, length).len()) + gap);
        tabs.into_iter().sum::<u16>() + tags + 1
    };
    let all = [(usize::MAX, 2), (usize::MAX, 1), (SHORT, 2), (SHORT, 1)];
    all.into_iter().find(|tabs| columns(*tabs) < area.width).unwrap_or((0, 2))
}

/// Returns a tab: the number, and as many letters of the label; all of an open one.
fn tab(view: View, is_open: bool, length: usize) -> String {
    let label = view.label();
    let short = label.get(..length).filter(|_| !is_open).unwrap_or(label);
    format!("{} {short}", view.number()).trim_end().to_owned()
}

/// Returns what is hidden by a filter or selection.
fn tags(app: &App) -> Vec<String> {
    let mut tags = Vec::new();
    match app.only {
        Only::All => {}
        Only::Chip(id) => tags.push(format!("only {}", app.name_of(Subject::Chip(id)))),
        Only::Process(id) => tags.push(format!("only {}", app.name_of(Subject::Process(id)))),
    }
    if !app.filter_text.is_empty() {
        tags.push(format!("/{}", app.filter_text));
    }
    tags
}

fn draw_foot(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    if let Some(Overlay::Filter { text }) = &app.overlay {
        let x = canvas.text(area.x + 1, area.y, area.right(), Role::Accent, "/");
        let x = canvas.text(x, area.y, area.right(), Role::Strong, text);
        canvas.cursor(Rect { x, width: 1, ..area });
        let help = "words, or user: name: chip: board: state:   Enter keep   Esc leave";
        let (role, text) = match &app.message {
            Some(message) => (message.role, message.text.as_str()),
            None => (Role::Quiet, help),
        };
        canvas.right(x + 3, area.y, area.right() - 1, role, text);
        return;
    }
    if let Some(Overlay::GoTo { text }) = &app.overlay
        && app.message.is_none()
    {
        let x = canvas.text(area.x + 1, area.y, area.right(), Role::Accent, "@");
        let x = canvas.text(x, area.y, area.right(), Role::Strong, text);
        canvas.cursor(Rect { x, width: 1, ..area });
        let help = "09:30:15, +90s from the start, -90s from the end, a date and time; UTC";
        canvas.right(x + 3, area.y, area.right() - 1, Role::Quiet, help);
        return;
    }
    if let Some(message) = &app.message {
        canvas.text(area.x + 1, area.y, area.right(), message.role, &message.text);
        return;
    }
    let here = |binding: &&crate::tui::key::Binding| {
        !binding.hint.is_empty() && binding.works_in(app.view, app.mode())
    };
    let mut x = area.x + 1;
    for binding in BINDINGS.iter().filter(here) {
        let key = key_text(app, binding.shown);
        let columns = cells(width(&key) + 1 + binding.hint.len());
        if x + columns >= area.right() {
            break;
        }
        x = canvas.text(x, area.y, area.right(), Role::Accent, &key);
        x = canvas.text(x + 1, area.y, area.right(), Role::Quiet, binding.hint) + 2;
    }
}

/// Returns the first key of a binding.
fn key_text(app: &App, shown: &str) -> String {
    let keys = shown.split("  ").next().unwrap_or(shown);
    super::overlay::in_charset(app, keys)
}
