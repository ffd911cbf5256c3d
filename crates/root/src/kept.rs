//! Files that a reader process keeps open from one sample to the next: reading one again is one call instead of three.
//!
//! A file of sysfs or procfs makes its content for each read at offset 0. When its device or driver goes, the kernel
//! lets go of it at once, and a read through the descriptor fails: then the directory and the file are opened
//! again. An open file delays nothing. On a host in a directory, where a file can take the place of another, the
//! change times of its directory show it.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::batch::{FolderAnswer, FolderRequest};
use super::clock::Clock;
use super::folder::Version;
use super::{Backing, Folder, PAGE, Root, read_file};

/// Directories whose files are kept open.
#[derive(Debug)]
pub(crate) struct KeptFolders<'a> {
    root: &'a Root,
    folders: BTreeMap<String, Kept<'a>>,
    /// True once the limit on open files was raised.
    has_raised: bool,
    /// True if this process may not have this many open files: then none is kept.
    is_full: bool,
    /// The file that is read.
    bytes: Vec<u8>,
}

/// A directory, and its files.
#[derive(Debug)]
struct Kept<'a> {
    folder: Folder<'a>,
    version: Version,
    files: BTreeMap<String, KeptFile>,
}

#[derive(Debug)]
enum KeptFile {
    Open(OwnedFd),
    /// Absent as long as the directory stays the same.
    Absent,
}

impl<'a> KeptFolders<'a> {
    /// Keeps no file yet.
    pub(crate) fn new(root: &'a Root) -> Self {
        let (folders, bytes) = (BTreeMap::new(), Vec::new());
        Self { root, folders, has_raised: false, is_full: false, bytes }
    }

    /// Reads the files of one of a device's folders. For a host in a directory the first folder is found by its path
    /// each time, which shows whether another device has taken its place.
    pub(crate) fn read(
        &mut self,
        device: &[FolderRequest<'_>],
        index: usize,
        answer: &mut FolderAnswer,
    ) {
        answer.clear();
        let Some(request) = device.get(index) else { return };
        let (path, mut kept) = match self.folders.remove_entry(&request.path) {
            Some((path, kept)) => (Some(path), Some(kept)),
            None => (None, None),
        };
        if !request.is_repeated || self.is_full || matches!(self.root.backing, Backing::Memory(_)) {
            *answer = request.read(self.root, Clock::System);
            return;
        }
        if kept.as_ref().is_some_and(|kept| !kept.is_current(self.root, request, index == 0)) {
            kept = None;
            if index == 0 {
                device.iter().for_each(|folder| drop(self.folders.remove(&folder.path)));
            }
        }
        let mut bytes = std::mem::take(&mut self.bytes);
        for name in &request.names {
            let read = self.read_file(&mut kept, request, name, &mut bytes);
            answer.push(read.map(|()| bytes.as_slice()));
        }
        self.bytes = bytes;
        if let Some(kept) = kept.filter(|kept| self.root.is_system() || kept.version.is_settled()) {
            self.folders.insert(path.unwrap_or_else(|| request.path.clone()), kept);
        }
        answer.read_at = Clock::System.now();
    }

    fn read_file(
        &mut self,
        kept: &mut Option<Kept<'a>>,
        request: &FolderRequest<'_>,
        name: &str,
        bytes: &mut Vec<u8>,
    ) -> Result<(), Errno> {
        match kept.as_ref().and_then(|kept| kept.files.get(name)) {
            Some(KeptFile::Absent) => return Err(Errno::NOENT),
            Some(KeptFile::Open(file)) => match read_at_start(file, request, bytes) {
                Ok(()) => return Ok(()),
                // Of a device that is gone, or cannot answer: whatever has the path now is read.
                Err(_) => *kept = None,
            },
            None => {}
        }
        if kept.is_none() {
            *kept = Kept::find(self.root, &request.path);
        }
        let Some(found) = kept else {
            *bytes = request.read_one(&self.root.folder(&*request.path), name)?;
            return Ok(());
        };
        if !self.has_raised {
            // If that is refused, as many files are kept as the limit allows.
            self.has_raised = true;
            raise_limit().ok();
        }
        let read = found.read_first(request, name, bytes);
        if matches!(read, Err(Errno::MFILE | Errno::NFILE)) {
            self.is_full = true;
            self.folders.clear();
            *kept = None;
            *bytes = request.read_one(&self.root.folder(&*request.path), name)?;
            return Ok(());
        }
        read
    }
}

impl<'a> Kept<'a> {
    /// Opens a directory; `None` if it is not there.
    fn find(root: &'a Root, path: &str) -> Option<Self> {
        let folder = root.folder(path);
        let version = folder.version().ok()?;
        Some(Self { folder, version, files: BTreeMap::new() })
    }

    /// True if no file was made in the directory, renamed or removed, nor, if it is found by its path, another one has
    /// this path. On the system, a read of each file fails instead.
    fn is_current(&self, root: &Root, request: &FolderRequest<'_>, by_path: bool) -> bool {
        let version = match (root.is_system(), by_path) {
            (true, _) => return true,
            (false, true) => root.version_at(&request.path),
            (false, false) => self.folder.version(),
        };
        version.is_ok_and(|version| version.is_same(&self.version))
    }

    /// Reads a file for the first time, and keeps it open.
    fn read_first(
        &mut self,
        request: &FolderRequest<'_>,
        name: &str,
        bytes: &mut Vec<u8>,
    ) -> Result<(), Errno> {
        let file = match self.folder.open_itself(name) {
            Ok(file) => file,
            // A link may lead anywhere.
            Err(Errno::LOOP) => {
                *bytes = request.read_one(&self.folder, name)?;
                return Ok(());
            }
            Err(Errno::NOENT) => {
                self.files.insert(name.to_owned(), KeptFile::Absent);
                return Err(Errno::NOENT);
            }
            Err(errno) => return Err(errno),
        };
        match read_at_start(&file, request, bytes) {
            Ok(()) => {
                self.files.insert(name.to_owned(), KeptFile::Open(file));
            }
            // A pipe has no offsets.
            Err(Errno::SPIPE) => {
                *bytes = read_file(&file, request.limit)?.bytes;
                request.finish(bytes);
            }
            Err(errno) => return Err(errno),
        }
        Ok(())
    }
}

/// Reads a file from offset 0. The kernel answers a read of an attribute of sysfs whole. A read of another file that
/// returns less than half of what it could has come to its end, too.
fn read_at_start(
    file: &OwnedFd,
    request: &FolderRequest<'_>,
    bytes: &mut Vec<u8>,
) -> Result<(), Errno> {
    bytes.clear();
    loop {
        bytes.reserve(PAGE);
        let offset = bytes.len() as u64;
        let count = retry_on_intr(|| rustix::io::pread(file, spare_capacity(bytes), offset))?;
        let is_whole = offset == 0 && (count < PAGE / 2 || request.is_of_attributes());
        if count == 0 || is_whole || bytes.len() >= request.limit {
            request.finish(bytes);
            return Ok(());
        }
    }
}

/// Raises this process's limit on open files as far as it may. 32 devices have some 500 files.
fn raise_limit() -> Result<(), Errno> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    match current == maximum {
        true => Ok(()),
        false => setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::thread;
    use std::time::Duration;

    use rustix::fs::{CWD, FileType, Mode};

    use super::*;

    const NAMES: [&str; 4] = ["clock", "power", "none", "link"];

    /// A device's folders, as they are requested at every sample.
    fn device() -> Vec<FolderRequest<'static>> {
        let folder = |path: &str, limit| FolderRequest {
            path: path.to_owned(),
            names: NAMES.to_vec(),
            limit,
            is_repeated: true,
        };
        vec![folder("/sys/chip", 4096), folder("/sys/chip/more", 4096), folder("/proc/chip", 9000)]
    }

    fn host() -> (tempfile::TempDir, Root) {
        let directory = tempfile::tempdir().unwrap();
        for folder in ["sys/chip", "sys/chip/more", "proc/chip", "spare", "spare/more"] {
            let folder = directory.path().join(folder);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("clock"), "1000\n").unwrap();
            fs::write(folder.join("power"), "7\n".repeat(2500)).unwrap();
            symlink("clock", folder.join("link")).unwrap();
        }
        let root = Root::directory(directory.path()).unwrap();
        (directory, root)
    }

    fn owned(answer: &FolderAnswer) -> Vec<Result<Vec<u8>, Errno>> {
        answer.files().map(|file| file.map(<[u8]>::to_vec)).collect()
    }

    fn files(
        kept: &mut KeptFolders<'_>,
        device: &[FolderRequest<'_>],
        index: usize,
    ) -> Vec<Result<Vec<u8>, Errno>> {
        let mut answer = FolderAnswer::default();
        kept.read(device, index, &mut answer);
        owned(&answer)
    }

    /// Reads both ways, and returns the answer that both give.
    fn read(kept: &mut KeptFolders<'_>) -> Vec<Vec<Result<Vec<u8>, Errno>>> {
        let device = device();
        let fresh: Vec<_> =
            device.iter().map(|folder| owned(&folder.read(kept.root, Clock::System))).collect();
        let again: Vec<_> = (0..device.len()).map(|index| files(kept, &device, index)).collect();
        assert_eq!(again, fresh);
        fresh
    }

    fn settle() {
        thread::sleep(Duration::from_millis(150));
    }

    /// Number of files that are open.
    fn open_files(kept: &KeptFolders<'_>) -> usize {
        let files = kept.folders.values().flat_map(|kept| kept.files.values());
        files.filter(|file| matches!(file, KeptFile::Open(_))).count()
    }

    #[test]
    fn what_is_kept_open_reads_as_what_is_opened_anew() {
        let (directory, root) = host();
        let at = |name: &str| directory.path().join(name);
        let mut kept = KeptFolders::new(&root);
        read(&mut kept);
        assert_eq!(open_files(&kept), 0, "its directory changed just now");
        settle();
        let replace = |name: &str, text: &str| {
            fs::write(at("new"), text).unwrap();
            fs::rename(at("new"), at(name)).unwrap();
        };
        let changes: [&dyn Fn(); 9] = [
            &|| fs::write(at("sys/chip/clock"), "800\n").unwrap(),
            &|| fs::write(at("proc/chip/power"), "").unwrap(),
            &|| replace("sys/chip/clock", "900"),
            &|| replace("sys/chip/more/clock", "901"),
            &|| replace("proc/chip/power", "x"),
            &|| replace("sys/chip/none", "it is there now"),
            &|| fs::remove_file(at("sys/chip/clock")).unwrap(),
            &|| {
                fs::rename(at("sys/chip"), at("old")).unwrap();
                fs::rename(at("spare"), at("sys/chip")).unwrap();
            },
            &|| fs::remove_dir_all(at("sys/chip")).unwrap(),
        ];
        for change in changes {
            read(&mut kept);
            let before = read(&mut kept);
            assert!(open_files(&kept) >= 4, "{kept:?}");
            change();
            assert_ne!(read(&mut kept), before);
            settle();
        }
        assert!(read(&mut kept)[0].iter().all(|file| *file == Err(Errno::NOENT)));
    }

    #[test]
    fn a_request_that_is_not_repeated_closes_what_is_open() {
        let (_directory, root) = host();
        settle();
        let mut kept = KeptFolders::new(&root);
        read(&mut kept);
        let open = open_files(&kept);
        assert_eq!(open, 6);
        let first = vec![FolderRequest { is_repeated: false, ..device().remove(0) }];
        files(&mut kept, &first, 0);
        assert_eq!(open_files(&kept), open - 2);
    }

    #[test]
    fn a_pipe_is_read_as_a_stream() {
        let (directory, root) = host();
        let pipe = directory.path().join("sys/chip/none");
        rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
        settle();
        let mut kept = KeptFolders::new(&root);
        for _ in 0..2 {
            assert_eq!(read(&mut kept)[0][2], Ok(Vec::new()));
        }
        assert_eq!(open_files(&kept), 6);
    }

    #[test]
    fn files_of_procfs_are_made_anew_for_each_read() {
        let root = Root::system();
        let mut kept = KeptFolders::new(&root);
        let request = [FolderRequest {
            path: "/proc".to_owned(),
            names: vec!["uptime"],
            limit: 9000,
            is_repeated: true,
        }];
        let first = files(&mut kept, &request, 0);
        assert_eq!(open_files(&kept), 1);
        thread::sleep(Duration::from_millis(50));
        assert_ne!(files(&mut kept, &request, 0), first);
    }

    #[test]
    fn files_of_a_process_that_is_gone_are_not_there() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let root = Root::system();
        let mut kept = KeptFolders::new(&root);
        let path = format!("/proc/{}", child.id());
        let request = [FolderRequest {
            path: path.clone(),
            names: vec!["stat"],
            limit: 9000,
            is_repeated: true,
        }];
        assert!(files(&mut kept, &request, 0)[0].is_ok());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(files(&mut kept, &request, 0), [Err(Errno::NOENT)]);
        assert!(kept.folders.is_empty() && !Path::new(&path).exists());
    }

    #[test]
    fn without_room_for_open_files_they_are_read_all_the_same() {
        let (_directory, root) = host();
        settle();
        let mut kept = KeptFolders::new(&root);
        kept.is_full = true;
        read(&mut kept);
        assert_eq!(open_files(&kept), 0);
    }
}
