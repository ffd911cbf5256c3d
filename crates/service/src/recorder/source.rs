//! A recording in a file.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use ttmem_recording::{Damage, ReadAt};

/// A file to read a recording from. Only the needed parts are read, and it is never mapped.
#[derive(Debug)]
pub struct FileSource {
    file: File,
}

impl FileSource {
    /// Opens the file of a segment.
    ///
    /// # Errors
    /// If it cannot be opened, or is a directory.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Ok(Self { file })
    }
}

impl ReadAt for FileSource {
    fn size(&self) -> Result<u64, Damage> {
        let status = self.file.metadata().map_err(|error| Damage::Read(error.to_string()))?;
        Ok(status.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Damage> {
        self.file.read_exact_at(buffer, offset).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Damage::Cut,
            _ => Damage::Read(error.to_string()),
        })
    }
}
