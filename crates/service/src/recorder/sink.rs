//! The destination of a recording.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// A destination that bytes can be appended to.
pub(crate) trait Sink: Send {
    /// Appends bytes.
    ///
    /// # Errors
    /// If not all of them could be written; some may be.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Truncates to the first `size` bytes.
    ///
    /// # Errors
    /// If that fails. The rest is a cut block, which readers skip.
    fn cut(&mut self, size: u64) -> io::Result<()>;

    /// Checks that the first `size` bytes are unchanged by others.
    fn damage(&self, size: u64) -> Option<FileDamage>;
}

/// Damage to bytes that were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileDamage {
    /// The file was removed.
    Removed,
    /// The file is shorter.
    Cut,
}

/// A file that was created for the recording. Only its user may read it: a recording contains command lines.
#[derive(Debug)]
pub(crate) struct FileSink {
    file: File,
}

impl FileSink {
    /// Creates the file.
    ///
    /// # Errors
    /// If it exists already or cannot be created.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)?;
        Ok(Self { file })
    }
}

impl Sink for FileSink {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn cut(&mut self, size: u64) -> io::Result<()> {
        self.file.set_len(size)
    }

    fn damage(&self, size: u64) -> Option<FileDamage> {
        let status = self.file.metadata().ok()?;
        match (status.nlink(), status.len()) {
            (0, _) => Some(FileDamage::Removed),
            (_, length) if length < size => Some(FileDamage::Cut),
            _ => None,
        }
    }
}
