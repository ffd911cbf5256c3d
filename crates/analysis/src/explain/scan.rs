//! Finds the messages of a log of any length: it comes in pieces, and no more than a few pieces are kept.

use std::io::{self, Read};
use std::ops::Range;

use super::anchor::{self, Anchors, HitKind};
use super::channel::Channels;
use super::hunk::Hunk;
use super::message::Message;
use super::reading::{Print, PrintedBy, Reading};
use super::spaces;
use super::unknown::{self, Unknown};
use super::view::Courses;

/// A message of the log, with its wording.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) message: Message,
    pub(super) text: String,
    pub(super) line: usize,
    /// Prints as a logger's line that names `TT_FATAL` or `TT_THROW`.
    logged: usize,
    /// Numbers in the wording that is kept.
    known: usize,
    /// Prints as the text of an exception.
    thrown: usize,
    other: usize,
    /// Prints of a part.
    parts: usize,
    /// Prints that no logger of TT-Metal wrote, by program.
    channels: Channels,
}

impl Found {
    /// A message that is known by its numbers alone.
    pub(super) fn of(message: Message) -> Self {
        Self {
            message,
            text: String::new(),
            line: 0,
            logged: 0,
            known: 0,
            thrown: 0,
            other: 1,
            parts: 0,
            channels: Channels::default(),
        }
    }

    /// Times that it happened. TT-Metal logs an error and throws it, and every program that catches the exception may
    /// print it again: where log lines are there, they are what is counted, otherwise the prints of one program.
    pub(super) fn count(&self) -> usize {
        match self.message {
            // The shell, the launcher and the kernel each report one kill.
            Message::HostKilled(_) => self.logged.max(self.thrown).max(self.other).max(1),
            // A link that fails names each section, and at last how much is missing.
            Message::KernelLink(_) => self.thrown.max(1),
            _ if self.logged > 0 => self.logged,
            _ if self.channels.count() > 0 => self.channels.count(),
            _ if self.thrown + self.other > 0 => self.thrown + self.other,
            _ => self.parts,
        }
    }
}

/// Contents of a log.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    pub(super) found: Vec<Found>,
    pub(super) courses: Courses,
    pub(super) unknown: Unknown,
    /// The release of ttnn that the log names first.
    pub(super) release: Option<String>,
}

/// Bytes of a log that are examined at a time: they stay in the processor's cache.
const PIECE: u64 = 256 << 10;

/// Different messages that are kept, so that no log can take all memory.
const MAX_MESSAGES: usize = 1000;

/// Bytes before a word in which its message may begin.
const BEFORE: usize = 2 << 10;

/// Bytes after a word in which its message may continue, prefixes and a breakdown included.
const AFTER: usize = 10 << 10;

/// Bytes after a word in which further words are looked for, whose messages are read together with it.
const WITHIN: usize = 3 << 10;

/// Bytes behind the last of these words that are read first. They are enough for most messages: where one may go on, as
/// much as [`AFTER`] is read.
const NEAR: usize = 2 << 10;

/// The state between two pieces.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    buffer: Vec<u8>,
    /// Offset up to which the buffer is searched for words.
    position: usize,
    /// Offset up to which its messages are read.
    read: usize,
    /// Line ends before the offset `counted`, those of the earlier log included.
    lines: usize,
    /// Offset up to which the line ends of the buffer are counted.
    counted: usize,
    /// The hunk of a diff that the buffer was last in.
    hunk: Option<Hunk>,
    scanned: Scanned,
}

impl Scanner {
    /// Examines the next piece of the log.
    pub(super) fn push(&mut self, piece: &[u8]) {
        let added = self.buffer.len();
        self.buffer.extend_from_slice(piece);
        spaces::plain(&mut self.buffer, added);
        self.advance();
    }

    /// Reads and examines a piece of the log, and returns its bytes.
    pub(super) fn read(&mut self, reader: &mut dyn Read) -> io::Result<usize> {
        let added = self.buffer.len();
        let length = reader.take(PIECE).read_to_end(&mut self.buffer)?;
        spaces::plain(&mut self.buffer, added);
        self.advance();
        Ok(length)
    }

    fn advance(&mut self) {
        self.examine(self.buffer.len().saturating_sub(AFTER));
        let keep_from = self.position.saturating_sub(BEFORE);
        if keep_from > 0 {
            let mut buffer = std::mem::take(&mut self.buffer);
            self.line_at(&buffer, keep_from);
            if let Some(hunk) = &mut self.hunk {
                hunk.count(&buffer, keep_from);
                hunk.drain(keep_from);
            }
            buffer.drain(..keep_from);
            self.buffer = buffer;
            self.position -= keep_from;
            self.read = self.read.saturating_sub(keep_from);
            self.counted = 0;
        }
    }

    /// Examines the rest.
    pub(super) fn finish(mut self) -> Scanned {
        self.examine(self.buffer.len());
        self.scanned
    }

    /// Reads a text line by line: no line is passed over, whatever its words are.
    #[cfg(test)]
    pub(super) fn of_every_line(text: &[u8]) -> Scanned {
        let mut text = text.to_vec();
        spaces::plain(&mut text, 0);
        let mut scanner = Self { buffer: text.clone(), ..Self::default() };
        while scanner.position < text.len() {
            let start = scanner.position;
            scanner.window(&text, start..start, line_end(&text, start), AFTER);
        }
        scanner.scanned
    }

    fn examine(&mut self, end: usize) {
        let Some(anchors) = Anchors::get() else { return };
        let buffer = std::mem::take(&mut self.buffer);
        while let Some(hit) = anchors.next(&buffer, self.position, end) {
            match hit.kind {
                HitKind::Message => {
                    let next = end_of_words(anchors, &buffer, hit.end);
                    self.window(&buffer, hit.start..hit.end, next, NEAR);
                }
                HitKind::MemoryView => {
                    let line = self.line_at(&buffer, hit.start) + 1;
                    let (before, after) = buffer.split_at(hit.end);
                    self.scanned.courses.state(before, after, line);
                    self.position = hit.end;
                }
                HitKind::Hunk => {
                    // A change of a diff has headers that are its lines.
                    let is_line = |hunk: &mut Hunk| hunk.holds(&buffer, hit.start);
                    if !self.hunk.as_mut().is_some_and(is_line) {
                        self.hunk = Hunk::at(&buffer, hit.start).or(self.hunk);
                    }
                    self.position = hit.end;
                }
                HitKind::Version => {
                    let version = buffer[hit.end - 2..].iter().take(12);
                    let version: String = version
                        .take_while(|byte| byte.is_ascii_digit() || **byte == b'.')
                        .map(|byte| char::from(*byte))
                        .collect();
                    self.scanned.release.get_or_insert(version.trim_end_matches('.').to_owned());
                    self.position = hit.end;
                }
            }
        }
        // A word may be on both sides of the end.
        self.position = self.position.max(end.saturating_sub(anchor::LONGEST_WORD));
        self.buffer = buffer;
    }

    /// Reads the messages around a word that begin before `next`, and moves on to there.
    fn window(&mut self, buffer: &[u8], word: Range<usize>, next: usize, near: usize) {
        let low = self.read.max(word.start.saturating_sub(BEFORE));
        let from = if low == self.read { low } else { line_start(buffer, low, word.start) };
        let furthest = buffer.len().min(word.end + AFTER).max(next);
        let reach = next - from;
        let first_line = self.line_at(buffer, from);
        let read = |to: usize| Reading::of(&buffer[from..to], reach, to == furthest);
        let mut reading = read(furthest.min(next + near));
        if reading.may_go_on && next + near < furthest {
            reading = read(furthest);
        }
        let mut prints = reading.prints;
        let in_hunk = self.lines_in_hunk(buffer, from..next);
        let examined = String::from_utf8_lossy(&buffer[from..next]);
        for (number, line) in examined.split('\n').enumerate() {
            let is_known = prints.iter().any(|print| print.lines.contains(&number));
            if !is_known && !in_hunk.contains(&number) && unknown::is_suspect(line) {
                self.scanned.unknown.add(first_line + number + 1, line);
            }
        }
        prints.retain(|print| {
            let is_quoted = matches!(print.printed_by, PrintedBy::Quoted);
            !is_quoted && !in_hunk.contains(print.lines.start())
        });
        self.position = next;
        for print in prints {
            self.position = self.position.max(from + print.end).min(buffer.len());
            self.add(print, first_line);
        }
        self.read = self.position;
    }

    /// Numbers of the lines of a range that are in the hunk of a diff.
    fn lines_in_hunk(&mut self, buffer: &[u8], range: Range<usize>) -> Range<usize> {
        let Some(hunk) = &mut self.hunk else { return 0..0 };
        let ends = memchr::memchr_iter(b'\n', &buffer[range.clone()]);
        let starts = std::iter::once(range.start).chain(ends.map(|end| range.start + end + 1));
        let mut lines = 0..0;
        for (number, start) in starts.enumerate().filter(|(_, start)| *start < range.end) {
            if hunk.holds(buffer, start) {
                lines.start = if lines.is_empty() { number } else { lines.start };
                lines.end = number + 1;
            }
        }
        lines
    }

    fn add(&mut self, print: Print, first_line: usize) {
        if print.message.is_error() {
            self.scanned.courses.fail();
        }
        let found = &mut self.scanned.found;
        let line = first_line + print.lines.start() + 1;
        let known = found.iter().position(|known| known.message.is_same(&print.message));
        let index = match known {
            Some(index) => {
                if print.known > found[index].known {
                    found[index].text = print.text;
                    found[index].known = print.known;
                }
                found[index].message.complete(print.message);
                index
            }
            None if found.len() == MAX_MESSAGES => return,
            None => {
                found.push(Found {
                    text: print.text,
                    line,
                    other: 0,
                    known: print.known,
                    ..Found::of(print.message)
                });
                found.len() - 1
            }
        };
        let is_exception = matches!(print.printed_by, PrintedBy::Exception);
        if is_exception || matches!(print.printed_by, PrintedBy::Other) {
            found[index].channels.add(&print.prefix, line, is_exception);
        }
        match print.printed_by {
            PrintedBy::Log => found[index].logged += 1,
            PrintedBy::Exception => found[index].thrown += 1,
            PrintedBy::Other => found[index].other += 1,
            PrintedBy::Part => found[index].parts += 1,
            PrintedBy::Quoted => {}
        }
    }

    /// Counts the line ends before an offset of the buffer, those of the earlier log included.
    fn line_at(&mut self, buffer: &[u8], offset: usize) -> usize {
        let ends = |range: &[u8]| memchr::memchr_iter(b'\n', range).count();
        if offset >= self.counted {
            self.lines += ends(&buffer[self.counted..offset]);
        } else {
            self.lines -= ends(&buffer[offset..self.counted]);
        }
        self.counted = offset;
        self.lines
    }
}

/// Offset of the first line that begins between two offsets, or the first offset.
fn line_start(buffer: &[u8], low: usize, high: usize) -> usize {
    memchr::memchr(b'\n', &buffer[low..high]).map_or(low, |end| low + end + 1)
}

/// Offset behind the line of an offset; a line that is longer is cut.
fn line_end(buffer: &[u8], offset: usize) -> usize {
    let end = buffer.len().min(offset + NEAR);
    memchr::memchr(b'\n', &buffer[offset..end]).map_or(end, |line| offset + line + 1)
}

/// Offset at which the line of the last word near a word ends, or a memory state begins before that.
fn end_of_words(anchors: &Anchors, buffer: &[u8], word: usize) -> usize {
    let within = buffer.len().min(word + WITHIN);
    let mut last = word;
    while let Some(hit) = anchors.next(buffer, last, within) {
        if hit.kind != HitKind::Message {
            break;
        }
        last = hit.end;
    }
    let end = line_end(buffer, last);
    let view = memchr::memmem::find(&buffer[last..end], b"MemoryView{");
    view.map_or(end, |view| last + view)
}
