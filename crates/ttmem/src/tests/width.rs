//! No line is longer than the page, for any names.

use crate::output::page::{Charset, FULL_WIDTH, LEAST_WIDTH, Page};
use crate::output::table::{Form, render};
use proptest::prelude::*;
use ttmem_model::snapshot::Process;
use ttmem_model::{MissingReason, Severity, Snapshot};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::made;

fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(any::<char>(), 0..80).prop_map(|text| text.into_iter().collect())
}

fn process() -> impl Strategy<Value = Process> {
    let texts = (text(), text(), proptest::option::of(text()), proptest::option::of(text()));
    (any::<i32>(), 0..4_u8, 0..12_u32, texts).prop_map(
        |(pid, state, chip, (name, command, user, container))| {
            let process = match state {
                0 => made::stale_process(pid, &name, &[chip]),
                1 => made::outside(&[chip]),
                _ => made::process(pid, &name, &[chip, chip + 2]),
            };
            Process { command, user, container, ..process }
        },
    )
}

prop_compose! {
    fn snapshot()(
        chips in 0..12_u32,
        bytes in any::<[u64; 4]>(),
        texts in proptest::collection::vec(text(), 6),
        processes in proptest::collection::vec(process(), 0..4),
    ) -> Snapshot {
        let mut snapshot = made::many(chips);
        snapshot.processes = processes;
        for (chip, reason) in snapshot.chips.iter_mut().zip(MissingReason::ALL.iter().cycle()) {
            match chip.index % 4 {
                0 => *chip = made::known_chip(chip.index),
                1 => *chip = made::blank_chip(chip.index, *reason),
                _ => {}
            }
            chip.board = Some(texts[0].clone());
            chip.bdf = Some(texts[1].clone());
            chip.firmware.insert("bundle".to_owned(), texts[2].clone());
            chip.memory.dram.used = made::upstream(bytes[0]);
            chip.memory.dram.capacity = made::upstream(bytes[1]);
            chip.memory.l1_small.used = made::upstream(bytes[2]);
            chip.memory.l1.stale = made::upstream(bytes[3]);
        }
        snapshot.host.name = Some(texts[3].clone());
        snapshot.host.driver = Some(texts[4].clone());
        snapshot.findings =
            vec![made::finding(Severity::Error, None, &texts[5], &texts[4])];
        snapshot.demo = chips % 2 == 0;
        snapshot
    }
}

fn form() -> impl Strategy<Value = Form> {
    prop_oneof![Just(Form::ByCount), Just(Form::Wide), Just(Form::Compact)]
}

fn columns(line: &str) -> usize {
    let by_character: usize = line.chars().map(|character| character.width().unwrap_or(0)).sum();
    by_character.max(line.width())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_line_is_longer_than_the_page(snapshot in snapshot(), width in LEAST_WIDTH..200, form in form()) {
        for line in render(&snapshot, form, &Page::plain(width)).lines() {
            prop_assert!(columns(line) <= width, "{width}: {line}");
            prop_assert!(!line.contains(char::is_control), "{line:?}");
        }
    }

    #[test]
    fn ascii_is_ascii(snapshot in snapshot(), width in LEAST_WIDTH..200, form in form()) {
        let page = Page { charset: Charset::Ascii, ..Page::plain(width) };
        for line in render(&snapshot, form, &page).lines() {
            prop_assert!(line.len() <= width, "{width}: {line}");
            prop_assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{line:?}");
        }
    }
}

#[test]
fn frames_are_exactly_as_wide_as_the_reference() {
    let snapshots = [made::none(), made::one(), made::four(), made::many(32), made::nasty_names()];
    for snapshot in snapshots {
        let text = render(&snapshot, Form::Wide, &Page::plain(FULL_WIDTH));
        let framed = text.lines().filter(|line| line.starts_with(['┌', '│', '├', '╞', '└']));
        for line in framed {
            assert_eq!(columns(line), FULL_WIDTH, "{line}");
        }
    }
}
