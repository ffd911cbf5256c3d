//! Messages about invalid arguments, in one line.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory as _};

use crate::cli::Cli;

/// Returns the command line that prints the help of the command in `arguments`.
#[must_use]
pub(crate) fn help_for(arguments: &[OsString]) -> String {
    let cli = Cli::command();
    let is_of_ttmem = |argument: &&OsString| *argument != "--";
    let own = arguments.iter().skip(1).take_while(is_of_ttmem);
    let mut commands =
        own.filter_map(|argument| cli.find_subcommand(argument)).map(Command::get_name);
    match commands.next() {
        Some(command) => format!("ttmem {command} --help"),
        None => "ttmem --help".to_owned(),
    }
}

/// Returns the first sentence of the error and a remedy: a similar value, or `help`.
#[must_use]
pub(crate) fn one_line(error: &clap::Error, help: &str) -> String {
    let rendered = error.render().to_string();
    let first = rendered.lines().next().unwrap_or_default();
    let mut message = first.strip_prefix("error: ").unwrap_or(first).to_owned();
    if error.kind() == ErrorKind::MissingRequiredArgument || message.ends_with(':') {
        let missing = rendered.lines().nth(1).unwrap_or_default();
        message = format!("{message} {}", missing.trim());
    }
    format!("{message}; {}", remedy(error, help))
}

fn remedy(error: &clap::Error, help: &str) -> String {
    let suggestion =
        [ContextKind::SuggestedArg, ContextKind::SuggestedValue, ContextKind::SuggestedSubcommand]
            .into_iter()
            .find_map(|kind| text(error.get(kind)?));
    let values = error.get(ContextKind::ValidValue).and_then(text);
    match (suggestion, values) {
        (Some(suggestion), _) => format!("did you mean {suggestion}?"),
        (None, Some(values)) => format!("it may be {values}"),
        (None, None) => format!("see {help}"),
    }
}

fn text(value: &ContextValue) -> Option<String> {
    match value {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) if !texts.is_empty() => Some(texts.join(", ")),
        _ => None,
    }
}
