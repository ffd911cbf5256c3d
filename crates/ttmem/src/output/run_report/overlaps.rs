//! Addresses that two allocators of a process handed out.

use ttmem_analysis::run_report::{Overlap, OverlappingBuffer};
use ttmem_model::stack::caller;

use super::{chips, heading, text};
use crate::output::amount::{duration, size};
use crate::output::page::Role;
use crate::output::sheet::Sheet;

/// Draws which bytes were handed out twice, and to which buffers.
pub(super) fn draw(sheet: &mut Sheet<'_>, overlaps: &[Overlap]) {
    if overlaps.is_empty() {
        return;
    }
    heading(sheet, "Allocators that overlap");
    for overlap in overlaps {
        let title = format!(
            "Two allocators handed out the same {} of {} on {}",
            size(overlap.bytes),
            overlap.kind.label(),
            chips(&overlap.chips)
        );
        text(sheet, Role::Alarm, 2, &title);
        let when = format!("after {}, the most at a time", duration(overlap.after_us));
        text(sheet, Role::Quiet, 4, &when);
        for buffer in &overlap.buffers {
            text(sheet, Role::Plain, 4, &in_words(buffer));
        }
    }
    let advice = "One tensor overwrites the other: allocate through the mesh or through its submesh, not through both.";
    text(sheet, Role::Plain, 2, advice);
}

fn in_words(buffer: &OverlappingBuffer) -> String {
    let OverlappingBuffer { allocator, address, bytes_per_bank, op, stack } = buffer;
    let op = op.as_deref().unwrap_or("a buffer");
    let caller = caller(stack).map(|caller| format!(" at {caller}")).unwrap_or_default();
    format!("{op}{caller}: {bytes_per_bank} bytes a bank at address {address}, of {allocator}")
}
