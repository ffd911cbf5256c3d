//! A process that allocates and frees all the time: TT-Metal's statistics are read while calls are under way, and that is no
//! difference between its figures and those of the hooks.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use super::{agent_library, is_installed, process, snapshot, testbed};

#[test]
fn calls_under_way_are_no_difference() {
    if !is_installed() {
        return;
    }
    let shm = tempfile::tempdir().unwrap();
    let mut child = Command::new(testbed().join("run"))
        .args(["--mock", "n150", &format!("--private-shm={}", shm.path().display())])
        .env("LD_PRELOAD", agent_library::build())
        .arg(testbed().join("busy.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let input = child.stdin.take().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let said: Value = serde_json::from_str(&line).unwrap();
    // A figure of TT-Metal's is shown with its own age; a sum of the hooks is as old as the copy, as that of L1 is.
    for _ in 0..60 {
        sleep(Duration::from_millis(50));
        let shown = snapshot();
        let memory = &process(&shown, &said["pid"])["chips"][0]["memory"];
        assert_eq!(memory["dram"]["source"], "agent");
        assert_eq!(memory["dram"]["age_us"], memory["l1"]["age_us"]);
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}
