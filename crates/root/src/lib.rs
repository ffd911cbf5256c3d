//! Read-only access to the host's files.
//!
//! Every path that `ttmem` reads (`/sys`, `/proc`, `/dev`, `/dev/shm`, `/etc/passwd`) goes through a [`Root`]: the
//! system itself, a directory that holds a captured or made-up host (`--root DIR`), or a [`Tree`] in memory
//! (`--demo`, tests). Nothing here can open a file for writing.
//!
//! Symbolic links of a directory root are resolved inside it, so that a capture cannot refer to files outside. Links
//! below `/proc/PID/root` are resolved inside that tree, so that a container cannot refer to files of the host.

pub mod batch;
mod capture;
pub mod clock;
mod folder;
mod held;
mod kept;
mod list;
pub mod readers;
mod regular;
mod settled;
mod tree;

use std::ffi::OsString;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rustix::buffer::spare_capacity;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatVfsMountFlags};
use rustix::io::{Errno, retry_on_intr};
use ttmem_model::reading::Missing;

use capture::Capture;

pub use clock::Clock;
pub use folder::Folder;
pub use held::OpenFile;
pub use regular::RegularFile;
pub use settled::{OpenRegulars, Settled, Settler};
pub use tree::{Entry, Tree};

/// Open flags: a FIFO in a capture must not block, and regular files ignore the flag.
const READ: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// The most bytes of a short text file. An attribute of sysfs is never longer.
const PAGE: usize = 4096;

/// The location of a host's files.
#[derive(Debug)]
pub struct Root {
    backing: Backing,
    /// The flags for reading files.
    read: OFlags,
    /// The files that were read, if they are to be kept.
    capture: Option<Mutex<Capture>>,
}

#[derive(Debug)]
enum Backing {
    System,
    Directory { handle: OwnedFd },
    Memory(Tree),
}

/// The content of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Bytes of the file, up to the limit of the read.
    pub bytes: Vec<u8>,
}

/// The owner and identity of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The user who owns it, if known.
    pub uid: Option<u32>,
    /// Device and inode: identical for one file under every path.
    pub identity: (u64, u64),
}

/// The owner and age of a directory entry itself: of a link, not of its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryStatus {
    /// The user who owns it, if known.
    pub uid: Option<u32>,
    /// The last change of the entry (`st_ctime`): nanoseconds since 1970; 0 for a host in memory.
    pub changed_ns: i128,
}

impl EntryStatus {
    fn of(status: &rustix::fs::Stat) -> Self {
        let seconds = i128::from(status.st_ctime);
        let changed_ns = seconds * 1_000_000_000 + i128::from(status.st_ctime_nsec);
        Self { uid: Some(status.st_uid), changed_ns }
    }
}

impl Status {
    fn of(status: &rustix::fs::Stat) -> Self {
        Self { uid: Some(status.st_uid), identity: (status.st_dev, status.st_ino) }
    }
}

/// The access rights of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Readable and writable.
    Granted,
    /// Permission denied.
    Denied,
    /// The path does not exist.
    Absent,
}

/// The error of a failed read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {errno}")]
pub struct RootError {
    /// The path on the host.
    pub path: String,
    /// The kernel's error.
    pub errno: Errno,
}

impl RootError {
    /// True if the path does not exist.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self.errno, Errno::NOENT | Errno::NOTDIR)
    }

    /// True if permission is denied.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        matches!(self.errno, Errno::ACCESS | Errno::PERM)
    }

    /// True if the device behind the path is gone or being reset.
    #[must_use]
    pub fn is_vanished(&self) -> bool {
        matches!(self.errno, Errno::NODEV | Errno::NODATA | Errno::NXIO)
    }

    /// True if the path is a link, a directory, a device or a pipe where a regular file is required.
    #[must_use]
    pub fn is_irregular(&self) -> bool {
        self.errno == regular::IRREGULAR
    }

    /// Returns the missing reason for this error. A missing file means that the driver or firmware does not publish the
    /// reading.
    #[must_use]
    pub fn missing(&self) -> Missing {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        match self.errno {
            Errno::NOENT | Errno::NOTDIR => {
                Missing::unsupported(format!("this driver or firmware has no {name}"))
            }
            Errno::ACCESS | Errno::PERM => {
                Missing::denied(format!("{}: permission denied", self.path))
            }
            Errno::TIMEDOUT => Missing::failed(format!("{name}: timed out")),
            Errno::NODATA => Missing::failed(format!("{name}: no data while the chip resets")),
            Errno::NODEV | Errno::NXIO => Missing::failed(format!("{name}: the chip is gone")),
            regular::IRREGULAR => Missing::failed(format!("{name} is not a regular file")),
            _ => Missing::failed(format!("{self}")),
        }
    }
}

impl Root {
    /// Creates the root of the system that `ttmem` runs on.
    #[must_use]
    pub fn system() -> Self {
        Self { backing: Backing::System, read: READ, capture: None }
    }

    /// Creates the root of a captured or made-up host in a directory.
    ///
    /// # Errors
    /// If the directory cannot be opened.
    pub fn directory(path: &Path) -> Result<Self, RootError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|errno| RootError { path: path.display().to_string(), errno })?;
        Ok(Self { backing: Backing::Directory { handle }, read: READ, capture: None })
    }

    /// Creates the root of a host in memory.
    #[must_use]
    pub fn memory(tree: Tree) -> Self {
        Self { backing: Backing::Memory(tree), read: READ, capture: None }
    }

    /// Lets a read of a file that has no data yet wait for it, as a FIFO does. Only a reader process may wait.
    #[must_use]
    pub(crate) fn waiting(mut self) -> Self {
        self.read.remove(OFlags::NONBLOCK);
        self
    }

    /// True for the system that `ttmem` runs on: its processes are live and its clock is ours.
    #[must_use]
    pub fn is_system(&self) -> bool {
        matches!(self.backing, Backing::System)
    }

    /// True if files have the owners that they have on the host: those of a copy in a directory do not.
    #[must_use]
    pub fn has_owners(&self) -> bool {
        !matches!(self.backing, Backing::Directory { .. })
    }

    /// Reads the first `limit` bytes of a file.
    ///
    /// # Errors
    /// If it cannot be opened or read. A directory returns `EISDIR`.
    pub fn read(&self, path: &str, limit: usize) -> Result<File, RootError> {
        let read = self.read_raw(path, limit);
        self.note_read(path, &read);
        read.map_err(|errno| RootError { path: path.to_owned(), errno })
    }

    /// Reads a short text file, without trailing white space. Bytes that are not UTF-8 are replaced.
    ///
    /// # Errors
    /// If it cannot be opened or read.
    pub fn read_text(&self, path: &str) -> Result<String, RootError> {
        if !path.starts_with("/sys/") || matches!(self.backing, Backing::Memory(_)) {
            return self.read(path, PAGE).map(|file| trimmed(&file.bytes));
        }
        let read = self.open(path, self.read).and_then(|file| read_attribute(&file));
        self.note_text(path, &read);
        read.map_err(|errno| RootError { path: path.to_owned(), errno })
    }

    /// Returns the owner and identity of a file or directory, even of one that is not readable.
    ///
    /// # Errors
    /// If the path does not exist.
    pub fn status(&self, path: &str) -> Result<Status, RootError> {
        let status = match &self.backing {
            Backing::Memory(tree) => tree.status(path),
            Backing::System | Backing::Directory { .. } => self
                .open(path, OFlags::PATH)
                .and_then(|file| rustix::fs::fstat(&file))
                .map(|status| Status::of(&status)),
        };
        self.note_status(path, &status);
        status.map_err(|errno| RootError { path: path.to_owned(), errno })
    }

    /// Returns the owner and age of a path without following a link at its end.
    ///
    /// # Errors
    /// If the path does not exist.
    pub fn entry_status(&self, path: &str) -> Result<EntryStatus, RootError> {
        let status = match &self.backing {
            Backing::Memory(tree) => tree.entry_status(path),
            Backing::System if regular::in_mount_namespace(path).is_none() => {
                rustix::fs::lstat(path).map(|status| EntryStatus::of(&status))
            }
            Backing::System | Backing::Directory { .. } => self
                .open(path, OFlags::PATH | OFlags::NOFOLLOW)
                .and_then(|file| rustix::fs::fstat(&file))
                .map(|status| EntryStatus::of(&status)),
        };
        status.map_err(|errno| RootError { path: path.to_owned(), errno })
    }

    /// Returns the access rights of a file without opening it. In a captured host, a file without permissions is one that
    /// could not be opened.
    #[must_use]
    pub fn access(&self, path: &str) -> Access {
        let answer = match &self.backing {
            Backing::System => {
                let wanted = rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK;
                rustix::fs::accessat(CWD, path, wanted, AtFlags::EACCESS)
            }
            Backing::Directory { .. } => {
                self.open(path, OFlags::PATH).and_then(|file| permitted(&file))
            }
            Backing::Memory(tree) => tree.read(path, 0).map(|_file| ()),
        };
        let access = match answer {
            Ok(()) => Access::Granted,
            Err(Errno::NOENT | Errno::NOTDIR) => Access::Absent,
            Err(_) => Access::Denied,
        };
        self.note_access(path, access);
        access
    }

    /// Returns the bytes that an unprivileged user can still write to the file system of a path, 0 if it is mounted
    /// read-only; `None` for a captured host.
    #[must_use]
    pub fn free_bytes(&self, path: &str) -> Option<u64> {
        let status = self.is_system().then(|| rustix::fs::statvfs(path).ok()).flatten()?;
        if status.f_flag.contains(StatVfsMountFlags::RDONLY) {
            return Some(0);
        }
        status.f_bavail.checked_mul(status.f_frsize)
    }

    /// Returns the target of a symbolic link, unresolved.
    ///
    /// # Errors
    /// If there is no link or it cannot be read.
    pub fn link(&self, path: &str) -> Result<PathBuf, RootError> {
        let read = self.link_raw(path);
        self.note_link(path, &read);
        read.map_err(|errno| RootError { path: path.to_owned(), errno })
    }

    fn read_raw(&self, path: &str, limit: usize) -> Result<File, Errno> {
        if let Backing::Memory(tree) = &self.backing {
            return tree.read(path, limit);
        }
        read_file(&self.open(path, self.read)?, limit)
    }

    fn link_raw(&self, path: &str) -> Result<PathBuf, Errno> {
        let target = match &self.backing {
            Backing::Memory(tree) => return tree.link(path),
            Backing::System => rustix::fs::readlink(path, Vec::new())?,
            Backing::Directory { .. } => {
                // The parent is resolved inside the root; the link itself is not followed.
                let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
                let parent = self.open(parent, OFlags::PATH | OFlags::DIRECTORY)?;
                rustix::fs::readlinkat(&parent, name, Vec::new())?
            }
        };
        Ok(PathBuf::from(OsString::from_vec(target.into_bytes())))
    }

    fn open(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::CLOEXEC;
        match &self.backing {
            Backing::Directory { handle } => {
                let inside = path.trim_start_matches('/');
                let inside = if inside.is_empty() { "." } else { inside };
                regular::open_in_root(handle, inside, flags)
            }
            Backing::System => match regular::in_mount_namespace(path) {
                Some((tree, inside)) => regular::open_inside(tree, inside, flags),
                None => rustix::fs::openat(CWD, path, flags, Mode::empty()),
            },
            Backing::Memory(_) => rustix::fs::openat(CWD, path, flags, Mode::empty()),
        }
    }
}

/// Fails for a file without permissions, as a capture keeps one that could not be opened.
fn permitted(file: &OwnedFd) -> Result<(), Errno> {
    let anyone = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::WGRP | Mode::ROTH | Mode::WOTH;
    let mode = Mode::from_raw_mode(rustix::fs::fstat(file)?.st_mode);
    if mode.intersects(anyone) { Ok(()) } else { Err(Errno::ACCESS) }
}

/// Reads as much at once as most files have: torn reads are rarer, and the buffer does not grow.
fn read_file(file: &OwnedFd, limit: usize) -> Result<File, Errno> {
    const AT_ONCE: usize = 2 * PAGE;
    let mut piece = [0; AT_ONCE];
    let mut bytes = Vec::new();
    while bytes.len() < limit {
        let read = if bytes.len() < AT_ONCE {
            let room = piece.get_mut(..limit.min(AT_ONCE)).unwrap_or_default();
            let read = retry_on_intr(|| rustix::io::read(file, &mut *room))?;
            bytes.extend_from_slice(room.get(..read).unwrap_or(&[]));
            read
        } else {
            bytes.reserve(bytes.len());
            retry_on_intr(|| rustix::io::read(file, spare_capacity(&mut bytes)))?
        };
        if read == 0 {
            break;
        }
    }
    bytes.truncate(limit);
    Ok(File { bytes })
}

/// An attribute of sysfs is returned by one read: no second read is needed to find its end.
fn read_attribute(file: &OwnedFd) -> Result<String, Errno> {
    let mut bytes = [MaybeUninit::uninit(); PAGE];
    let (read, _) = rustix::io::read(file, &mut bytes)?;
    Ok(trimmed(read))
}

fn trimmed(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory_root() -> (tempfile::TempDir, Root) {
        let directory = tempfile::tempdir().unwrap();
        let sys = directory.path().join("sys");
        std::fs::create_dir(&sys).unwrap();
        std::fs::write(sys.join("version"), "2.10.0\n").unwrap();
        std::os::unix::fs::symlink("/sys/version", sys.join("inside")).unwrap();
        std::os::unix::fs::symlink("../../../../etc/passwd", sys.join("outside")).unwrap();
        let root = Root::directory(directory.path()).unwrap();
        (directory, root)
    }

    #[test]
    fn links_of_a_directory_root_stay_inside_it() {
        let (_directory, root) = directory_root();
        assert_eq!(root.read_text("/sys/inside").unwrap(), "2.10.0");
        assert!(root.read("/sys/outside", 10).unwrap_err().is_absent());
        assert_eq!(root.link("/sys/inside").unwrap(), Path::new("/sys/version"));
        assert_eq!(root.list("/sys").unwrap(), ["inside", "outside", "version"]);
        assert!(root.entry_status("/sys/outside").unwrap().changed_ns > 0);
    }

    #[test]
    fn a_read_stops_at_its_limit() {
        let (_directory, root) = directory_root();
        assert_eq!(root.read("/sys/version", 3).unwrap().bytes, b"2.1");
    }

    #[test]
    fn a_missing_file_is_unsupported_and_a_forbidden_one_denied() {
        let blank = |errno| {
            let error = RootError { path: "/sys/x/tt_heartbeat".into(), errno };
            error.missing()
        };
        assert_eq!(
            blank(Errno::NOENT),
            Missing::unsupported("this driver or firmware has no tt_heartbeat")
        );
        assert_eq!(blank(Errno::ACCESS), Missing::denied("/sys/x/tt_heartbeat: permission denied"));
    }
}
