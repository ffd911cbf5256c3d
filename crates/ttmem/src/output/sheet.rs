//! Lines and frames, one below the other.

use super::line::Line;
use super::page::{Page, Role, RuleGlyphs};

/// The columns at which a frame has vertical rules; the first and the last are its sides.
pub(crate) type Columns<'a> = &'a [usize];

/// The two kinds of horizontal rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Rule between rows.
    Thin,
    /// Rule under a heading.
    Thick,
}

/// A text in the making.
#[derive(Debug)]
pub(crate) struct Sheet<'p> {
    page: &'p Page,
    text: String,
}

impl<'p> Sheet<'p> {
    /// An empty sheet.
    #[must_use]
    pub(crate) fn new(page: &'p Page) -> Self {
        Self { page, text: String::new() }
    }

    /// The page it is drawn on.
    #[must_use]
    pub(crate) fn page(&self) -> &'p Page {
        self.page
    }

    /// An empty line of its page.
    #[must_use]
    pub(crate) fn start(&self) -> Line<'p> {
        Line::new(self.page)
    }

    /// An empty line between the left side of a frame and one space.
    #[must_use]
    pub(crate) fn start_row(&self) -> Line<'p> {
        let mut line = self.start();
        line.rule_at(0);
        line.pad_to(2);
        line
    }

    /// Appends a line.
    pub(crate) fn end(&mut self, line: Line<'_>) {
        self.text.push_str(&line.finish());
        self.text.push('\n');
    }

    /// Appends an empty line.
    pub(crate) fn skip(&mut self) {
        self.text.push('\n');
    }

    /// Appends a horizontal rule between rows with the vertical rules `above` and rows with those `below`. An
    /// empty side has no rows.
    pub(crate) fn rule(&mut self, rule: Rule, above: Columns<'_>, below: Columns<'_>) {
        let glyphs = match rule {
            Rule::Thin => &self.page.glyphs().thin,
            Rule::Thick => &self.page.glyphs().thick,
        };
        let last = above.last().or(below.last()).copied().unwrap_or(0);
        let text: String =
            (0..=last).map(|column| crossing(glyphs, column, last, above, below)).collect();
        let mut line = self.start();
        line.append(Role::Quiet, &text);
        self.end(line);
    }

    /// Appends a plain line across the page.
    pub(crate) fn divide(&mut self) {
        let mut line = self.start();
        line.append(Role::Quiet, &self.page.glyphs().thin.line.repeat(self.page.width));
        self.end(line);
    }

    /// The finished text.
    #[must_use]
    pub(crate) fn finish(self) -> String {
        self.text
    }
}

fn crossing(
    glyphs: &RuleGlyphs,
    column: usize,
    last: usize,
    above: Columns<'_>,
    below: Columns<'_>,
) -> &'static str {
    let set = match (above.contains(&column), below.contains(&column)) {
        (false, false) => return glyphs.line,
        (false, true) => &glyphs.top,
        (true, true) => &glyphs.middle,
        (true, false) => &glyphs.bottom,
    };
    match column {
        0 => set[0],
        _ if column == last => set[2],
        _ => set[1],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_cross_what_stands_above_and_below() {
        let page = Page::plain(40);
        let mut sheet = Sheet::new(&page);
        sheet.rule(Rule::Thin, &[], &[0, 6]);
        sheet.rule(Rule::Thin, &[0, 6], &[0, 2, 6]);
        sheet.rule(Rule::Thick, &[0, 2, 6], &[0, 2, 4, 6]);
        sheet.rule(Rule::Thin, &[0, 2, 4, 6], &[]);
        assert_eq!(sheet.finish(), "┌─────┐\n├─┬───┤\n╞═╪═╤═╡\n└─┴─┴─┘\n");
    }
}
