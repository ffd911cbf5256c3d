//! `ttmem record -- CMD` of stock ttnn: the recording has what the agent saw, though the process is gone.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use ttmem_analysis::run_report::RecordedBuffers;
use ttmem_model::buffers::BufferList;
use ttmem_model::{Pid, Timestamp};
use ttmem_recording::Recording;
use ttmem_root::Clock;

use super::agent::{assert_same_buffers, is_geometry};
use super::{KINDS, Workload, agent_library, is_installed, testbed, ttmem_in_own_shm};

fn ttmem(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = ttmem_in_own_shm().current_dir(folder).args(arguments).output().unwrap();
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
    assert!(ops.contains(&"ttnn.softmax") && ops.contains(&"ttnn.matmul"), "{ops:?}");
}

/// Frees in another order than allocations, a second thread, a refused allocation, a device that is closed and opened.
const STEPS: [&str; 13] = [
    "dram=33",
    "l1=5",
    "sharded",
    "l1_small",
    "trace",
    "ops",
    "out_of_order",
    "thread",
    "fail",
    "free=l1",
    "reopen",
    "dram=7",
    "free",
];

/// Returns the memory of a process at a moment of a recording.
fn buffers_at(file: &Path, time: Timestamp, pid: &Value) -> BufferList {
    let mut recording = Recording::open(std::fs::read(file).unwrap()).unwrap();
    let recorded = RecordedBuffers::read(&mut recording);
    let mut snapshot = recording.at(time).unwrap().unwrap().snapshot().unwrap();
    snapshot.time_us = time;
    let mut list = recorded.at(&snapshot);
    let is_its = |of: Pid| *pid == of.0;
    list.processes.retain(|owner| is_its(owner.pid));
    list.allocators.retain(|allocator| is_its(allocator.pid));
    list.buffers.retain(|buffer| is_its(buffer.pid));
    list
}

#[test]
fn at_every_step_of_a_recording_lived_what_ttnn_said() {
    /// Times of events are a few milliseconds off, and a step must be in a snapshot.
    const APART: Duration = Duration::from_millis(150);
    if !is_installed() {
        return;
    }
    agent_library::build();
    for mock in ["n150", "t3000"] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        let run = testbed().join("run");
        let mut record = ttmem_in_own_shm();
        let record = record.args(["record", "-l", "100ms", "-o"]).arg(&file).arg("--");
        let mut workload = Workload::of(record.arg(run).args(["--mock", mock]), &STEPS);
        let mut told = Vec::new();
        for _ in STEPS {
            let said = workload.step();
            std::thread::sleep(APART);
            told.push((Clock::System.now(), said));
            std::thread::sleep(APART);
        }
        workload.end();
        for (time, said) in told {
            let pid = &said["pid"];
            let list = buffers_at(&file, time, pid);
            assert_eq!(list.processes.len(), 1, "{mock} {}", said["step"]);
            assert_eq!(list.processes[0].unknown, None, "{mock} {}", said["step"]);
            let list = serde_json::to_value(&list).unwrap();
            assert_same_buffers(&list["buffers"], &said);
            let mut allocators = list["allocators"].as_array().unwrap().iter();
            let mesh = allocators.find(|allocator| allocator["role"] == "mesh").unwrap();
            for kind in mesh["kinds"].as_array().unwrap() {
                assert!(is_geometry(kind, &said), "{mock} {}: {kind}", said["step"]);
            }
            let chips = said["chips"].as_array().unwrap().len();
            assert_eq!(mesh["chips"].as_array().unwrap().len(), chips, "{mock}");
        }
    }
}
