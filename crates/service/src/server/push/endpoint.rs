//! The address of a receiver.

use std::fmt;
use std::str::FromStr;

/// The path of OTLP for metrics, appended to an address as OpenTelemetry's environment variables require.
const METRICS: &str = "/v1/metrics";
/// The port of OTLP over HTTP.
const PORT: u16 = 4318;

/// The address that metrics are pushed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    host: String,
    port: u16,
    path: String,
}

/// The reason that an address is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEndpoint {
    /// Malformed.
    #[error("write http://HOST:PORT or http://HOST:PORT/PATH, such as http://localhost:4318")]
    Syntax,
    /// The address requires encryption.
    #[error(
        "https is not supported; push to a collector on this machine, such as http://localhost:4318, and let it encrypt"
    )]
    Encrypted,
}

impl Endpoint {
    /// Returns the host name or address.
    #[must_use]
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port of the receiver.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the path of a request.
    #[must_use]
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Returns host and port for the Host header.
    #[must_use]
    pub(crate) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "http://{}{}", self.authority(), self.path)
    }
}

impl FromStr for Endpoint {
    type Err = BadEndpoint;

    fn from_str(text: &str) -> Result<Self, BadEndpoint> {
        if text.starts_with("https://") {
            return Err(BadEndpoint::Encrypted);
        }
        let rest = text.strip_prefix("http://").ok_or(BadEndpoint::Syntax)?;
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, path.trim_end_matches('/')),
            None => (rest, ""),
        };
        let is_plain = |byte: u8| byte.is_ascii_graphic();
        if !text.bytes().all(is_plain) || authority.contains('@') || path.contains(['?', '#']) {
            return Err(BadEndpoint::Syntax);
        }
        let (host, port) = split(authority)?;
        let base = if path.is_empty() { String::new() } else { format!("/{path}") };
        let path = if base.ends_with(METRICS) { base } else { base + METRICS };
        Ok(Self { host: host.to_owned(), port, path })
    }
}

/// Splits host and port; an IPv6 address is in brackets.
fn split(authority: &str) -> Result<(&str, u16), BadEndpoint> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or(BadEndpoint::Syntax)?,
        None => match authority.find(':') {
            Some(colon) => authority.split_at(colon),
            None => (authority, ""),
        },
    };
    let port = match port.strip_prefix(':') {
        Some(port) => port.parse().map_err(|_error| BadEndpoint::Syntax)?,
        None if port.is_empty() => PORT,
        None => return Err(BadEndpoint::Syntax),
    };
    if host.is_empty() { Err(BadEndpoint::Syntax) } else { Ok((host, port)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_as_opentelemetry_has_them() {
        let cases = [
            ("http://localhost", "http://localhost:4318/v1/metrics"),
            ("http://localhost:4318/", "http://localhost:4318/v1/metrics"),
            ("http://p:9090/api/v1/otlp", "http://p:9090/api/v1/otlp/v1/metrics"),
            ("http://p:9090/api/v1/otlp/v1/metrics", "http://p:9090/api/v1/otlp/v1/metrics"),
            ("http://[::1]:4318", "http://[::1]:4318/v1/metrics"),
        ];
        for (text, whole) in cases {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), whole);
        }
        assert_eq!("https://x".parse::<Endpoint>(), Err(BadEndpoint::Encrypted));
        for text in [
            "localhost:4318",
            "http://",
            "http://x:y",
            "http://a@b",
            "http://x\r\n",
            "http://[::1",
            "http://x/?a",
        ] {
            assert_eq!(text.parse::<Endpoint>(), Err(BadEndpoint::Syntax), "{text}");
        }
    }
}
