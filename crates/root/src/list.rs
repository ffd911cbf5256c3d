//! Names in a directory.

use std::ffi::OsString;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStringExt as _;

use rustix::fs::{OFlags, RawDir};
use rustix::io::Errno;
use ttmem_model::order;

use super::{Backing, Root, RootError};

/// Bytes of a directory that are read at once: some 500 processes, and all of a device.
const AT_ONCE: usize = 16 << 10;

impl Root {
    /// Returns the names in a directory, sorted, without `.` and `..`.
    ///
    /// # Errors
    /// If it cannot be opened or read.
    pub fn list(&self, path: &str) -> Result<Vec<OsString>, RootError> {
        let read = self.list_raw(path);
        self.note_list(path, &read);
        read.map_err(|errno| RootError { path: path.to_owned(), errno })
    }

    /// Returns the names in a directory that are numbers above 0, ascending. Each comes with the number of its inode, which
    /// is another one once something else has the name; 0 if the host does not say.
    ///
    /// # Errors
    /// If it cannot be opened or read.
    pub fn list_numbers(&self, path: &str) -> Result<Vec<(i32, u64)>, RootError> {
        let mut numbers = Vec::new();
        let mut take = |name: &[u8], inode| {
            let number = std::str::from_utf8(name).ok().and_then(|name| name.parse().ok());
            numbers.extend(number.filter(|number| *number > 0).map(|number| (number, inode)));
        };
        if self.capture.is_some() || matches!(self.backing, Backing::Memory(_)) {
            self.list(path)?.into_iter().for_each(|name| take(&name.into_vec(), 0));
        } else {
            let read = self.each_entry(path, take);
            read.map_err(|errno| RootError { path: path.to_owned(), errno })?;
        }
        order::sort(&mut numbers);
        Ok(numbers)
    }

    pub(super) fn list_raw(&self, path: &str) -> Result<Vec<OsString>, Errno> {
        if let Backing::Memory(tree) = &self.backing {
            return tree.list(path);
        }
        let mut names = Vec::new();
        self.each_entry(path, |name, _inode| names.push(OsString::from_vec(name.to_vec())))?;
        order::sort(&mut names);
        Ok(names)
    }

    /// Passes on the name and the inode of each entry of a directory.
    fn each_entry(&self, path: &str, mut take: impl FnMut(&[u8], u64)) -> Result<(), Errno> {
        let directory = self.open(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut buffer = [MaybeUninit::uninit(); AT_ONCE];
        let mut entries = RawDir::new(directory, &mut buffer);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                take(name, entry.ino());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tree;

    #[test]
    fn numbers_come_with_the_inode_of_what_has_the_name() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::directory(directory.path()).unwrap();
        let mut tree = Tree::new();
        for name in ["12", "7", "x", "-3", "0"] {
            std::fs::create_dir(directory.path().join(name)).unwrap();
            tree.put_line(format!("/{name}/comm"), "x");
        }
        let before = root.list_numbers("/").unwrap();
        assert_eq!(before.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [7, 12]);
        assert_eq!(root.list_numbers("/").unwrap(), before);
        std::fs::rename(directory.path().join("x"), directory.path().join("7")).unwrap();
        let after = root.list_numbers("/").unwrap();
        assert!(after[0] != before[0] && after[1] == before[1], "{before:?}, {after:?}");
        assert_eq!(Root::memory(tree).list_numbers("/").unwrap(), [(7, 0), (12, 0)]);
        assert!(root.list_numbers("/none").unwrap_err().is_absent());
    }
}
