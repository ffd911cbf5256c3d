//! The cost of the live view, without reading the host: one frame, one sample.
//!
//! `cargo bench -p ttmem --bench live`

use divan::Bencher;
use ttmem::testing::Live;

fn main() {
    divan::main();
}

/// A frame on an empty screen.
#[divan::bench(args = 1..=7)]
fn frame_of_32_chips(bencher: Bencher<'_, '_>, view: u8) {
    let mut live = Live::galaxy(view, 120);
    bencher.bench_local(|| live.draw_all());
}

/// A frame that equals the one before.
#[divan::bench]
fn frame_in_which_nothing_changed(bencher: Bencher<'_, '_>) {
    let mut live = Live::galaxy(1, 120);
    bencher.bench_local(|| live.draw());
}

/// The update with a sample of 32 chips.
#[divan::bench]
fn sample_of_32_chips(bencher: Bencher<'_, '_>) {
    let mut live = Live::galaxy(1, 120);
    bencher.bench_local(|| live.sample());
}

#[divan::bench]
fn key(bencher: Bencher<'_, '_>) {
    let mut live = Live::galaxy(4, 120);
    bencher.bench_local(|| live.press_down());
}
