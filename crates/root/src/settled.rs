//! A file that other processes write: read repeatedly until two reads agree.

use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::io::{Errno, retry_on_intr};

use super::{File, Place, Root, RootError, Status, Tree};

/// Reads files of one kind, one after the other.
#[derive(Debug)]
pub struct Settler<'a> {
    root: &'a Root,
    limit: usize,
    reads: usize,
    /// The bytes of the last two reads. The buffers are reused for the next file.
    last: Vec<u8>,
    next: Vec<u8>,
}

/// The stable content of a file.
#[derive(Debug)]
pub struct Settled<'a> {
    /// Its bytes, up to the limit of the read; `None` if no two reads agreed.
    pub bytes: Option<&'a [u8]>,
    /// The file's owner.
    pub status: Status,
}

/// The open file, even if another takes its name.
enum Source<'a> {
    Open(OwnedFd),
    Memory(&'a Tree, &'a str),
}

impl Root {
    /// Creates a reader of the first `limit` bytes of files, until two reads of each agree, at most `reads` times after
    /// the first.
    #[must_use]
    pub fn settler(&self, limit: usize, reads: usize) -> Settler<'_> {
        Settler { root: self, limit, reads, last: Vec::new(), next: Vec::new() }
    }
}

impl Settler<'_> {
    /// Reads a regular file.
    ///
    /// # Errors
    /// As [`Root::read_regular`].
    pub fn read(&mut self, path: &str) -> Result<Settled<'_>, RootError> {
        let settled = self.settle(path);
        let copy = || File { bytes: self.last.clone() };
        if self.root.capture.is_some() {
            let read = settled.as_ref().map(|_| copy()).map_err(|errno| *errno);
            self.root.note_read(path, &read);
        }
        let (is_settled, status) =
            settled.map_err(|errno| RootError { path: path.to_owned(), errno })?;
        Ok(Settled { bytes: is_settled.then_some(self.last.as_slice()), status })
    }

    /// Returns whether two reads agreed, and the file's owner.
    fn settle(&mut self, path: &str) -> Result<(bool, Status), Errno> {
        let source = match &self.root.place {
            Place::Memory(tree) => Source::Memory(tree, path),
            Place::System | Place::Directory { .. } => Source::Open(self.root.open_regular(path)?),
        };
        source.read(&mut self.last, self.limit)?;
        for _ in 0..self.reads {
            source.read(&mut self.next, self.limit)?;
            if self.next == self.last {
                return Ok((true, source.status()?));
            }
            std::mem::swap(&mut self.last, &mut self.next);
        }
        Ok((false, source.status()?))
    }
}

impl Source<'_> {
    fn read(&self, bytes: &mut Vec<u8>, limit: usize) -> Result<(), Errno> {
        match self {
            Self::Memory(tree, path) => *bytes = tree.read_regular(path, limit)?.bytes,
            Self::Open(file) => read_from_start(file, bytes, limit)?,
        }
        Ok(())
    }

    fn status(&self) -> Result<Status, Errno> {
        match self {
            Self::Memory(tree, path) => tree.status(path),
            Self::Open(file) => rustix::fs::fstat(file).map(|status| Status::of(&status)),
        }
    }
}

/// Reads as much at once as the system returns, from offset 0.
fn read_from_start(file: &OwnedFd, bytes: &mut Vec<u8>, limit: usize) -> Result<(), Errno> {
    bytes.clear();
    bytes.reserve(limit);
    while bytes.len() < limit {
        let offset = bytes.len() as u64;
        if retry_on_intr(|| rustix::io::pread(file, spare_capacity(bytes), offset))? == 0 {
            break;
        }
    }
    bytes.truncate(limit);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Entry;

    #[test]
    fn a_file_that_stands_still_is_read_up_to_its_limit() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("region"), vec![7; 20_000]).unwrap();
        let root = Root::directory(directory.path()).unwrap();
        for (limit, length) in [(9_000, 9_000), (30_000, 20_000)] {
            let mut settler = root.settler(limit, 1);
            let settled = settler.read("/region").unwrap();
            assert_eq!(settled.bytes.unwrap(), vec![7; length]);
            assert_eq!(settled.status, root.status("/region").unwrap());
            assert!(settler.read("/none").unwrap_err().is_absent());
        }
    }

    #[test]
    fn two_reads_in_a_row_must_agree() {
        let texts = ["a", "b", "a", "c", "c"];
        let settled = |reads| {
            let mut tree = Tree::new();
            tree.put("/f", Entry::changing(texts.map(Entry::file).into()));
            let root = Root::memory(tree);
            let mut settler = root.settler(9, reads);
            settler.read("/f").unwrap().bytes.map(<[u8]>::to_vec)
        };
        assert_eq!(settled(3), None);
        assert_eq!(settled(4).unwrap(), b"c");
    }
}
