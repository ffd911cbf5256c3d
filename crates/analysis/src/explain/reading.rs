//! The messages of a piece of a log: of the ways to read its lines, the one that gives most.

use std::ops::RangeInclusive;

use ttmem_model::order;

use super::anchor::Anchors;
use super::breakdown;
use super::form::Match;
use super::message::Message;
use super::op_limit;
use super::prose;
use super::source_code;
use super::table::forms;
use super::text::{Broken, Joined, Lines};

/// The messages of a piece.
pub(super) struct Reading {
    pub(super) prints: Vec<Print>,
    /// True if a message may go on behind the piece.
    pub(super) may_go_on: bool,
}

/// Bytes of the joined text in which a message begins and ends, and those behind it that it may still need.
const SENTENCE: usize = 1200;
const REST: usize = 400;

impl Reading {
    /// Reads the messages that begin in the first `reach` bytes of a piece. A piece that is seen to be too short is not read.
    pub(super) fn of(piece: &[u8], reach: usize, is_all: bool) -> Self {
        let lines = Lines::new(piece);
        let joined = lines.join(Broken::Nowhere);
        let is_short = joined.text.len() < joined.offset_of(reach) + SENTENCE;
        if !is_all && (is_short || lines.ends_with_source()) {
            return Self { prints: Vec::new(), may_go_on: true };
        }
        let mut prints = prints_of(&joined, reach);
        let is_settled = || {
            let whole = |line| prints.iter().any(|print| print.is_whole_line(line));
            lines_with_words(&piece[..reach]).all(whole)
        };
        if lines.may_be_hard() && !is_settled() {
            prints = hard(&lines, &joined, prints, reach);
        }
        let may_go_on = prints.iter().any(|print| print.rest < REST);
        if let Some(sorted) = lines.by_source() {
            let mut separate = prints_of(&sorted.join(Broken::Nowhere), reach);
            order::sort_by_key(&mut separate, |print| *print.lines.start());
            if known(&separate) >= known(&prints) {
                prints = separate;
            }
        }
        Self { prints, may_go_on }
    }
}

/// Numbers of known wordings, those of ops' checks, and those of messages without a beginning. The reading with more of the
/// first is right; of two with as many, the one with more of the next.
fn known(prints: &[Print]) -> [usize; 3] {
    let rank = |print: &Print| match (&print.message, print.printed_by) {
        (_, PrintedBy::Quoted) => 3,
        (_, PrintedBy::Part) => 2,
        (Message::OpLimit(_), _) => 1,
        _ => 0,
    };
    [0, 1, 2].map(|wanted| {
        prints.iter().filter(|print| rank(print) == wanted).map(|print| print.known).sum()
    })
}

/// The best reading of lines that a terminal may have broken.
fn hard(lines: &Lines, joined: &Joined<'_>, mut prints: Vec<Print>, reach: usize) -> Vec<Print> {
    let mut read = vec![joined.text.clone()];
    for broken in [Broken::AtWidth, Broken::Anywhere] {
        let joined = lines.join(broken);
        if read.contains(&joined.text) {
            continue;
        }
        let whole = prints_of(&joined, reach);
        read.push(joined.text);
        // Where no unit follows, a broken number is read as a shorter one.
        let is_longer = broken == Broken::AtWidth
            && lines.is_wrapped()
            && known(&whole) == known(&prints)
            && digits(&whole) > digits(&prints);
        if known(&whole) > known(&prints) || is_longer {
            prints = whole;
        }
    }
    prints
}

/// One print of a message in a piece of the log.
#[derive(Debug)]
pub(super) struct Print {
    pub(super) message: Message,
    pub(super) text: String,
    /// Lines of the piece, counted from 0.
    pub(super) lines: RangeInclusive<usize>,
    /// Offset in the piece.
    pub(super) end: usize,
    pub(super) known: usize,
    digits: usize,
    /// Bytes of the joined text behind it.
    rest: usize,
    is_whole: bool,
    pub(super) printed_by: PrintedBy,
    /// Prefix of its line.
    pub(super) prefix: String,
}

impl Print {
    /// True if it is in a single line, and no other reading of the line can have more numbers.
    fn is_whole_line(&self, line: usize) -> bool {
        self.is_whole && *self.lines.start() == line && *self.lines.end() == line
    }
}

/// The lines of a piece that have a word of messages.
fn lines_with_words(piece: &[u8]) -> impl Iterator<Item = usize> {
    let (mut position, mut line) = (0, 0);
    std::iter::from_fn(move || {
        let hit = Anchors::get()?.next(piece, position, piece.len())?;
        line += memchr::memchr_iter(b'\n', &piece[position..hit.start]).count();
        let found = line;
        line += memchr::memchr_iter(b'\n', &piece[hit.start..hit.end]).count();
        position = hit.end;
        Some(found)
    })
}

/// Digits of all numbers that were read.
fn digits(prints: &[Print]) -> usize {
    let is_print = |print: &&Print| !matches!(print.printed_by, PrintedBy::Quoted);
    prints.iter().filter(is_print).map(|print| print.digits).sum()
}

/// Channel that a message was printed on.
#[derive(Clone, Copy, Debug)]
pub(super) enum PrintedBy {
    Log,
    Exception,
    Other,
    /// Any: only a part of the message is there, or what another print repeats. It counts if no other print does.
    Part,
    /// None: source code or a sentence has the wording.
    Quoted,
}

/// The message begins at most so far behind its condition.
const CONDITION_REACH: usize = 400;

/// The prints that begin in the first `reach` bytes of a piece, in their order.
fn prints_of(joined: &Joined<'_>, reach: usize) -> Vec<Print> {
    // No message that begins within reach ends behind this.
    let end = joined.text.len().min(joined.furthest_of(reach) + 2 * SENTENCE);
    let mut matches: Vec<Match> = Vec::new();
    for form in forms() {
        for found in form.matches(&joined.text, end, &matches) {
            if !matches.iter().any(|known| found.overlaps(known)) {
                matches.push(found);
            }
        }
    }
    // An op's check may be in a record alone, or in the lines between other messages.
    let records = joined.records();
    let below = matches.iter().filter_map(|found| joined.below(&records, found.end));
    let below: Vec<(usize, Vec<usize>)> = below.collect();
    let mut others: Vec<usize> =
        matches.iter().map(|found| joined.line_start(found.start)).collect();
    order::sort(&mut others);
    for (mut start, mut ends) in records.into_iter().chain(below) {
        if let Some(other) = others.iter().find(|other| **other > start) {
            ends.iter_mut().for_each(|end| *end = (*end).min(*other));
            ends.dedup();
        }
        if start >= end {
            continue;
        }
        // Lines of several processes may be one record.
        while let Some(found) = op_limit_of(joined, start, &ends) {
            start = found.end.max(start + 1);
            match matches.iter_mut().find(|known| found.overlaps(known)) {
                Some(known) if known.is_op_limit() && known.known < found.known => *known = found,
                Some(_) => {}
                None => matches.push(found),
            }
            if ends.first().is_none_or(|end| *end <= start) {
                break;
            }
        }
    }
    order::sort_by_key(&mut matches, |found| found.start);
    // What a condition says, the message behind it says with its numbers.
    let is_repeated_later = |index: usize, found: &Match| {
        let kind = std::mem::discriminant(&found.message);
        let is_allocation =
            |message: &Message| matches!(message, Message::OutOfMemory(_) | Message::BelowLimit(_));
        found.known == 0
            && !matches!(found.message, Message::HostKilled(_))
            && matches[index + 1..]
                .iter()
                .take_while(|next| next.start < found.end + CONDITION_REACH)
                .any(|next| {
                    let is_alike = std::mem::discriminant(&next.message) == kind
                        || is_allocation(&found.message) && is_allocation(&next.message);
                    next.known > 0 && is_alike
                })
    };
    let repeated: Vec<bool> =
        matches.iter().enumerate().map(|(index, found)| is_repeated_later(index, found)).collect();
    matches
        .into_iter()
        .zip(repeated)
        .filter_map(|(found, is_repeated)| (!is_repeated).then_some(found))
        .filter(|found| joined.original(found.start) < reach)
        .map(|found| {
            let is_quoted =
                source_code::is_source(joined, &found) || prose::is_prose(joined, &found);
            let print = print_of(joined, found);
            if is_quoted { Print { printed_by: PrintedBy::Quoted, ..print } } else { print }
        })
        .collect()
}

/// The op's check that begins in a record: in it alone, or in those that continue it if they complete its numbers.
fn op_limit_of(joined: &Joined<'_>, start: usize, ends: &[usize]) -> Option<Match> {
    let (first, more) = ends.split_first()?;
    let mut best = op_limit::find(joined, start..*first);
    for end in more {
        let Some(longer) =
            op_limit::find(joined, start..*end).filter(|longer| longer.start < *first)
        else {
            continue;
        };
        let was_complete = best.as_ref().is_some_and(|best| best.known == op_limit::COMPLETE);
        // The end of a message may say that the op continues.
        let is_warning = !longer.message.is_error() && longer.end > *first;
        if best.as_ref().is_none_or(|best| longer.known > best.known) || was_complete && is_warning
        {
            best = Some(longer);
        }
        if was_complete {
            break;
        }
    }
    best
}

/// True for the print of an exception that a notebook or a report of tests repeats behind it.
fn is_repeated_in_file(joined: &Joined<'_>, start: usize) -> bool {
    let near = &joined.text[start.saturating_sub(CONDITION_REACH)..start];
    let is_in = |key: &str, end: &str| {
        near.rfind(key).is_some_and(|at| !near[at + key.len()..].contains(end))
    };
    is_in("evalue\": ", "traceback") || is_in("failure message=\"", ">")
}

/// Python's words between an exception and the one that was raised for it.
const CHAINED: [&str; 2] = ["of the following exception:", "another exception occurred:"];

/// Bytes of a traceback of Python before its exception.
const TRACEBACK_REACH: usize = 2000;

/// True for an exception that was raised for another one, whose message it mostly has.
fn is_chained(joined: &Joined<'_>, start: usize) -> bool {
    let near = &joined.text[start.saturating_sub(TRACEBACK_REACH)..start];
    near.rfind("Traceback (most recent").is_some_and(|traceback| {
        let before = near[..traceback].trim_end();
        CHAINED.iter().any(|words| before.ends_with(words))
    })
}

/// Words of a second line about one kill.
const AGAIN: [&str; 6] =
    ["137", "Exceeded job", "Ray killed", "systemd-oomd killed", "exitcode : ", "Out Of Memory"];

/// Returns the channel that a message was printed on, by the text before it.
fn printed_by(joined: &Joined<'_>, message: &Message, start: usize, wording: &str) -> PrintedBy {
    match message {
        Message::HostKilled(_) if AGAIN.iter().any(|again| wording.contains(again)) => {
            return PrintedBy::Log;
        }
        // The kernel prints the reason first, and then the process that it kills.
        Message::HostKilled(_) if wording.starts_with("oom-kill:") => return PrintedBy::Other,
        // The kernel, a container's runtime or a batch system has reported the kill before systemd does.
        Message::HostKilled(_) if wording.ends_with("killed by the OOM killer") => {
            return PrintedBy::Part;
        }
        Message::HostKilled(killed) if killed.by_oom_killer => return PrintedBy::Exception,
        Message::HostMemory(memory) if memory.is_shared && wording.contains("might be") => {
            return PrintedBy::Log;
        }
        Message::HostKilled(_) => return PrintedBy::Other,
        Message::KernelLink(link) if link.over.is_some() => return PrintedBy::Exception,
        _ => {}
    }
    let before = joined.text[..start].trim_end();
    let is_marked =
        ["TT_FATAL:", "TT_THROW:", "TT_ASSERT:"].iter().any(|mark| before.ends_with(mark));
    if is_marked || joined.is_fatal_log(start) {
        PrintedBy::Log
    } else if before.ends_with("info:") {
        PrintedBy::Exception
    } else {
        PrintedBy::Other
    }
}

fn print_of(joined: &Joined<'_>, found: Match) -> Print {
    let Match { mut message, start, mut end, known, digits, is_front_cut } = found;
    let wording = joined.text[start..end].trim().to_owned();
    if let Message::ProgramTooLarge(program) = &mut message {
        end = breakdown::read(program, &joined.text, end);
    }
    // Digits behind it may be the rest of its last number.
    let is_whole = message.is_whole()
        && !is_front_cut
        && !joined.text[end..].trim_start().starts_with(|next: char| next.is_ascii_digit());
    let is_condition = known == 0 && (wording.contains(".cpp:") || wording.contains("<="));
    let is_repeated = is_repeated_in_file(joined, start) || is_chained(joined, start);
    let printed_by = match is_front_cut || is_condition || is_repeated {
        true => PrintedBy::Part,
        false => printed_by(joined, &message, start, &wording),
    };
    let last = end.saturating_sub(1).max(start);
    Print {
        prefix: joined.channel(start),
        message,
        text: wording,
        lines: joined.line_of(start)..=joined.line_of(last),
        end: joined.original(last).max(joined.original(start)) + 1,
        known,
        digits,
        rest: joined.text.len() - end,
        is_whole,
        printed_by,
    }
}
