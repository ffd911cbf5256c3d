//! The outputs over the collector's made-up hosts, healthy and not: nothing panics and nothing overflows.

use crate::field::cell::Cell;
use crate::field::device::{DeviceField, DeviceRead};
use crate::field::{device, process};
use crate::output::csv::{Csv, Header, Units};
use crate::output::page::{Charset, Page};
use crate::output::{detail, list, table};
use ttmem_fake::{Board, Host, NOW, PID, Process, healthy, variants};
use ttmem_model::snapshot::{Chip, Snapshot};
use ttmem_model::{Missing, MissingReason};
use ttmem_root::{Clock, Entry, Root};
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

/// The demonstration, and every made-up host.
fn snapshots() -> impl Iterator<Item = (&'static str, Snapshot)> {
    let hosts = healthy().into_iter().chain(variants());
    let hosts = hosts.map(|(name, tree)| {
        let collector = Collector::new(Root::memory(tree));
        (name, collector.with_clock(Clock::Fixed(NOW)).snapshot())
    });
    hosts.chain([("demo", Collector::demo().snapshot())])
}

#[test]
fn every_property_of_a_chip_is_on_the_screen_with_its_value_or_the_reason_of_its_source() {
    let is_shown = |field: &&DeviceField, chip: &Chip| {
        let is_of_host = matches!(field.read, DeviceRead::Host(_));
        let is_origin = field.name.ends_with(".source") || field.name.ends_with(".quality");
        let is_beside = field.name.ends_with(".upstream") && chip.memory.dram.upstream.is_none();
        !is_of_host && !is_origin && !is_beside && field.name != "asic_id"
    };
    for (name, snapshot) in snapshots() {
        let text = detail::render(&snapshot, &Page::plain(usize::MAX));
        let sections = text.split("\n\n").filter(|section| section.starts_with("Chip "));
        for (chip, section) in snapshot.chips.iter().zip(sections) {
            let values = section.lines().filter(|line| line.chars().nth(COLON) == Some(':'));
            let expected = device::fields().iter().filter(|field| is_shown(field, chip)).count();
            assert_eq!(values.count(), expected, "{name}: {section}");
            let named = device::fields().iter().filter(|field| {
                field.name.starts_with("firmware.")
                    || ["arch", "board", "serial"].contains(&&*field.name)
            });
            for field in named {
                let cell = field.cell(&snapshot, chip);
                let Cell::Blank(reason, detail) = cell else { continue };
                let is_own = |why: &&Missing| why.reason == reason && why.detail == detail;
                let key = field.name.trim_start_matches("firmware.");
                let own = chip.reasons.get(key).or(chip.reasons.get("firmware"));
                assert!(own.as_ref().is_some_and(is_own), "{name}: {}: {detail}", field.name);
            }
        }
    }
}

#[test]
fn a_version_that_cannot_be_read_has_that_as_its_reason() {
    let attributes = Host::n150().device_directory(0);
    let host = Host::n150().file(format!("{attributes}/tt_fw_bundle_ver"), Entry::file("0.0.0.0"));
    let host = host.file(format!("{attributes}/tt_serial"), Entry::file("ffffffffffffffff"));
    let collector = Collector::new(Root::memory(host.into_tree()));
    let snapshot = collector.with_clock(Clock::Fixed(NOW)).snapshot();
    let text = detail::render(&snapshot, &Page::plain(usize::MAX));
    for line in [
        "Bundle                      : ? failed  tt_fw_bundle_ver: the firmware reports no version (0.0.0.0)",
        "Serial                          : ? failed  tt_serial: 0xffffffffffffffff is not an id",
    ] {
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn a_name_that_is_not_seen_is_in_quotes() {
    for (name, shown) in [("  ", "\" \""), ("\u{200b}", "\"\"")] {
        let host = Host::new().process(Process::new(PID, name)).board(Board::n150());
        let collector = Collector::new(Root::memory(host.owner(0, PID, 1).into_tree()));
        let snapshot = collector.with_clock(Clock::Fixed(NOW)).snapshot();
        let text = detail::render(&snapshot, &Page::plain(usize::MAX));
        let line = format!("    Name                            : {shown}\n");
        assert!(text.contains(&line), "{text}");
    }
}
