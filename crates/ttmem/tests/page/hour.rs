//! The page of a long recording of many chips: its size, and how soon it is seen.

use std::path::Path;

use ttmem_fake::Host;
use ttmem_model::{Reading, Timestamp};
use ttmem_recording::{Contents, Encoder, Header, Limits};
use ttmem_root::Root;
use ttmem_sources::Collector;
use ttmem_test_support::browser::{Browser, is_installed};

use super::run;

const SECONDS: u64 = 3600;
const MIB: u64 = 1 << 20;

/// Writes an hour of a Galaxy at 1 s, in which the DRAM and L1 of each chip change every second.
fn galaxy(path: &Path) {
    let mut moment = Collector::new(Root::memory(Host::galaxy().into_tree())).snapshot();
    let header = Header { ttmem: "0.1.0".into(), interval_us: 1_000_000, ..Header::default() };
    let (mut contents, mut bytes) = Contents::begin(&header);
    let mut encoder = Encoder::new(Limits::default());
    let begin = moment.time_us.0;
    for second in 0..SECONDS {
        moment.time_us = Timestamp(begin + second * 1_000_000);
        for (number, chip) in (0..).zip(&mut moment.chips) {
            let noise = (second * 31 + number * 17).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52;
            let (dram, l1) = ((2048 + second + noise) * MIB, (noise % 64) * MIB);
            set(&mut chip.memory.dram.used, dram);
            set(&mut chip.memory.l1.used, l1);
            let held = moment.processes.iter_mut().flat_map(|process| &mut process.chips);
            for on in held.filter(|on| on.chip == chip.id) {
                set(&mut on.memory.dram, dram);
                set(&mut on.memory.l1, l1);
            }
        }
        if let Some(block) = encoder.push(moment.time_us, &moment).unwrap() {
            contents.add(&block);
            bytes.extend(block.bytes);
        }
    }
    bytes.extend(encoder.flush().unwrap().bytes);
    bytes.extend(contents.end());
    std::fs::write(path, bytes).unwrap();
}

fn set(reading: &mut Reading<u64>, bytes: u64) {
    if let Reading::Known { value, .. } = reading {
        *value = bytes;
    }
}

#[test]
#[ignore = "a figure, not a test"]
fn an_hour_of_a_galaxy() {
    assert!(is_installed());
    let folder = tempfile::tempdir().unwrap();
    galaxy(&folder.path().join("a.ttmem"));
    run(folder.path(), &["report", "a.ttmem", "--html", "-o", "a.html"]);
    let page = folder.path().join("a.html");
    println!("32 chips, an hour at 1 s: {} bytes", std::fs::metadata(&page).unwrap().len());
    for _ in 0..5 {
        let mut browser = Browser::start();
        browser.resize(1280, 900, false);
        browser.open_file(&page);
        let paint = "performance.getEntriesByName('first-contentful-paint')";
        browser.wait_for(&format!("{paint}.length > 0"));
        let told = browser.eval(&format!("[{paint}[0], performance.getEntriesByName('ready')[0]].map((it) => Math.round(it.startTime))"));
        let each = browser.eval(
            "(async () => { const began = performance.now(); document.querySelector('[data-way=each]').click();
               await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))); return Math.round(performance.now() - began); })()",
        );
        browser.picture("hour");
        println!(
            "milliseconds to the first paint and to the last chart: {told}; then to a chart a chip: {each}"
        );
    }
}
