//! One reader process, from both sides.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, retry_on_intr};

use crate::Root;
use crate::batch::{
    FolderAnswer, FolderRequest, MAX_FRAME_BYTES, decode_answer, decode_requests, encode_answer,
    encode_requests, steps, take_frame,
};
use crate::clock::Clock;

/// First bytes that a reader writes: what writes others is another program.
const GREETING: [u8; 8] = *b"ttmrdr1\n";

/// Bytes that are taken from a pipe at once.
const PIPE_BYTES: usize = 64 << 10;

/// A running reader process.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// `None` once it is given nothing more to read.
    requests: Option<ChildStdin>,
    answers: ChildStdout,
    received: Vec<u8>,
    has_greeted: bool,
}

impl Process {
    /// Starts a reader. It is in a process group of its own, so that an interrupt from the terminal does not end it.
    pub(super) fn start(executable: &Path, arguments: &[OsString]) -> io::Result<Self> {
        let (errors, _) = io::pipe()?;
        let mut child = Command::new(executable)
            .arg0("ttmem-reader")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A stuck reader must not keep the standard error of its parent open.
            .stderr(OwnedFd::from(errors))
            .process_group(0)
            .spawn()?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let flags = fcntl_getfl(&answers)?;
        fcntl_setfl(&answers, flags | OFlags::NONBLOCK)?;
        Ok(Self {
            child,
            requests: Some(requests),
            answers,
            received: Vec::new(),
            has_greeted: false,
        })
    }

    /// Sends requests. An idle reader takes them at once, so that this does not wait.
    pub(super) fn ask(&mut self, requests: &[&[FolderRequest<'_>]]) -> io::Result<()> {
        let pipe = self.requests.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        pipe.write_all(&encode_requests(requests))
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
    pub(super) fn answers(&self) -> &ChildStdout {
        &self.answers
    }

    /// True once the process has answered as a reader does.
    pub(super) fn has_greeted(&self) -> bool {
        self.has_greeted
    }

    /// True if the process is not blocked: the kernel lists it as running (`R` in `/proc/PID/stat`).
    pub(super) fn is_runnable(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let state = stat.ok().and_then(|stat| stat.rsplit_once(") ")?.1.chars().next());
        state == Some('R')
    }

    /// Takes in the answers that are there. An error means that none will come any more.
    pub(super) fn receive(&mut self, answers: &mut Vec<FolderAnswer>) -> Result<(), Errno> {
        let end = self.fill();
        if !self.has_greeted {
            let length = GREETING.len().min(self.received.len());
            if self.received.get(..length) != GREETING.get(..length) {
                return Err(Errno::PROTO);
            }
            if length == GREETING.len() {
                self.received.drain(..length);
                self.has_greeted = true;
            }
        }
        while self.has_greeted
            && let Some(content) = take_frame(&mut self.received)?
        {
            answers.push(decode_answer(&content).ok_or(Errno::PROTO)?);
        }
        end
    }

    fn fill(&mut self) -> Result<(), Errno> {
        loop {
            if self.received.len() > MAX_FRAME_BYTES + PIPE_BYTES {
                return Err(Errno::MSGSIZE);
            }
            self.received.reserve(PIPE_BYTES);
            let (pipe, received) = (self.answers.as_fd(), &mut self.received);
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
        drop(self.child.try_wait());
    }
}

/// Answers requests from standard input on standard output until its end. Files are opened so that a read of one that
/// has no data yet waits.
///
/// # Errors
/// If standard input has something else than requests, or an answer cannot be written.
pub fn serve(root: &Root) -> io::Result<()> {
    // Without the buffers of the standard library: each write is one call, each read what there is.
    let mut input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    output.write_all(&GREETING)?;
    let mut received = Vec::new();
    let mut piece = vec![0; PIPE_BYTES];
    loop {
        while let Some(content) = take_frame(&mut received)? {
            let requests = decode_requests(&content).ok_or(io::ErrorKind::InvalidData)?;
            if !answer(root, &requests, &input, &mut output)? {
                return Ok(());
            }
        }
        match input.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(count) => received.extend(piece.iter().take(count)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Time after which a reader asks whether its answers are still wanted, in microseconds.
const SLOW_MICROS: u64 = 5_000;

/// Answers requests: the first folders of all, then request by request. Returns false if the rest is not wanted
/// any more: other readers have it, because this one was blocked.
fn answer(
    root: &Root,
    requests: &[Vec<FolderRequest<'_>>],
    input: &impl AsFd,
    output: &mut impl io::Write,
) -> io::Result<bool> {
    let order = steps(requests.iter().map(Vec::len));
    let mut frames = Vec::new();
    let mut watch = Clock::System.start();
    for (request, index) in order {
        let folders = requests.get(request).map(Vec::as_slice).unwrap_or_default();
        let Some(folder) = folders.get(index) else { continue };
        frames.extend(encode_answer(&folder.read(root, Clock::System)));
        let left = folders.len() - index - 1;
        let is_slow = watch.micros() > SLOW_MICROS;
        // The last folder waits for a lock of its own, and must not hold back the others.
        if !is_slow && index > 0 && left > 1 {
            continue;
        }
        output.write_all(&frames)?;
        frames.clear();
        if is_slow && (index == 0 || left == 0) && is_dismissed(input)? {
            return Ok(false);
        }
        watch = Clock::System.start();
    }
    Ok(true)
}

/// True if nothing can come through the input any more.
fn is_dismissed(input: &impl AsFd) -> io::Result<bool> {
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut watched = [PollFd::new(input, PollFlags::empty())];
    poll(&mut watched, Some(&at_once))?;
    Ok(watched.iter().any(|watched| watched.revents().contains(PollFlags::HUP)))
}
