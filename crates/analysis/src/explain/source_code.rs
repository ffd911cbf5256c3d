//! Messages that no program printed: source code that has their wording, in a listing, a diff or a traceback.

use std::sync::LazyLock;

use regex::Regex;

use super::form::Match;
use super::pattern;
use super::text::Joined;

/// A hole of a template, in which no number is: of fmt, Python or printf.
pub(super) const HOLE: &str =
    r#"\{[A-Za-z_.]{0,40}(?::[^{}\x20]{1,8})?\}|%(?:l|ll|z)?[dusxX]\b|%"PRI"#;

static HOLES: LazyLock<Option<Regex>> = LazyLock::new(|| pattern::compile(HOLE));

/// The beginning of a call that has a message as its argument.
static CALL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern::compile(
        r"\b(?:[A-Z]+(?:_[A-Z]+)+|log_\w+|fmt::format|dev_(?:err|warn|info|notice)\w*|pr_\w+|s?n?printk?f?|runtime_error|raise \w+|pytest\.raises|(?:logger|logging)\.\w+|assert\w*!?) ?\(",
    )
});

/// Texts that TT-Metal puts before a message that it prints.
const PRINTED: [&str; 4] = ["info:", "tt::exception", "TT_FATAL:", "TT_THROW:"];

/// Such a call begins at most so many bytes before its message.
const CALL_REACH: usize = 400;

/// A hole is at most so many bytes behind the part of a message that is recognised.
const HOLE_REACH: usize = 24;

/// True if a match is a text of source code.
pub(super) fn is_source(joined: &Joined<'_>, found: &Match) -> bool {
    let text = joined.text.as_str();
    let has = |pattern: &LazyLock<Option<Regex>>, part: &str| {
        pattern.as_ref().is_some_and(|pattern| pattern.is_match(part))
    };
    let end = text.len().min(found.end + HOLE_REACH);
    if found.digits == 0 && has(&HOLES, &text[found.start..end]) {
        // TT-Metal up to early 2024 printed templates as they are, with the values below them.
        let lead = text[..found.start].trim_end();
        return !PRINTED.iter().any(|mark| lead.ends_with(mark))
            && !joined.is_fatal_log(found.start);
    }
    let line = joined.line_start(found.start);
    let before = &text[line..found.start];
    let quoted = joined.quoted(found.start);
    let quotes = before.bytes().filter(|byte| *byte == b'"').count() + usize::from(quoted.is_open);
    let is_quoted = quotes % 2 == 1;
    let mark = before.rfind(['"', '\'']).map_or(before, |mark| &before[..mark]);
    if is_value(mark, before)
        || has(&REASON, before)
        || quoted.is_comment
        || before.contains(" // ")
        || is_change(joined, found.start)
        || is_within(joined, found.start)
        || is_quoted && is_argument(&text[line.saturating_sub(CALL_REACH)..found.start])
    {
        return true;
    }
    // A message without a number: all there is to know it by are its words.
    let is_first = LISTED.as_ref().is_some_and(|listed| listed.is_match(before));
    found.digits == 0 && is_first && (is_quoted && quoted.is_literal || before.ends_with("// "))
}

/// Text before the first word of a line of source code: what a listing or a change puts there.
static LISTED: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern::compile(r#"^[-+ ]{0,3}(?:\d{1,6}[-:]?)? ?(?:"|/{2,3} )?$"#));

/// Text of a line of source code before a string that is a value of it.
static VALUE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern::compile(
        r"(?x)(?:^|[\x20(*&])\w+(?::\ [^=]{1,40})?\ \+?=\ [fbruRLu8]{0,2}$
        | (?:^|\ )(?:return|yield|case|assert|==|!=|<<)\ [fbruR]{0,2}$
        | (?:[a-z]\w*(?:::|\.|->))?(?:parse|append|push_back|push|insert|emplace_back|HasSubstr|contains|string|string_view|format|explain|of|only|match|search|find|count|startswith|endswith|info|print|println!|write|format!|vec!|to_owned|from)\((?:\w{1,20}=)?[fbruR]{0,2}$",
    )
});

/// True if a message is in a string, `mark` being all before its quotation mark, that is a value of source code.
fn is_value(mark: &str, before: &str) -> bool {
    let string = &before[mark.len()..];
    // An apostrophe within words is no quotation mark.
    let is_begin = !string.is_empty() && !string[1..].contains(['"', '\'']);
    is_begin && VALUE.as_ref().is_some_and(|value| value.is_match(mark))
}

/// Text before a reason that a test has for its being skipped or expected to fail: in its source, its configuration, or
/// the report of its run.
static REASON: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern::compile(
        r#"(?x)^(?:-\ )?(?:reason\ ?[:=]|["']?\w{0,20}(?:skip|fail)\w{0,10}_reason["']?:)\ ?f?["'][^"]*$
        | \bpytest\.(?:xfail|skip|fail|mark\.\w+)\([^"']*["'][^"]*$
        | ^(?:XFAIL|XPASS|SKIPPED|\[XPASS\(strict\)\])\ "#,
    )
});

/// True if a line is changed by a diff that has no header: its neighbour is, too. A list has only one kind of marks.
fn is_change(joined: &Joined<'_>, offset: usize) -> bool {
    let is_near = |marks: &[char]| {
        let near = [joined.line_before(offset), joined.line_behind(offset)];
        near.iter().flatten().any(|line| line.starts_with(marks))
    };
    let line = &joined.text[joined.line_start(offset)..];
    line.starts_with('+') && is_near(&['+', '-']) || line.starts_with('-') && is_near(&['+'])
}

/// Lines that are looked through for the beginning of a string or a list of strings.
const MOST_LINES: usize = 60;

/// Ends of lines of source code behind which a value begins on the next.
const OPEN: [&str; 5] = ["(", "=", "= [", "= {", "return"];

/// Marks of Python around a string of several lines.
const TRIPLE: [&str; 2] = ["\"\"\"", "'''"];

/// True if an offset is in a string of source code that began on an earlier line: in triple quotation marks, or as one of
/// several strings behind each other.
fn is_within(joined: &Joined<'_>, offset: usize) -> bool {
    let mut in_list = true;
    for (index, (prefix, line)) in joined.lines_back(offset).take(MOST_LINES).enumerate() {
        let whole = format!("{prefix}{line}");
        if index > 0 {
            if in_list && OPEN.iter().any(|open| whole.trim_end().ends_with(open)) {
                return true;
            }
            if let Some(marks) = TRIPLE.into_iter().find(|marks| whole.contains(marks)) {
                let before = whole.split(marks).next().unwrap_or_default();
                let before = before.trim_end_matches(['f', 'b', 'r']).trim_end();
                return whole.matches(marks).count() == 1 && before.ends_with(['=', '(', ',']);
            }
        }
        let whole = whole.trim();
        // An escape of a line end divides a string.
        let is_begun = whole.matches('"').count() % 2 == 1;
        in_list &= whole.starts_with(['"', '\''])
            && (index == 0 || is_begun || whole.ends_with(['"', '\'', ',']));
    }
    false
}

/// True if a text ends within the parentheses of such a call.
fn is_argument(text: &str) -> bool {
    let Some(call) = CALL.as_ref().and_then(|call| call.find_iter(text).last()) else {
        return false;
    };
    let depth = text[call.end()..].bytes().try_fold(1_usize, |depth, byte| match byte {
        b'(' => Some(depth + 1),
        b')' => depth.checked_sub(1).filter(|depth| *depth > 0),
        _ => Some(depth),
    });
    depth.is_some()
}
