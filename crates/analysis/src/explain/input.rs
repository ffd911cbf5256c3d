//! Getting the text: a file, or the memory reports of a folder.

use std::io::{self, Read as _};
use std::path::Path;

use super::text_of;

/// A text and where it is from.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its name: a file's name, or `-`.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// A file is read up to this size; a log that is longer is read to here.
const MAX_BYTES: u64 = 256 << 20;

/// Reads a file, or every memory report (`*memory_usage*.csv`, `*l1_usage_summary.csv`) of a folder, sorted by name.
/// A folder without any gives no input.
///
/// # Errors
/// What the system says; a folder's file that cannot be read fails the whole.
pub fn read_path(path: &Path) -> io::Result<Vec<Input>> {
    if !path.is_dir() {
        return Ok(vec![read_file(path)?]);
    }
    let mut paths = Vec::new();
    for entry in path.read_dir()? {
        let path = entry?.path();
        if is_report(&name_of(&path)) && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    paths.iter().map(|path| read_file(path)).collect()
}

fn read_file(path: &Path) -> io::Result<Input> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(Input { name: name_of(path), text: text_of(&bytes).into_owned() })
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn is_report(name: &str) -> bool {
    name.strip_suffix(".csv").is_some_and(|stem| {
        stem.ends_with("memory_usage")
            || stem.ends_with("memory_usage_summary")
            || stem.ends_with("l1_usage_summary")
    })
}
