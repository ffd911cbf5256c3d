//! The overlays: help, pickers, confirmation.

use ratatui_core::layout::Rect;

use crate::output::text::width;
use crate::tui::app::{App, Overlay, Signal, Target};
use crate::tui::choice::View;
use crate::tui::export::Format;
use crate::tui::key;
use crate::tui::look::{Charset, Role};
use crate::tui::number::cells;
use crate::tui::widget::canvas::{Canvas, scroll};

/// Draws the overlay, if one is open. The filter line is drawn in the frame.
pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    match &app.overlay {
        None | Some(Overlay::Filter { .. } | Overlay::GoTo { .. }) => {}
        Some(Overlay::Help { search, top }) => draw_help(app, canvas, area, search, *top),
        Some(Overlay::Metrics { cursor }) => draw_metrics(app, canvas, area, *cursor),
        Some(Overlay::Export { cursor }) => {
            let lines: Vec<String> = Format::of(app.view)
                .iter()
                .map(|format| format!("{}   {}", format.letter(), format.help()))
                .collect();
            draw_list(canvas, area, "Save the view as", &lines, *cursor);
        }
        Some(Overlay::Signal { process, name, cursor }) => {
            let title = format!("Send a signal to {name}, process {}?", process.pid);
            let signals =
                Signal::ALL.map(|signal| format!("{:8} {}", signal.name(), signal.help()));
            let lines: Vec<String> =
                std::iter::once("none; cancel".to_owned()).chain(signals).collect();
            draw_list(canvas, area, &title, &lines, *cursor);
        }
    }
}

fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    let x = area.x + (area.width - width) / 2;
    Rect { x, y: area.y + (area.height - height) / 2, width, height }
}

/// Draws a box with a list.
fn draw_list(canvas: &mut Canvas<'_>, area: Rect, title: &str, lines: &[String], cursor: usize) {
    canvas.cover();
    let widest = lines.iter().map(|line| width(line)).chain([width(title) + 2]).max().unwrap_or(0);
    let box_area = centred(area, cells(widest) + 6, cells(lines.len()) + 2);
    let inside = canvas.boxed(box_area, title);
    let first = scroll(lines.len(), usize::from(inside.height), cursor);
    for ((index, line), y) in lines.iter().enumerate().skip(first).zip(inside.y..inside.bottom()) {
        canvas.text(inside.x, y, inside.right(), Role::Plain, line);
        let row = Rect { y, height: 1, ..inside };
        canvas.hit(row, Target::Item(index));
        if index == cursor {
            canvas.cursor(row);
        }
    }
}

fn draw_metrics(app: &App, canvas: &mut Canvas<'_>, area: Rect, cursor: usize) {
    let lines: Vec<String> = app
        .charts
        .choice()
        .into_iter()
        .map(|panel| {
            let sign = if app.charts.panels.contains(&panel) { "x" } else { " " };
            format!("[{sign}] {}", panel.label())
        })
        .collect();
    draw_list(canvas, area, "Metrics (Enter picks)", &lines, cursor);
}

/// Formats keys in the current character set.
pub(super) fn in_charset(app: &App, keys: &str) -> String {
    match app.look.charset {
        Charset::Unicode => keys.to_owned(),
        Charset::Ascii => {
            keys.replace("← ↑ ↓ →", "arrows").replace("← →", "<- ->").replace("↑ ↓", "up down")
        }
    }
}

/// Returns the views in which a key works that does not work here.
fn where_else(views: &[View]) -> String {
    let labels = |views: &[View]| {
        let labels: Vec<&str> = views.iter().map(|view| view.label()).collect();
        labels.join(", ")
    };
    let others: Vec<View> = View::ALL.into_iter().filter(|view| !views.contains(view)).collect();
    match others.len() < views.len() {
        true => format!("  not in {}", labels(&others)),
        false => format!("  in {}", labels(views)),
    }
}

fn draw_help(app: &App, canvas: &mut Canvas<'_>, area: Rect, search: &str, top: usize) {
    const KEYS: u16 = 16;
    canvas.cover();
    let lines: Vec<&key::Binding> = key::help(app.view, app.mode(), search).collect();
    let all = cells(key::help(app.view, app.mode(), "").count());
    let box_area = centred(area, 92, all + 4);
    let inside = canvas.boxed(box_area, "Keys");
    let x = canvas.text(inside.x, inside.y, inside.right(), Role::Quiet, "search: ");
    let x = canvas.text(x, inside.y, inside.right(), Role::Strong, search);
    canvas.cursor(Rect { x, y: inside.y, width: 1, height: 1 });
    canvas.right(x + 2, inside.y, inside.right(), Role::Quiet, "Esc leaves");
    let height = usize::from(inside.height.saturating_sub(2));
    let top = top.min(lines.len().saturating_sub(height));
    let more = lines.len().saturating_sub(top + height);
    if more > 0 || top > 0 {
        let keys = in_charset(app, "↑ ↓");
        let text = match more {
            0 => format!(" {keys}: the end "),
            more => format!(" {keys}: {more} more "),
        };
        canvas.right(
            box_area.x + 2,
            box_area.bottom() - 1,
            box_area.right() - 2,
            Role::Quiet,
            &text,
        );
    }
    for (binding, y) in lines.iter().skip(top).take(height).zip(inside.y + 2..) {
        let shown = in_charset(app, binding.shown);
        canvas.text(inside.x, y, inside.x + KEYS - 1, Role::Accent, &shown);
        let role = match (binding.works_in(app.view, app.mode()), binding.views.is_empty()) {
            (true, false) => Role::Strong,
            (true, true) => Role::Plain,
            (false, _) => Role::Quiet,
        };
        let views = match binding.works_in(app.view, app.mode()) {
            true => String::new(),
            false => where_else(binding.views),
        };
        // The description of a key is cut before the list of its views.
        let end = inside.right().saturating_sub(cells(width(&views)));
        canvas.text(inside.x + KEYS, y, end, role, binding.help);
        canvas.right(end, y, inside.right(), Role::Frame, &views);
    }
    if lines.is_empty() {
        let text = "no matching key";
        canvas.text(inside.x, inside.y + 2, inside.right(), Role::Quiet, text);
    }
}
