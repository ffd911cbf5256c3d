//! Inputs: a file, standard input, or the memory reports of a folder.

use std::fmt;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use ttmem_model::order;

use super::report::{self, MemoryReport};
use super::text_of;

/// A text and its origin.
pub struct Input {
    name: String,
    reader: Box<dyn Read>,
}

/// An input whose beginning has been read.
pub(crate) enum Opened {
    /// A memory report.
    Report(MemoryReport),
    /// A log: the bytes read so far, and the rest.
    Log {
        /// The beginning.
        head: Vec<u8>,
        /// The bytes that follow.
        rest: Box<dyn Read>,
    },
}

/// The kind of an input is decided by so many bytes.
const HEAD: u64 = 64 << 10;

/// A memory report is not larger.
const MAX_REPORT: u64 = 256 << 20;

impl Input {
    /// An input with a name, such as `-` for standard input.
    #[must_use]
    pub fn new(name: impl Into<String>, reader: Box<dyn Read>) -> Self {
        Self { name: name.into(), reader }
    }

    /// Reads the beginning, and a memory report as a whole.
    pub(super) fn open(mut self) -> io::Result<Opened> {
        let mut head = Vec::new();
        (&mut self.reader).take(HEAD).read_to_end(&mut head)?;
        if !report::is_report(&text_of(&head)) {
            return Ok(Opened::Log { head, rest: self.reader });
        }
        self.reader.take(MAX_REPORT).read_to_end(&mut head)?;
        Ok(match report::parse(&self.name, &text_of(&head)) {
            Some(report) => Opened::Report(report),
            None => Opened::Log { head, rest: Box::new(Cursor::new(Vec::new())) },
        })
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Input").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Opens a file, or every memory report (`*memory_usage*.csv`, `*l1_usage_summary.csv`, `memory_results.json`) of a
/// folder, sorted by name. A folder without any has no input.
///
/// # Errors
/// The system's error; a folder's file that cannot be opened fails the whole.
pub fn open_path(path: &Path) -> io::Result<Vec<Input>> {
    if !path.is_dir() {
        return Ok(vec![open_file(path)?]);
    }
    let mut paths = Vec::new();
    for entry in path.read_dir()? {
        let path = entry?.path();
        if is_report_name(&name_of(&path)) && path.is_file() {
            paths.push(path);
        }
    }
    order::sort(&mut paths);
    paths.iter().map(|path| open_file(path)).collect()
}

fn open_file(path: &Path) -> io::Result<Input> {
    Ok(Input::new(name_of(path), Box::new(File::open(path)?)))
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn is_report_name(name: &str) -> bool {
    name == "memory_results.json"
        || name.strip_suffix(".csv").is_some_and(|stem| {
            stem.ends_with("memory_usage")
                || stem.ends_with("memory_usage_summary")
                || stem.ends_with("l1_usage_summary")
        })
}
