//! One core: its program, its kernels by name, its circular buffers.

use ratatui_core::layout::Rect;
use ttmem_model::facts::L1Facts;
use ttmem_model::l1::{Core, Count, Dispatch, Program};

use super::Seat;
use crate::output::amount;
use crate::tui::look::Role;
use crate::tui::widget::canvas::Canvas;

/// Draws what is known of a core.
pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect, facts: &L1Facts, core: &Core) {
    let lines = lines(facts, core);
    let height = usize::from(area.height);
    // What does not fit gives its last row to how much that is.
    let shown = if lines.len() > height { height.saturating_sub(1) } else { lines.len() };
    for ((role, line), y) in lines.iter().take(shown).zip(area.y..area.bottom()) {
        canvas.text(area.x, y, area.right() - 1, *role, line);
    }
    if shown < lines.len() && height > 0 {
        let text = format!("{:8} {} more", "", lines.len() - shown);
        canvas.text(area.x, area.bottom() - 1, area.right() - 1, Role::Quiet, &text);
    }
}

/// Everything that is known of a core.
pub(super) fn lines(facts: &L1Facts, core: &Core) -> Vec<(Role, String)> {
    let mut lines = vec![(Role::Strong, heading(facts, core))];
    if let Some(detail) = &core.detail {
        lines.push((Role::Alarm, detail.clone()));
    }
    if let Some(program) = &core.program {
        lines.extend(kernels(facts, program));
        lines.extend(buffers(core, program));
    }
    lines
}

fn heading(facts: &L1Facts, core: &Core) -> String {
    let place = core.logical.map_or_else(
        || format!("core at NOC {},{}", core.noc.x, core.noc.y),
        |logical| format!("core {},{} at NOC {},{}", logical.x, logical.y, core.noc.x, core.noc.y),
    );
    let state = Seat::of(facts, core).label();
    match &core.program {
        Some(program) => {
            let dispatch = match core.dispatch {
                Dispatch::Fast => "",
                Dispatch::Slow => ", started by the host",
            };
            format!("{place}: {state}, program {}{dispatch}", program.id)
        }
        None => format!("{place}: {state}"),
    }
}

fn kernels(facts: &L1Facts, program: &Program) -> Vec<(Role, String)> {
    let heading = (Role::Quiet, format!("{:8} {:>4} {:>9}  KERNEL", "", "ID", "TEXT"));
    let line = |kernel: &ttmem_model::l1::Kernel| {
        let text = kernel.text_bytes.map_or_else(|| "?".to_owned(), amount::size);
        let name = match &facts.names {
            Ok(names) => names.get(kernel.id).map_or("", |name| name.name.as_str()),
            Err(_) => "",
        };
        let processor = kernel.processor.as_str();
        (Role::Plain, format!("{processor:8} {:>4} {text:>9}  {name}", kernel.id))
    };
    let mut lines = vec![(Role::Plain, String::new()), heading];
    lines.extend(program.kernels.iter().map(line));
    if let Err(missing) = &facts.names {
        let text = format!("no names, {}: {}", missing.reason.as_str(), missing.detail);
        lines.push((Role::Quiet, text));
    }
    lines
}

fn buffers(core: &Core, program: &Program) -> Vec<(Role, String)> {
    if program.circular_buffers.is_empty() {
        return vec![(Role::Quiet, String::new()), (Role::Quiet, "no circular buffer".to_owned())];
    }
    let heading =
        format!("{:>8} {:>10} {:>9} {:>6} {:>9}", "CB", "ADDRESS", "BYTES", "PAGES", "PAGE");
    let line = |buffer: &ttmem_model::l1::CircularBuffer| {
        let remote = if buffer.config_address.is_some() { "  remote" } else { "" };
        let (size, page) = (amount::size(buffer.size), amount::size(buffer.page_size));
        let address = format!("0x{:06x}", buffer.address);
        let text = format!(
            "{:>8} {address:>10} {size:>9} {:>6} {page:>9}{remote}",
            buffer.id, buffer.pages
        );
        (Role::Plain, text)
    };
    let mut lines = vec![(Role::Quiet, String::new()), (Role::Quiet, heading)];
    lines.extend(program.circular_buffers.iter().map(line));
    let together = match core.circular_buffer_bytes() {
        Count::Known(bytes) => format!("together {}, each byte once", amount::size(bytes)),
        Count::Missing(missing) => format!("{}: {}", missing.reason.as_str(), missing.detail),
    };
    lines.push((Role::Quiet, format!("{:>8} {together}", "")));
    lines
}
