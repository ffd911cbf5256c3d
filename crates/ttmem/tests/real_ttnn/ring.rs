//! A program that is too large for the kernel configuration ring: the report has the bytes of TT-Metal's own message.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::{agent_library, is_installed, testbed};

/// Releases that are compared where they are installed: the newest, and the one before, whose message has no breakdown. The
/// ring of older ones begins lower, so that the program fits.
const RELEASES: [&str; 2] = ["0.81.1", "0.80.0"];

/// The bytes of the program and of the ring, and the type of the cores, in TT-Metal's message.
fn message(log: &str) -> (u64, u64, String) {
    let (_, text) = log.split_once("Program size (").unwrap_or_else(|| panic!("{log}"));
    let (size, rest) = text.split_once(") too large for kernel config buffer (").unwrap();
    let (ring, rest) = rest.split_once(") on ").unwrap();
    let cores = rest.split([',', '\n', ' ']).next().unwrap();
    (size.parse().unwrap(), ring.parse().unwrap(), cores.to_owned())
}

fn refused(release: &str, folder: &Path) -> (String, Value) {
    let report = folder.join("report.json");
    let output = Command::new(env!("CARGO_BIN_EXE_ttmem"))
        .arg("run")
        .arg(format!("--report={}", report.display()))
        .arg("--")
        .arg(testbed().join("run"))
        .args(["--mock", "n150", "--ttnn", release, "--private-shm"])
        .arg(testbed().join("ring.py"))
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    (log, report["processes"][0]["programs"]["refused"].clone())
}

#[test]
fn a_program_too_large_for_the_ring_has_the_bytes_of_the_message() {
    if !is_installed() {
        return;
    }
    agent_library::build();
    let is_there = |release: &&str| testbed().join(".venv").join(release).join("complete").exists();
    for release in RELEASES.into_iter().filter(is_there) {
        let folder = tempfile::tempdir().unwrap();
        let (log, refused) = refused(release, folder.path());
        let (size, ring, cores) = message(&log);
        assert!(ring < 2048 && cores == "TENSIX", "{release}: {ring} {cores}");
        let [refused] = &refused.as_array().unwrap()[..] else { panic!("{release}: {refused}") };
        assert_eq!(refused["reason"], "config_too_large", "{release}");
        assert_eq!((&refused["end"], &refused["limit"]), (&json!(size), &json!(ring)), "{release}");
        assert_eq!(refused["core_type"], "worker", "{release}");
        let explained = &refused["explanation"]["message"];
        assert_eq!(explained["processor"], "TENSIX", "{release}: {explained}");
    }
}
