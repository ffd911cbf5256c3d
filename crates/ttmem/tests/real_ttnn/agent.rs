//! Figures of the agent: bytes per bank times banks are those of `ttnn.get_memory_view`, to the byte, and buffers are
//! those that `reports.get_buffers` lists.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{KINDS, Workload, agent_library, bytes, is_installed, process, snapshot, sum, testbed};

const STEPS: [&str; 11] = [
    "dram=33",
    "l1=5",
    "sharded",
    "l1_small",
    "odd",
    "trace",
    "ops",
    "free=l1",
    "dram=7",
    "free=dram",
    "free",
];

fn start(mock: &str, shm: &Path, tracking: &str, steps: &[&str]) -> Workload {
    let library = agent_library::build().to_str().unwrap();
    let shm = format!("--private-shm={}", shm.display());
    let variables = [("LD_PRELOAD", library), ("TT_METAL_SHM_TRACKING_DISABLED", tracking)];
    Workload::start_in(&variables, &["--mock", mock, &shm], steps)
}

/// Returns ttnn's figure for a kind: a number of its memory view.
fn view(said: &Value, kind: &str, field: &str) -> u64 {
    said["memory_view"][kind.to_uppercase()][field].as_u64().unwrap()
}

fn allocated(said: &Value, kind: &str) -> u64 {
    view(said, kind, "total_bytes_allocated_per_bank") * view(said, kind, "num_banks")
}

fn ids(said: &Value) -> Vec<String> {
    let chips = said["chips"].as_array().unwrap().iter();
    chips.map(|chip| format!("0x{:016x}", chip["asic_id"].as_u64().unwrap())).collect()
}

fn chip<'a>(snapshot: &'a Value, id: &str) -> &'a Value {
    let mut chips = snapshot["chips"].as_array().unwrap().iter();
    chips.find(|chip| chip["id"] == id).unwrap()
}

/// Compares what is shown of a workload with what it said, on each of its chips.
fn assert_exact(snapshot: &Value, pid: &Value, said: &Value) {
    for id in ids(said) {
        let shown = bytes(process(snapshot, pid), &id).unwrap();
        for kind in KINDS {
            let step = format!("{kind} on {id} after {}", said["step"]);
            let sources = &snapshot["sources"];
            assert_eq!(shown[kind]["value"], allocated(said, kind), "{step}: {sources}");
            assert_eq!(shown[kind]["quality"], "exact", "{step}");
            assert_eq!(shown[kind]["source"], "agent", "{step}");
            let used = &chip(snapshot, &id)["memory"][kind]["used"];
            assert_eq!(used["value"], sum(snapshot, &id, kind, "live"), "{step}");
        }
    }
}

/// TT-Metal's own statistics are current a tenth of a second later.
fn assert_geometry(pid: &Value, said: &Value) {
    let deadline = Instant::now() + Duration::from_secs(2);
    let is_told = |shown: &Value| is_geometry(shown, said);
    loop {
        let list = ttmem(&["buffers", "--json", "-p", &pid.to_string()]);
        let mut allocators = list["allocators"].as_array().unwrap().iter();
        let mesh = allocators.find(|allocator| allocator["role"] == "mesh").unwrap();
        let kinds = mesh["kinds"].as_array().unwrap();
        if kinds.len() == KINDS.len() && kinds.iter().all(is_told) {
            return;
        }
        assert!(Instant::now() < deadline, "{}: {mesh}", said["step"]);
    }
}

/// True if a kind of an allocator has the figures of ttnn.
pub(super) fn is_geometry(shown: &Value, said: &Value) -> bool {
    let kind = shown["kind"].as_str().unwrap();
    shown["banks"] == view(said, kind, "num_banks")
        && shown["allocatable_per_bank"] == view(said, kind, "total_bytes_per_bank")
        && shown["free_per_bank"] == view(said, kind, "total_bytes_free_per_bank")
        && shown["largest_free"] == view(said, kind, "largest_contiguous_bytes_free_per_bank")
}

fn ttmem(arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_ttmem")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Compares the buffers that are listed of a process with those that ttnn lists.
fn assert_buffers(pid: &Value, said: &Value) {
    let list = ttmem(&["buffers", "--json", "-p", &pid.to_string()]);
    assert_same_buffers(&list["buffers"], said);
}

/// Compares a list of buffers with that of ttnn.
pub(super) fn assert_same_buffers(list: &Value, said: &Value) {
    let mut shown: Vec<(u64, u64, String)> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|buffer| {
            let kind = buffer["kind"].as_str().unwrap().to_uppercase();
            (buffer["address"].as_u64().unwrap(), buffer["size_per_bank"].as_u64().unwrap(), kind)
        })
        .collect();
    let mut told: Vec<(u64, u64, String)> = said["buffers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|buffer| {
            let number = |index: usize| buffer[index].as_u64().unwrap();
            (number(0), number(1), buffer[2].as_str().unwrap().to_owned())
        })
        .collect();
    shown.sort();
    told.sort();
    assert_eq!(shown, told, "{}", said["step"]);
}

#[test]
fn every_step_is_exact_with_the_region_and_without() {
    if !is_installed() {
        return;
    }
    for (mock, tracking) in [("n150", "0"), ("n150", "1"), ("t3000", "0"), ("p150", "1")] {
        let shm = tempfile::tempdir().unwrap();
        let mut workload = start(mock, shm.path(), tracking, &STEPS);
        for _ in STEPS {
            let said = workload.step();
            let snapshot = snapshot();
            let pid = &said["pid"];
            assert_exact(&snapshot, pid, &said);
            assert_buffers(pid, &said);
            assert_geometry(pid, &said);
            let ours = |finding: &&Value| &finding["pid"] == pid;
            let findings: Vec<&Value> =
                snapshot["findings"].as_array().unwrap().iter().filter(ours).collect();
            assert!(findings.is_empty(), "{mock}: {findings:?}");
        }
        workload.end();
    }
}

#[test]
fn what_a_killed_process_held_is_exact_too() {
    if !is_installed() {
        return;
    }
    // Another process keeps the folder in sight: a killed one takes its mount namespace with it.
    let shm = tempfile::tempdir().unwrap();
    let mut witness = start("n150", shm.path(), "0", &["dram=1"]);
    let mut victim = start("n150", shm.path(), "1", &["dram=9", "l1=2", "sharded"]);
    witness.step();
    for _ in 0..2 {
        victim.step();
    }
    let said = victim.step();
    victim.kill();
    let snapshot = snapshot();
    let gone = process(&snapshot, &said["pid"]);
    assert_eq!(gone["state"], "stale");
    let shown = bytes(gone, &ids(&said)[0]).unwrap();
    for kind in KINDS {
        assert_eq!(shown[kind]["value"], allocated(&said, kind), "{kind}");
        assert_eq!(
            (&shown[kind]["source"], &shown[kind]["quality"]),
            (&"agent".into(), &"stale".into())
        );
    }
    assert_buffers(&said["pid"], &said);
    let report = ttmem(&["report", "--json", &said["pid"].to_string()]);
    assert_eq!(report["processes"][0]["end"], "killed");
    let peak = &report["processes"][0]["peaks"][0];
    assert_eq!((&peak["kind"], &peak["bytes"]), (&"dram".into(), &allocated(&said, "dram").into()));
    witness.end();
}

#[test]
fn a_container_is_exact_by_its_number_on_the_host() {
    if !is_installed() {
        return;
    }
    let library = agent_library::build().to_str().unwrap();
    let variables = [("LD_PRELOAD", library)];
    let run = ["--mock", "n150", "--container"];
    let mut workload = Workload::start_in(&variables, &run, &["dram=3"]);
    let said = workload.step();
    assert_eq!(said["pid"], 1, "inside it is the first process");
    let starter = workload.child.id();
    let children = std::fs::read_to_string(format!("/proc/{starter}/task/{starter}/children"));
    let on_the_host: Value = children.unwrap().trim().parse::<i64>().unwrap().into();
    assert_exact(&snapshot(), &on_the_host, &said);
    assert_buffers(&on_the_host, &said);
    workload.end();
}

#[test]
fn one_process_with_the_agent_and_one_without() {
    if !is_installed() {
        return;
    }
    let shm = tempfile::tempdir().unwrap();
    let mut with = start("n150", shm.path(), "0", &["dram=20"]);
    let mut without = Workload::start("n150", shm.path(), &["dram=10"]);
    let (said_with, said_without) = (with.step(), without.step());
    let snapshot = snapshot();
    let id = &ids(&said_with)[0];
    let of = |said: &Value| bytes(process(&snapshot, &said["pid"]), id).unwrap()["dram"].clone();
    let (exact, approximate) = (of(&said_with), of(&said_without));
    assert_eq!(
        (&exact["value"], &exact["quality"]),
        (&allocated(&said_with, "dram").into(), &"exact".into())
    );
    assert_eq!(approximate["value"], said_without["requested"]["dram"]);
    let used = &chip(&snapshot, id)["memory"]["dram"]["used"];
    assert_eq!(used["value"], sum(&snapshot, id, "dram", "live"));
    assert_eq!(used["quality"], "approximate", "as good as the worse of the two");
    with.end();
    without.end();
}

/// `ttmem run` with options, of the workload, in a mount namespace with a `/dev/shm` of its own.
fn run(options: &[&str], workload: &[&str]) -> Output {
    agent_library::build();
    let script = "mount -t tmpfs tmpfs /dev/shm && \"$@\"; code=$?; ls /dev/shm >&2; exit $code";
    Command::new("unshare")
        .args(["--mount", "--map-root-user", "bash", "-c", script, "bash"])
        .arg(env!("CARGO_BIN_EXE_ttmem"))
        .arg("run")
        .args(options)
        .arg(testbed().join("run"))
        .args(["--mock", "n150"])
        .arg(testbed().join("workload.py"))
        .args(workload)
        .output()
        .unwrap()
}

#[test]
fn a_run_is_reported_limited_and_leaves_nothing() {
    if !is_installed() {
        return;
    }
    let plain = run(&[], &["dram=3"]);
    let error = String::from_utf8_lossy(&plain.stderr).into_owned();
    assert_eq!(plain.status.code(), Some(0), "{error}");
    assert!(!error.contains("ttmem"), "{error}");
    assert_eq!(String::from_utf8_lossy(&plain.stdout).lines().count(), 3, "open, dram, close");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let report = format!("--report={}", file.display());
    let limited =
        run(&[&report, "--keep", "--limit", "dram=100MiB,l1=1KiB/bank"], &["dram=3", "ops"]);
    let error = String::from_utf8_lossy(&limited.stderr).into_owned();
    assert_eq!(limited.status.code(), Some(1), "{error}");
    assert!(
        error.contains("limit exceeded: process ")
            && error.contains(" per bank of L1 on TT-Metal device 0"),
        "{error}"
    );
    assert!(error.contains("kept /dev/shm/ttmem-") && error.contains("\nttmem-"), "{error}");
    let report: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let [process] = report["processes"].as_array().unwrap().as_slice() else { panic!("{report}") };
    assert_eq!((&process["end"], &process["complete"]), (&"exited".into(), &true.into()));
    assert_eq!(process["tt_metal"], "0.81.1");
    let ops: Vec<&str> = process["peaks"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|peak| peak["op"].as_str())
        .collect();
    assert!(ops.contains(&"ttnn.softmax") && ops.contains(&"ttnn.add"), "{ops:?}");
    assert_eq!(process["losses"]["events_overwritten"], 0);

    let wrong = run(&["--report"], &["nonsense"]);
    assert_eq!(wrong.status.code(), Some(2), "the workload's own code");
}
