//! The table at the reference width and on narrow pages.

use crate::output::page::{Charset, Colour, Page};
use crate::output::table::{Form, render};
use insta::assert_snapshot;
use ttmem_model::snapshot::ProcessState;
use ttmem_model::{Metric, Quality, Reading, Snapshot, SourceName};

use super::made;

fn at(width: usize, snapshot: &Snapshot) -> String {
    render(snapshot, Form::ByCount, &Page::plain(width))
}

fn wide(width: usize, snapshot: &Snapshot) -> String {
    render(snapshot, Form::Wide, &Page::plain(width))
}

#[test]
fn no_chip() {
    assert_snapshot!("none_91", at(91, &made::none()));
    assert_snapshot!("none_60", at(60, &made::none()));
}

#[test]
fn one_chip() {
    assert_snapshot!("one_91", at(91, &made::one()));
    assert_snapshot!("one_60", at(60, &made::one()));
    assert_snapshot!("one_40", at(40, &made::one()));
}

#[test]
fn four_chips() {
    assert_snapshot!("four_91", at(91, &made::four()));
    assert_snapshot!("four_60", at(60, &made::four()));
    assert_snapshot!("four_91_wide", wide(91, &made::four()));
    assert_snapshot!("four_60_wide", wide(60, &made::four()));
    assert_snapshot!("four_140_wide", wide(140, &made::four()));
}

#[test]
fn stale_bytes_stand_under_their_kind() {
    let mut snapshot = made::four();
    let memory = &mut snapshot.chips[0].memory;
    memory.trace.used = memory.dram.used.clone();
    memory.l1_small.used = Reading::exact(0, SourceName::Agent);
    memory.l1_small.stale = memory.dram.stale.clone();
    let table = wide(91, &snapshot);
    let labels = table.lines().filter_map(|line| line.strip_prefix("│      ")?.split_once("  "));
    let labels: Vec<&str> = labels.map(|(label, _)| label).skip(1).take(6).collect();
    assert_eq!(labels, ["DRAM", " stale", "Trace", "L1 allocated", "L1_SMALL", " stale"]);
}

#[test]
fn eight_chips() {
    assert_snapshot!("eight_91", at(91, &made::many(8)));
    assert_snapshot!("eight_60", at(60, &made::many(8)));
    assert_snapshot!("eight_160", at(160, &made::many(8)));
    let lines = |width| at(width, &made::many(8)).lines().count();
    assert!(lines(80) <= 45 && lines(91) <= 45 && lines(200) <= 45);
}

#[test]
fn thirty_two_chips() {
    assert_snapshot!("thirty_two_91", at(91, &made::many(32)));
    assert_snapshot!("thirty_two_60", at(60, &made::many(32)));
    assert_snapshot!("thirty_two_40", at(40, &made::many(32)));
}

#[test]
fn many_chips_of_several_sorts() {
    let mut snapshot = made::many(9);
    snapshot.chips[3] = made::known_chip(3);
    snapshot.chips.extend([made::blackhole(9), made::blackhole(10)]);
    for (chip, reason) in (11..).zip(ttmem_model::MissingReason::ALL) {
        snapshot.chips.push(made::blank_chip(chip, reason));
    }
    snapshot.processes.push(made::outside(&[2, 3, 5]));
    assert_snapshot!("mixture_91", at(91, &snapshot));
    assert_snapshot!("mixture_60", at(60, &snapshot));
}

#[test]
fn every_reason_of_a_blank() {
    assert_snapshot!("reasons_91", at(91, &made::reasons()));
    assert_snapshot!("reasons_60", at(60, &made::reasons()));
}

#[test]
fn names_that_no_terminal_should_see() {
    assert_snapshot!("names_91", at(91, &made::nasty_names()));
    assert_snapshot!("names_60", at(60, &made::nasty_names()));
}

#[test]
fn ascii() {
    let page = Page { charset: Charset::Ascii, ..Page::plain(91) };
    assert_snapshot!("four_91_ascii", render(&made::four(), Form::Wide, &page));
    assert_snapshot!("names_91_ascii", render(&made::nasty_names(), Form::Wide, &page));
}

#[test]
fn colour() {
    let page = Page { colour: Colour::On, ..Page::plain(91) };
    let text = render(&made::four(), Form::Wide, &page);
    assert_snapshot!("four_91_colour", text.replace('\u{1b}', "\u{241b}"));
}

#[test]
fn a_table_is_as_wide_as_the_page() {
    for snapshot in [made::none(), made::one(), made::four(), made::many(32)] {
        for width in [91, 120, 200] {
            let text = at(width, &snapshot);
            let framed = text.lines().filter(|line| line.starts_with(['┌', '│', '├', '╞', '└']));
            for line in framed {
                assert_eq!(line.chars().count(), width, "{line}");
            }
        }
    }
}

#[test]
fn compact_is_one_line_per_chip_and_wide_is_more() {
    let lines = |form, chips| render(&made::many(chips), form, &Page::plain(91)).lines().count();
    assert_eq!(lines(Form::ByCount, 3), lines(Form::Compact, 3));
    assert_eq!(lines(Form::ByCount, 2), lines(Form::Wide, 2));
    assert_eq!(lines(Form::Compact, 9), lines(Form::Compact, 8) + 1);
    assert!(lines(Form::Wide, 3) > lines(Form::Compact, 3));
}

#[test]
fn a_value_that_no_chip_has_is_said_once() {
    for text in [at(91, &made::many(8)), wide(91, &made::many(8)), wide(60, &made::many(2))] {
        assert_eq!(text.matches("not-read").count(), 1, "{text}");
    }
}

#[test]
fn a_process_on_many_chips_is_one_row() {
    let text = at(91, &made::many(8));
    let rows = text.lines().filter(|line| line.contains("python3"));
    assert_eq!(rows.count(), 1, "{text}");
    assert!(text.contains(" 0-7 "), "{text}");
}

#[test]
fn a_missing_number_is_never_a_zero() {
    let text = wide(91, &made::reasons());
    let memory = text.lines().filter(|line| line.contains("DRAM   ") || line.contains("L1 total"));
    for line in memory.filter(|line| !line.contains("L1_SMALL")) {
        assert!(!line.contains(" 0 "), "{line}");
        let reasons = ttmem_model::MissingReason::ALL;
        assert!(reasons.iter().any(|reason| line.contains(reason.as_str())), "{line}");
    }
}

#[test]
fn a_chip_at_its_limit_is_an_alarm() {
    let mut snapshot = made::one();
    let page = Page { colour: Colour::On, ..Page::plain(91) };
    let hot = |snapshot: &Snapshot| render(snapshot, Form::ByCount, &page).contains("\u{1b}[31m75");
    assert!(!hot(&snapshot));
    let limit = snapshot.chips[0].telemetry[&Metric::AsicTemperatureLimit].clone();
    snapshot.chips[0].telemetry.insert(Metric::AsicTemperature, limit);
    assert!(hot(&snapshot));
}

#[test]
fn the_legend_has_the_signs_of_the_table_alone() {
    let mut snapshot = made::one();
    assert!(at(91, &snapshot).contains("≤ high-water"));
    let none = Reading::new(0, SourceName::Upstream, Quality::HighWater);
    snapshot.chips[0].memory.circular_buffers.reported = none.clone();
    snapshot.processes[0].chips[0].memory.circular_buffers_reported = none;
    let text = at(91, &snapshot);
    assert!(!text.contains('≤'), "a column that no process has is left out: {text}");
    let narrow = at(60, &snapshot);
    assert!(!narrow.contains('≤') && !narrow.contains("CBs reported"), "{narrow}");
}

#[test]
fn an_owner_without_a_region_is_a_process_of_its_chip() {
    let mut snapshot = made::one();
    snapshot.processes[0].chips.clear();
    let row = |snapshot: &Snapshot| {
        let text = at(91, snapshot);
        text.lines().find(|line| line.contains("python3")).map(str::to_owned)
    };
    assert!(row(&snapshot).unwrap().starts_with("│    0  4242  alice     –"));
    snapshot.processes[0].state = ProcessState::Stale;
    assert!(row(&snapshot).unwrap().starts_with("│    –  4242"));
}

#[test]
fn owners_that_could_not_be_listed_are_not_none() {
    let mut snapshot = made::one();
    let owners = |snapshot: &Snapshot| {
        let text = at(91, snapshot);
        text.lines().find(|line| line.contains("owner")).map(|line| line.contains("? owners"))
    };
    assert_eq!(owners(&snapshot), Some(false));
    snapshot.chips[0].owners.pids.clear();
    let denied = ttmem_model::Missing::denied("hidden");
    snapshot.chips[0].owners.outside_namespace = Reading::Missing(denied);
    assert_eq!(owners(&snapshot), Some(true));
}

#[test]
fn a_long_board_ends_before_the_version() {
    let mut snapshot = made::one();
    snapshot.chips[0].board = None;
    let table = at(91, &snapshot);
    let words = table.lines().flat_map(str::split_whitespace);
    assert!(words.into_iter().any(|word| word == "19.4.2.0"), "{table}");
}
