//! The timeline of a recording: position, speed and events.

use ratatui_core::layout::Rect;
use ttmem_model::Timestamp;
use ttmem_recording::EventKind;

use crate::output::amount::date_time;
use crate::output::text::width;
use crate::tui::app::{App, Replay, Target};
use crate::tui::history::Moment;
use crate::tui::look::Role;
use crate::tui::number::cells;
use crate::tui::widget::canvas::Canvas;

/// The minimum width of a useful timeline.
const LEAST_LINE: u16 = 10;

/// Draws it in one row.
pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, row: Rect, replay: &Replay) {
    let (first, last) = replay.span;
    let at = app.until().clamp(first, last);
    let state = match (replay.playing, replay.filling) {
        (true, _) => format!("playing {}x", replay.speed()),
        (false, true) => "reading".to_owned(),
        (false, false) if at >= last => "at the end".to_owned(),
        (false, false) => "paused".to_owned(),
    };
    let role = if replay.playing { Role::Accent } else { Role::Notice };
    let x = canvas.text(row.x + 1, row.y, row.right(), role, &format!("{state:<13}"));
    let now = if row.width >= 60 { date_time(Timestamp(at.0)) } else { time_of_day(at) };
    let x = canvas.text(x + 1, row.y, row.right(), Role::Strong, &now);
    let end = time_of_day(last);
    let right = row.right() - 1 - cells(width(&end));
    canvas.text(right, row.y, row.right(), Role::Quiet, &end);
    let line = Rect { x: x + 2, width: right.saturating_sub(x + 3), ..row };
    if line.width >= LEAST_LINE {
        draw_line(canvas, line, replay, at);
    }
}

/// Draws the line: played part, remaining part, and signs for events.
fn draw_line(canvas: &mut Canvas<'_>, line: Rect, replay: &Replay, at: Moment) {
    let (first, last) = replay.span;
    let columns = line.width;
    let length = u128::from(last.since(first).max(1));
    let column = |moment: Moment| {
        let offset = u128::from(moment.since(first)) * u128::from(columns - 1) / length;
        line.x + u16::try_from(offset).unwrap_or(u16::MAX).min(columns - 1)
    };
    let [horizontal, vertical, _] = canvas.glyphs().lines;
    let here = column(at);
    for x in line.left()..line.right() {
        let role = if x < here { Role::Accent } else { Role::Frame };
        canvas.sign(x, line.y, canvas.look.style(role), horizontal);
        let time = u128::from(x - line.x) * length / u128::from((columns - 1).max(1));
        let moment = Moment(first.0 + u64::try_from(time).unwrap_or(u64::MAX));
        canvas.hit(Rect { x, width: 1, ..line }, Target::Time(moment));
    }
    // Errors are drawn last, so that nothing hides them.
    let signs = replay.events.iter().filter_map(|event| Some((role_of(event.kind)?, event)));
    for role in [Role::Quiet, Role::Notice, Role::Alarm] {
        for (_, event) in signs.clone().filter(|(its, _)| *its == role) {
            let style = canvas.look.style(role);
            canvas.sign(column(Moment(event.time.0)), line.y, style, vertical);
        }
    }
    let full = canvas.glyphs().fills[0];
    canvas.sign(here, line.y, canvas.look.style(Role::Strong), full);
}

/// Returns the sign of an event; `None` for events that are not shown.
fn role_of(kind: EventKind) -> Option<Role> {
    match kind {
        EventKind::Began | EventKind::Ended => None,
        EventKind::Failure | EventKind::ProcessDied | EventKind::ChipVanished => Some(Role::Alarm),
        EventKind::FindingAppeared | EventKind::Dropped | EventKind::Suspended => {
            Some(Role::Notice)
        }
        _ => Some(Role::Quiet),
    }
}

/// Formats a moment without its date.
fn time_of_day(moment: Moment) -> String {
    let text = date_time(Timestamp(moment.0));
    text.split(' ').nth(1).unwrap_or_default().to_owned()
}
