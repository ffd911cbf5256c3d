//! The page of text outputs: width, character set, and colour.

use anstyle::{AnsiColor, Style};
use ttmem_model::{MissingReason, Quality};

/// The width of the reference layout, and of everything that goes into a pipe or a file.
pub(crate) const FULL_WIDTH: usize = 91;
/// The narrowest page that is drawn on; a narrower terminal gets lines of this width.
pub(crate) const LEAST_WIDTH: usize = 40;

/// Columns of the longest line in a pipe or a file, which have no edge.
const ROOM_IN_FILE: usize = 400;

/// Destination of an output: its width, glyphs and colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// Columns of the layout.
    pub(crate) width: usize,
    /// Columns that a line may take which would be cut otherwise: those of the terminal, and more than [`Self::width`] in a
    /// file.
    pub(crate) room: usize,
    /// The characters that may be used.
    pub(crate) charset: Charset,
    /// True if roles are coloured.
    pub(crate) colour: Colour,
}

/// The characters that an output may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charset {
    /// Box drawing, block elements and whatever names are made of.
    Unicode,
    /// Printable ASCII only.
    Ascii,
}

/// True if an output carries escape sequences for colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    /// Escape sequences for colour are written.
    On,
    /// No escape sequences are written.
    Off,
}

/// The role of a piece of text, which determines its style.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Text and numbers.
    Plain,
    /// Names of chips and headings.
    Strong,
    /// Frames, tracks of bars, and what may be overlooked.
    Quiet,
    /// Worth a look.
    Notice,
    /// Wrong, or about to be.
    Alarm,
}

impl Page {
    /// A page of this width, but not below [`LEAST_WIDTH`], with all characters and without colour.
    #[must_use]
    pub(crate) fn plain(width: usize) -> Self {
        let width = width.max(LEAST_WIDTH);
        Self { width, room: width, charset: Charset::Unicode, colour: Colour::Off }
    }

    /// A page of the width of a terminal; in a pipe or a file the layout has `otherwise` columns.
    #[must_use]
    pub(crate) fn of_terminal(terminal: Option<usize>, otherwise: usize) -> Self {
        let page = Self::plain(terminal.unwrap_or(otherwise));
        let room = if terminal.is_some() { page.width } else { page.width.max(ROOM_IN_FILE) };
        Self { room, ..page }
    }

    /// The style of a role on this page.
    #[must_use]
    pub(crate) fn style(&self, role: Role) -> Style {
        if self.colour == Colour::Off {
            return Style::new();
        }
        match role {
            Role::Plain => Style::new(),
            Role::Strong => Style::new().bold(),
            Role::Quiet => Style::new().dimmed(),
            Role::Notice => AnsiColor::Yellow.on_default(),
            Role::Alarm => AnsiColor::Red.on_default().bold(),
        }
    }

    /// The characters for what is not text.
    #[must_use]
    pub(crate) fn glyphs(&self) -> &'static Glyphs {
        match self.charset {
            Charset::Unicode => &UNICODE,
            Charset::Ascii => &ASCII,
        }
    }

    /// Returns the sign of a missing value: a dash if no source has it, a question mark if
    /// a source exists but could not be read.
    #[must_use]
    pub(crate) fn blank(&self, reason: MissingReason) -> &'static str {
        match reason {
            MissingReason::NoSource | MissingReason::Unsupported | MissingReason::NotRead => {
                self.glyphs().dash
            }
            MissingReason::Denied | MissingReason::Failed => "?",
        }
    }

    /// The sign before a number that is not exact, where there is no room for the word.
    #[must_use]
    pub(crate) fn mark(&self, quality: Quality) -> &'static str {
        let glyphs = self.glyphs();
        match quality {
            Quality::Exact => "",
            Quality::Approximate => "~",
            Quality::HighWater => glyphs.at_most,
            Quality::Inferred => glyphs.inferred,
            Quality::Stale => glyphs.stale,
        }
    }
}

/// The characters for what is not text. Every mark is one column wide.
#[derive(Debug)]
pub(crate) struct Glyphs {
    /// Text of a missing number.
    pub(crate) dash: &'static str,
    /// The end of a text that was cut.
    pub(crate) ellipsis: &'static str,
    /// Separator between a name and its description.
    pub(crate) dot: &'static str,
    /// Mark before a remedy.
    pub(crate) arrow: &'static str,
    /// Sign between two factors.
    pub(crate) times: &'static str,
    /// Degrees Celsius.
    pub(crate) celsius: &'static str,
    /// Mark before a high-water figure.
    pub(crate) at_most: &'static str,
    /// Mark before an inferred figure.
    pub(crate) inferred: &'static str,
    /// Mark before a stale figure.
    pub(crate) stale: &'static str,
    /// The steps of a bar's last cell, the full one last.
    pub(crate) steps: &'static [&'static str],
    /// The part of a bar that is not filled.
    pub(crate) track: &'static str,
    /// The line between two cells of a row.
    pub(crate) vertical: &'static str,
    /// The rule between rows.
    pub(crate) thin: RuleGlyphs,
    /// The rule under a heading.
    pub(crate) thick: RuleGlyphs,
}

/// The characters of a horizontal rule.
#[derive(Debug)]
pub(crate) struct RuleGlyphs {
    /// Line between crossings.
    pub(crate) line: &'static str,
    /// Left end, crossing, right end with rows below only.
    pub(crate) top: [&'static str; 3],
    /// Left end, crossing, right end with rows on both sides.
    pub(crate) middle: [&'static str; 3],
    /// Left end, crossing, right end with rows above only.
    pub(crate) bottom: [&'static str; 3],
}

const UNICODE: Glyphs = Glyphs {
    dash: "–",
    ellipsis: "…",
    dot: "·",
    arrow: "→",
    times: "×",
    celsius: "°C",
    at_most: "≤",
    inferred: "≈",
    stale: "†",
    steps: &["▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"],
    track: "·",
    vertical: "│",
    thin: RuleGlyphs {
        line: "─",
        top: ["┌", "┬", "┐"],
        middle: ["├", "┼", "┤"],
        bottom: ["└", "┴", "┘"],
    },
    thick: RuleGlyphs {
        line: "═",
        top: ["╒", "╤", "╕"],
        middle: ["╞", "╪", "╡"],
        bottom: ["╘", "╧", "╛"],
    },
};

const ASCII: Glyphs = Glyphs {
    dash: "-",
    ellipsis: "...",
    dot: "-",
    arrow: "->",
    times: "x",
    celsius: "C",
    at_most: "<",
    inferred: "=",
    stale: "!",
    steps: &["#"],
    track: "-",
    vertical: "|",
    thin: ascii_rule("-"),
    thick: ascii_rule("="),
};

/// Returns the characters of a rule that has the same crossings everywhere.
const fn ascii_rule(line: &'static str) -> RuleGlyphs {
    const CROSSINGS: [&str; 3] = ["+"; 3];
    RuleGlyphs { line, top: CROSSINGS, middle: CROSSINGS, bottom: CROSSINGS }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::text::width;

    #[test]
    fn marks_are_one_column_wide_and_differ() {
        for charset in [Charset::Unicode, Charset::Ascii] {
            let page = Page { charset, ..Page::plain(FULL_WIDTH) };
            let marks =
                [Quality::Approximate, Quality::HighWater, Quality::Inferred, Quality::Stale]
                    .map(|quality| page.mark(quality));
            for (index, mark) in marks.iter().enumerate() {
                assert_eq!(width(mark), 1);
                assert!(!marks[..index].contains(mark));
            }
        }
    }
}
