//! Prefixes of lines: of loggers, launchers, terminals and quotations.

use std::sync::LazyLock;

use regex::Regex;

use super::pattern;

/// The prefix of one line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Prefix {
    /// Its bytes.
    pub(super) length: usize,
    /// True if it has a time or a level: a logger wrote the line.
    pub(super) is_record: bool,
    /// True if the text behind it begins a message.
    pub(super) is_message: bool,
}

/// Marks without a meaning of their own: frames, quotes, comments, pytest's `E`, ranks, containers.
static MARK: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern::compile(
        r#"(?x)^(?:
          [\x20|>\x23*!"']+ | // | E\ +
        | \[\d+,\d+\](?:<std(?:err|out|diag)>)?:\ ? | <std(?:err|out)>:?\ ?
        | \[?(?:[Rr]ank|RANK|worker|chip|node|gpu|tt)[-\ :]?\d+\]?(?::|\ \||\ -|\])?\ ?
        | \[(?:pod|container)/[^\]\ ]{1,200}\]\ ? | (?:pod|deployment)/[\w./-]{1,150}\ (?:[\w-]{1,63}\ )?
        | [\w.-]{1,80}\ +\|\ | \([\w.\ -]{0,60}\ ?pid=\d+[^)]{0,80}\)\ ? | \d{1,6}:\ (?:\[|std)
        | (?:[\w-]{1,60}\ )?[\w./-]{1,60}\[\d{1,8}\]:\ ?
        | \[[\w./-]{1,80}:\d{1,6}\]\ ? | [\w./-]{1,120}\.(?:py|cpp|hpp|cc|rs|h):\d{1,6}(?::\d+)?[\]:]?\ ?
        )"#,
    )
});

/// The beginning of a record: a time, a level.
static RECORD: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern::compile(
        r"(?x)^(?:
          [\[(]?\d{4}[-/.]\d\d[-/.]\d\d[T\ _]\d\d:\d\d(?::\d\d)?(?:[.,]\d{1,9})?(?:Z|\ ?[+-]\d\d:?\d\d)?[\])]?\ ?[|:-]?\ ?
        | [\[(]?\d\d-\d\d\ \d\d:\d\d:\d\d(?:[.,]\d{1,9})?[\])]?\ ?
        | (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\ +\d{1,2}\ \d\d:\d\d:\d\d\ (?:[\w.-]{1,64}\ )?
        | [\[(]?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?[\])]?\ ?[|:-]?\ ?
        | [IWEF]\d{4}\ \d\d:\d\d:\d\d\.\d{1,9}\ +\d+\ [\w./-]{1,80}:\d+\]\ ?
        | [\[(]?(?:TRACE|DEBUG|INFO|WARN|WARNING|ERROR|ERR|FATAL|CRITICAL)[\])]?(?:\ *[|:-]|\ )\ ?
        | [\[(](?:critical|error|warning|info|debug|fatal)[\])]:?\ ? | (?:critical|error|warning|info|debug|fatal)\ *\|\ ?
        | (?:Always|Metal|Op|Device|BuildKernels|Allocator|TTNN|RuntimeTTNN|SiliconDriver|LogMetal)\ *\|\ *
        )",
    )
});

/// A prefix is not longer.
const LONGEST: usize = 240;

/// Finds the prefix of a line. A prefix that the line before has too is recognised by its form, whatever it is.
pub(super) fn strip(line: &str, before: &str) -> Prefix {
    let mut prefix = Prefix { length: shared(line, before), ..Prefix::default() };
    let mut records = known(line, 0);
    if records.length >= prefix.length {
        return records;
    }
    records = known(line, prefix.length);
    prefix.length = records.length;
    prefix.is_record = records.is_record;
    prefix.is_message = records.is_message;
    prefix
}

/// The prefix that is known by its form, from an offset on.
fn known(line: &str, from: usize) -> Prefix {
    let mut prefix = Prefix { length: from, ..Prefix::default() };
    let length = |pattern: &LazyLock<Option<Regex>>, rest: &str| {
        pattern.as_ref().and_then(|pattern| pattern.find(rest)).map_or(0, |found| found.end())
    };
    while prefix.length < LONGEST {
        let rest = &line[prefix.length..];
        let record = length(&RECORD, rest);
        let mark = if record > 0 { 0 } else { length(&MARK, rest) };
        if record + mark == 0 {
            break;
        }
        prefix.is_record |= record > 0;
        prefix.length += record + mark;
    }
    let rest = &line[prefix.length..];
    prefix.is_message = ["TT_", "info:", "backtrace:", "Traceback", "RuntimeError", "Error:"]
        .iter()
        .any(|start| rest.starts_with(start));
    prefix
}

/// Bytes that two lines begin with alike, digits being alike, up to the last separator. Lines that are alike
/// throughout share no prefix: they say the same.
fn shared(line: &str, before: &str) -> usize {
    let (line, before) = (line.as_bytes(), before.as_bytes());
    let (mut at, mut other, mut end) = (0, 0, 0);
    while at < line.len().min(LONGEST) && other < before.len() {
        match (line[at].is_ascii_digit(), before[other].is_ascii_digit()) {
            (true, true) => {
                at += digits(&line[at..]);
                other += digits(&before[other..]);
            }
            (false, false) if line[at] == before[other] => {
                at += 1;
                other += 1;
                if matches!(line[at - 1], b':' | b'|' | b']' | b'>') {
                    let spaces = line[at..].iter().take_while(|byte| **byte == b' ').count();
                    end = at + spaces;
                }
            }
            _ => break,
        }
    }
    // Alike far beyond the last separator, or words of messages: a sentence that is printed twice.
    let is_message = ["TT_", "emory", "buffer", "bank", "L1"]
        .iter()
        .any(|word| line[..end].windows(word.len()).any(|part| part == word.as_bytes()));
    if at >= end + 12 || is_message { 0 } else { end }
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_patterns_compile() {
        assert!(MARK.is_some());
        assert!(RECORD.is_some());
    }

    fn rest<'a>(line: &'a str, before: &str) -> &'a str {
        &line[strip(line, before).length..]
    }

    #[test]
    fn prefixes_are_known_by_their_form() {
        for prefix in [
            "E       ",
            "> # ",
            "[1,0]<stderr>: ",
            "[rank3]: ",
            "2026-06-06 03:15:40,174 - ERROR - ",
            "2026-06-06T03:15:40.1234567Z ",
            "2026-04-06 09:11:02.114 | critical |          Always | ",
            "           BuildKernels | ERROR    | ",
            "(EngineCore_DP0 pid=340) ERROR 04-20 18:51:38 [core.py:940] ",
            "(RayWorkerWrapper pid=12, ip=10.0.0.1) ",
            "[pod/tt-0/server] 2026-06-06T03:15:40Z ",
            "vllm-1  | ",
            "Jun 06 03:15:40 host python3[4242]: ",
            "E0420 18:51:38.123456 12345 mesh.cpp:78] ",
        ] {
            let line = format!("{prefix}Out of Memory: Not");
            assert_eq!(rest(&line, ""), "Out of Memory: Not", "{prefix}");
        }
        for line in [
            "[0-0 - 7-7]. L1 buffer",
            "188416 and static",
            "on core range",
            "(x=0,y=0) - (x=7,y=7)",
        ] {
            assert_eq!(rest(line, ""), line);
        }
    }

    #[test]
    fn an_unknown_prefix_is_learned_from_the_line_before() {
        assert_eq!(rest("job#12/a7: B buffer", "job#9/a7: to allocate"), "B buffer");
        let twice = "Out of Memory: Not enough space to allocate 5 B";
        assert_eq!(rest(twice, twice), twice);
    }
}
