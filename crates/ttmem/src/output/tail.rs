//! The last columns of a list of buffers: op, tensor and line of Python.

use super::line::Line;
use super::page::{Page, Role};
use super::text::{legible, width};

/// Spaces before a column.
const GAP: usize = 2;

/// What a row ends with: the op, the tensor and the line of Python, each empty if it is not known.
pub(crate) type Cells = [String; 3];

/// Returns the cells of a row: the op, and the tensor and the line of Python if they are known.
#[must_use]
pub(crate) fn cells(
    page: &Page,
    op: &str,
    tensor: Option<String>,
    caller: Option<String>,
) -> Cells {
    let clean = |text: String| legible(&text, page.charset).into_owned();
    [op.to_owned(), tensor.unwrap_or_default(), caller.unwrap_or_default()].map(clean)
}

/// The widths of the last columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tail([usize; 2]);

impl Tail {
    /// Returns the columns of these rows. If `room` columns are too few for the longest of each, a row has one cell after
    /// the other, without columns.
    #[must_use]
    pub(crate) fn of<'a>(rows: impl IntoIterator<Item = &'a Cells>, room: usize) -> Self {
        let mut most = [0; 3];
        for row in rows {
            for (most, cell) in most.iter_mut().zip(row) {
                *most = width(cell).max(*most);
            }
        }
        let [op, tensor, caller] = most;
        let gaps = GAP * [tensor, caller].iter().filter(|columns| **columns > 0).count();
        if op + tensor + caller + gaps <= room { Self([op, tensor]) } else { Self::default() }
    }

    /// True if the rows are in columns.
    #[must_use]
    pub(crate) fn has_room(self) -> bool {
        self != Self::default()
    }

    /// Appends the cells of a row as far as they fit before column `end`.
    pub(crate) fn push(self, line: &mut Line<'_>, cells: &Cells, end: usize) {
        let Self([op, tensor]) = self;
        let mut next = line.columns();
        let columns = [(Role::Plain, op), (Role::Plain, tensor), (Role::Quiet, 0)];
        for (index, (cell, (role, columns))) in cells.iter().zip(columns).enumerate() {
            let after = cells[index + 1..].iter().find(|cell| !cell.is_empty());
            if !cell.is_empty() {
                line.pad_to(next);
                // What has no room at all makes the cell before it end with an ellipsis.
                if let Some(after) = after.filter(|_| next + width(cell) + GAP >= end) {
                    return line.push(role, &format!("{cell}  {after}"), end);
                }
                line.push(role, cell, end);
            }
            if columns > 0 || !cell.is_empty() {
                next += columns.max(width(cell)) + GAP;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(rows: &[[&str; 3]], room: usize) -> Vec<String> {
        let rows: Vec<Cells> = rows.iter().map(|row| row.map(str::to_owned)).collect();
        let tail = Tail::of(&rows, room);
        let page = Page::plain(room);
        let drawn = |cells| {
            let mut line = Line::new(&page);
            tail.push(&mut line, cells, room);
            line.finish()
        };
        rows.iter().map(drawn).collect()
    }

    const ROWS: [[&str; 3]; 3] = [
        ["ttnn.add", "[1, 1, 512, 1024] bfloat16", "a.py:1"],
        ["ttnn.to_memory_config", "", "b.py:22"],
        ["matmul", "[4] f32", ""],
    ];

    #[test]
    fn cells_are_in_columns_where_there_is_room() {
        assert_eq!(
            drawn(&ROWS, 60),
            [
                "ttnn.add               [1, 1, 512, 1024] bfloat16  a.py:1",
                "ttnn.to_memory_config                              b.py:22",
                "matmul                 [4] f32",
            ]
        );
    }

    #[test]
    fn without_room_a_row_has_as_much_as_fits_and_an_ellipsis() {
        assert_eq!(
            drawn(&ROWS, 40),
            [
                "ttnn.add  [1, 1, 512, 1024] bfloat16  a…",
                "ttnn.to_memory_config  b.py:22",
                "matmul  [4] f32",
            ]
        );
        let full = [["ttnn.allocate", "[4] f32", "a.py:1"]];
        assert_eq!(drawn(&full, 24), ["ttnn.allocate  [4] f32 …"]);
        assert_eq!(drawn(&full, 15), ["ttnn.allocate …"]);
    }
}
