//! Standard output and standard error: their width, their colors, and notices.

use std::io::{IsTerminal as _, Stdout, Write as _, stderr, stdout};

use anstream::{AutoStream, ColorChoice};

use crate::cli::common::ColorWhen;
use crate::cli::common::Target;
use crate::output::page::{Charset, Colour, Page};
use crate::output::text::legible;

/// Returns the page of `target` at this moment; a terminal may have been resized since the last sample. Its width is
/// `otherwise` if neither a terminal nor COLUMNS sets one.
#[must_use]
pub(crate) fn page(target: &Target, when: ColorWhen, charset: Charset, otherwise: usize) -> Page {
    let stdout = stdout();
    let is_standard = *target == Target::Standard;
    let width = is_standard.then(|| terminal_width(&stdout)).flatten().or_else(columns_variable);
    Page {
        charset,
        colour: colour(when, is_standard.then_some(&stdout)),
        ..Page::of_terminal(width, otherwise)
    }
}

/// Returns the page of standard error.
#[must_use]
pub(crate) fn error_page(when: ColorWhen, charset: Charset, otherwise: usize) -> Page {
    let stderr = std::io::stderr();
    let size = stderr.is_terminal().then(|| rustix::termios::tcgetwinsize(&stderr).ok()).flatten();
    let width = size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
    let choice = match when {
        ColorWhen::Always => ColorChoice::Always,
        ColorWhen::Never => ColorChoice::Never,
        ColorWhen::Auto => AutoStream::choice(&stderr),
    };
    Page {
        charset,
        colour: if choice == ColorChoice::Never { Colour::Off } else { Colour::On },
        ..Page::of_terminal(width.or_else(columns_variable), otherwise)
    }
}

fn terminal_width(stdout: &Stdout) -> Option<usize> {
    if !stdout.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(stdout).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

fn columns_variable() -> Option<usize> {
    std::env::var("COLUMNS").ok()?.parse().ok().filter(|columns| *columns > 0)
}

/// Returns whether output is colored. Without --color, NO_COLOR, CLICOLOR and CLICOLOR_FORCE decide.
fn colour(when: ColorWhen, stdout: Option<&Stdout>) -> Colour {
    let choice = match (when, stdout) {
        (ColorWhen::Always, _) => ColorChoice::Always,
        (ColorWhen::Never, _) | (ColorWhen::Auto, None) => ColorChoice::Never,
        (ColorWhen::Auto, Some(stdout)) => AutoStream::choice(stdout),
    };
    if choice == ColorChoice::Never { Colour::Off } else { Colour::On }
}

/// Prints a line on standard error. Control characters in it, which names may contain, are made visible.
pub(crate) fn notify(line: &str) {
    let line = legible(line, Charset::Unicode);
    // An error of standard error cannot be reported anywhere.
    drop(writeln!(stderr().lock(), "ttmem: {line}"));
}
