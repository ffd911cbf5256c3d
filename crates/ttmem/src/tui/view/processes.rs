//! View 4: the processes, and beside or below them the details of one.

mod details;

use ratatui_core::layout::Rect;

use super::table;
use crate::tui::app::App;
use crate::tui::widget::canvas::Canvas;

/// The minimum width for details beside the table.
const BESIDE_COLUMNS: u16 = 130;
/// The width of the details beside the table.
const DETAILS_COLUMNS: u16 = 62;

/// Draws the view.
pub(super) fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let Some((id, known)) = &app.details else { return table::draw(app, canvas, area, true) };
    let (table, pane) = if area.width >= BESIDE_COLUMNS {
        let width = area.width - DETAILS_COLUMNS;
        (Rect { width, ..area }, Rect { x: area.x + width, width: DETAILS_COLUMNS, ..area })
    } else {
        let height = (area.height / 3).max(3);
        (Rect { height, ..area }, Rect { y: area.y + height, height: area.height - height, ..area })
    };
    table::draw(app, canvas, table, true);
    details::draw(app, canvas, pane, *id, known.as_ref());
}
