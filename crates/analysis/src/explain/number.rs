//! Numbers as messages, and people who quote them, write them.

/// A number: decimal, grouped by commas, points, underscores, apostrophes or spaces, or hexadecimal; or what replaces it when
/// it was redacted. A single group behind a space counts only where the message does not go on without it.
pub(super) const PATTERN: &str = r"(?:0x[0-9a-fA-F]{1,16}|\d{1,3}(?:[,_'.]\d{3})+|\d{1,3}(?: \d{3}){2,6}|\d{1,20}|\b\d{1,3} \d{3}|\{\}|\*{2,}|<[A-Za-z_ -]{1,24}>|\[[A-Z_ -]{3,24}\]|\b[xX]{2,}\b|\?+)";

/// An address of L1, which has five digits at least: a group of three behind a space is part of it.
pub(super) const ADDRESS: &str = r"(?:\d{1,3}(?: \d{3}){1,3}\b|NUMBER)";

/// Reads a number; `None` for one that is redacted or has more than 64 bits.
pub(super) fn read(text: &str) -> Option<u64> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok();
    }
    let digits: String = text
        .chars()
        .filter(|character| !matches!(character, ',' | '.' | '_' | '\'' | ' '))
        .collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_read() {
        for text in [
            "1016636448",
            "1,016,636,448",
            "1_016_636_448",
            "1'016'636'448",
            "0x3c98a420",
            "1 016 636 448",
            "1.016.636.448",
        ] {
            assert_eq!(read(text), Some(1_016_636_448), "{text}");
        }
        for text in ["{}", "***", "<redacted>", "18446744073709551616", ""] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
