//! The table of messages: one pattern for all releases' wordings of a message.
//!
//! A pattern is a regular expression over text whose lines are joined and whose spaces are collapsed. `#name#` is a
//! number, `@name@` a set of core ranges, `%name%` a word. After the head, each part is optional and may be preceded by
//! a gap, so that a message that was cut, or whose middle was left out, still gives what it has.

use std::sync::OnceLock;

use regex::{Captures, Regex};

use super::cores::{Cores, Cursor};
use super::message::Message;
use super::{number, pattern};

/// Wording of one message, as a pattern.
pub(super) struct Form {
    /// Texts of which one is in every print of the message, divided by bars, for a fast check.
    pub(super) keys: &'static str,
    /// The pattern of the beginning, which has to be there.
    pub(super) head: &'static str,
    /// The patterns of the numbers that follow.
    pub(super) parts: &'static [&'static str],
    /// Makes the message of the numbers.
    pub(super) make: fn(&Values<'_>) -> Option<Message>,
    /// True if the message begins before the pattern: its front was cut off.
    is_front_cut: bool,
    compiled: OnceLock<Option<Regex>>,
}

impl Form {
    pub(super) const fn new(
        keys: &'static str,
        head: &'static str,
        parts: &'static [&'static str],
        make: fn(&Values<'_>) -> Option<Message>,
    ) -> Self {
        Self { keys, head, parts, make, is_front_cut: false, compiled: OnceLock::new() }
    }

    /// A message whose front was cut off.
    pub(super) const fn front(
        keys: &'static str,
        head: &'static str,
        parts: &'static [&'static str],
        make: fn(&Values<'_>) -> Option<Message>,
    ) -> Self {
        Self { keys, head, parts, make, is_front_cut: true, compiled: OnceLock::new() }
    }

    /// The compiled pattern.
    pub(super) fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| compile(self.head, self.parts)).as_ref()
    }

    /// Finds every print of the message in the first `end` bytes of a text. A message without its front is looked for where no
    /// message is found yet.
    pub(super) fn matches(&self, text: &str, end: usize, found: &[Match]) -> Vec<Match> {
        let part = &text[..end];
        let is_new = |at| !self.is_front_cut || !found.iter().any(|known| known.covers(at));
        let has =
            |key: &str| memchr::memmem::find_iter(part.as_bytes(), key.as_bytes()).any(is_new);
        if !self.keys.split('|').any(has) {
            return Vec::new();
        }
        let Some(regex) = self.regex() else { return Vec::new() };
        let made = regex.captures_iter(part).filter_map(|captures| {
            let whole = captures.get(0)?;
            let values = Values::new(&captures, regex, text);
            let (known, digits) = values.known();
            let message = (self.make)(&values)?;
            let end = whole.end().max(values.end.get());
            let is_front_cut = self.is_front_cut;
            Some(Match { message, start: whole.start(), end, known, digits, is_front_cut })
        });
        made.collect()
    }
}

/// A message in a text.
#[derive(Clone, Debug)]
pub(super) struct Match {
    pub(super) message: Message,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Numbers that were read.
    pub(super) known: usize,
    /// Digits of these numbers.
    pub(super) digits: usize,
    /// True if the beginning of the message was cut off.
    pub(super) is_front_cut: bool,
}

impl Match {
    /// True if both have a part of the text.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    fn covers(&self, at: usize) -> bool {
        (self.start..self.end).contains(&at)
    }

    pub(super) fn is_op_limit(&self) -> bool {
        matches!(self.message, Message::OpLimit(_))
    }
}

/// Characters that may be between two parts, where a message's middle was left out.
const GAP: &str = ".{0,48}?";

fn compile(head: &str, parts: &[&str]) -> Option<Regex> {
    let mut text = expand(head);
    for part in parts {
        text += &format!("(?:{GAP}{})?", expand(part));
    }
    pattern::compile(&text)
}

fn expand(pattern: &str) -> String {
    let mut text = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find(['#', '@', '%']) {
        let marker = &rest[at..=at];
        let after = &rest[at + 1..];
        let Some((name, behind)) = after.split_once(marker) else { break };
        text += &rest[..at];
        let value = match marker {
            "#" if matches!(name, "address" | "end" | "found") => {
                number::ADDRESS.replace("NUMBER", number::PATTERN)
            }
            "#" => number::PATTERN.to_owned(),
            "@" => CORES.to_owned(),
            _ => r"(?:[A-Za-z_][A-Za-z0-9_]*|\{\})".to_owned(),
        };
        text += &format!("(?P<{name}>{value})");
        rest = behind;
    }
    text + rest
}

/// Lowest address that a tensor may have: it has five digits.
pub(super) const LOWEST_ADDRESS: u64 = 10_000;

/// Names of numbers behind which a message may end.
const MAY_BE_LAST: [&str; 11] = [
    "end",
    "found",
    "pid",
    "error",
    "asked_size",
    "of_size",
    "window_size",
    "limit",
    "last",
    "needed",
    "rows",
];

const CORES: &str = r"(?:\{ ?(?:\[[^\]]{3,60}\],? ?){1,64}\}|\[[^\]]{3,60}\]|\(x=\d+, ?y=\d+\)|\(\d+, ?\d+\)|\d+-\d+|\{\})";

/// The values of one match, by name.
pub(super) struct Values<'t> {
    named: Vec<(String, &'t str)>,
    /// Text behind the message.
    rest: &'t str,
    /// Offset behind the values that are below the message, as early releases printed them.
    end: std::cell::Cell<usize>,
}

impl<'t> Values<'t> {
    fn new(captures: &Captures<'t>, regex: &Regex, text: &'t str) -> Self {
        let named: Vec<(String, &str)> = regex
            .capture_names()
            .flatten()
            .filter_map(|name| Some((name.to_owned(), captures.name(name)?.as_str())))
            .collect();
        let end = captures.get(0).map_or(0, |whole| whole.end());
        let mut values = Self { named, rest: &text[end..], end: std::cell::Cell::new(end) };
        values.drop_broken_numbers(captures, end);
        values.drop_cut_number(text, end);
        values.read_below(text);
        values
    }

    /// Drops numbers within which a line was broken: their digits go on behind a space, or a string of JSON ends behind them
    /// while the message goes on.
    fn drop_broken_numbers(&mut self, captures: &Captures<'t>, end: usize) {
        let is_broken = |name: &str| {
            captures.name(name).is_some_and(|value| {
                let text = captures.get(0).map_or("", |whole| whole.as_str());
                let start = captures.get(0).map_or(0, |whole| whole.start());
                let behind = text.get(value.end() - start..).unwrap_or_default();
                value.end() < end
                    && value.as_str().bytes().all(|byte| byte.is_ascii_digit())
                    && (behind.starts_with('"')
                        || behind.strip_prefix(' ').is_some_and(|next| {
                            next.starts_with(|next: char| next.is_ascii_digit())
                        }))
            })
        };
        self.named.retain(|(name, _)| !is_broken(name));
    }

    /// Drops a number that the match ends with, if the text was cut there: by dots at its last digit, or by the end of the
    /// input where the message goes on behind the number.
    fn drop_cut_number(&mut self, text: &'t str, end: usize) {
        let rest = &text[end..];
        let is_marked = rest.trim_start_matches('x').starts_with("...") || rest.starts_with('[');
        let is_end = rest.trim().is_empty();
        // `0x` without a digit behind it.
        let is_prefix = |value: &str| value == "0" && rest.starts_with('x');
        let is_cut = |name: &str, value: &str| {
            is_marked || is_prefix(value) || is_end && !MAY_BE_LAST.contains(&name)
        };
        let ends_match = |value: &str| {
            text[..end].ends_with(value)
                && value.starts_with(|first: char| first.is_ascii_digit())
                && value.ends_with(|last: char| last.is_ascii_hexdigit())
        };
        if self.named.last().is_some_and(|(name, value)| is_cut(name, value) && ends_match(value)) {
            self.named.pop();
        }
    }

    /// Reads the values below a template that is printed with its holes, as in early 2024.
    fn read_below(&mut self, text: &'t str) {
        if !self.named.iter().any(|(_, value)| *value == "{}") {
            return;
        }
        let Some(value) = BELOW
            .get_or_init(|| {
                pattern::compile(&format!("^ ?({CORES}|{}|[A-Z][A-Z0-9_]+)", number::PATTERN))
            })
            .as_ref()
        else {
            return;
        };
        let mut position = self.end.get();
        for (_, named) in self.named.iter_mut().filter(|(_, value)| *value == "{}") {
            let Some(found) =
                value.captures(&text[position..]).and_then(|captures| captures.get(1))
            else {
                return;
            };
            *named = found.as_str();
            position += found.end();
        }
        self.end.set(position);
    }

    pub(super) fn text(&self, name: &str) -> Option<&'t str> {
        self.named
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| *value)
            .filter(|value| *value != "{}")
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        number::read(self.text(name)?)
    }

    /// Number that ends its message and must exceed another: with fewer digits than the other it was cut.
    pub(super) fn beyond(&self, name: &str, least: Option<u64>) -> Option<u64> {
        let digits = |number: u64| number.checked_ilog10();
        let number = self.number(name)?;
        least.is_none_or(|least| digits(number) >= digits(least)).then_some(number)
    }

    pub(super) fn cores(&self, name: &str) -> Option<Cores> {
        Cores::read(&mut Cursor::new(self.text(name)?))
    }

    pub(super) fn word(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    /// True if a value was found, redacted or not.
    pub(super) fn has(&self, name: &str) -> bool {
        self.named.iter().any(|(known, _)| known == name)
    }

    /// True if dots end the text within one of the words with which the message goes on: they belong to it. Dots in a line of
    /// their own stand for what is left out behind it.
    pub(super) fn breaks_off(&self, words: &[&str]) -> bool {
        let Some((before, _)) = self.rest.split_once("...") else { return false };
        let part = before.trim_end_matches('[');
        let is_within = part.is_empty()
            || !part.trim().is_empty() && words.iter().any(|word| word.starts_with(part));
        if is_within {
            self.end.set(self.end.get() + before.len() + "...".len());
        }
        is_within
    }

    /// The number of values, and of the digits of those that are no words.
    fn known(&self) -> (usize, usize) {
        let is_word = |value: &str| value.starts_with(|first: char| first.is_ascii_alphabetic());
        let amounts = self.named.iter().filter(|(_, value)| !is_word(value));
        let digits = amounts.flat_map(|(_, value)| value.bytes());
        (self.named.len(), digits.filter(u8::is_ascii_digit).count())
    }
}

static BELOW: OnceLock<Option<Regex>> = OnceLock::new();

#[cfg(test)]
mod tests {
    use super::super::table::forms;

    #[test]
    fn every_pattern_compiles() {
        for form in forms() {
            assert!(form.regex().is_some(), "{}", form.head);
        }
    }
}
