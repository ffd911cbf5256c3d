//! Records a made-up host under load, in as many seconds as that takes: for tests of long recordings.
//!
//! ```sh
//! cargo run --release -p ttmem --example recording -- HOST SECONDS PER_SECOND FILE [CONTENT]
//! ```
//!
//! HOST is `demo`, `n150` or `galaxy`. A process comes and goes every few minutes. CONTENT is `facts`, as `ttmem record`
//! keeps them, or `snapshots` without facts.
#![expect(clippy::print_stderr, reason = "an example speaks to whoever runs it")]

use std::error::Error;
use std::io::Write as _;

use ttmem::testing::{Moment, Work};
use ttmem_fake::{BYTES, Host, NOW, Process};
use ttmem_recording::{Contents, Encoder, Header, Limits, Tracker};
use ttmem_root::{Clock, Root};
use ttmem_sources::{Collector, L1Look};

/// A process that comes and goes is there for this long, and away for as long.
const SHIFT_SECONDS: u64 = 200;
/// Pid of that process.
const GUEST: i32 = 7_001;

fn work(host: &str) -> Result<Work, String> {
    let guest = || Process::new(GUEST, "pytest");
    let host = match host {
        "demo" => return Ok(Work::new(Collector::demo())),
        "n150" => Host::n150().workload(guest(), BYTES),
        "galaxy" => (0..7).fold(Host::galaxy().workload(guest(), BYTES), |host, index| {
            host.workload(Process::new(4_300 + index, "python3"), BYTES)
        }),
        other => return Err(format!("there is no host {other}")),
    };
    let root = Root::memory(host.into_tree());
    Ok(Work::new(Collector::new(root).with_clock(Clock::Fixed(NOW))))
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (host, seconds, per_second, path, content) = match arguments.as_slice() {
        [host, seconds, per_second, path] => (host, seconds, per_second, path, "facts"),
        [host, seconds, per_second, path, content] => (host, seconds, per_second, path, &**content),
        _ => return Err("usage: recording HOST SECONDS PER_SECOND FILE [facts|snapshots]".into()),
    };
    let (seconds, per_second): (u64, u64) = (seconds.parse()?, per_second.parse()?);
    let interval_us = 1_000_000 / per_second.max(1);
    let mut work = work(host)?;
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    let header = Header {
        ttmem: env!("CARGO_PKG_VERSION").to_owned(),
        host: Some(host.clone()),
        tt_metal: Vec::new(),
        interval_us,
        run: None,
    };
    let (mut contents, bytes) = Contents::begin(&header);
    file.write_all(&bytes)?;
    let mut encoder = Encoder::new(Limits::default());
    let mut tracker = Tracker::default();
    for number in 0..seconds * per_second {
        let at = Moment(work.begin().0 + number * interval_us);
        let L1Look { mut snapshot, facts, .. } = work.look(at);
        let is_away = (number / per_second / SHIFT_SECONDS) % 2 == 1;
        if is_away {
            snapshot.processes.retain(|process| process.pid.0 != GUEST);
        }
        // The facts have the guest, so that a replay of them would show it.
        let is_guest_known = is_away && host != "demo";
        let facts = facts.filter(|_| content == "facts" && !is_guest_known);
        if let Some(block) = encoder.push_merged(&snapshot, facts)? {
            contents.add(&block);
            file.write_all(&block.bytes)?;
        }
        tracker.observe(&snapshot).into_iter().for_each(|event| encoder.event(event));
    }
    tracker.finish().into_iter().for_each(|event| encoder.event(event));
    if let Some(block) = encoder.flush() {
        contents.add(&block);
        file.write_all(&block.bytes)?;
    }
    file.write_all(&contents.end())?;
    file.flush()?;
    eprintln!("{path}: {} bytes", contents.size());
    Ok(())
}
