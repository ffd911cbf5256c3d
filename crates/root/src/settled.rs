//! A file that other processes write: read repeatedly until two reads agree.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::fs::Stat;
use rustix::io::{Errno, retry_on_intr};

use super::folder::Version;
use super::{Backing, File, Root, RootError, Status, Tree};

/// Files that stay open from one sample to the next. A file that was renamed or removed meanwhile is closed, so that
/// another file of its name is noticed.
#[derive(Debug, Default)]
pub struct OpenRegulars {
    /// Identity of the directory that they are in.
    directory: Option<(u64, u64)>,
    files: BTreeMap<String, (OwnedFd, Version)>,
    /// Files that were read in this sample.
    read: BTreeMap<String, (OwnedFd, Version)>,
}

/// Reads files of one kind, one after the other.
#[derive(Debug)]
pub struct Settler<'a> {
    root: &'a Root,
    limit: usize,
    reads: usize,
    /// The bytes of the last two reads. The buffers are reused for the next file.
    last: Vec<u8>,
    next: Vec<u8>,
    kept: Option<&'a mut OpenRegulars>,
}

/// The stable content of a file.
#[derive(Debug)]
pub struct Settled<'a> {
    /// Bytes of the file, up to the limit of the read; `None` if no two reads agreed.
    pub bytes: Option<&'a [u8]>,
    /// The file's owner.
    pub status: Status,
}

/// The open file, even if another takes its name.
enum Source<'a> {
    Open(&'a OwnedFd),
    Memory(&'a Tree, &'a str),
}

impl Root {
    /// Creates a reader of the first `limit` bytes of files, until two reads of each agree, at most `reads` times after
    /// the first.
    #[must_use]
    pub fn settler(&self, limit: usize, reads: usize) -> Settler<'_> {
        Settler { root: self, limit, reads, last: Vec::new(), next: Vec::new(), kept: None }
    }
}

impl<'a> Settler<'a> {
    /// Keeps the files of one directory, with this identity, open for the next sample.
    #[must_use]
    pub fn keeping(mut self, kept: &'a mut OpenRegulars, directory: (u64, u64)) -> Self {
        if kept.directory.replace(directory) != Some(directory) {
            kept.files.clear();
        }
        self.kept = Some(kept);
        self
    }
}

impl Drop for Settler<'_> {
    /// Closes the files of the last look that were not read in this one.
    fn drop(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.files = std::mem::take(&mut kept.read);
        }
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
        match &self.root.backing {
            Backing::Memory(tree) => {
                let is_settled = self.agree(&Source::Memory(tree, path))?;
                Ok((is_settled, tree.status(path)?))
            }
            Backing::System | Backing::Directory { .. } => {
                let (file, status) = self.open(path)?;
                let is_settled = self.agree(&Source::Open(&file))?;
                let version = Version::of(&status);
                if let Some(kept) = self.kept.as_mut().filter(|_| version.is_settled()) {
                    kept.read.insert(path.to_owned(), (file, version));
                }
                Ok((is_settled, Status::of(&status)))
            }
        }
    }

    /// Returns the file of the last sample if it still has its name, else the file that has the name now.
    fn open(&mut self, path: &str) -> Result<(OwnedFd, Stat), Errno> {
        let kept = self.kept.as_mut().and_then(|kept| kept.files.remove(path));
        if let Some((file, version)) = kept {
            let status = rustix::fs::fstat(&file)?;
            if Version::of(&status).is_same(&version) {
                return Ok((file, status));
            }
        }
        let file = self.root.open_regular(path)?;
        let status = rustix::fs::fstat(&file)?;
        Ok((file, status))
    }

    fn agree(&mut self, source: &Source<'_>) -> Result<bool, Errno> {
        source.read(&mut self.last, self.limit)?;
        for _ in 0..self.reads {
            source.read(&mut self.next, self.limit)?;
            if self.next == self.last {
                return Ok(true);
            }
            std::mem::swap(&mut self.last, &mut self.next);
        }
        Ok(false)
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
    fn a_file_that_stays_open_reads_as_the_one_that_has_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let root = Root::directory(directory.path()).unwrap();
        let mut kept = OpenRegulars::default();
        let mut read = || {
            let mut settler = root.settler(9, 1).keeping(&mut kept, (1, 2));
            let read = settler.read("/region").map(|settled| settled.bytes.map(<[u8]>::to_vec));
            drop(settler);
            let fresh = root.read("/region", 9).map(|file| Some(file.bytes));
            assert_eq!(read, fresh);
            kept.files.len()
        };
        assert_eq!(read(), 0);
        let changes: [&dyn Fn(); 4] = [
            &|| std::fs::write(at("region"), "one").unwrap(),
            &|| {
                std::fs::write(at("new"), "two").unwrap();
                std::fs::rename(at("new"), at("region")).unwrap();
            },
            &|| {
                std::fs::rename(at("region"), at("old")).unwrap();
                std::fs::write(at("region"), "three").unwrap();
            },
            &|| std::fs::remove_file(at("region")).unwrap(),
        ];
        for change in changes {
            change();
            read();
            std::thread::sleep(std::time::Duration::from_millis(150));
            assert_eq!(read(), read());
        }
        std::fs::write(at("region"), "four").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(150));
        assert_eq!((read(), read()), (1, 1));
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
