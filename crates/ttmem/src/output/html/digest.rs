//! Digests of the page's script and style: SHA-256 in base64, as a content security policy names them.
//!
//! They are constants, since the script and the style are. After a change to either, the test below fails and prints the
//! new values.

/// The digest of [`SCRIPT`](super::SCRIPT), inflated.
pub(super) const SCRIPT: &str = "F64XpPRpPEYTB7iyTG0AWp42f7Uvb4HW4LkP1RkRFh8=";
/// The digest of [`STYLE`](super::STYLE), inflated.
pub(super) const STYLE: &str = "KebshVMEDa8PZMRrcFTktn+1pwULruTZhYDQiU6ofSg=";

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use crate::output::html;

    /// Encodes bytes in base64 with padding (RFC 4648).
    fn base64(bytes: &[u8]) -> String {
        const LETTERS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::new();
        for group in bytes.chunks(3) {
            let padded = group.iter().chain([&0, &0]).take(3);
            let bits = padded.fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
            for index in 0..4 {
                let letter = LETTERS[bits >> (18 - 6 * index) & 63];
                text.push(if index <= group.len() { char::from(letter) } else { '=' });
            }
        }
        text
    }

    #[test]
    fn digests_are_current() {
        let of = |bytes| base64(&Sha256::digest(html::inflated(bytes).unwrap()));
        let (script, style) = (of(html::SCRIPT), of(html::STYLE));
        assert!(
            (script.as_str(), style.as_str()) == (super::SCRIPT, super::STYLE),
            "set SCRIPT to {script} and STYLE to {style}"
        );
    }
}
