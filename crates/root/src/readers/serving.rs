//! A reader process, from inside.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::process::{GREETING, PIPE_BYTES};
use crate::Root;
use crate::batch::{FolderAnswer, FolderRequest, Received, decode_requests, encode_answer, steps};
use crate::clock::Clock;
use crate::kept::KeptFolders;

/// Time that a folder may take before the reader asks whether its answers are still wanted.
const SLOW: Duration = Duration::from_millis(5);

/// Longest time that an answer waits for others while a read blocks: less than the parent waits for an answer.
const SEND_AFTER: Duration = Duration::from_millis(10);

/// Stack of the thread that sends answers.
const STACK_BYTES: usize = 64 << 10;

/// Answers requests from standard input on standard output until its end.
pub(super) fn serve(root: &Root) -> io::Result<()> {
    let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut input =
        Input { file: input, received: Received::default(), piece: vec![0; PIPE_BYTES] };
    let output = Output::start(File::from(io::stdout().as_fd().try_clone_to_owned()?))?;
    let mut kept = KeptFolders::new(root);
    let Some(mut batch) = input.frame()? else { return Ok(()) };
    loop {
        let requests = decode_requests(&batch).ok_or(io::ErrorKind::InvalidData)?;
        batch = loop {
            if !answer(&mut kept, &requests, &input.file, &output)? {
                return Ok(());
            }
            match input.frame()? {
                None => return Ok(()),
                // The same batch again.
                Some(next) if next.is_empty() => {}
                Some(next) => break next,
            }
        };
    }
}

/// Requests from standard input, without the buffers of the standard library: each read takes what there is.
struct Input {
    file: File,
    received: Received,
    piece: Vec<u8>,
}

impl Input {
    /// Waits for the content of a frame; `None` at the end.
    fn frame(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(content) = self.received.take_frame()? {
                return Ok(Some(content.to_vec()));
            }
            match self.file.read(&mut self.piece) {
                Ok(0) => return Ok(None),
                Ok(count) => self.received.end().extend(self.piece.iter().take(count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Answers requests: the first folders of all, then request by request. Returns false if the rest is not wanted
/// any more: other readers have it, because this one was blocked.
fn answer(
    kept: &mut KeptFolders<'_>,
    requests: &[Vec<FolderRequest<'_>>],
    input: &impl AsFd,
    output: &Output,
) -> io::Result<bool> {
    let (mut is_slow, mut answer) = (false, FolderAnswer::default());
    output.begin();
    for (request, index) in steps(requests.iter().map(Vec::len)) {
        let folders = requests.get(request).map(Vec::as_slice).unwrap_or_default();
        let watch = Clock::System.start();
        kept.read(folders, index, &mut answer);
        output.add(&answer);
        is_slow |= u128::from(watch.micros()) > SLOW.as_micros();
        // A reader that has begun a request answers the rest of it.
        if is_slow && (index == 0 || index + 1 == folders.len()) {
            is_slow = false;
            output.send()?;
            if is_dismissed(input)? {
                return Ok(false);
            }
        }
    }
    output.end()?;
    Ok(true)
}

/// True if the input is closed.
fn is_dismissed(input: &impl AsFd) -> io::Result<bool> {
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut watched = [PollFd::new(input, PollFlags::empty())];
    poll(&mut watched, Some(&at_once))?;
    Ok(watched.iter().any(|watched| watched.revents().contains(PollFlags::HUP)))
}

/// Answers to send. They are sent together; while a read blocks, a thread sends those that are ready.
struct Output {
    pending: Mutex<Pending>,
    changed: Condvar,
}

struct Pending {
    file: File,
    frames: Vec<u8>,
    /// True while requests are answered.
    is_busy: bool,
}

impl Output {
    fn start(file: File) -> io::Result<Arc<Self>> {
        let pending = Pending { file, frames: GREETING.to_vec(), is_busy: false };
        let output = Arc::new(Self { pending: Mutex::new(pending), changed: Condvar::new() });
        let sender = Arc::clone(&output);
        thread::Builder::new().stack_size(STACK_BYTES).spawn(move || sender.send_late())?;
        Ok(output)
    }

    fn pending(&self) -> std::sync::MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) {
        self.pending().is_busy = true;
        self.changed.notify_one();
    }

    fn add(&self, answer: &FolderAnswer) {
        encode_answer(answer, &mut self.pending().frames);
    }

    fn send(&self) -> io::Result<()> {
        self.pending().send()
    }

    fn end(&self) -> io::Result<()> {
        let mut pending = self.pending();
        pending.is_busy = false;
        pending.send()
    }

    /// Sends what was read as long as requests are answered, every [`SEND_AFTER`].
    fn send_late(&self) {
        let mut pending = self.pending();
        loop {
            let waited = self.changed.wait_timeout(pending, SEND_AFTER);
            pending = waited.unwrap_or_else(PoisonError::into_inner).0;
            if pending.is_busy && pending.send().is_err() {
                // The reading thread meets the same error, and ends.
                return;
            }
            while !pending.is_busy {
                let woken = self.changed.wait(pending);
                pending = woken.unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

impl Pending {
    fn send(&mut self) -> io::Result<()> {
        if !self.frames.is_empty() {
            self.file.write_all(&self.frames)?;
            self.frames.clear();
        }
        Ok(())
    }
}
