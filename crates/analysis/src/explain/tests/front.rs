//! Messages that were cut at the front, as a ring buffer, `tail -c` or a limit of a line's length leaves them.

use super::templates::{filled, templates};
use crate::explain::{self, Explanation, Fit, Message};

const WHOLE: [&str; 9] = [
    "Out of Memory: Not enough space to allocate 3295412224 B DRAM buffer across 12 banks, where each bank needs to store 274751744 B, but bank size is 1071821792 B (allocated: 784847680 B, free: 286974112 B, largest free block: 216504544 B)",
    "Out of Memory: Not enough space to allocate 1310720 B L1_SMALL buffer across 64 banks, where each bank needs to store 20480 B, but bank size is only 16384 B",
    "Out of Memory: Not enough space after considering dependencies to allocate 4194304 B L1 across 64 banks (65536 B per bank), bank size is 1393312 B (allocated: 1343488 B, free: 49824 B, largest free block: 49824 B)",
    "Out of Memory: Cannot allocate at an address below 786432. Allocation at 720896",
    "Statically allocated dataflow buffers in program 41 clash with L1 buffers on core range [0-0 - 7-7]. L1 buffer allocated at 105824 and static dataflow buffer region ends at 116064",
    "Statically allocated circular buffers on core range [0-0 - 7-7] grow to 13387104 B which is beyond max L1 size of 1499136 B",
    "Program size (71424) too large for kernel config buffer (70656) on TENSIX",
    "Creating trace buffers of size 60825600B on MeshDevice 2, but only 50000000B is allocated for trace region.",
    "ttnn.pad: padded row of 1600080 B does not fit in the per-core L1 budget (643744 B)",
];

fn only(text: &str) -> Option<Explanation> {
    let mut found = explain::explain(text);
    assert!(found.len() < 2, "{text}\n{found:#?}");
    found.pop()
}

fn numbers(explanation: &Explanation) -> serde_json::Map<String, serde_json::Value> {
    let serde_json::Value::Object(fields) = serde_json::to_value(&explanation.message).unwrap()
    else {
        panic!()
    };
    fields
}

/// Wherever its front was cut off: what is left of a message is one explanation of its kind, marked as cut, without a
/// number that is not in it whole.
#[test]
fn a_message_without_its_front_has_no_wrong_number() {
    for message in WHOLE {
        let whole = numbers(&only(message).unwrap());
        for start in 1..message.len() {
            for tail in ["\n", " (assert.hpp:104)\nand more\n"] {
                let text = format!("{}{tail}", &message[start..]);
                let Some(found) = only(&text) else { continue };
                assert_eq!(found.count, 1, "{text}");
                let part = numbers(&found);
                assert_eq!(part["kind"], whole["kind"], "{text}");
                for (name, value) in &part {
                    let is_same = !value.is_number() || value == &whole[name];
                    assert!(is_same, "{name} is {value} in {text}");
                }
                let is_cut =
                    part.iter().any(|(name, value)| value.is_null() && whole[name].is_number());
                assert!(found.cut || !is_cut, "{text}");
            }
        }
    }
}

/// A front that was cut off in the middle of the last sentence leaves enough for the answer.
#[test]
fn what_is_left_behind_the_front_is_explained() {
    for (text, fit, over) in [
        (
            "gh space to allocate 3295412224 B DRAM buffer across 12 banks, where each bank needs to store 274751744 B, but bank size is 1071821792 B (allocated: 784847680 B, free: 286974112 B, largest free block: 216504544 B)",
            Fit::Fragmented,
            Some(58_247_200),
        ),
        (
            "412224 B DRAM buffer across 12 banks, where each bank needs to store 274751744 B, but bank size is 1071821792 B (allocated: 784847680 B, free: 286974112 B, largest free block: 216504544 B)",
            Fit::Fragmented,
            Some(58_247_200),
        ),
        (
            "eds to store 274751744 B, but bank size is 1071821792 B (allocated: 784847680 B, free: 286974112 B, largest free block: 216504544 B)",
            Fit::Unknown,
            None,
        ),
        ("nk needs to store 11796480 B", Fit::Unknown, None),
        (
            "fers in program 41 clash with L1 buffers on core range [0-0 - 7-7]. L1 buffer allocated at 105824 and static dataflow buffer region ends at 116064",
            Fit::Blocked,
            Some(10_240),
        ),
        (
            "ted at 105824 and static dataflow buffer region ends at 116064",
            Fit::Blocked,
            Some(10_240),
        ),
        ("t 105824 and static dataflow buffer region ends at 116064", Fit::Blocked, None),
        (
            "row to 13387104 B which is beyond max L1 size of 1499136 B",
            Fit::TooLarge,
            Some(11_887_968),
        ),
        (
            "ram size (71424) too large for kernel config buffer (70656) on TENSIX",
            Fit::TooLarge,
            Some(768),
        ),
        (
            "uffers of size 60825600B on MeshDevice 2, but only 50000000B is allocated for trace region.",
            Fit::Full,
            Some(10_825_600),
        ),
        (
            "600B on MeshDevice 2, but only 50000000B is allocated for trace region.",
            Fit::Full,
            None,
        ),
    ] {
        let found = only(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!((found.fit, found.over_bytes), (fit, over), "{text}");
    }
}

/// The rest of a print that another process interrupted is no second error.
#[test]
fn the_rest_of_a_print_is_not_counted() {
    let other = "2026-07-10 09:12:13.174 | info     |           Metal | a line of another thread\n"
        .repeat(3);
    let (head, rest) = WHOLE[0].split_at(WHOLE[0].find("but bank").unwrap());
    let text = format!("TT_FATAL: {head}\n{other}{rest}\n{}\n", WHOLE[0]);
    let found = only(&text).unwrap();
    assert!(!found.cut, "{found:?}");
    assert_eq!(found.over_bytes, Some(58_247_200));
    let Message::OutOfMemory(memory) = found.message else { panic!() };
    assert_eq!(memory.largest_free, Some(216_504_544));
}

/// Whatever is left of a message of any release has no number that is the rest of one.
#[test]
fn no_message_without_its_front_has_a_part_of_a_number() {
    // Of a sum, the first terms may be missing without a trace.
    for template in templates().into_keys().filter(|template| !template.contains(" B + ")) {
        let message = filled(&template, 7);
        let is_whole = |number: &serde_json::Value| {
            let digits = number.to_string();
            let is_digit = |byte: &u8| byte.is_ascii_digit();
            message.match_indices(&digits).any(|(at, _)| {
                let before = message.as_bytes()[..at].last().is_some_and(is_digit);
                let behind = message.as_bytes().get(at + digits.len()).is_some_and(is_digit);
                !before && !behind
            })
        };
        let known: Vec<serde_json::Value> = explain::explain(&message)
            .iter()
            .flat_map(|found| numbers(found).into_values())
            .collect();
        for start in (1..message.len()).filter(|start| message.is_char_boundary(*start)) {
            let text = format!("{}\n", &message[start..]);
            for found in explain::explain(&text) {
                for (name, value) in numbers(&found) {
                    let is_right = !value.is_u64() || known.contains(&value) || is_whole(&value);
                    assert!(is_right, "{name} is {value} in {text} of {message}");
                }
            }
        }
    }
}

#[test]
fn a_sum_that_begins_within_a_term_is_not_believed() {
    for text in [
        "159167278 B + metadata CB 146859753 B + scratch reserve 572046545 B exceeds service-core free L1 865190864 B",
        "a CB 159167278 B + metadata CB 146859753 B exceeds service-core free L1 865190864 B and more",
    ] {
        let Message::OpLimit(limit) = only(text).unwrap().message else { panic!("{text}") };
        assert!(limit.need.is_none_or(|need| need == 159_167_278 + 146_859_753), "{limit:?}");
    }
}
