//! A file that stays readable after its name is removed.

use std::fs::{File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::{Backing, Root, RootError};

/// A file that was opened to be read later, even if its name is removed.
#[derive(Debug)]
pub struct OpenFile {
    content: Content,
}

#[derive(Debug)]
enum Content {
    Open(File),
    Memory(Vec<u8>),
}

impl Root {
    /// Opens a file to be read later. For a host in memory, copies the first `limit` bytes.
    ///
    /// # Errors
    /// As [`Root::read_regular`].
    pub fn hold(&self, path: &str, limit: usize) -> Result<OpenFile, RootError> {
        self.hold_raw(path, limit).map_err(|errno| RootError { path: path.to_owned(), errno })
    }

    /// Opens a directory. Below `/proc/self/fd` its files can be read even after nothing mounts it.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn hold_directory(&self, path: &str) -> Result<OwnedFd, RootError> {
        let opened = self.open(path, OFlags::RDONLY | OFlags::DIRECTORY);
        opened.map_err(|errno| RootError { path: path.to_owned(), errno })
    }

    fn hold_raw(&self, path: &str, limit: usize) -> Result<OpenFile, Errno> {
        if let Backing::Memory(tree) = &self.backing {
            return Ok(OpenFile {
                content: Content::Memory(tree.read_regular(path, limit)?.bytes),
            });
        }
        let file = self.open_regular(path)?;
        Ok(OpenFile { content: Content::Open(File::from(file)) })
    }
}

impl OpenFile {
    /// Returns the identity of the file: device and inode; `None` for a host in memory.
    #[must_use]
    pub fn identity(&self) -> Option<(u64, u64)> {
        match &self.content {
            Content::Open(file) => file.metadata().ok().map(|file| (file.dev(), file.ino())),
            Content::Memory(_) => None,
        }
    }

    /// True if the file has holes: fewer bytes are reserved for it than it has.
    #[must_use]
    pub fn is_sparse(&self) -> bool {
        match &self.content {
            Content::Open(file) => {
                let reserved = |file: &Metadata| file.blocks().saturating_mul(512);
                file.metadata().is_ok_and(|file| reserved(&file) < file.len())
            }
            Content::Memory(_) => false,
        }
    }

    /// Returns a reader from the first byte on.
    #[must_use]
    pub fn reader(&self) -> impl io::Read + '_ {
        OpenFileReader { file: self, offset: 0 }
    }

    /// Returns its current size in bytes.
    ///
    /// # Errors
    /// If the system does not report it.
    pub fn size(&self) -> io::Result<u64> {
        match &self.content {
            Content::Open(file) => file.metadata().map(|status| status.len()),
            Content::Memory(bytes) => Ok(bytes.len() as u64),
        }
    }

    /// Fills the buffer with the bytes at an offset.
    ///
    /// # Errors
    /// If there are too few, or they cannot be read.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        match &self.content {
            Content::Open(file) => file.read_exact_at(buffer, offset),
            Content::Memory(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let rest = bytes.get(start..).and_then(|rest| rest.get(..buffer.len()));
                buffer.copy_from_slice(rest.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }
}

/// Reads an [`OpenFile`] from its first byte to its last.
struct OpenFileReader<'a> {
    file: &'a OpenFile,
    offset: u64,
}

impl io::Read for OpenFileReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &self.file.content {
            Content::Open(file) => file.read_at(buffer, self.offset)?,
            Content::Memory(bytes) => {
                let start = usize::try_from(self.offset).unwrap_or(usize::MAX);
                io::Read::read(&mut bytes.get(start..).unwrap_or_default(), buffer)?
            }
        };
        self.offset += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Entry, Tree};
    use super::*;

    #[test]
    fn a_file_that_was_removed_is_still_there() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "content").unwrap();
        let mut tree = Tree::new();
        tree.put("/file", Entry::file("content"));
        for root in [Root::directory(folder.path()).unwrap(), Root::memory(tree)] {
            let held = root.hold("/file", 100).unwrap();
            drop(std::fs::remove_file(folder.path().join("file")));
            let mut buffer = [0; 4];
            held.read_at(3, &mut buffer).unwrap();
            assert_eq!((held.size().unwrap(), &buffer), (7, b"tent"));
            assert!(held.read_at(4, &mut buffer).is_err());
            assert_eq!(io::read_to_string(held.reader()).unwrap(), "content");
        }
        let root = Root::directory(folder.path()).unwrap();
        assert!(root.hold("/", 1).is_err());
        assert!(root.hold("/file", 1).unwrap_err().is_absent());
    }
}
