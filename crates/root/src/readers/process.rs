//! One reader process, as its parent sees it.

use std::fs::{DirEntry, File};
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustix::buffer::spare_capacity;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Pid, WaitOptions, waitpid};

use super::{Program, Request, copy};
use crate::batch::{FolderAnswer, MAX_FRAME_BYTES, Received, decode_answer, encode_requests};

/// First bytes that a reader writes: what writes others is another program.
pub(super) const GREETING: [u8; 8] = *b"ttmrdr1\n";

/// Bytes that are taken from a pipe at once.
pub(super) const PIPE_BYTES: usize = 64 << 10;

/// A running reader process.
#[derive(Debug)]
pub(super) struct Process {
    pid: Pid,
    /// `None` once it is given nothing more to read.
    requests: Option<File>,
    answers: OwnedFd,
    received: Received,
    has_greeted: bool,
    /// The last batch of requests.
    asked: Vec<Arc<Request>>,
}

impl Process {
    /// Starts a reader: a copy of this process where that is possible, else the program. It is in a process group of its
    /// own, so that an interrupt from the terminal does not end it.
    pub(super) fn start(program: &Program) -> io::Result<Self> {
        let (ours, theirs) = (io::pipe()?, io::pipe()?);
        let (requests, answers) = (OwnedFd::from(theirs.1), OwnedFd::from(ours.0));
        let (input, output) = (OwnedFd::from(theirs.0), OwnedFd::from(ours.1));
        // A stuck reader must not keep the standard error of its parent open.
        let errors = OwnedFd::from(io::pipe()?.1);
        let copied = match program.is_this {
            true => copy::start(program, [&input, &output, &errors]),
            false => None,
        };
        let pid = match copied {
            Some(pid) => pid,
            None => {
                let child = Command::new(&program.executable)
                    .arg0("ttmem-reader")
                    .args(&program.arguments)
                    .stdin(Stdio::from(input))
                    .stdout(Stdio::from(output))
                    .stderr(Stdio::from(errors))
                    .process_group(0)
                    .spawn()?;
                Pid::from_child(&child)
            }
        };
        let flags = fcntl_getfl(&answers)?;
        fcntl_setfl(&answers, flags | OFlags::NONBLOCK)?;
        Ok(Self {
            pid,
            requests: Some(File::from(requests)),
            answers,
            received: Received::default(),
            has_greeted: false,
            asked: Vec::new(),
        })
    }

    /// Sends requests. An idle reader takes them at once, so that this does not wait.
    pub(super) fn ask(&mut self, requests: &[Arc<Request>]) -> io::Result<()> {
        let pipe = self.requests.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        if requests == self.asked {
            return pipe.write_all(&[0; 4]);
        }
        self.asked = requests.to_vec();
        let folders: Vec<_> = requests.iter().map(|request| request.folders.as_slice()).collect();
        pipe.write_all(&encode_requests(&folders))
    }

    /// Lets it end after the request that it works on.
    pub(super) fn dismiss(&mut self) {
        self.requests = None;
    }

    /// True if it can be asked again.
    pub(super) fn is_open(&self) -> bool {
        self.requests.is_some()
    }

    /// The pipe that answers come through.
    pub(super) fn answers(&self) -> &OwnedFd {
        &self.answers
    }

    /// True once the process has answered as a reader does.
    pub(super) fn has_greeted(&self) -> bool {
        self.has_greeted
    }

    /// True if the process is not blocked: the kernel lists one of its threads as running (`R` in `stat`).
    pub(super) fn is_runnable(&self) -> bool {
        let is_running = |task: io::Result<DirEntry>| {
            let stat = std::fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
            (stat.rsplit_once(") ")?.1.chars().next()? == 'R').then_some(())
        };
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid));
        tasks.into_iter().flatten().any(|task| is_running(task).is_some())
    }

    /// Receives the answers that have arrived. An error means that no more will come.
    pub(super) fn receive(&mut self, answers: &mut Vec<FolderAnswer>) -> Result<(), Errno> {
        let end = self.fill();
        if !self.has_greeted {
            let length = GREETING.len().min(self.received.rest().len());
            if self.received.rest().get(..length) != GREETING.get(..length) {
                return Err(Errno::PROTO);
            }
            if length == GREETING.len() {
                self.received.skip(length);
                self.has_greeted = true;
            }
        }
        while self.has_greeted
            && let Some(content) = self.received.take_frame()?
        {
            answers.push(decode_answer(content).ok_or(Errno::PROTO)?);
        }
        end
    }

    fn fill(&mut self) -> Result<(), Errno> {
        let received = self.received.end();
        loop {
            if received.len() > MAX_FRAME_BYTES + PIPE_BYTES {
                return Err(Errno::MSGSIZE);
            }
            received.reserve(PIPE_BYTES);
            let pipe = self.answers.as_fd();
            match retry_on_intr(|| rustix::io::read(pipe, spare_capacity(received))) {
                Ok(0) => return Err(Errno::PIPE),
                Ok(_) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(errno) => return Err(errno),
            }
        }
    }
}

impl Drop for Process {
    /// Takes note of the end of the process if it has ended. One that has not is not waited for: it ends by itself once
    /// its input is closed.
    fn drop(&mut self) {
        waitpid(Some(self.pid), WaitOptions::NOHANG).ok();
    }
}
