//! `ttmem record -- CMD` of stock ttnn: the recording has what the agent saw, though the process is gone.

use std::process::Command;

use serde_json::Value;

use super::{KINDS, agent_library, is_installed, testbed};

fn ttmem(folder: &std::path::Path, arguments: &[&str]) -> Vec<u8> {
    let program = env!("CARGO_BIN_EXE_ttmem");
    let output = Command::new(program).current_dir(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn a_recorded_command_is_reported_with_its_ops_peaks_and_failures() {
    if !is_installed() {
        return;
    }
    agent_library::build();
    let folder = tempfile::tempdir().unwrap();
    let testbed = testbed();
    let (run, workload) = (testbed.join("run"), testbed.join("workload.py"));
    let command = [run.to_str().unwrap(), "--mock", "n150", workload.to_str().unwrap()];
    let steps = ["dram=9", "l1=2", "ops", "fail", "free=l1"];
    let record = ["record", "-o", "a", "-l", "100ms", "--"];
    let said = ttmem(folder.path(), &[&record[..], &command, &steps].concat());
    let said: Vec<Value> = String::from_utf8(said)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let pid = &said[0]["pid"];

    let report: Value =
        serde_json::from_slice(&ttmem(folder.path(), &["report", "a", "--json"])).unwrap();
    let processes = report["processes"].as_array().unwrap();
    let process = processes.iter().find(|process| process["pid"] == *pid).unwrap();
    assert_eq!((&process["end"], &process["complete"]), (&"exited".into(), &true.into()));
    for kind in KINDS {
        // What the allocator said after each step is at most the peak; between steps there was more.
        let allocated = said.iter().filter_map(|line| {
            let view = &line["memory_view"][kind.to_uppercase()];
            Some(view["total_bytes_allocated_per_bank"].as_u64()? * view["num_banks"].as_u64()?)
        });
        let most = allocated.max().unwrap();
        let mut peaks = process["peaks"].as_array().unwrap().iter();
        let peak = peaks.find(|peak| peak["kind"] == kind);
        let peak = peak.map_or(0, |peak| peak["bytes"].as_u64().unwrap());
        assert!(peak >= most && (most > 0) == (peak > 0), "{kind}: {peak} of {most}");
    }
    let failures = process["failures"].as_array().unwrap();
    assert!(!failures.is_empty() && failures[0]["explanation"]["advice"][0]["text"].is_string());
    let series = &report["recordings"][0]["series"];
    let known = series["processes"].as_array().unwrap().iter();
    assert!(known.clone().any(|process| process["pid"] == *pid), "{series}");

    let trace = ttmem(folder.path(), &["report", "a", "--perfetto"]);
    let trace: Value = serde_json::from_slice(&trace).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let slices = events.iter().filter(|event| event["ph"] == "X" && event["pid"] == *pid);
    let ops: Vec<&str> = slices.filter_map(|event| event["name"].as_str()).collect();
    assert!(ops.contains(&"Softmax") && ops.contains(&"Matmul"), "{ops:?}");
}
