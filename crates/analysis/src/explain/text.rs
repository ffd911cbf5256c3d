//! A piece of a log, made fit for matching: ASCII without colours, escapes resolved, one prefix-free string whose every
//! byte knows its line.

use std::borrow::Cow;

use ttmem_model::order;

use super::clean::{clean, collapse};
use super::prefix;

/// One line of the piece, without what a logger, a terminal or a quotation put before it.
#[derive(Clone, Debug)]
struct Line {
    /// The text behind the prefix, spaces collapsed.
    text: String,
    /// Line end characters of the original before this line.
    number: usize,
    /// Offset in the original of the line's first byte.
    offset: usize,
    /// Columns of the whole line.
    columns: usize,
    /// True if a space of the message may be before the text: it is behind the prefix that the line before has too.
    has_space: bool,
    /// True if a logger began a record here, or a message begins.
    is_record: bool,
    /// True if a message begins.
    is_message: bool,
    /// True if TT-Metal's logger wrote it before it threw an exception.
    is_fatal_log: bool,
    /// The prefix that is known by its form; of a part of a quoted string, that of the whole line.
    prefix: String,
    /// True for a record in JSON, and for each part of it.
    is_json: bool,
    /// The process that printed it, if its prefix has a rank, a process id or a container.
    source: String,
    quoted: Quoted,
}

/// Marks of source code on a line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Quoted {
    /// True if a quotation mark is before the text.
    pub(super) is_open: bool,
    /// True if the line ends as one does that is a string of a program.
    pub(super) is_literal: bool,
    /// True for a comment.
    pub(super) is_comment: bool,
}

impl Quoted {
    fn of(prefix: &str, text: &str) -> Self {
        let is_open = prefix.ends_with('"');
        let ends = ["\"", "\",", "\");", "\"),", "\" \\"];
        let is_literal = ends.iter().any(|end| text.trim_end().ends_with(end));
        Self { is_open, is_literal, is_comment: prefix.contains("//") }
    }
}

/// A piece of a log as lines.
#[derive(Debug)]
pub(super) struct Lines(Vec<Line>);

/// Line ends at which a terminal may have broken lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// Nowhere: a line ends at the end of a word.
    Nowhere,
    /// Line ends at the column where most long lines end.
    AtWidth,
    /// Line ends of each long line that no longer line follows.
    Anywhere,
}

/// The lines as one string: each line end is a space, or nothing.
#[derive(Debug)]
pub(super) struct Joined<'l> {
    /// ASCII, no control characters, no two spaces in a row.
    pub(super) text: String,
    starts: Vec<Start>,
    records: Vec<Record>,
    /// The lines, as many as `starts`.
    lines: &'l [Line],
}

/// The beginning of a record.
#[derive(Clone, Copy, Debug)]
struct Record {
    /// Offset in the joined text.
    at: usize,
    /// True if it cannot continue the record before.
    is_new: bool,
    /// True if a logger began it.
    is_logged: bool,
}

/// The beginning of a line.
#[derive(Clone, Copy, Debug, Default)]
struct Start {
    /// Offset in the joined text.
    at: usize,
    /// Line ends of the original before it.
    number: usize,
    /// Offset in the original.
    original: usize,
    is_fatal_log: bool,
    quoted: Quoted,
}

impl Lines {
    /// Cleans the bytes of a piece.
    pub(super) fn new(bytes: &[u8]) -> Self {
        let raw = String::from_utf8_lossy(bytes);
        let cleaned = clean(&raw);
        let mut lines: Vec<Line> = Vec::with_capacity(cleaned.len());
        let mut before = ("", 0);
        for (text, number, offset) in &cleaned {
            let stripped = prefix::strip(text, before);
            let (other, own) = before;
            let is_shared = |length| text.get(..length) == Some(&other[..length]);
            let has_space = text[..stripped.length].ends_with(' ')
                && (text[..stripped.length].trim().is_empty()
                    || stripped.length == own + 1 && is_shared(own));
            let own = &text[..stripped.length];
            // A line in a frame is as long as its text.
            let content = text.trim_end_matches('|');
            let is_framed = content.len() < text.len() && own.contains('|');
            let content = if is_framed { content.trim_end() } else { content };
            let is_part =
                |line: &&Line| line.number == *number && (own.trim().is_empty() || line.is_json);
            let whole = lines.last().filter(is_part);
            let prefix = whole.map_or(&text[..stripped.by_form], |line| &line.prefix).to_owned();
            let is_json =
                whole.map_or(text[stripped.length..].starts_with("{\""), |line| line.is_json);
            lines.push(Line {
                has_space,
                text: collapse(content.get(stripped.length..).unwrap_or_default()),
                number: *number,
                offset: *offset,
                columns: if is_framed { content } else { text }.chars().count(),
                is_record: stripped.is_record || stripped.is_message,
                is_message: stripped.is_message,
                is_fatal_log: stripped.is_fatal_log,
                source: prefix::source(own).unwrap_or_default().to_owned(),
                quoted: Quoted::of(own, text),
                prefix,
                is_json,
            });
            before = (text, stripped.length);
        }
        Self(lines)
    }

    /// Joins the lines with spaces. A line that a terminal may have broken in the middle of a word continues without a
    /// space, unless the next begins with one.
    pub(super) fn join(&self, broken: Broken) -> Joined<'_> {
        let width = self.width();
        let mut joined =
            Joined { text: String::new(), starts: Vec::new(), records: Vec::new(), lines: &self.0 };
        let mut glue = true;
        let mut source = "";
        for (index, line) in self.0.iter().enumerate() {
            let is_apart = !glue || line.has_space;
            if is_apart && !joined.text.ends_with(' ') && !joined.text.is_empty() {
                joined.text.push(' ');
            }
            joined.starts.push(Start {
                at: joined.text.len(),
                number: line.number,
                original: line.offset,
                is_fatal_log: line.is_fatal_log,
                quoted: line.quoted,
            });
            let is_other = source != line.source && !source.is_empty() && !line.source.is_empty();
            source = &line.source;
            if line.is_record || line.text.is_empty() || joined.records.is_empty() || is_other {
                let is_new = line.is_message || line.text.is_empty() || is_other;
                let (at, is_logged) = (joined.text.len(), line.is_record);
                joined.records.push(Record { at, is_new, is_logged });
            }
            let text = line.text.trim_start();
            joined.text.push_str(if joined.text.ends_with(' ') { text } else { &line.text });
            let next = self.0.get(index + 1);
            glue = match broken {
                Broken::Nowhere => false,
                Broken::AtWidth => line.columns == width,
                Broken::Anywhere => {
                    line.columns >= MIN_HARD_COLUMNS
                        && next.is_some_and(|next| next.columns <= line.columns && !next.is_record)
                }
            } && next.is_none_or(|next| may_be_rest(&line.text, &next.text));
        }
        joined
    }

    /// The width that a terminal may have broken lines at: that of most long lines, and of two the larger.
    fn width(&self) -> usize {
        self.widths().0
    }

    /// True if several lines end at that width.
    pub(super) fn is_wrapped(&self) -> bool {
        self.widths().1 > 1
    }

    /// The width of most long lines, and their number.
    fn widths(&self) -> (usize, usize) {
        let mut widths: Vec<usize> = self.0.iter().map(|line| line.columns).collect();
        widths.retain(|columns| *columns >= MIN_HARD_COLUMNS);
        order::sort(&mut widths);
        let most = widths.chunk_by(|left, right| left == right).max_by_key(|alike| alike.len());
        most.map_or((usize::MAX, 0), |alike| (alike[0], alike.len()))
    }

    /// The lines of one process after the other, each in their order, if several processes printed them.
    pub(super) fn by_source(mut self) -> Option<Self> {
        let mut sources: Vec<String> = Vec::new();
        for line in &self.0 {
            if !sources.contains(&line.source) {
                sources.push(line.source.clone());
            }
        }
        if sources.iter().filter(|source| !source.is_empty()).count() < 2 {
            return None;
        }
        order::sort_by_key(&mut self.0, |line| {
            sources.iter().position(|source| *source == line.source)
        });
        Some(self)
    }

    /// True if one of the last lines has a process.
    pub(super) fn ends_with_source(&self) -> bool {
        let end = self.0.iter().map(|line| line.offset).max().unwrap_or(0);
        self.0.iter().any(|line| line.offset + LAST_LINES > end && !line.source.is_empty())
    }

    /// True if a line is long enough to be broken.
    pub(super) fn may_be_hard(&self) -> bool {
        self.0.iter().any(|line| line.columns >= MIN_HARD_COLUMNS)
    }
}

/// True if a line may be the rest of one that was broken: digits behind digits are a number of a message only if what
/// may be behind such a number follows.
fn may_be_rest(line: &str, next: &str) -> bool {
    let is_digit = |character: char| character.is_ascii_digit();
    let behind = next.trim_start_matches(is_digit);
    !line.ends_with(is_digit)
        || behind.len() == next.len()
        || behind.is_empty()
        || behind.starts_with([' ', '.', ',', ';', ')', ']', '}', 'B', '"', '\'', '-', '_'])
}

/// Bytes of the last lines of a piece.
const LAST_LINES: usize = 1 << 10;

/// Terminals are not narrower.
const MIN_HARD_COLUMNS: usize = 40;

impl Joined<'_> {
    /// Line ends of the original before an offset of the text.
    pub(super) fn line_of(&self, offset: usize) -> usize {
        self.start_of(offset).number
    }

    /// Offset where the line of an offset begins.
    pub(super) fn line_start(&self, offset: usize) -> usize {
        self.start_of(offset).at
    }

    /// Marks of source code on the line of an offset.
    pub(super) fn quoted(&self, offset: usize) -> Quoted {
        self.start_of(offset).quoted
    }

    /// The prefix of the line of an offset.
    pub(super) fn prefix(&self, offset: usize) -> &str {
        self.lines.get(self.index_of(offset)).map_or("", |line| &line.prefix)
    }

    /// What the lines of one logger have in common: the prefix of the line of an offset, and of a record in JSON its keys.
    pub(super) fn channel(&self, offset: usize) -> String {
        let mut channel = self.prefix(offset).to_owned();
        let mut lines = self.lines.iter().take(self.index_of(offset) + 1).rev();
        if let Some(own) = lines.next().filter(|line| line.is_json) {
            let parts = lines.take_while(|line| line.number == own.number);
            channel += &prefix::json(&parts.last().unwrap_or(own).text);
        }
        channel
    }

    /// The prefix and the text of the line of an offset, and of the lines before it, backwards.
    pub(super) fn lines_back(&self, offset: usize) -> impl Iterator<Item = (&str, &str)> {
        let last = (self.index_of(offset) + 1).min(self.starts.len());
        (0..last).rev().map(|index| {
            let end = self.starts.get(index + 1).map_or(self.text.len(), |next| next.at);
            let text = self.text.get(self.starts[index].at..end).unwrap_or_default();
            (self.lines.get(index).map_or("", |line| line.prefix.as_str()), text.trim_end())
        })
    }

    /// True if TT-Metal's logger printed what begins at an offset, before it threw it.
    pub(super) fn is_fatal_log(&self, offset: usize) -> bool {
        let start = self.start_of(offset);
        let between = self.text[start.at..offset].trim_end();
        let before = between.trim_end_matches("TT_FATAL:").trim_end_matches("TT_THROW:");
        (start.is_fatal_log && before.trim().is_empty())
            || between.ends_with('|') && prefix::is_fatal_log(between)
    }

    /// An offset of the original for an offset of the text: exact to the line, and not beyond the byte meant.
    pub(super) fn original(&self, offset: usize) -> usize {
        let start = self.start_of(offset);
        start.original + offset.saturating_sub(start.at)
    }

    /// Offset in the text of the first line that begins at an offset of the original or behind it.
    pub(super) fn offset_of(&self, original: usize) -> usize {
        let index = self.starts.partition_point(|start| start.original < original);
        self.starts.get(index).map_or(self.text.len(), |start| start.at)
    }

    /// Offset in the text behind every line that begins before an offset of the original, in whatever order the lines are.
    pub(super) fn furthest_of(&self, original: usize) -> usize {
        let last = self.starts.iter().rposition(|start| start.original < original);
        let behind = last.and_then(|index| self.starts.get(index + 1));
        behind.map_or(self.text.len(), |start| start.at)
    }

    /// The line before that of an offset.
    pub(super) fn line_before(&self, offset: usize) -> Option<&str> {
        self.lines_back(offset).nth(1).map(|(_, line)| line)
    }

    /// The text from the line behind that of an offset on.
    pub(super) fn line_behind(&self, offset: usize) -> Option<&str> {
        let start = self.starts.get(self.index_of(offset) + 1)?;
        self.text.get(start.at..)
    }

    fn start_of(&self, offset: usize) -> Start {
        self.starts.get(self.index_of(offset)).copied().unwrap_or_default()
    }

    fn index_of(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| start.at <= offset).saturating_sub(1)
    }

    /// The records of the text, one after the other. Loggers of some launchers begin each line of a message like a
    /// record, so that each comes with the ends of the records that may continue it.
    pub(super) fn records(&self) -> Vec<(usize, Vec<usize>)> {
        let end_of =
            |index: usize| self.records.get(index + 1).map_or(self.text.len(), |next| next.at);
        let record = |index: usize| {
            let own = self.records[index];
            let more = (index + 1..self.records.len())
                .take_while(|next| own.is_logged && !self.records[*next].is_new);
            let ends = std::iter::once(index).chain(more).take(MAX_CONTINUED).map(end_of);
            (own.at, ends.collect())
        };
        (0..self.records.len()).map(record).flat_map(|record| self.in_sentences(record)).collect()
    }

    /// A record, and its lines from time to time if it is longer than a message.
    fn in_sentences(&self, (at, ends): (usize, Vec<usize>)) -> Vec<(usize, Vec<usize>)> {
        let end = ends.first().copied().unwrap_or(at);
        let mut begins = vec![at];
        let mut next = at + MESSAGE;
        let lines = self.starts.partition_point(|start| start.at <= at);
        for line in self.starts[lines..].iter().take_while(|line| line.at < end) {
            if line.at >= next {
                begins.push(line.at);
                next = line.at + MESSAGE;
            }
        }
        begins.into_iter().map(|begin| (begin, ends.clone())).collect()
    }

    /// The line behind an offset of a record, with the ends of what it may continue in, if the record goes on there.
    pub(super) fn below(
        &self,
        records: &[(usize, Vec<usize>)],
        offset: usize,
    ) -> Option<(usize, Vec<usize>)> {
        let line = self.starts.partition_point(|start| start.at < offset);
        let start = self.starts.get(line)?.at;
        let record = records.partition_point(|(at, _)| *at < offset).checked_sub(1)?;
        let ends: Vec<usize> =
            records[record].1.iter().copied().filter(|end| *end > start).collect();
        let is_inside = records[record].1.first().is_some_and(|end| *end > start);
        is_inside.then_some((start, ends))
    }

    /// True if a logger began a record at an offset.
    pub(super) fn is_logged(&self, offset: usize) -> bool {
        self.records.iter().any(|record| record.at == offset && record.is_logged)
    }
}

/// The longest usual message of an op.
const MESSAGE: usize = 450;

/// A message has not more lines.
const MAX_CONTINUED: usize = 8;

/// Decodes the bytes of a file; what is not UTF-8 is replaced.
#[must_use]
pub fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(text: &str) -> String {
        Lines::new(text.as_bytes()).join(Broken::Nowhere).text
    }

    #[test]
    fn colours_frames_and_line_ends_are_evened_out() {
        let text = "\u{1b}[31mred\u{1b}[0m\r\n│ framed │\rover\\nquoted \\u001b[1mbold\\u001b[0m\u{1b}]0;title\u{7}!\n";
        assert_eq!(joined(text), "red framed over quoted bold!");
    }

    #[test]
    fn every_offset_knows_its_line() {
        let lines = Lines::new(b"one\ntwo\\nstill two\nthree");
        let joined = lines.join(Broken::Nowhere);
        let line = |word: &str| joined.line_of(joined.text.find(word).unwrap());
        assert_eq!((line("one"), line("still"), line("three")), (0, 1, 2));
        assert_eq!(joined.original(joined.text.find("three").unwrap()), 19);
    }

    #[test]
    fn a_word_that_a_terminal_broke_is_whole_again() {
        let line = "Statically allocated circular buffers in program 6 clash with L1 buf";
        let text = format!("{line}\nfers on core range");
        assert!(Lines::new(text.as_bytes()).join(Broken::AtWidth).text.contains("L1 buffers on"));
        assert!(Lines::new(text.as_bytes()).join(Broken::Nowhere).text.contains("L1 buf fers on"));
    }

    #[test]
    fn a_progress_bar_is_no_rest_of_a_number() {
        let line = "static circular buffer region ends at 140";
        for (next, number) in [("025", "140025"), ("025 B", "140025 B"), ("50%|##", "140 50%")] {
            let text = format!("{line}\n{next}");
            let joined = Lines::new(text.as_bytes()).join(Broken::AtWidth).text;
            assert!(joined.contains(number), "{joined}");
        }
    }

    #[test]
    fn an_escape_that_never_ends_takes_the_rest() {
        assert_eq!(joined("a\u{1b}["), "a");
        assert_eq!(joined("a\u{1b}]b"), "a");
        assert_eq!(joined("a\u{1b}"), "a");
        assert_eq!(joined("a\\"), "a\\");
    }

    #[test]
    fn what_is_not_utf8_is_replaced() {
        assert_eq!(text_of(b"a\xffb"), "a\u{fffd}b");
    }
}
