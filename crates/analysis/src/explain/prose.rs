//! Sentences about a kill or a refused allocation: a runbook, a comment or a hint, in which no program reports one.

use std::sync::LazyLock;

use regex::Regex;

use super::form::Match;
use super::message::{HostMemory, Message};
use super::pattern;
use super::text::Joined;

/// Words before a message that make the sentence a general one, and a quotation mark in running text.
static BEFORE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern::compile(
        r#"(?x)(?i-u:\b(?:if|when|whenever|whether|unless|until|should|could|would|can|may|might|means?|indicates?|suggests?|look(?:ing)?\ for
            |search\ for|grep|e\.g\.|i\.e\.|for\ example|for\ instance|such\ as|typically|usually|often|never|avoid|prevent|expect|every|any|these|that|where)\b)
        | \(1\)\ The\ process\ is\ $ | ^(?i-u:title|keywords?|tags?|topic|subject|summary|description)\ ?:
        | \b(?i-u:an?|the|shows?|says?|see|reads?|like|or|and)\ ["'`(]*$ | [A-Za-z,.;]\ ["'`]$ | [`]$"#,
    )
});

/// Words behind it that explain it.
static AFTER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern::compile(
        r#"^\)?["'`]?(?:\ \([^)]{0,60}\))?\ ?(?i-u:(?:[:=-]+\ )?(?:means?|indicates?|suggests?|stands\ for|usually|typically|often|mostly|almost|always|is\b|are\b|comes?\b|happens?|says|tells|points?|can\b|may\b|or\b|and\ (?:the|a|is|restart)|in\ (?:`|kubectl|docker|the)|after\ (?:a|the)\b))"#,
    )
});

/// Words of the line that only a report of one event has.
static EVENT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern::compile(
        r"(?x)\b(?i-u:error|fatal|warning):|\bpid\b|\bPID\b|\b(?:[Cc]ommand|[Pp]rocess|[Cc]ontainer|[Tt]ask|[Jj]ob|[Ss]tep|[Ww]orker)\ [^\ ]*\d",
    )
});

/// A sentence is not read further back.
const REACH: usize = 240;

/// True if a message is words of a sentence about such events in general.
pub(super) fn is_prose(joined: &Joined<'_>, found: &Match) -> bool {
    let may_be = match &found.message {
        Message::HostKilled(killed) => killed.pid.is_none(),
        Message::HostMemory(HostMemory { size, .. }) => size.is_none(),
        _ => false,
    };
    let is = |pattern: &LazyLock<Option<Regex>>, part: &str| {
        pattern.as_ref().is_some_and(|pattern| pattern.is_match(part))
    };
    may_be && {
        let before = sentence_before(joined, found.start);
        let after = &joined.text[found.end..];
        let is_heading = joined.prefix(found.start).contains("# ");
        !is(&EVENT, before)
            && (is_heading || is(&BEFORE, before) || is(&AFTER, after) && !is_logged(joined, found))
    }
}

/// True if a logger wrote the line.
fn is_logged(joined: &Joined<'_>, found: &Match) -> bool {
    joined.prefix(found.start).bytes().any(|byte| byte.is_ascii_digit())
}

/// The text of the sentence before an offset: of its line, and of the one before if the sentence goes on from there.
fn sentence_before<'t>(joined: &'t Joined<'_>, offset: usize) -> &'t str {
    let text = joined.text.as_str();
    let mut start = joined.line_start(offset);
    let goes_on = |at: usize| {
        let line = &text[at..];
        at > 0
            && joined.prefix(at).is_empty()
            && (at == offset || line.starts_with(|first: char| first.is_ascii_lowercase()))
            && !text[..at].trim_end().ends_with(['.', ':', '!', '?', '}', ')', ']', ';'])
    };
    while goes_on(start) && offset - start < REACH {
        start = joined.line_start(start - 1);
    }
    let start = start.max(offset.saturating_sub(REACH));
    let before = text.get(start..offset).unwrap_or_default();
    before.rfind(". ").map_or(before, |stop| &before[stop + 2..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patterns_compile() {
        assert!(BEFORE.is_some() && AFTER.is_some() && EVENT.is_some());
    }
}
