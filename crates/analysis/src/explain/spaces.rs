//! Spaces that are none: what a page has between words, where a program printed a space.

/// Spaces of pages: the no-break space, that of HTML, and the wide one of East Asian text.
const SPACES: [&[u8]; 3] = [b"\xc2\xa0", b"&nbsp;", b"\xe3\x80\x80"];

/// The longest of them has so many bytes.
const LONGEST: usize = 6;

/// Replaces such spaces by plain ones in what was added to a text. One may have begun before it.
pub(super) fn plain(text: &mut Vec<u8>, added: usize) {
    let from = added.saturating_sub(LONGEST - 1);
    let mut space = next(text, from);
    let Some((mut written, _)) = space else { return };
    while let Some((start, length)) = space {
        let behind = start + length;
        space = next(text, behind);
        let until = space.map_or(text.len(), |(start, _)| start);
        text[written] = b' ';
        text.copy_within(behind..until, written + 1);
        written += 1 + until - behind;
    }
    text.truncate(written);
}

/// Offset and length of the next such space.
fn next(text: &[u8], from: usize) -> Option<(usize, usize)> {
    let length = |start: usize| {
        let space = SPACES.iter().find(|space| text[start..].starts_with(space));
        Some((start, space?.len()))
    };
    memchr::memchr3_iter(0xc2, b'&', 0xe3, &text[from..]).find_map(|at| length(from + at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_of_pages_become_plain() {
        let plain_of = |text: &str, added: usize| {
            let mut bytes = text.as_bytes().to_vec();
            plain(&mut bytes, added);
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(plain_of("a\u{a0}b&nbsp;c\u{3000}\u{a0}d & é", 0), "a b c  d & é");
        assert_eq!(plain_of("\u{a0}", 0), " ");
        assert_eq!(plain_of("a&nbsp;b", 6), "a b", "it began before");
        assert_eq!(plain_of("a\u{a0}b and more of it", 12), "a\u{a0}b and more of it");
        assert_eq!(plain_of("", 0), "");
    }
}
