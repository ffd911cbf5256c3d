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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn blocks_find_what_every_line_has(
        lines in prop::collection::vec((0..26_usize, any::<u32>(), 1..20_usize), 1..20),
        piece in 1..9_000_usize,
    ) {
        let mut log = String::new();
        for (kind, number, times) in lines {
            match MESSAGES.get(kind) {
                Some(message) => log += &(filled(message, number) + "\n"),
                None => log += &(NOISE[kind % NOISE.len()].to_owned() + "\n").repeat(times),
            }
        }
        let mut scanner = Scanner::default();
        log.as_bytes().chunks(piece).for_each(|piece| scanner.push(piece));
        let every_line = Scanner::of_every_line(log.as_bytes());
        prop_assert_eq!(facts(&scanner.finish()), facts(&every_line), "{}", log);
    }
}
