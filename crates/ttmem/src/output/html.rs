//! One self-contained page: the report's pictures, or the same live. It loads nothing from anywhere, runs no script but
//! its own (by the script's digest in its content security policy), and puts whatever others named into it as text
//! only.

mod cores;
mod digest;

use std::io::{self, Read as _};

use flate2::read::DeflateDecoder;
use serde::Serialize;
use ttmem_analysis::run_report::RunReport;

use crate::output::json;

pub(crate) use cores::L1Moment;

/// The style of the page, deflated by the build script.
const STYLE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/page.css.deflate"));
/// The script of the page, deflated by the build script.
const SCRIPT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/page.js.deflate"));

/// The data of the script.
#[derive(Serialize)]
struct Data<'a> {
    title: &'a str,
    ttmem: &'static str,
    live: bool,
    /// Milliseconds from one look at the server to the next.
    interval_ms: u64,
    report: Option<&'a RunReport>,
    l1: &'a [L1Moment],
}

/// The page of a report. Its processes should have their timelines.
///
/// # Errors
/// If the report cannot be written as JSON.
pub(crate) fn report(
    title: &str,
    report: &RunReport,
    l1: &[L1Moment],
) -> serde_json::Result<String> {
    let ttmem = env!("CARGO_PKG_VERSION");
    page(&Data { title, ttmem, live: false, interval_ms: 0, report: Some(report), l1 })
}

/// The page that looks at its server repeatedly.
///
/// # Errors
/// If the title cannot be written as JSON.
pub(crate) fn live(title: &str, interval_ms: u64) -> serde_json::Result<String> {
    let ttmem = env!("CARGO_PKG_VERSION");
    page(&Data { title, ttmem, live: true, interval_ms, report: None, l1: &[] })
}

/// Returns the text of [`STYLE`] or [`SCRIPT`].
fn inflated(bytes: &[u8]) -> io::Result<String> {
    let mut text = String::new();
    DeflateDecoder::new(bytes).read_to_string(&mut text)?;
    Ok(text)
}

fn page(data: &Data<'_>) -> serde_json::Result<String> {
    let style = inflated(STYLE).map_err(serde_json::Error::io)?;
    let script = inflated(SCRIPT).map_err(serde_json::Error::io)?;
    let connect = if data.live { "'self'" } else { "'none'" };
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src {connect}; \
         base-uri 'none'; form-action 'none'",
        digest::SCRIPT,
        digest::STYLE,
    );
    let json = inert(&json::escaped(&serde_json::to_string(data)?));
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<title>{}</title>\n<style>{style}</style>\n</head>\n<body>\n\
         <noscript>This page draws its pictures with a script of its own. ttmem report says the same as text.</noscript>\n\
         <script type=\"application/json\" id=\"data\">{json}</script>\n<script>{script}</script>\n</body>\n</html>\n",
        escaped(data.title),
    ))
}

/// Writes JSON that cannot end its element. The escaped characters occur only in strings, where `\u` is equivalent.
/// same.
fn inert(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + json.len() / 64);
    for character in json.chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            other => out.push(other),
        }
    }
    out
}

/// Text as it is between tags.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_the_data() {
        let hostile = "</script><script>alert(1)</script><!--\u{2028}&";
        let page = live(hostile, 1).unwrap();
        assert_eq!(page.matches("<script").count(), 2);
        assert_eq!(page.matches("</script>").count(), 2);
        assert!(!page.contains("<!--") && !page.contains("alert(1)</"));
        let json = page.split("id=\"data\">").nth(1).unwrap().split("</script>").next().unwrap();
        let data: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(data["title"], hostile);
    }

    #[test]
    fn the_page_loads_nothing() {
        let page = live("x", 1).unwrap();
        assert!(page.contains("default-src 'none'"));
        for word in ["http://", "https://", " src=", "@import", "url("] {
            assert!(!page.contains(word), "{word}");
        }
    }
}
