//! Detection of the terminal's capabilities from the environment.

use super::{Charset, Depth};

/// The environment variables that describe the terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Environment {
    /// `TERM`.
    pub(crate) term: Option<String>,
    /// `COLORTERM`.
    pub(crate) colorterm: Option<String>,
    /// `NO_COLOR`.
    pub(crate) no_color: Option<String>,
    /// The first of `LC_ALL`, `LC_CTYPE` and `LANG` that is set.
    pub(crate) locale: Option<String>,
}

impl Environment {
    /// Reads the environment through `variable`.
    #[must_use]
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        Self {
            term: set("TERM"),
            colorterm: set("COLORTERM"),
            no_color: set("NO_COLOR"),
            locale: ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set),
        }
    }

    /// Returns the reason that this terminal cannot show the live view, if there is one.
    #[must_use]
    pub(crate) fn why_unsupported(&self) -> Option<String> {
        match self.term.as_deref() {
            None => Some(
                "TERM is not set; set it to your terminal's type, such as xterm-256color"
                    .to_owned(),
            ),
            Some(term @ ("dumb" | "unknown" | "emacs")) => {
                Some(format!("TERM={term} cannot move the cursor; use a full-screen terminal"))
            }
            Some(_) => None,
        }
    }
}

/// Returns the colour depth.
#[must_use]
pub(crate) fn depth(environment: &Environment) -> Depth {
    if environment.no_color.is_some() {
        return Depth::Mono;
    }
    let term = environment.term.as_deref().unwrap_or_default();
    let is_true = |word: &str| matches!(word, "truecolor" | "24bit");
    let says_so = environment.colorterm.as_deref().is_some_and(is_true);
    if says_so || term.ends_with("-direct") || has_true_colour(term) {
        Depth::True
    } else if term.contains("256color") {
        Depth::TwoHundredFiftySix
    } else if term.starts_with("vt") || term.ends_with("-m") || term.ends_with("-mono") {
        Depth::Mono
    } else {
        Depth::Sixteen
    }
}

/// Terminals with 24-bit colour, by name. Over ssh `TERM` is passed on and `COLORTERM` is not.
fn has_true_colour(term: &str) -> bool {
    const NAMES: [&str; 6] =
        ["alacritty", "contour", "foot", "wezterm", "xterm-ghostty", "xterm-kitty"];
    NAMES.contains(&term)
}

/// Returns the character set: a Linux console has no braille, a locale without UTF-8 only ASCII.
#[must_use]
pub(crate) fn charset(environment: &Environment) -> Charset {
    let utf8 = |locale: &str| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    };
    // Without any locale, as in many containers, the terminal at the other end still has UTF-8.
    let speaks_utf8 = environment.locale.as_deref().is_none_or(utf8);
    let is_console = environment.term.as_deref() == Some("linux");
    if speaks_utf8 && !is_console { Charset::Unicode } else { Charset::Ascii }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::read(|name| {
            pairs.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn terminals_say_how_many_colours_they_have() {
        let cases: &[(&[(&str, &str)], Depth)] = &[
            (&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")], Depth::True),
            (&[("TERM", "xterm-direct")], Depth::True),
            (&[("TERM", "xterm-kitty")], Depth::True),
            (&[("TERM", "tmux-256color")], Depth::TwoHundredFiftySix),
            (&[("TERM", "screen")], Depth::Sixteen),
            (&[("TERM", "linux")], Depth::Sixteen),
            (&[("TERM", "vt100")], Depth::Mono),
            (&[("TERM", "xterm-256color"), ("NO_COLOR", "1")], Depth::Mono),
            (&[("TERM", "xterm-256color"), ("NO_COLOR", "")], Depth::TwoHundredFiftySix),
        ];
        for (pairs, expected) in cases {
            assert_eq!(depth(&environment(pairs)), *expected, "{pairs:?}");
        }
    }

    #[test]
    fn terminals_say_which_characters_they_have() {
        let cases: &[(&[(&str, &str)], Charset)] = &[
            (&[("TERM", "xterm"), ("LANG", "en_GB.UTF-8")], Charset::Unicode),
            (&[("TERM", "xterm"), ("LC_ALL", "C"), ("LANG", "en_GB.UTF-8")], Charset::Ascii),
            (&[("TERM", "xterm"), ("LC_ALL", "C.utf8")], Charset::Unicode),
            (&[("TERM", "xterm")], Charset::Unicode),
            (&[("TERM", "linux"), ("LANG", "en_GB.UTF-8")], Charset::Ascii),
        ];
        for (pairs, expected) in cases {
            assert_eq!(charset(&environment(pairs)), *expected, "{pairs:?}");
        }
    }

    #[test]
    fn a_dumb_terminal_is_told_what_it_lacks() {
        assert!(environment(&[("TERM", "dumb")]).why_unsupported().is_some());
        assert!(environment(&[]).why_unsupported().is_some());
        assert_eq!(environment(&[("TERM", "screen")]).why_unsupported(), None);
    }
}
