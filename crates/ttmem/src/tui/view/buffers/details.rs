//! The details of one buffer, and the free blocks of its bank.

use ratatui_core::layout::Rect;
use ttmem_model::Timestamp;
use ttmem_model::buffers::{AllocatorUse, Block, BufferOwner, KindUse, LiveBuffer};
use ttmem_model::order;

use crate::output::amount::{date_time, duration, size};
use crate::output::buffers::chips_in_words;
use crate::tui::app::App;
use crate::tui::look::Role;
use crate::tui::widget::canvas::Canvas;
use crate::tui::widget::pane::{self, Line};

/// The width of a label.
const LABEL: u16 = 11;

/// The most free blocks that are listed.
const MOST_BLOCKS: usize = 64;

/// Draws the details.
pub(super) fn draw(
    app: &App,
    canvas: &mut Canvas<'_>,
    area: Rect,
    buffer: &LiveBuffer,
    (owner, allocator): (Option<&BufferOwner>, Option<&AllocatorUse>),
) {
    let title = format!("{} 0x{:08x}", buffer.kind.label(), buffer.address);
    let plain = |(label, text): (&str, String)| (label.to_owned(), Role::Plain, text);
    let mut lines: Vec<Line> =
        lines(app, buffer, owner, allocator).into_iter().map(plain).collect();
    let kind = allocator.and_then(|its| its.kinds.iter().find(|kind| kind.kind == buffer.kind));
    lines.extend(kind.map(|kind| free(kind, buffer)).unwrap_or_default());
    // Where the details are beside the table, these keys move its cursor until Enter.
    let keys = if app.buffers.details { "PgUp PgDn" } else { "Enter, PgDn" };
    pane::draw(canvas, area, &title, (lines, LABEL), (&app.scroll, keys));
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
fn free(kind: &KindUse, buffer: &LiveBuffer) -> Vec<Line> {
    let blocks = kind.bank.as_ref().map(|map| map.free.as_slice()).unwrap_or_default();
    let title = match (kind.free_per_bank, kind.bank.is_some()) {
        (None, _) => "not known".to_owned(),
        (Some(0), _) => "nothing".to_owned(),
        (Some(free), false) => format!("{} of each bank", size(free)),
        (Some(free), true) => format!("{} in {} of each bank", size(free), pieces(blocks)),
    };
    let mut largest: Vec<&Block> = blocks.iter().collect();
    order::sort_by_key(&mut largest, |block| (std::cmp::Reverse(block.bytes), block.address));
    let end = buffer.address.saturating_add(buffer.bytes_per_bank);
    let block = |block: &&Block| {
        let beside = if block.address == end {
            "  after it"
        } else if block.address.saturating_add(block.bytes) == buffer.address {
            "  before it"
        } else {
            ""
        };
        let text = format!("0x{:08x}  {:>8}{beside}", block.address, size(block.bytes));
        (String::new(), Role::Plain, text)
    };
    let rest = largest.len().saturating_sub(MOST_BLOCKS);
    let more = (rest > 0).then(|| (String::new(), Role::Quiet, format!("and {rest} more")));
    let first = ("free".to_owned(), Role::Strong, title);
    std::iter::once(first).chain(largest.iter().take(MOST_BLOCKS).map(block)).chain(more).collect()
}

fn pieces(blocks: &[Block]) -> String {
    if blocks.len() == 1 { "1 block".to_owned() } else { format!("{} blocks", blocks.len()) }
}
