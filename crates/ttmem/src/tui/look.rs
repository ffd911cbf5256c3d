//! Appearance: roles, themes, colour depth and character sets.
//!
//! Views name roles, never colours. Every colour has a sign or word beside it, so that the mono theme loses no
//! information.

mod detect;
mod glyphs;
mod palette;

use ratatui_core::style::{Color, Modifier, Style};
use ttmem_model::{MissingReason, Quality};

pub(crate) use detect::{Environment, charset, depth};
pub(crate) use glyphs::Glyphs;
use palette::{Paint, paint};

pub(crate) use crate::output::page::Charset;

/// The role of a piece of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Text and numbers.
    Plain,
    /// Names, panel headings, the open view.
    Strong,
    /// Secondary text: labels, units, axes.
    Quiet,
    /// Frames, rules, and the background of bars.
    Frame,
    /// Keys, and the focused item.
    Accent,
    /// A warning.
    Notice,
    /// An error, or a value at its limit.
    Alarm,
    /// Buffers in DRAM.
    Dram,
    /// Buffers in L1.
    L1,
    /// Buffers in the `l1_small` region.
    L1Small,
    /// Traces.
    Trace,
    /// Circular buffers.
    CircularBuffers,
    /// Kernel text.
    Kernels,
    /// Firmware, mailboxes, the kernel configuration ring.
    Reserved,
    /// Stale memory.
    Stale,
    /// One of several lines in a chart.
    Line(u8),
}

/// The number of lines in one chart that colours can distinguish.
pub(crate) const LINES: u8 = 8;

/// A set of colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Theme {
    /// Colours for dark backgrounds.
    #[default]
    Default,
    /// Colours for light backgrounds.
    Light,
    /// High contrast.
    HighContrast,
    /// Distinct for all kinds of colour vision (the colours of Okabe and Ito).
    ColourBlind,
    /// No colour at all.
    Mono,
}

impl Theme {
    /// Every theme, in the order of the key that switches it.
    pub(crate) const ALL: [Self; 5] =
        [Self::Default, Self::Light, Self::HighContrast, Self::ColourBlind, Self::Mono];

    /// Returns the name in the configuration and on screen.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Light => "light",
            Self::HighContrast => "high-contrast",
            Self::ColourBlind => "colour-blind",
            Self::Mono => "mono",
        }
    }

    /// Returns the theme with a name.
    #[must_use]
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        let name = name.replace("color", "colour");
        Self::ALL.into_iter().find(|theme| theme.name() == name)
    }

    /// Returns the next theme.
    #[must_use]
    pub(crate) fn next(self) -> Self {
        let index = Self::ALL.iter().position(|theme| *theme == self).unwrap_or(0);
        Self::ALL[(index + 1) % Self::ALL.len()]
    }
}

/// The colour depth of the terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Depth {
    /// No colours: only bold, dim and reverse.
    Mono,
    /// The 16 colours that the user configured.
    #[default]
    Sixteen,
    /// The 256 of xterm.
    TwoHundredFiftySix,
    /// 24-bit colour.
    True,
}

/// A theme on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// The colours.
    pub(crate) theme: Theme,
    /// The colour depth.
    pub(crate) depth: Depth,
    /// The characters.
    pub(crate) charset: Charset,
}

impl Look {
    /// Returns the style of a role.
    #[must_use]
    pub(crate) fn style(self, role: Role) -> Style {
        let Paint { rgb, sixteen, modifier } = paint(self.theme, role);
        let style = Style::new().add_modifier(modifier);
        if self.is_mono() {
            return style;
        }
        let colour = match self.depth {
            Depth::True => rgb.map(|[red, green, blue]| Color::Rgb(red, green, blue)),
            Depth::TwoHundredFiftySix => rgb.map(nearest_of_256),
            Depth::Sixteen | Depth::Mono => sixteen,
        };
        match colour {
            Some(colour) => style.fg(colour).remove_modifier(Modifier::DIM),
            None => style,
        }
    }

    /// Returns the style of the selected row, applied over its content.
    #[must_use]
    pub(crate) fn cursor(self) -> Style {
        let rgb = match self.theme {
            Theme::Default | Theme::ColourBlind => [44, 50, 60],
            Theme::Light => [222, 228, 238],
            Theme::HighContrast | Theme::Mono => {
                return Style::new().add_modifier(Modifier::REVERSED);
            }
        };
        match self.depth {
            Depth::True => Style::new().bg(Color::Rgb(rgb[0], rgb[1], rgb[2])),
            Depth::TwoHundredFiftySix => Style::new().bg(nearest_of_256(rgb)),
            Depth::Sixteen | Depth::Mono => Style::new().add_modifier(Modifier::REVERSED),
        }
    }

    /// Returns the style of a part of a picture that belongs to the selected item.
    #[must_use]
    pub(crate) fn marked(self) -> Style {
        if self.is_mono() {
            return Style::new().add_modifier(Modifier::REVERSED);
        }
        Style::new().fg(Color::Reset).patch(self.style(Role::Strong))
    }

    /// True if there is no colour.
    #[must_use]
    pub(crate) fn is_mono(self) -> bool {
        self.theme == Theme::Mono || self.depth == Depth::Mono
    }

    /// Returns the character set.
    #[must_use]
    pub(crate) fn glyphs(self) -> &'static Glyphs {
        Glyphs::of(self.charset)
    }

    /// Returns the sign before a number that is not exact.
    #[must_use]
    pub(crate) fn mark(self, quality: Quality) -> &'static str {
        match quality {
            Quality::Exact => "",
            Quality::Approximate => "~",
            Quality::HighWater => self.glyphs().at_most,
            Quality::Inferred => self.glyphs().inferred,
            Quality::Stale => self.glyphs().stale,
        }
    }

    /// Returns the sign of a missing value: a dash if no source has it, a question mark if a source exists but could
    /// not be read.
    #[must_use]
    pub(crate) fn blank(self, reason: MissingReason) -> &'static str {
        match reason {
            MissingReason::NoSource | MissingReason::Unsupported | MissingReason::NotRead => {
                self.glyphs().dash
            }
            MissingReason::Denied | MissingReason::Failed => "?",
        }
    }
}

/// The levels of xterm's cube of colours.
const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// Returns the nearest of xterm's 256 colours: its cube of six levels, or its 24 greys. Called for every piece of a
/// frame, so it computes the colour and searches nothing.
fn nearest_of_256(rgb: [u8; 3]) -> Color {
    let cube = rgb.map(|channel| match channel {
        0..=47 => 0,
        48..=115 => 1,
        _ => (channel - 36) / 40,
    });
    let sum: u16 = rgb.into_iter().map(u16::from).sum();
    let step = u8::try_from(sum.saturating_sub(10) / 30).unwrap_or(u8::MAX).min(23);
    let of_cube = cube.map(|level| LEVELS[usize::from(level)]);
    if distance(rgb, [8 + 10 * step; 3]) < distance(rgb, of_cube) {
        return Color::Indexed(232 + step);
    }
    Color::Indexed(16 + 36 * cube[0] + 6 * cube[1] + cube[2])
}

fn distance(one: [u8; 3], other: [u8; 3]) -> u32 {
    one.into_iter().zip(other).map(|(one, other)| u32::from(one.abs_diff(other)).pow(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLES: [Role; 16] = [
        Role::Plain,
        Role::Strong,
        Role::Quiet,
        Role::Frame,
        Role::Accent,
        Role::Notice,
        Role::Alarm,
        Role::Dram,
        Role::L1,
        Role::L1Small,
        Role::Trace,
        Role::CircularBuffers,
        Role::Kernels,
        Role::Reserved,
        Role::Stale,
        Role::Line(0),
    ];

    #[test]
    fn the_nearest_of_256_is_near() {
        assert_eq!(nearest_of_256([0, 0, 0]), Color::Indexed(16));
        assert_eq!(nearest_of_256([255, 255, 255]), Color::Indexed(231));
        assert_eq!(nearest_of_256([128, 128, 128]), Color::Indexed(244));
        assert_eq!(nearest_of_256([95, 135, 175]), Color::Indexed(67));
    }

    #[test]
    fn no_colour_of_256_is_nearer() {
        let cube = (0..216_u8).map(|index| (16 + index, [index / 36, index / 6 % 6, index % 6]));
        let cube =
            cube.map(|(index, levels)| (index, levels.map(|level| LEVELS[usize::from(level)])));
        let greys = (0..24_u8).map(|step| (232 + step, [8 + 10 * step; 3]));
        let all: Vec<(u8, [u8; 3])> = cube.chain(greys).collect();
        let channels = || (0..=255_u8).step_by(15).chain([47, 48, 114, 116, 156]);
        for red in channels() {
            for (green, blue) in
                channels().flat_map(|green| channels().map(move |blue| (green, blue)))
            {
                let rgb = [red, green, blue];
                let least = all.iter().map(|(_, other)| distance(rgb, *other)).min().unwrap();
                let Color::Indexed(index) = nearest_of_256(rgb) else { panic!("{rgb:?}") };
                let (_, found) = all.iter().find(|(other, _)| *other == index).unwrap();
                assert_eq!(distance(rgb, *found), least, "{rgb:?} as {index}");
            }
        }
    }

    #[test]
    fn mono_has_no_colour() {
        for look in [
            Look { theme: Theme::Mono, depth: Depth::True, charset: Charset::Unicode },
            Look { theme: Theme::Default, depth: Depth::Mono, charset: Charset::Unicode },
        ] {
            for role in ROLES {
                assert_eq!(look.style(role).fg, None, "{role:?}");
            }
            assert_eq!(
                look.cursor().bg,
                if look.theme == Theme::Mono { None } else { look.cursor().bg }
            );
        }
    }

    #[test]
    fn kinds_of_memory_differ_in_every_theme_and_depth() {
        let kinds = &ROLES[7..14];
        for theme in [Theme::Default, Theme::Light, Theme::HighContrast, Theme::ColourBlind] {
            for depth in [Depth::Sixteen, Depth::TwoHundredFiftySix, Depth::True] {
                let look = Look { theme, depth, charset: Charset::Unicode };
                for (index, kind) in kinds.iter().enumerate() {
                    let others = &kinds[..index];
                    let same = others.iter().find(|other| look.style(**other) == look.style(*kind));
                    assert_eq!(same, None, "{kind:?} {theme:?} {depth:?}");
                }
            }
        }
    }

    #[test]
    fn themes_are_found_by_name_in_both_spellings() {
        for theme in Theme::ALL {
            assert_eq!(Theme::by_name(theme.name()), Some(theme));
        }
        assert_eq!(Theme::by_name("color-blind"), Some(Theme::ColourBlind));
        assert_eq!(Theme::by_name("pink"), None);
        assert_eq!(Theme::Mono.next(), Theme::Default);
    }
}
