//! The details of one process: each value with its source and quality, each missing value with its reason.

use ratatui_core::layout::Rect;
use ttmem_model::Reading;
use ttmem_model::facts::Field;
use ttmem_model::snapshot::{Process, ProcessMemory, ProcessState, Snapshot};

use crate::output::{amount, naming};
use crate::tui::app::App;
use crate::tui::details::Details;
use crate::tui::look::Role;
use crate::tui::track::ProcessId;
use crate::tui::widget::canvas::Canvas;
use crate::tui::widget::pane::{self, Line};

/// The width of a label.
const LABEL: u16 = 14;

/// Draws the details of a process.
pub(super) fn draw(
    app: &App,
    canvas: &mut Canvas<'_>,
    area: Rect,
    id: ProcessId,
    known: Option<&Details>,
) {
    let Some(snapshot) = app.snapshot() else { return };
    let title = format!("Process {}", id.pid);
    let found = snapshot.processes.iter().find(|process| ProcessId::of(process) == id);
    let Some(process) = found else {
        let is_stale =
            |process: &&Process| process.pid == id.pid && process.state == ProcessState::Stale;
        let text = match snapshot.processes.iter().find(is_stale) {
            Some(_) => "It has ended. Its stale memory has a row of its own.",
            None => "It has ended.",
        };
        let inside = canvas.boxed(area, &title);
        canvas.text(inside.x, inside.y, inside.right(), Role::Quiet, text);
        return;
    };
    let mut lines = identity(app, snapshot, process);
    lines.extend(memory(app, snapshot, process));
    lines.extend(looked_up(known));
    pane::draw(canvas, area, &title, (lines, LABEL), (&app.scroll, "PgUp PgDn"));
}

fn identity(app: &App, snapshot: &Snapshot, process: &Process) -> Vec<Line> {
    let dash = app.look.glyphs().dash;
    let state = naming::process_state(process).unwrap_or("running");
    let plain = |label: &str, text: String| (label.to_owned(), Role::Plain, text);
    let name = format!("{}, {state}", naming::process(process));
    let mut lines = vec![(String::new(), Role::Strong, name)];
    if !process.command.is_empty() {
        lines.push(plain("command", process.command.clone()));
    }
    lines.push(plain("user", process.user.clone().unwrap_or_else(|| dash.to_owned())));
    if let Some(container) = &process.container {
        lines.push(plain("container", container.clone()));
    }
    if let Some(started) = app.started(process) {
        let since = amount::duration(snapshot.time_us.micros_since(started));
        lines.push(plain("started", format!("{}, {since} ago", amount::date_time(started))));
    }
    let cpu = app.shown.as_ref().and_then(|shown| shown.cpu.get(&ProcessId::of(process)));
    if let Some(cpu) = cpu {
        lines.push(plain("CPU", format!("{cpu:.0}%")));
    }
    lines.push(reading("host memory", &process.host_memory_bytes));
    lines
}

/// Returns its memory on each of its chips, one line per kind.
fn memory(app: &App, snapshot: &Snapshot, process: &Process) -> Vec<Line> {
    /// Number of chips above which only the sum is readable.
    const MOST_CHIPS: usize = 4;
    let mut lines = Vec::new();
    for on_chip in process.chips.iter().take(MOST_CHIPS) {
        let chip = snapshot.chips.iter().find(|chip| chip.id == on_chip.chip);
        let name = chip.map_or_else(
            || on_chip.chip.to_string(),
            |chip| format!("chip {} {}", chip.index, chip.board.as_deref().unwrap_or_default()),
        );
        lines.push((String::new(), Role::Plain, String::new()));
        lines.push((String::new(), Role::Strong, name));
        lines.extend(kinds(&on_chip.memory));
    }
    if process.chips.len() > MOST_CHIPS {
        let more = process.chips.len() - MOST_CHIPS;
        let text = format!("and {more} more chips: key t shows them in the table");
        lines.push((app.look.glyphs().ellipsis.to_owned(), Role::Quiet, text));
    }
    lines
}

/// Missing values with the same reason are listed together.
fn kinds(memory: &ProcessMemory) -> Vec<Line> {
    let all = [
        ("DRAM", &memory.dram),
        ("L1", &memory.l1),
        ("L1_SMALL", &memory.l1_small),
        ("trace", &memory.trace),
        ("CBs reported", &memory.circular_buffers_reported),
    ];
    let first = all[0].1.missing();
    if first.is_some() && all.iter().all(|(_, reading)| reading.missing() == first) {
        return vec![reading("memory", all[0].1)];
    }
    all.into_iter().map(|(label, number)| reading(label, number)).collect()
}

fn reading(label: &str, reading: &Reading<u64>) -> Line {
    let (role, text) = match reading {
        Reading::Known { value, source, quality, .. } => {
            let text =
                format!("{:>9}  {} {}", amount::size(*value), source.as_str(), quality.as_str());
            (Role::Plain, text)
        }
        Reading::Missing(missing) => {
            (Role::Quiet, format!("{}: {}", missing.reason.as_str(), missing.detail))
        }
    };
    (label.to_owned(), role, text)
}

/// Returns the details read from its files.
fn looked_up(known: Option<&Details>) -> Vec<Line> {
    let Some(details) = known else {
        return vec![("".to_owned(), Role::Quiet, "reading details".to_owned())];
    };
    let mut lines = vec![(String::new(), Role::Plain, String::new())];
    lines.push(field("threads", &details.threads, u64::to_string));
    match &details.environment {
        Ok(switches) if switches.is_empty() => {
            lines.push(("switches".to_owned(), Role::Quiet, "none of TT_*, TTNN_*".to_owned()));
        }
        Ok(switches) => {
            for (index, (name, value)) in switches.iter().enumerate() {
                let label = if index == 0 { "switches" } else { "" };
                lines.push((label.to_owned(), Role::Plain, format!("{name}={value}")));
            }
        }
        Err(_) => lines.push(field("switches", &details.environment, |_| String::new())),
    }
    lines.push(field("open files", &details.files, |files| {
        format!("{}, of devices {}", files.open, files.of_devices.len())
    }));
    if let Ok(files) = &details.files {
        let names = files.of_devices.iter();
        lines.extend(names.map(|name| (String::new(), Role::Quiet, name.clone())));
    }
    lines
}

fn field<T>(label: &str, field: &Field<T>, text: impl Fn(&T) -> String) -> Line {
    match field {
        Ok(value) => (label.to_owned(), Role::Plain, text(value)),
        Err(missing) => {
            let text = format!("{}: {}", missing.reason.as_str(), missing.detail);
            (label.to_owned(), Role::Quiet, text)
        }
    }
}
