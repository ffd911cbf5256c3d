//! The outputs over the collector's made-up hosts, healthy and not: nothing panics and nothing overflows.

use crate::field::{device, process};
use crate::output::csv::{Csv, Header, Units};
use crate::output::page::{Charset, Page};
use crate::output::{detail, list, table};
use ttmem_fake::{NOW, healthy, variants};
use ttmem_model::MissingReason;
use ttmem_root::{Clock, Root};
use ttmem_sources::Collector;

#[test]
fn every_made_up_host_can_be_shown() {
    let csv = Csv { header: Header::Shown, units: Units::Shown, charset: Charset::Unicode };
    for (name, tree) in healthy().into_iter().chain(variants()) {
        let collector = Collector::new(Root::memory(tree));
        let snapshot = collector.with_clock(Clock::Fixed(NOW)).snapshot();
        for width in [40, 60, 91, 160] {
            let page = Page::plain(width);
            for form in [table::Form::Wide, table::Form::Compact] {
                for line in table::render(&snapshot, form, &page).lines() {
                    let columns = crate::output::text::width(line);
                    assert!(columns <= width, "{name}: {line}");
                }
            }
            assert!(!detail::render(&snapshot, &page).is_empty(), "{name}");
            assert_eq!(list::render(&snapshot, &page).lines().count(), snapshot.chips.len());
        }
        let chips = csv.chips(&snapshot, device::fields());
        assert_eq!(chips.lines().count(), snapshot.chips.len(), "{name}");
        let rows = process::rows(&snapshot).count();
        let processes = csv.processes(&snapshot, process::fields());
        assert_eq!(processes.lines().count(), rows, "{name}");
    }
}

/// The column of the colon between a label and its value.
const COLON: usize = 36;

#[test]
fn every_missing_value_has_its_reason_on_the_screen() {
    for (name, tree) in healthy().into_iter().chain(variants()) {
        let collector = Collector::new(Root::memory(tree));
        let snapshot = collector.with_clock(Clock::Fixed(NOW)).snapshot();
        for line in detail::render(&snapshot, &Page::plain(usize::MAX)).lines() {
            if line.chars().nth(COLON) != Some(':') {
                continue;
            }
            let value: String = line.chars().skip(COLON + 1).collect();
            let words: Vec<&str> = value.split_whitespace().collect();
            assert!(value.contains(char::is_alphanumeric), "{name}: {line}");
            let is_missing = words.get(1).is_some_and(|word| {
                MissingReason::ALL.iter().any(|reason| reason.as_str() == *word)
            });
            assert!(!is_missing || words.len() > 2, "{name}: {line}");
        }
    }
}
