//! Explanations and reports as plain text, wrapped to a width.

use super::report::MemoryReport;
use super::units::count;
use super::{Advice, Explanation, Figure};

/// Narrower than this nothing is wrapped: a column of single words is unreadable.
const NARROWEST: usize = 40;

/// The explanations, one below the other. Empty for none.
#[must_use]
pub fn render(explanations: &[Explanation], width: usize, ascii: bool) -> String {
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
pub fn render_reports(reports: &[MemoryReport], width: usize, ascii: bool) -> String {
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
    page.blank();
    figures(page, &explanation.figures);
    advice(page, &explanation.advice);
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
fn words(text: &str) -> Vec<String> {
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
