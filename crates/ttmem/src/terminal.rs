//! What standard output is: a terminal of some width, or something else.

use std::io::{IsTerminal as _, Stdout, Write as _, stderr, stdout};

use anstream::{AutoStream, ColorChoice};

use crate::args::Target;
use crate::cli::ColorWhen;
use crate::output::page::{Charset, Colour, Page};
use crate::output::text::legible;

/// The page that output to `target` is drawn on now: a terminal may have been resized since the last sample. Where
/// neither a terminal nor COLUMNS says a width it is `otherwise`.
#[must_use]
pub fn page(target: &Target, when: ColorWhen, charset: Charset, otherwise: usize) -> Page {
    let stdout = stdout();
    let is_standard = *target == Target::Standard;
    let width = is_standard.then(|| terminal_width(&stdout)).flatten().or_else(columns_variable);
    Page {
        charset,
        colour: colour(when, is_standard.then_some(&stdout)),
        ..Page::plain(width.unwrap_or(otherwise))
    }
}

/// The page of what is said on standard error.
#[must_use]
pub fn error_page(when: ColorWhen, charset: Charset, otherwise: usize) -> Page {
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
        ..Page::plain(width.or_else(columns_variable).unwrap_or(otherwise))
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

/// NO_COLOR, CLICOLOR and CLICOLOR_FORCE decide where nothing is said.
fn colour(when: ColorWhen, stdout: Option<&Stdout>) -> Colour {
    let choice = match (when, stdout) {
        (ColorWhen::Always, _) => ColorChoice::Always,
        (ColorWhen::Never, _) | (ColorWhen::Auto, None) => ColorChoice::Never,
        (ColorWhen::Auto, Some(stdout)) => AutoStream::choice(stdout),
    };
    if choice == ColorChoice::Never { Colour::Off } else { Colour::On }
}

/// Says a line on standard error. Names in it are other people's, and are made legible.
pub fn say(line: &str) {
    let line = legible(line, Charset::Unicode);
    // There is nowhere left to say that standard error is closed.
    drop(writeln!(stderr().lock(), "ttmem: {line}"));
}
