//! A device whose driver does not answer: the others are shown at once, in every command, and no command waits for it.
//!
//! A FIFO in place of one of the driver's files blocks as the driver's lock does: the read does not return.

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use ttmem_fake::Host;
use ttmem_service::client::Client;

use super::{print, run, serve::Serving};

/// The chip that blocks.
const CHIP: usize = 5;

/// A Galaxy of which one chip blocks.
struct Blocked {
    folder: tempfile::TempDir,
    fifo: PathBuf,
}

impl Blocked {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Host::galaxy().into_tree().write_to(&folder.path().join("host")).unwrap();
        let fifo = attribute(folder.path());
        block(&fifo);
        Self { folder, fifo }
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let all = [&["--root", "host", "--no-server", "--json"], arguments].concat();
        serde_json::from_str(&print(self.folder.path(), &all)).unwrap()
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        release(&self.fifo);
    }
}

fn attribute(folder: &Path) -> PathBuf {
    let device = Host::galaxy().device_directory(u32::try_from(CHIP).unwrap());
    folder.join("host").join(device.trim_start_matches('/')).join("tt_aiclk")
}

/// Replaces a file with one that blocks, in one step.
fn block(file: &Path) {
    let fifo = file.with_extension("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    fs::rename(fifo, file).unwrap();
}

/// Lets every reader of a FIFO go on.
fn release(fifo: &Path) {
    let nonblocking = 0o4000;
    let opened = fs::OpenOptions::new().read(true).write(true).custom_flags(nonblocking).open(fifo);
    drop(opened);
}

fn late_findings(snapshot: &Value) -> Vec<&str> {
    let findings = snapshot["findings"].as_array().unwrap().iter();
    let late = findings.filter(|finding| finding["id"] == "device-late");
    late.map(|finding| finding["text"].as_str().unwrap()).collect()
}

#[test]
fn a_snapshot_has_the_others_and_why_one_is_missing() {
    let blocked = Blocked::new();
    let snapshot = blocked.json(&[]);
    let findings = late_findings(&snapshot);
    assert_eq!(findings.len(), 1);
    assert!(findings[0].starts_with("chip 5 (0000:c6:00.0) timed out: "), "{findings:?}");
    for (index, chip) in snapshot["chips"].as_array().unwrap().iter().enumerate() {
        let clock = &chip["telemetry"]["aiclk_mhz"];
        if index == CHIP {
            assert_eq!(
                (&clock["missing"], &clock["detail"]),
                (&"failed".into(), &"tt_aiclk: timed out".into())
            );
        } else {
            assert_eq!(clock["value"], 1000.0);
        }
    }
    let healthy = print(blocked.folder.path(), &["--root", "host", "--no-server", "-i", "1", "-L"]);
    assert!(healthy.starts_with("1  galaxy-wormhole"), "{healthy}");
    let doctor = run(blocked.folder.path(), &["--root", "host", "doctor"]);
    assert!(String::from_utf8_lossy(&doctor.stdout).contains("chip 5 (0000:c6:00.0) timed out"));
}

/// The list of owners waits for a lock of its own.
#[test]
fn several_devices_that_block_keep_what_was_read_before() {
    let blocked = Blocked::new();
    let owners = blocked.folder.path().join("host/proc/driver/tenstorrent/7/pids");
    block(&owners);
    let snapshot = blocked.json(&[]);
    release(&owners);
    let findings = late_findings(&snapshot);
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert_eq!(snapshot["chips"][CHIP]["arch"], "wormhole");
    assert_eq!(snapshot["chips"][7]["telemetry"]["aiclk_mhz"]["value"], 1000.0);
    assert_eq!(snapshot["chips"][8]["telemetry"]["aiclk_mhz"]["value"], 1000.0);
}

#[test]
fn a_recording_goes_on() {
    let blocked = Blocked::new();
    let arguments =
        ["--root", "host", "--no-server", "record", "-o", "a", "-l", "100ms", "--for", "1s"];
    let output = run(blocked.folder.path(), &arguments);
    assert!(output.status.success(), "{output:?}");
    let last: Value = serde_json::from_str(&print(
        blocked.folder.path(),
        &["replay", "a", "--json", "--at", "end"],
    ))
    .unwrap();
    assert_eq!(last["chips"].as_array().unwrap().len(), 32);
}

#[test]
fn a_server_answers_with_the_last_values_and_their_age() {
    let folder = tempfile::tempdir().unwrap();
    Host::galaxy().into_tree().write_to(&folder.path().join("host")).unwrap();
    let serving = Serving::of_host(folder.path().join("host").to_str().unwrap(), &[]);
    let mut client = Client::connect(&serving.socket(), Duration::ZERO).unwrap();
    let file = attribute(folder.path());
    block(&file);
    let late = loop {
        let snapshot = client.wait().unwrap().snapshot().unwrap();
        if snapshot.findings.iter().any(|finding| finding.id == "device-late") {
            break snapshot;
        }
    };
    let clock = |chip: usize| late.chips[chip].telemetry[&ttmem_model::Metric::AiClock].clone();
    let old = serde_json::to_value(clock(CHIP)).unwrap();
    assert_eq!(old["value"], 1000.0);
    assert!(old["age_us"].as_u64().unwrap() > 0, "{old}");
    assert_eq!(serde_json::to_value(clock(1)).unwrap()["value"], 1000.0);
    // Once the driver answers, the values are new again.
    release(&file);
    fs::remove_file(&file).unwrap();
    fs::write(&file, "500\n").unwrap();
    loop {
        let snapshot = client.wait().unwrap().snapshot().unwrap();
        let clock = snapshot.chips[CHIP].telemetry[&ttmem_model::Metric::AiClock].clone();
        if snapshot.findings.iter().all(|finding| finding.id != "device-late") {
            let clock = serde_json::to_value(clock).unwrap();
            if clock["value"] == 500.0 {
                break;
            }
        }
    }
}
