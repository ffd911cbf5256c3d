//! Messages of TT-Metal and its compilers as tickets and logs of other programs write them: other groupings of digits,
//! broken lines, cut ends. Numbers are made up, the forms are those of public reports.

use super::templates::facts;
use crate::explain::{self, Explanation, Fit, Message};

fn only(text: &str) -> Explanation {
    let mut found = explain::explain(text);
    assert_eq!(found.len(), 1, "{text}\n{found:#?}");
    found.remove(0)
}

fn bank_sizes(text: &str) -> (Option<u64>, Option<u64>, Option<u64>) {
    let Message::OutOfMemory(memory) = only(text).message else { panic!("{text}") };
    (memory.requested, memory.per_bank, memory.largest_free)
}

const REFUSED: &str = "Out of Memory: Not enough space to allocate 3295412224 B DRAM buffer across 12 banks, where each bank needs to store \
                       274751744 B, but bank size is 1071821792 B (allocated: 784847680 B, free: 286974112 B, largest free block: 216504544 B)";

/// Every number of four and more digits, grouped.
fn grouped(text: &str, separator: &str) -> String {
    let mut grouped = String::new();
    for part in text.split_inclusive(|character: char| !character.is_ascii_digit()) {
        let digits = part.trim_end_matches(|character: char| !character.is_ascii_digit());
        for (index, digit) in digits.char_indices() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                grouped += separator;
            }
            grouped.push(digit);
        }
        grouped += &part[digits.len()..];
    }
    grouped
}

#[test]
fn digits_are_grouped_in_every_way() {
    let clash = "Statically allocated circular buffers in program 7 clash with L1 buffers on core range [0-0 - 7-7]. L1 buffer allocated at 704448 and static circular buffer region ends at 807936";
    for separator in [",", ".", "_", "'", " ", "\u{202f}", "\u{a0}"] {
        let text = grouped(REFUSED, separator);
        assert_eq!(
            bank_sizes(&text),
            (Some(3_295_412_224), Some(274_751_744), Some(216_504_544)),
            "{text}"
        );
        for behind in ["", "\n", " (assert.hpp:104)\n", ".\n"] {
            let text = grouped(clash, separator) + behind;
            assert_eq!(only(&text).over_bytes, Some(103_488), "{text}");
        }
        let small = "Out of Memory: Not enough space to allocate 1267712 B L1_SMALL buffer across 64 banks, where each bank needs to store 19808 B, but bank size is only 65536 B";
        let Message::OutOfMemory(memory) = only(&grouped(small, separator)).message else {
            panic!()
        };
        assert_eq!(
            (memory.per_bank, memory.bank_size),
            (Some(19_808), Some(65_536)),
            "{separator}"
        );
    }
    let quoted = "Not enough space to allocate `58720256 B` DRAM buffer across `12` banks, where each bank needs to store `4,894,720` B, but bank size is `1071821792 B` (allocated: `888424448 B`, free: `183397344 B`, largest free block: `3382944 B`)";
    assert_eq!(bank_sizes(quoted), (Some(58_720_256), Some(4_894_720), Some(3_382_944)));
    let bold = REFUSED.replace("274751744", "**274,751,744**").replace("DRAM", "`DRAM`");
    assert_eq!(bank_sizes(&bold.replace('`', "")).1, Some(274_751_744));
    assert_eq!(bank_sizes(&REFUSED.replace("274751744", "***")).1, Some(274_617_686));
}

/// A terminal breaks lines anywhere, with the prefix of a logger or a test before the first or before each.
#[test]
fn lines_that_are_broken_at_any_column_are_whole_again() {
    let clash = "TT_THROW: Statically allocated circular buffers in program 2431180 clash with L1 buffers on core range [0-0 - 2-2]. L1 buffer allocated at 429491 and static circular buffer region ends at 1181443".to_owned();
    for message in [format!("TT_FATAL: {REFUSED} (assert.hpp:104)"), REFUSED.to_owned(), clash] {
        let plain = facts(&explain::explain(&message));
        for columns in (41..100).step_by(4) {
            for first in ["", "2026-06-06 03:15:40.114 | critical |          Always | ", "E       "]
            {
                let whole = format!("{first}{message}");
                let mut text = format!("a line before\n{}\n", "a long line ".repeat(20));
                for piece in whole.as_bytes().chunks(columns) {
                    text += std::str::from_utf8(piece).unwrap();
                    text.push('\n');
                }
                text += "a line after\n";
                assert_eq!(facts(&explain::explain(&text)), plain, "{columns}\n{text}");
            }
        }
    }
}

/// Whatever is left of a message, no number of it is wrong, and a cut message is called cut.
#[test]
fn a_message_that_ends_anywhere_has_no_wrong_number() {
    let Message::OutOfMemory(whole) = only(REFUSED).message else { panic!() };
    for end in "Out of Memory: Not enough space to allocate 3295412224 B".len()..REFUSED.len() - 1 {
        let text = &REFUSED[..end];
        let explanation = only(text);
        let Message::OutOfMemory(memory) = &explanation.message else { panic!() };
        let agree = |part: Option<u64>, all: Option<u64>| part.is_none() || part == all;
        assert!(agree(memory.requested, whole.requested), "{text}");
        assert!(memory.per_bank_is_least || agree(memory.per_bank, whole.per_bank), "{text}");
        assert!(agree(memory.bank_size, whole.bank_size), "{text}");
        assert!(agree(memory.allocated, whole.allocated), "{text}");
        assert!(agree(memory.free, whole.free), "{text}");
        assert!(agree(memory.largest_free, whole.largest_free), "{text}");
        // Up to 0.65 the message ended behind the bytes per bank.
        let shown = text.trim_end_matches([' ', ',', '(']);
        let is_old = shown.ends_with("274751744 B");
        let is_whole = shown.ends_with("1071821792 B") || memory.largest_free.is_some();
        assert_eq!(explanation.cut, !(is_old || is_whole), "{text}");
    }
}

/// A ticket leaves out the backtrace: tenstorrent/tt-metal issues 23495 and 31076.
#[test]
fn dots_in_the_next_line_cut_no_message() {
    let clash = "Statically allocated circular buffers in program 30 clash with L1 buffers on core range [(x=0,y=0) - (x=12,y=7)]. L1 buffer allocated at 997376 and static circular buffer region ends at 1192448";
    let dram = "Out of Memory: Not enough space to allocate 117440512 B DRAM buffer across 12 banks, where each bank needs to store 9787392 B, but bank size is only 1046181792 B";
    let early = "Out of Memory: Not enough space to allocate 805306368 B DRAM buffer across 12 banks, where each bank needs to store 67110912 B";
    for message in [clash, dram, early] {
        for mark in ["...", "[...]", "\u{2026}"] {
            for text in [
                format!("info:\n{message}\n{mark}\n"),
                format!("TT_FATAL: {message} (assert.hpp:103)\n{mark}\nERROR 10-23 04:15:50\n"),
            ] {
                let found = only(&text);
                assert_eq!((found.text.as_str(), found.cut), (message, false), "{text}");
            }
            // At the last letter they do.
            let text = format!("TT_FATAL: {}{mark}\n", &message[..message.len() - 1]);
            assert!(only(&text).cut, "{text}");
        }
    }
}

#[test]
fn a_shard_count_beyond_its_grid() {
    let explanation = only(
        "E       info:\nE       Number of shards along width 8 must not exceed number of cores 7\n",
    );
    assert_eq!(explanation.title, "8 shards along the width, but the shard grid has 7 cores");
    assert_eq!(explanation.fit, Fit::Invalid);
    let explanation = only(
        "TT_FATAL: Number of shards along height 12 must not exceed number of columns 9 for column major orientation! (assert.hpp:104)",
    );
    assert_eq!(explanation.title, "12 shards along the height, but the shard grid has 9 columns");
    let explanation = only("Number of shards along width must not exceed core grid width!");
    assert_eq!(explanation.title, "More shards along the width than the shard grid has columns");
}

#[test]
fn cores_that_a_harvested_chip_does_not_have() {
    let of = |text: &str| only(text).title;
    assert_eq!(
        of("Bounds-Error -- Logical_core=(x=7,y=0) is outside of logical_grid_size=(x=7,y=1)"),
        "Core (7,0) of a core grid is none of the 7 of this device"
    );
    assert_eq!(
        of("Bounds-Error -- Logical_core=8-3 is outside of logical_grid_size=8-8"),
        "Core (8,3) of a core grid is none of the 64 of this device"
    );
    assert_eq!(
        of(
            "TT_FATAL: WorkUnitSpec 'main' targets node (0,7), which is out of bounds. The compute worker grid on this device is 8x7. (assert.hpp:104)"
        ),
        "Core (0,7) of a core grid is none of the 56 of this device"
    );
    assert_eq!(
        of("RuntimeError: No core coordinate found at location: (11, 0, TENSIX, LOGICAL)"),
        "This device has no core (11,0) for a core grid"
    );
    assert!(explain::explain("No core coordinate found at location: (1, 0, ETH, NOC0)").is_empty());
}

#[test]
fn semaphores_are_counted() {
    for text in [
        "TT_FATAL: Cannot add semaphore on core (x=1,y=2). Max number of semaphores (16) reached! (assert.hpp:104)",
        "TT_FATAL: No available semaphore ID for flow control semaphore (assert.hpp:104)",
        "Semaphore id 16 exceeds max value 15",
    ] {
        let explanation = only(text);
        assert_eq!(explanation.fit, Fit::Invalid, "{text}");
        assert!(explanation.meaning.contains("no memory is missing"), "{text}");
    }
}

#[test]
fn ops_limits_in_further_wordings() {
    for (text, op, need, limit) in [
        (
            "TT_FATAL: ttnn::slice: required DFB size 1800192 B exceeds per-core L1 budget 1400000 B (row_bytes=900096, misalignment=32); consider slicing along a non-width dim",
            Some("ttnn.slice"),
            Some(1_800_192),
            Some(1_400_000),
        ),
        (
            "ttnn::slice: L1 budget 480 B too small for sub-row chunking (alignment 64 B)",
            None,
            None,
            Some(480),
        ),
        (
            "conv3d: 60000 B of L1 above the allocator base cannot hold the 65536 B headroom for L1 buffers",
            Some("conv3d"),
            Some(65_536),
            Some(60_000),
        ),
        ("L1 ceiling (105824) must exceed base (107840)", None, Some(107_840), Some(105_824)),
        (
            "<unknown>:0: error: loc(\"convolution.5\"): OperationValidationAndFallback: Operation ttnn.conv2d failed validation (original error: OutOfMemoryError - Not enough L1 memory). No fallback configuration worked (tested up to 900 combinations).",
            Some("ttnn.conv2d"),
            None,
            None,
        ),
        (
            "Not enough L1 memory. totalL1Usage: 1700000 [overallPeakL1Usage=1600000, additionalL1Usage=100000] [cbPeakUsage=900000, l1BuffersPeakUsage=700000] limit: 1393312",
            None,
            Some(1_700_000),
            Some(1_393_312),
        ),
        (
            "Not enough L1 memory. OpModel constraints failed: loc(\"Net\":0:0)->ttnn.permute \n producerLayout: #ttnn.ttnn_layout<(d0, d1)>, \noutputLayout: #ttnn.ttnn_layout<(d0)>, \nl1Usage: 7559168, producerL1OutputUsage: 2408448, outputTensorUsage: 5138432, cBUsagePeak: 12288",
            Some("ttnn.permute"),
            Some(7_559_168),
            None,
        ),
    ] {
        let Message::OpLimit(found) = only(text).message else { panic!("{text}") };
        assert_eq!((found.need, found.limit), (need, limit), "{text}");
        if op.is_some() {
            assert_eq!(found.op.as_deref(), op, "{text}");
        }
    }
}

#[test]
fn settings_that_leave_too_little() {
    let explanation = only("TT_FATAL: Reserved size must be less than bank size (assert.hpp:104)");
    assert!(explanation.title.starts_with("l1_small_size"));
    let explanation = only(
        "moe_expert_ffn needs the device opened with worker_l1_size <= 1300000 (the default of the chip): the kernel config of both halves does not fit the kernel-config ring otherwise. The allocator base is at 111744 but this op needs it at 120000 or above.",
    );
    assert_eq!(explanation.over_bytes, Some(8_256));
    assert!(explanation.advice[0].text.contains("worker_l1_size=1300000"));
}

#[test]
fn a_circular_buffer_warning_of_2024() {
    let line = "                 Always | WARNING  | Circular buffer size 104448 B exceeds allocated L1 buffer bank size of 90304 B. This may allow this circular buffer to write outside the allocated buffer space.\n";
    let explanation = only(&line.repeat(3));
    assert_eq!((explanation.fit, explanation.over_bytes), (Fit::Invalid, Some(14_144)));
    assert_eq!(explanation.count, 3);
}

#[test]
fn host_pages_in_further_wordings() {
    let explanation = only(
        "FATAL | Hugepages must be successfully initialized if workload contains remote chips!\n",
    );
    assert_eq!(explanation.fit, Fit::NotDeviceMemory);
    let explanation = only(
        "TT_FATAL: Hugepage auxiliary region exhausted: requested 4096 bytes (4096 aligned), 65536 of 69632 used (assert.hpp:104)",
    );
    let values: Vec<&str> =
        explanation.figures.iter().map(|figure| figure.value.as_str()).collect();
    assert_eq!(values, ["4,096 bytes", "65,536 bytes (64.0 KiB)", "69,632 bytes (68.0 KiB)"]);
}

#[test]
fn shortened_messages_say_what_they_have() {
    let explanation = only(
        "Statically allocated circular buffers grow to 2201376 B which is beyond max L1 size of 1499136 B",
    );
    assert_eq!((explanation.over_bytes, explanation.core_count), (Some(702_240), None));
    let explanation =
        only("Statically allocated circular buffers grow beyond max L1 size of 1572864 B");
    assert!(explanation.cut);
    for (text, start) in [
        (
            "FAILED x.py::t - RuntimeError: TT_FATAL @ /w/mesh_trace.cpp:78: mesh_cq.device()->get_trace_buffers_size() <= trace_region_size",
            "The trace",
        ),
        (
            "RuntimeError: TT_FATAL @ /w/tt_metal/impl/program/program.cpp:2215: state.offset <= max_size",
            "A program is too large",
        ),
        (
            "RuntimeError: TT_FATAL @ /w/bank_manager.cpp:405: num_shards.value() <= num_compute_banks",
            "A shard grid",
        ),
        ("RuntimeError: TT_FATAL @ /w/bank_manager.cpp:462: false", "Cannot allocate a buffer"),
    ] {
        let explanation = only(text);
        assert!(explanation.title.starts_with(start), "{}", explanation.title);
    }
}

/// An exception has the condition and then the message: that is one error.
#[test]
fn a_condition_and_its_message_are_one_error() {
    let text = format!(
        "RuntimeError: TT_FATAL @ /w/tt_metal/impl/allocator/bank_manager.cpp:462: false\ninfo:\n{REFUSED}\nbacktrace:\n"
    );
    let explanation = only(&text);
    assert_eq!((explanation.count, explanation.line, explanation.cut), (1, 3, false));
    let text = "TT_FATAL @ /w/mesh_trace.cpp:78: mesh_cq.device()->get_trace_buffers_size() <= trace_region_size\n\n[tt-server-52e5] (EngineCore_DP0 pid=2) ERROR 06-05 19:19:37 core.py:1035] \nCreating trace buffers of size 60825600B on MeshDevice 0, but only 50000000B is allocated for trace region.\n";
    assert_eq!((only(text).count, only(text).over_bytes), (1, Some(10_825_600)));
}

/// A number of an op's check that a terminal broke, once, is not a second and smaller one.
#[test]
fn a_broken_number_of_an_op_is_whole_again() {
    let message = "ttnn::slice: required DFB size 3200000 B exceeds per-core L1 budget 1393312 B (row_bytes=1599996, misalignment=2); consider slicing along a non-width dim";
    let log = format!(
        "2026-07-10 13:33:30.166 | critical |          Always | TT_FATAL: {message} (assert.hpp:104)\n"
    );
    let plain = facts(&explain::explain(message));
    for columns in 60..140 {
        let mut text = String::new();
        for piece in log.trim_end().as_bytes().chunks(columns) {
            text += std::str::from_utf8(piece).unwrap();
            text.push('\n');
        }
        assert_eq!(facts(&explain::explain(&text)), plain, "{columns}\n{text}");
    }
}

/// Two prints of which a terminal broke one are one error.
#[test]
fn a_shard_grid_that_was_broken_once_is_one_error() {
    let message = "Invalid shard grid: shard core (8, 0) has no L1 bank on this device, which has 64 of them. Derive the shard grid from the device";
    let (head, rest) = message.split_at(message.find("ch has 64").unwrap());
    let text = format!(
        "TT_FATAL: {message}\nE       RuntimeError: TT_FATAL @ /src/buffer.cpp:272: allocator.has_bank(core)\nE       info:\nE       {head}\nE       {rest}\n"
    );
    assert_eq!(only(&text).count, 1);
}

/// What a notebook, a report of tests and their summary repeat of an exception is no second error.
#[test]
fn an_exception_that_a_file_repeats_is_one_error() {
    let thrown = format!(
        "TT_FATAL @ /src/tt_metal/impl/allocator/bank_manager.cpp:514: false\ninfo:\n{REFUSED}\nbacktrace:\n --- f()\n"
    );
    let json = serde_json::to_string(&thrown).unwrap();
    let notebook = format!(
        "     \"ename\": \"RuntimeError\",\n     \"evalue\": {json},\n     \"output_type\": \"error\",\n     \"traceback\": [\n      \"---\",\n      {json}\n     ]\n"
    );
    let junit = format!(
        "<testcase name=\"t\"><failure message=\"RuntimeError: {}\">def t():\nE       RuntimeError: {}</failure></testcase>\n",
        thrown.replace('\n', "&#10;"),
        thrown.replace('\n', "\nE       ")
    );
    let summary = format!(
        "E   RuntimeError: {}\n=== short test summary info ===\nFAILED x.py::t - RuntimeError: TT_FATAL @ /src/tt_metal/impl/allocator/bank_manager.cpp:514: false\n",
        thrown.replace('\n', "\nE   ")
    );
    for text in [notebook, junit, summary] {
        let found = only(&text);
        assert_eq!((found.count, found.over_bytes), (1, Some(58_247_200)), "{text}");
    }
    let twice =
        "FAILED x.py::t - RuntimeError: TT_FATAL @ /src/bank_manager.cpp:514: false\n".repeat(2);
    assert_eq!(only(&twice).count, 2);
}

/// Docker writes long lines in parts of 16 KiB, which may end within a number.
#[test]
fn a_number_that_docker_divided_is_not_believed() {
    let clash = "Statically allocated circular buffers in program 7 clash with L1 buffers on core range [0-0 - 7-7]. L1 buffer allocated at 704448 and static circular buffer region ends at 807936";
    let number = clash.find("704448").unwrap();
    for at in 1..6 {
        let (head, rest) = clash.split_at(number + at);
        let text = format!(
            "{{\"log\":\"{head}\",\"stream\":\"stderr\"}}\n{{\"log\":\"{rest}\\n\",\"stream\":\"stderr\"}}\n"
        );
        let Message::BuffersClash(numbers) = only(&text).message else { panic!("{text}") };
        assert_eq!(numbers.l1_address, None, "{text}");
    }
}
