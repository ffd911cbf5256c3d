//! The details of one buffer, and the free blocks of its bank.

use ratatui_core::layout::Rect;
use ttmem_model::Timestamp;
use ttmem_model::buffers::{AllocatorUse, Block, BufferOwner, KindUse, LiveBuffer};
use ttmem_model::order;

use crate::output::amount::{date_time, duration, size};
use crate::output::buffers::chips_in_words;
use crate::output::text::wrap;
use crate::tui::app::App;
use crate::tui::look::Role;
use crate::tui::widget::canvas::Canvas;

/// The width of a label.
const LABEL: u16 = 11;

/// Draws the details.
pub(super) fn draw(
    app: &App,
    canvas: &mut Canvas<'_>,
    area: Rect,
    buffer: &LiveBuffer,
    (owner, allocator): (Option<&BufferOwner>, Option<&AllocatorUse>),
) {
    let title = format!("{} 0x{:08x}", buffer.kind.label(), buffer.address);
    let inside = canvas.boxed(area, &title);
    let columns = usize::from(inside.width.saturating_sub(LABEL));
    let mut y = inside.y;
    for (label, text) in lines(app, buffer, owner, allocator) {
        for (index, part) in wrap(&text, columns).into_iter().enumerate() {
            if y >= inside.bottom() {
                return;
            }
            let label = if index == 0 { label } else { "" };
            canvas.text(inside.x, y, inside.x + LABEL - 1, Role::Quiet, label);
            canvas.text(inside.x + LABEL, y, inside.right(), Role::Plain, &part);
            y += 1;
        }
    }
    let kind = allocator.and_then(|its| its.kinds.iter().find(|kind| kind.kind == buffer.kind));
    if let Some(kind) = kind {
        let rest = Rect { y, height: inside.bottom() - y, ..inside };
        draw_free(canvas, rest, kind, buffer);
    }
}

fn lines(
    app: &App,
    buffer: &LiveBuffer,
    owner: Option<&BufferOwner>,
    allocator: Option<&AllocatorUse>,
) -> Vec<(&'static str, String)> {
    let dash = app.look.glyphs().dash;
    let mut lines = Vec::new();
    let name = owner.map(|owner| owner.name.as_str()).unwrap_or_default();
    lines.push(("process", format!("{} {name}", buffer.pid)));
    if let Some(allocator) = allocator {
        lines.push(("on", chips_in_words(allocator)));
    }
    let banks = format!("{} in each of {} banks", size(buffer.bytes_per_bank), buffer.banks);
    lines.push(("takes", format!("{}: {banks}", size(buffer.bytes))));
    let pages = match buffer.page_bytes {
        0 => String::new(),
        bytes => format!(", in pages of {}", size(u64::from(bytes))),
    };
    lines.push(("requested", size(buffer.requested) + &pages));
    let end = buffer.address.saturating_add(buffer.bytes_per_bank);
    lines.push(("ends at", format!("0x{end:08x}")));
    lines.push(("layout", buffer.layout.clone()));
    lines.push(("origin", buffer.origin.clone()));
    let quality = match buffer.op_quality.as_deref() {
        Some("inferred") => ", inferred from the code entered last",
        _ => "",
    };
    lines.push(("op", format!("{}{quality}", buffer.op.as_deref().unwrap_or(dash))));
    if let Some(tensor) = &buffer.tensor {
        lines.push(("tensor", tensor.to_string()));
    }
    if let Some(caller) = buffer.caller() {
        lines.push(("called at", caller.to_string()));
    }
    let thread = buffer.thread.map_or(dash.to_owned(), |thread| thread.to_string());
    lines.push(("thread", thread));
    let now = app.buffers.list().map_or(Timestamp(0), |list| list.time_us);
    let allocated = buffer.age_us.map_or_else(
        || "before the first recorded event".to_owned(),
        |age| {
            let since = Timestamp(now.0.saturating_sub(age));
            format!("{} ago, {}", duration(age), date_time(since))
        },
    );
    lines.push(("allocated", allocated));
    lines
}

/// Returns the free blocks of a bank, the largest first; the neighbours of the buffer are marked.
fn draw_free(canvas: &mut Canvas<'_>, area: Rect, kind: &KindUse, buffer: &LiveBuffer) {
    if area.height < 3 {
        return;
    }
    let (mut y, right) = (area.y + 1, area.right());
    let blocks = kind.bank.as_ref().map(|map| map.free.as_slice()).unwrap_or_default();
    let title = match (kind.free_per_bank, kind.bank.is_some()) {
        (None, _) => "Free blocks are not known.".to_owned(),
        (Some(0), _) => format!("Nothing of {} is free.", kind.kind.label()),
        (Some(free), false) => format!("{} of a bank are free.", size(free)),
        (Some(free), true) => format!("{} free in {} of each bank", size(free), pieces(blocks)),
    };
    canvas.text(area.x, y, right, Role::Strong, &title);
    y += 1;
    let mut largest: Vec<&Block> = blocks.iter().collect();
    order::sort_by_key(&mut largest, |block| (std::cmp::Reverse(block.bytes), block.address));
    let end = buffer.address.saturating_add(buffer.bytes_per_bank);
    for (index, block) in largest.iter().enumerate() {
        let rest = largest.len() - index;
        if y + 1 >= area.bottom() && rest > 1 {
            let text = format!("and {rest} more");
            canvas.text(area.x, y, right, Role::Quiet, &text);
            return;
        }
        if y >= area.bottom() {
            return;
        }
        let x = canvas.text(area.x, y, right, Role::Plain, &format!("0x{:08x}", block.address));
        canvas.right(x, y, x + 11, Role::Plain, &size(block.bytes));
        let beside = if block.address == end {
            "after the buffer"
        } else if block.address.saturating_add(block.bytes) == buffer.address {
            "before the buffer"
        } else {
            ""
        };
        canvas.text(x + 13, y, right, Role::Quiet, beside);
        y += 1;
    }
}

fn pieces(blocks: &[Block]) -> String {
    if blocks.len() == 1 { "1 block".to_owned() } else { format!("{} blocks", blocks.len()) }
}
