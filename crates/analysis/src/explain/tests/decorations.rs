//! Messages behind the prefixes, escapes and line ends with which loggers, launchers, containers and CI print them.

use crate::explain::{self, Explanation};
use proptest::prelude::*;

/// One message of each kind, as TT-Metal 0.60 to 0.81.1 words it; `{}` is a number of the test.
const MESSAGES: [&str; 12] = [
    "Statically allocated circular buffers in program 41 clash with L1 buffers on core range [(x=1,y=0) - (x=6,y=8)]. L1 buffer allocated at 6{}12 and static circular buffer region ends at 9{}44",
    "Statically allocated dataflow buffers on core range [0-0 - 7-6] grow to 17{}8 B which is beyond max L1 size of 1499136 B",
    "Out of Memory: Not enough space to allocate 44040192 B DRAM buffer across 12 banks, where each bank needs to store 3670016 B, but bank size is 1071821792 B (allocated: 98{}21 B, free: 8{}71 B, largest free block: 26{}8 B)",
    "Out of Memory: Not enough space to allocate 1310720 B L1_SMALL buffer across 64 banks, where each bank needs to store 20480 B, but bank size is only 1{}6 B",
    "Program size (7{}4) too large for kernel config buffer (70656) on TENSIX",
    "Creating trace buffers of size 61{}20B on MeshDevice 2, but only 50000000B is allocated for trace region.",
    "Trace buffer at address 10{}76 overlaps with buffers allocated during trace capture (allocation high water mark: 20{}152). Reduce allocations during trace capture or set a non-zero trace_region_size.",
    "Cannot set to globally allocated buffer. Circular buffer size 9{}4 B exceeds allocated L1 buffer bank size of 16384 B",
    "Expected number of shards 7{} to be less than or equal to total number of L1 banks 64 in compute cores",
    "LayerNorm streaming circular buffers require 11{}4 bytes, but only 7{}2 bytes of the allocator's L1 span are available",
    "ttnn.concat: required DFB entry size (19{}0 B) exceeds per-core L1 capacity (1394912 B); op cannot fit on this device.",
    "Expected sysmem to be mapped at NOC address 0x1000000000000000, but it was mapped at 0x1000{}0000000. This usually means another process is already holding the sysmem NOC address space UMD requires",
];

fn message(kind: usize, number: u32) -> String {
    MESSAGES[kind].replace("{}", &format!("{:03}", number % 1000))
}

/// Prefixes before each line.
const PREFIXES: [&str; 37] = [
    "",
    "E       ",
    "E   ",
    "> ",
    "# ",
    "[1,3]<stdout>:",
    "[1,0]<stderr>: ",
    "[1,0]<stdout>: 2026-02-09 19:07:29.120 | critical |          Always | ",
    "12: ",
    "[rank5]:[E609 03:15:40.123456789 main.cpp:12] ",
    "[rank0]: ",
    "[default3]:",
    "(RayWorkerWrapper pid=12, ip=10.0.0.1) ",
    "(VllmWorker TP0 pid=1234) ERROR 08-06 23:01:23 [multiproc_executor.py:596] ",
    "(EngineCore_DP0 pid=340) ",
    "ERROR 08-06 23:01:23 [engine.py:453] ",
    "[tt-inference-server-52e5d497] (EngineCore_DP0 pid=292) ERROR 06-05 19:19:37 core.py:1035] ",
    "[pod/tt-llm-7f9c/server] ",
    "tt-llm-7f9c server 2026-06-06T03:15:40.174Z ",
    "vllm-1  | ",
    "2026-06-06T03:15:40.1234567Z ",
    "2026-06-06T03:15:40.1234567Z ##[error]",
    "2026-06-06T03:15:40.123456Z 01E ",
    "[2026-06-06T03:15:40.174Z] ",
    "Jun 06 03:15:40 galaxy-3 python3[4242]: ",
    "Jun 06 03:15:40 ",
    "Jun 06 03:15:40.174123 galaxy-3 tt-serve[4242]: ",
    "Sat Jun  6 03:15:40 2026 ",
    "[2026-06-06 03:15:40.174] [metal] [critical] ",
    "E0606 03:15:40.174000 140412 mesh.cpp:78] ",
    "2026-06-06 03:15:40,174 - ERROR - [run] ",
    "ERROR:tt.runner:",
    "2026-05-14 01:00:31.802 (2408.930s) [        4F4456C0]                utils.h:62     ERR| ",
    "\u{1b}[32m2026-06-06 03:15:40.174\u{1b}[0m | \u{1b}[31m\u{1b}[1mERROR   \u{1b}[0m | \u{1b}[36mtests.conftest\u{1b}[0m:\u{1b}[36mrun\u{1b}[0m:\u{1b}[36m12\u{1b}[0m - ",
    "[chip-10] ",
    "[gw3] ",
    "job-5512.3|",
];

/// Breaks at spaces, with a prefix before each line.
fn wrapped(message: &str, columns: usize, prefix: &str) -> String {
    let mut lines = vec![String::new()];
    for word in message.split(' ') {
        if lines.last().unwrap().len() + word.len() >= columns && !lines.last().unwrap().is_empty()
        {
            lines.push(String::new());
        }
        let line = lines.last_mut().unwrap();
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.iter().map(|line| format!("{prefix}{line}\n")).collect()
}

/// Breaks each line of a text at a column, as a terminal does.
fn broken(text: &str, columns: usize) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let characters: Vec<char> = line.chars().collect();
        for piece in characters.chunks(columns) {
            out.extend(piece);
            out.push('\n');
        }
    }
    out
}

/// Every word that is a number between two marks.
fn coloured(message: &str, on: &str, off: &str) -> String {
    let colour = |word: &str| match word.bytes().all(|byte| byte.is_ascii_digit()) {
        true => format!("{on}{word}{off}"),
        false => word.to_owned(),
    };
    message.split(' ').map(colour).collect::<Vec<_>>().join(" ") + "\n"
}

/// An exception as TT-Metal throws it.
fn exception(message: &str) -> String {
    format!(
        "TT_FATAL @ /src/tt_metal/impl/x.cpp:129: false\ninfo:\n{message}\nbacktrace:\n --- tt::tt_metal::f(unsigned long)\n"
    )
}

/// Whole texts that hold a message once.
fn texts(message: &str) -> Vec<String> {
    let exception = exception(message);
    let docker: String = exception
        .lines()
        .map(|line| {
            let log = serde_json::to_string(&format!("{line}\n")).unwrap();
            format!(
                "{{\"log\":{log},\"stream\":\"stderr\",\"time\":\"2026-06-06T03:15:40.174Z\"}}\n"
            )
        })
        .collect();
    let json = serde_json::json!({ "level": "error", "exc_info": exception }).to_string();
    let twice = serde_json::json!({ "message": json }).to_string();
    let frame: String =
        wrapped(message, 70, "").lines().map(|line| format!("│ {line:<72} │\n")).collect();
    let long = format!(
        "2026-06-06 03:15:40.174 | critical |          Always | TT_FATAL: {message} (assert.hpp:104)"
    );
    let framed: String =
        broken(&long, 94).lines().map(|line| format!("│ {line:<94} │\n")).collect();
    vec![
        format!("RuntimeError({:?})\n", exception),
        format!("Exception: b'{}'\n", exception.replace('\n', "\\n")),
        json,
        twice,
        docker,
        frame,
        framed,
        format!("::error file=x.py,line=3::RuntimeError: {}\n", exception.replace('\n', "%0A")),
        format!("C++ exception with description \"{exception}\" thrown in the test body.\n"),
        format!("| test_conv | {message} | n150 |\n"),
        format!("- `{message}` - [x.log](https://example.org/x.log)\n"),
        format!("** {message}\r\n"),
        format!("50%|#####     | 1/2 [00:44<00:44, 44.80s/it]\r 60%|######    |{exception}"),
        broken(&format!("RuntimeError: {exception}"), 80),
        broken(&format!("                 Always | FATAL    | {message}\n"), 120),
        wrapped(message, 60, "          "),
        // Copied from a page, in which spaces are no-break spaces, or saved as its source.
        message.replace(' ', "\u{a0}"),
        exception.replace(' ', "\u{3000}"),
        format!("<p>{}</p>", message.replace(' ', "&nbsp;")),
        // Colours without the escape before them.
        coloured(message, "[36m", "[0m"),
        coloured(message, "^[[1;36m", "^[[0m"),
        exception.replace('(', "\\u0028").replace('=', "\\u003d").replace('\n', "\\u000a"),
        exception.replace('\n', "\r\n"),
        format!("<p>{message}</p>"),
        format!(
            "2026-06-06 03:15:40.174 | critical |          Always | TT_FATAL: {message} (assert.hpp:104)\n{exception}"
        ),
        format!(
            "                 Always | FATAL    | {message}\n{exception}Traceback:\nE       {message}\n"
        ),
    ]
}

fn facts(explanations: &[Explanation]) -> Vec<String> {
    explanations
        .iter()
        .map(|found| {
            format!("{:?} {:?} {:?} x{}", found.message, found.fit, found.over_bytes, found.count)
        })
        .collect()
}

fn check(text: &str, plain: &[String]) -> Result<(), TestCaseError> {
    let text = format!("step 1\n{text}\nstep 2\n");
    let found = facts(&explain::explain(&text));
    prop_assert_eq!(&found, plain, "{}", text);
    Ok(())
}

/// Facts that may not depend on the decoration. The op is known by its source file too.
fn plain(message: &str) -> Vec<String> {
    facts(&explain::explain(message))
}

#[test]
fn every_message_is_read_in_every_text() {
    let mut failed = Vec::new();
    for kind in 0..MESSAGES.len() {
        let message = message(kind, 571);
        let plain = plain(&message);
        assert_eq!(plain.len(), 1, "{message}");
        for (index, text) in texts(&message).iter().enumerate() {
            if let Err(error) = check(text, &plain) {
                failed.push(format!("text {index}, message {kind}: {error}"));
            }
        }
        for prefix in PREFIXES {
            let one = format!("{prefix}{message}\n");
            let thrown: String =
                exception(&message).lines().map(|line| format!("{prefix}{line}\n")).collect();
            for (how, text) in
                [("one", one), ("thrown", thrown), ("wrapped", wrapped(&message, 64, prefix))]
            {
                if let Err(error) = check(&text, &plain) {
                    failed.push(format!("{prefix} {how}, message {kind}: {error}"));
                }
            }
        }
    }
    assert!(failed.is_empty(), "{} failed\n{}", failed.len(), failed.join("\n\n"));
}

/// Cases of each property; `CASES=10000` looks longer.
fn cases() -> u32 {
    std::env::var("CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(150)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn prefixes_and_widths_change_nothing(kind in 0..MESSAGES.len(), number: u32, prefix in 0..PREFIXES.len(), columns in 36..140_usize) {
        let message = message(kind, number);
        check(&wrapped(&message, columns, PREFIXES[prefix]), &plain(&message))?;
    }

    /// Lines of two ranks, in any order between the ranks.
    #[test]
    fn interleaved_ranks_are_counted(kind in 0..MESSAGES.len(), number: u32, columns in 60..200_usize, order in prop::collection::vec(any::<bool>(), 40)) {
        let message = message(kind, number);
        let texts = ["[1,0]<stderr>: ", "[1,1]<stderr>: "].map(|prefix| wrapped(&message, columns, prefix));
        let [mut first, mut second] = texts.each_ref().map(|text| text.lines());
        let mut text = String::new();
        for is_first in order {
            let line = if is_first { first.next().or_else(|| second.next()) } else { second.next().or_else(|| first.next()) };
            text += line.unwrap_or_default();
            text.push('\n');
        }
        let found = explain::explain(&text);
        let plain = explain::explain(&message);
        prop_assert_eq!(found.len(), 1, "{}", text);
        prop_assert_eq!(&found[0].message, &plain[0].message, "{}", text);
        prop_assert_eq!(found[0].count, 2, "{}", text);
    }

    /// A message that was cut gives no number that is not in it whole.
    #[test]
    fn a_cut_message_gives_no_wrong_number(kind in 0..MESSAGES.len(), number: u32, at in 40..400_usize, mark in 0..3_usize) {
        let message = message(kind, number);
        let end = at.min(message.len());
        let text = format!("TT_FATAL: {}{}\n", &message[..end], ["", "...", "…"][mark]);
        let whole = serde_json::to_value(&explain::explain(&message)[0].message).unwrap();
        for found in explain::explain(&text) {
            let cut = serde_json::to_value(&found.message).unwrap();
            if cut["kind"] != whole["kind"] { continue }
            for (name, value) in cut.as_object().unwrap() {
                let is_derived = name == "free" || name.starts_with("per_bank");
                prop_assert!(!value.is_number() || is_derived || value == &whole[name], "{}: {} of {}", text, name, cut);
            }
        }
    }
}
