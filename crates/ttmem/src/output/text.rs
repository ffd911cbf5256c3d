//! Text that others chose, made fit for a terminal: harmless, measured, cut and wrapped.
//!
//! Width is counted per character, as terminals do. What joins or modifies characters without a width of its own
//! (joiners, variation selectors) is left out, because terminals disagree about what it does to the width.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar as _;

use super::page::Charset;

/// Columns that a text takes.
#[must_use]
pub(crate) fn width(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.chars().map(char_width).sum()
}

fn char_width(character: char) -> usize {
    character.width().unwrap_or(0)
}

/// Returns the text without control sequences and without characters that change the direction of the line.
/// Control characters become their pictures (`␛`), in ASCII a caret form (`^[`).
#[must_use]
pub(crate) fn legible(text: &str, charset: Charset) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) {
        return Cow::Borrowed(text);
    }
    let mut legible = String::with_capacity(text.len());
    for character in text.chars() {
        match charset {
            Charset::Unicode => push_unicode(&mut legible, character),
            Charset::Ascii => push_ascii(&mut legible, character),
        }
    }
    Cow::Owned(legible)
}

fn push_unicode(legible: &mut String, character: char) {
    match character {
        '\0'..='\x1f' => {
            legible.push(char::from_u32(0x2400 + u32::from(character)).unwrap_or('?'));
        }
        '\x7f' => legible.push('\u{2421}'),
        '\u{80}'..='\u{9f}' => legible.push(char::REPLACEMENT_CHARACTER),
        _ if is_invisible(character) => {}
        _ if turns_the_line(character) => legible.push(char::REPLACEMENT_CHARACTER),
        _ => legible.push(character),
    }
}

fn push_ascii(legible: &mut String, character: char) {
    match character {
        ' '..='~' => legible.push(character),
        '\0'..='\x1f' => {
            legible.push('^');
            legible.push(char::from_u32(0x40 + u32::from(character)).unwrap_or('?'));
        }
        '\x7f' => legible.push_str("^?"),
        '–' | '—' | '−' => legible.push('-'),
        '‘' | '’' => legible.push('\''),
        '“' | '”' => legible.push('"'),
        '…' => legible.push_str("..."),
        '×' => legible.push('x'),
        '→' => legible.push_str("->"),
        _ if is_invisible(character) => {}
        _ => legible.push('?'),
    }
}

/// Soft hyphens, joiners, variation selectors and tags.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{200b}'..='\u{200d}'
            | '\u{2060}'..='\u{2064}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Line separators and what switches between left-to-right and right-to-left.
pub(crate) fn turns_the_line(character: char) -> bool {
    matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}'
    )
}

/// The text if it fits into `columns`, else as much of it as fits before an ellipsis.
#[must_use]
pub(crate) fn cut<'a>(text: &'a str, columns: usize, ellipsis: &str) -> Cow<'a, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let ellipsis = if width(ellipsis) <= columns { ellipsis } else { "" };
    let (head, _) = split_at_width(text, columns - width(ellipsis));
    Cow::Owned(format!("{head}{ellipsis}"))
}

/// The text in lines of at most `columns`, broken at spaces, and inside a word only where the word is too long.
#[must_use]
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    wrap_words(text.split_whitespace(), columns)
}

/// Words in lines, like [`wrap`]; a word may have spaces, at which it is not broken.
#[must_use]
pub(crate) fn wrap_words<'a>(
    words: impl IntoIterator<Item = &'a str>,
    columns: usize,
) -> Vec<String> {
    let columns = columns.max(2);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in words {
        if !line.is_empty() && width(&line) + 1 + width(word) <= columns {
            line.push(' ');
            line.push_str(word);
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        let mut rest = word;
        while width(rest) > columns {
            let (head, tail) = split_at_width(rest, columns);
            lines.push(head.to_owned());
            rest = tail;
        }
        line.push_str(rest);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// The longest head of a text that fits into `columns`, and the rest.
fn split_at_width(text: &str, columns: usize) -> (&str, &str) {
    let mut taken = 0;
    for (offset, character) in text.char_indices() {
        taken += char_width(character);
        if taken > columns {
            return text.split_at(offset);
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_becomes_a_picture() {
        assert_eq!(legible("a\x1b[31mb\n", Charset::Unicode), "a␛[31mb␊");
        assert_eq!(legible("a\x1b[31mb\n\x7f", Charset::Ascii), "a^[[31mb^J^?");
        assert_eq!(legible("\u{9b}31m", Charset::Unicode), "\u{fffd}31m");
        assert_eq!(legible("abc\u{202e}fed", Charset::Unicode), "abc\u{fffd}fed");
    }

    #[test]
    fn joiners_go_and_names_stay() {
        assert_eq!(legible("模型-ж", Charset::Unicode), "模型-ж");
        assert_eq!(width(&legible("👩\u{200d}💻", Charset::Unicode)), 4);
        assert_eq!(legible("é … ×", Charset::Ascii), "? ... x");
    }

    #[test]
    fn a_wide_character_that_would_stick_out_is_left_out() {
        assert_eq!(cut("模型模型", 8, "…"), "模型模型");
        assert_eq!(cut("模型模型", 6, "…"), "模型…");
        assert_eq!(cut("abcdef", 2, "..."), "ab");
        assert_eq!(cut("abcdef", 0, "…"), "");
    }

    #[test]
    fn lines_break_at_spaces_and_long_words_inside() {
        assert_eq!(wrap("one two  three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert!(wrap("  ", 4).is_empty());
    }
}
