//! Any bytes as a memory region: the parser and the merge must not panic, and no number may be above what a chip has.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ttmem_root::{Entry, Tree};
use ttmem_sources::source::upstream::parse;
use ttmem_root::{Clock, Root};
use ttmem_sources::Collector;
use ttmem_fake as fake;

fuzz_target!(|bytes: &[u8]| {
    let _parsed = parse(bytes);
    let mut tree = Tree::new();
    tree.put("/dev/shm/tt_device_7_memory", Entry::file(bytes));
    let mut collector = Collector::new(Root::memory(tree)).with_clock(Clock::Fixed(fake::NOW));
    let snapshot = collector.snapshot();
    for chip in &snapshot.chips {
        for (_, memory) in chip.memory.allocators() {
            assert!(memory.used.value().is_none_or(|used| *used < 1 << 63));
        }
    }
    assert!(serde_json::to_string(&snapshot).is_ok());
});
