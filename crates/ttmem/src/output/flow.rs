//! Parts of a text side by side, on as many lines as they need.

use super::page::Role;
use super::sheet::Sheet;
use super::text::width;

/// Spaces between two parts.
const GAP: usize = 2;

/// Draws the parts from column `indent` on. Empty parts are left out, and what no line can hold is cut.
pub(crate) fn flow(sheet: &mut Sheet<'_>, indent: usize, parts: &[(Role, String)]) {
    let end = sheet.page().width;
    let mut line = sheet.start();
    line.pad_to(indent);
    for (role, part) in parts.iter().filter(|(_, part)| !part.is_empty()) {
        if line.columns() > indent {
            if line.columns() + GAP + width(part) > end {
                sheet.end(line);
                line = sheet.start();
                line.pad_to(indent.max(GAP));
            } else {
                line.pad_to(line.columns() + GAP);
            }
        }
        line.push(*role, part, end);
    }
    sheet.end(line);
}
