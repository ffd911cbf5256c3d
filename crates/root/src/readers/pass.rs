//! One pass over requests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use ttmem_model::order::Gather as _;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::job::Job;
use super::process::Process;
use super::{
    BUSY_FACTOR, GRACE, MAX_PROCESSES, Program, Readers, Request, Response, SHARED, copy, micros,
};
use crate::batch::FolderAnswer;
use crate::clock::{Clock, Stopwatch};

/// Results of a pass.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Requests that were answered whole.
    pub(super) done: BTreeMap<u32, Response>,
    /// Answers of requests that were not.
    pub(super) partial: BTreeMap<u32, Vec<FolderAnswer>>,
    /// Requests for which no reader can be started.
    pub(super) unreadable: Vec<Arc<Request>>,
}

/// One pass over requests.
pub(super) struct Pass<'a> {
    readers: &'a mut Readers,
    program: Program,
    clock: Clock,
    began: Stopwatch,
    waiting: Vec<Arc<Request>>,
    outcome: Outcome,
}

impl<'a> Pass<'a> {
    pub(super) fn new(
        readers: &'a mut Readers,
        program: Program,
        requests: Vec<Arc<Request>>,
        clock: Clock,
    ) -> Self {
        let (began, outcome) = (Clock::System.start(), Outcome::default());
        Self { readers, program, clock, began, waiting: requests, outcome }
    }

    pub(super) fn run(mut self) -> Outcome {
        self.collect_earlier();
        self.assign();
        let mut deadline = micros(self.readers.deadline);
        let longest = deadline.saturating_mul(BUSY_FACTOR);
        loop {
            let now = self.began.micros();
            // Before the deadline is judged, so that what a blocked reader held back has a reader of its own.
            if now < longest {
                self.split_stuck(now);
            }
            if now >= deadline && now < longest && self.waits_for_a_processor() {
                deadline = now + micros(GRACE);
            }
            if !self.readers.busy.iter().any(Job::is_of_this_pass) || now >= deadline {
                break;
            }
            self.wait(self.patience(deadline).saturating_sub(now));
        }
        self.end()
    }

    /// Takes in the answers that came since the last pass. A request whose reader is still blocked is not made again.
    fn collect_earlier(&mut self) {
        self.readers.busy.iter_mut().for_each(|job| job.progress = None);
        self.receive_all();
        let busy: BTreeSet<u32> = self.readers.busy.iter().flat_map(Job::keys).gather();
        self.waiting.retain(|request| !busy.contains(&request.key));
    }

    /// Time until which there is nothing to do but wait.
    fn patience(&self, deadline: u64) -> u64 {
        let jobs = self.readers.busy.iter().filter(|job| job.has_others());
        let soonest = jobs.filter_map(|job| job.progress).min();
        soonest.map_or(deadline, |progress| deadline.min(progress + micros(GRACE)))
    }

    /// Takes requests from readers that make no progress, and gives them to others.
    fn split_stuck(&mut self, now: u64) {
        for job in self.readers.busy.iter_mut().filter(|job| job.has_others()) {
            let Some(progress) = job.progress.filter(|progress| now >= progress + micros(GRACE))
            else {
                continue;
            };
            if !job.process.has_greeted() || job.process.is_runnable() {
                job.progress = Some(progress.max(now));
                continue;
            }
            for (request, answers) in job.split() {
                self.outcome.partial.insert(request.key, answers);
                self.waiting.push(request);
            }
        }
        self.assign();
    }

    /// True if a reader of this pass is runnable, has answered lately, or has not started yet.
    fn waits_for_a_processor(&self) -> bool {
        let recent = self.began.micros().saturating_sub(micros(GRACE));
        let mut jobs = self.readers.busy.iter().filter(|job| job.is_of_this_pass());
        jobs.any(|job| {
            let is_recent = job.progress.is_some_and(|progress| progress > recent);
            is_recent || !job.process.has_greeted() || job.process.is_runnable()
        })
    }

    /// Sends the waiting requests to as many processes as are stuck, and at least to one: in a first pass over many
    /// devices to two copies of this process.
    fn assign(&mut self) {
        let is_shared = !std::mem::replace(&mut self.readers.has_read, true)
            && self.waiting.len() >= SHARED
            && copy::is_possible();
        let jobs = self.readers.busy.iter().filter(|job| job.is_of_this_pass());
        let stuck = jobs.filter(|job| !job.has_others()).count();
        let free = MAX_PROCESSES.saturating_sub(self.readers.busy.len());
        let processes = stuck.max(1 + usize::from(is_shared)).min(self.waiting.len()).min(free);
        for left in (1..=processes).rev() {
            let share = self.waiting.len().div_ceil(left);
            let batch = self.waiting.drain(..share).collect();
            if !self.ask(batch) {
                return;
            }
        }
    }

    /// Sends requests to a process. Returns false if none can be started.
    fn ask(&mut self, mut requests: Vec<Arc<Request>>) -> bool {
        loop {
            let process = match self.readers.idle.pop() {
                Some(process) => process,
                None => match Process::start(&self.program) {
                    Ok(process) => process,
                    Err(_) => {
                        self.waiting.extend(requests);
                        self.give_up();
                        return false;
                    }
                },
            };
            match Job::start(process, requests, self.clock.now(), self.began.micros()) {
                Ok(job) => {
                    self.readers.busy.push(job);
                    return true;
                }
                // It has ended meanwhile; another one is started for the requests.
                Err(refused) => requests = refused,
            }
        }
    }

    /// Reads the rest in this process: no reader can be started.
    fn give_up(&mut self) {
        self.readers.program = None;
        self.outcome.unreadable.append(&mut self.waiting);
    }

    /// Waits for answers.
    fn wait(&mut self, longest: u64) {
        let timeout = Timespec {
            tv_sec: i64::try_from(longest / 1_000_000).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(longest % 1_000_000 * 1000).unwrap_or(0),
        };
        let jobs = self.readers.busy.iter();
        let mut watched: Vec<PollFd<'_>> =
            jobs.map(|job| PollFd::new(job.process.answers(), PollFlags::IN)).collect();
        let has_come = poll(&mut watched, Some(&timeout)).unwrap_or(0) > 0;
        drop(watched);
        if has_come {
            self.receive_all();
        }
    }

    /// Takes in what the processes answered. A process that answered everything is idle.
    fn receive_all(&mut self) {
        for mut job in std::mem::take(&mut self.readers.busy) {
            let answered = job.answered();
            let (whole, end) = job.receive();
            if job.answered() > answered && job.progress.is_some() {
                job.progress = Some(self.began.micros());
            }
            // An answer from before this pass serves unless a newer one comes in time.
            self.outcome.done.extend(whole.into_iter().map(|response| (response.key, response)));
            if job.is_done() {
                let (_, process) = job.into_rest();
                if process.is_open() && end.is_ok() {
                    self.readers.idle.push(process);
                }
            } else if end.is_ok() {
                self.readers.busy.push(job);
            } else if job.is_of_this_pass() {
                self.lose(job);
            }
        }
    }

    /// Drops the job of a process that ended: one that never answered is not this program's reader.
    fn lose(&mut self, job: Job) {
        let (rest, process) = job.into_rest();
        if !process.has_greeted() {
            self.waiting.extend(rest.into_iter().map(|(request, _)| request));
            return self.give_up();
        }
        for (request, mut folders) in rest {
            for folder in request.folders.iter().skip(folders.len()) {
                let count = folder.names.len();
                folders.push(FolderAnswer::failed(self.clock.now(), count, Errno::IO));
            }
            let key = request.key;
            self.outcome.done.insert(key, Response { key, folders, late_since: None });
        }
    }

    /// Leaves each blocked reader the one request that it works on.
    fn end(mut self) -> Outcome {
        for job in self.readers.busy.iter_mut().filter(|job| job.has_others()) {
            for (request, answers) in job.split() {
                self.outcome.partial.insert(request.key, answers);
            }
        }
        self.outcome
    }
}
