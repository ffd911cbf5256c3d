//! The cost of a passive sample: one region, one merge, one whole pass over a host on disk.
//!
//! `cargo bench -p ttmem-sources --bench passive`
#![expect(clippy::unwrap_used, reason = "a bench may panic")]

use divan::Bencher;
use ttmem_fake::{BYTES, Host, NOW, PID, Region};
use ttmem_merge::merge;
use ttmem_root::{Clock, Root};
use ttmem_sources::Collector;
use ttmem_sources::source::upstream::parse;

fn main() {
    divan::main();
}

fn host(chips: usize) -> Host {
    match chips {
        1 => Host::n150(),
        8 => Host::t3000(),
        _ => Host::galaxy(),
    }
}

#[divan::bench(args = [1, 64])]
fn parse_one_region(bencher: Bencher<'_, '_>, slots: i32) {
    let region =
        (0..slots).fold(Region::new(7), |region, slot| region.slot(PID + slot, "python3", BYTES));
    let image = region.image();
    bencher.bench(|| parse(divan::black_box(&image)));
}

#[divan::bench(args = [1, 8, 32])]
fn merge_facts(bencher: Bencher<'_, '_>, chips: usize) {
    let root = Root::memory(host(chips).into_tree());
    let facts = Collector::new(root).with_clock(Clock::Fixed(NOW)).facts();
    bencher.bench(|| merge(divan::black_box(&facts), None));
}

#[divan::bench(args = [1, 8, 32])]
fn whole_pass_on_disk(bencher: Bencher<'_, '_>, chips: usize) {
    let folder = tempfile::tempdir().unwrap();
    host(chips).into_tree().write_to(folder.path()).unwrap();
    let mut collector = Collector::new(Root::directory(folder.path()).unwrap());
    bencher.bench_local(|| collector.snapshot());
}
