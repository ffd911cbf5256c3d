//! The cost of the text of `/metrics`, without the network.
//!
//! `cargo bench -p ttmem --bench metrics`

use divan::Bencher;
use divan::counter::BytesCount;
use ttmem::output::openmetrics::{Format, Processes, render};
use ttmem_sources::demo::Busy;

fn main() {
    divan::main();
}

/// 32 chips with eight busy processes.
#[divan::bench(args = [Processes::Hidden, Processes::Shown])]
fn metrics_of_32_chips(bencher: Bencher<'_, '_>, processes: Processes) {
    let mut busy = Busy::galaxy();
    busy.next(100_000);
    let snapshot = busy.next(100_000);
    let bytes = BytesCount::of_str(&render(&snapshot, Format::OpenMetrics, processes));
    bencher.counter(bytes).bench(|| render(&snapshot, Format::OpenMetrics, processes));
}
