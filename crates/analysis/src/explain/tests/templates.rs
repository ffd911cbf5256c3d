//! The message templates of every release (`fixtures/explain/messages.json`), with numbers in their holes, as logs,
//! launchers and tickets decorate them.

use std::collections::BTreeMap;

use crate::explain::{self, Explanation};
use proptest::prelude::*;

#[derive(serde::Deserialize)]
struct Messages {
    messages: BTreeMap<String, Vec<String>>,
}

pub(super) fn templates() -> BTreeMap<String, Vec<String>> {
    let text = include_str!("../../../../../fixtures/explain/messages.json");
    serde_json::from_str::<Messages>(text).unwrap().messages
}

/// A template with values in its holes. `seed` makes the values.
pub(super) fn filled(template: &str, seed: u64) -> String {
    let mut state = seed | 1;
    let mut next = |from: u64, to: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        from + (state >> 33) % (to - from)
    };
    let mut text = String::new();
    let mut rest = template;
    while let Some(start) = rest.find('{') {
        let Some(end) = rest[start..].find('}') else { break };
        let before = &rest[..start];
        text += before;
        let is_hex = rest[start..start + end].contains('x');
        let value = next(1_000, 900_000_000);
        let small = next(0, 7);
        text += &if before.ends_with("core range ")
            || before.ends_with("service-core range ")
            || before.ends_with("on cores ")
        {
            format!("[0-0 - {small}-{small}]")
        } else if before.ends_with("on core ") {
            format!("({small},{small})")
        } else if before.ends_with(" B ") && rest[start + end..].starts_with("} buffer")
            || before.ends_with("has no ")
            || before.ends_with(" in ") && rest[start + end..].starts_with("} buffer type")
            || before.ends_with("to allocate {} B ")
            || before.ends_with(" B ") && rest[start + end..].starts_with("} across")
        {
            "L1".to_owned()
        } else if before.ends_with(") on ") {
            "TENSIX".to_owned()
        } else if before.ends_with("lock '") || before.ends_with("lock ") {
            "CHIP_IN_USE_0_PCIe".to_owned()
        } else if is_hex && before.ends_with("0x") {
            format!("{value:x}")
        } else if is_hex {
            format!("0x{value:x}")
        } else if before.ends_with(" shard core (")
            || before.ends_with(", ") && text.contains("shard core (") && !text.contains(')')
        {
            small.to_string()
        } else {
            value.to_string()
        };
        rest = &rest[start + end + 1..];
    }
    text + rest
}

fn explained(text: &str) -> Vec<Explanation> {
    explain::explain(text)
}

/// Messages that name a memory and a limit, and are not about memory that is missing.
const NOT_ABOUT_MEMORY: [(&str, &str); 2] = [
    ("DRAM-core prefetcher coalesced page size", "the size of one packet on the network on chip"),
    ("L2CPU H2D data FIFO", "the address of a FIFO in the memory of another processor"),
];

/// Every memory-related template of every release is recognised, so that a release that adds a wording is noticed.
#[test]
fn memory_messages_of_every_release_are_recognised() {
    let mut by_release: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut unknown = Vec::new();
    for (template, releases) in templates() {
        let is_known = !explained(&filled(&template, 7)).is_empty();
        let is_other = NOT_ABOUT_MEMORY.iter().any(|(start, _)| template.starts_with(start));
        assert!(!(is_known && is_other), "{template}");
        if !is_known && !is_other {
            unknown.push(format!("{} {template}", releases.last().unwrap()));
        }
        for release in releases {
            let counts = by_release.entry(release).or_default();
            counts.0 += usize::from(is_known);
            counts.1 += usize::from(!is_other);
        }
    }
    for (release, (known, all)) in &by_release {
        println!("{release}: {known} of {all} recognised");
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
    for release in releases() {
        assert!(by_release.contains_key(&release), "{release} has no messages");
    }
}

/// No number of a whole message is passed over.
#[test]
fn whole_messages_are_not_called_cut() {
    let cut: Vec<String> = templates()
        .into_keys()
        .filter(|template| !template.contains("{}.{}"))
        .map(|template| filled(&template, 7))
        .filter(|text| explained(text).iter().any(|explanation| explanation.cut))
        .collect();
    assert!(cut.is_empty(), "{cut:#?}");
}

/// The releases of `releases.toml`.
fn releases() -> Vec<String> {
    let text = include_str!("../../../../../releases.toml");
    let versions = text.lines().filter_map(|line| line.strip_prefix("version = "));
    versions.map(|version| version.trim_matches('"').to_owned()).collect()
}

/// Ten ways in which messages arrive.
fn decorated(message: &str, how: usize) -> String {
    let each = |prefix: &str| wrap(message, 76, prefix);
    match how {
        0 => each("E       "),
        1 => format!("2026-06-06 03:15:40.174 | ERROR    | tests.conftest:run:12 - {message}\n"),
        2 => format!(
            "2026-11-28 16:24:57.459 | critical |          Always | TT_FATAL: {message} (assert.hpp:104)\n"
        ),
        3 => each("[pod/tt-llm-7f9c/server] "),
        4 => each("2026-06-06T03:15:40.1234567Z "),
        5 => each("[1,0]<stderr>: "),
        6 => each("(EngineCore_DP0 pid=340) ERROR 04-20 18:51:38 [core.py:940] "),
        7 => format!(
            "RuntimeError('TT_FATAL @ /src/x.cpp:1: ok\\ninfo:\\n{message}\\nbacktrace:\\n --- a')\n"
        ),
        8 => format!(
            "{}\n",
            serde_json::json!({ "level": "error", "msg": format!("info:\n{message}\nbacktrace:") })
        ),
        _ => each(""),
    }
}

/// Breaks at spaces, with a prefix before each line.
fn wrap(message: &str, columns: usize, prefix: &str) -> String {
    let mut text = prefix.to_owned();
    let mut column = 0;
    for word in message.split(' ') {
        if column > 0 && column + word.len() >= columns {
            text = text.trim_end().to_owned() + "\n" + prefix;
            column = 0;
        }
        text += word;
        text.push(' ');
        column += word.len() + 1;
    }
    text.trim_end().to_owned() + "\n"
}

/// The numbers of an explanation, which no decoration may change.
pub(super) fn facts(explanations: &[Explanation]) -> Vec<String> {
    explanations
        .iter()
        .map(|explanation| format!("{:?} {:?}", explanation.fit, explanation.over_bytes))
        .collect()
}

#[test]
fn every_template_survives_every_decoration() {
    for template in templates().into_keys() {
        let message = filled(&template, 99);
        let plain = facts(&explained(&message));
        if plain.is_empty() {
            continue;
        }
        for how in 0..10 {
            let text = format!("step 1\n{}step 2\n", decorated(&message, how));
            let found = facts(&explained(&text));
            assert_eq!(found, plain, "{text}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn decorations_change_nothing(index in any::<prop::sample::Index>(), seed: u64, how in 0..10_usize) {
        let templates: Vec<String> = templates().into_keys().collect();
        let message = filled(&templates[index.index(templates.len())], seed);
        // A number at the end of the input may be cut.
        let plain = explained(&format!("{message}\nstep 2\n"));
        prop_assume!(!plain.is_empty());
        let text = format!("step 1\n{}step 2\n", decorated(&message, how));
        let found = explained(&text);
        prop_assert_eq!(facts(&found), facts(&plain), "{}", text);
    }

    #[test]
    fn numbers_that_do_not_count_are_read_too(seed: u64) {
        let template = "Out of Memory: Not enough space to allocate {} B L1 buffer across {} banks, where each bank needs to store {} B, but bank size is {} B (allocated: {} B, free: {} B, largest free block: {} B)";
        let message = filled(template, seed);
        let grouped = group(&message);
        prop_assert_eq!(facts(&explained(&grouped)), facts(&explained(&message)), "{}", grouped);
    }

    /// Pieces of any size give what the whole gives.
    #[test]
    fn a_log_in_pieces_is_the_same_log(noise in 0..40_000_usize, seed: u64) {
        let message = filled("Statically allocated circular buffers in program {} clash with L1 buffers on core range {}. L1 buffer allocated at {} and static circular buffer region ends at {}", seed);
        let log = "a line that does not matter\n".repeat(noise) + &message + "\n" + &"another\n".repeat(noise / 7);
        let input = explain::input::Input::new("log", Box::new(std::io::Cursor::new(log)));
        let found = explain::Findings::of(vec![input], None).unwrap();
        prop_assert_eq!(found.explanations.len(), 1);
        prop_assert_eq!(found.explanations[0].line, noise + 1);
        prop_assert_eq!(&found.explanations[0].message, &explained(&message)[0].message);
    }
}

/// A message around the end of what is examined first, wherever that is in it.
#[test]
fn a_message_at_the_end_of_a_piece_is_found() {
    let message = filled(
        "Statically allocated circular buffers in program {} clash with L1 buffers on core range {}. L1 buffer allocated at {} and static circular buffer region ends at {}",
        5,
    );
    for after in (9_800..10_500).step_by(7) {
        let log =
            "a line that does not matter\n".repeat(8_000) + &message + "\n" + &"x".repeat(after);
        let input = explain::input::Input::new("log", Box::new(std::io::Cursor::new(log)));
        let found = explain::Findings::of(vec![input], None).unwrap();
        assert_eq!(found.explanations.len(), 1, "{after} bytes after it");
        assert_eq!(found.explanations[0].line, 8_001);
    }
}

/// Every number of four and more digits with commas.
fn group(text: &str) -> String {
    let mut grouped = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|character: char| character.is_ascii_digit()) {
        let length = rest[start..]
            .find(|character: char| !character.is_ascii_digit())
            .unwrap_or(rest.len() - start);
        grouped += &rest[..start];
        let digits = &rest[start..start + length];
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) && !grouped.ends_with('L') {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        rest = &rest[start + length..];
    }
    grouped + rest
}
