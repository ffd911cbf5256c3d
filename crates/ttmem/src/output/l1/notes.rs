//! The notes below a chip: legend, source of the names, cost.

use super::glyph;
use super::view::ChipView;
use super::{Unread, grid};
use crate::output::amount;
use crate::output::flow::flow;
use crate::output::page::Role;
use crate::output::sheet::Sheet;
use crate::output::text::wrap;

/// Draws the notes below a grid.
pub(super) fn draw_grid(sheet: &mut Sheet<'_>, view: &ChipView<'_>) {
    let mut parts = Vec::new();
    let cores = &view.report.cores;
    if let Some((_, bytes)) = cores.iter().find_map(grid::use_of) {
        let scale = glyph::heat_scale(sheet.page());
        let has_tensors = cores.iter().any(|core| grid::tensor_bytes(core) > 0);
        let what = if has_tensors { "CBs and tensors" } else { "CBs" };
        let whole = amount::size(bytes);
        parts.push((Role::Quiet, format!("{scale} {what} of {whole} a core")));
    }
    parts.push((Role::Quiet, "CBs: circular buffers".to_owned()));
    parts.extend(common(view));
    flow(sheet, 1, &parts);
}

/// Draws the notes below any other list.
pub(super) fn draw(sheet: &mut Sheet<'_>, view: &ChipView<'_>) {
    let parts: Vec<_> = common(view).collect();
    flow(sheet, 1, &parts);
}

fn common(view: &ChipView<'_>) -> impl Iterator<Item = (Role, String)> {
    if view.report.is_recorded() {
        let by = "recorded by the agent, not read from the device".to_owned();
        let rest = "other cores run TT-Metal's own kernels, or none".to_owned();
        return vec![(Role::Quiet, by), (Role::Quiet, rest)].into_iter();
    }
    let cost = view.report.cost.map(|cost| {
        let time = match cost.micros {
            0 => String::new(),
            micros => format!(" in {micros} us"),
        };
        format!("{} reads, {}{time}", cost.reads, amount::size(cost.bytes))
    });
    let names = view.report.names.as_ref().map(|names| match names {
        Ok(count) => format!("{count} kernels named"),
        Err(missing) => format!("no names: {}", missing.detail),
    });
    let parts: Vec<_> = [cost, names].into_iter().flatten().collect();
    parts.into_iter().map(|text| (Role::Quiet, text)).collect::<Vec<_>>().into_iter()
}

/// Draws the chips that could not be read, with the reasons.
pub(super) fn draw_unread(sheet: &mut Sheet<'_>, unread: &[Unread]) {
    let width = sheet.page().width;
    for Unread { index, why } in unread {
        for (number, text) in wrap(&format!("chip {index}: {why}"), width - 1).iter().enumerate() {
            let mut line = sheet.start();
            line.pad_to(if number == 0 { 1 } else { 3 });
            line.push(Role::Notice, text, width);
            sheet.end(line);
        }
    }
}
