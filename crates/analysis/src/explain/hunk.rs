//! Hunks of unified diffs: a change of a file that has messages reports none.

/// The hunk that was met last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hunk {
    /// Offset of its header.
    start: usize,
    /// Offset behind its lines that are counted.
    end: usize,
    /// Lines of the old files together, and of the new one, that follow.
    old: u64,
    new: u64,
    /// Old files, of which a merge has several: each line has so many marks.
    files: usize,
    /// Visible bytes before the mark of each line: those of a logger.
    column: usize,
}

/// Lines of a hunk are not counted beyond this: a header of a damaged diff may have any number.
const MOST_LINES: u64 = 1 << 20;

/// Bytes of a header up to the function that it may name.
const HEADER: usize = 60;

impl Hunk {
    /// Reads a header, `@@ -1,7 +1,9 @@`, or that of a merge, `@@@ -1,7 -1,8 +1,9 @@@`, whose last two marks are at an offset.
    pub(super) fn at(buffer: &[u8], at: usize) -> Option<Self> {
        let end = memchr::memchr(b'\n', &buffer[at..]).map_or(buffer.len(), |end| at + end + 1);
        let header = String::from_utf8_lossy(&buffer[at..end.min(at + HEADER)]);
        let (old, rest) = header.strip_prefix("@@ -")?.split_once(" +")?;
        let (new, _) = rest.split_once(" @@")?;
        let old: Vec<u64> = old.split(" -").map(lines).collect::<Option<_>>()?;
        let line = memchr::memrchr(b'\n', &buffer[..at]).map_or(0, |end| end + 1);
        let before = visible(&buffer[line..at]).count();
        let (files, old) = (old.len(), old.iter().sum());
        let column = before.saturating_sub(files - 1);
        Some(Self { start: line, end, old, new: lines(new)?, files, column })
    }

    /// True if an offset is in the hunk. Offsets of several calls do not decrease.
    pub(super) fn holds(&mut self, buffer: &[u8], offset: usize) -> bool {
        self.count(buffer, offset);
        (self.start..self.end).contains(&offset)
    }

    /// Counts the lines up to an offset.
    pub(super) fn count(&mut self, buffer: &[u8], offset: usize) {
        while self.old + self.new > 0 && self.end <= offset && self.end < buffer.len() {
            let rest = &buffer[self.end..];
            let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            let marks: Vec<u8> =
                visible(&rest[..length]).skip(self.column).take(self.files).collect();
            let count = |mark| marks.iter().filter(|own| **own == mark).count();
            let is_within = marks.iter().all(|mark| b"+- \n\r\\".contains(mark));
            let (old, new) = match (count(b'-'), count(b'\\')) {
                _ if !is_within => (self.old, self.new),
                (0, 0) => ((self.files - count(b'+')) as u64, 1),
                (removed, _) => (removed as u64, 0),
            };
            self.old = self.old.saturating_sub(old);
            self.new = self.new.saturating_sub(new);
            if is_within {
                self.end += length;
            }
        }
    }

    /// Follows a buffer that loses its first bytes.
    pub(super) fn drain(&mut self, bytes: usize) {
        self.start = self.start.saturating_sub(bytes);
        self.end = self.end.saturating_sub(bytes);
    }
}

/// The number of lines of `12,7` or `12`.
fn lines(range: &str) -> Option<u64> {
    let (first, count) = range.split_once(',').unwrap_or((range, "1"));
    first.parse::<u64>().ok()?;
    count.parse().ok().map(|count: u64| count.min(MOST_LINES))
}

/// The bytes of a line without the escapes of colours.
fn visible(line: &[u8]) -> impl Iterator<Item = u8> {
    let mut is_escape = false;
    line.iter().copied().filter(move |byte| {
        let was_escape = is_escape;
        is_escape = *byte == 0x1b || is_escape && !byte.is_ascii_alphabetic();
        !is_escape && !was_escape
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hunk_ends_with_its_lines() {
        let text =
            b"t @@ -1,2 +1,3 @@ fn\nt  same\nt -old\nt +new\n\x1b[32mt +\x1b[mnewer\nt +beyond\n";
        let mut hunk = Hunk::at(text, 2).unwrap();
        let at = |word: &[u8]| memchr::memmem::find(text, word).unwrap();
        for word in [&b"same"[..], b"old", b"new\n", b"newer"] {
            assert!(hunk.holds(text, at(word)), "{word:?}");
        }
        assert!(!hunk.holds(text, at(b"beyond")));
    }

    #[test]
    fn a_header_may_name_a_function_in_any_characters() {
        for name in ["größe", "größe_des_speichers_der_bank_in_bytes_für_größe"] {
            let text = format!("@@ -1 +1,2 @@ fn {name}\n same\n+new\n");
            let mut hunk = Hunk::at(text.as_bytes(), 0).unwrap();
            assert!(hunk.holds(text.as_bytes(), text.find("+new").unwrap()), "{text}");
        }
    }

    #[test]
    fn damaged_headers_are_none() {
        for text in
            ["@@ -", "@@ -1 +1", "@@ -x +1 @@", "@@ -1,99999999999999999999 +1 @@", "@@ -é +"]
        {
            assert!(Hunk::at(text.as_bytes(), 0).is_none(), "{text}");
        }
        let text = b"@@ -1,9 +1,9 @@\n same\nTT_FATAL: x\n more\n";
        let mut hunk = Hunk::at(text, 0).unwrap();
        assert!(!hunk.holds(text, 22) && !hunk.holds(text, text.len() - 3));
    }
}
