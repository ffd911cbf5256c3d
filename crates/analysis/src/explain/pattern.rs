//! Regular expressions over ASCII.

use regex::Regex;

/// Compiles a pattern whose classes mean ASCII; `None` for one that is no regular expression, which tests exclude.
pub(super) fn compile(pattern: &str) -> Option<Regex> {
    let ascii = pattern
        .replace(r"\d", "[0-9]")
        .replace(r"\w", "[A-Za-z0-9_]")
        .replace(r"\S", "[!-~]")
        .replace(r"\b", r"(?-u:\b)")
        .replace(".{", "[ -~]{")
        .replace(".*", "[ -~]*");
    Regex::new(&ascii).ok()
}
