//! One refusal is counted once, however many programs print it; refusals of several ranks are several.

use crate::explain::{self, Explanation};

const REFUSED: &str = "Out of Memory: Not enough space to allocate 146575360 B DRAM buffer across 12 banks, where each bank needs to store 12214976 B, but bank size is 1071821792 B (allocated: 1068121088 B, free: 3700704 B, largest free block: 3382944 B)";

fn only(text: &str) -> Explanation {
    let mut found = explain::explain(text);
    assert_eq!(found.len(), 1, "{text}\n{found:#?}");
    found.remove(0)
}

/// The lines of an exception of TT-Metal, each behind a prefix.
fn thrown(prefix: &str) -> String {
    let lines = [
        "Traceback (most recent call last):",
        "  File \"/app/vllm/v1/engine/core.py\", line 940, in run_engine_core",
        "    raise e",
        "RuntimeError: TT_FATAL @ /tt-metal/tt_metal/impl/allocator/bank_manager.cpp:439: false",
        "info:",
        REFUSED,
        "backtrace:",
        " --- /tt-metal/build/lib/libtt_metal.so(+0x22ac1b) [0x7f730c6a8c1b]",
    ];
    lines.iter().map(|line| format!("{prefix}{line}\n")).collect()
}

/// An exception as a value, as a logger prints it before its traceback.
fn value(prefix: &str) -> String {
    format!(
        "{prefix}RuntimeError('TT_FATAL @ /tt-metal/tt_metal/impl/allocator/bank_manager.cpp:439: false\\ninfo:\\n{REFUSED}\\nbacktrace:\\n --- x')\n"
    )
}

/// tenstorrent/tt-metal#21904 has the value and the traceback in one record; vllm/v1 prints what its engine core threw in the
/// core, at the end of that process, and in the server.
#[test]
fn an_exception_that_several_programs_print_is_one() {
    let old = "ERROR 05-09 15:23:00 engine.py:159] ";
    let core = "(EngineCore_DP0 pid=340) ERROR 04-20 18:51:38 [core.py:940] ";
    let raw = "(EngineCore_DP0 pid=340) ";
    let server = "(APIServer pid=12) ERROR 04-20 18:51:39 [async_llm.py:480] ";
    let contained = "2026-04-20T18:51:39.4711000Z ERROR 04-20 18:51:38 [core.py:940] ";
    let failed = format!("(APIServer pid=12) RuntimeError: {REFUSED}\n");
    let chained = "\nThe above exception was the direct cause of the following exception:\n\n";
    for text in [
        value(old) + &thrown(old),
        value(old) + &thrown(old) + &thrown("ERROR 05-09 15:23:01 client.py:280] "),
        thrown(core) + &thrown(server),
        thrown(core) + &format!("{raw}Process EngineCore_DP0:\n") + &thrown(raw) + &thrown(server),
        thrown(core) + &"a line between\n".repeat(2000) + &thrown(server),
        thrown(core) + &failed,
        value(contained) + &thrown(contained),
        thrown("") + chained + &thrown(""),
    ] {
        let found = only(&text);
        assert_eq!((found.count, found.over_bytes), (1, Some(8_514_272)), "{text}");
    }
}

#[test]
fn ranks_and_later_requests_are_counted() {
    let at = |rank: usize, second: usize| {
        format!(
            "(EngineCore_DP{rank} pid={}) ERROR 04-20 18:51:{second} [core.py:940] ",
            340 + rank
        )
    };
    let server = "(APIServer pid=12) ERROR 04-20 18:51:59 [async_llm.py:480] ";
    for (count, text) in [
        (2, thrown(&at(0, 38)) + &thrown(&at(1, 38)) + &thrown(server)),
        (2, thrown(&at(0, 38)) + &thrown(server) + &thrown(&at(0, 49))),
        (2, thrown("[rank0]: ") + &thrown("[rank1]: ")),
        (2, thrown("[1,0]<stderr>: ") + &thrown("[1,1]<stderr>: ")),
        (3, thrown("E   ").repeat(3)),
    ] {
        let found = explain::explain(&text);
        assert_eq!((found.len(), found[0].count), (1, count), "{text}");
    }
}

/// A record in JSON is one line: its fields may each have the exception. Loggers differ in their keys and names.
#[test]
fn loggers_that_write_json_print_one_exception() {
    let error =
        format!("RuntimeError: TT_FATAL @ /x.cpp:439: false\ninfo:\n{REFUSED}\nbacktrace:\n --- x");
    let record = |name: &str, second: usize| {
        let time = format!("2026-06-06 03:15:{second},174");
        serde_json::json!({ "asctime": time, "logger": name, "request": format!("a{second}f"), "message": error }).to_string() + "\n"
    };
    let loguru = serde_json::json!({ "text": format!("2026-06-06 03:15:40.174 | ERROR | {error}\n"), "record": { "exception": { "value": error }, "message": error } }).to_string() + "\n";
    let other = serde_json::json!({ "severity": "ERROR", "exc_info": error }).to_string() + "\n";
    let docker = |line: &str| {
        format!(
            "{{\"log\":\"{line}\\n\",\"stream\":\"stderr\",\"time\":\"2026-06-06T03:15:40.1Z\"}}\n"
        )
    };
    let contained: String = [
        "(EngineCore_DP0 pid=34) ERROR 04-20 18:51:38 [core.py:9] ",
        "(APIServer pid=1) ERROR 04-20 18:51:39 [serving.py:8] ",
    ]
    .iter()
    .flat_map(|prefix| ["info:", REFUSED].map(|line| docker(&format!("{prefix}{line}"))))
    .collect();
    for (count, text) in [
        (1, loguru.clone()),
        (2, loguru.repeat(2)),
        (1, record("core", 40) + &other),
        (1, record("core", 40) + &record("serving", 41)),
        (2, record("core", 40) + &record("core", 41)),
        (1, contained),
    ] {
        let found = only(&text);
        assert_eq!(found.count, count, "{text}");
    }
}
