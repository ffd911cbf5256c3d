//! A log is searched in blocks, and read where a word of messages is. That finds what reading every line finds.

use crate::explain::scan::{Scanned, Scanner};
use proptest::prelude::*;

/// Lines of logs that have no message, though some have words of messages.
const NOISE: [&str; 12] = [
    "2026-11-28 16:24:57.459 | debug    |              Op | Launching device operation number 41: program hash 2654435761, cache hit",
    "2026-11-28 16:24:57.460 | info     |          Always | moved weights to L1 (memory_config=L1_MEMORY_CONFIG)",
    "[1,0]<stderr>: step 137 of 200",
    "[1,1]<stderr>: step 137 of 200, this needs 3 more in L1",
    "INFO 08-06 23:01:23 [engine.py:453] Avg generation throughput: 12.1 tokens/s, only 2 requests",
    "    at /src/tt_metal/impl/program/program.cpp:129",
    "held by a thread for 3 ms",
    "50%|#####     | 1/2 [00:44<00:44, 44.80s/it]",
    "{\"level\": \"info\", \"msg\": \"circular buffers of 3 programs are cached\"}",
    "",
    " ",
    "Requirement already satisfied: numpy<2 in ./venv/lib/python3.10/site-packages (1.26.4)",
];

/// Messages as they stand in logs.
const MESSAGES: [&str; 12] = [
    "TT_THROW: Statically allocated circular buffers in program {} clash with L1 buffers on core range [(x=0,y=0) - (x=7,y=6)]. L1 buffer allocated at 10{} and static circular buffer region ends at 14{}",
    "2026-04-06 09:11:02.114 | critical |          Always | TT_FATAL: Out of Memory: Not enough space to allocate 58{} B DRAM buffer across 12 banks, where each bank needs to store 48{} B, but bank size is 1071821792 B (allocated: 98{} B, free: 88{} B, largest free block: 26{} B)",
    "E       Out of Memory: Not enough space to allocate 13{} B\nE       L1_SMALL buffer across 64 banks, where each bank\nE       needs to store 20{} B, but bank size is only 14{} B",
    "TT_FATAL: Program size (71{}) too large for kernel config buffer (70656) on TENSIX",
    "Error: TT_FATAL @ /src/x.cpp:1: ok\\ninfo:\\nCreating trace buffers of size 61{}B on MeshDevice 2, but only 50{}B is allocated for trace region.\\nbacktrace:\\n",
    "info:\nLayerNorm streaming circular buffers require 11{} bytes, but only 78{} bytes of the allocator's L1 span are available\nbacktrace:",
    "[1,0]<stderr>: TT_FATAL: ttnn.concat: required DFB entry size (19{} B) exceeds per-core\n[1,0]<stderr>: L1 capacity (13{} B); op cannot fit on this device.",
    "RuntimeError: Failed to allocate TLB window. Look at /sys/kernel/debug/tenstorrent/16/mappings for more information.  Error: tt_tlb_alloc failed with error code -12 for TLB size 1048576.",
    "2026-04-18 10:01:11.120 | warning  |              Op | Allocating semaphores in L1, which may fragment L1 and reduce headroom for subsequent op allocations.",
    "RuntimeError: unable to allocate {} things",
    "(12 banks, where each bank needs to store 20{} B",
    "ted at 10{} and static circular buffer region ends at 14{}",
];

fn filled(template: &str, number: u32) -> String {
    template.replace("{}", &format!("{:04}", number % 10_000))
}

fn facts(scanned: &Scanned) -> Vec<String> {
    let mut facts: Vec<String> = scanned
        .found
        .iter()
        .map(|found| format!("{} x{} {:?}", found.line, found.count(), found.message))
        .collect();
    facts.extend(scanned.unknown.examples.iter().map(|line| format!("{line:?}")));
    facts
}

/// Kinds of entries of a log: the messages, and noise more than once.
const KINDS: usize = 26;

fn entry(kind: usize, number: u32, times: usize) -> String {
    match MESSAGES.get(kind) {
        Some(message) => filled(message, number) + "\n",
        None => (NOISE[kind % NOISE.len()].to_owned() + "\n").repeat(times),
    }
}

/// The facts of a log that comes in pieces of a size.
fn in_pieces(log: &str, piece: usize) -> Vec<String> {
    let mut scanner = Scanner::default();
    log.as_bytes().chunks(piece).for_each(|piece| scanner.push(piece));
    facts(&scanner.finish())
}

/// A sequence in which each kind is followed by each once.
fn every_pair() -> Vec<usize> {
    let of = |kind: usize| {
        let later = (kind + 1..KINDS).flat_map(move |later| [kind, later]);
        std::iter::once(kind).chain(later)
    };
    (0..KINDS).flat_map(of).chain([0]).collect()
}

/// Entries of one log: reading every line costs as much as the log behind it.
const ENTRIES: usize = 8;

#[test]
fn blocks_find_every_pair() {
    let kinds = every_pair();
    for first in (0..kinds.len() - 1).step_by(ENTRIES) {
        let part = &kinds[first..kinds.len().min(first + ENTRIES + 1)];
        let number = |index: usize| u32::try_from(first + index / 3).unwrap_or_default();
        let log: String =
            part.iter().enumerate().map(|(index, kind)| entry(*kind, number(index), 1)).collect();
        let every_line = facts(&Scanner::of_every_line(log.as_bytes()));
        for piece in [17, 700, 1 << 20] {
            assert_eq!(in_pieces(&log, piece), every_line, "pieces of {piece}: {log}");
        }
    }
}

/// Cases of the property; `CASES=10000` looks longer.
fn cases() -> u32 {
    std::env::var("CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    /// Messages at any distance, behind each other and in the pieces that a log comes in.
    #[test]
    fn blocks_find_what_every_line_has(
        entries in prop::collection::vec((0..KINDS, any::<u32>(), 1..20_usize), 1..20),
        pieces in prop::collection::vec(1..9_000_usize, 5),
    ) {
        let log: String =
            entries.iter().map(|(kind, number, times)| entry(*kind, *number, *times)).collect();
        let every_line = facts(&Scanner::of_every_line(log.as_bytes()));
        for piece in pieces {
            prop_assert_eq!(&in_pieces(&log, piece), &every_line, "pieces of {}: {}", piece, log);
        }
    }
}
