//! What clap says about wrong arguments, in one line.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The first sentence of the error, and what helps.
#[must_use]
pub fn one_line(error: &clap::Error) -> String {
    let rendered = error.render().to_string();
    let first = rendered.lines().next().unwrap_or_default();
    let mut message = first.strip_prefix("error: ").unwrap_or(first).to_owned();
    if error.kind() == ErrorKind::MissingRequiredArgument || message.ends_with(':') {
        let missing = rendered.lines().nth(1).unwrap_or_default();
        message = format!("{message} {}", missing.trim());
    }
    format!("{message}; {}", remedy(error))
}

fn remedy(error: &clap::Error) -> String {
    let suggestion =
        [ContextKind::SuggestedArg, ContextKind::SuggestedValue, ContextKind::SuggestedSubcommand]
            .into_iter()
            .find_map(|kind| text(error.get(kind)?));
    let values = error.get(ContextKind::ValidValue).and_then(text);
    match (suggestion, values) {
        (Some(suggestion), _) => format!("did you mean {suggestion}?"),
        (None, Some(values)) => format!("it may be {values}"),
        (None, None) => "see ttmem --help".to_owned(),
    }
}

fn text(value: &ContextValue) -> Option<String> {
    match value {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) if !texts.is_empty() => Some(texts.join(", ")),
        _ => None,
    }
}
