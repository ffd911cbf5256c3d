//! The export of metrics to an OTLP receiver.

use ttmem_service::server::push::{Options, Pusher};

use crate::cli::serve::ExportArgs;
use crate::error::Error;
use crate::output::otlp;

/// Starts the export, if one is asked for.
///
/// # Errors
/// [`Error::Usage`] if an environment variable is invalid, [`Error::System`] if no thread can be started.
pub(super) fn start(args: &ExportArgs) -> Result<Option<Pusher>, Error> {
    let Some(endpoint) = args.otlp.clone() else { return Ok(None) };
    let headers = pairs("OTEL_EXPORTER_OTLP_HEADERS")?;
    let is_token = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    let is_header = |(name, value): &(String, String)| {
        is_token(name) && value.bytes().all(|byte| matches!(byte, b' '..=b'~'))
    };
    if !headers.iter().all(is_header) {
        return Err(Error::usage(
            "OTEL_EXPORTER_OTLP_HEADERS has characters that are not allowed in a header",
        ));
    }
    let resource = pairs("OTEL_RESOURCE_ATTRIBUTES")?;
    super::notify(&format!("pushing to {endpoint}"));
    let options = Options {
        endpoint,
        interval: args.otlp_interval.duration(),
        content_type: otlp::CONTENT_TYPE,
        headers,
        encode: Box::new(move |snapshot| otlp::request(snapshot, &resource)),
        say: Box::new(super::notify),
    };
    let pusher = Pusher::start(options);
    pusher.map(Some).map_err(|error| Error::System(format!("cannot push metrics: {error}")))
}

/// Parses `a=1,b=2` in an environment variable, with `%2C` for a comma.
fn pairs(variable: &str) -> Result<Vec<(String, String)>, Error> {
    let text = std::env::var_os(variable).unwrap_or_default();
    parse(&text.to_string_lossy())
        .ok_or_else(|| Error::usage(format!("{variable} is not KEY=VALUE,KEY=VALUE")))
}

fn parse(text: &str) -> Option<Vec<(String, String)>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let (key, value) = part.split_once('=')?;
        let key = decode(key.trim())?;
        (!key.is_empty()).then_some((key, decode(value.trim())?))
    };
    parts.map(pair).collect()
}

/// Decodes percent-encoded text, such as `%41`.
fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digit =
            |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        decoded.push(digit(bytes.next()?)? << 4 | digit(bytes.next()?)?);
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_pairs() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let found = parse(" a=1, b = x%2Cy%3d ,,c=").unwrap();
        assert_eq!(found, [pair("a", "1"), pair("b", "x,y="), pair("c", "")]);
        for text in ["a", "=1", "a=%4", "a=%zz", "a=%ff"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
