//! The snapshot itself.

use std::io::{self, Write};

use ttmem_model::Snapshot;

/// How JSON is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One value a line, for reading.
    Pretty,
    /// One snapshot a line, for streams.
    Line,
}

/// Writes the snapshot and a line end.
///
/// # Errors
/// If the writer fails.
pub fn write(snapshot: &Snapshot, layout: Layout, writer: &mut impl Write) -> io::Result<()> {
    match layout {
        Layout::Pretty => serde_json::to_writer_pretty(&mut *writer, snapshot)?,
        Layout::Line => serde_json::to_writer(&mut *writer, snapshot)?,
    }
    writer.write_all(b"\n")
}
