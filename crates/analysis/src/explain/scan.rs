//! Finds the messages of a log of any length: it comes in pieces, and no more than a few pieces are kept.

use super::anchor::{self, Anchors, HitKind};
use super::breakdown;
use super::form::Match;
use super::message::Message;
use super::op_limit;
use super::table::forms;
use super::text::{Broken, Joined, Lines};
use super::unknown::{self, Unknown};
use super::view::Courses;
use ttmem_model::order;

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
}

impl Found {
    /// A message that is known by its numbers alone.
    pub(super) fn of(message: Message) -> Self {
        Self { message, text: String::new(), line: 0, logged: 0, known: 0, thrown: 0, other: 1 }
    }

    /// Times that it happened. TT-Metal logs an error and throws it, and every program that catches the exception may
    /// print it again: where log lines are there, they are what is counted.
    pub(super) fn count(&self) -> usize {
        match self.message {
            // The shell, the launcher and the kernel each report one kill.
            Message::HostKilled(_) => self.logged.max(self.thrown).max(self.other),
            // A link that fails names each section, and at last how much is missing.
            Message::KernelLink(_) => self.thrown.max(1),
            _ if self.logged > 0 => self.logged,
            _ => self.thrown + self.other,
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

/// More different messages than this are not kept, so that no log can take all memory.
const MAX_MESSAGES: usize = 1000;

/// Bytes before a word in which its message may begin.
const BEFORE: usize = 2 << 10;

/// Bytes after a word in which its message may continue, prefixes and a breakdown included.
const AFTER: usize = 10 << 10;

/// Bytes after a word in which a message may begin that is read together with it.
const BEGIN_WITHIN: usize = 3 << 10;

/// The state between two pieces.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    buffer: Vec<u8>,
    /// Up to here the buffer is searched for words.
    position: usize,
    /// Up to here its messages are read.
    read: usize,
    /// Line ends before the buffer, and the offset up to which those in the buffer are counted.
    lines: usize,
    counted: usize,
    scanned: Scanned,
}

impl Scanner {
    /// Examines the next piece of the log.
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
        self.examine(self.buffer.len().saturating_sub(AFTER));
        let keep_from = self.position.saturating_sub(BEFORE);
        if keep_from > 0 {
            let mut buffer = std::mem::take(&mut self.buffer);
            self.line_at(&buffer, keep_from);
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

    fn examine(&mut self, end: usize) {
        let Some(anchors) = Anchors::get() else { return };
        let buffer = std::mem::take(&mut self.buffer);
        while let Some(hit) = anchors.next(&buffer, self.position, end) {
            match hit.kind {
                HitKind::Message => self.window(&buffer, hit.start, hit.end),
                HitKind::MemoryView => {
                    let line = self.line_at(&buffer, hit.start) + 1;
                    let (before, after) = buffer.split_at(hit.end);
                    self.scanned.courses.state(before, after, line);
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

    /// Reads the messages around a word, and moves on to where the next may begin.
    fn window(&mut self, buffer: &[u8], start: usize, end: usize) {
        let low = self.read.max(start.saturating_sub(BEFORE));
        let from = if low == self.read { low } else { line_start(buffer, low, start) };
        let to = buffer.len().min(end + AFTER);
        let reach = end - from + BEGIN_WITHIN;
        let first_line = self.line_at(buffer, from);
        let lines = Lines::new(&buffer[from..to]);
        let mut prints = prints_of(&lines.join(Broken::Nowhere), reach);
        // The reading with more numbers of known wordings is right. Of two with as many: with more of ops' checks.
        let known = |prints: &[Print]| {
            let of = |is_op: bool| {
                let own = prints
                    .iter()
                    .filter(|print| is_op == matches!(print.message, Message::OpLimit(_)));
                own.map(|print| print.known).sum::<usize>()
            };
            (of(false), of(true))
        };
        if lines.may_be_hard() {
            for broken in [Broken::AtWidth, Broken::Anywhere] {
                let whole = prints_of(&lines.join(broken), reach);
                // Where no unit follows, a broken number is read as a shorter one.
                let is_longer = broken == Broken::AtWidth
                    && lines.is_wrapped()
                    && known(&whole) == known(&prints)
                    && digits(&whole) > digits(&prints);
                if known(&whole) > known(&prints) || is_longer {
                    prints = whole;
                }
            }
        }
        if let Some(sorted) = lines.by_source() {
            let mut separate = prints_of(&sorted.join(Broken::Nowhere), reach);
            order::sort_by_key(&mut separate, |print| *print.lines.start());
            if known(&separate) >= known(&prints) {
                prints = separate;
            }
        }
        let next = buffer.len().min(from + reach);
        let view = memchr::memmem::find(&buffer[end..next], b"MemoryView{");
        let next = view.map_or(next, |view| end + view);
        let examined = String::from_utf8_lossy(&buffer[from..next]);
        for (number, line) in examined.split('\n').enumerate() {
            let is_known = prints.iter().any(|print| print.lines.contains(&number));
            if !is_known && unknown::is_suspect(line) {
                self.scanned.unknown.add(first_line + number + 1, line);
            }
        }
        self.position = next;
        for print in prints {
            self.position = self.position.max(from + print.end).min(buffer.len());
            self.add(print, first_line);
        }
        self.read = self.position;
    }

    fn add(&mut self, print: Print, first_line: usize) {
        if print.message.is_error() {
            self.scanned.courses.fail();
        }
        let found = &mut self.scanned.found;
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
                let line = first_line + print.lines.start() + 1;
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
        *match print.place {
            PrintedBy::Log => &mut found[index].logged,
            PrintedBy::Exception => &mut found[index].thrown,
            PrintedBy::Other => &mut found[index].other,
        } += 1;
    }

    /// Line ends before an offset of the buffer, those of the earlier log included.
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

/// The first byte of a line between two offsets, or the first offset.
fn line_start(buffer: &[u8], low: usize, high: usize) -> usize {
    memchr::memchr(b'\n', &buffer[low..high]).map_or(low, |end| low + end + 1)
}

/// One print of a message in a piece of the log.
#[derive(Debug)]
struct Print {
    message: Message,
    text: String,
    /// Lines of the piece, counted from 0.
    lines: std::ops::RangeInclusive<usize>,
    /// Offset in the piece.
    end: usize,
    known: usize,
    digits: usize,
    place: PrintedBy,
}

/// Digits of all numbers that were read.
fn digits(prints: &[Print]) -> usize {
    prints.iter().map(|print| print.digits).sum()
}

/// Who printed a message.
#[derive(Clone, Copy, Debug)]
enum PrintedBy {
    Log,
    Exception,
    Other,
}

/// The message begins at most so far behind its condition.
const CONDITION_REACH: usize = 400;

/// The prints that begin in the first `reach` bytes of a piece, in their order.
fn prints_of(joined: &Joined, reach: usize) -> Vec<Print> {
    let text = joined.text.as_str();
    let mut matches: Vec<Match> = Vec::new();
    for form in forms() {
        for found in form.matches(text) {
            if !matches.iter().any(|known| found.start < known.end && known.start < found.end) {
                matches.push(found);
            }
        }
    }
    for (mut start, ends) in joined.records() {
        // Lines of several processes may be one record.
        while let Some(found) = op_limit_of(joined, start, &ends) {
            start = found.end.max(start + 1);
            if !matches.iter().any(|known| found.start < known.end && known.start < found.end) {
                matches.push(found);
            }
            if ends.first().is_none_or(|end| *end <= start) {
                break;
            }
        }
    }
    order::sort_by_key(&mut matches, |found| found.start);
    // What a condition says, the message behind it says with its numbers.
    let is_said_behind = |index: usize, found: &Match| {
        let kind = std::mem::discriminant(&found.message);
        found.known == 0
            && matches[index + 1..]
                .iter()
                .take_while(|next| next.start < found.end + CONDITION_REACH)
                .any(|next| std::mem::discriminant(&next.message) == kind)
    };
    let said: Vec<bool> =
        matches.iter().enumerate().map(|(index, found)| is_said_behind(index, found)).collect();
    matches
        .into_iter()
        .zip(said)
        .filter_map(|(found, is_said)| (!is_said).then_some(found))
        .filter(|found| joined.original(found.start) < reach)
        .map(|found| print_of(joined, found))
        .collect()
}

/// The op's check that begins in a record: in it alone, or in those that continue it if they complete its numbers.
fn op_limit_of(joined: &Joined, start: usize, ends: &[usize]) -> Option<Match> {
    let (first, more) = ends.split_first()?;
    let mut best = op_limit::find(joined, start..*first);
    for end in more {
        let Some(longer) =
            op_limit::find(joined, start..*end).filter(|longer| longer.start < *first)
        else {
            continue;
        };
        let was_complete = best.as_ref().is_some_and(|best| best.known == op_limit::COMPLETE);
        // The end of a message may say that the op continues.
        let is_warning = !longer.message.is_error() && longer.end > *first;
        if best.as_ref().is_none_or(|best| longer.known > best.known) || was_complete && is_warning
        {
            best = Some(longer);
        }
        if was_complete {
            break;
        }
    }
    best
}

/// Who printed a message, by what is before it.
fn printed_by(joined: &Joined, message: &Message, start: usize, wording: &str) -> PrintedBy {
    match message {
        Message::HostKilled(killed) if killed.by_oom_killer => return PrintedBy::Exception,
        Message::HostKilled(_) if wording.contains("137") => return PrintedBy::Log,
        Message::HostKilled(_) => return PrintedBy::Other,
        Message::KernelLink(link) if link.over.is_some() => return PrintedBy::Exception,
        _ => {}
    }
    let before = joined.text[..start].trim_end();
    let is_marked =
        ["TT_FATAL:", "TT_THROW:", "TT_ASSERT:"].iter().any(|mark| before.ends_with(mark));
    if is_marked || joined.is_fatal_log(start) {
        PrintedBy::Log
    } else if before.ends_with("info:") {
        PrintedBy::Exception
    } else {
        PrintedBy::Other
    }
}

fn print_of(joined: &Joined, found: Match) -> Print {
    let Match { mut message, start, mut end, known, digits } = found;
    let wording = joined.text[start..end].trim().to_owned();
    if let Message::ProgramTooLarge(program) = &mut message {
        end = breakdown::read(program, &joined.text, end);
    }
    let place = printed_by(joined, &message, start, &wording);
    let last = end.saturating_sub(1).max(start);
    Print {
        message,
        text: wording,
        lines: joined.line_of(start)..=joined.line_of(last),
        end: joined.original(last).max(joined.original(start)) + 1,
        known,
        digits,
        place,
    }
}
