//! The characters for graphics and signs.

use super::Role;
use crate::output::page::Charset;

/// The characters for graphics and signs. Each is one column wide unless stated otherwise.
#[derive(Debug)]
pub(crate) struct Glyphs {
    /// A missing value.
    pub(crate) dash: &'static str,
    /// The end of text that was cut; up to three columns.
    pub(crate) ellipsis: &'static str,
    /// Separator between a name and its description.
    pub(crate) dot: &'static str,
    /// Mark before a remedy; up to two columns.
    pub(crate) arrow: &'static str,
    /// Degrees; may be empty.
    pub(crate) degrees: &'static str,
    /// Mark before a high-water figure.
    pub(crate) at_most: &'static str,
    /// Mark before an inferred figure.
    pub(crate) inferred: &'static str,
    /// Mark before a stale figure.
    pub(crate) stale: &'static str,
    /// Mark before a chip or row that belongs to the previous one.
    pub(crate) branch: &'static str,
    /// The selected row.
    pub(crate) pointer: &'static str,
    /// The sort column, largest first and smallest first.
    pub(crate) sorted: [&'static str; 2],
    /// A warning.
    pub(crate) warning: &'static str,
    /// The steps of a bar's last cell, the full one last.
    pub(crate) steps: &'static [&'static str],
    /// The steps of a column's highest cell, the full one last.
    pub(crate) heights: &'static [&'static str],
    /// The cells of kinds in a bar where colours cannot distinguish them.
    pub(crate) fills: [&'static str; 6],
    /// The part of a bar that is free.
    pub(crate) track: &'static str,
    /// The unknown part of a bar.
    pub(crate) unknown: &'static str,
    /// The peak mark in a bar.
    pub(crate) peak: &'static str,
    /// Levels of use, from little to all.
    pub(crate) heats: &'static [&'static str],
    /// Lines: horizontal, vertical, and a corner where an axis begins.
    pub(crate) lines: [&'static str; 3],
    /// The corners of a box: top left, top right, bottom left, bottom right.
    pub(crate) corners: [&'static str; 4],
    /// The cursor in a chart.
    pub(crate) cursor: &'static str,
    /// True if charts are drawn in braille.
    pub(crate) braille: bool,
}

impl Glyphs {
    /// Returns the characters of a set.
    #[must_use]
    pub(crate) fn of(charset: Charset) -> &'static Self {
        match charset {
            Charset::Unicode => &UNICODE,
            Charset::Ascii => &ASCII,
        }
    }

    /// Returns the cell of a kind of memory where colours cannot distinguish them, the same in every bar, chart and
    /// legend.
    /// `None` for roles that are not memory.
    #[must_use]
    pub(crate) fn fill(&self, role: Role) -> Option<&'static str> {
        let fill = match role {
            Role::Dram | Role::L1 => 0,
            Role::L1Small | Role::Trace => 1,
            Role::CircularBuffers => 2,
            Role::Kernels => 3,
            Role::Reserved => 4,
            Role::Stale => 5,
            _ => return None,
        };
        self.fills.get(fill).copied()
    }
}

const UNICODE: Glyphs = Glyphs {
    dash: "–",
    ellipsis: "…",
    dot: "·",
    arrow: "→",
    degrees: "°",
    at_most: "≤",
    inferred: "≈",
    stale: "†",
    branch: "└",
    pointer: "▸",
    sorted: ["▾", "▴"],
    warning: "▲",
    steps: &["▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"],
    heights: &["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    fills: ["█", "▓", "▒", "▚", "▞", "░"],
    track: "·",
    unknown: "╌",
    peak: "▕",
    heats: &["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    lines: ["─", "│", "└"],
    corners: ["╭", "╮", "╰", "╯"],
    cursor: "┆",
    braille: true,
};

const ASCII: Glyphs = Glyphs {
    dash: "-",
    ellipsis: "...",
    dot: "-",
    arrow: "->",
    degrees: "",
    at_most: "<",
    inferred: "=",
    stale: "!",
    branch: "`",
    pointer: ">",
    sorted: ["v", "^"],
    warning: "!",
    steps: &["#"],
    heights: &["#"],
    fills: ["#", "=", "o", "%", "+", ":"],
    track: ".",
    unknown: "?",
    peak: "|",
    heats: &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    lines: ["-", "|", "+"],
    corners: ["+", "+", "+", "+"],
    cursor: ":",
    braille: false,
};
