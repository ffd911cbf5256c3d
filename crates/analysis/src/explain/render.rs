//! Explanations and reports as plain text, wrapped to a width.

use super::report::MemoryReport;
use super::units::count;
use super::{Advice, Explanation, Figure, MemoryCourse, MemoryState, Unknown};

/// Narrower than this nothing is wrapped: a column of single words is unreadable.
const NARROWEST: usize = 40;

/// The explanations, one below the other. Empty for none.
#[must_use]
pub(crate) fn render(explanations: &[Explanation], width: usize, ascii: bool) -> String {
    let mut page = Page::new(width, ascii);
    for (index, explanation) in explanations.iter().enumerate() {
        if index > 0 {
            page.blank();
        }
        one(&mut page, explanation);
    }
    page.text
}

/// The reports, one below the other. Empty for none.
#[must_use]
pub(crate) fn render_reports(reports: &[MemoryReport], width: usize, ascii: bool) -> String {
    let mut page = Page::new(width, ascii);
    for (index, report) in reports.iter().enumerate() {
        if index > 0 {
            page.blank();
        }
        page.wrapped("", "", &report.title());
        let table = report.table();
        if table.iter().all(|line| line.chars().count() + 2 <= page.width) {
            for line in table {
                page.line(&format!("  {line}"));
            }
        } else {
            for sentence in report.sentences() {
                page.wrapped("  ", "    ", &sentence);
            }
        }
        for note in report.notes() {
            page.wrapped("  ", "  ", &note);
        }
    }
    page.text
}

fn one(page: &mut Page, explanation: &Explanation) {
    page.wrapped("", "", &explanation.title);
    let times = match explanation.count {
        1 => String::new(),
        more => format!(
            ", {} times in all",
            super::units::grouped(u64::try_from(more).unwrap_or(u64::MAX))
        ),
    };
    page.wrapped("  ", "    ", &format!("line {}{times}: {}", explanation.line, explanation.text));
    page.blank();
    page.wrapped("  ", "  ", &explanation.meaning);
    if !explanation.figures.is_empty() {
        page.blank();
        figures(page, &explanation.figures);
    }
    advice(page, &explanation.advice);
}

/// The memory states of a log. Empty for none.
pub(super) fn courses(courses: &[MemoryCourse], width: usize, ascii: bool) -> String {
    let mut page = Page::new(width, ascii);
    if courses.is_empty() {
        return page.text;
    }
    page.wrapped("", "", "Memory states in the log (of one bank)");
    for course in courses {
        let banks =
            course.last.banks.map_or(String::new(), |banks| format!(", {}", count(banks, "bank")));
        page.wrapped(
            "  ",
            "    ",
            &format!("{}{banks}: {}", course.memory.as_str(), grown(course)),
        );
        if let Some(before) = &course.before_failure {
            let largest = before.largest_free.map_or(String::new(), |largest| {
                format!(", largest free block {}", megabytes(largest))
            });
            page.wrapped(
                "    ",
                "      ",
                &format!(
                    "before the first error: {}{largest} (line {})",
                    used(before),
                    before.line
                ),
            );
        }
    }
    page.text
}

fn grown(course: &MemoryCourse) -> String {
    if course.count == 1 {
        return format!("{} (line {})", used(&course.first), course.first.line);
    }
    format!(
        "{} states, from {} (line {}) to {} (line {}), most {} (line {})",
        course.count,
        used(&course.first),
        course.first.line,
        used(&course.last),
        course.last.line,
        used(&course.peak),
        course.peak.line
    )
}

fn used(state: &MemoryState) -> String {
    let size = |value: Option<u64>| value.map_or("?".to_owned(), megabytes);
    format!("{} of {}", size(state.used), size(state.capacity))
}

/// MiB with the three decimals of the log.
fn megabytes(bytes: u64) -> String {
    let thousandths = (u128::from(bytes) * 1000 + (1 << 19)) >> 20;
    format!("{}.{:03} MiB", thousandths / 1000, thousandths % 1000)
}

/// The lines that look like memory errors and are not known. Empty for none.
pub(super) fn unknown(unknown: &Unknown, width: usize, ascii: bool) -> String {
    let mut page = Page::new(width, ascii);
    if unknown.count == 0 {
        return page.text;
    }
    let lines = if unknown.count == 1 {
        "1 line looks like a memory error and is not known:"
    } else {
        "lines look like memory errors and are not known:"
    };
    let title =
        if unknown.count == 1 { lines.to_owned() } else { format!("{} {lines}", unknown.count) };
    page.wrapped("", "", &title);
    for example in &unknown.examples {
        page.wrapped("  ", "    ", &format!("line {}: {}", example.line, example.text));
    }
    if unknown.count > unknown.examples.len() {
        page.wrapped("  ", "    ", &format!("and {} more", unknown.count - unknown.examples.len()));
    }
    page.text
}

fn figures(page: &mut Page, figures: &[Figure]) {
    let widest = figures.iter().map(|figure| figure.name.len()).max().unwrap_or(0);
    let indent = " ".repeat(widest + 4);
    let mut last = "";
    for figure in figures {
        let name = if figure.name == last { "" } else { figure.name };
        page.wrapped(&format!("  {name:widest$}  "), &indent, &figure.value);
        last = figure.name;
    }
}

fn advice(page: &mut Page, advice: &[Advice]) {
    if advice.is_empty() {
        return;
    }
    page.blank();
    page.wrapped("  ", "  ", "What to change, most effective first (one of these may be enough):");
    for (index, advice) in advice.iter().enumerate() {
        page.wrapped(&format!("  {}. ", index + 1), "     ", &advice.text);
    }
}

/// Text that grows line by line.
struct Page {
    text: String,
    width: usize,
    ascii: bool,
}

impl Page {
    fn new(width: usize, ascii: bool) -> Self {
        Self { text: String::new(), width: width.max(NARROWEST), ascii }
    }

    fn blank(&mut self) {
        self.text.push('\n');
    }

    fn line(&mut self, line: &str) {
        let line = line.trim_end();
        if self.ascii {
            self.text.extend(
                line.chars().map(|character| if character.is_ascii() { character } else { '?' }),
            );
        } else {
            self.text.push_str(line);
        }
        self.text.push('\n');
    }

    /// Words, broken before the width; a word that is longer is alone.
    fn wrapped(&mut self, first: &str, next: &str, text: &str) {
        let mut line = first.to_owned();
        let mut empty = true;
        for word in words(text) {
            if !empty && line.chars().count() + 1 + word.chars().count() > self.width {
                self.line(&line);
                next.clone_into(&mut line);
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(&word);
            empty = false;
        }
        self.line(&line);
    }
}

/// The words of a text; a number and its unit are one.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let unit = word.trim_matches(|character: char| !character.is_alphanumeric());
        match words.last_mut() {
            Some(number)
                if matches!(unit, "B" | "bytes" | "KiB" | "MiB" | "GiB")
                    && number.ends_with(|character: char| character.is_ascii_digit()) =>
            {
                number.push(' ');
                number.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

/// `3 programs`, for a report's title.
pub(super) fn programs(number: usize) -> String {
    count(u64::try_from(number).unwrap_or(u64::MAX), "program")
}
