//! Side effects of the live view: saving a file on request, and sending a signal where that is allowed.
//! allowed.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use rustix::process::{PidfdFlags, Signal as Number, pidfd_open, pidfd_send_signal};
use ttmem_root::Root;
use ttmem_sources::source::kmd::open_devices;

use crate::tui::app::Signal;
use crate::tui::export::Document;
use crate::tui::track::ProcessId;

/// The directory of exports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Directory {
    /// The working directory.
    Working,
    /// Another directory.
    Named(PathBuf),
}

/// Access to the outside.
#[derive(Debug)]
pub(crate) struct Outside {
    /// The directory of exports.
    pub(crate) directory: Directory,
    /// The host whose processes may be sent signals: only the one that `ttmem` runs on.
    pub(crate) processes: Option<Root>,
}

impl Outside {
    /// Saves a document under an unused name.
    pub(super) fn save(&self, document: &Document) -> Result<String, String> {
        /// Upper bound of the documents that a user saves in one second.
        const MOST: usize = 100;
        let directory = match &self.directory {
            Directory::Working => PathBuf::new(),
            Directory::Named(directory) => directory.clone(),
        };
        let (stem, extension) =
            document.name.rsplit_once('.').unwrap_or((document.name.as_str(), ""));
        for number in 1..MOST {
            let name = match number {
                1 => document.name.clone(),
                number => format!("{stem}-{number}.{extension}"),
            };
            let path = directory.join(name);
            match write_new(&path, &document.bytes) {
                Ok(()) => return Ok(format!("saved {}", path.display())),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(format!("could not save {}: {error}", path.display())),
            }
        }
        Err(format!("could not save {}: too many files with that name", document.name))
    }

    /// Sends a signal to a process, and never to a later process with the same pid.
    pub(super) fn signal(&self, process: ProcessId, signal: Signal) -> Result<String, String> {
        let Some(root) = &self.processes else {
            return Err("signals reach only processes of the host that ttmem runs on".to_owned());
        };
        let refused =
            |why: &str| format!("{} was not sent to {}: {why}", signal.name(), process.pid);
        let pid = rustix::process::Pid::from_raw(process.pid.0)
            .ok_or_else(|| refused("it is not in this pid namespace"))?;
        // The handle pins the process; its start time is compared only after the handle is open.
        let handle = pidfd_open(pid, PidfdFlags::empty())
            .map_err(|errno| refused(&io::Error::from(errno).to_string()))?;
        if start_time(root, process) != Some(process.start_time) {
            return Err(refused("it has ended, and another process has its pid"));
        }
        // A driver may name a process by a number that means another one here.
        match open_devices(root, process.pid) {
            Ok(devices) if !devices.is_empty() => {}
            Ok(_) => return Err(refused("it has no device open")),
            Err(error) => return Err(refused(&format!("cannot see its open files: {error}"))),
        }
        let number = match signal {
            Signal::Terminate => Number::TERM,
            Signal::Interrupt => Number::INT,
            Signal::Kill => Number::KILL,
        };
        match pidfd_send_signal(handle, number) {
            Ok(()) => Ok(format!("sent {} to {}", signal.name(), process.pid)),
            Err(errno) => Err(refused(&io::Error::from(errno).to_string())),
        }
    }
}

/// Writes a new file. Removes it if it cannot be written completely.
fn write_new(path: &std::path::Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes).or_else(|error| fs::remove_file(path).and(Err(error)))
}

/// Returns the clock ticks between boot and the start of a process: field 22 of its `stat`. The name before it may
/// contain anything.
fn start_time(root: &Root, process: ProcessId) -> Option<u64> {
    let text = root.read_text(&format!("/proc/{}/stat", process.pid)).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    fields.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use ttmem_model::Pid;
    use ttmem_root::{Entry, Tree};

    use super::*;

    #[test]
    fn a_document_never_replaces_another() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::Named(folder.path().to_owned());
        let outside = Outside { directory, processes: None };
        let document = Document { name: "ttmem-a.csv".to_owned(), bytes: b"1\n".to_vec() };
        assert!(outside.save(&document).unwrap().ends_with("ttmem-a.csv"));
        assert!(outside.save(&document).unwrap().ends_with("ttmem-a-2.csv"));
        let nowhere = Directory::Named(folder.path().join("missing"));
        let outside = Outside { directory: nowhere, processes: None };
        assert!(outside.save(&document).unwrap_err().starts_with("could not save "));
    }

    /// A process to signal, ended with the test.
    struct Child(std::process::Child);

    impl Drop for Child {
        fn drop(&mut self) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }

    impl Child {
        fn start() -> Self {
            Self(std::process::Command::new("sleep").arg("60").spawn().unwrap())
        }

        fn id(&self, later: u64) -> ProcessId {
            let pid = Pid(i32::try_from(self.0.id()).unwrap());
            let process = ProcessId { pid, start_time: 0 };
            ProcessId { pid, start_time: start_time(&Root::system(), process).unwrap() + later }
        }

        /// A host on which the process has a device open.
        fn with_device(&self) -> Root {
            let pid = self.id(0).pid;
            let stat = Root::system().read_text(&format!("/proc/{pid}/stat")).unwrap();
            let mut tree = Tree::new();
            tree.put(format!("/proc/{pid}/stat"), Entry::file(stat));
            tree.put(format!("/proc/{pid}/fd/3"), Entry::Link("/dev/tenstorrent/0".to_owned()));
            Root::memory(tree)
        }
    }

    fn outside(root: Root) -> Outside {
        Outside { directory: Directory::Working, processes: Some(root) }
    }

    #[test]
    fn a_signal_reaches_the_process_that_was_meant() {
        let mut child = Child::start();
        let outside = outside(child.with_device());
        let other = outside.signal(child.id(1), Signal::Terminate).unwrap_err();
        assert!(other.contains("another process has its pid"), "{other}");
        assert!(child.0.try_wait().unwrap().is_none());
        assert!(outside.signal(child.id(0), Signal::Terminate).is_ok());
        assert!(!child.0.wait().unwrap().success());
    }

    #[test]
    fn a_process_without_a_device_gets_no_signal() {
        let mut child = Child::start();
        let refused = outside(Root::system()).signal(child.id(0), Signal::Kill).unwrap_err();
        assert!(refused.contains("it has no device open"), "{refused}");
        assert!(child.0.try_wait().unwrap().is_none());
    }

    #[test]
    fn no_signal_leaves_a_host_that_is_only_looked_at() {
        let outside = Outside { directory: Directory::Working, processes: None };
        let id = ProcessId { pid: Pid(1), start_time: 1 };
        assert!(outside.signal(id, Signal::Kill).is_err());
    }
}
