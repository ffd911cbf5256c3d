//! View 3: the worker cores of a chip, and the L1 of one of them.

mod core;
mod grid;
mod space;

use ratatui_core::layout::Rect;
use ttmem_model::l1::report::{ChipReport, CoreReport};
use ttmem_model::snapshot::Chip;
use ttmem_model::{SourceName, Timestamp};

use crate::output::amount;
use crate::output::l1::state::CellState;
use crate::output::text::{width, wrap};
use crate::tui::app::{App, CoreRequest, Heat};
use crate::tui::look::Role;
use crate::tui::number::cells;
use crate::tui::widget::canvas::Canvas;

/// Returns the state of a core to show.
fn state(core: &CoreReport) -> CellState {
    CellState::new(core.state, core.is_system() == Some(true))
}

/// Returns the sign of a state and its style.
fn sign(state: CellState, canvas: &Canvas<'_>) -> (&'static str, Role) {
    let role = match state {
        CellState::Running => Role::L1,
        CellState::Finished | CellState::Resident => Role::Plain,
        CellState::Idle => Role::Quiet,
        CellState::System => Role::Trace,
        CellState::Torn => Role::Alarm,
    };
    (state.sign(canvas.look.charset), role)
}

/// Draws the view.
pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let chips = app.chips();
    let Some(chip) = chips.get(app.chip_index()) else {
        let text = format!("No chips{}.", super::hidden(app));
        canvas.text(area.x + 2, area.y + 1, area.right(), Role::Quiet, &text);
        return;
    };
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    match app.chip_cores() {
        Some(Ok(cores)) => {
            draw_head(app, canvas, area, chip, cores);
            draw_chip(app, canvas, body, cores);
        }
        Some(Err(missing)) => {
            let text = format!("{}: {}", missing.reason.as_str(), missing.detail);
            draw_name(app, canvas, area, chip);
            draw_text(canvas, body, &["L1 could not be read.", "", &text]);
        }
        None => {
            draw_name(app, canvas, area, chip);
            draw_prompt(app, canvas, body, chip);
        }
    }
}

fn draw_name(app: &App, canvas: &mut Canvas<'_>, area: Rect, chip: &Chip) -> u16 {
    let board = chip.board.as_deref().unwrap_or_default();
    let name = format!("chip {} {board}", chip.index);
    let x = canvas.text(area.x + 1, area.y, area.right(), Role::Strong, &name);
    let count = app.chips().len();
    if count < 2 {
        return x;
    }
    let text = format!("{} of {count}", app.chip_index() + 1);
    canvas.text(x + 2, area.y, area.right(), Role::Quiet, &text)
}

/// Returns the chip, the moment or method of the read, and the meaning of the bars.
fn draw_head(app: &App, canvas: &mut Canvas<'_>, area: Rect, chip: &Chip, cores: &ChipReport) {
    let mut x = draw_name(app, canvas, area, chip);
    if let Some(text) = recorded_in_words(app) {
        x = canvas.text(x + 3, area.y, area.right() - 1, Role::Notice, &text);
    }
    let heat = match app.cores.heat {
        Heat::Bytes => "circular buffers",
        Heat::Headroom => "headroom",
    };
    let cost = cores.cost.map(|it| format!("{} reads, {}", it.reads, amount::size(it.bytes)));
    let source = match cores.source {
        SourceName::Agent => "source agent".to_owned(),
        _ => format!("layout {}", cores.layout),
    };
    // What does not fit whole is left out.
    for text in [Some(source), Some(format!("bars: {heat}")), cost].into_iter().flatten() {
        if x + 3 + cells(width(&text)) < area.right() {
            x = canvas.text(x + 3, area.y, area.right() - 1, Role::Quiet, &text);
        }
    }
}

/// Returns the moment of recorded cores, and its distance from the shown moment.
fn recorded_in_words(app: &App) -> Option<String> {
    let (_, look) = app.cores.read.as_ref()?;
    let taken = look.recorded?;
    let shown = app.snapshot().map_or(Timestamp(0), |snapshot| snapshot.time_us);
    let distance = match (taken.micros_since(shown), shown.micros_since(taken)) {
        (0, 0) => "at the shown time".to_owned(),
        (0, before) => format!("{} before the shown time", amount::duration(before)),
        (after, _) => format!("{} after the shown time", amount::duration(after)),
    };
    // The date is at the bottom of the screen.
    Some(format!("as of {}, {distance}", amount::clock(taken)))
}

/// Draws the grid, the selected core beside it, and that core's address space below.
fn draw_chip(app: &App, canvas: &mut Canvas<'_>, area: Rect, cores: &ChipReport) {
    let Some(size) = cores.grid else {
        return draw_text(canvas, area, &["No core gives its grid position."]);
    };
    let space = if area.height >= 14 { space::ROWS } else { 0 };
    let room = area.height.saturating_sub(space);
    // The details of the core, or the grid with its legend.
    let beside = app.core().map_or(0, |core| core::lines(cores, core).len() + 1);
    let height = cells(beside.max(usize::from(size.rows) + 6)).min(room);
    let width = grid::width(size, area.width / 2 + 4);
    let grid_area = Rect { width, height: height.min(u16::from(size.rows) + 1), ..area };
    grid::draw(app, canvas, grid_area, (cores, size));
    let legend = Rect { y: grid_area.bottom(), height: height - grid_area.height, ..grid_area };
    grid::draw_legend(canvas, legend, cores);
    let beside = Rect { x: area.x + width + 2, width: area.width - width - 2, height, ..area };
    match app.core() {
        Some(core) => {
            core::draw(canvas, beside, (cores, core), &app.scroll);
            if space > 0 {
                let below = Rect { y: area.y + height, height: space, ..area };
                space::draw(canvas, below, core);
                let y = below.bottom();
                let rest = Rect { y, height: area.bottom().saturating_sub(y), ..area };
                space::draw_regions(canvas, rest, core);
            }
        }
        None => {
            let (x, y) = app.cores.cursor;
            let text = format!("No core at {x},{y}: harvested, or not a worker core.");
            draw_text(canvas, beside, &[&text]);
        }
    }
}

/// Draws the effect of reading the chip's L1, and the key that confirms it.
fn draw_prompt(app: &App, canvas: &mut Canvas<'_>, area: Rect, chip: &Chip) {
    if app.cores.read.is_none() && app.cores.requested.is_some() {
        return draw_text(canvas, area, &["reading …"]);
    }
    if app.replay.is_some() {
        return draw_not_recorded(app, canvas, area);
    }
    if app.cores.requested == Some(CoreRequest::WithDevices) {
        return draw_text(canvas, area, &["The L1 of this chip cannot be read."]);
    }
    if chip.remote {
        let why = "A remote chip has no PCIe function, and ttmem does not read chips through their gateway.";
        return draw_text(canvas, area, &[why]);
    }
    if chip.bdf.is_none() {
        let why = "The driver lists no device for this chip: it is known only from a memory region of TT-Metal, as chips of a \
            simulator, a mock or another container are. --simulator SOCKET reads the L1 of a simulated chip.";
        return draw_text(canvas, area, &[why]);
    }
    let device = format!("/dev/tenstorrent/{}", chip.index);
    let first = format!("The L1 of chip {} was not read. Reading it opens {device}.", chip.index);
    let lines = [
        first.as_str(),
        "",
        "ttmem opens a device only while TT-Metal has it open, maps one small window, reads words of \
         worker cores through it once a second, and frees it. It never writes to a device. docs/safety.md lists every rule.",
        "",
        "Enter   start reading the L1 of this host's devices, for every view",
        "x       stop reading",
        "",
        "Where every owner of a chip runs with the agent, as ttmem run starts it, its L1 is shown from the agent's record, and no \
         device is opened.",
    ];
    draw_text(canvas, area, &lines);
}

/// Returns the reason that a recording has nothing for this chip, and the remedy.
fn draw_not_recorded(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let missing = app.cores.read.as_ref().and_then(|(_, look)| look.missing.as_deref());
    let why = missing.unwrap_or("This recording has no cores of this chip.");
    let how = "ttmem record --l1 also reads the L1 of worker cores, and keeps the cores at the time of peak \
        use.";
    draw_text(canvas, area, &[why, "", how]);
}

fn draw_text(canvas: &mut Canvas<'_>, area: Rect, lines: &[&str]) {
    let columns = usize::from(area.width.saturating_sub(4)).min(100);
    let mut y = area.y + 1;
    for line in lines {
        let parts = if line.is_empty() { vec![String::new()] } else { wrap(line, columns) };
        for part in parts {
            if y < area.bottom() {
                canvas.text(area.x + 2, y, area.right(), Role::Plain, &part);
            }
            y += 1;
        }
    }
}
