//! A directory that is opened once to read several files: its path is resolved once.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use super::{Backing, Clock, File, Root, RootError, read_attribute, read_file, trimmed};

/// An open directory of a [`Root`]. It stays the same directory even if another takes its name.
#[derive(Debug)]
pub struct Folder<'a> {
    root: &'a Root,
    path: String,
    /// `None` for a host in memory. The error of opening it is returned by every read.
    handle: Result<Option<OwnedFd>, Errno>,
}

/// Age of a change of a directory after which the next one has another time, in nanoseconds. Kernels keep these times in
/// ticks of up to 10 ms.
const TICK_NS: i128 = 100_000_000;

/// State of a file or directory: another one once it was written, renamed or removed, or a name in the directory was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    /// Device and inode.
    pub(crate) identity: (u64, u64),
    /// Time of the last change of its content or names, and of its own attributes: nanoseconds since 1970.
    changed_ns: [i128; 2],
    /// True if a later change is sure to have another time.
    is_settled: bool,
}

impl Version {
    /// Takes the state that the kernel reports.
    pub(crate) fn of(status: &Stat) -> Self {
        let at = |seconds: i64, rest| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        let changed_ns =
            [at(status.st_mtime, status.st_mtime_nsec), at(status.st_ctime, status.st_ctime_nsec)];
        let now_ns = i128::from(Clock::System.now().0) * 1000;
        let is_settled = changed_ns.iter().all(|changed| now_ns - changed > TICK_NS);
        Self { identity: (status.st_dev, status.st_ino), changed_ns, is_settled }
    }

    /// True if nothing has changed from `earlier` to this one.
    pub(crate) fn is_same(self, earlier: &Self) -> bool {
        (self.identity, self.changed_ns) == (earlier.identity, earlier.changed_ns)
    }

    /// True if a change after this version was taken is sure to show.
    pub(crate) fn is_settled(self) -> bool {
        self.is_settled
    }
}

impl Root {
    /// Opens a directory to read files in it.
    #[must_use]
    pub fn folder(&self, path: impl Into<String>) -> Folder<'_> {
        let path = path.into();
        let handle = match &self.backing {
            Backing::Memory(_) => Ok(None),
            Backing::System | Backing::Directory { .. } => {
                self.open(&path, OFlags::PATH | OFlags::DIRECTORY).map(Some)
            }
        };
        Folder { root: self, path, handle }
    }
}

impl Root {
    /// Returns the state of the directory that a path names now, to be compared with that of a directory that was
    /// opened. A link out of a host in a directory is followed: what it leads to is another one, and is not opened.
    ///
    /// # Errors
    /// If there is nothing.
    pub(crate) fn version_at(&self, path: &str) -> Result<Version, Errno> {
        let status = match &self.backing {
            Backing::Directory { handle } => {
                rustix::fs::statat(handle, path.trim_start_matches('/'), AtFlags::empty())
            }
            Backing::System | Backing::Memory(_) => rustix::fs::stat(path),
        };
        status.map(|status| Version::of(&status))
    }
}

impl Folder<'_> {
    /// Returns the path of a file in it, as on the host.
    #[must_use]
    pub fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.path)
    }

    /// Reads the first `limit` bytes of a file in it.
    ///
    /// # Errors
    /// As [`Root::read`].
    pub fn read(&self, name: &str, limit: usize) -> Result<File, RootError> {
        let read = match &self.root.backing {
            Backing::Memory(tree) => tree.read(&self.path(name), limit),
            Backing::System | Backing::Directory { .. } => {
                self.open(name).and_then(|file| read_file(&file, limit))
            }
        };
        if self.root.capture.is_some() {
            self.root.note_read(&self.path(name), &read);
        }
        read.map_err(|errno| self.error(name, errno))
    }

    /// Reads a short text file in it, without trailing white space. Bytes that are not UTF-8 are replaced.
    ///
    /// # Errors
    /// As [`Root::read_text`].
    pub(crate) fn read_text(&self, name: &str) -> Result<String, RootError> {
        match &self.root.backing {
            Backing::Memory(_) => self.root.read_text(&self.path(name)),
            Backing::System | Backing::Directory { .. } if self.path.starts_with("/sys/") => {
                let read = self.open(name).and_then(|file| read_attribute(&file));
                if self.root.capture.is_some() {
                    self.root.note_text(&self.path(name), &read);
                }
                read.map_err(|errno| self.error(name, errno))
            }
            Backing::System | Backing::Directory { .. } => {
                self.read(name, super::PAGE).map(|file| trimmed(&file.bytes))
            }
        }
    }

    /// Returns the target of a symbolic link in it, unresolved.
    ///
    /// # Errors
    /// As [`Root::link`].
    pub fn link(&self, name: &str) -> Result<PathBuf, RootError> {
        // The path of the link may contain links itself, and only the root can resolve those.
        if name.contains('/') || matches!(self.root.backing, Backing::Memory(_)) {
            return self.root.link(&self.path(name));
        }
        let read = self
            .handle()
            .and_then(|handle| rustix::fs::readlinkat(handle, name, Vec::new()))
            .map(|target| PathBuf::from(OsString::from_vec(target.into_bytes())));
        if self.root.capture.is_some() {
            self.root.note_link(&self.path(name), &read);
        }
        read.map_err(|errno| self.error(name, errno))
    }

    /// Returns the state of the directory, also of one that is removed meanwhile.
    ///
    /// # Errors
    /// If it could not be opened.
    pub(crate) fn version(&self) -> Result<Version, Errno> {
        rustix::fs::fstat(self.handle()?).map(|status| Version::of(&status))
    }

    /// Opens a file of the directory that is no link.
    ///
    /// # Errors
    /// `ELOOP` for a link; otherwise those of opening a file.
    pub(crate) fn open_itself(&self, name: &str) -> Result<OwnedFd, Errno> {
        let flags = self.root.read | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        if name.contains('/') {
            return Err(Errno::LOOP);
        }
        rustix::fs::openat(self.handle()?, name, flags, Mode::empty())
    }

    fn handle(&self) -> Result<&OwnedFd, Errno> {
        self.handle.as_ref().map_err(|errno| *errno)?.as_ref().ok_or(Errno::NOENT)
    }

    fn error(&self, name: &str, errno: Errno) -> RootError {
        RootError { path: self.path(name), errno }
    }

    fn open(&self, name: &str) -> Result<OwnedFd, Errno> {
        let handle = self.handle()?;
        let flags = self.root.read | OFlags::CLOEXEC;
        if let Backing::System = self.root.backing {
            return rustix::fs::openat(handle, name, flags, Mode::empty());
        }
        let opened = if name.contains('/') {
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
            rustix::fs::openat2(handle, name, flags, Mode::empty(), resolve)
        } else {
            rustix::fs::openat(handle, name, flags | OFlags::NOFOLLOW, Mode::empty())
        };
        match opened {
            // A link may lead out of the directory, and only the root knows where it may lead to.
            Err(Errno::LOOP | Errno::XDEV) => self.root.open(&self.path(name), self.root.read),
            opened => opened,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::*;
    use crate::{Entry, Tree};

    const PLACE: &str = "/sys/devices/chip";

    /// Creates a directory with a chip, on disk and in memory.
    fn hosts() -> (tempfile::TempDir, [Root; 2]) {
        let directory = tempfile::tempdir().unwrap();
        let chip = directory.path().join("sys/devices/chip");
        std::fs::create_dir_all(&chip).unwrap();
        std::fs::write(chip.join("clock"), "1000\n").unwrap();
        std::fs::write(directory.path().join("sys/version"), "2.10.0\n").unwrap();
        let mut tree = Tree::new();
        tree.put_line(format!("{PLACE}/clock"), 1000);
        tree.put_line("/sys/version", "2.10.0");
        let links = [("version", "/sys/version"), ("out", "../../../../etc/passwd")];
        for (name, target) in links {
            symlink(target, chip.join(name)).unwrap();
            tree.put(format!("{PLACE}/{name}"), Entry::Link(target.to_owned()));
        }
        let roots = [Root::directory(directory.path()).unwrap(), Root::memory(tree)];
        (directory, roots)
    }

    #[test]
    fn a_file_of_a_folder_is_what_its_path_is() {
        let (_directory, roots) = hosts();
        for root in &roots {
            let folder = root.folder(PLACE);
            assert_eq!(folder.read_text("clock").unwrap(), "1000");
            assert_eq!(folder.read("clock", 2).unwrap().bytes, b"10");
            assert_eq!(folder.read_text("version").unwrap(), "2.10.0");
            assert_eq!(folder.link("version").unwrap(), Path::new("/sys/version"));
            for name in ["none", "out", "../../../etc/passwd"] {
                let error = folder.read_text(name).unwrap_err();
                assert_eq!(error, root.read_text(&folder.path(name)).unwrap_err(), "{name}");
                assert!(error.is_absent(), "{error}");
            }
        }
    }

    #[test]
    fn files_of_a_folder_that_is_not_there_are_not_there() {
        let (_directory, roots) = hosts();
        for root in &roots {
            for path in ["/sys/none", "/sys/version"] {
                let folder = root.folder(path);
                assert!(folder.read_text("clock").unwrap_err().is_absent());
                assert!(folder.link("version").unwrap_err().is_absent());
            }
        }
    }

    #[test]
    fn another_directory_in_its_place_is_another_folder() {
        let (directory, [root, _]) = hosts();
        let folder = root.folder(PLACE);
        std::fs::remove_dir_all(directory.path().join("sys/devices/chip")).unwrap();
        std::fs::create_dir(directory.path().join("sys/devices/chip")).unwrap();
        std::fs::write(directory.path().join("sys/devices/chip/clock"), "800").unwrap();
        assert!(folder.read_text("clock").unwrap_err().is_absent());
        assert_eq!(root.folder(PLACE).read_text("clock").unwrap(), "800");
    }
}
