//! Buffers added up by op.

use std::collections::BTreeMap;

use ttmem_model::Kind;
use ttmem_model::buffers::{AllocatorUse, LiveBuffer};
use ttmem_model::order;

use super::op_in_words;
use crate::output::amount::size;
use crate::output::bar;
use crate::output::page::Role;
use crate::output::sheet::Sheet;

/// The buffers of one op, kind and origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// The op; none where none is known.
    pub(crate) op: Option<String>,
    /// The kind.
    pub(crate) kind: Kind,
    /// `tensor`, `kernels` or `trace`.
    pub(crate) origin: String,
    /// The number of buffers.
    pub(crate) buffers: u64,
    /// Bytes on each chip.
    pub(crate) bytes: u64,
}

/// Adds up buffers by op, kind and origin: by kind, the largest first.
pub(crate) fn groups<'a>(buffers: impl Iterator<Item = &'a LiveBuffer>) -> Vec<Group> {
    let mut groups: BTreeMap<_, Group> = BTreeMap::new();
    for buffer in buffers {
        let key = (buffer.kind, buffer.op.clone(), buffer.origin.clone());
        let group = groups.entry(key).or_insert_with(|| Group {
            op: buffer.op.clone(),
            kind: buffer.kind,
            origin: buffer.origin.clone(),
            buffers: 0,
            bytes: 0,
        });
        group.buffers += 1;
        group.bytes = group.bytes.saturating_add(buffer.bytes);
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    order::sort_by_key(&mut groups, |group| (group.kind, std::cmp::Reverse(group.bytes)));
    groups
}

/// Columns at which numbers end, and at which bars and ops begin.
const KIND_END: usize = 8;
const BUFFERS_END: usize = 17;
const TOTAL_END: usize = 27;
const BAR: usize = 29;
/// Columns of a bar; a narrower page has none.
const BAR_COLUMNS: usize = 16;
const WIDTH_WITH_BAR: usize = 66;

/// Draws a line for each group; the bar is its share of what the kind holds.
pub(super) fn draw(sheet: &mut Sheet<'_>, groups: &[Group], allocator: &AllocatorUse) {
    let page = sheet.page();
    let has_bar = page.width >= WIDTH_WITH_BAR;
    let op_start = if has_bar { BAR + BAR_COLUMNS + 2 } else { BAR };
    sheet.skip();
    let mut line = sheet.start();
    line.push(Role::Quiet, "Kind", KIND_END);
    line.push_right(Role::Quiet, "Buffers", BUFFERS_END);
    line.push_right(Role::Quiet, "Total", TOTAL_END);
    if has_bar {
        line.pad_to(BAR);
        line.push(Role::Quiet, "Of its kind", op_start);
    }
    line.pad_to(op_start);
    line.push(Role::Quiet, "Op", page.width);
    sheet.end(line);
    for group in groups {
        let mut line = sheet.start();
        line.push(Role::Plain, group.kind.label(), KIND_END);
        line.push_right(Role::Plain, &group.buffers.to_string(), BUFFERS_END);
        line.push_right(Role::Plain, &size(group.bytes), TOTAL_END);
        line.pad_to(BAR);
        if has_bar {
            let held = allocator.kinds.iter().find(|kind| kind.kind == group.kind);
            let whole = held.map_or(0, |kind| kind.used_per_bank.saturating_mul(kind.banks));
            let (filled, track) = bar::bar(page, group.bytes, whole, BAR_COLUMNS);
            line.push(Role::Plain, &filled, op_start);
            line.push(Role::Quiet, &track, op_start);
        }
        line.pad_to(op_start);
        let op = op_in_words(page.glyphs().dash, group.op.as_deref(), &group.origin);
        line.push(Role::Plain, &op, page.room);
        sheet.end(line);
    }
}
