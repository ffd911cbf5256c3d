//! The snapshot itself, and every other report that is JSON.

use std::io::{self, Write};

use serde::Serialize;

/// The layout of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Laid out for reading.
    Pretty,
    /// One value a line, for streams.
    Line,
}

/// Writes a snapshot, or whatever else is one value, and a line end.
///
/// # Errors
/// If the writer fails.
pub(crate) fn write(
    value: &impl Serialize,
    layout: Layout,
    writer: &mut impl Write,
) -> io::Result<()> {
    match layout {
        Layout::Pretty => serde_json::to_writer_pretty(&mut *writer, value)?,
        Layout::Line => serde_json::to_writer(&mut *writer, value)?,
    }
    writer.write_all(b"\n")
}
