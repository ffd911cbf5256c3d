//! Lines of a log in ASCII: without colours and marks of Markdown, with escapes resolved.

/// The lines of a text in ASCII, each with the number of original line ends before it and its original offset. The two
/// characters `\n` of a quoted string end a line too.
pub(super) fn clean(raw: &str) -> Vec<(String, usize, usize)> {
    let mut lines = Vec::new();
    let (mut line, mut number, mut offset) = (String::new(), 0, 0);
    let mut is_quoted = false;
    let mut rest = raw.char_indices().peekable();
    while let Some((at, character)) = rest.next() {
        let mut end_line = |is_original: bool, next: usize, line: &mut String| {
            lines.push((std::mem::take(line), number, offset));
            is_quoted = false;
            number += usize::from(is_original);
            offset = next;
        };
        match character {
            '\u{1b}' => skip_escape(&mut rest),
            '\r' if rest.peek().is_some_and(|next| next.1 == '\n') => {}
            '\r' => end_line(false, at + 1, &mut line),
            '\n' => end_line(true, at + 1, &mut line),
            '\\' => match backslash(&raw[at..]) {
                Some((length, None)) => {
                    skip(&mut rest, at + length);
                    end_line(false, at + length, &mut line);
                }
                Some((length, Some(text))) => {
                    skip(&mut rest, at + length);
                    line.push_str(text);
                }
                None => line.push('\\'),
            },
            '[' | '^' => match bare_colour(&raw[at..]) {
                Some(length) => skip(&mut rest, at + length),
                None => line.push(character),
            },
            // The escape of a line end in a command of a CI system.
            '%' if raw[at..].starts_with("%0A") => {
                skip(&mut rest, at + 3);
                end_line(false, at + 3, &mut line);
            }
            '*' if emphasis(&raw[at..], line.ends_with(|last: char| last.is_ascii_digit())) => {
                skip(&mut rest, at + 2);
            }
            // Markdown's quotes around a number; the linker's are around names.
            '`' if is_quoted || rest.peek().is_some_and(|next| next.1.is_ascii_digit()) => {
                is_quoted = !is_quoted;
            }
            '…' => line.push_str("..."),
            '\u{2018}' | '\u{2019}' => line.push('\''),
            '\u{201c}' | '\u{201d}' => line.push('"'),
            '\u{2010}'..='\u{2015}' => line.push('-'),
            '×' => line.push('x'),
            other if other.is_ascii() && !other.is_ascii_control() => line.push(other),
            '\t' | '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{3000}' => line.push(' '),
            '\u{200b}'..='\u{200d}' | '\u{feff}' => {}
            '\u{2500}'..='\u{259f}' => line.push('|'),
            other if other.is_control() => {}
            _ => line.push('?'),
        }
    }
    if !line.is_empty() {
        lines.push((line, number, offset));
    }
    lines
}

/// True for the two asterisks of Markdown before or behind a number. More asterisks stand for what was redacted.
fn emphasis(text: &str, is_behind_number: bool) -> bool {
    text.strip_prefix("**").is_some_and(|rest| {
        rest.starts_with(|next: char| next.is_ascii_digit())
            || is_behind_number && !rest.starts_with('*')
    })
}

type Rest<'a> = std::iter::Peekable<std::str::CharIndices<'a>>;

fn skip(rest: &mut Rest<'_>, end: usize) {
    while rest.next_if(|(at, _)| *at < end).is_some() {}
}

/// The length of an escape sequence of JSON or Python that begins with a backslash, and its text; no text for a line
/// end. Escapes may be escaped again.
fn backslash(text: &str) -> Option<(usize, Option<&'static str>)> {
    let slashes = text.len() - text.trim_start_matches('\\').len();
    let rest = &text[slashes..];
    let simple = |text| Some((slashes + 1, text));
    match rest.as_bytes().first()? {
        b'n' | b'r' => simple(None),
        b't' => simple(Some(" ")),
        b'"' => simple(Some("\"")),
        b'\'' => simple(Some("'")),
        b'/' => simple(Some("/")),
        b'x' | b'u' | b'0' => {
            let code = ["u001b[", "x1b[", "033["].iter().find(|code| {
                rest.get(..code.len()).is_some_and(|start| start.eq_ignore_ascii_case(code))
            });
            if let Some(code) = code {
                let parameters = rest[code.len()..].bytes();
                let length =
                    parameters.take_while(|byte| matches!(byte, b'0'..=b'9' | b';')).count();
                return Some((slashes + code.len() + length + 1, Some("")));
            }
            let code = u8::from_str_radix(rest.strip_prefix("u00")?.get(..2)?, 16).ok()?;
            let text = match code {
                b'\n' | b'\r' => None,
                b'\t' | 0xa0 => Some(" "),
                _ => {
                    let index = usize::from(code.checked_sub(b' ')?);
                    Some(PRINTABLE.get(index..=index)?)
                }
            };
            Some((slashes + 5, text))
        }
        _ => None,
    }
}

/// Every printable character of ASCII, in order.
const PRINTABLE: &str = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~";

/// Length of a colour, `[1;31m`, of which a page or a log has lost the escape before it, or has `^[` instead.
fn bare_colour(text: &str) -> Option<usize> {
    let rest = text.strip_prefix("^[").unwrap_or(text).strip_prefix('[')?;
    let length = rest.bytes().take_while(|byte| matches!(byte, b'0'..=b'9' | b';')).count();
    let is_colour = (1..10).contains(&length) && rest[length..].starts_with('m');
    is_colour.then_some(text.len() - rest.len() + length + 1)
}

/// Skips the rest of a terminal escape: `[…m` and its like, `]…` up to BEL or ESC, or a single character.
fn skip_escape(rest: &mut Rest<'_>) {
    match rest.next() {
        Some((_, '[')) => {
            while rest.next().is_some_and(|(_, parameter)| !('@'..='~').contains(&parameter)) {}
        }
        Some((_, ']')) => {
            let is_inside = |next: &(usize, char)| !matches!(next.1, '\u{7}' | '\u{1b}' | '\n');
            while rest.next_if(is_inside).is_some() {}
        }
        _ => {}
    }
}

/// One space for every run of spaces.
pub(super) fn collapse(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    for character in line.chars() {
        if character != ' ' || !text.ends_with(' ') {
            text.push(character);
        }
    }
    text
}
