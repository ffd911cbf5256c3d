//! A log as it was pasted, made fit for matching: no colours, no control characters, lines still countable.

use std::borrow::Cow;

/// The cleaned text, and where the lines of the original begin in it.
#[derive(Debug)]
pub(super) struct Text {
    clean: String,
    /// Offsets in `clean` of the line ends that the original had.
    line_ends: Vec<usize>,
}

impl Text {
    /// Drops terminal escapes and control characters, turns every kind of line end into `\n` (also the two
    /// characters `\n` of a quoted string), and removes the frames that pretty tracebacks draw.
    pub(super) fn new(original: &str) -> Self {
        let mut text = Self { clean: String::with_capacity(original.len()), line_ends: Vec::new() };
        let mut rest = original.chars().peekable();
        while let Some(character) = rest.next() {
            match character {
                '\u{1b}' => skip_escape(&mut rest),
                '\r' if rest.peek() == Some(&'\n') => {}
                '\n' | '\r' => {
                    text.line_ends.push(text.clean.len());
                    text.clean.push('\n');
                }
                '\\' if rest.peek() == Some(&'n') => {
                    rest.next();
                    text.clean.push('\n');
                }
                '\t' | '\u{a0}' | '│' | '┃' | '║' => text.clean.push(' '),
                control if control.is_control() => {}
                other => text.clean.push(other),
            }
        }
        text
    }

    pub(super) fn as_str(&self) -> &str {
        &self.clean
    }

    /// The line of the original, counted from 1, that an offset of the cleaned text is in.
    pub(super) fn line_of(&self, offset: usize) -> usize {
        self.line_ends.partition_point(|&end| end < offset) + 1
    }
}

/// Skips the rest of a terminal escape: `[…m` and its like, `]…` up to BEL or ESC, or a single character.
fn skip_escape(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match rest.next() {
        Some('[') => {
            while rest.next().is_some_and(|parameter| !('@'..='~').contains(&parameter)) {}
        }
        Some(']') => {
            while rest
                .next_if(|&character| !matches!(character, '\u{7}' | '\u{1b}' | '\n'))
                .is_some()
            {}
        }
        _ => {}
    }
}

/// The text of a file's bytes; what is not UTF-8 is replaced.
#[must_use]
pub fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_frames_and_line_ends_are_evened_out() {
        let text =
            Text::new("\u{1b}[31mred\u{1b}[0m\r\n│ framed │\rover\\nquoted\u{1b}]0;title\u{7}!\n");
        assert_eq!(text.as_str(), "red\n  framed  \nover\nquoted!\n");
        assert_eq!(text.line_of(0), 1);
        assert_eq!(text.line_of(text.as_str().find("framed").unwrap()), 2);
        assert_eq!(text.line_of(text.as_str().find("quoted").unwrap()), 3);
    }

    #[test]
    fn an_escape_that_never_ends_takes_the_rest() {
        assert_eq!(Text::new("a\u{1b}[").as_str(), "a");
        assert_eq!(Text::new("a\u{1b}]b").as_str(), "a");
        assert_eq!(Text::new("a\u{1b}").as_str(), "a");
    }

    #[test]
    fn what_is_not_utf8_is_replaced() {
        assert_eq!(text_of(b"a\xffb"), "a\u{fffd}b");
    }
}
