//! The socket of the server: its path, creation and removal.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _,
    PermissionsExt as _,
};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};

/// The socket of a machine-wide server.
pub const SYSTEM: &str = "/run/ttmem/ttmem.sock";

/// Returns the paths at which a client looks for a server, the user's own first. `runtime` is `XDG_RUNTIME_DIR`.
#[must_use]
pub fn paths(runtime: Option<PathBuf>) -> Vec<PathBuf> {
    let own = runtime.filter(|folder| folder.is_absolute()).map(|folder| folder.join("ttmem.sock"));
    own.into_iter().chain([PathBuf::from(SYSTEM)]).collect()
}

/// True if there is a socket at the path.
#[must_use]
pub(crate) fn is_there(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|status| status.file_type().is_socket())
}

/// Returns the user to whom root gave the directory of the machine-wide server; `None` for any other socket.
#[must_use]
pub(crate) fn system_owner(path: &Path) -> Option<u32> {
    let folder = path.parent().filter(|_| path == Path::new(SYSTEM))?;
    let status = fs::symlink_metadata(folder).ok().filter(fs::Metadata::is_dir)?;
    // In a directory that others can write to, a socket proves nothing about its owner.
    (status.permissions().mode() & 0o002 == 0).then(|| status.uid())
}

/// A listening socket. It is removed on drop.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) listener: UnixListener,
    path: PathBuf,
    /// Device and inode: another server may have put its own there since.
    identity: (u64, u64),
    /// Held as long as the server runs, and released last.
    _lock: Lock,
}

impl Socket {
    /// Listens at a path. Replaces a socket that does not answer; refuses to replace one that does.
    ///
    /// # Errors
    /// If a server is running, or the socket cannot be created.
    pub(super) fn bind(path: &Path) -> io::Result<Self> {
        if fs::symlink_metadata(path).is_ok_and(|status| !status.file_type().is_socket()) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if let (Some(folder), true) = (path.parent(), path == Path::new(SYSTEM)) {
            // Without a service manager the directory does not exist yet; if it cannot be created, the next step
            // reports it.
            drop(fs::DirBuilder::new().mode(0o755).create(folder));
        }
        let lock = Lock::take(path)?;
        // A server of 0.1.0 has no lock. One that is stopped does not answer, and its queue may be full.
        let is_free = |error: &io::Error| {
            matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
        };
        if connect(path).is_ok() || connect(path).is_err_and(|error| !is_free(&error)) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        // Created under another name until its mode is set, so that no client connects before.
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}", std::process::id()));
        let beside = PathBuf::from(beside);
        let listener = UnixListener::bind(&beside)?;
        let ready = listener
            .set_nonblocking(true)
            .and_then(|()| fs::set_permissions(&beside, fs::Permissions::from_mode(0o660)))
            .and_then(|()| identity(&beside))
            .and_then(|identity| fs::rename(&beside, path).map(|()| identity));
        match ready {
            Ok(identity) => {
                remove_unfinished(path);
                Ok(Self { listener, path: path.to_owned(), identity, _lock: lock })
            }
            Err(error) => {
                // The first error is the one that matters.
                drop(fs::remove_file(&beside));
                Err(error)
            }
        }
    }
}

/// Connects without waiting: a server whose queue is full is there.
///
/// # Errors
/// If nothing listens at the path, or its queue is full ([`io::ErrorKind::WouldBlock`]).
pub(super) fn connect(path: &Path) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

/// The right to serve at a path: a locked file beside the socket. The kernel releases it when the server ends in any way.
#[derive(Debug)]
struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// Takes the lock.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`] if another server has it.
    fn take(socket: &Path) -> io::Result<Self> {
        let mut path = socket.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        let flags = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0);
        loop {
            let mut options = OpenOptions::new();
            let file =
                options.write(true).create(true).mode(0o600).custom_flags(flags).open(&path)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::AGAIN) => return Err(io::ErrorKind::AddrInUse.into()),
                Err(error) => return Err(error.into()),
            }
            let own = file.metadata().map(|status| (status.dev(), status.ino()))?;
            // The server before may have removed it in between.
            if identity(&path).is_ok_and(|there| there == own) {
                return Ok(Self { path, _file: file });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A file that cannot be removed is locked by the next server.
        drop(fs::remove_file(&self.path));
    }
}

/// Removes temporary sockets of servers that were killed before the rename.
fn remove_unfinished(path: &Path) {
    let (Some(folder), Some(name)) =
        (path.parent(), path.file_name().and_then(|name| name.to_str()))
    else {
        return;
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let found = entry.file_name();
        let number = found.to_str().and_then(|found| found.strip_prefix(name)?.strip_prefix('.'));
        let is_ours =
            number.is_some_and(|pid| !pid.is_empty() && pid.bytes().all(|b| b.is_ascii_digit()));
        let is_dead = || {
            is_there(&entry.path())
                && connect(&entry.path())
                    .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
        };
        if is_ours && is_dead() {
            // A failure is harmless.
            drop(fs::remove_file(entry.path()));
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|there| there == self.identity) {
            // A socket that cannot be removed is replaced by the next server.
            drop(fs::remove_file(&self.path));
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let status = fs::symlink_metadata(path)?;
    Ok((status.dev(), status.ino()))
}
