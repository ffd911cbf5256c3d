//! A mesh and its submesh hand out the same addresses of a chip (stock ttnn 0.81.1): bytes are used once, and an error
//! names both allocators. The region alone adds both up.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{agent_library, is_installed, process, snapshot, testbed};

/// `testbed/overlap.py` while `check` runs, with or without the agent.
fn with_overlap(agent: bool, sizes: &[&str], check: impl FnOnce(&Value)) {
    let shm = tempfile::tempdir().unwrap();
    let mut command = Command::new(testbed().join("run"));
    command.args(["--mock", "n300", &format!("--private-shm={}", shm.path().display())]);
    if agent {
        command.env("LD_PRELOAD", agent_library::build());
    }
    let mut child = command
        .arg(testbed().join("overlap.py"))
        .args(sizes)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    check(&serde_json::from_str(&line).unwrap());
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

fn ttmem(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_ttmem")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// DRAM of a process, by chip, sorted.
fn dram(snapshot: &Value, pid: &Value) -> Vec<u64> {
    let chips = process(snapshot, pid)["chips"].as_array().unwrap().iter();
    let mut bytes: Vec<u64> =
        chips.map(|chip| chip["memory"]["dram"]["value"].as_u64().unwrap()).collect();
    bytes.sort_unstable();
    bytes
}

fn finding<'a>(snapshot: &'a Value, id: &str, pid: &Value) -> Option<&'a Value> {
    let mut findings = snapshot["findings"].as_array().unwrap().iter();
    findings.find(|finding| finding["id"] == id && &finding["pid"] == pid)
}

#[test]
fn bytes_of_a_mesh_and_its_submesh_are_used_once() {
    if !is_installed() {
        return;
    }
    with_overlap(true, &[], |said| {
        let number = |key: &str, index: usize| said[key][index].as_u64().unwrap();
        assert_eq!(said["addresses"][0], said["addresses"][1], "{said}");
        let [mesh, submesh] =
            [0, 1].map(|index| number("bytes_per_bank", index) * number("banks", index));
        let snapshot = snapshot();
        // One chip has the mesh's tensor alone, the other both: the longer of the two from one address.
        assert_eq!(dram(&snapshot, &said["pid"]), [mesh, mesh.max(submesh)]);
        let finding = finding(&snapshot, "allocators-overlap", &said["pid"]).unwrap();
        assert_eq!(finding["severity"], "error");
        let text = finding["message"].as_str().or(finding["text"].as_str()).unwrap_or_default();
        for part in
            ["2.02 MiB", "mesh allocator", "at 1048640, 176128 a bank", "at 1048640, 350208 a bank"]
        {
            assert!(text.contains(part), "{part}: {finding}");
        }

        let shown = ttmem(&["buffers", "-p", &said["pid"].to_string()]);
        assert!(shown.contains("handed out twice"), "{shown}");

        let report = ttmem(&["report", &said["pid"].to_string()]);
        let report = report.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            "Two allocators handed out the same 2.02 MiB of DRAM",
            ": 176128 bytes a bank at address 1048640, of mesh allocator",
            ": 350208 bytes a bank at address 1048640, of mesh allocator",
        ] {
            assert!(report.contains(part), "{part}: {report}");
        }
        let report: Value =
            serde_json::from_str(&ttmem(&["report", &said["pid"].to_string(), "--json"])).unwrap();
        let process = &report["processes"][0];
        let peaks = process["peaks"].as_array().unwrap().iter();
        let mut peaks: Vec<u64> = peaks
            .filter(|peak| peak["kind"] == "dram")
            .map(|peak| peak["bytes"].as_u64().unwrap())
            .collect();
        peaks.sort_unstable();
        assert_eq!(peaks, [mesh, mesh.max(submesh)]);
        assert_eq!(process["overlaps"][0]["bytes"].as_u64().unwrap(), mesh.min(submesh));
    });
}

#[test]
fn the_region_alone_adds_both_up_and_is_not_exact() {
    if !is_installed() {
        return;
    }
    // 7 GiB twice, of 12.
    let kib = (7_u64 << 20).to_string();
    with_overlap(false, &[&kib, &kib], |said| {
        let snapshot = snapshot();
        assert_eq!(dram(&snapshot, &said["pid"]), [7 << 30, 14 << 30]);
        for chip in process(&snapshot, &said["pid"])["chips"].as_array().unwrap() {
            assert_eq!(chip["memory"]["dram"]["quality"], "approximate");
        }
    });
    with_overlap(true, &[&kib, &kib], |said| {
        let bank = said["bytes_per_bank"][0].as_u64().unwrap();
        assert_eq!(dram(&snapshot(), &said["pid"]), [bank * 12; 2], "58 % of both chips");
    });
}
