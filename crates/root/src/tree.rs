//! A host in memory: paths and their entries.

use std::collections::BTreeMap;
use std::collections::btree_map::Range;
use std::ffi::OsString;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use ttmem_model::order;

use rustix::io::Errno;

use super::regular::{IRREGULAR, RegularFile};
use super::{EntryStatus, File, Status};

/// Links followed before a path counts as a loop, as in Linux.
const MAX_LINKS: usize = 40;

/// An entry of a tree in memory: a directory, a file or a link.
#[derive(Debug)]
pub enum Entry {
    /// A file: its bytes and the user who owns it.
    File {
        /// Content.
        bytes: Vec<u8>,
        /// User number of the owner.
        uid: u32,
    },
    /// A symbolic link.
    Link(String),
    /// An empty directory. Directories with content need no entry.
    Directory,
    /// A path that returns this error at every read.
    Error(Errno),
    /// A file that returns the next entry at each read and then stays at the last: a host that changes while it is
    /// read.
    Changing {
        /// The entries in order.
        entries: Vec<Entry>,
        /// Reads so far.
        reads: AtomicUsize,
    },
}

impl Entry {
    /// Creates a file of root's.
    pub fn file(bytes: impl Into<Vec<u8>>) -> Self {
        Self::File { bytes: bytes.into(), uid: 0 }
    }

    /// Creates a file that changes with each read.
    #[must_use]
    pub fn changing(entries: Vec<Entry>) -> Self {
        Self::Changing { entries, reads: AtomicUsize::new(0) }
    }
}

/// A host in memory.
#[derive(Debug, Default)]
pub struct Tree {
    entries: BTreeMap<String, Entry>,
}

impl Tree {
    /// Creates a host without files.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the entry at an absolute path, replacing an earlier one.
    pub fn put(&mut self, path: impl Into<String>, entry: Entry) {
        self.entries.insert(path.into(), entry);
    }

    /// Sets a text file with a final newline at an absolute path.
    pub fn put_line(&mut self, path: impl Into<String>, text: impl std::fmt::Display) {
        self.put(path, Entry::file(format!("{text}\n")));
    }

    /// Removes a path and everything below it.
    pub fn remove(&mut self, path: &str) {
        let below = format!("{path}/");
        self.entries.retain(|name, _| name != path && !name.starts_with(&below));
    }

    /// Returns every path and its entry, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// Writes the tree into a directory, and returns the bytes that were written. A file whose read is denied becomes an
    /// empty one without permissions; zeros of a file are left out where its file system can (a sparse file).
    ///
    /// # Errors
    /// If a file cannot be written, or an entry has no counterpart on disk (another error, a changing file).
    pub fn write_to(&self, directory: &Path) -> std::io::Result<u64> {
        let mut written = 0;
        let is_link = |entry: &Entry| matches!(entry, Entry::Link(_));
        // Links come last: no file is written through one.
        let files = self.entries.iter().filter(|(_, entry)| !is_link(entry));
        let mut made = PathBuf::new();
        for (path, entry) in files.chain(self.entries.iter().filter(|(_, entry)| is_link(entry))) {
            let target = directory.join(path.trim_start_matches('/'));
            if let Some(parent) = target.parent().filter(|parent| *parent != made) {
                std::fs::create_dir_all(parent)?;
                made = parent.to_owned();
            }
            match entry {
                Entry::File { bytes, .. } => written += write_sparse(&target, bytes)?,
                Entry::Link(to) => std::os::unix::fs::symlink(to, &target)?,
                Entry::Directory => std::fs::create_dir_all(&target)?,
                Entry::Error(Errno::ACCESS | Errno::PERM) => {
                    std::fs::OpenOptions::new()
                        .write(true)
                        .create_new(true)
                        .mode(0o000)
                        .open(&target)?;
                }
                Entry::Error(_) | Entry::Changing { .. } => {
                    return Err(std::io::Error::other(format!("{path} exists only in memory")));
                }
            }
        }
        Ok(written)
    }

    pub(super) fn read(&self, path: &str, limit: usize) -> Result<File, Errno> {
        let path = self.resolve(path, true)?;
        let Some(entry) = self.entries.get(&path) else {
            return Err(if self.is_directory(&path) { Errno::ISDIR } else { Errno::NOENT });
        };
        Ok(File { bytes: content(entry)?.iter().copied().take(limit).collect() })
    }

    /// Reads a file, unless the last component of its path is a link or a directory.
    pub(super) fn read_regular(&self, path: &str, limit: usize) -> Result<RegularFile, Errno> {
        let path = self.resolve(path, false)?;
        if self.is_directory(&path) {
            return Err(IRREGULAR);
        }
        let bytes = content(self.entries.get(&path).ok_or(Errno::NOENT)?)?;
        let size = bytes.len() as u64;
        let bytes = bytes.iter().copied().take(limit).collect();
        Ok(RegularFile { bytes, size, allocated: size, status: self.status(&path)? })
    }

    pub(super) fn entry_status(&self, path: &str) -> Result<EntryStatus, Errno> {
        let path = self.resolve(path, false)?;
        let uid = match self.entries.get(&path) {
            Some(Entry::File { uid, .. }) => Some(*uid),
            Some(_) => None,
            None if self.is_directory(&path) => None,
            None => return Err(Errno::NOENT),
        };
        Ok(EntryStatus { uid, changed_ns: 0 })
    }

    pub(super) fn status(&self, path: &str) -> Result<Status, Errno> {
        let path = self.resolve(path, true)?;
        let uid = match self.entries.get(&path) {
            Some(Entry::File { uid, .. }) => Some(*uid),
            Some(_) => None,
            None if self.is_directory(&path) => None,
            None => return Err(Errno::NOENT),
        };
        // The count of paths before it is unique, and serves as the inode number.
        let inode = self.entries.keys().take_while(|name| **name < path).count() as u64;
        let is_file = u64::from(self.entries.contains_key(&path));
        Ok(Status { uid, identity: (is_file, inode) })
    }

    pub(super) fn list(&self, path: &str) -> Result<Vec<OsString>, Errno> {
        let path = self.resolve(path, true)?;
        if let Some(Entry::Error(errno)) = self.entries.get(&path) {
            return Err(*errno);
        }
        if !self.is_directory(&path) {
            return Err(if self.entries.contains_key(&path) {
                Errno::NOTDIR
            } else {
                Errno::NOENT
            });
        }
        let below = format!("{path}/");
        let mut names: Vec<OsString> = self
            .below(&below)
            .filter_map(|(name, _)| name[below.len()..].split('/').next())
            .map(OsString::from)
            .collect();
        names.dedup();
        order::sort(&mut names);
        names.dedup();
        Ok(names)
    }

    pub(super) fn link(&self, path: &str) -> Result<PathBuf, Errno> {
        let path = self.resolve(path, false)?;
        match self.entries.get(&path) {
            Some(Entry::Link(target)) => Ok(PathBuf::from(target)),
            Some(Entry::Error(errno)) => Err(*errno),
            Some(_) => Err(Errno::INVAL),
            None => Err(if self.is_directory(&path) { Errno::INVAL } else { Errno::NOENT }),
        }
    }

    /// Returns the path without links, `.` and `..`; the last component is followed on request.
    fn resolve(&self, path: &str, follow_last: bool) -> Result<String, Errno> {
        let mut todo: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let mut done = String::new();
        let mut links = 0;
        while let Some(component) = todo.pop() {
            match component.as_str() {
                "" | "." => {}
                ".." => done.truncate(done.rfind('/').unwrap_or(0)),
                _ => {
                    let candidate = format!("{done}/{component}");
                    let last = todo.iter().all(String::is_empty);
                    match self.entries.get(&candidate) {
                        Some(Entry::Link(target)) if follow_last || !last => {
                            links += 1;
                            if links > MAX_LINKS {
                                return Err(Errno::LOOP);
                            }
                            if target.starts_with('/') {
                                done.clear();
                            }
                            todo.extend(target.split('/').rev().map(str::to_owned));
                        }
                        Some(Entry::Error(errno)) if !last => return Err(*errno),
                        _ => done = candidate,
                    }
                }
            }
        }
        Ok(done)
    }

    fn is_directory(&self, path: &str) -> bool {
        let below = format!("{path}/");
        matches!(self.entries.get(path), Some(Entry::Directory))
            || self.below(&below).next().is_some()
    }

    fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a String, &'a Entry)> {
        let range: Range<'a, String, Entry> = self
            .entries
            .range::<str, _>((std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded));
        range.take_while(move |(name, _)| name.starts_with(prefix))
    }
}

fn content(entry: &Entry) -> Result<&[u8], Errno> {
    match entry {
        Entry::File { bytes, .. } => Ok(bytes),
        Entry::Error(errno) => Err(*errno),
        Entry::Directory => Err(Errno::ISDIR),
        Entry::Link(_) => Err(Errno::LOOP),
        Entry::Changing { entries, reads } => {
            let read = reads.fetch_add(1, Ordering::Relaxed);
            let entry = entries.get(read).or(entries.last()).ok_or(Errno::NOENT)?;
            content(entry)
        }
    }
}

/// Writes a new file without its blocks of zeros, which read as zeros all the same. Returns the bytes that were written.
fn write_sparse(path: &Path, bytes: &[u8]) -> std::io::Result<u64> {
    const BLOCK: usize = 4096;
    let file = std::fs::File::create(path)?;
    file.set_len(bytes.len() as u64)?;
    let mut written = 0;
    for (offset, block) in (0_u64..).step_by(BLOCK).zip(bytes.chunks(BLOCK)) {
        if block.iter().any(|byte| *byte != 0) {
            file.write_all_at(block, offset)?;
            written += block.len() as u64;
        }
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        let mut tree = Tree::new();
        tree.put_line("/sys/bus/pci/devices/a/tenstorrent/t!0/tt_aiclk", 1000);
        tree.put("/sys/bus/pci/devices/a/tenstorrent/t!0/device", Entry::Link("../..".into()));
        tree.put_line("/sys/bus/pci/devices/a/vendor", "0x1e52");
        tree.put(
            "/sys/class/tenstorrent/t!0",
            Entry::Link("../../bus/pci/devices/a/tenstorrent/t!0".into()),
        );
        tree
    }

    #[test]
    fn links_and_dots_are_followed() {
        let tree = tree();
        let read = |path| tree.read(path, 99).map(|file| String::from_utf8(file.bytes).unwrap());
        assert_eq!(read("/sys/class/tenstorrent/t!0/tt_aiclk").unwrap(), "1000\n");
        assert_eq!(read("/sys/class/tenstorrent/t!0/device/vendor").unwrap(), "0x1e52\n");
        assert_eq!(read("/sys/class/tenstorrent/t!0").unwrap_err(), Errno::ISDIR);
        assert_eq!(read("/sys/none").unwrap_err(), Errno::NOENT);
    }

    #[test]
    fn a_directory_lists_its_own_names_once() {
        assert_eq!(tree().list("/sys/class/tenstorrent/t!0").unwrap(), ["device", "tt_aiclk"]);
        assert_eq!(tree().list("/sys/bus/pci/devices/a").unwrap(), ["tenstorrent", "vendor"]);
    }

    #[test]
    fn a_changing_file_ends_at_its_last_entry() {
        let mut tree = Tree::new();
        tree.put(
            "/f",
            Entry::changing(vec![Entry::file("a"), Entry::Error(Errno::NODEV), Entry::file("c")]),
        );
        let read = || tree.read("/f", 9).map(|file| file.bytes);
        assert_eq!(read().unwrap(), b"a");
        assert_eq!(read().unwrap_err(), Errno::NODEV);
        assert_eq!(read().unwrap(), b"c");
        assert_eq!(read().unwrap(), b"c");
    }

    #[test]
    fn zeros_of_a_file_take_no_room() {
        use std::os::unix::fs::MetadataExt as _;
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = vec![0; 3 << 20];
        bytes[..5].copy_from_slice(b"begin");
        bytes.extend_from_slice(b"end");
        let mut tree = Tree::new();
        tree.put("/segment", Entry::file(bytes.clone()));
        tree.put("/zeros", Entry::file(vec![0; 9000]));
        assert_eq!(tree.write_to(folder.path()).unwrap(), 4096 + 3);
        let path = folder.path().join("segment");
        assert!(std::fs::read(&path).unwrap() == bytes);
        assert_eq!(std::fs::read(folder.path().join("zeros")).unwrap(), [0; 9000]);
        // A file system without holes fills them.
        let blocks = std::fs::metadata(&path).unwrap().blocks();
        assert!(!(1024..6144).contains(&blocks), "{blocks}");
    }

    #[test]
    fn a_loop_of_links_is_an_error() {
        let mut tree = Tree::new();
        tree.put("/a", Entry::Link("/b".into()));
        tree.put("/b", Entry::Link("/a".into()));
        assert_eq!(tree.read("/a", 1).unwrap_err(), Errno::LOOP);
    }
}
