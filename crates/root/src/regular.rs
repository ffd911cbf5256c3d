//! Regular files in directories where any user may create files, such as `/dev/shm`.
//!
//! A name there can be a link to a device, a pipe or a file of another user. Such a path is never opened: it is first
//! opened with `O_PATH`, which has no effect on a device, and opened for reading only if it is a regular file.

use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::{Backing, File, Root, RootError, Status, read_file};

/// The error for a path that is not a regular file.
pub(super) const IRREGULAR: Errno = Errno::LOOP;

/// The content of a regular file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegularFile {
    /// Bytes of the file, up to the limit of the read.
    pub bytes: Vec<u8>,
    /// Size in bytes.
    pub size: u64,
    /// The bytes that the file system reserved for it: less than its size if it has holes.
    pub allocated: u64,
    /// Owner and identity.
    pub status: Status,
}

/// Attempts to resolve a path below a directory while others are being renamed.
const ATTEMPTS: usize = 64;

impl Root {
    /// Reads the first `limit` bytes of a regular file. A link is not followed.
    ///
    /// # Errors
    /// If it cannot be opened or read, or is not a regular file ([`RootError::is_irregular`]).
    pub fn read_regular(&self, path: &str, limit: usize) -> Result<RegularFile, RootError> {
        let read = match &self.backing {
            Backing::Memory(tree) => tree.read_regular(path, limit),
            Backing::System | Backing::Directory { .. } => self.read_open(path, limit),
        };
        if self.capture.is_some() {
            let copy = |read: &RegularFile| File { bytes: read.bytes.clone() };
            self.note_read(path, &read.as_ref().map(copy).map_err(|errno| *errno));
        }
        read.map_err(|errno| RootError { path: path.to_owned(), errno })
    }

    fn read_open(&self, path: &str, limit: usize) -> Result<RegularFile, Errno> {
        let file = self.open_regular(path)?;
        let bytes = read_file(&file, limit)?.bytes;
        let status = rustix::fs::fstat(&file)?;
        let size = u64::try_from(status.st_size).unwrap_or(0);
        // `st_blocks` is in units of 512 bytes on every file system: stat(2).
        let allocated = u64::try_from(status.st_blocks).unwrap_or(0).saturating_mul(512);
        Ok(RegularFile { bytes, size, allocated, status: Status::of(&status) })
    }

    /// Opens a regular file for reading. A link is not followed, and a device is not opened.
    pub(super) fn open_regular(&self, path: &str) -> Result<OwnedFd, Errno> {
        let file = self.open(path, OFlags::PATH | OFlags::NOFOLLOW)?;
        let status = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
            return Err(IRREGULAR);
        }
        // Opens this file, even if another has taken its name.
        let same = format!("/proc/self/fd/{}", file.as_raw_fd());
        rustix::fs::openat(CWD, same, self.read | OFlags::CLOEXEC, Mode::empty())
    }
}

/// Splits `/proc/PID/root/REST` into the root of the process and the rest.
pub(super) fn in_mount_namespace(path: &str) -> Option<(&str, &str)> {
    let process = path.strip_prefix("/proc/")?;
    let (pid, inside) = process.split_once('/')?;
    let inside = inside.strip_prefix("root/")?.trim_start_matches('/');
    let tree = path.get(.."/proc//root".len() + pid.len())?;
    (!inside.is_empty()).then_some((tree, inside))
}

/// Opens a path with every link resolved inside a directory, as the process whose root it is sees it.
///
/// Before Linux 5.6, which has no `openat2`, no link is followed at all.
pub(super) fn open_inside(tree: &str, inside: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let tree = rustix::fs::openat(CWD, tree, directory, Mode::empty())?;
    match open_in_root(&tree, inside, flags) {
        Err(Errno::NOSYS) => open_without_links(tree, inside, flags),
        opened => opened,
    }
}

/// Opens a path with every link resolved inside a directory.
///
/// The kernel gives up on a `..` while anything on the machine is renamed or mounted (`EAGAIN`), so it is asked again.
pub(super) fn open_in_root(
    directory: impl AsFd,
    inside: &str,
    flags: OFlags,
) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..ATTEMPTS {
        match rustix::fs::openat2(&directory, inside, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN) => {}
            opened => return opened,
        }
    }
    Err(Errno::AGAIN)
}

fn open_without_links(tree: OwnedFd, inside: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let (parents, name) = inside.rsplit_once('/').unwrap_or(("", inside));
    let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    if inside.split('/').any(|component| component == "..") {
        return Err(Errno::XDEV);
    }
    let mut parent = tree;
    for component in parents.split('/').filter(|component| !component.is_empty()) {
        parent = rustix::fs::openat(&parent, component, directory, Mode::empty())?;
    }
    rustix::fs::openat(&parent, name, flags | OFlags::NOFOLLOW, Mode::empty())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::{Entry, Tree};

    fn flags() -> OFlags {
        OFlags::RDONLY | OFlags::CLOEXEC
    }

    #[test]
    fn a_file_is_found_while_others_are_renamed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(path("devices/0/hwmon")).unwrap();
        std::fs::create_dir(path("class")).unwrap();
        std::fs::write(path("devices/0/hwmon/name"), "wormhole").unwrap();
        symlink("../devices/0", path("class/0")).unwrap();
        let (one, other) = (path("one"), path("other"));
        std::fs::write(&one, "").unwrap();
        let is_done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_done.load(Ordering::Relaxed) {
                    std::fs::rename(&one, &other).unwrap();
                    std::fs::rename(&other, &one).unwrap();
                }
            });
            let root = Root::directory(folder.path()).unwrap();
            let failed = (0..3000).filter(|_| root.read("/class/0/hwmon/name", 9).is_err()).count();
            is_done.store(true, Ordering::Relaxed);
            assert_eq!(failed, 0);
        });
    }

    #[test]
    fn only_a_regular_file_is_read() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "content").unwrap();
        symlink("/file", folder.path().join("link")).unwrap();
        std::fs::create_dir(folder.path().join("directory")).unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).unwrap();
        let mut tree = Tree::new();
        tree.put("/file", Entry::file("content"));
        tree.put("/link", Entry::Link("/file".to_owned()));
        tree.put("/directory", Entry::Directory);
        tree.put("/pipe", Entry::Link("/dev/zero".to_owned()));
        for root in [Root::directory(folder.path()).unwrap(), Root::memory(tree)] {
            assert_eq!(root.read("/link", 9).unwrap().bytes, b"content");
            let file = root.read_regular("/file", 4).unwrap();
            assert_eq!((file.bytes.as_slice(), file.size), (&b"cont"[..], 7));
            assert_eq!(file.status, root.status("/file").unwrap());
            for path in ["/link", "/directory", "/pipe"] {
                assert!(root.read_regular(path, 9).unwrap_err().is_irregular(), "{path}");
                assert!(root.hold(path, 9).unwrap_err().is_irregular(), "{path}");
                assert!(root.settler(9, 1).read(path).unwrap_err().is_irregular(), "{path}");
            }
            assert!(root.read_regular("/none", 9).unwrap_err().is_absent());
        }
    }

    #[test]
    fn a_device_behind_a_link_of_the_system_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        symlink("/dev/zero", &link).unwrap();
        let root = Root::system();
        assert!(root.read_regular(link.to_str().unwrap(), 9).unwrap_err().is_irregular());
        assert!(root.read_regular("/dev/zero", 9).unwrap_err().is_irregular());
    }

    #[test]
    fn links_in_a_tree_stay_inside_it() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().to_str().unwrap();
        std::fs::create_dir_all(folder.path().join("run/shm")).unwrap();
        std::fs::create_dir(folder.path().join("dev")).unwrap();
        symlink("/run/shm", folder.path().join("dev/shm")).unwrap();
        symlink("../../../../../../..", folder.path().join("dev/up")).unwrap();
        std::fs::write(folder.path().join("run/shm/file"), "mine").unwrap();
        for path in ["dev/shm/file", "dev/up/run/shm/file"] {
            let file = open_inside(tree, path, flags()).unwrap();
            assert_eq!(read_file(&file, 9).unwrap().bytes, b"mine");
        }
        let outside = open_inside(tree, "dev/up/proc/self/status", flags());
        assert_eq!(outside.unwrap_err(), Errno::NOENT);
        let open = |path| {
            let tree = rustix::fs::open(folder.path(), OFlags::PATH, Mode::empty()).unwrap();
            open_without_links(tree, path, flags())
        };
        assert_eq!(read_file(&open("run/shm/file").unwrap(), 9).unwrap().bytes, b"mine");
        for path in ["dev/shm/file", "dev/up/run/shm/file", "../x"] {
            assert!(open(path).is_err(), "{path}");
        }
    }

    #[test]
    fn a_path_below_the_root_of_a_process_is_split() {
        let split = in_mount_namespace("/proc/42/root/dev/shm");
        assert_eq!(split, Some(("/proc/42/root", "dev/shm")));
        for path in ["/proc/42/root", "/proc/42/root/", "/proc/42/rooted/x", "/dev/shm", "/proc/x"]
        {
            assert_eq!(in_mount_namespace(path), None, "{path}");
        }
        assert!(Root::system().list("/proc/self/root/proc").is_ok());
        assert!(Path::new("/proc/self/root").exists());
    }
}
