//! Reads of files that may block for seconds, with a deadline.
//!
//! A read of a driver's file can wait for a lock of the kernel, where neither a signal nor the end of the process
//! interrupts it: a thread that waits there keeps its whole process from ending. So these files are read by reader
//! processes: a copy of this process, or this program, started again with [`ARGUMENT`]. A reader that is late keeps its one request, is not waited for,
//! and ends when the kernel lets go of it and its input is closed. Until then no other reader gets the same request.
//!
//! One reader reads everything while all is well. If it makes no progress for `GRACE`, it keeps the request that it works
//! on, and more are started for the rest, as many as are stuck.

mod copy;
mod job;
mod pass;
mod process;
mod serving;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ttmem_model::Timestamp;

use super::Root;
use super::batch::{FolderAnswer, FolderRequest};
use super::clock::Clock;
use job::Job;
use pass::{Outcome, Pass};
use process::Process;

/// Longest time that a pass waits for requests, unless [`Readers::with_deadline`] sets another.
pub(crate) const DEADLINE: Duration = Duration::from_millis(200);

/// Time without an answer after which further readers are started.
pub(crate) const GRACE: Duration = Duration::from_millis(20);

/// The multiple of the deadline that a pass waits for readers that are not blocked, but wait for a processor: the
/// driver is not late then, the machine is busy.
const BUSY_FACTOR: u64 = 10;

/// Most readers of one pass: as many as tt-kmd has devices by default (`max_devices`).
const MAX_PROCESSES: usize = 32;

/// Requests from which on a first pass, in which every file is opened, is shared by two readers.
const SHARED: usize = 16;

/// The first argument with which the program is started as a reader.
pub const ARGUMENT: &str = "__read-files";

/// Files that are read together because they block together, such as those of one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Identity of what is read. While a request of a key is unanswered, the key is not requested again.
    pub key: u32,
    /// The files, in the order in which they are read.
    pub folders: Vec<FolderRequest<'static>>,
}

/// Answer to a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The key of the request.
    pub key: u32,
    /// Answers of the folders that were read, in order; fewer than requested if the response is late.
    pub folders: Vec<FolderAnswer>,
    /// Time of the request that is still unanswered; `None` if all folders were read.
    pub late_since: Option<Timestamp>,
}

/// Program that is started as a reader.
#[derive(Clone, Debug)]
struct Program {
    executable: PathBuf,
    arguments: Vec<OsString>,
    /// True if it is the program of this process.
    is_this: bool,
}

/// Reader processes of one host.
#[derive(Debug)]
pub struct Readers {
    /// `None` if files are read in this process.
    program: Option<Program>,
    deadline: Duration,
    idle: Vec<Process>,
    /// Jobs with one request between two passes: those whose readers are blocked.
    busy: Vec<Job>,
    /// True after the first pass.
    has_read: bool,
}

impl Default for Readers {
    fn default() -> Self {
        Self::in_process()
    }
}

impl Readers {
    /// Reads files in this process, without a deadline: for hosts in memory, and programs without a reader mode.
    #[must_use]
    pub(crate) fn in_process() -> Self {
        let (idle, busy) = (Vec::new(), Vec::new());
        Self { program: None, deadline: DEADLINE, idle, busy, has_read: false }
    }

    /// Reads files in processes of this program, which must call [`read_files`] if its first argument is [`ARGUMENT`].
    /// `directory` is the directory of a [`Root::directory`]; `None` is the system.
    #[must_use]
    pub fn of_this_program(directory: Option<&Path>) -> Self {
        let mut arguments = vec![OsString::from(ARGUMENT)];
        arguments.extend(directory.map(|path| path.as_os_str().to_owned()));
        // The link leads to the running program even after an update replaced its file.
        let executable = PathBuf::from("/proc/self/exe");
        let program = Program { executable, arguments, is_this: true };
        Self { program: Some(program), ..Self::in_process() }
    }

    /// Sets the longest time that a pass waits for requests.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Reads the files of all requests, in order. A request that is not answered before the deadline, and one whose key
    /// has an unanswered request from an earlier pass, gets a late response with what was read. A caller that repeats
    /// requests keeps them, so that they are sent to a process once.
    pub fn read(
        &mut self,
        root: &Root,
        requests: Vec<Arc<Request>>,
        clock: Clock,
    ) -> Vec<Response> {
        let Some(program) = self.program.clone() else {
            return requests.iter().map(|request| read_here(root, request, clock)).collect();
        };
        let keys: Vec<u32> = requests.iter().map(|request| request.key).collect();
        let Outcome { mut done, mut partial, unreadable } =
            Pass::new(self, program, requests, clock).run();
        for request in unreadable {
            done.insert(request.key, read_here(root, &request, clock));
        }
        let mut late = |key: u32| {
            let stuck = self.busy.iter().find_map(|job| job.late(key));
            stuck.unwrap_or_else(|| {
                let folders = partial.remove(&key).unwrap_or_default();
                Response { key, folders, late_since: Some(clock.now()) }
            })
        };
        keys.into_iter().map(|key| done.remove(&key).unwrap_or_else(|| late(key))).collect()
    }

    /// Starts a reader if none is idle, so that it is ready when there is something to read.
    pub fn prepare(&mut self) {
        if let Some(program) = self.program.as_ref().filter(|_| self.idle.is_empty()) {
            self.idle.extend(Process::start(program).ok());
        }
    }
}

/// Reads files for another process, as one of its readers, until that closes standard input. `directory` is the
/// argument after [`ARGUMENT`]. Files are opened so that a read of one that has no data yet waits.
///
/// # Errors
/// If the directory cannot be opened, standard input has something else than requests, or an answer cannot be written.
pub fn read_files(directory: Option<&OsStr>) -> io::Result<()> {
    let root = match directory {
        None => Root::system(),
        Some(directory) => {
            Root::directory(Path::new(directory)).map_err(|error| error.errno)?.waiting()
        }
    };
    serving::serve(&root)
}

fn read_here(root: &Root, request: &Request, clock: Clock) -> Response {
    let folders = request.folders.iter().map(|folder| folder.read(root, clock)).collect();
    Response { key: request.key, folders, late_since: None }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
