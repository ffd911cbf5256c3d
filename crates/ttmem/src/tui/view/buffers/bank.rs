//! Maps of a bank, one per kind: the smallest buffer and the smallest hole are visible. The selected buffer is marked.

use ratatui_core::layout::Rect;
use ttmem_model::Kind;
use ttmem_model::buffers::{AllocatorUse, BankMap, KindUse, LiveBuffer};

use super::TALL_ROWS;
use crate::output::amount::{percent, short_size, size};
use crate::output::buffers::bank::{
    free_in_words, fullness, is_scattered, part, shades, use_in_words,
};
use crate::output::text::width;
use crate::tui::app::App;
use crate::tui::look::Role;
use crate::tui::number::cells;
use crate::tui::widget::canvas::Canvas;

/// The width of the kind's name.
const NAME: u16 = 10;
/// The minimum width of a useful map.
const LEAST_PICTURE: u16 = 12;
/// The maximum width.
const MOST_PICTURE: u16 = 120;

/// Returns the colour of a kind.
pub(super) fn role_of(kind: Kind) -> Role {
    match kind {
        Kind::Dram => Role::Dram,
        Kind::L1 => Role::L1,
        Kind::L1Small => Role::L1Small,
        Kind::Trace => Role::Trace,
        Kind::CircularBuffers => Role::CircularBuffers,
        Kind::Kernels => Role::Kernels,
        Kind::Reserved => Role::Reserved,
    }
}

/// Draws the kinds of an allocator that have a buffer. Returns the rows used.
pub(super) fn draw(
    app: &App,
    canvas: &mut Canvas<'_>,
    area: Rect,
    allocator: &AllocatorUse,
    buffer: &LiveBuffer,
) -> u16 {
    let kinds: Vec<&KindUse> = allocator.kinds.iter().filter(|kind| kind.buffers > 0).collect();
    let is_tall = area.height >= TALL_ROWS;
    let each = if is_tall { 2 } else { 1 };
    // Leave a few rows to the table.
    let room = usize::from(area.height.saturating_sub(4) / each);
    // Maps below each other have the same width.
    let beside = |kind: &&KindUse| cells(width(&in_short(kind, area.width))) + 1;
    let beside = if is_tall { 0 } else { kinds.iter().map(beside).max().unwrap_or(0) };
    let columns = area.width.saturating_sub(NAME + 1 + beside).min(MOST_PICTURE);
    let mut y = area.y;
    for kind in kinds.iter().take(room) {
        let role = role_of(kind.kind);
        canvas.text(area.x + 1, y, area.x + NAME, role, kind.kind.label());
        let (row, right) = if is_tall {
            draw_words(canvas, super::super::row(area, y), kind);
            (y + 1, String::new())
        } else {
            (y, in_short(kind, area.width))
        };
        let end = area.right() - 1;
        let role = if is_scattered(kind) { Role::Notice } else { Role::Quiet };
        canvas.right(area.x + NAME, row, end, role, &right);
        if columns >= LEAST_PICTURE {
            let map_area = Rect { x: area.x + NAME, y: row, width: columns, height: 1 };
            draw_picture(app, canvas, map_area, kind, buffer);
        }
        y += each;
    }
    if y > area.y && is_tall {
        y += 1;
    }
    y - area.y
}

fn draw_words(canvas: &mut Canvas<'_>, row: Rect, kind: &KindUse) {
    let end = row.right() - 1;
    let x = canvas.text(row.x + NAME, row.y, end, Role::Plain, &use_in_words(kind)) + 3;
    let role = if is_scattered(kind) { Role::Notice } else { Role::Quiet };
    let fits = |text: &String| x + cells(width(text)) <= end;
    let free = free_in_words(kind).into_iter().chain(free_in_short(kind, row.width)).find(fits);
    canvas.text(x, row.y, end, role, &free.unwrap_or_default());
}

/// Returns as much of the caption as fits beside the map.
fn in_short(kind: &KindUse, columns: u16) -> String {
    let share = kind.allocatable_per_bank.and_then(|all| percent(kind.used_per_bank, all));
    let parts: Vec<String> = share.into_iter().chain(free_in_short(kind, columns)).collect();
    parts.join(", ")
}

/// Returns the largest free block, and the other free bytes.
fn free_in_short(kind: &KindUse, columns: u16) -> Option<String> {
    let (free, largest) = (kind.free_per_bank?, kind.largest_free?);
    if free == 0 {
        return Some("nothing free".to_owned());
    }
    let scattered = percent(free.saturating_sub(largest), free)?;
    Some(match columns {
        0..60 => format!("max {}/bank", short_size(largest)),
        60..76 => format!("largest free {}/bank", size(largest)),
        _ => format!("largest free {}/bank, {scattered} fragmented", size(largest)),
    })
}

/// Draws the bank, or the reason that its map is not known.
fn draw_picture(
    app: &App,
    canvas: &mut Canvas<'_>,
    map_area: Rect,
    kind: &KindUse,
    buffer: &LiveBuffer,
) {
    let Some(map) = &kind.bank else {
        let text = "addresses of its blocks unknown";
        canvas.text(map_area.x, map_area.y, map_area.right(), Role::Quiet, text);
        return;
    };
    let shades = shades(app.look.charset);
    let columns = usize::from(map_area.width);
    let taken = canvas.look.style(role_of(kind.kind));
    let free = canvas.look.style(Role::Frame);
    for (cell, shade) in fullness(map, columns).into_iter().enumerate() {
        let style = if shade == 0 { free } else { taken };
        canvas.sign(map_area.x + cells(cell), map_area.y, style, shades[shade]);
    }
    if kind.kind == buffer.kind {
        mark(canvas, map_area, map, buffer);
    }
}

/// Marks the cells of the selected buffer.
fn mark(canvas: &mut Canvas<'_>, map_area: Rect, map: &BankMap, buffer: &LiveBuffer) {
    let columns = usize::from(map_area.width);
    let end = buffer.address.saturating_add(buffer.bytes_per_bank);
    let overlaps = |cell: &usize| {
        let (from, to) = part(map, *cell, columns);
        from < end && buffer.address < to
    };
    for cell in (0..columns).filter(overlaps) {
        let here = Rect { x: map_area.x + cells(cell), width: 1, ..map_area };
        canvas.over(here, canvas.look.marked());
    }
}
