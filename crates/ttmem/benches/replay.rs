//! The time of a jump in a long recording: to the moment, its charts, and the frame.
//!
//! ```sh
//! cargo run --release -p ttmem --example recording -- galaxy 3600 10 target/galaxy.ttmem
//! TTMEM_RECORDING=$PWD/target/galaxy.ttmem cargo bench -p ttmem --bench replay
//! ```

use std::path::PathBuf;

use divan::Bencher;
use ttmem::testing::{Moment, Paused};

fn main() {
    if path().is_some() {
        divan::main();
    }
}

fn path() -> Option<PathBuf> {
    std::env::var_os("TTMEM_RECORDING").map(PathBuf::from)
}

/// A paused replay, and moments all over its recording.
fn replay() -> (Paused, impl FnMut() -> Moment) {
    let path = path().unwrap_or_default();
    let Some(replay) = Paused::open(&path) else { panic!("{} cannot be opened", path.display()) };
    let Some((first, last)) = replay.span() else { panic!("{} is empty", path.display()) };
    let mut step = 1_u64;
    let moments = move || {
        // Golden-ratio steps come everywhere and nowhere twice.
        step = step.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let span = u128::from(last.0 - first.0);
        let part = (u128::from(step) * span) >> 64;
        Moment(first.0 + u64::try_from(part).unwrap_or(0))
    };
    (replay, moments)
}

/// Time from the key to the frame.
#[divan::bench(sample_count = 200)]
fn jump_to_frame(bencher: Bencher<'_, '_>) {
    let (mut replay, mut moments) = replay();
    bencher.bench_local(|| replay.jump(moments()));
}

/// Time from the key to charts of all four windows.
#[divan::bench(sample_count = 10)]
fn jump_to_charts(bencher: Bencher<'_, '_>) {
    let (replay, mut moments) = replay();
    bencher.bench_local(|| replay.jump_to_charts(moments()));
}

/// Time from opening to the list of the first moment: the segments of agents are read once.
#[divan::bench(sample_count = 10)]
fn first_buffers(bencher: Bencher<'_, '_>) {
    let (replay, mut moments) = replay();
    bencher.bench_local(|| {
        let Some(mut list) = replay.lister() else { panic!("cannot be opened") };
        list(moments())
    });
}

/// Time from a jump to the list of buffers, in the background.
#[divan::bench(sample_count = 200)]
fn jump_to_buffers(bencher: Bencher<'_, '_>) {
    let (replay, mut moments) = replay();
    let Some(mut list) = replay.lister() else { panic!("cannot be opened") };
    bencher.bench_local(|| list(moments()));
}
