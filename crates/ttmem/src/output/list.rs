//! `-L`: one line a chip.

use ttmem_model::snapshot::Snapshot;

use super::naming;
use super::page::{Page, Role};
use super::sheet::Sheet;
use super::text::width;

/// Draws the list: number, board, architecture, PCI address, ASIC id, serial number of the board.
#[must_use]
pub(crate) fn render(snapshot: &Snapshot, page: &Page) -> String {
    let dash = page.glyphs().dash;
    let rows: Vec<[String; 6]> = snapshot
        .chips
        .iter()
        .map(|chip| {
            let text = |text: Option<&str>| text.unwrap_or(dash).to_owned();
            [
                chip.index.to_string(),
                text(chip.board.as_deref()),
                text(chip.arch.map(|arch| arch.as_str())),
                naming::location(snapshot, chip).unwrap_or_else(|| dash.to_owned()),
                chip.asic_id().map_or_else(|| dash.to_owned(), |id| id.to_string()),
                chip.serial.as_ref().map_or(dash.to_owned(), |serial| format!("serial {serial}")),
            ]
        })
        .collect();
    let widest = |column: usize| rows.iter().map(|row| width(&row[column])).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(widest);
    let mut sheet = Sheet::new(page);
    for row in &rows {
        let mut line = sheet.start();
        let mut start = 0;
        for (index, (text, width)) in row.iter().zip(widths).enumerate() {
            line.pad_to(start);
            let role = if index == 0 { Role::Strong } else { Role::Plain };
            line.push(role, text, start + width);
            start += width + 2;
        }
        if snapshot.demo {
            line.pad_to(start);
            line.push(Role::Notice, "DEMO", usize::MAX);
        }
        sheet.end(line);
    }
    sheet.finish()
}
