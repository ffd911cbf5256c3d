//! One reader process, from both sides.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rustix::buffer::spare_capacity;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, retry_on_intr};

use crate::Root;
use crate::batch::{
    FolderAnswer, FolderRequest, MAX_FRAME_BYTES, decode_answer, decode_request, encode_answer,
    encode_request, take_frame,
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
    requests: ChildStdin,
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
        Ok(Self { child, requests, answers, received: Vec::new(), has_greeted: false })
    }

    /// Sends a request. It is far smaller than a pipe's buffer, so that this does not wait.
    pub(super) fn ask(&mut self, folders: &[FolderRequest<'_>]) -> io::Result<()> {
        self.requests.write_all(&encode_request(folders))
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
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    output.write_all(&GREETING)?;
    output.flush()?;
    let mut received = Vec::new();
    let mut piece = vec![0; PIPE_BYTES];
    loop {
        while let Some(content) = take_frame(&mut received)? {
            let folders = decode_request(&content).ok_or(io::ErrorKind::InvalidData)?;
            for folder in folders {
                let answer = folder.read(root, Clock::System);
                output.write_all(&encode_answer(&answer))?;
                output.flush()?;
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
