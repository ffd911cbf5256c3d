//! Batches of short files, and the frames that carry them to a reader process and back.
//!
//! A frame is a little-endian `u32` length and that many bytes. A batch of requests is one frame, which is empty if it is
//! the same batch as before; its answer is one frame for each folder, in the order of `steps`.

use rustix::io::Errno;
use ttmem_model::Timestamp;

use super::clock::Clock;
use super::{Folder, PAGE, Root, trimmed};

/// Longest frame that is accepted, in bytes. The requests for 32 devices take 32 KiB, the longest answer 1 MiB.
pub(crate) const MAX_FRAME_BYTES: usize = 4 << 20;

/// Files of one directory that are read together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderRequest<'a> {
    /// The directory, as the host names it.
    pub path: String,
    /// Names of the files, relative to the directory.
    pub names: Vec<&'a str>,
    /// Most bytes that are read of each file.
    pub limit: usize,
    /// True if a reader process keeps the files open for the next request, because they are read at every sample.
    /// A request without it opens the files again, and closes those that were kept open.
    pub is_repeated: bool,
}

/// Content of the files of a [`FolderRequest`], in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderAnswer {
    /// Time after the last file was read.
    pub read_at: Timestamp,
    /// The files as they are in a frame: the number of the kernel's error or 0, a count of bytes, and the bytes.
    files: Vec<u8>,
}

impl FolderAnswer {
    /// Creates an answer with one error for each of `count` files.
    pub(crate) fn failed(read_at: Timestamp, count: usize, errno: Errno) -> Self {
        let mut answer = Self { read_at, ..Self::default() };
        (0..count).for_each(|_| answer.push(Err(errno)));
        answer
    }

    /// Removes all files.
    pub(crate) fn clear(&mut self) {
        self.files.clear();
    }

    /// Adds the next file.
    pub(crate) fn push(&mut self, file: Result<&[u8], Errno>) {
        let (errno, bytes) = match file {
            Ok(bytes) => (0, bytes),
            Err(errno) => (errno.raw_os_error(), &[][..]),
        };
        self.files.extend(errno.to_le_bytes());
        self.files.extend(length(bytes.len()).to_le_bytes());
        self.files.extend(bytes);
    }

    /// Bytes of each file, or the error of the kernel. Text files come without white space at their end.
    pub fn files(&self) -> impl Iterator<Item = Result<&[u8], Errno>> {
        let mut parser = Parser(&self.files);
        std::iter::from_fn(move || parser.file())
    }

    /// Bytes of the file at an index, or the error of the kernel, as [`Self::files`] has it; `None` after the last one.
    #[must_use]
    pub fn file(&self, index: usize) -> Option<Result<&[u8], Errno>> {
        self.files().nth(index)
    }
}

impl FolderRequest<'_> {
    /// Reads the files in this process, however long that takes.
    #[must_use]
    pub fn read(&self, root: &Root, clock: Clock) -> FolderAnswer {
        let folder = root.folder(self.path.as_str());
        let mut answer = FolderAnswer::default();
        for name in &self.names {
            answer.push(self.read_one(&folder, name).as_deref().map_err(|errno| *errno));
        }
        answer.read_at = clock.now();
        answer
    }

    /// Reads one of the files.
    pub(crate) fn read_one(&self, folder: &Folder<'_>, name: &str) -> Result<Vec<u8>, Errno> {
        let read = match self.limit {
            0..=PAGE => folder.read_text(name).map(String::into_bytes),
            limit => folder.read(name, limit).map(|file| file.bytes),
        };
        read.map_err(|error| error.errno)
    }

    /// Turns the bytes of a file into what [`Self::read_one`] returns for it.
    pub(crate) fn finish(&self, bytes: &mut Vec<u8>) {
        bytes.truncate(self.limit);
        if self.limit > PAGE {
            return;
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => bytes.truncate(text.trim_end().len()),
            Err(_) => *bytes = trimmed(bytes).into_bytes(),
        }
    }

    /// True if the files are attributes of sysfs, which one read returns whole.
    pub(crate) fn is_of_attributes(&self) -> bool {
        self.limit <= PAGE && self.path.starts_with("/sys/")
    }
}

/// Returns the order in which the folders of several requests are read, as indexes of a request and of its folder. The
/// first folder of each comes first, because it answers without the lock that others wait for.
pub(crate) fn steps(folders: impl Iterator<Item = usize>) -> Vec<(usize, usize)> {
    let counts: Vec<usize> = folders.collect();
    let first = counts.iter().enumerate().filter(|(_, count)| **count > 0);
    let first = first.map(|(request, _)| (request, 0));
    let others = counts.iter().enumerate();
    let others =
        others.flat_map(|(request, count)| (1..*count).map(move |folder| (request, folder)));
    first.chain(others).collect()
}

/// Encodes a batch of requests as a frame.
pub(crate) fn encode_requests(requests: &[&[FolderRequest<'_>]]) -> Vec<u8> {
    let mut frame = Frame::new();
    frame.count(requests.len());
    for folders in requests {
        frame.count(folders.len());
        for folder in *folders {
            frame.size(folder.limit);
            frame.0.push(u8::from(folder.is_repeated));
            frame.text(&folder.path);
            frame.count(folder.names.len());
            folder.names.iter().for_each(|name| frame.text(name));
        }
    }
    frame.finish()
}

/// Encodes the answer of one folder as a frame after others.
pub(crate) fn encode_answer(answer: &FolderAnswer, frames: &mut Vec<u8>) {
    let read_at = answer.read_at.0.to_le_bytes();
    frames.extend(length(read_at.len() + answer.files.len()).to_le_bytes());
    frames.extend(read_at);
    frames.extend(&answer.files);
}

/// Decodes the content of a frame of requests; `None` if it is not one.
pub(crate) fn decode_requests(content: &[u8]) -> Option<Vec<Vec<FolderRequest<'_>>>> {
    let mut parser = Parser(content);
    let count = parser.count()?;
    let request = |_| {
        let count = parser.count()?;
        (0..count).map(|_| parser.folder()).collect::<Option<Vec<_>>>()
    };
    let requests = (0..count).map(request).collect::<Option<Vec<_>>>()?;
    parser.0.is_empty().then_some(requests)
}

/// Decodes the content of an answer frame; `None` if it is not one.
pub(crate) fn decode_answer(content: &[u8]) -> Option<FolderAnswer> {
    let mut parser = Parser(content);
    let read_at = Timestamp(u64::from_le_bytes(parser.array()?));
    let files = parser.0;
    while !parser.0.is_empty() {
        parser.file()?.ok();
    }
    Some(FolderAnswer { read_at, files: files.to_vec() })
}

/// A count of bytes in a frame.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// Bytes that were received, and the frames in them.
#[derive(Debug, Default)]
pub(crate) struct Received {
    bytes: Vec<u8>,
    /// Bytes at the front that were taken.
    taken: usize,
}

impl Received {
    /// The bytes that were not taken yet.
    pub(crate) fn rest(&self) -> &[u8] {
        self.bytes.get(self.taken..).unwrap_or_default()
    }

    /// The room for more bytes.
    pub(crate) fn end(&mut self) -> &mut Vec<u8> {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        &mut self.bytes
    }

    /// Takes this many bytes off the front.
    pub(crate) fn skip(&mut self, count: usize) {
        self.taken = self.taken.saturating_add(count).min(self.bytes.len());
    }

    /// Takes the first whole frame off the front. Returns its content, `None` if it is not complete yet, or an error if it
    /// is longer than a frame can be.
    pub(crate) fn take_frame(&mut self) -> Result<Option<&[u8]>, Errno> {
        let Some(length) = self.rest().first_chunk().map(|length| u32::from_le_bytes(*length))
        else {
            return Ok(None);
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > MAX_FRAME_BYTES {
            return Err(Errno::MSGSIZE);
        }
        let (start, end) = (self.taken + 4, self.taken + 4 + length);
        let content = self.bytes.get(start..end);
        if content.is_some() {
            self.taken = end;
        }
        Ok(content)
    }
}

/// Decodes bytes as frames of both kinds; for the fuzzer, which starts no reader. Returns how many frames were understood.
#[doc(hidden)]
#[must_use]
pub fn understand(bytes: &[u8]) -> usize {
    let mut received = Received { bytes: bytes.to_vec(), taken: 0 };
    let mut understood = 0;
    while let Ok(Some(content)) = received.take_frame() {
        understood += usize::from(decode_requests(content).is_some());
        understood += usize::from(decode_answer(content).is_some());
    }
    understood
}

/// A frame under construction.
struct Frame(Vec<u8>);

impl Frame {
    fn new() -> Self {
        Self(vec![0; 4])
    }

    fn count(&mut self, count: usize) {
        self.0.extend(u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes());
    }

    fn size(&mut self, bytes: usize) {
        self.0.extend(length(bytes).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.extend(text.as_bytes());
    }

    fn finish(mut self) -> Vec<u8> {
        let length = length(self.0.len().saturating_sub(4));
        if let Some(head) = self.0.first_chunk_mut() {
            *head = length.to_le_bytes();
        }
        self.0
    }
}

/// Reads the fields of a frame, with every bound checked.
struct Parser<'a>(&'a [u8]);

impl<'a> Parser<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    fn count(&mut self) -> Option<usize> {
        self.array().map(u16::from_le_bytes).map(usize::from)
    }

    fn size(&mut self) -> Option<usize> {
        usize::try_from(u32::from_le_bytes(self.array()?)).ok()
    }

    fn text(&mut self) -> Option<&'a str> {
        let count = self.count()?;
        std::str::from_utf8(self.bytes(count)?).ok()
    }

    fn folder(&mut self) -> Option<FolderRequest<'a>> {
        let limit = self.size()?;
        let is_repeated = self.array() == Some([1]);
        let path = self.text()?.to_owned();
        let count = self.count()?;
        let names = (0..count).map(|_| self.text()).collect::<Option<_>>()?;
        Some(FolderRequest { path, names, limit, is_repeated })
    }

    fn file(&mut self) -> Option<Result<&'a [u8], Errno>> {
        let errno = i32::from_le_bytes(self.array()?);
        let count = self.size()?;
        let bytes = self.bytes(count)?;
        Some(if errno == 0 { Ok(bytes) } else { Err(Errno::from_raw_os_error(errno)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tree;

    fn request() -> Vec<FolderRequest<'static>> {
        vec![
            FolderRequest {
                path: "/sys/a".to_owned(),
                names: vec!["x", "y"],
                limit: 4096,
                is_repeated: true,
            },
            FolderRequest {
                path: "/proc/b".to_owned(),
                names: vec!["pids"],
                limit: 1 << 20,
                is_repeated: false,
            },
        ]
    }

    fn received(bytes: Vec<u8>) -> Received {
        Received { bytes, taken: 0 }
    }

    #[test]
    fn requests_are_read_back() {
        let mut received = received(encode_requests(&[&request(), &[]]));
        received.end().extend([1, 2]);
        let content = received.take_frame().unwrap().unwrap();
        assert_eq!(decode_requests(content).unwrap(), [request(), vec![]]);
        assert_eq!(received.rest(), [1, 2]);
        assert_eq!(received.take_frame(), Ok(None));
        received.skip(1);
        assert_eq!(received.end(), &[2]);
    }

    #[test]
    fn an_answer_is_read_back() {
        let mut tree = Tree::new();
        tree.put_line("/sys/a/x", 1000);
        let [first, _] = request().try_into().unwrap();
        let answer = first.read(&Root::memory(tree), Clock::Fixed(Timestamp(7)));
        let files: Vec<_> = answer.files().collect();
        assert_eq!(files, [Ok(b"1000".as_slice()), Err(Errno::NOENT)]);
        assert_eq!((answer.file(1), answer.file(2)), (Some(Err(Errno::NOENT)), None));
        let mut frames = vec![];
        encode_answer(&answer, &mut frames);
        let mut received = received(frames);
        let content = received.take_frame().unwrap().unwrap();
        assert_eq!(decode_answer(content).unwrap(), answer);
    }

    #[test]
    fn cut_and_overlong_frames_are_refused() {
        let bytes = encode_requests(&[&request()]);
        for length in 4..bytes.len() {
            assert_eq!(decode_requests(&bytes[4..length]), None);
            assert_eq!(received(bytes[..length].to_vec()).take_frame(), Ok(None));
        }
        assert_eq!(received(vec![0xff; 9]).take_frame(), Err(Errno::MSGSIZE));
        assert_eq!(decode_answer(&[0xff; 40]), None);
        let mut frames = vec![];
        let mut answer = FolderAnswer::failed(Timestamp(1), 2, Errno::IO);
        answer.push(Ok(b"x"));
        encode_answer(&answer, &mut frames);
        let whole: Vec<usize> =
            (4..=frames.len()).filter(|end| decode_answer(&frames[4..*end]).is_some()).collect();
        assert_eq!(whole, [12, 20, 28, 37], "each is cut between two files");
        assert_eq!(understand(&[0xff; 40]), 0);
        assert!(understand(&bytes) > 0);
    }

    #[test]
    fn the_first_folder_of_each_request_comes_first() {
        let order = steps([2, 0, 1, 3].into_iter());
        assert_eq!(order, [(0, 0), (2, 0), (3, 0), (0, 1), (3, 1), (3, 2)]);
    }
}
