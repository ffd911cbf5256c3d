//! The address space of a core's L1, to scale.

use ratatui_core::layout::Rect;
use ttmem_model::l1::RegionKind;
use ttmem_model::l1::report::{CoreReport, RegionReport};

use crate::output::amount;
use crate::tui::look::Role;
use crate::tui::number::cells;
use crate::tui::widget::canvas::Canvas;

/// Height of the drawing: a title, two rows to scale, an axis, two rows of regions.
pub(super) const ROWS: u16 = 6;

/// Draws the address space of a core.
pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect, core: &CoreReport) {
    let bytes = core.l1_bytes();
    let (left, right) = (area.x + 1, area.right() - 1);
    let columns = usize::from(right - left);
    canvas.rule(Rect { x: left, width: right - left, height: 1, ..area });
    let title = format!("L1 from 0 to {} to scale ", amount::size(bytes));
    canvas.text(left, area.y, right, Role::Strong, &title);
    if let Err(missing) = core.headroom() {
        let text = format!(" headroom {}: {}", missing.reason.as_str(), missing.detail);
        canvas.right(left + 40, area.y, right, Role::Quiet, &text);
    }
    for column in 0..columns {
        let kind = kind_at(core, column, columns);
        let (sign, role) = sign(canvas, kind);
        let style = canvas.look.style(role);
        canvas.sign(left + cells(column), area.y + 1, style, sign);
        canvas.sign(left + cells(column), area.y + 2, style, sign);
    }
    for quarter in 0..4_u64 {
        let x = left + cells(columns) / 4 * cells(usize::try_from(quarter).unwrap_or(0));
        let text = amount::short_size(bytes / 4 * quarter);
        canvas.text(x, area.y + 3, right, Role::Quiet, &text);
    }
    draw_kinds(canvas, Rect { y: area.y + 4, height: 2, ..area }, core);
}

/// Draws the regions one by one, as many as fit, in two columns where there is room.
pub(super) fn draw_regions(canvas: &mut Canvas<'_>, area: Rect, core: &CoreReport) {
    /// The width of a region.
    const COLUMNS: u16 = 60;
    if area.height < 4 {
        return;
    }
    let rows = usize::from(area.height - 2);
    let columns = usize::from((area.width / COLUMNS).max(1));
    let heading = format!("  {:>8}  {:>8} {:>9}  REGION", "FROM", "TO", "BYTES");
    for column in 0..columns.min(core.regions.len().div_ceil(rows)) {
        let x = area.x + 1 + cells(column) * COLUMNS;
        canvas.text(x, area.y + 1, area.right(), Role::Quiet, &heading);
    }
    let (room, count) = (rows * columns, core.regions.len());
    // If some do not fit, the last entry gives their number.
    let shown = if count > room { room - 1 } else { count };
    let position = |position: usize| {
        let x = area.x + 1 + cells(position / rows) * COLUMNS;
        (x, area.y + 2 + cells(position % rows), (x + COLUMNS - 2).min(area.right() - 1))
    };
    if shown < count {
        let (x, y, end) = position(shown);
        let text = format!("{} more; e saves all of them", count - shown);
        canvas.text(x + 2, y, end, Role::Quiet, &text);
    }
    for (number, region) in core.regions.iter().enumerate().take(shown) {
        let (x, y, end) = position(number);
        let (sign, role) = sign(canvas, region.kind);
        canvas.text(x, y, end, role, sign);
        let kind = region.kind.as_str().replace('_', " ");
        let shared = region.shared_with.map_or(String::new(), |other| {
            format!(", shared with {}", other.as_str().replace('_', " "))
        });
        let text = format!(
            "0x{:06x}  0x{:06x} {:>9}  {kind}{shared} {}",
            region.start,
            region.end,
            amount::size(region.bytes()),
            region.label
        );
        canvas.text(x + 2, y, end, Role::Plain, &text);
    }
}

/// Returns the kind with the largest share of a column. Small regions show if the rest is unknown.
fn kind_at(core: &CoreReport, column: usize, columns: usize) -> RegionKind {
    let address = |column: usize| core.l1_bytes() * column as u64 / columns.max(1) as u64;
    let (start, end) = (address(column), address(column + 1));
    let within = |region: &&RegionReport| region.start < end && region.end > start;
    let weight = |region: &&RegionReport| {
        let covered = region.end.min(end) - region.start.max(start);
        let says_little = matches!(
            region.kind,
            RegionKind::Unknown | RegionKind::Free | RegionKind::KernelConfigFree
        );
        if says_little { covered / 8 } else { covered }
    };
    let found = core.regions.iter().filter(within).max_by_key(weight);
    found.map_or(RegionKind::Unknown, |region| region.kind)
}

/// Returns the sign of a kind, which differs without colour, and its style.
fn sign(canvas: &Canvas<'_>, kind: RegionKind) -> (&'static str, Role) {
    let glyphs = canvas.glyphs();
    let [full, dark, medium, _, hatched, light] = glyphs.fills;
    match kind {
        RegionKind::Reserved => (light, Role::Reserved),
        RegionKind::KernelConfig => (medium, Role::Kernels),
        RegionKind::Kernels => (dark, Role::Kernels),
        RegionKind::KernelConfigFree => (glyphs.track, Role::Reserved),
        RegionKind::CircularBuffers => (full, Role::CircularBuffers),
        RegionKind::L1 => (full, Role::L1),
        RegionKind::L1Small => (hatched, Role::L1Small),
        RegionKind::Free => (" ", Role::Plain),
        RegionKind::Unknown => (glyphs.unknown, Role::Frame),
    }
}

/// Returns each kind that is present, with its sign and bytes.
fn draw_kinds(canvas: &mut Canvas<'_>, area: Rect, core: &CoreReport) {
    const KINDS: [(RegionKind, &str); 9] = [
        (RegionKind::Reserved, "reserved"),
        (RegionKind::KernelConfig, "kernel config"),
        (RegionKind::Kernels, "kernels"),
        (RegionKind::KernelConfigFree, "ring unused"),
        (RegionKind::CircularBuffers, "circular buffers"),
        (RegionKind::L1, "buffers"),
        (RegionKind::L1Small, "L1_SMALL"),
        (RegionKind::Free, "free"),
        (RegionKind::Unknown, "unknown"),
    ];
    let (mut x, mut y) = (area.x + 1, area.y);
    for (kind, label) in KINDS {
        let bytes = core.bytes(kind);
        let text = format!("{label} {}", amount::size(bytes));
        if bytes == 0 {
            continue;
        }
        if x + cells(text.len()) + 3 > area.right() {
            (x, y) = (area.x + 1, y + 1);
        }
        if y >= area.bottom() {
            return;
        }
        let (sign, role) = sign(canvas, kind);
        canvas.text(x, y, area.right(), role, sign);
        x = canvas.text(x + 2, y, area.right(), Role::Quiet, &text) + 3;
    }
}
