//! Requests that one reader process works on.

use std::sync::Arc;

use rustix::io::Errno;
use ttmem_model::Timestamp;

use super::process::Process;
use super::{Request, Response};
use crate::batch::{FolderAnswer, steps};

/// A request that is not whole, with the answers that came.
pub(super) type Unfinished = (Arc<Request>, Vec<FolderAnswer>);

/// Requests that one reader process works on, and what it answered so far.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) process: Process,
    requests: Vec<Arc<Request>>,
    answers: Vec<Vec<FolderAnswer>>,
    /// Order of the answers: indexes of a request and of its folder.
    steps: Vec<(usize, usize)>,
    /// Number of answered steps.
    done: usize,
    since: Timestamp,
    /// Time of the last answer in this pass, in microseconds since it began. `None` if the job is of an earlier pass.
    pub(super) progress: Option<u64>,
}

impl Job {
    /// Sends requests to a process.
    ///
    /// # Errors
    /// The requests, if the process has ended.
    pub(super) fn start(
        mut process: Process,
        requests: Vec<Arc<Request>>,
        since: Timestamp,
        progress: u64,
    ) -> Result<Self, Vec<Arc<Request>>> {
        if process.ask(&requests).is_err() {
            return Err(requests);
        }
        let steps = steps(requests.iter().map(|request| request.folders.len()));
        let answers = vec![Vec::new(); requests.len()];
        let progress = Some(progress);
        Ok(Self { process, requests, answers, steps, done: 0, since, progress })
    }

    /// Receives the answers that have arrived. Returns the requests that are complete now. An error means that no more
    /// answers will come.
    pub(super) fn receive(&mut self) -> (Vec<Response>, Result<(), Errno>) {
        let mut received = Vec::new();
        let end = self.process.receive(&mut received);
        let mut whole = Vec::new();
        for answer in received {
            let Some((index, _)) = self.steps.get(self.done) else { break };
            self.done += 1;
            let (Some(request), Some(answers)) =
                (self.requests.get(*index), self.answers.get_mut(*index))
            else {
                continue;
            };
            answers.push(answer);
            if answers.len() == request.folders.len() {
                let folders = std::mem::take(answers);
                whole.push(Response { key: request.key, folders, late_since: None });
            }
        }
        (whole, end)
    }

    /// Number of answered steps.
    pub(super) fn answered(&self) -> usize {
        self.done
    }

    /// True if every step is answered.
    pub(super) fn is_done(&self) -> bool {
        self.done >= self.steps.len()
    }

    /// True if another reader could have some of its requests.
    pub(super) fn has_others(&self) -> bool {
        let current = self.steps.get(self.done).map(|(request, _)| *request);
        let mut left = self.steps.iter().skip(self.done);
        left.any(|(request, _)| Some(*request) != current)
    }

    /// Keeps the request that the process works on, and returns the others that are not whole, with their answers.
    pub(super) fn split(&mut self) -> Vec<(Arc<Request>, Vec<FolderAnswer>)> {
        let Some((current, folder)) = self.steps.get(self.done).copied() else {
            return Vec::new();
        };
        let all = std::mem::take(&mut self.requests).into_iter();
        let mut all: Vec<_> = all.zip(std::mem::take(&mut self.answers)).map(Some).collect();
        if let Some((request, answers)) = all.get_mut(current).and_then(Option::take) {
            // In the first round the process ends after the folder that it reads.
            let last = if folder == 0 { 1 } else { request.folders.len() };
            let left = (folder..last).map(|folder| (0, folder)).collect();
            let steps = std::mem::replace(&mut self.steps, left);
            let is_left =
                |index: usize| steps.iter().skip(self.done).any(|(left, _)| *left == index);
            for (index, other) in all.iter_mut().enumerate() {
                if !is_left(index) {
                    *other = None;
                }
            }
            (self.requests, self.answers, self.done) = (vec![request], vec![answers], 0);
        }
        let others: Vec<_> = all.into_iter().flatten().collect();
        if !others.is_empty() {
            self.process.dismiss();
        }
        others
    }

    /// True if the job was started in the running pass.
    pub(super) fn is_of_this_pass(&self) -> bool {
        self.progress.is_some()
    }

    /// Keys of the requests.
    pub(super) fn keys(&self) -> impl Iterator<Item = u32> {
        self.requests.iter().map(|request| request.key)
    }

    /// The late response of a request.
    pub(super) fn late(&self, key: u32) -> Option<Response> {
        let index = self.requests.iter().position(|request| request.key == key)?;
        let folders = self.answers.get(index).cloned().unwrap_or_default();
        Some(Response { key, folders, late_since: Some(self.since) })
    }

    /// The requests that are not whole, with their answers, and the process.
    pub(super) fn into_rest(self) -> (Vec<Unfinished>, Process) {
        let left =
            |index: usize| self.steps.iter().skip(self.done).any(|(request, _)| *request == index);
        let all = self.requests.into_iter().zip(self.answers).enumerate();
        let rest = all.filter(|(index, _)| left(*index)).map(|(_, rest)| rest);
        (rest.collect(), self.process)
    }
}
