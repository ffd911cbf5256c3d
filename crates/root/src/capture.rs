//! Keeps the files that are read, so that they can be saved and opened elsewhere.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use rustix::io::Errno;

use super::{Access, Entry, File, Root, Status, Tree};

/// Links followed before a path counts as a loop, as in Linux.
const MAX_LINKS: usize = 40;

/// The files that were read, by path without links.
#[derive(Debug, Default)]
pub(super) struct Capture {
    entries: BTreeMap<String, Entry>,
    /// The first path of each file that was asked for its identity.
    identities: BTreeMap<(u64, u64), String>,
}

impl Root {
    /// Keeps a copy of everything that is read from now on. [`Self::captured`] returns it.
    #[must_use]
    pub fn capturing(self) -> Self {
        Self { capture: Some(Mutex::default()), ..self }
    }

    /// Returns the files, links and directories that were read so far; empty without [`Self::capturing`].
    ///
    /// A file that was only looked at is empty. A file that may not be read is an [`Entry::Error`].
    #[must_use]
    pub fn captured(&self) -> Tree {
        let mut tree = Tree::new();
        let Some(capture) = &self.capture else { return tree };
        let capture = capture.lock().unwrap_or_else(PoisonError::into_inner);
        for (path, entry) in &capture.entries {
            // Whatever is below a link is reached through the link.
            if !capture.is_below_link(path) {
                tree.put(path, copy(entry));
            }
        }
        tree
    }

    pub(super) fn note_read(&self, path: &str, read: &Result<File, Errno>) {
        self.note(path, true, |_| match read {
            Ok(file) => Some(Entry::file(file.bytes.clone())),
            Err(errno @ (Errno::ACCESS | Errno::PERM)) => Some(Entry::Error(*errno)),
            Err(_) => None,
        });
    }

    pub(super) fn note_text(&self, path: &str, read: &Result<String, Errno>) {
        let Ok(text) = read else { return };
        self.note(path, true, |_| Some(Entry::file(format!("{text}\n"))));
    }

    pub(super) fn note_link(&self, path: &str, read: &Result<PathBuf, Errno>) {
        let Ok(target) = read else { return };
        let link = || target.to_str().map(|target| Entry::Link(target.to_owned()));
        self.note(path, false, |_| link());
    }

    /// Notes the names of TT-Metal's and UMD's files in a shared memory directory; other files are noted when they are
    /// read.
    pub(super) fn note_list(&self, path: &str, read: &Result<Vec<OsString>, Errno>) {
        let Ok(names) = read else { return };
        self.note(path, true, |_| Some(Entry::Directory));
        if !path.ends_with("/dev/shm") {
            return;
        }
        for name in names.iter().filter_map(|name| name.to_str()) {
            if name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("tt")) {
                self.note(&format!("{path}/{name}"), true, |_| Some(Entry::file(Vec::new())));
            }
        }
    }

    pub(super) fn note_status(&self, path: &str, read: &Result<Status, Errno>) {
        let Ok(status) = read else { return };
        self.note(path, true, |capture| {
            let first =
                capture.identities.entry(status.identity).or_insert_with(|| path.to_owned());
            if first != path {
                return Some(Entry::Link(first.clone()));
            }
            let is_directory = self.list_raw(path).is_ok();
            Some(if is_directory { Entry::Directory } else { Entry::file(Vec::new()) })
        });
    }

    /// Notes a file that was asked for its access rights: without content, or without permissions.
    pub(super) fn note_access(&self, path: &str, access: Access) {
        self.note(path, true, |_| match access {
            Access::Granted => Some(Entry::file(Vec::new())),
            Access::Denied => Some(Entry::Error(Errno::ACCESS)),
            Access::Absent => None,
        });
    }

    /// Adds the entry that `entry` makes, unless there is a better one at the path.
    fn note(
        &self,
        path: &str,
        follow_last: bool,
        entry: impl FnOnce(&mut Capture) -> Option<Entry>,
    ) {
        let Some(capture) = &self.capture else { return };
        let mut capture = capture.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(path) = self.without_links(path, follow_last, &mut capture) else { return };
        let Some(entry) = entry(&mut capture) else { return };
        let is_itself = matches!(&entry, Entry::Link(target) if *target == path);
        if !is_itself && capture.entries.get(&path).is_none_or(|old| rank(old) <= rank(&entry)) {
            capture.entries.insert(path, entry);
        }
    }

    /// Returns the path without links, `.` and `..`, and keeps the links on the way; `None` if they form a loop.
    fn without_links(
        &self,
        path: &str,
        follow_last: bool,
        capture: &mut Capture,
    ) -> Option<String> {
        let mut todo: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let mut done = String::new();
        let mut links = 0;
        while let Some(component) = todo.pop() {
            match component.as_str() {
                "" | "." => continue,
                ".." => {
                    done.truncate(done.rfind('/').unwrap_or(0));
                    continue;
                }
                _ => {}
            }
            let candidate = format!("{done}/{component}");
            let is_last = todo.iter().all(String::is_empty);
            let link =
                if is_last && !follow_last { None } else { self.target(&candidate, capture) };
            let Some(target) = link else {
                done = candidate;
                continue;
            };
            links += 1;
            if links > MAX_LINKS {
                return None;
            }
            if target.starts_with('/') {
                done.clear();
            }
            todo.extend(target.split('/').rev().map(str::to_owned));
        }
        Some(done)
    }

    /// Returns the target of the link at a path, and keeps the link.
    fn target(&self, path: &str, capture: &mut Capture) -> Option<String> {
        if let Some(Entry::Link(target)) = capture.entries.get(path) {
            return Some(target.clone());
        }
        // The link of a process's root reads `/` in every mount namespace; the files below are the process's own.
        if path.starts_with("/proc/") && path.ends_with("/root") {
            return None;
        }
        let target = self.link_raw(path).ok()?.to_str()?.to_owned();
        capture.entries.insert(path.to_owned(), Entry::Link(target.clone()));
        Some(target)
    }
}

impl Capture {
    fn is_below_link(&self, path: &str) -> bool {
        let ends = path.match_indices('/').map(|(end, _)| end);
        ends.filter_map(|end| path.get(..end))
            .any(|parent| matches!(self.entries.get(parent), Some(Entry::Link(_))))
    }
}

/// Orders entries by how much they hold: a longer read of a file replaces a shorter one.
fn rank(entry: &Entry) -> (u8, usize) {
    match entry {
        Entry::Directory => (0, 0),
        Entry::Changing { .. } => (0, 1),
        Entry::Error(_) => (1, 0),
        Entry::File { bytes, .. } => (2, bytes.len()),
        Entry::Link(_) => (3, 0),
    }
}

fn copy(entry: &Entry) -> Entry {
    match entry {
        Entry::File { bytes, uid } => Entry::File { bytes: bytes.clone(), uid: *uid },
        Entry::Link(target) => Entry::Link(target.clone()),
        Entry::Error(errno) => Entry::Error(*errno),
        Entry::Directory | Entry::Changing { .. } => Entry::Directory,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> Root {
        let mut tree = Tree::new();
        tree.put_line("/sys/devices/a/tt_serial", "00001");
        tree.put("/sys/class/tenstorrent/t0", Entry::Link("../../devices/a".into()));
        tree.put("/proc/7/cmdline", Entry::file("python\0x.py\0"));
        tree.put("/dev/shm/tt_device_0_memory", Entry::file("region"));
        tree.put("/dev/shm/other", Entry::file("private"));
        tree.put("/dev/shm/denied", Entry::Error(Errno::ACCESS));
        Root::memory(tree).capturing()
    }

    #[test]
    fn files_are_kept_at_their_path_without_links() {
        let root = root();
        assert_eq!(root.read_text("/sys/class/tenstorrent/t0/tt_serial").unwrap(), "00001");
        assert_eq!(
            root.folder("/sys/class/tenstorrent/t0").read_text("tt_serial").unwrap(),
            "00001"
        );
        let tree = root.captured();
        let paths: Vec<&str> = tree.iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["/sys/class/tenstorrent/t0", "/sys/devices/a/tt_serial"]);
        let again = Root::memory(tree);
        assert_eq!(again.read_text("/sys/class/tenstorrent/t0/tt_serial").unwrap(), "00001");
    }

    #[test]
    fn a_file_that_was_asked_for_its_access_rights_is_kept_with_them() {
        let root = root();
        let paths = ["/proc/7/cmdline", "/dev/shm/denied", "/dev/tenstorrent/0"];
        let access = |root: &Root| paths.map(|path| root.access(path));
        let expected = [Access::Granted, Access::Denied, Access::Absent];
        assert_eq!(access(&root), expected);
        let tree = root.captured();
        let folder = tempfile::tempdir().unwrap();
        tree.write_to(folder.path()).unwrap();
        assert_eq!(access(&Root::memory(tree)), expected);
        assert_eq!(access(&Root::directory(folder.path()).unwrap()), expected);
    }

    #[test]
    fn only_what_was_read_is_kept() {
        let root = root();
        assert_eq!(root.list("/dev/shm").unwrap().len(), 3);
        assert!(root.read("/dev/shm/denied", 9).is_err());
        assert_eq!(root.read("/dev/shm/tt_device_0_memory", 3).unwrap().bytes, b"reg");
        assert_eq!(root.read("/dev/shm/tt_device_0_memory", 9).unwrap().bytes, b"region");
        let again = Root::memory(root.captured());
        assert_eq!(again.list("/dev/shm").unwrap(), ["denied", "tt_device_0_memory"]);
        assert_eq!(again.read("/dev/shm/tt_device_0_memory", 9).unwrap().bytes, b"region");
        assert!(again.read("/dev/shm/denied", 9).unwrap_err().is_denied());
    }
}
