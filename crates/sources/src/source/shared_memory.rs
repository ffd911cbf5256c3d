//! The directories of shared memory: `/dev/shm` of this namespace, and of every other mount namespace.
//!
//! A process in a container has a `/dev/shm` of its own, reached through `/proc/<pid>/root`. Several namespaces may see
//! the same directory, such as containers that share the host's: it is listed once. Links of a container are resolved
//! inside its tree. Any user may create files there: they are read with [`Root::read_regular`], which follows no link.

use std::ffi::OsString;

use ttmem_model::Pid;

use ttmem_root::Root;

/// Directory of shared memory.
pub const SHARED_MEMORY: &str = "/dev/shm";

/// The directories of one host.
#[derive(Debug, Default)]
pub struct SharedMemory {
    /// Directories that could be listed, this namespace's own first.
    pub directories: Vec<Directory>,
    /// Paths of those that could not.
    pub(crate) denied: Vec<String>,
}

/// A directory of shared memory: that of the host, or of a mount namespace.
#[derive(Debug)]
pub struct Directory {
    /// Path of the directory, as the host would name it.
    pub path: String,
    /// The processes through whose roots it is reached, one of each mount namespace; none for this namespace's own, which
    /// any process may see.
    pub through: Vec<Pid>,
    /// The names in it, sorted.
    pub names: Vec<OsString>,
    /// Device and inode; `None` if the system does not say.
    pub(crate) identity: Option<(u64, u64)>,
}

impl SharedMemory {
    /// Lists the directory of this namespace and those that `processes` see.
    #[must_use]
    pub fn list(root: &Root, processes: &[Pid]) -> Self {
        let mut memory = Self::default();
        memory.add(root, SHARED_MEMORY.to_owned(), None);
        for pid in processes {
            memory.add(root, format!("/proc/{pid}/root{SHARED_MEMORY}"), Some(*pid));
        }
        memory
    }

    fn add(&mut self, root: &Root, path: String, through: Option<Pid>) {
        let identity = root.status(&path).ok().map(|status| status.identity);
        let is_same = |other: &&mut Directory| identity.is_some() && other.identity == identity;
        if let Some(known) = self.directories.iter_mut().find(is_same) {
            // What we see under our own `/dev/shm` any process may see.
            if !known.through.is_empty() {
                known.through.extend(through);
            }
            return;
        }
        match root.list(&path) {
            Ok(names) => {
                let through = through.into_iter().collect();
                self.directories.push(Directory { path, through, names, identity });
            }
            Err(error) if error.is_denied() => self.denied.push(path),
            Err(_) => {}
        }
    }
}
