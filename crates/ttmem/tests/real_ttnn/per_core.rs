//! Buffers that each core allocates by itself, in the hybrid allocator mode (stock ttnn 0.81.1): their bytes count on their own
//! cores, beside what TT-Metal's view has.

use std::io::{BufRead as _, Write as _};
use std::process::Command;

use serde_json::{Value, json};

use super::{Workload, is_installed, process, snapshot};

/// Number of cores and bytes on each, sorted.
fn per_core(value: &Value) -> Vec<(u64, u64)> {
    let pairs = value.as_array().unwrap().iter();
    let mut pairs: Vec<(u64, u64)> =
        pairs.map(|pair| (pair[0].as_u64().unwrap(), pair[1].as_u64().unwrap())).collect();
    pairs.sort_unstable();
    pairs
}

fn buffers(pid: &Value) -> Value {
    let arguments = ["buffers", "--json", "--pid", &pid.to_string()];
    let output = Command::new(env!("CARGO_BIN_EXE_ttmem")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The buffers of the list in allocators with a role or without it, as number of banks and bytes in each.
fn listed(list: &Value, is_per_core: bool) -> Vec<(u64, u64)> {
    let allocators = list["allocators"].as_array().unwrap();
    let of = |number: &Value| allocators.iter().find(|one| &one["number"] == number).unwrap();
    let buffers = list["buffers"].as_array().unwrap().iter();
    let own =
        buffers.filter(|buffer| (of(&buffer["allocator"])["role"] == "per-core") == is_per_core);
    per_core(&own.map(|buffer| json!([buffer["banks"], buffer["bytes_per_bank"]])).collect())
}

#[test]
fn bytes_on_single_cores_count_on_those_cores() {
    if !is_installed() {
        return;
    }
    let shm = tempfile::tempdir().unwrap();
    let Workload { mut child, mut input, output } =
        Workload::under_agent("per_core.py", shm.path());
    let mut steps = 0;
    for line in output.lines() {
        let said: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let (step, pid) = (&said["step"], &said["pid"]);
        let on_cores = per_core(&said["per_core"]);
        let bytes: u64 = on_cores.iter().map(|(cores, bytes)| cores * bytes).sum();
        let shown = snapshot();
        let used = &process(&shown, pid)["chips"][0]["memory"]["l1"];
        assert_eq!(used["value"], said["allocated"].as_u64().unwrap() + bytes, "{step}");
        assert_eq!(
            (&used["source"], &used["quality"]),
            (&json!("agent"), &json!("exact")),
            "{step}"
        );
        let list = buffers(pid);
        assert_eq!(listed(&list, true), on_cores, "{step}");
        assert_eq!(listed(&list, false).len(), said["listed"], "{step}");
        steps += 1;
        input.write_all(b"\n").unwrap();
    }
    assert!(child.wait().unwrap().success());
    assert_eq!(steps, 5);
}
