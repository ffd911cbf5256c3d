//! Reads of files that may block for seconds, with a deadline.
//!
//! A read of a driver's file can wait for a lock of the kernel, where neither a signal nor the end of the process
//! interrupts it: a thread that waits there keeps its whole process from ending. So these files are read by reader
//! processes: this program, started again as [`serve`]. A reader that is late keeps its one request, is not waited for,
//! and ends when the kernel lets go of it and its input is closed. Until then no other reader gets the same request.
//!
//! One reader reads everything while all is well. If it makes no progress for [`GRACE`], more are started for what is
//! left, as many as are stuck.

mod process;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use ttmem_model::Timestamp;

use super::Root;
use super::batch::{FolderAnswer, FolderRequest};
use super::clock::{Clock, Stopwatch};
use process::Process;

pub use process::serve;

/// Longest time that a pass waits for requests, unless [`Readers::with_deadline`] sets another.
pub(crate) const DEADLINE: Duration = Duration::from_millis(200);

/// Time without an answer after which further readers are started.
pub(crate) const GRACE: Duration = Duration::from_millis(20);

/// The multiple of the deadline that a pass waits for readers that are not blocked, but wait for a processor: the
/// driver is not late then, the machine is busy.
const BUSY_FACTOR: u64 = 10;

/// Most readers of one pass: as many as tt-kmd has devices by default (`max_devices`).
const MAX_PROCESSES: usize = 32;

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
}

/// Reader processes of one host.
#[derive(Debug)]
pub struct Readers {
    /// `None` if files are read in this process.
    program: Option<Program>,
    deadline: Duration,
    idle: Vec<Process>,
    busy: BTreeMap<u32, Job>,
}

/// A request that a process works on.
#[derive(Debug)]
struct Job {
    request: Request,
    answers: Vec<FolderAnswer>,
    since: Timestamp,
    process: Process,
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
        Self { program: None, deadline: DEADLINE, idle: Vec::new(), busy: BTreeMap::new() }
    }

    /// Reads files in processes of this program, which must call [`serve`] if its first argument is [`ARGUMENT`].
    /// `directory` is the directory of a [`Root::directory`]; `None` is the system.
    #[must_use]
    pub fn of_this_program(directory: Option<&Path>) -> Self {
        let mut arguments = vec![OsString::from(ARGUMENT)];
        arguments.extend(directory.map(|path| path.as_os_str().to_owned()));
        // The link leads to the running program even after an update replaced its file.
        let executable = PathBuf::from("/proc/self/exe");
        Self { program: Some(Program { executable, arguments }), ..Self::in_process() }
    }

    /// Sets the longest time that a pass waits for requests.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Reads the files of all requests, in order. A request that is not answered before the deadline, and one whose key
    /// has an unanswered request from an earlier pass, gets a late response with what was read.
    pub fn read(&mut self, root: &Root, requests: Vec<Request>, clock: Clock) -> Vec<Response> {
        let Some(program) = self.program.clone() else {
            return requests.iter().map(|request| read_here(root, request, clock)).collect();
        };
        let keys: Vec<u32> = requests.iter().map(|request| request.key).collect();
        let mut pass = Pass::new(self, program, requests, clock);
        pass.run();
        let mut done = std::mem::take(&mut pass.done);
        for request in std::mem::take(&mut pass.unreadable) {
            done.insert(request.key, read_here(root, &request, clock));
        }
        keys.into_iter()
            .map(|key| done.remove(&key).unwrap_or_else(|| self.late(key, clock)))
            .collect()
    }

    fn late(&self, key: u32, clock: Clock) -> Response {
        let job = self.busy.get(&key);
        let folders = job.map(|job| job.answers.clone()).unwrap_or_default();
        let since = job.map_or_else(|| clock.now(), |job| job.since);
        Response { key, folders, late_since: Some(since) }
    }
}

fn read_here(root: &Root, request: &Request, clock: Clock) -> Response {
    let folders = request.folders.iter().map(|folder| folder.read(root, clock)).collect();
    Response { key: request.key, folders, late_since: None }
}

/// One pass over requests.
struct Pass<'a> {
    readers: &'a mut Readers,
    program: Program,
    clock: Clock,
    began: Stopwatch,
    waiting: VecDeque<Request>,
    /// Keys of this pass that a process works on.
    asked: BTreeSet<u32>,
    done: BTreeMap<u32, Response>,
    /// Requests for which no reader can be started.
    unreadable: Vec<Request>,
}

impl<'a> Pass<'a> {
    fn new(
        readers: &'a mut Readers,
        program: Program,
        requests: Vec<Request>,
        clock: Clock,
    ) -> Self {
        let began = Clock::System.start();
        let waiting = requests.into();
        let (asked, done, unreadable) = (BTreeSet::new(), BTreeMap::new(), Vec::new());
        Self { readers, program, clock, began, waiting, asked, done, unreadable }
    }

    fn run(&mut self) {
        self.collect_earlier();
        let busy = &self.readers.busy;
        self.waiting.retain(|request| !busy.contains_key(&request.key));
        let mut deadline = micros(self.readers.deadline);
        let longest = deadline.saturating_mul(BUSY_FACTOR);
        let mut progress = self.began.micros();
        loop {
            self.assign(usize::from(self.asked.is_empty()));
            let now = self.began.micros();
            if now >= deadline && self.waits_for_a_processor() && now < longest {
                deadline = now + micros(GRACE);
            }
            if self.asked.is_empty() || now >= deadline {
                return;
            }
            let is_all = self.waiting.is_empty();
            let patience = if is_all { deadline } else { deadline.min(progress + micros(GRACE)) };
            if self.wait(patience.saturating_sub(now)) {
                progress = self.began.micros();
            } else if self.began.micros() >= patience {
                progress = patience;
                self.assign(self.asked.len());
            }
        }
    }

    /// True if a reader of this pass could go on, if it had a processor, or has not started yet.
    fn waits_for_a_processor(&self) -> bool {
        let processes = self.asked.iter().filter_map(|key| self.readers.busy.get(key));
        processes.into_iter().any(|job| !job.process.has_greeted() || job.process.is_runnable())
    }

    /// Takes in the answers that came since the last pass. Their readers are free again.
    fn collect_earlier(&mut self) {
        let keys: Vec<u32> = self.readers.busy.keys().copied().collect();
        for key in keys {
            self.receive(key);
        }
    }

    /// Gives requests to idle processes, and to at most `fresh` new ones.
    fn assign(&mut self, mut fresh: usize) {
        while !self.waiting.is_empty() {
            let process = match self.readers.idle.pop() {
                Some(process) => process,
                None if fresh == 0 || self.readers.busy.len() >= MAX_PROCESSES => return,
                None => {
                    fresh -= 1;
                    let Program { executable, arguments } = &self.program;
                    match Process::start(executable, arguments) {
                        Ok(process) => process,
                        Err(_) => return self.give_up(),
                    }
                }
            };
            self.ask(process);
        }
    }

    fn ask(&mut self, mut process: Process) {
        let Some(request) = self.waiting.pop_front() else {
            return self.readers.idle.push(process);
        };
        if process.ask(&request.folders).is_err() {
            // It has ended meanwhile; another one is started for the request.
            return self.waiting.push_front(request);
        }
        self.asked.insert(request.key);
        let (answers, since) = (Vec::new(), self.clock.now());
        self.readers.busy.insert(request.key, Job { request, answers, since, process });
    }

    /// Lets this process read what is left: no reader can be started.
    fn give_up(&mut self) {
        self.readers.program = None;
        self.unreadable.extend(self.waiting.drain(..));
    }

    /// Waits for answers. Returns false if none came in time.
    fn wait(&mut self, longest: u64) -> bool {
        let timeout = Timespec {
            tv_sec: i64::try_from(longest / 1_000_000).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(longest % 1_000_000 * 1000).unwrap_or(0),
        };
        let jobs = self.readers.busy.iter();
        let keys: Vec<u32> = jobs.clone().map(|(key, _)| *key).collect();
        let mut watched: Vec<PollFd<'_>> =
            jobs.map(|(_, job)| PollFd::new(job.process.answers(), PollFlags::IN)).collect();
        let ready = poll(&mut watched, Some(&timeout)).unwrap_or(0);
        let has_come = |(key, fd): (&u32, &PollFd<'_>)| (!fd.revents().is_empty()).then_some(*key);
        let came: Vec<u32> = keys.iter().zip(&watched).filter_map(has_come).collect();
        drop(watched);
        for key in came {
            self.receive(key);
        }
        ready > 0
    }

    /// Takes in what a process answered. A request that is answered whole leaves the process idle.
    fn receive(&mut self, key: u32) {
        let Some(mut job) = self.readers.busy.remove(&key) else { return };
        let received = job.process.receive(&mut job.answers);
        let is_whole = job.answers.len() >= job.request.folders.len();
        if !is_whole && received.is_ok() {
            self.readers.busy.insert(key, job);
            return;
        }
        let is_of_this_pass = self.asked.remove(&key);
        if is_whole {
            self.readers.idle.push(job.process);
            let response = Response { key, folders: job.answers, late_since: None };
            // An answer from before this pass serves unless a newer one comes in time.
            self.done.insert(key, response);
        } else if is_of_this_pass {
            self.lose(job);
        }
    }

    /// Does without a process that ended: one that never answered is not this program's reader.
    fn lose(&mut self, mut job: Job) {
        if !job.process.has_greeted() {
            self.give_up();
            self.unreadable.push(job.request);
            return;
        }
        for folder in job.request.folders.iter().skip(job.answers.len()) {
            let files = vec![Err(Errno::IO); folder.names.len()];
            job.answers.push(FolderAnswer { read_at: self.clock.now(), files });
        }
        let key = job.request.key;
        self.done.insert(key, Response { key, folders: job.answers, late_since: None });
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
