//! Buffers one by one. Narrow pages leave out columns, the least important first.

use ttmem_model::buffers::LiveBuffer;

use super::op_in_words;
use crate::output::amount::{duration, size};
use crate::output::line::Line;
use crate::output::page::{Page, Role};
use crate::output::sheet::Sheet;
use crate::output::tail::{Cells, Tail, cells};

/// A column but for the last, which is the op.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    /// The kind of memory.
    Kind,
    /// The address, the same in every bank.
    Address,
    /// Bytes in every bank.
    PerBank,
    /// The banks of a chip.
    Banks,
    /// Bytes on each chip.
    Total,
    /// The layout.
    Layout,
    /// The age.
    Age,
    /// The thread that allocated it.
    Thread,
}

impl Column {
    /// All columns, from the first on the page to the last, with the page width from which each has room.
    pub(crate) const ALL: [(Self, usize); 8] = [
        (Self::Kind, 0),
        (Self::Address, 0),
        (Self::PerBank, 66),
        (Self::Banks, 66),
        (Self::Total, 0),
        (Self::Layout, 80),
        (Self::Age, 50),
        (Self::Thread, 88),
    ];

    /// Returns the heading.
    #[must_use]
    pub(crate) fn heading(self) -> &'static str {
        match self {
            Self::Kind => "Kind",
            Self::Address => "Address",
            Self::PerBank => "Per bank",
            Self::Banks => "",
            Self::Total => "Total",
            Self::Layout => "Layout",
            Self::Age => "Age",
            Self::Thread => "Thread",
        }
    }

    /// Columns of the page that it takes.
    #[must_use]
    pub(crate) fn columns(self) -> usize {
        match self {
            Self::Kind | Self::PerBank | Self::Total => 8,
            Self::Address => 10,
            Self::Banks => 4,
            Self::Layout => 11,
            Self::Age => 5,
            Self::Thread => 7,
        }
    }

    /// True if it is at the left.
    #[must_use]
    pub(crate) fn is_text(self) -> bool {
        matches!(self, Self::Kind | Self::Address | Self::Banks | Self::Layout)
    }

    /// Spaces before the column.
    #[must_use]
    pub(crate) fn gap(self) -> usize {
        match self {
            Self::Kind => 0,
            Self::Banks => 1,
            _ => 2,
        }
    }

    /// Returns the text of a cell.
    #[must_use]
    pub(crate) fn text(self, buffer: &LiveBuffer) -> String {
        match self {
            Self::Kind => buffer.kind.label().to_owned(),
            Self::Address => format!("0x{:08x}", buffer.address),
            Self::PerBank => size(buffer.bytes_per_bank),
            Self::Banks => format!("×{}", buffer.banks),
            Self::Total => size(buffer.bytes),
            Self::Layout => {
                buffer.layout.strip_suffix("-sharded").unwrap_or(&buffer.layout).to_owned()
            }
            Self::Age => buffer.age_us.map_or_else(unknown, duration),
            Self::Thread => buffer.thread.map_or_else(unknown, |thread| thread.to_string()),
        }
    }
}

/// Returns the sign of a value that a recording does not have.
fn unknown() -> String {
    "?".to_owned()
}

/// True if the column of threads tells something.
pub(crate) fn have_several_threads<'a>(mut buffers: impl Iterator<Item = &'a LiveBuffer>) -> bool {
    let first = buffers.next().map(|buffer| buffer.thread);
    buffers.any(|buffer| Some(buffer.thread) != first)
}

/// Draws the rows under their heading.
pub(super) fn draw(sheet: &mut Sheet<'_>, buffers: &[&LiveBuffer]) {
    let page = sheet.page();
    let several_threads = have_several_threads(buffers.iter().copied());
    let columns: Vec<Column> = Column::ALL
        .iter()
        .filter(|(column, least)| {
            page.width >= *least && (*column != Column::Thread || several_threads)
        })
        .map(|(column, _)| *column)
        .collect();
    sheet.skip();
    let mut line = sheet.start();
    for column in &columns {
        push(&mut line, *column, Role::Quiet, column.heading());
    }
    line.pad_to(line.columns() + 2);
    let tails: Vec<Cells> = buffers.iter().map(|buffer| tail_cells(page, buffer)).collect();
    let tail = Tail::of(&tails, page.room.saturating_sub(line.columns()));
    line.push(Role::Quiet, "Op", page.width);
    sheet.end(line);
    for (buffer, cells) in buffers.iter().zip(&tails) {
        let mut line = sheet.start();
        for column in &columns {
            push(&mut line, *column, Role::Plain, &column.text(buffer));
        }
        line.pad_to(line.columns() + 2);
        tail.push(&mut line, cells, page.room);
        sheet.end(line);
    }
}

fn tail_cells(page: &Page, buffer: &LiveBuffer) -> Cells {
    let op = op_in_words(page.glyphs().dash, buffer.op.as_deref(), &buffer.origin);
    let tensor = buffer.tensor.as_ref().map(ToString::to_string);
    cells(page, &op, tensor, buffer.caller().map(|caller| caller.to_string()))
}

fn push(line: &mut Line<'_>, column: Column, role: Role, text: &str) {
    let start = line.columns() + column.gap();
    let end = start + column.columns();
    line.pad_to(start);
    if column.is_text() {
        line.push(role, text, end);
    } else {
        line.push_right(role, text, end);
    }
    line.pad_to(end);
}
