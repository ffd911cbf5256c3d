//! One core: its program, its kernels by name, its circular buffers.

use std::cell::Cell;

use ratatui_core::layout::Rect;
use ttmem_model::l1::report::{ChipReport, CircularBufferReport, CoreReport, KernelReport};
use ttmem_model::l1::{Count, Dispatch};

use crate::output::amount;
use crate::output::text::width;
use crate::tui::look::Role;
use crate::tui::widget::canvas::Canvas;

/// Draws the details of a core, from line `offset` below its name on, which is limited as in a pane. Where they do not fit, the last row gives the number
/// of lines below and the total of the circular buffers.
pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    (cores, core): (&ChipReport, &CoreReport),
    offset: &Cell<usize>,
) {
    let lines = lines(cores, core);
    let height = usize::from(area.height);
    let end = area.right() - 1;
    if lines.len() <= height || height < 3 {
        for ((role, line), y) in lines.iter().zip(area.y..area.bottom()) {
            canvas.text(area.x, y, end, *role, line);
        }
        return;
    }
    let [name, listed @ .., (_, total)] = lines.as_slice() else { return };
    let shown = height - 2;
    let first = offset.get().min(listed.len().saturating_sub(shown));
    offset.set(first);
    let visible = std::iter::once(name).chain(listed.iter().skip(first).take(shown));
    for ((role, line), y) in visible.zip(area.y..) {
        canvas.text(area.x, y, end, *role, line);
    }
    let below = listed.len().saturating_sub(first + shown);
    let total = total.trim_start().trim_end_matches(EACH_ONCE);
    let more = format!("{:8} PgUp PgDn: {below} more", "");
    let texts = [format!("{more}; {total}"), more, format!("PgDn: {below} more")];
    if let Some(text) = texts.iter().find(|text| width(text) < usize::from(area.width)) {
        canvas.text(area.x, area.bottom() - 1, end, Role::Quiet, text);
    }
}

/// How overlapping circular buffers are added up, behind their total.
const EACH_ONCE: &str = ", each byte once";

/// Returns the details of a core.
pub(super) fn lines(cores: &ChipReport, core: &CoreReport) -> Vec<(Role, String)> {
    let mut lines = vec![(Role::Strong, heading(core))];
    if let Some(detail) = &core.detail {
        lines.push((Role::Alarm, detail.clone()));
    }
    if core.program.is_some() || !core.kernels.is_empty() {
        lines.extend(kernels(cores, core));
        lines.extend(buffers(core));
    }
    lines
}

fn heading(core: &CoreReport) -> String {
    let noc = core.noc.map_or_else(String::new, |noc| format!(" at NOC {},{}", noc.x, noc.y));
    let name = match core.logical {
        Some(logical) => format!("core {},{}{noc}", logical.x, logical.y),
        None => format!("core{noc}"),
    };
    let state = super::state(core).label();
    match core.program {
        Some(program) => {
            let dispatch = match core.dispatch {
                Some(Dispatch::Slow) => ", slow dispatch",
                Some(Dispatch::Fast) | None => "",
            };
            let op = core.op.as_deref().unwrap_or_default();
            format!("{name}: {state}, program {program} {op}").trim_end().to_owned() + dispatch
        }
        None => format!("{name}: {state}"),
    }
}

fn kernels(cores: &ChipReport, core: &CoreReport) -> Vec<(Role, String)> {
    let heading = (Role::Quiet, format!("{:8} {:>4} {:>9}  KERNEL", "", "ID", "TEXT"));
    let line = |kernel: &KernelReport| {
        let text = kernel.text_bytes.map_or_else(|| "?".to_owned(), amount::size);
        let name = kernel.name.as_deref().unwrap_or_default();
        let processor = kernel.processor.map(|it| it.as_str()).unwrap_or_default();
        let id = kernel.id.map(|id| id.to_string()).unwrap_or_default();
        (Role::Plain, format!("{processor:8} {id:>4} {text:>9}  {name}"))
    };
    let mut lines = vec![(Role::Plain, String::new()), heading];
    lines.extend(core.kernels.iter().map(line));
    if let Some(Err(missing)) = &cores.names {
        let text = format!("no names, {}: {}", missing.reason.as_str(), missing.detail);
        lines.push((Role::Quiet, text));
    }
    lines
}

fn buffers(core: &CoreReport) -> Vec<(Role, String)> {
    if core.circular_buffers.is_empty() {
        return vec![(Role::Quiet, String::new()), (Role::Quiet, "no circular buffers".to_owned())];
    }
    let heading =
        format!("{:>8} {:>10} {:>9} {:>6} {:>9}", "CB", "ADDRESS", "BYTES", "PAGES", "PAGE");
    let line = |buffer: &CircularBufferReport| {
        let remote = if buffer.config_address.is_some() { "  remote" } else { "" };
        let number = |number: Option<u64>| number.map(|it| it.to_string()).unwrap_or_default();
        let (id, pages) = (number(buffer.id.map(u64::from)), number(buffer.pages));
        let (size, page) = (amount::size(buffer.size), buffer.page_size.map(amount::size));
        let (address, page) = (format!("0x{:06x}", buffer.address), page.unwrap_or_default());
        let text = format!("{id:>8} {address:>10} {size:>9} {pages:>6} {page:>9}{remote}");
        (Role::Plain, text)
    };
    let mut lines = vec![(Role::Quiet, String::new()), (Role::Quiet, heading)];
    lines.extend(core.circular_buffers.iter().map(line));
    let together = match &core.circular_buffer_bytes {
        Count::Known(bytes) => format!("total {}{EACH_ONCE}", amount::size(*bytes)),
        Count::Missing(missing) => format!("{}: {}", missing.reason.as_str(), missing.detail),
    };
    lines.push((Role::Quiet, format!("{:>8} {together}", "")));
    lines
}
