//! The cost of the text of `/metrics`, without the network.
//!
//! `cargo bench -p ttmem --bench metrics`

use divan::Bencher;
use divan::counter::BytesCount;
use ttmem::testing::metrics;
use ttmem_sources::demo::Busy;

fn main() {
    divan::main();
}

/// 32 chips with eight busy processes; with or without the metrics of processes.
#[divan::bench(args = [false, true])]
fn metrics_of_32_chips(bencher: Bencher<'_, '_>, has_processes: bool) {
    let mut busy = Busy::galaxy();
    busy.next(100_000);
    let snapshot = busy.next(100_000);
    let bytes = BytesCount::of_str(&metrics(&snapshot, has_processes));
    bencher.counter(bytes).bench(|| metrics(&snapshot, has_processes));
}
