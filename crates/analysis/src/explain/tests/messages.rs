//! Messages as TT-Metal 0.76 and 0.81.1 printed them (`fixtures/explain`), and what happens to them in logs.

use std::path::{Path, PathBuf};

use crate::explain::{
    self, Explanation, Findings, Fit, LiveBuffer, LiveChip, LiveMap, Message, StaticBuffers, input,
};
use proptest::prelude::*;
use ttmem_model::Kind;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/explain").join(name)
}

fn explained(name: &str) -> Vec<Explanation> {
    explain::explain(&std::fs::read_to_string(fixture(name)).unwrap())
}

fn only(name: &str) -> Explanation {
    let mut explanations = explained(name);
    assert_eq!(explanations.len(), 1, "{name}");
    explanations.remove(0)
}

const CLASH: &str = "Statically allocated circular buffers in program 6 clash with L1 buffers on core range \
                     [0-0 - 7-7]. L1 buffer allocated at 188416 and static circular buffer region ends at 714080";

#[test]
fn a_clash_says_by_how_much_and_where() {
    let clash = only("0.81.1/clash-sdpa.txt");
    assert_eq!(clash.text, CLASH);
    assert_eq!((clash.line, clash.count), (3, 1));
    assert_eq!(
        (clash.fit, clash.over_bytes, clash.core_count),
        (Fit::Blocked, Some(525_664), Some(64))
    );
    let Message::BuffersClash(numbers) = clash.message else { panic!("{:?}", clash.message) };
    assert_eq!((numbers.buffers, numbers.program), (StaticBuffers::Circular, Some(6)));
    assert_eq!((numbers.l1_address, numbers.end), (Some(188_416), Some(714_080)));
    assert_eq!(numbers.cores.unwrap().to_string(), "(0,0) to (7,7)");

    let dataflow = only("0.81.1/clash-untilize.txt");
    assert_eq!((dataflow.over_bytes, dataflow.core_count), (Some(48_480), Some(1)));
    assert!(dataflow.advice[2].text.contains("It runs on a single core"), "{:?}", dataflow.advice);
    assert_eq!(only("0.81.1-p150/clash-sdpa.txt").core_count, Some(130));
    assert_eq!(only("0.76.0/clash-sdpa.txt").over_bytes, Some(525_504));
}

#[test]
fn buffers_beyond_l1_are_nobody_elses_fault() {
    let beyond = only("0.81.1/beyond-sdpa.txt");
    assert_eq!((beyond.fit, beyond.over_bytes), (Fit::TooLarge, Some(36_373_856)));
    assert!(beyond.advice[0].text.ends_with("that is to less than 1/25.2 of what they are."));
    assert_eq!(only("0.81.1-p150/beyond-sdpa.txt").over_bytes, Some(37_878_912 - 1_572_864));
}

#[test]
fn full_fragmented_and_too_large_are_told_apart() {
    let of = |name: &str| {
        let explanation = only(name);
        (explanation.fit, explanation.over_bytes)
    };
    assert_eq!(of("0.81.1/oom-dram.txt"), (Fit::TooLarge, Some(180_006_976)));
    assert_eq!(of("0.81.1/oom-l1-fragmented.txt"), (Fit::Fragmented, Some(131_072)));
    assert_eq!(of("0.76.0/oom-l1-fragmented.txt"), (Fit::Fragmented, Some(131_072)));
    assert_eq!(of("0.81.1-hybrid/oom-l1-fragmented.txt"), (Fit::Fragmented, Some(131_072)));
    assert_eq!(of("0.81.1-hybrid/oom-l1-sharded.txt"), (Fit::TooLarge, Some(1_228_128)));
    assert_eq!(of("0.81.1/oom-l1-small-size-0.txt"), (Fit::NoRegion, Some(4096)));
}

/// A figure and advice are those of the plain wording, where the other allocators of the device hold nothing.
#[test]
fn no_window_among_blocks_that_are_too_small_says_nothing() {
    let same = |hybrid: &Explanation, plain: &Explanation| {
        assert_eq!((hybrid.fit, hybrid.over_bytes), (plain.fit, plain.over_bytes));
        assert_eq!(hybrid.title, plain.title);
        assert_eq!(hybrid.meaning, plain.meaning);
        assert_eq!(hybrid.figures, plain.figures);
        assert_eq!(hybrid.advice, plain.advice);
    };
    for name in ["oom-l1-sharded.txt", "oom-l1-fragmented.txt"] {
        same(&only(&format!("0.81.1-hybrid/{name}")), &only(&format!("0.81.1/{name}")));
    }
    let hybrid = "Out of Memory: Not enough space after considering dependencies to allocate 15032385536 B DRAM across 12 \
         banks (1252700160 B per bank), bank size is 1072693184 B (allocated: 0 B, free: 1072693184 B, largest free block: \
         1072693184 B). After subtracting 0 dependency range(s) and 0 additional occupied range(s), 0 B remained placeable \
         across 0 window(s), largest 0 B.";
    let hybrid = explain::explain(hybrid).remove(0);
    same(&hybrid, &only("0.81.1/oom-dram.txt"));
    assert!(
        hybrid.advice[0].text.starts_with("Make the tensor smaller: up to"),
        "{:?}",
        hybrid.advice
    );
    assert!(hybrid.advice[1].text.contains("ttnn.bfloat8_b"), "{:?}", hybrid.advice);
}

/// Where a free block was large enough, other allocators hold all of it.
#[test]
fn no_window_in_a_block_that_is_large_enough_counts() {
    let explanation = explain::explain(
        "Out of Memory: Not enough space after considering dependencies to allocate 4194304 B L1 across 64 banks (65536 B per bank), bank size is 1393312 B (allocated: 1260576 B, free: 132736 B, largest free block: 132736 B). After subtracting 2 dependency range(s) and 0 additional occupied range(s), 0 B remained placeable across 0 window(s), largest 0 B.",
    )
    .remove(0);
    assert_eq!((explanation.fit, explanation.over_bytes), (Fit::Full, Some(65_536)));
    assert!(explanation.figures.iter().any(|figure| figure.name == "placeable"));
}

/// Sizes on a mock n150: an l1_small_size of 69,632 was enough and one of 69,568 was not, trace_region_size 16,785,408 was
/// enough, and so were 16 cores and a ring of 1,504 bytes (1,472 was not).
#[test]
fn the_figures_of_the_advice_are_those_that_worked() {
    let first = |name: &str| only(name).advice.remove(0).text;
    assert!(
        first("0.81.1/oom-l1-small.txt").contains("l1_small_size=69632 or more instead of 16384")
    );
    assert!(
        first("0.81.1/oom-l1-small-size-0.txt").contains("l1_small_size=4096 or more instead of 0")
    );
    assert!(first("0.81.1/oom-trace.txt").contains("at least 16785408. Up to 0.72"));
    assert!(
        first("0.81.1/oom-l1-sharded.txt")
            .starts_with("Shard it over at least 16 cores instead of 8")
    );
    assert!(
        first("0.81.1/program-size.txt")
            .contains("at most ttnn.get_max_worker_l1_unreserved_size() - 1504")
    );
}

#[test]
fn the_breakdown_of_a_program_is_read() {
    let Message::ProgramTooLarge(program) = only("0.81.1/program-size.txt").message else {
        panic!()
    };
    assert_eq!(
        (program.size, program.ring, program.processor.as_deref()),
        (Some(1504), Some(256), Some("TENSIX"))
    );
    let parts: Vec<(&str, u64)> =
        program.parts.iter().map(|part| (part.name.as_str(), part.bytes)).collect();
    assert_eq!(parts[..2], [("runtime args", 96), ("semaphores", 0)]);
    assert_eq!(parts[4..6], [("kernel text", 1280), ("brisc", 256)]);
    assert_eq!(parts.len(), 10);
    assert_eq!(program.kernels[2], "softmax");
    let Message::ProgramTooLarge(old) = only("0.76.0/program-size.txt").message else { panic!() };
    assert_eq!((old.size, old.ring, old.parts.len()), (Some(320), Some(256), 0));
    let ethernet = explain::explain(
        "Program size (25680) too large for kernel config buffer (25600) on ACTIVE_ETH",
    );
    assert!(ethernet[0].advice[0].text.contains("TT_METAL_WATCHER_DISABLE_ETH=1"));
}

#[test]
fn a_whole_log_gives_each_message_once_in_its_order() {
    let explanations = explained("0.81.1/run.log");
    let titles: Vec<&str> =
        explanations.iter().map(|explanation| explanation.title.as_str()).collect();
    assert_eq!(titles.len(), 14, "{titles:#?}");
    assert_eq!(titles[5], "Cannot allocate 16,777,216 bytes (16.0 MiB) in L1: L1 is fragmented");
    assert_eq!(
        titles[9],
        "The circular buffers of program 6 overlap L1 buffers by 525,664 bytes (513.3 KiB)"
    );
    assert_eq!(explanations[9].line, 10);
}

#[test]
fn ranks_colours_and_line_ends_do_not_matter() {
    let log = format!(
        "start\r\n\u{1b}[31m[1,0]<stderr>: TT_THROW: {CLASH} (assert.hpp:104)\u{1b}[0m\r\n\
         (EngineCore_DP0 pid=340) ERROR 04-20 18:51:38 [core.py:940] {CLASH}\r\nbacktrace:\r\n --- libtt_metal.so(+0x1)\n"
    ) + &String::from_utf8_lossy(b"\xff\xfe noise\n")
        + &CLASH.replace("program 6", "program 7");
    let found = explain::explain(&log);
    let counts: Vec<(usize, usize)> =
        found.iter().map(|explanation| (explanation.line, explanation.count)).collect();
    assert_eq!(counts, [(2, 1), (7, 1)], "what is logged and then printed again is one error");
}

#[test]
fn messages_from_tickets_are_read() {
    let of = |text: &str| {
        let found = explain::explain(text);
        assert_eq!(found.len(), 1, "{text}");
        (found[0].fit, found[0].over_bytes, found[0].core_count)
    };
    // Wrapped by hand, after a log's prefix.
    let wrapped = "TT_THROW: Statically allocated circular buffers in program 350188 clash with L1 buffers\n\
                   on core range [0-0 - 7-7]. L1 buffer allocated at 104448 and static circular buffer region ends at 107936\n";
    assert_eq!(of(wrapped), (Fit::Blocked, Some(3488), Some(64)));
    let pytest = "E       info:\nE       Statically allocated circular buffers on core range [(x=0,y=0) - (x=0,y=0)] \
                  grow to 5550880 B which is beyond max L1 size of 1048576 B";
    assert_eq!(of(pytest), (Fit::TooLarge, Some(4_502_304), Some(1)));
    // Early 2024 printed the template, and the values below.
    let unformatted = "E   Statically allocated circular buffers on core range {} grow to {} B which is beyond max L1 \
                       size of {} B\nE           [(x=0,y=0) - (x=1,y=0)]\nE           1310720\nE           1048576\n";
    assert_eq!(of(unformatted), (Fit::TooLarge, Some(262_144), Some(2)));
    let oldest = "Out of Memory: Not enough space to allocate 146575360 B DRAM buffer across 12 banks, where each bank \
                  needs to store 12214976 B";
    assert_eq!(of(oldest), (Fit::Unknown, None, None));
    let only_bank = "Out of Memory: Not enough space to allocate 427819008 B DRAM buffer across 12 banks, where each \
                     bank needs to store 35651584 B, but bank size is only 1046181792 B";
    assert_eq!(of(only_bank), (Fit::Unknown, None, None));
    let service = "Circular buffers on service-core range [11-0 - 11-1] in program 9 clash with \
                   ServiceCoreManager-allocated L1 (lowest service allocation at 1000, CB region ends at 1500)";
    assert_eq!(of(service), (Fit::Blocked, Some(500), Some(2)));
    let below = "Out of Memory: Cannot allocate at an address below 524288. Allocation at 500000";
    assert_eq!(of(below), (Fit::Full, Some(24_288), None));
}

#[test]
fn numbers_that_contradict_one_another_are_called_that() {
    for text in [
        CLASH.replace("714080", "188416"),
        "Out of Memory: Not enough space to allocate 1 B L1 buffer across 1 banks, where each bank needs to store 1 B, but \
         bank size is 5 B (allocated: 0 B, free: 9 B, largest free block: 3 B)"
            .to_owned(),
        "Program size (1) too large for kernel config buffer (18446744073709551615) on TENSIX".to_owned(),
    ] {
        let found = explain::explain(&text);
        assert_eq!((found[0].fit, found[0].over_bytes), (Fit::Contradictory, None), "{text}");
        assert!(found[0].advice.is_empty());
    }
}

#[test]
fn what_is_not_known_is_not_explained() {
    for text in ["", "all is well", "Out of Memory", "TT_FATAL @ x.cpp:1: a < b", &CLASH[..50]] {
        assert!(explain::explain(text).is_empty(), "{text}");
    }
    let too_big = CLASH.replace("188416", "188416188416188416188416");
    assert_eq!(explain::explain(&too_big)[0].over_bytes, None);
}

#[test]
fn a_live_map_names_the_buffer_in_the_way() {
    let buffer = |address, bytes, label: &str| LiveBuffer {
        address,
        bytes,
        kind: Kind::L1,
        label: label.to_owned(),
    };
    let buffers =
        vec![buffer(188_416, 1_310_720, "the residual stream"), buffer(1_499_136, 4096, "small")];
    let live =
        LiveMap { chips: vec![LiveChip { name: "chip 0".to_owned(), buffers, refused: None }] };
    let clash = explain::explain_with(CLASH, &live).remove(0);
    assert_eq!(clash.blockers.len(), 1);
    assert_eq!(clash.blockers[0].label, "the residual stream");
    let shown = explain::render(&[clash], 200, true);
    assert!(
        shown.contains(
            "address 0x0002e000 (188,416) on chip 0: the residual stream, 1,310,720 bytes (1.3 MiB) in each bank"
        ),
        "{shown}"
    );
}

#[test]
fn an_explanation_reads_well() {
    for name in ["oom-l1-fragmented", "clash-sdpa"] {
        let shown = explain::render(&explained(&format!("0.81.1/{name}.txt")), 80, true);
        let expected = fixture(&format!("0.81.1/{name}.expected"));
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            std::fs::write(&expected, &shown).unwrap();
        }
        assert_eq!(shown, std::fs::read_to_string(expected).unwrap());
    }
}

#[test]
fn lines_keep_to_the_width() {
    for width in [60, 80, 120] {
        let shown = explain::render(&explained("0.81.1/run.log"), width, true);
        // What cannot be broken: `ttnn.get_max_worker_l1_unreserved_size()` and kernel names.
        let breakable =
            |line: &&str| !line.contains("_unreserved_") && !line.contains("interleaved");
        let long = shown.lines().filter(breakable).find(|line| line.chars().count() > width);
        assert_eq!(long, None, "at {width}");
    }
}

#[test]
fn json_has_the_documented_shape() {
    let inputs = input::open_path(&fixture("0.81.1/clash-sdpa.txt")).unwrap();
    let json = serde_json::to_value(Findings::of(inputs, None).unwrap()).unwrap();
    assert_eq!((&json["schema"], &json["version"]), (&"ttmem/explain".into(), &"2.0".into()));
    let explanation = &json["explanations"][0];
    assert_eq!(
        explanation["message"],
        serde_json::json!({
            "kind": "buffers_clash", "buffers": "circular", "program": 6,
            "cores": [{ "start": [0, 0], "end": [7, 7] }], "l1_address": 188_416, "end": 714_080
        })
    );
    assert_eq!(explanation["fit"], "blocked");
    assert_eq!(explanation["over_bytes"], 525_664);
    assert_eq!(explanation["advice"][1]["bytes"], 525_664);
    assert_eq!(json["reports"], serde_json::json!([]));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,300}", width in 0..100_usize) {
        let found = explain::explain(&text);
        prop_assert_eq!(explain::render(&found, width, true).is_empty(), found.is_empty());
    }

    #[test]
    fn no_pieces_of_messages_make_it_panic(
        pieces in prop::collection::vec(prop_oneof![
            Just(CLASH.to_owned()),
            "Out of Memory: (Not enough space to allocate|Cannot allocate at an address below) [0-9]{1,22}",
            " B (L1|DRAM|TRACE) buffer across [0-9]{1,21} banks, where each bank needs to store [0-9]{1,21} B",
            ", but bank size is [0-9]{1,21} B \\(allocated: [0-9]{1,21} B, free: [0-9]{1,21} B, largest free block: [0-9]{1,21} B\\)",
            "Program size \\([0-9]{1,20}\\) too large for kernel config buffer \\([0-9]{1,20}\\) on TENSIX, 1 B over:\n",
            "  kernel text   [0-9]{1,22} B\n",
            "[\\[\\]{}()0-9x=y, \n\"'E>-]{0,20}",
            "\u{1b}\\[[0-9;]{0,5}",
        ], 0..12),
        cut in 0..2000_usize,
    ) {
        let mut text = pieces.concat();
        let cut = (0..=cut.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).expect("0 is a boundary");
        text.truncate(cut);
        let found = explain::explain(&text);
        let escapes = explain::render(&found, 80, true).matches('\u{1b}').count();
        prop_assert_eq!(escapes, 0);
        serde_json::to_string(&found).expect("all of it is plain data");
    }
}
