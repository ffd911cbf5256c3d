//! The time to decode L1 that is already in memory.

#![expect(clippy::unwrap_used, reason = "a bench may panic")]

use std::path::Path;

use ttmem_model::l1::L1Map;
use ttmem_sources::l1::Reader;
use ttmem_sources::port::L1Port;
use ttmem_sources::port::image::ImagePort;

fn main() {
    divan::main();
}

fn chip(name: &str) -> (ImagePort, Reader) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/l1").join(name);
    let mut port = ImagePort::open(&directory).unwrap().pop().unwrap();
    let reader = Reader::open(&mut port).unwrap();
    (port, reader)
}

/// A whole chip: 140 cores of a Blackhole, 104 of them running. The goal is 1 ms.
#[divan::bench(args = ["blackhole/matmul", "blackhole/sharded_add", "wormhole-fast-dispatch/gelu"])]
fn decode_chip(bencher: divan::Bencher<'_, '_>, name: &str) {
    let (mut port, mut reader) = chip(name);
    bencher.bench_local(|| reader.sample(&mut port).unwrap());
}

/// One running core. The goal is 5 µs.
#[divan::bench(args = ["blackhole/matmul", "wormhole-fast-dispatch/gelu"])]
fn decode_core(bencher: divan::Bencher<'_, '_>, name: &str) {
    let (port, _) = chip(name);
    let core = *port.chip().cores.first().unwrap();
    let mut port = port.with_cores(&[core]);
    let mut reader = Reader::open(&mut port).unwrap();
    bencher.bench_local(|| reader.sample(&mut port).unwrap());
}

/// Finding the layout and the cores, once a run.
#[divan::bench(args = ["blackhole/matmul"])]
fn open_chip(bencher: divan::Bencher<'_, '_>, name: &str) {
    let (mut port, _) = chip(name);
    bencher.bench_local(|| Reader::open(&mut port).unwrap());
}

/// Decoding and the map of every core, without buffers.
#[divan::bench(args = ["blackhole/matmul"])]
fn map_chip(bencher: divan::Bencher<'_, '_>, name: &str) {
    let (mut port, mut reader) = chip(name);
    let geometry = reader.geometry();
    bencher.bench_local(|| {
        let (cores, _) = reader.sample(&mut port).unwrap();
        cores.iter().map(|core| L1Map::new(core, &geometry, None)).collect::<Vec<_>>()
    });
}
