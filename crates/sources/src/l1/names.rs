//! The names of kernels, from the `kernels.yaml` that TT-Metal's Inspector keeps while a program runs.
//!
//! The file is one list of flat entries, and this reads exactly that shape:
//!
//! ```yaml
//! - kernel:
//!     watcher_kernel_id: 1
//!     name: cq_prefetch
//!     path: /…/kernels/cq_prefetch/6458443651380306043/
//!     source: tt_metal/impl/dispatch/kernels/cq_prefetch.cpp
//!     program_id: 0
//! ```
//!
//! Its writer appends while we read, so that the last entry may be half there: it counts only if another follows or
//! its last field (`program_id`) is there with the line's end.

use ttmem_model::l1::{KernelName, KernelNames};

/// Longer lines are not names.
const MAX_LINE_BYTES: usize = 4096;

#[derive(Default)]
struct Entry {
    id: Option<u16>,
    name: Option<String>,
    source: String,
    complete: bool,
}

/// Returns the names in the bytes of a `kernels.yaml`. Anything but entries of the shape above is skipped. If two
/// entries have one id the later one counts: a file that is rewritten in place has its old end after the new
/// start, and TT-Metal appends.
#[must_use]
pub(crate) fn parse(bytes: &[u8]) -> KernelNames {
    let mut names = KernelNames::default();
    let mut entry: Option<Entry> = None;
    let mut lines = bytes.split(|byte| *byte == b'\n').peekable();
    while let Some(line) = lines.next() {
        let is_cut = lines.peek().is_none();
        let Some(line) = text(line) else { continue };
        if line.starts_with("- ") {
            finish(&mut names, entry.take(), true);
            entry = (line.trim_end() == "- kernel:").then(Entry::default);
        } else if let Some(entry) = entry.as_mut() {
            field(entry, line, is_cut);
        }
    }
    finish(&mut names, entry, false);
    names
}

fn text(line: &[u8]) -> Option<&str> {
    let line = (line.len() <= MAX_LINE_BYTES).then_some(line)?;
    std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line)).ok()
}

fn field(entry: &mut Entry, line: &str, is_cut: bool) {
    let Some((key, value)) = line.trim().split_once(':') else { return };
    let value = unquoted(value.trim());
    match key {
        "watcher_kernel_id" => entry.id = value.parse().ok(),
        "name" if !value.is_empty() => entry.name = Some(value.to_owned()),
        "source" => value.clone_into(&mut entry.source),
        "program_id" => entry.complete = !is_cut,
        _ => {}
    }
}

fn unquoted(value: &str) -> &str {
    let inside = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('\'')).unwrap_or(value)
}

fn finish(names: &mut KernelNames, entry: Option<Entry>, followed: bool) {
    let Some(Entry { id: Some(id), name: Some(name), source, complete }) = entry else { return };
    if followed || complete {
        names.by_id.insert(id, KernelName { name, source });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TWO: &str = "- kernel:\n    watcher_kernel_id: 1\n    name: cq_prefetch\n    \
        path: /a/\n    source: a.cpp\n    program_id: 0\n- kernel:\n    watcher_kernel_id: 2\n    \
        name: reader\n    path: /b/\n    source: b.cpp\n    program_id: 7\n";

    fn found(text: &str) -> Vec<(u16, String)> {
        parse(text.as_bytes()).by_id.into_iter().map(|(id, name)| (id, name.name)).collect()
    }

    #[test]
    fn names_and_sources_are_read() {
        let names = parse(TWO.as_bytes());
        assert_eq!(found(TWO), [(1, "cq_prefetch".to_owned()), (2, "reader".to_owned())]);
        assert_eq!(names.get(2).unwrap().source, "b.cpp");
        assert!(names.get(1).unwrap().is_system());
        assert!(!names.get(2).unwrap().is_system());
    }

    #[test]
    fn the_last_entry_counts_only_if_it_is_whole() {
        let second = TWO.rfind("- kernel:").unwrap();
        for end in second..TWO.len() {
            assert_eq!(found(&TWO[..end]).len(), 1, "{:?}", &TWO[second..end]);
        }
        assert_eq!(found("").len(), 0);
    }

    #[test]
    fn an_id_that_is_none_is_passed_over() {
        for id in ["65536", "-1", "x", ""] {
            assert_eq!(found(&TWO.replacen("id: 2", &format!("id: {id}"), 1)).len(), 1, "{id}");
        }
    }

    #[test]
    fn the_later_of_two_entries_counts() {
        let twice = TWO.replacen("watcher_kernel_id: 2", "watcher_kernel_id: 1", 1);
        assert_eq!(found(&twice), [(1, "reader".to_owned())]);
    }

    #[test]
    fn quotes_and_carriage_returns_are_not_part_of_a_name() {
        let quoted = TWO.replace("name: reader", "name: \"reader\"").replace('\n', "\r\n");
        assert_eq!(found(&quoted)[1].1, "reader");
    }

    proptest! {
        #[test]
        fn any_bytes_give_names_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(parse(&bytes).by_id.len() <= bytes.len());
        }

        #[test]
        fn a_damaged_file_gives_no_entry_twice(at in 0..TWO.len(), byte in any::<u8>()) {
            let mut bytes = TWO.as_bytes().to_vec();
            bytes[at] = byte;
            prop_assert!(parse(&bytes).by_id.len() <= 2);
        }
    }
}
