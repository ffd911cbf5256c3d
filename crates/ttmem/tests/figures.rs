//! Figures of outputs, on demand:
//!
//! `cargo test --profile bench -p ttmem --test figures -- --ignored --nocapture`

use std::time::Instant;

use ttmem::output::openmetrics::{Format, Processes, render};
use ttmem_collect::fake::Busy;

#[test]
#[ignore = "a figure, not a test"]
fn metrics_of_32_chips() {
    let mut busy = Busy::galaxy();
    busy.next(100_000);
    let snapshot = busy.next(100_000);
    for (name, processes) in [("chips", Processes::Hidden), ("and processes", Processes::Shown)] {
        let mut times = Vec::new();
        let mut bytes = 0;
        for _ in 0..200 {
            let start = Instant::now();
            bytes = render(&snapshot, Format::OpenMetrics, processes).len();
            times.push(start.elapsed());
        }
        times.sort_unstable();
        println!("metrics     {name}: {:?}, at most {:?}, {bytes} bytes", times[100], times[199]);
    }
}
