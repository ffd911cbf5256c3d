//! The snapshot itself, and every other report that is JSON.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;

use super::text::turns_the_line;

/// The layout of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Laid out for reading.
    Pretty,
    /// One value a line, for streams.
    Line,
}

/// Writes a snapshot, or whatever else is one value, and a line end.
///
/// # Errors
/// If the writer fails.
pub(crate) fn write(
    value: &impl Serialize,
    layout: Layout,
    writer: &mut impl Write,
) -> io::Result<()> {
    let text = text(value, layout)?;
    writer.write_all(text.as_bytes())
}

/// Returns a value as JSON with a line end.
///
/// # Errors
/// If a map in it has keys that are no text.
pub(crate) fn text(value: &impl Serialize, layout: Layout) -> serde_json::Result<String> {
    let text = match layout {
        Layout::Pretty => serde_json::to_string_pretty(value)?,
        Layout::Line => serde_json::to_string(value)?,
    };
    Ok(escaped(&text).into_owned() + "\n")
}

/// JSON with the characters escaped that control a terminal or the direction of its line. They occur in strings only.
#[must_use]
pub(crate) fn escaped(json: &str) -> Cow<'_, str> {
    if !json.bytes().any(|byte| byte >= 0x7f) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '\x7f'..='\u{9f}' => {}
            _ if turns_the_line(character) => {}
            _ => {
                escaped.push(character);
                continue;
            }
        }
        // Writing to a string cannot fail.
        let _written = write!(escaped, "\\u{:04x}", u32::from(character));
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_of_a_string_controls_a_terminal() {
        let hostile = "a\u{1b}[2J\u{7f}\u{9b}31m\u{202e}\u{2066}\u{200f}\u{61c}é漢";
        for layout in [Layout::Pretty, Layout::Line] {
            let json = text(&serde_json::json!({ "name": hostile }), layout).unwrap();
            let is_control = |character: char| character.is_control() && character != '\n';
            assert!(!json.contains(is_control) && !json.contains(turns_the_line), "{json:?}");
            assert!(json.contains("é漢"), "{json}");
            let value: serde_json::Value = serde_json::from_str(&json).unwrap();
            assert_eq!(value["name"], hostile);
        }
    }
}
