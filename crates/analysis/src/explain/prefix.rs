//! Prefixes of lines: of loggers, launchers, terminals and quotations.

use std::sync::LazyLock;

use regex::Regex;

use super::pattern;

/// The prefix of one line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Prefix {
    /// Length in bytes.
    pub(super) length: usize,
    /// Bytes of it that are known by their form, whatever line is before.
    pub(super) by_form: usize,
    /// True if it has a time or a level: a logger wrote the line.
    pub(super) is_record: bool,
    /// True if the text behind it begins a message.
    pub(super) is_message: bool,
    /// True if TT-Metal's logger wrote the line as one that precedes an exception.
    pub(super) is_fatal_log: bool,
}

/// Marks without a meaning of their own: frames, quotes, comments, pytest's `E`, ranks, containers.
static MARK: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern::compile(
        r#"(?x)^(?:
          [\x20|>\x23*!"']+ | // | E\ +
        | \[\d+,\d+\](?:<std(?:err|out|diag)>)?:\ ? | <std(?:err|out)>:?\ ? | std(?:err|out)\ [FP]\ 
        | \[?(?:[Rr]ank|RANK|worker|chip|node|gpu|tt)[-\ :]?\d+\]?(?::|\ \||\ -|\])?\ ?
        | \[[A-Za-z][A-Za-z_-]{1,30}\d{1,6}\]:?\ ?
        | \[(?:pod|container)/[^\]\ ]{1,200}\]\ ? | (?:pod|deployment)/[\w./-]{1,150}\ (?:[\w-]{1,63}\ )?
        | \{"log":\ ?" | [\w.-]{1,80}\ +\|\ | \([\w.\ -]{0,60}\ ?pid=\d+[^)]{0,80}\)\ ? | \d{1,6}:\ 
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
        | (?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\ +)?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\ +\d{1,2}\ \d\d:\d\d:\d\d(?:[.,]\d{1,9})?\ \d{4}\ 
        | [\[(]?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?[\])]?\ ?[|:-]?\ ?
        | [IWEF]\d{4}\ \d\d:\d\d:\d\d\.\d{1,9}\ +\d+\ [\w./-]{1,80}:\d+\]\ ?
        | [\[(]?(?:TRACE|DEBUG|INFO|WARN|WARNING|ERROR|ERR|FATAL|CRITICAL)[\])]?(?:\ *[|:-]|\ )\ ?
        | \[[A-Za-z][\w.-]{1,40}\]\ \[(?:critical|error|warning|info|debug|fatal)\]:?\ ?
        | [\[(](?:critical|error|warning|info|debug|fatal)[\])]:?\ ? | (?:critical|error|warning|info|debug|fatal)\ *\|\ ?
        | (?:Always|Metal|Op|Device|BuildKernels|Allocator|TTNN|RuntimeTTNN|SiliconDriver|LogMetal)\ *\|\ *
        )",
    )
});

/// The date of a line of syslog, and the host and the program behind it.
static DATE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern::compile(
        r"^(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) +)?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +\d{1,2} \d\d:\d\d:\d\d(?:[.,]\d{1,9})? ",
    )
});
static HOST: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern::compile(r"^[\w.-]{1,64} [\w./()-]{1,60}(?:\[\d{1,8}\])?: "));

/// A prefix is not longer.
const LONGEST: usize = 240;

/// Finds the prefix of a line. A prefix that the line before has too is recognised by its form, whatever it is.
pub(super) fn strip(line: &str, (before, before_length): (&str, usize)) -> Prefix {
    let shared = shared(line, before, before_length);
    let ends_in_date = is_date(&before[..before_length]);
    let mut prefix = known(line, 0, ends_in_date);
    let by_form = prefix.length;
    if by_form < shared {
        prefix = known(line, shared, ends_in_date);
    }
    prefix.by_form = by_form;
    prefix.is_fatal_log = is_fatal_log(&line[..prefix.length]);
    prefix
}

/// True if the text before a message is that of TT-Metal's logger, which prints each error before it is thrown:
/// `critical | Always |`, up to 0.56 `Always | FATAL |`.
pub(super) fn is_fatal_log(before: &str) -> bool {
    let before = &before[before.len().saturating_sub(60)..];
    before.contains("Always")
        && ["critical", "FATAL", "error", "ERROR"].iter().any(|level| before.contains(level))
}

/// The length of what a pattern matches at the start of a text.
fn length(pattern: &LazyLock<Option<Regex>>, text: &str) -> usize {
    pattern.as_ref().and_then(|pattern| pattern.find(text)).map_or(0, |found| found.end())
}

/// True if a prefix is a date of syslog without a host.
fn is_date(prefix: &str) -> bool {
    !prefix.is_empty() && length(&DATE, prefix) == prefix.len()
}

/// The length of a date of syslog, with the host and the program. Where the line before has none, the words behind the date
/// are the message.
fn syslog(text: &str, is_bare: bool) -> usize {
    match length(&DATE, text) {
        date if date == 0 || is_bare => date,
        date => date + length(&HOST, &text[date..]),
    }
}

/// The prefix that is known by its form, from an offset on. `is_bare` if that of the line before is a date alone.
fn known(line: &str, from: usize, is_bare: bool) -> Prefix {
    let mut prefix = Prefix { length: from, ..Prefix::default() };
    while prefix.length < LONGEST {
        let rest = &line[prefix.length..];
        let record = match length(&RECORD, rest) {
            0 => syslog(rest, is_bare),
            record => record,
        };
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

/// Returns the length of the common start of two lines up to the last separator; any two digits are equal. If the whole
/// line is common, two processes may have printed it: its prefix then is as long as that of the line before.
fn shared(line: &str, before: &str, before_length: usize) -> usize {
    let (line, before) = (line.as_bytes(), before.as_bytes());
    let (mut at, mut other, mut end) = (0, 0, 0);
    let mut as_before = 0;
    while at < line.len().min(LONGEST) && other < before.len() {
        if other <= before_length {
            as_before = at;
        }
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
    if at == line.len() {
        return as_before;
    }
    // Behind the last colon of a time there are its seconds, a zone, and what some loggers put there.
    if end > 0 {
        end += tail_of_time(line.get(end..at).unwrap_or_default());
    }
    // Equal far beyond the last separator, or words of messages: a sentence that is printed twice.
    let is_message = ["TT_", "emory", "buffer", "bank", "L1"]
        .iter()
        .any(|word| line[..end].windows(word.len()).any(|part| part == word.as_bytes()));
    let alike =
        line.get(end..at).unwrap_or_default().iter().filter(|byte| !byte.is_ascii_digit()).count();
    if alike >= 12 || is_message { 0 } else { end }
}

/// Bytes of the seconds and the zone of a time, with a dash or the stream mark of a CI log behind them.
fn tail_of_time(rest: &[u8]) -> usize {
    let rest = std::str::from_utf8(rest).unwrap_or_default();
    TAIL.as_ref().and_then(|tail| tail.find(rest)).map_or(0, |found| found.end())
}

static TAIL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern::compile(
        r"^\d{1,4}(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?(?: +(?:-|\d\d[OE]\+?))? +(?:-|\d\d[OE]\+?)? *",
    )
});

/// What is in the prefix of a record in JSON.
pub(super) const JSON: &str = "{ ";

/// Keys of a record in JSON, and their values that are names: what the records of one logger have in common.
pub(super) fn json(record: &str) -> String {
    let keys = KEY.iter().flat_map(|key| key.find_iter(record));
    keys.fold(JSON.to_owned(), |keys, found| keys + found.as_str())
}

static KEY: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern::compile(r#""\w{1,40}": ?(?:"[A-Za-z_.-]{1,40}"[,}])?"#));

/// The process that printed a line, by the tags of launchers and of containers in its prefix.
pub(super) fn source(prefix: &str) -> Option<&str> {
    let found = SOURCE.as_ref()?.find(prefix)?;
    Some(found.as_str().trim())
}

static SOURCE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern::compile(
        r"\[\d+,\d+\]|\[?(?:[Rr]ank|RANK|worker|chip|node|gpu|default|gw)[- :]?\d+\]?|pid=\d+|^\d{1,6}: |^[\w.-]{1,60}-\d+ +\||\[(?:pod|container)/[^\]]{1,200}\]",
    )
});

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

    /// The journal has no year; a time with a year has no host and program behind it.
    #[test]
    fn words_behind_a_year_are_no_program() {
        let line = "Sat Jun  6 03:15:40 2026 water mark: 20000152). Reduce";
        assert_eq!(rest(line, ""), "water mark: 20000152). Reduce");
        let line = "Jun 06 03:15:40 host python3[4242]: Out of Memory";
        assert_eq!(rest(line, ""), "Out of Memory");
    }

    fn rest<'a>(line: &'a str, before: &str) -> &'a str {
        let length = strip(before, ("", 0)).length;
        &line[strip(line, (before, length)).length..]
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
