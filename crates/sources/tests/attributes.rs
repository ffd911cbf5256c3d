//! Attacks on the driver's files, one file at a time: it is missing, cannot be read, or has another content. The other chip stays
//! as it is, and a number is missing with a reason, never another number.
//!
//! `ATTRIBUTES` is the number of contents that each file gets.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use rustix::io::Errno;
use serde_json::Value;
use ttmem_fake::{BYTES, Board, Host, NOW, PID, Process};
use ttmem_root::clock::Clock;
use ttmem_root::{Entry, Root, Tree};
use ttmem_sources::Collector;

/// Contents that are no number, word or version that the driver prints, the most telling first.
const CONTENTS: [&str; 14] = [
    "4294967296 4294967297\n",
    "99999999999999999999999999\n",
    "\u{1b}[31mred\u{202e}\n",
    "1e9\n",
    "",
    "\n",
    "7-\n",
    "0x10\n",
    "  5  \n",
    "nan\n",
    "inf\n",
    "12\n34\n",
    "\0\0\0\0",
    "18446744073709551615\n",
];

const ERRORS: [Errno; 4] = [Errno::ACCESS, Errno::IO, Errno::NODEV, Errno::AGAIN];

/// Two chips of different architectures with a process on both.
fn host() -> Host {
    let host = Host::new().board(Board::n150()).board(Board::p150());
    host.workload(Process::new(PID, "python3"), BYTES)
}

/// The chips of a host, as JSON.
fn chips(tree: Tree) -> Vec<Value> {
    let mut collector = Collector::new(Root::memory(tree)).with_clock(Clock::Fixed(NOW));
    let snapshot = serde_json::to_value(collector.snapshot()).unwrap();
    snapshot["chips"].as_array().unwrap().clone()
}

/// The numbers of readings in a chip, by path.
fn numbers(chip: &Value) -> BTreeMap<String, f64> {
    let mut numbers = BTreeMap::new();
    let mut rest = vec![(String::new(), chip)];
    while let Some((path, value)) = rest.pop() {
        match value {
            Value::Object(fields) => {
                let fields = fields.iter().filter(|(name, _)| *name != "age_us");
                rest.extend(fields.map(|(name, value)| (format!("{path}.{name}"), value)));
            }
            Value::Array(items) => {
                let items = items.iter().enumerate();
                rest.extend(items.map(|(index, value)| (format!("{path}.{index}"), value)));
            }
            Value::Number(number) => {
                numbers.insert(path, number.as_f64().unwrap());
            }
            _ => {}
        }
    }
    numbers
}

#[test]
fn no_file_of_a_driver_makes_another_number_or_touches_another_chip() {
    let count = std::env::var("ATTRIBUTES").map_or(2, |count| count.parse().unwrap());
    let before = chips(host().into_tree());
    let numbers_before: Vec<_> = before.iter().map(numbers).collect();
    for device in 0..2 {
        let (directory, hwmon) = (host().device_directory(device), host().hwmon_directory(device));
        let function = hwmon.split("/hwmon").next().unwrap().to_owned();
        let tree = host().into_tree();
        let is_file = |entry: &Entry| matches!(entry, Entry::File { .. });
        let files = tree.iter().filter(|(path, entry)| {
            is_file(entry) && (path.starts_with(&directory) || path.starts_with(&function))
        });
        let files: Vec<&str> = files.map(|(path, _)| path).collect();
        assert!(files.len() > 40, "{files:?}");
        for file in files {
            let contents = CONTENTS.iter().take(count).map(|text| Entry::file(*text));
            let errors = ERRORS.into_iter().take(count).map(Entry::Error);
            for entry in contents.chain(errors).chain([Entry::Directory]) {
                let place = format!("{file}: {entry:?}");
                let mut tree = host().into_tree();
                tree.put(file, entry);
                let now = chips(tree);
                assert_eq!(now.len(), 2, "{place}");
                let (own, other) = (device as usize, 1 - device as usize);
                assert_eq!(now[other], before[other], "{place}");
                for (path, number) in numbers(&now[own]) {
                    assert_eq!(numbers_before[own].get(&path), Some(&number), "{place}: {path}");
                }
            }
        }
    }
}
